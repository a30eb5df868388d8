//! What can go wrong when a read model is asked.
//!
//! Does not know which one.

use crate::page::PageError;

/// Why a read gave no answer.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// The page that was asked for is none.
    #[error(transparent)]
    Page(#[from] PageError),
    /// The database could not be reached, refused, or holds what cannot be read.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ReadError {
    /// Whether the same question may be answered later without anyone changing anything: the
    /// database is away, starting, stopping or out of connections.
    pub fn is_unavailable(&self) -> bool {
        match self {
            ReadError::Page(_) => false,
            ReadError::Database(error) => is_unavailable(error),
        }
    }
}

/// Whether an error of the database passes by itself: everything but an answer that stays the same.
pub fn is_unavailable(error: &sqlx::Error) -> bool {
    if let sqlx::Error::Database(error) = error {
        // Class 08 connection, 53 resources, 57 operator intervention, 40 rollback, 55 not in
        // state.
        return error.code().is_some_and(|code| {
            ["08", "53", "57", "40", "55"].iter().any(|class| code.starts_with(class))
        });
    }
    matches!(
        error,
        sqlx::Error::Io(_)
            | sqlx::Error::Tls(_)
            | sqlx::Error::Protocol(_)
            | sqlx::Error::PoolTimedOut
            | sqlx::Error::PoolClosed
            | sqlx::Error::WorkerCrashed
            | sqlx::Error::BeginFailed
    )
}
