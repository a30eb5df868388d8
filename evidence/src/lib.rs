//! What can be proved of a log by what it has published: its tiles, its entries and its signed
//! checkpoints, in the formats of the C2SP (<https://c2sp.org/tlog-tiles>, `tlog-checkpoint`,
//! `tlog-proof`, `tlog-cosignature`, `signed-note`).
//!
//! Knows no database and no event: whoever has a copy, or an address, needs nothing else of us.

pub mod bundle;
mod checkpoint;
mod edge;
mod key;
mod lines;
pub mod proof;
mod receipt;
mod source;
mod storage;
mod submission;
mod tiles;
mod tree;
mod verify;

pub use checkpoint::{CHECKPOINT, Checkpoint, CheckpointFault, is_signed, note_text};
pub use edge::{Edge, Filled};
pub use key::{KeyFault, Keys, Role, SignerKey, VerifierKey};
pub use receipt::{Receipt, ReceiptFault};
pub use source::{Source, SourceError};
pub use storage::{Storage, StorageError};
pub use submission::{NoSubmission, Submission};
pub use tiles::{Kind, NoPiece, Piece, WIDTH, pieces};
pub use tlog_tiles::{Hash, record_hash};
pub use tree::Tree;
pub use verify::{Failure, Found, Judge, Nobody, Report, Standing, verify, verify_on};
