//! Removal: one pass of whoever archives. What an object has is proved by the log's signed
//! checkpoint and read again where it lies, before anything leaves the database.
//!
//! Killed at any point, the next pass goes on: an object that nothing refers to is written again,
//! and one whose events are still in the table loses them.

use std::{ops::Range, time::Instant};

use chrono::{DateTime, Utc};
use event_store::{
    StoreError, StoredEvent,
    archive::{Archiver, ArchiverError, BLOCK_EVENTS, NewObject, Object},
};
use evidence::{
    CHECKPOINT, Checkpoint, CheckpointFault, Failure, Hash, Keys, Source, Storage, StorageError,
    Tree, proof,
};
use serde::Serialize;

use super::object::{self, Packed};
use crate::retention::Retention;

/// The events of an object, unless it is asked for smaller ones: 256 blocks.
pub const OBJECT_EVENTS: u64 = 65_536;
/// An object ends with the block that brings it so many bytes of records: it is made in memory.
pub const OBJECT_BYTES: usize = 128 * 1024 * 1024;

/// Why nothing more is archived.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum ArchiveError {
    #[error("nothing is published in {0} yet: start a server there, which seals the log")]
    Unsealed(String),
    #[error("the checkpoint in {place} is not signed by the keys that are configured: {fault}")]
    Unsigned { place: String, fault: CheckpointFault },
    #[error(
        "the event at position {0} is not the one that was published: nothing was archived. Look \
         for the reason with `node0 verify` and in the audit before anything else"
    )]
    Differs(u64),
    #[error(
        "the database has no event at position {0}, which was signed: nothing was archived. Put \
         back what is lost first (see docs/runbooks/restore.md)"
    )]
    Lost(u64),
    #[error("{path} in {place} is not what was written there a moment ago")]
    Unwritten { path: String, place: String },
    #[error("the events from position {0} on cannot be packed: {1}")]
    Unpacked(u64, String),
    #[error("what is published cannot be verified: {0}")]
    Unverified(#[from] Failure),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] ArchiverError),
}

impl From<StoreError> for ArchiveError {
    fn from(error: StoreError) -> ArchiveError {
        ArchiveError::Database(error.into())
    }
}

/// An object that was made now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Moved {
    /// Where it is.
    pub path: String,
    /// The position of its first event.
    pub first: u64,
    /// The position of its last event.
    pub last: u64,
    /// The root of its events, in base64.
    pub root: String,
    /// How large its events were.
    pub record_bytes: u64,
    /// How large it is.
    pub bytes: u64,
}

/// What the next object waits for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(tag = "for", rename_all = "kebab-case")]
pub enum Waits {
    /// More events: it would end here.
    Events {
        /// The last position of the object.
        until: u64,
    },
    /// A signed checkpoint that has all of it.
    Seal {
        /// The last position of the object.
        until: u64,
    },
    /// The end of an event's retention.
    Retention {
        /// The event that stays longest.
        position: u64,
        /// Whose it is.
        category: String,
        /// When it need not be in the database any more.
        until: DateTime<Utc>,
    },
}

/// What one pass did.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Archived {
    /// The objects that were made.
    pub moved: Vec<Moved>,
    /// How many events were taken out of the table.
    pub removed: u64,
    /// All events up to here are in the archive alone.
    pub archived_to: u64,
    /// What the next object waits for.
    pub waits: Waits,
}

/// Moves all objects' worth of events that are sealed and old enough, and says what the next one
/// waits for. `object_events` is a multiple of 256.
pub async fn archive(
    url: &str,
    (storage, keys): (&Storage, &Keys),
    (retention, object_events): (&Retention, u64),
    progress: impl Fn(u64),
) -> Result<Archived, ArchiveError> {
    let bytes = storage.get(CHECKPOINT).await?;
    let bytes = bytes.ok_or_else(|| ArchiveError::Unsealed(storage.to_string()))?;
    let unsigned = |fault| ArchiveError::Unsigned { place: storage.to_string(), fault };
    let checkpoint = Checkpoint::open(&bytes, keys).map_err(unsigned)?;
    let mut archiver = Archiver::open(url).await?;
    let objects = archiver.objects().await?;
    let mut archived_to = objects.last().map_or(0, |object| object.positions().end - 1);
    // Only of the last one may some be in the table still.
    let before = objects.last().map_or(0, Object::removed);
    let mut moved = Vec::new();
    // What a pass before this one was killed over.
    remove(&mut archiver, &progress).await?;
    let waits = loop {
        let (first, last) = (archived_to + 1, archived_to + object_events);
        if last > checkpoint.size {
            let events = archiver.events(last, 1).await?;
            break match events.is_empty() {
                true => Waits::Events { until: last },
                false => Waits::Seal { until: last },
            };
        }
        let events = next(&mut archiver, first..last + 1).await?;
        if let Some(waits) = stays(&events, retention) {
            break waits;
        }
        let object = keep(&mut archiver, storage, &checkpoint, &events).await?;
        remove(&mut archiver, &progress).await?;
        archived_to = object.last;
        moved.push(object);
    };
    archiver.close().await?;
    let removed = archived_to - before;
    Ok(Archived { moved, removed, archived_to, waits })
}

