//! What is in force: settings, their versions and approvals, and feature flags.
//!
//! Does not know what a setting means, nor its schema: the verdict on a value is handed in.

pub mod diff;
mod document;
pub mod flag;
mod key;
pub mod setting;

pub use document::{DEPTH_MAX, DOCUMENT_BYTES_MAX, Document};
pub use key::{Key, Subject};
