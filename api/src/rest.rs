//! Queries over HTTP: parameters in, one read, JSON out.
//!
//! Does not know how a read model is made.

pub mod access_records;
pub mod activity;
pub mod alertmanager;
pub mod anchors;
pub mod audit;
pub mod auth;
pub mod blobs;
pub mod blocks;
pub mod chains;
pub mod delegations;
pub mod difference;
pub mod documents;
pub mod events;
pub mod export;
pub mod flags;
pub mod follow;
pub mod graphiql;
pub mod headers;
pub mod health;
pub mod heartbeats;
pub mod keyed;
pub mod light_blocks;
pub mod log;
pub mod principals;
pub mod processes;
pub mod projections;
pub mod replays;
pub mod reply;
pub mod search;
pub mod settings;
pub mod slashings;
pub mod topology;
pub mod transactions;
pub mod validator_sets;
pub mod validators;
