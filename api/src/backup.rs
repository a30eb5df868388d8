//! Backups: the log as it is published, with all content that it names, in a place of its own; the
//! keys of what is personal or secret apart from it, in one file.
//!
//! Does not copy tables: whatever else there is is made anew from the log. What is in the place is
//! written once, under names that say what it is, but for two small files; so it may be kept where
//! nothing can be changed.

mod keys;
mod restore;

use evidence::{
    CHECKPOINT, Checkpoint, CheckpointFault, Failure, Keys, Kind, Piece, Source, SourceError,
    Storage, StorageError, pieces,
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sqlx::PgPool;

use crate::audit::Records;
pub use keys::{Kept, KeysError, restore_keys, write_keys};
pub use restore::{RestoreError, Restored, restore};

/// What a bundle is, and how far the processes had come.
const MANIFEST: &str = "manifest.json";
/// The form of a bundle.
const FORMAT: &str = "node0.bundle/1";
/// Where content is, by its hash.
const CONTENT: &str = "content";
/// Pieces that are copied at the same time.
const PARALLEL: usize = 16;
/// Hashes of content that are read at once.
const PAGE_HASHES: i64 = 1_000;

/// Why there is no backup.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum BackupError {
    #[error("nothing is published in {0} yet: start a server there, which seals the log")]
    Unsealed(String),
    #[error("the checkpoint in {place} is not signed by the keys that are configured: {fault}")]
    Unsigned { place: String, fault: CheckpointFault },
    #[error("{0} has a bundle of another log: choose another place")]
    OtherLog(String),
    #[error("{piece} is missing in {place}: a server that starts makes it anew")]
    Missing { piece: Piece, place: String },
    #[error("what was written is not verified: {0}")]
    Unverified(#[from] Failure),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

/// What is in a bundle, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form it has.
    pub format: String,
    /// Which log.
    pub origin: String,
    /// How many events.
    pub events: u64,
    /// Their root, in base64.
    pub root: String,
    /// How many contents are kept beside them.
    pub contents: u64,
    /// How far each process had come that follows the log.
    pub processes: Vec<Process>,
}

/// How far a process had come.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, sqlx::FromRow)]
pub struct Process {
    /// Its name.
    pub name: String,
    /// All events up to here are dealt with.
    pub position: i64,
}

/// A backup that was made.
#[derive(Clone, Debug, Serialize)]
pub struct Made {
    /// What is in it.
    #[serde(flatten)]
    pub manifest: Manifest,
    /// How many pieces were written now: the others were there.
    pub pieces_written: u64,
    /// How many contents were written now.
    pub contents_written: u64,
    /// How many events the database has that are not in it, for they were not published yet.
    pub unpublished: u64,
}

/// Copies what is published of a log, and the contents of its database, into a place, where an
/// older backup of the same may be. Verified as it stands there before anything is said.
pub async fn make(
    database: &PgPool,
    (published, keys): (&Storage, &Keys),
    place: &Storage,
    progress: impl Fn(u64),
) -> Result<Made, BackupError> {
    // Before the log: a process is never further than the events of the bundle.
    let processes: Vec<Process> = sqlx::query_as(
        "select r.name, r.position from reactions r join head h using (incarnation) order by name",
    )
    .fetch_all(database)
    .await?;
    let bytes = published.get(CHECKPOINT).await?;
    let bytes = bytes.ok_or_else(|| BackupError::Unsealed(published.to_string()))?;
    let unsigned = |fault| BackupError::Unsigned { place: published.to_string(), fault };
    let checkpoint = Checkpoint::open(&bytes, keys).map_err(unsigned)?;
    if let Some(before) = read_manifest(place).await?
        && before.origin != checkpoint.origin
    {
        return Err(BackupError::OtherLog(place.to_string()));
    }
    let (contents, contents_written) = copy_contents(database, place).await?;
    let pieces_written = copy_pieces(published, place, checkpoint.size, progress).await?;
    place.put(CHECKPOINT, bytes).await?;
    let there = Source::Storage(place.clone());
    let report =
        evidence::verify(&there, &checkpoint, &[], &mut Records::default(), |_| {}).await?;
    let size = i64::try_from(checkpoint.size).unwrap_or(i64::MAX);
    let at_most = |one: Process| Process { position: one.position.min(size), ..one };
    let manifest = Manifest {
        format: FORMAT.to_owned(),
        origin: report.origin,
        events: report.entries,
        root: report.root,
        contents,
        processes: processes.into_iter().map(at_most).collect(),
    };
    let text = serde_json::to_vec_pretty(&manifest).unwrap_or_default();
    place.put(MANIFEST, text.into()).await?;
    place.settle().await?;
    let head: i64 = sqlx::query_scalar("select position from head").fetch_one(database).await?;
    let unpublished = head.unsigned_abs().saturating_sub(checkpoint.size);
    Ok(Made { manifest, pieces_written, contents_written, unpublished })
}

/// What the bundle in a place says of itself; none where there is none.
async fn read_manifest(place: &Storage) -> Result<Option<Manifest>, StorageError> {
    let bytes = place.get(MANIFEST).await?;
    Ok(bytes.and_then(|bytes| serde_json::from_slice(&bytes).ok()))
}

/// Every piece of a log of this size that is not there yet; how many that were.
async fn copy_pieces(
    published: &Storage,
    place: &Storage,
    size: u64,
    progress: impl Fn(u64),
) -> Result<u64, BackupError> {
    let from = Source::Storage(published.clone());
    let copy = async |piece: Piece| {
        if place.has(&piece.to_string()).await? {
            return Ok((piece, false));
        }
        let missing = || BackupError::Missing { piece, place: published.to_string() };
        let (found, bytes) = from.piece(piece).await?.ok_or_else(missing)?;
        place.put_soon(vec![(found.to_string(), bytes)]).await?;
        Ok::<_, BackupError>((piece, true))
    };
    let mut written = 0;
    let levels = (0..).map(|level| Kind::Hashes { level });
    let kinds = std::iter::once(Kind::Entries).chain(levels);
    for kind in kinds.take_while(|kind| pieces(*kind, size).next().is_some()) {
        let mut copied = stream::iter(pieces(kind, size)).map(&copy).buffered(PARALLEL);
        while let Some((piece, is_new)) = copied.try_next().await? {
            written += u64::from(is_new);
            if kind == Kind::Entries {
                progress(piece.index * evidence::WIDTH + piece.width);
            }
        }
    }
    Ok(written)
}

/// Every content that is not there yet; how many there are, and how many were not.
async fn copy_contents(database: &PgPool, place: &Storage) -> Result<(u64, u64), BackupError> {
    let (mut after, mut count, mut written) = (Vec::new(), 0, 0);
    loop {
        let page = "select hash from blobs where hash > $1 order by hash limit $2";
        let hashes: Vec<Vec<u8>> =
            sqlx::query_scalar(page).bind(&after).bind(PAGE_HASHES).fetch_all(database).await?;
        let Some(last) = hashes.last() else { return Ok((count, written)) };
        after.clone_from(last);
        for hash in &hashes {
            count += 1;
            let path = content_path(hash);
            if !place.has(&path).await? {
                let content = "select content from blobs where hash = $1";
                let content: Vec<u8> =
                    sqlx::query_scalar(content).bind(hash).fetch_one(database).await?;
                place.put_soon(vec![(path, content.into())]).await?;
                written += 1;
            }
        }
    }
}

/// Where a content is.
pub(crate) fn content_path(hash: &[u8]) -> String {
    let hex = hex::encode(hash);
    format!("{CONTENT}/{}/{hex}", &hex[..2])
}
