//! What is true: the contexts of a permissioned validator network as pure decisions over history.
//!
//! Knows no clock, no randomness, no I/O, no SQL and no HTTP: time and everything else that is not
//! in an aggregate's own history is handed in with the command.

pub mod aggregate;
pub mod block;
pub mod chain;
pub mod commit;
pub mod configuration;
pub mod consensus;
pub mod evidence;
pub mod genesis;
pub mod hashes;
pub mod identity;
mod json;
pub mod ledger;
pub mod light;
pub mod monitoring;
pub mod network;
pub mod parameters;
pub mod proposer;
pub mod replica;
#[cfg(feature = "schema")]
mod schema;
pub mod signatures;
pub mod transaction;
pub mod trie;
pub mod validator;
pub mod validator_set;
pub mod values;
pub mod vote;
