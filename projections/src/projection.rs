//! The trait of a read model's write side: which events it follows and how it folds them into
//! tables.
//!
//! Does not know where events come from, how far it has come, or that there are other projections.

use futures::future::BoxFuture;
use sqlx::PgConnection;

use crate::event::{Chunk, Event};

/// A fold of the log into tables of its own.
///
/// Effects depend on the followed events only: no clock, no randomness, no other tables. That makes
/// a rebuild equal to what it replaces, whatever the size of the chunks.
pub trait Projection: Send + Sync + 'static {
    /// Its name, as in status, waits and rebuilds.
    fn name(&self) -> &'static str;

    /// Its version: another version is another set of tables with a progress of its own.
    fn version(&self) -> i32;

    /// The stream categories it follows.
    fn follows(&self) -> &'static [&'static str];

    /// Folds a chunk and writes the outcome in the given transaction: in memory per key, then
    /// set-based. At most four round trips for each table, however long the chunk is.
    ///
    /// The chunk holds events it follows, in order, and nothing twice. Rows left behind by an error
    /// are rolled back by the caller.
    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>>;

    /// Empties its tables.
    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>>;
}

/// Why a chunk could not be applied.
#[derive(Debug, thiserror::Error)]
pub enum ApplyError {
    /// An event contradicts what the model holds, or holds what no column can.
    #[error("{0}")]
    Refused(String),
    /// The database answered with an error, or not at all.
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl ApplyError {
    /// An event that cannot be applied, and why.
    pub(crate) fn refused(event: &Event, why: impl std::fmt::Display) -> ApplyError {
        ApplyError::Refused(format!("position {} of {}: {why}", event.position, event.stream))
    }

    /// Whether trying again cannot help, because it is an event that is at fault: PostgreSQL's
    /// classes 21 (cardinality), 22 (data) and 23 (integrity), and values that cannot be read or
    /// written. Everything else (outages, missing tables, missing rights) concerns all events
    /// alike.
    pub fn is_refusal(&self) -> bool {
        match self {
            ApplyError::Refused(_) => true,
            ApplyError::Database(sqlx::Error::Database(error)) => error
                .code()
                .is_some_and(|code| ["21", "22", "23"].iter().any(|class| code.starts_with(class))),
            ApplyError::Database(
                sqlx::Error::Encode(_) | sqlx::Error::Decode(_) | sqlx::Error::ColumnDecode { .. },
            ) => true,
            ApplyError::Database(_) => false,
        }
    }
}
