//! How a request becomes facts: permission, what must be known, decision, append.
//!
//! Knows no HTTP, no read model and no SQL.

pub mod again;
mod blocks;
mod books;
pub mod error;
mod execute;
mod final_block;
mod lane;
mod ledger;
pub mod policy;
mod prepare;
pub mod reactions;
pub mod request;
pub mod settings;
mod sightings;
mod snapshots;

pub use error::CommandError;
pub use execute::{Commands, CommandsOptions, Handled};
pub use final_block::{FinalBlock, OwnHead};
pub use lane::Answer;
pub use ledger::{Directory, NextBlock};
pub use policy::{Permission, PermissionSet, Role};
pub use reactions::{Process, Reactions};
pub use request::{Actor, Outcome, OutcomeEvent, RequestContext};
pub use sightings::Sightings;
