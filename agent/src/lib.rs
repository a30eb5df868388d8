//! A validator: its mind, which says what it wants to sign at a height, and the program round it,
//! which follows the record, judges every block by itself, signs, and tells the record.
//!
//! Knows a server only by its HTTP surface. Does not know how anything is stored there, and takes
//! nobody's word for what a block comes to.

pub mod chain;
mod failure;
mod feed;
mod folder;
mod key;
mod mind;
mod news;
mod outbox;
mod register;
pub mod rounds;
mod server;
mod speech;
mod verifier;

pub use failure::Failure;
pub use folder::{Folder, LAST_SIGNED_FILE, LOCK_FILE, replace};
pub use key::Key;
pub use mind::{Options, run};
pub use news::News;
pub use register::{Registered, Wanted, register};
pub use server::{Answer, Server, Trust};
