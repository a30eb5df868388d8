//! What is kept: an append-only log of events on PostgreSQL, in one gapless order.
//!
//! Knows bytes, streams, versions and positions; knows no domain word.

pub mod append;
pub mod archive;
pub mod blob;
pub mod canonical;
pub mod check;
pub mod checkpoint;
pub mod error;
pub mod event;
pub mod follow;
mod gather;
pub mod history;
pub mod import;
pub mod prunable;
pub mod read;
mod recent;
pub mod seal;
mod store;

pub use append::{AppendRequest, Appended, Lineage};
pub use archive::Archive;
pub use checkpoint::{Checkpoint, Parked};
pub use error::{AppendError, RecordError, StoreError};
pub use event::{CommandDigest, CommandId, Metadata, NewEvent, Record, StoredEvent, StreamName};
pub use read::{Filter, Page};
pub use recent::Written;
pub use seal::{Seal, Signed};
pub use store::{EventStore, Head, Horizon, StoreOptions};
