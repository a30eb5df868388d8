//! The types of the schema, one file for each noun.
//!
//! Each wraps a row of a read model and shows it; none decides or folds anything.

pub mod activity;
pub mod blocks;
pub mod chains;
mod connections;
pub mod delegations;
pub mod events;
pub mod flags;
pub mod headers;
pub mod heartbeats;
pub mod histories;
mod keyed;
mod lists;
pub mod log;
pub mod past;
pub mod processes;
pub mod projections;
pub mod rows;
pub mod search;
pub mod topology;
pub mod transactions;
pub mod validator_sets;
pub mod validators;
