//! What the domain promises: specifications as given / when / then, properties, and golden files.
//!
//! Knows no database and no clock: everything here runs in milliseconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test asks for one variant and fails for others"
)]

mod agreement;
mod application;
mod block;
mod chain;
mod configuration;
mod consensus;
mod contract;
mod fixture;
mod genesis;
mod golden;
mod hashes;
mod identity;
mod ledger;
mod ledger_properties;
mod light;
mod made_chain;
mod mempool;
mod monitoring;
mod native;
mod network;
mod order;
mod parameter_changes;
mod parameters;
mod properties;
mod proposer;
mod purity;
mod safety;
mod signatures;
mod spec;
mod transaction;
mod trie;
mod validator;
mod validator_set;
mod values;
