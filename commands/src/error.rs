//! Why a request came to nothing.
//!
//! Does not know status codes: the roof maps each variant to one.

use event_store::{AppendError, CommandId, RecordError, StoreError, blob::BlobError};
use thiserror::Error;

use crate::policy::Permission;

/// Why a request came to nothing. Nothing was stored, except perhaps under
/// [`CommandError::Unknown`].
#[derive(Clone, Debug, Error)]
pub enum CommandError<R> {
    /// The domain says no, with its reason.
    #[error("{0}")]
    Refused(R),
    /// The stream is not at the version the caller named.
    #[error("expected version {expected}, but the stream is at {current}")]
    Stale {
        /// What the caller named.
        expected: u64,
        /// Where the stream is.
        current: u64,
    },
    /// Others kept changing the stream.
    #[error("the stream kept changing: gave up after {attempts} attempts, try again")]
    Conflict {
        /// How often it was decided anew.
        attempts: u32,
    },
    /// The idempotency key was used for other content.
    #[error("this idempotency key was used before for another request")]
    KeyReused,
    /// The actor's roles lack the permission.
    #[error("this needs the permission {}", .permission.as_str())]
    Forbidden {
        /// What is needed.
        permission: Permission,
    },
    /// The actor may do this to what is its own only.
    #[error("this needs the permission {}, for what is another's", .permission.as_str())]
    NotOwn {
        /// What is held for one's own.
        permission: Permission,
    },
    /// The events cannot be stored as records.
    #[error("{0}")]
    Invalid(RecordError),
    /// The log cannot be reached, or holds what this version cannot read; nothing was stored.
    #[error("the event log cannot be reached: {0}")]
    Unavailable(StoreError),
    /// The connection was lost while committing; ask again with the same key.
    #[error("the outcome is not known yet: ask again with the same idempotency key")]
    Unknown {
        /// The id to ask by.
        command: CommandId,
    },
}

impl<R> CommandError<R> {
    pub(crate) fn from_blob(error: BlobError) -> CommandError<R> {
        match error {
            BlobError::Invalid(error) => CommandError::Invalid(error),
            BlobError::Store(error) => CommandError::Unavailable(error),
        }
    }

    pub(crate) fn from_append(error: AppendError) -> CommandError<R> {
        match error {
            AppendError::Conflict { .. } => CommandError::Conflict { attempts: 1 },
            AppendError::CommandReused { .. } => CommandError::KeyReused,
            AppendError::Invalid(error) => CommandError::Invalid(error),
            AppendError::Unavailable(error) => CommandError::Unavailable(error),
            AppendError::Unknown { command } => CommandError::Unknown { command },
        }
    }
}
