//! Exports: the events of a published log as files that other programs read, with what proves them.
//!
//! Needs no database: whoever may read the log's entries may export them. All of it is verified on
//! the way, whatever part is wanted. Files are written whole, one after the other; an export that
//! was interrupted goes on after the last of them.

mod forms;
mod verify;

use std::{
    fs::{self, File},
    io::{self, Write as _},
    path::{Path, PathBuf},
};

use chrono::{DateTime, Utc};
use event_store::Record;
use evidence::{
    CHECKPOINT, Checkpoint, CheckpointFault, Failure, Judge, Keys, Receipt, Source,
    proof::{self, Tiles},
};
use futures::{StreamExt as _, TryStreamExt as _, stream};
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use uuid::Uuid;

use crate::{problem::Problem, rest::export::ndjson};
pub use forms::Format;
pub use verify::{Verified, is_export, verify};

/// The form of an export.
const FORMAT: &str = "node0.export/1";
/// What an export says of itself.
const MANIFEST: &str = "manifest.json";
/// Positions of one file.
const PART_EVENTS: u64 = 65_536;
/// Receipts that are made at the same time.
const PARALLEL: usize = 16;

/// Which events are wanted, and in what form. What is empty means everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Query {
    /// The form of the files.
    pub format: Format,
    /// Only these streams.
    pub streams: Vec<String>,
    /// Only streams of these categories.
    pub categories: Vec<String>,
    /// Only events of these types.
    pub types: Vec<String>,
    /// Only what belongs to this story.
    pub correlation: Option<Uuid>,
    /// Only what stands after this position.
    pub after: u64,
    /// Only what stands up to this position.
    pub until: Option<u64>,
}

/// What an export is, as it says itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form it has.
    pub format: String,
    /// Of which log.
    pub origin: String,
    /// How many events the log had.
    pub size: u64,
    /// Their root, in base64.
    pub root: String,
    /// What was wanted.
    pub query: Query,
    /// Whether all of it is there, and the log was verified.
    pub complete: bool,
    /// How many events are in it.
    pub events: u64,
    /// The files with the events, in the order of the log.
    pub parts: Vec<Part>,
    /// The files with their receipts; none where all events are there, which prove themselves.
    pub receipts: Vec<Part>,
}

/// A file of an export.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// Its name.
    pub file: String,
    /// The first position that was looked at for it.
    pub first: u64,
    /// The last.
    pub last: u64,
    /// How many events are in it.
    pub events: u64,
    /// Its bytes.
    pub bytes: u64,
    /// Their SHA-256, in hex.
    pub sha256: String,
}

/// Why there is no export.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum ExportError {
    #[error("there is no checkpoint in the log")]
    Unpublished,
    #[error("the checkpoint: {0}")]
    Unsigned(#[from] CheckpointFault),
    #[error("the log is not verified: {0}")]
    Unverified(#[from] Failure),
    #[error("{0} has another export: of another log, or of other events. Choose another folder")]
    Other(String),
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error("{file}: {fault}")]
    Form { file: String, fault: String },
}

/// One event, as files have it.
#[derive(Clone, Debug)]
struct Row {
    position: u64,
    stream: String,
    version: u64,
    event_type: String,
    id: Uuid,
    at: DateTime<Utc>,
    actor: String,
    command: Uuid,
    causation: Option<Uuid>,
    correlation: Uuid,
    reason: Option<String>,
    /// Byte for byte as it is in the log.
    record: String,
}

impl Row {
    fn of(position: u64, entry: &[u8]) -> Result<Row, String> {
        let record = Record::parse(entry).map_err(|fault| fault.to_string())?;
        Ok(Row {
            position,
            stream: record.stream.to_owned(),
            version: record.version.parse().map_err(|_| "its version is no number".to_owned())?,
            event_type: record.event_type.to_owned(),
            id: record.id,
            at: record.at,
            actor: record.actor,
            command: record.command,
            causation: record.causation,
            correlation: record.correlation,
            reason: record.reason,
            record: String::from_utf8_lossy(entry).into_owned(),
        })
    }
}

impl Query {
    /// Whether it leaves nothing out.
    pub fn is_everything(&self) -> bool {
        *self == Query { format: self.format, ..Query::default() }
    }

