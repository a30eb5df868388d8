//! Putting a log back out of a bundle, or out of what was published of it: into an empty database,
//! or into one that lacks its end.
//!
//! Believes nothing: all of it is verified before the first event is put in.

use std::{
    fs::OpenOptions,
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use event_store::{
    EventStore, StoreError, StoreOptions,
    blob::{BLOB_BYTES_MAX, BlobError},
    import::{IMPORT_EVENTS_MAX, Import, ImportError},
};
use evidence::{
    CHECKPOINT, Checkpoint, Failure, Filled, Found, Keys, Kind, Piece, Source, SourceError,
    Storage, StorageError, bundle, pieces,
};
use projections::{Projections, ProjectionsOptions, RepairError, attachment};
use serde::Serialize;
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::{CONTENT, Manifest, read_manifest};
use crate::audit::Records;

/// Connections by which it is put back.
const CONNECTIONS_MAX: u32 = 4;

/// Why a log is not put back.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum RestoreError {
    #[error("there is no checkpoint in {0}: it is no bundle")]
    NoBundle(String),
    #[error("the checkpoint in {place} is not signed by the key that was given: {fault}")]
    Unsigned { place: String, fault: evidence::CheckpointFault },
    #[error("it is not verified, and nothing was put back: {0}")]
    Unverified(#[from] Failure),
    #[error(
        "the database has {head} events, and the bundle only {size}: there is nothing to put back"
    )]
    Shorter { head: u64, size: u64 },
    #[error(
        "the database has another log: the event at position {0} is not the one of the bundle. \
         Nothing was put back. If a server wrote on where events were lost, --set-aside FILE keeps \
         what it wrote there; else restore into an empty database"
    )]
    OtherLog(u64),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{path} in the bundle is not what its name says")]
    Content { path: String },
    #[error(transparent)]
    Import(ImportError),
    #[error(transparent)]
    Log(#[from] StoreError),
    #[error(transparent)]
    Blob(#[from] BlobError),
    #[error("a read model cannot be built anew: {0}")]
    ReadModel(#[from] RepairError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Storage(#[from] StorageError),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
}

impl From<ImportError> for RestoreError {
    fn from(error: ImportError) -> RestoreError {
        match error {
            ImportError::Differs(position) => RestoreError::OtherLog(position),
            ImportError::Moved { .. } | ImportError::Signed { .. } | ImportError::Store(_) => {
                RestoreError::Import(error)
            }
        }
    }
}

/// A log that was put back.
#[derive(Clone, Debug, Serialize)]
pub struct Restored {
    /// Which log.
    pub origin: String,
    /// How many events it has.
    pub events: u64,
    /// Their root, in base64.
    pub root: String,
    /// How many of them were there already.
    pub events_before: u64,
    /// How many events stood where others had stood before, and were set aside.
    pub set_aside: u64,
    /// How many contents were put back.
    pub contents: u64,
    /// The positions of events whose content is neither here nor in the bundle.
    pub without_content: Vec<u64>,
}

/// Puts a log back, and says what it is; the database's tables are up to date. What was written
/// where events were lost is kept in a file and taken away, if one is named for it.
pub async fn restore(
    log: &StoreOptions,
    (place, keys): (&Storage, &Keys),
    aside: Option<&Path>,
    progress: impl Fn(u64, u64),
) -> Result<Restored, RestoreError> {
    let source = Source::Storage(place.clone());
    let bytes = source.get(CHECKPOINT).await?;
    let bytes = bytes.ok_or_else(|| RestoreError::NoBundle(place.to_string()))?;
    let unsigned = |fault| RestoreError::Unsigned { place: place.to_string(), fault };
    let checkpoint = Checkpoint::open(&bytes, keys).map_err(unsigned)?;
    let size = checkpoint.size;
    let verifying = |at| progress(at, size * 2);
    let report =
        evidence::verify(&source, &checkpoint, &[], &mut Records::default(), verifying).await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
    let pool = pool.connect(&log.database_url).await?;
    let mut import = Import::begin(pool.clone(), log.archive.clone()).await?;
    let (mut before, mut set_aside) = (import.position(), 0);
    if let Some(file) = aside
        && let Some(first) = differs(&import, &source, size).await?
    {
        set_aside = before + 1 - first;
        keep(&import, first, file).await?;
        import.take_away(first).await?;
        before = first - 1;
    }
    if before > size {
        return Err(RestoreError::Shorter { head: before, size });
    }
    let contents = put_contents(log, place).await?;
    for piece in pieces(Kind::Entries, size) {
        let first = piece.index * evidence::WIDTH + 1;
        let found = there(&source, piece).await?;
        import.put(first, &records(&found, piece)?).await?;
        progress(size + first + piece.width, size * 2);
    }
    if let Some(manifest) = read_manifest(place).await? {
        follow_on(&pool, &manifest, import.incarnation(), import.position()).await?;
    }
    let without_content = settle(log, &pool, before < size && before > 0).await?;
    pool.close().await;
    Ok(Restored {
        origin: report.origin,
        events: report.entries,
        root: report.root,
        events_before: before,
        set_aside,
        contents,
        without_content,
    })
}

/// A piece of the bundle, which was there a moment ago.
async fn there(source: &Source, piece: Piece) -> Result<Filled, RestoreError> {
    let found = source.piece(piece).await?;
    found.ok_or_else(|| Failure::from(Found::Missing { piece }).into())
}

/// The records of a piece, which were read like this a moment ago.
fn records((of, bytes): &Filled, piece: Piece) -> Result<Vec<&[u8]>, RestoreError> {
    let records = bundle::read(bytes, of.width);
    let mut records = records.map_err(|fault| Failure::from(Found::Bundle { piece, fault }))?;
    records.truncate(usize::try_from(piece.width).unwrap_or(records.len()));
    Ok(records)
}

/// The first position at which the database has another event than the bundle, which has so many.
async fn differs(import: &Import, source: &Source, size: u64) -> Result<Option<u64>, RestoreError> {
    for piece in pieces(Kind::Entries, size) {
        let first = piece.index * evidence::WIDTH + 1;
        let found = there(source, piece).await?;
        let there = records(&found, piece)?;
        let here = import.stored(first, there.len()).await?;
        let both = here.iter().zip(&there);
        let same = both.take_while(|(here, there)| here == *there).count();
        if same < here.len() {
            return Ok(Some(first + same as u64));
        }
        if here.len() < there.len() {
            break;
        }
    }
    Ok(None)
}

/// Keeps the records from a position on in a file, one a line.
async fn keep(import: &Import, first: u64, file: &Path) -> Result<(), RestoreError> {
    let failed = |error| RestoreError::File { path: file.to_owned(), error };
    let mut to = OpenOptions::new().write(true).create_new(true).open(file).map_err(failed)?;
    let mut next = first;
    loop {
        let page = import.stored(next, IMPORT_EVENTS_MAX).await?;
        if page.is_empty() {
            return to.sync_all().map_err(failed);
        }
        next += page.len() as u64;
        for record in page {
            to.write_all(&record).and_then(|()| to.write_all(b"\n")).map_err(failed)?;
        }
    }
}

/// Keeps every content of the bundle; how many there were.
async fn put_contents(log: &StoreOptions, place: &Storage) -> Result<u64, RestoreError> {
    let store = EventStore::open(log.clone()).await?;
    let mut count = 0;
    for path in place.list(CONTENT).await? {
        let Some(content) = place.get_within(&path, BLOB_BYTES_MAX as u64).await? else { continue };
        let hash = store.put_blob(&content).await?;
        if super::content_path(&hash) != path {
            return Err(RestoreError::Content { path });
        }
        count += 1;
    }
    store.close().await;
    Ok(count)
}

/// Processes go on where they were when the bundle was made, unless this database knows better.
async fn follow_on(
    pool: &PgPool,
    manifest: &Manifest,
    incarnation: uuid::Uuid,
    head: u64,
) -> Result<(), sqlx::Error> {
    for process in &manifest.processes {
        sqlx::query(
            "insert into reactions as r (name, position, incarnation) values ($1, $2, $3)
             on conflict on constraint reactions_name do update
                set position = excluded.position, incarnation = excluded.incarnation,
                    parked_position = null, parked_because = null, parked_since = null
              where r.incarnation <> excluded.incarnation",
        )
        .bind(&process.name)
        .bind(process.position.min(i64::try_from(head).unwrap_or(i64::MAX)))
        .bind(incarnation)
        .execute(pool)
        .await?;
    }
    Ok(())
}

/// Read models of the log as it was are built anew; where content that events name is missing is
/// said.
async fn settle(
    log: &StoreOptions,
    pool: &PgPool,
    rebuilds: bool,
) -> Result<Vec<u64>, RestoreError> {
    let store = EventStore::open(log.clone()).await?;
    if rebuilds {
        let options = ProjectionsOptions { run: false, ..ProjectionsOptions::default() };
        let models = Projections::start(store.clone(), pool.clone(), options);
        for name in models.names() {
            models.rebuild(name).await?;
        }
        models.stop().await;
    }
    let mut missing = Vec::new();
    for (position, hash) in attachment::named_in(&store).await? {
        if store.blob(hash.as_bytes()).await?.is_none() {
            missing.push(position);
        }
    }
    store.close().await;
    Ok(missing)
}
