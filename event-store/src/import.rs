//! Import: records that this log had, or another copy of it has, are put where they stood.
//!
//! Does not judge records: whoever imports has verified them. What they do not hold is lost: the
//! digests of requests, so that an id stands for whatever is asked with it. The log is another
//! incarnation from then on, and whoever followed it is told.

use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};

use sqlx::{PgConnection, PgPool};
use uuid::Uuid;

use crate::{
    archive::{Archive, Cold},
    error::StoreError,
    event::{CommandDigest, Record},
    read::{as_bigint, from_bigint, stored_at, stored_event},
};

/// Records that are put in at once.
pub const IMPORT_EVENTS_MAX: usize = 4_096;

/// Why nothing was put in.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// Somebody else is at work in this log.
    #[error("something else writes into this log: it is at {actual}, and was at {expected}")]
    Moved {
        /// Where it was left.
        expected: u64,
        /// Where it is.
        actual: u64,
    },
    /// What is here already is something else.
    #[error("the event at position {0} is another one than the one to be put there")]
    Differs(u64),
    /// What would be taken away was signed.
    #[error(
        "events from position {first} on are not those of the bundle, and {signed} were signed: \
         both are history, and neither is written over"
    )]
    Signed {
        /// The first that would be.
        first: u64,
        /// So many events were signed.
        signed: u64,
    },
    /// A record is none, or the database cannot be reached or refused.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<sqlx::Error> for ImportError {
    fn from(error: sqlx::Error) -> ImportError {
        ImportError::Store(error.into())
    }
}

/// A log that is being put back.
#[derive(Debug)]
pub struct Import {
    pool: PgPool,
    cold: Cold,
    incarnation: Uuid,
    renewed: bool,
    position: u64,
    /// The command and the stream of the last event: what follows of it is its own.
    current: Option<(Uuid, String)>,
}

impl Import {
    /// Begins after what is there, which may be archived in part.
    pub async fn begin(
        pool: PgPool,
        archive: Option<Arc<dyn Archive>>,
    ) -> Result<Import, ImportError> {
        let cold = Cold::new(archive);
        let head = "select incarnation, position from head";
        let (incarnation, position): (Uuid, i64) = sqlx::query_as(head).fetch_one(&pool).await?;
        let position = from_bigint(position);
        let mut import =
            Import { pool, cold, incarnation, renewed: false, position, current: None };
        import.current = import.last().await?;
        Ok(import)
    }

    /// Which log it is by now.
    pub fn incarnation(&self) -> Uuid {
        self.incarnation
    }

    /// How far it is.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// Puts records in that stand from a position on: those that are there already must be the
    /// same. All of them, or none.
    pub async fn put(&mut self, first: u64, records: &[&[u8]]) -> Result<(), ImportError> {
        let there = usize::try_from((self.position + 1).saturating_sub(first));
        let there = there.unwrap_or(usize::MAX).min(records.len());
        let stored = self.stored(first, there).await?;
        for (nth, record) in records[..there].iter().enumerate() {
            if stored.get(nth).map(Vec::as_slice) != Some(*record) {
                return Err(ImportError::Differs(first + nth as u64));
            }
        }
        for some in records[there..].chunks(IMPORT_EVENTS_MAX) {
            self.add(some).await?;
        }
        Ok(())
    }

    /// Takes away what is here from a position on, which stands where others stood before. Refused
    /// when any of it was signed: then it is history as well.
    pub async fn take_away(&mut self, first: u64) -> Result<(), ImportError> {
        let last = first.saturating_sub(1);
        let mut tx = self.pool.begin().await?;
        self.expect_unmoved(&mut tx).await?;
        let signed: i64 = sqlx::query_scalar("select size from seal").fetch_one(&mut *tx).await?;
        if from_bigint(signed) > last {
            return Err(ImportError::Signed { first, signed: from_bigint(signed) });
        }
        sqlx::query("alter table events disable trigger events_removed_append_only")
            .execute(&mut *tx)
            .await?;
        sqlx::query("delete from events where position >= $1")
            .bind(as_bigint(first))
            .execute(&mut *tx)
            .await?;
        sqlx::query("alter table events enable trigger events_removed_append_only")
            .execute(&mut *tx)
            .await?;
        sqlx::query("update head set position = $1")
            .bind(as_bigint(last))
            .execute(&mut *tx)
            .await?;
        self.incarnation = renew(&mut tx, self.incarnation, last).await?;
        tx.commit().await?;
        (self.renewed, self.position) = (true, last);
        self.current = self.last().await?;
        Ok(())
    }