/// The events of the next object: all at these positions, or as many of them as fill one.
async fn next(
    archiver: &mut Archiver,
    positions: Range<u64>,
) -> Result<Vec<StoredEvent>, ArchiveError> {
    let (mut events, mut bytes, mut first) = (Vec::new(), 0, positions.start);
    while first < positions.end && bytes < OBJECT_BYTES {
        let end = positions.end.min(first + BLOCK_EVENTS);
        let some = archiver.events(first, end - first).await?;
        bytes += some.iter().map(|event| event.record.len()).sum::<usize>();
        first += some.len() as u64;
        events.extend(some);
        if first < end {
            return Err(ArchiveError::Lost(first));
        }
    }
    Ok(events)
}

/// The event that stays in the database longest, if that is not over.
fn stays(events: &[StoredEvent], retention: &Retention) -> Option<Waits> {
    let mut longest: Option<(DateTime<Utc>, &StoredEvent)> = None;
    for event in events {
        // What cannot be read is not what was published: that is found before it leaves.
        let Ok(record) = event.parse() else { continue };
        let ends = retention.ends(event.stream.category(), record.at);
        if longest.is_none_or(|(until, _)| until < ends) {
            longest = Some((ends, event));
        }
    }
    let longest = longest.filter(|(until, _)| *until > Utc::now());
    longest.map(|(until, event)| Waits::Retention {
        position: event.position,
        category: event.stream.category().to_owned(),
        until,
    })
}

/// Makes an object of events, and has it whole and proved in its place.
async fn keep(
    archiver: &mut Archiver,
    storage: &Storage,
    checkpoint: &Checkpoint,
    events: &[StoredEvent],
) -> Result<Moved, ArchiveError> {
    let (first, last) = (events[0].position, events[0].position + events.len() as u64 - 1);
    let packed = object::pack(events);
    let packed = packed.map_err(|because| ArchiveError::Unpacked(first, because))?;
    prove(storage, checkpoint, first, &packed.leaves).await?;
    let path = object::path(first, last, object::PACKED);
    storage.put(&path, packed.bytes.clone()).await?;
    let manifest = object::manifest(first, last, &packed);
    let told = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    storage.put(&object::path(first, last, object::TOLD), told.into()).await?;
    let there = storage.get_within(&path, packed.bytes.len() as u64).await?;
    if there.as_ref() != Some(&packed.bytes) || !holds(&packed, events) {
        return Err(ArchiveError::Unwritten { path, place: storage.to_string() });
    }
    let Packed { bytes, offsets, root, record_bytes, .. } = packed;
    let object = NewObject { first, last, root: root.0, path: path.clone(), offsets };
    archiver.keep(&object).await?;
    let bytes = bytes.len() as u64;
    Ok(Moved { path, first, last, root: manifest.root, record_bytes, bytes })
}

/// Whether what was packed is read as these events.
fn holds(packed: &Packed, events: &[StoredEvent]) -> bool {
    let members = packed.offsets.windows(2).map(|pair| pair[0]..pair[1]);
    super::records(&packed.bytes, members)
        .is_ok_and(|records| records.iter().eq(events.iter().map(|event| &event.record)))
}

/// That the log's checkpoint proves every one of these events, by the first event of each block:
/// the hashes beside the way from it to the block's root are those of all the others.
async fn prove(
    storage: &Storage,
    checkpoint: &Checkpoint,
    first: u64,
    leaves: &[Hash],
) -> Result<(), ArchiveError> {
    let source = Source::Storage(storage.clone());
    let tiles = proof::Tiles { source: &source, size: checkpoint.size };
    let root = (checkpoint.size, checkpoint.root);
    let block_events = usize::try_from(BLOCK_EVENTS).unwrap_or(usize::MAX);
    for (block, first) in leaves.chunks(block_events).zip((first..).step_by(block_events)) {
        let published = proof::inclusion(tiles, root, first - 1).await?;
        let heights = 0..BLOCK_EVENTS.ilog2();
        let said = published.hashes.iter().take(heights.len()).copied();
        let widths = heights.map(|height| 1 << height);
        let beside = widths.map(|width| Tree::of(&block[width..2 * width]).root());
        if published.leaf != block[0] || !said.eq(beside) {
            return Err(ArchiveError::Differs(differing(&source, first, block).await));
        }
    }
    Ok(())
}

/// The first of these events that is not the one that was published, or the first of all where that
/// cannot be said.
async fn differing(source: &Source, first: u64, block: &[Hash]) -> u64 {
    let kind = evidence::Kind::Entries;
    let piece = evidence::Piece { kind, index: (first - 1) / BLOCK_EVENTS, width: BLOCK_EVENTS };
    let Ok(Some((_, bytes))) = source.piece(piece).await else { return first };
    let Ok(entries) = evidence::bundle::read(&bytes, BLOCK_EVENTS) else { return first };
    let other = |(entry, leaf): (&&[u8], &Hash)| evidence::record_hash(entry) != *leaf;
    entries.iter().zip(block).position(other).map_or(first, |nth| first + nth as u64)
}

/// Takes all that objects have out of the table. At most half of the time is spent on it: the rest
/// is for those who append.
async fn remove(archiver: &mut Archiver, progress: &impl Fn(u64)) -> Result<(), ArchiveError> {
    loop {
        let began = Instant::now();
        let Some(upto) = archiver.remove().await? else { return Ok(()) };
        progress(upto);
        tokio::time::sleep(began.elapsed()).await;
    }
}
