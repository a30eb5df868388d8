//! What the domain promises: specifications as given / when / then, properties, and golden files.
//!
//! Knows no database and no clock: everything here runs in milliseconds.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test asks for one variant and fails for others"
)]

mod chain;
mod contract;
mod fixture;
mod genesis;
mod golden;
mod ledger;
mod ledger_properties;
mod light;
mod native;
mod parameters;
mod properties;
mod purity;
mod signatures;
mod spec;
mod transaction;
mod trie;
mod validator;
mod validator_set;
mod values;
