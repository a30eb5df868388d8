//! What can be proved of a log by what it has published: its tiles, its entries and its signed
//! checkpoints, in the formats of the C2SP (<https://c2sp.org/tlog-tiles>, `tlog-checkpoint`,
//! `signed-note`).
//!
//! Knows no database and no event: whoever has a copy, or an address, needs nothing else of us.

pub mod bundle;
mod checkpoint;
mod source;
mod tiles;
mod tree;
mod verify;

pub use checkpoint::{Checkpoint, CheckpointFault, Keys};
pub use source::{Source, SourceError};
pub use tiles::{Kind, Piece, WIDTH, pieces};
pub use tlog_tiles::Hash;
pub use tree::Tree;
pub use verify::{Failure, Found, Report, verify};