    fn wants(&self, row: &Row) -> bool {
        let category = row.stream.split_once('-').map_or("", |(category, _)| category);
        let has = |wanted: &[String], one: &str| {
            wanted.is_empty() || wanted.iter().any(|wanted| wanted == one)
        };
        row.position > self.after
            && self.until.is_none_or(|until| row.position <= until)
            && has(&self.streams, &row.stream)
            && has(&self.categories, category)
            && has(&self.types, &row.event_type)
            && self.correlation.is_none_or(|wanted| wanted == row.correlation)
    }
}

/// Exports what is wanted of a log into a folder, or goes on with what is there of it.
pub async fn export(
    source: &Source,
    keys: &Keys,
    query: Query,
    folder: &Path,
    progress: impl Fn(u64, u64),
) -> Result<Manifest, ExportError> {
    let kept = read_manifest(folder)?;
    let file = folder.join(CHECKPOINT);
    let bytes = match &kept {
        // It is of what the log was when it began.
        Some(_) => fs::read(&file).map_err(|error| ExportError::File { path: file, error })?,
        None => source
            .get(CHECKPOINT)
            .await
            .map_err(Failure::from)?
            .map(Vec::from)
            .ok_or(ExportError::Unpublished)?,
    };
    let checkpoint = Checkpoint::open(&bytes, keys)?;
    let begun = Manifest {
        format: FORMAT.to_owned(),
        origin: checkpoint.origin.clone(),
        size: checkpoint.size,
        root: checkpoint.root.to_string(),
        query,
        complete: false,
        events: 0,
        parts: Vec::new(),
        receipts: Vec::new(),
    };
    let manifest = match kept {
        None => {
            write(folder, CHECKPOINT, &bytes)?;
            begun
        }
        Some(kept) if kept.query == begun.query && kept.origin == begun.origin => kept,
        Some(_) => return Err(ExportError::Other(folder.display().to_string())),
    };
    if manifest.complete {
        return Ok(manifest);
    }
    write_manifest(folder, &manifest)?;
    let mut exporter = Exporter { folder, manifest, rows: Vec::new(), failed: None };
    let size = checkpoint.size;
    let verified =
        evidence::verify(source, &checkpoint, &[], &mut exporter, |at| progress(at, size)).await;
    if let Some(error) = exporter.failed {
        return Err(error);
    }
    verified?;
    exporter.flush(size)?;
    let mut manifest = exporter.manifest;
    if !manifest.query.is_everything() {
        prove(source, &checkpoint, &bytes, folder, &mut manifest).await?;
    }
    manifest.complete = true;
    write_manifest(folder, &manifest)?;
    Ok(manifest)
}

/// Writes what is wanted while the log is verified.
struct Exporter<'e> {
    folder: &'e Path,
    manifest: Manifest,
    /// Those of the next file.
    rows: Vec<Row>,
    /// Why it cannot go on.
    failed: Option<ExportError>,
}

impl Judge for Exporter<'_> {
    type Read = Vec<Result<Row, String>>;

    fn read(entries: &[&[u8]]) -> Self::Read {
        entries.iter().map(|entry| Row::of(0, entry)).collect()
    }

    fn judge(&mut self, first: u64, read: Self::Read) -> Result<(), (u64, String)> {
        for (index, row) in (first..).zip(read) {
            let row = Row { position: index + 1, ..row.map_err(|because| (index, because))? };
            let position = row.position;
            if position <= self.written_to() {
                continue;
            }
            if self.manifest.query.wants(&row) {
                self.rows.push(row);
            }
            if position.is_multiple_of(PART_EVENTS)
                && let Err(error) = self.flush(position)
            {
                let because = error.to_string();
                self.failed = Some(error);
                return Err((index, because));
            }
        }
        Ok(())
    }
}

impl Exporter<'_> {
    /// What is up to here is in files.
    fn written_to(&self) -> u64 {
        self.manifest.parts.last().map_or(0, |part| part.last)
    }

    /// Writes the events up to a position into a file; one without events says that there are none.
    fn flush(&mut self, last: u64) -> Result<(), ExportError> {
        let first = self.written_to() + 1;
        if first > last {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.rows);
        let Manifest { query, origin, .. } = &self.manifest;
        let file = format!("events-{first:012}-{last:012}.{}", query.format.extension());
        let fault = |fault| ExportError::Form { file: file.clone(), fault };
        let bytes = query.format.write(origin, &rows).map_err(fault)?;
        let part = put(self.folder, file.clone(), (first, last), rows.len() as u64, &bytes)?;
        self.manifest.events += part.events;
        self.manifest.parts.push(part);
        write_manifest(self.folder, &self.manifest)
    }
}

