//! Removal: the side of whoever moves events into the archive, one process at a time.
//!
//! Does not make objects: says which events come next, keeps that an object has them, and then
//! takes them out of the table, a few at a time.

use sqlx::{Connection, PgConnection, Row};

use super::{Object, all};
use crate::{
    error::StoreError,
    event::StoredEvent,
    read::{as_bigint, from_bigint, missing, stored_event},
};

/// Events that one transaction takes out of the table.
pub const REMOVED_EVENTS_MAX: u64 = 8_192;
/// The lock that one archiver holds: "node0 ar" in ASCII.
const LOCK: i64 = 0x6e6f_6465_3020_6172;

/// Why nothing is archived.
#[derive(Debug, thiserror::Error)]
pub enum ArchiverError {
    /// Two would make the same objects.
    #[error("another process archives this log")]
    Busy,
    /// The database cannot be reached, or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ArchiverError {
    fn from(error: sqlx::Error) -> ArchiverError {
        ArchiverError::Store(error.into())
    }
}

/// An object that is whole and in its place.
#[derive(Clone, Debug)]
pub struct NewObject {
    /// The position of its first event.
    pub first: u64,
    /// The position of its last event.
    pub last: u64,
    /// The root of its records.
    pub root: [u8; 32],
    /// Where it is.
    pub path: String,
    /// Where its blocks begin, and the last one ends.
    pub offsets: Vec<u64>,
}

/// The one process that moves events of a log; its database user is a member of `node0_archiver`.
#[derive(Debug)]
pub struct Archiver {
    connection: PgConnection,
}

impl Archiver {
    /// Connects, and makes sure that no other one is at work.
    pub async fn open(url: &str) -> Result<Archiver, ArchiverError> {
        let mut connection = PgConnection::connect(url).await?;
        let lock = sqlx::query_scalar("select pg_try_advisory_lock($1)").bind(LOCK);
        let is_ours: bool = lock.fetch_one(&mut connection).await?;
        if is_ours { Ok(Archiver { connection }) } else { Err(ArchiverError::Busy) }
    }

    /// All that is in the archive.
    pub async fn objects(&mut self) -> Result<Vec<Object>, StoreError> {
        all(&mut self.connection).await
    }

    /// So many events that are in the table, from a position on; fewer where the log ends.
    pub async fn events(&mut self, first: u64, count: u64) -> Result<Vec<StoredEvent>, StoreError> {
        let statement =
            "select position, record from events where position >= $1 order by position limit $2";
        let rows = sqlx::query(statement).bind(as_bigint(first)).bind(as_bigint(count));
        let rows = rows.fetch_all(&mut self.connection).await?;
        let mut events = Vec::with_capacity(rows.len());
        for (row, expected) in rows.iter().zip(first..) {
            let record: Vec<u8> = row.try_get(1)?;
            let event = stored_event(from_bigint(row.try_get(0)?), record.into())?;
            if event.position != expected {
                return Err(missing(expected));
            }
            events.push(event);
        }
        Ok(events)
    }

    /// An object is in its place: from now on its events may be removed.
    pub async fn keep(&mut self, object: &NewObject) -> Result<(), StoreError> {
        let offsets: Vec<i64> = object.offsets.iter().copied().map(as_bigint).collect();
        sqlx::query("select add_archive($1, $2, $3, $4, $5)")
            .bind(as_bigint(object.first))
            .bind(as_bigint(object.last))
            .bind(&object.root[..])
            .bind(&object.path)
            .bind(offsets)
            .execute(&mut self.connection)
            .await?;
        Ok(())
    }

    /// Takes the next events that an object has out of the table, at most
    /// [`REMOVED_EVENTS_MAX`]; up to where none are left now, or none when none were.
    pub async fn remove(&mut self) -> Result<Option<u64>, StoreError> {
        let remove = sqlx::query_scalar("select remove_archived($1)");
        let upto: Option<i64> =
            remove.bind(as_bigint(REMOVED_EVENTS_MAX)).fetch_one(&mut self.connection).await?;
        Ok(upto.map(from_bigint))
    }

    /// Lets another one archive.
    pub async fn close(mut self) -> Result<(), StoreError> {
        // The server notices the end of a connection only some time later.
        let unlock = sqlx::query("select pg_advisory_unlock($1)").bind(LOCK);
        unlock.execute(&mut self.connection).await?;
        Ok(self.connection.close().await?)
    }
}
