//! Archive: events whose records were moved to where the log is published.
//!
//! Knows which object has which positions, and nothing of how an object keeps its records: that is
//! the [`Archive`]'s. Whoever reads the log does not notice where a record is: all up to one
//! position are archived and all after it are in the table, so that what a reader misses at the
//! beginning of what it asked the table for is here.

mod removal;

use std::{fmt::Debug, ops::Range, sync::Arc};

use bytes::Bytes;
use futures::{StreamExt as _, TryStreamExt as _, future::BoxFuture, stream};
use sqlx::{FromRow, PgConnection};

pub use self::removal::{Archiver, ArchiverError, NewObject, REMOVED_EVENTS_MAX};
use crate::{
    error::StoreError,
    event::StoredEvent,
    read::{as_bigint, from_bigint, missing, stored_event},
    store::EventStore,
};

/// The events of a block, of which every object is made.
pub const BLOCK_EVENTS: u64 = 256;
/// Pieces of objects that one reader reads at once.
const READS_MAX: usize = 8;
/// Blocks that are read in one piece.
const PIECE_BLOCKS_MAX: usize = 8;

/// How the objects of the archive are read.
pub trait Archive: Debug + Send + Sync {
    /// The records of blocks that follow one another in an object: [`BLOCK_EVENTS`] of each.
    fn records<'a>(
        &'a self,
        object: &'a Object,
        blocks: Range<usize>,
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>>;
}

/// What has the records of some positions.
#[derive(Clone, Debug, PartialEq, Eq, FromRow)]
pub struct Object {
    first: i64,
    last: i64,
    path: String,
    offsets: Vec<i64>,
    root: Vec<u8>,
    removed: i64,
}

impl Object {
    /// Its positions.
    pub fn positions(&self) -> Range<u64> {
        from_bigint(self.first)..from_bigint(self.last) + 1
    }

    /// Where it is, below the place where the log is published.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// The root of its records, as it was when they were moved.
    pub fn root(&self) -> &[u8] {
        &self.root
    }

    /// The last position that is in no table any more; the one before the first while all are.
    pub fn removed(&self) -> u64 {
        from_bigint(self.removed)
    }

    /// How many blocks it has.
    pub fn blocks(&self) -> usize {
        self.offsets.len().saturating_sub(1)
    }

    /// Where blocks are in it, in bytes: each of them, in their order.
    pub fn bytes(&self, blocks: Range<usize>) -> impl Iterator<Item = Range<u64>> {
        self.offsets[blocks.start..=blocks.end]
            .windows(2)
            .map(|pair| from_bigint(pair[0])..from_bigint(pair[1]))
    }

    /// That it cannot be read, and why.
    pub fn unread(&self, because: impl ToString) -> StoreError {
        StoreError::Archive { path: self.path.clone(), because: because.to_string().into() }
    }

    fn block_of(&self, position: u64) -> usize {
        let block = (position - from_bigint(self.first)) / BLOCK_EVENTS;
        usize::try_from(block).unwrap_or(usize::MAX)
    }

    fn first_of(&self, block: usize) -> u64 {
        from_bigint(self.first) + block as u64 * BLOCK_EVENTS
    }
}

/// The archive as readers have it; none when nobody said where it is.
#[derive(Clone, Debug, Default)]
pub(crate) struct Cold(Option<Arc<dyn Archive>>);

/// Blocks that are read in one piece, and which of their events are wanted.
struct Wanted {
    object: usize,
    blocks: Range<usize>,
    positions: Vec<u64>,
}

impl Cold {
    pub(crate) fn new(archive: Option<Arc<dyn Archive>>) -> Cold {
        Cold(archive)
    }

    /// The events at these positions, which are in order; those that are not archived are left out.
    pub(crate) async fn at(
        &self,
        connection: &mut PgConnection,
        positions: &[u64],
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let (Some(&first), Some(&last)) = (positions.first(), positions.last()) else {
            return Ok(Vec::new());
        };
        let objects = objects(connection, first, last).await?;
        let wanted = wanted(&objects, positions);
        let mut reads: Vec<BoxFuture<'_, _>> = Vec::with_capacity(wanted.len());
        for wanted in &wanted {
            reads.push(Box::pin(self.read(&objects[wanted.object], wanted)));
        }
        stream::iter(reads).buffered(READS_MAX).try_concat().await
    }

    /// All events after one position up to another.
    pub(crate) async fn range(
        &self,
        connection: &mut PgConnection,
        after: u64,
        to: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let positions: Vec<u64> = (after + 1..=to).collect();
        let events = self.at(connection, &positions).await?;
        let found = events.iter().map(|event| event.position);
        match positions.iter().copied().zip(found).find(|(wanted, found)| wanted != found) {
            Some((position, _)) => Err(missing(position)),
            None if events.len() < positions.len() => Err(missing(positions[events.len()])),
            None => Ok(events),
        }
    }

    async fn read(&self, object: &Object, wanted: &Wanted) -> Result<Vec<StoredEvent>, StoreError> {
        let Wanted { blocks, positions, .. } = wanted;
        let archive = self.0.as_ref().ok_or_else(|| object.unread("nobody said where it is"))?;
        let records = archive.records(object, blocks.clone()).await?;
        let first = object.first_of(blocks.start);
        let one = |&position: &u64| {
            let nth = usize::try_from(position - first).unwrap_or(usize::MAX);
            let record = records.get(nth).ok_or_else(|| object.unread("it ends before its end"))?;
            stored_event(position, record.clone())
        };
        positions.iter().map(one).collect()
    }
}

/// The objects that have positions between these, in their order.
async fn objects(
    connection: &mut PgConnection,
    first: u64,
    last: u64,
) -> Result<Vec<Object>, StoreError> {
    let statement = "select first, last, path, offsets, root, removed from archives
                      where last >= $1 and first <= $2 order by first";
    let found = sqlx::query_as(statement).bind(as_bigint(first)).bind(as_bigint(last));
    Ok(found.fetch_all(connection).await?)
}

impl EventStore {
    /// All events up to here are in the archive alone; 0 when there is none.
    pub async fn archived(&self) -> Result<u64, StoreError> {
        let statement = "select coalesce(max(removed), 0) from archives where removed >= first";
        let archived: i64 = sqlx::query_scalar(statement).fetch_one(self.reads()).await?;
        Ok(from_bigint(archived))
    }
}

/// All objects, in their order.
pub async fn all(connection: &mut PgConnection) -> Result<Vec<Object>, StoreError> {
    objects(connection, 0, u64::MAX).await
}

/// In which pieces these positions are read.
fn wanted(objects: &[Object], positions: &[u64]) -> Vec<Wanted> {
    let mut pieces: Vec<Wanted> = Vec::new();
    let mut nth = 0;
    for &position in positions {
        while objects.get(nth).is_some_and(|object| object.positions().end <= position) {
            nth += 1;
        }
        let Some(object) = objects.get(nth) else { break };
        if !object.positions().contains(&position) {
            continue;
        }
        let block = object.block_of(position);
        match pieces.last_mut() {
            Some(piece)
                if piece.object == nth
                    && block <= piece.blocks.end
                    && block < piece.blocks.start + PIECE_BLOCKS_MAX =>
            {
                piece.blocks.end = piece.blocks.end.max(block + 1);
                piece.positions.push(position);
            }
            Some(_) | None => pieces.push(Wanted {
                object: nth,
                blocks: block..block + 1,
                positions: vec![position],
            }),
        }
    }
    pieces
}