/// A receipt of an event, as a line of a file has it.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Proved {
    position: String,
    /// A `.tlog-proof`.
    receipt: String,
}

/// Makes a receipt for each event, in one file for each file of events.
async fn prove(
    source: &Source,
    checkpoint: &Checkpoint,
    text: &[u8],
    folder: &Path,
    manifest: &mut Manifest,
) -> Result<(), ExportError> {
    let tree = (checkpoint.size, checkpoint.root);
    let text = String::from_utf8_lossy(text).into_owned();
    let receipt = async |position: u64| {
        let tiles = Tiles { source, size: tree.0 };
        let index = position - 1;
        let hashes = proof::inclusion(tiles, tree, index).await?.hashes;
        let receipt = Receipt { index, hashes, checkpoint: text.clone() };
        let proved = Proved { position: position.to_string(), receipt: receipt.to_string() };
        Ok::<_, Failure>(proved)
    };
    for nth in manifest.receipts.len()..manifest.parts.len() {
        let part = manifest.parts[nth].clone();
        let events = events(folder, &manifest.query, &part)?;
        let receipts = stream::iter(&events).map(|(position, _)| receipt(*position));
        let receipts: Vec<Proved> = receipts.buffered(PARALLEL).try_collect().await?;
        let file = format!("receipts-{:012}-{:012}.ndjson", part.first, part.last);
        let fault = |fault: Problem| ExportError::Form {
            file: file.clone(),
            fault: fault.detail().to_owned(),
        };
        let bytes = ndjson(&receipts).map_err(fault)?;
        let written = put(folder, file.clone(), (part.first, part.last), part.events, &bytes)?;
        manifest.receipts.push(written);
        write_manifest(folder, manifest)?;
    }
    Ok(())
}

impl Part {
    /// What is in it: the file that the manifest names, or it was changed.
    fn read(&self, folder: &Path) -> Result<Vec<u8>, ExportError> {
        let path = folder.join(&self.file);
        let bytes = fs::read(&path).map_err(|error| ExportError::File { path, error })?;
        match hex::encode(Sha256::digest(&bytes)) == self.sha256 {
            true => Ok(bytes),
            false => {
                let fault = "it is not the file that the manifest names: it was changed".to_owned();
                Err(ExportError::Form { file: self.file.clone(), fault })
            }
        }
    }
}

/// The events of a file: their positions and records.
fn events(folder: &Path, query: &Query, part: &Part) -> Result<Vec<(u64, Vec<u8>)>, ExportError> {
    let fault = |fault| ExportError::Form { file: part.file.clone(), fault };
    query.format.read(part.read(folder)?).map_err(fault)
}

/// Writes a file, whole or not at all; what the manifest says of it.
fn put(
    folder: &Path,
    file: String,
    (first, last): (u64, u64),
    events: u64,
    bytes: &[u8],
) -> Result<Part, ExportError> {
    write(folder, &file, bytes)?;
    let sha256 = hex::encode(Sha256::digest(bytes));
    Ok(Part { file, first, last, events, bytes: bytes.len() as u64, sha256 })
}

fn write(folder: &Path, file: &str, bytes: &[u8]) -> Result<(), ExportError> {
    let (path, beside) = (folder.join(file), folder.join(format!("{file}.new")));
    let written = fs::create_dir_all(folder).and_then(|()| {
        let mut new = File::create(&beside)?;
        new.write_all(bytes)?;
        new.sync_all()?;
        fs::rename(&beside, &path)
    });
    written.map_err(|error| ExportError::File { path, error })
}

fn write_manifest(folder: &Path, manifest: &Manifest) -> Result<(), ExportError> {
    let text = serde_json::to_vec_pretty(manifest);
    let fault = |error: serde_json::Error| ExportError::Form {
        file: MANIFEST.to_owned(),
        fault: error.to_string(),
    };
    write(folder, MANIFEST, &text.map_err(fault)?)
}

/// What an export in a folder says of itself; none where there is none.
fn read_manifest(folder: &Path) -> Result<Option<Manifest>, ExportError> {
    let path = folder.join(MANIFEST);
    let bytes = match fs::read(&path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        bytes => bytes.map_err(|error| ExportError::File { path, error })?,
    };
    let fault = |error: serde_json::Error| ExportError::Form {
        file: MANIFEST.to_owned(),
        fault: format!("it is no manifest of an export: {error}"),
    };
    serde_json::from_slice(&bytes).map(Some).map_err(fault)
}