    /// Nobody else is at work here; holds the head until the transaction ends.
    async fn expect_unmoved(&self, tx: &mut PgConnection) -> Result<(), ImportError> {
        let (incarnation, actual): (Uuid, i64) =
            sqlx::query_as("select incarnation, position from head for update")
                .fetch_one(tx)
                .await?;
        let (expected, actual) = (self.position, from_bigint(actual));
        match incarnation == self.incarnation && actual == expected {
            true => Ok(()),
            false => Err(ImportError::Moved { expected, actual }),
        }
    }

    /// The command and the stream of the last event.
    async fn last(&self) -> Result<Option<(Uuid, String)>, ImportError> {
        let stored = self.stored(self.position, 1).await?;
        let last = stored.first().map(|last| read(self.position, last)).transpose()?;
        Ok(last.map(|record| (record.command, record.stream.to_owned())))
    }

    /// So many of the records that are here from a position on.
    pub async fn stored(&self, first: u64, count: usize) -> Result<Vec<Vec<u8>>, ImportError> {
        let end = first.saturating_add(count as u64).min(self.position + 1);
        let positions: Vec<i64> = (first..end).map(as_bigint).collect();
        let mut connection = self.pool.acquire().await?;
        let mut events = stored_at(&mut connection, &self.cold, &positions).await?;
        events.sort_unstable_by_key(|event| event.position);
        Ok(events.into_iter().map(|event| event.record.into()).collect())
    }

    async fn add(&mut self, records: &[&[u8]]) -> Result<(), ImportError> {
        let mut columns = Columns::default();
        let mut current = self.current.clone();
        for (position, bytes) in (self.position + 1..).zip(records) {
            let event = stored_event(position, bytes.to_vec().into())?;
            let command = read(position, bytes)?.command;
            let of = Some((command, event.stream.as_str().to_owned()));
            let begins = of != current;
            columns.positions.push(as_bigint(position));
            columns.streams.push(event.stream.as_str().to_owned());
            columns.versions.push(as_bigint(event.version));
            columns.commands.push(begins.then_some(command));
            columns.digests.push(begins.then_some(CommandDigest::UNKNOWN.0));
            current = of;
        }
        let mut tx = self.pool.begin().await?;
        self.expect_unmoved(&mut tx).await?;
        let incarnation = match self.renewed {
            true => self.incarnation,
            false => renew(&mut tx, self.incarnation, self.position).await?,
        };
        let names: BTreeSet<&str> = columns.streams.iter().map(String::as_str).collect();
        let names: Vec<&str> = names.into_iter().collect();
        let add = "insert into streams (stream) select unnest($1::text[]) on conflict do nothing";
        sqlx::query(add).bind(&names).execute(&mut *tx).await?;
        let find = "select stream, no from streams where stream = any ($1)";
        let numbers: Vec<(String, i64)> =
            sqlx::query_as(find).bind(&names).fetch_all(&mut *tx).await?;
        let numbers: HashMap<String, i64> = numbers.into_iter().collect();
        let streams: Vec<Option<i64>> =
            columns.streams.iter().map(|name| numbers.get(name).copied()).collect();
        sqlx::query(
            "insert into events (position, stream_no, version, command, digest, record)
             select * from unnest($1::bigint[], $2::bigint[], $3::bigint[], $4::uuid[], $5::uuid[],
                                  $6::bytea[])",
        )
        .bind(&columns.positions)
        .bind(&streams)
        .bind(&columns.versions)
        .bind(&columns.commands)
        .bind(&columns.digests)
        .bind(records)
        .execute(&mut *tx)
        .await?;
        let position = self.position + records.len() as u64;
        sqlx::query("update head set position = $1")
            .bind(as_bigint(position))
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        (self.renewed, self.incarnation) = (true, incarnation);
        self.position = position;
        self.current = current;
        Ok(())
    }
}

/// The log is another incarnation from here on; processes that follow it go on where they were.
async fn renew(tx: &mut PgConnection, before: Uuid, position: u64) -> Result<Uuid, sqlx::Error> {
    let renew = "update head set incarnation = gen_random_uuid(), fence = fence + 1
              returning incarnation";
    let now: Uuid = sqlx::query_scalar(renew).fetch_one(&mut *tx).await?;
    let follow = "update reactions set incarnation = $1, position = least(position, $3)
                   where incarnation = $2";
    sqlx::query(follow).bind(now).bind(before).bind(as_bigint(position)).execute(tx).await?;
    Ok(now)
}

#[derive(Default)]
struct Columns {
    positions: Vec<i64>,
    streams: Vec<String>,
    versions: Vec<i64>,
    commands: Vec<Option<Uuid>>,
    digests: Vec<Option<Uuid>>,
}

fn read(position: u64, bytes: &[u8]) -> Result<Record<'_>, StoreError> {
    Record::parse(bytes).map_err(|reason| StoreError::Unreadable { position, reason })
}
