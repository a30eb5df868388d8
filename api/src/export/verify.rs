//! Whether an export is what it says, by its files and the log's key alone.
//!
//! Needs neither the log nor a server. Events that are all there prove themselves, by their root;
//! others each by its receipt.

use std::{fs, path::Path};

use evidence::{CHECKPOINT, Checkpoint, Keys, Receipt, Tree, record_hash};
use serde::Serialize;

use super::{ExportError, Manifest, Proved, events, read_manifest};

/// An export that is what it says.
#[derive(Clone, Debug, Serialize)]
pub struct Verified {
    /// Of which log.
    pub origin: String,
    /// How many events the log had.
    pub size: u64,
    /// Their root, in base64.
    pub root: String,
    /// How many events are in the export: all of them are proved.
    pub events: u64,
    /// How many files were read.
    pub files: u64,
    /// By whose keys the checkpoint is signed.
    pub signed_by: Vec<String>,
    /// Who has cosigned it.
    pub cosigned_by: Vec<String>,
}

/// Whether a folder has an export.
pub fn is_export(folder: &Path) -> bool {
    matches!(read_manifest(folder), Ok(Some(_)))
}

/// Verifies an export; the sentence says what is wrong with it.
pub fn verify(folder: &Path, keys: &Keys) -> Result<Verified, String> {
    let said = |error: ExportError| error.to_string();
    let manifest = read_manifest(folder).map_err(said)?.ok_or("there is no manifest")?;
    let bytes =
        fs::read(folder.join(CHECKPOINT)).map_err(|error| format!("checkpoint: {error}"))?;
    let checkpoint =
        Checkpoint::open(&bytes, keys).map_err(|fault| format!("the checkpoint: {fault}"))?;
    let is_its = manifest.size == checkpoint.size
        && manifest.root == checkpoint.root.to_string()
        && manifest.origin == checkpoint.origin;
    if !is_its {
        return Err("the manifest is not of the log that the checkpoint is of".to_owned());
    }
    if !manifest.complete {
        return Err("it was interrupted: export it again into the same folder".to_owned());
    }
    let events = match manifest.query.is_everything() {
        true => by_root(folder, &manifest, &checkpoint)?,
        false => by_receipts(folder, &manifest, keys)?,
    };
    if events == 0 || events != manifest.events {
        return Err(format!(
            "{events} events were verified, and it says that it has {}",
            manifest.events
        ));
    }
    Ok(Verified {
        origin: manifest.origin,
        size: manifest.size,
        root: manifest.root,
        events,
        files: (manifest.parts.len() + manifest.receipts.len()) as u64,
        signed_by: checkpoint.signed_by,
        cosigned_by: checkpoint.cosigned_by,
    })
}

/// All events come to the root that is signed.
fn by_root(folder: &Path, manifest: &Manifest, checkpoint: &Checkpoint) -> Result<u64, String> {
    let mut tree = Tree::default();
    for part in &manifest.parts {
        let found = events(folder, &manifest.query, part).map_err(|error| error.to_string())?;
        for (position, record) in found {
            if position != tree.size() + 1 {
                let wanted = tree.size() + 1;
                return Err(format!("{}: event {position} stands where {wanted} does", part.file));
            }
            tree.push(record_hash(&record));
        }
    }
    let (computed, said) = (tree.root(), checkpoint.root);
    if computed != said {
        return Err(format!("the root of all events is {computed}, and {said} is signed"));
    }
    Ok(tree.size())
}

/// Each event is proved by its receipt.
fn by_receipts(folder: &Path, manifest: &Manifest, keys: &Keys) -> Result<u64, String> {
    if manifest.receipts.len() != manifest.parts.len() {
        return Err("receipts are missing".to_owned());
    }
    let mut count = 0;
    for (part, receipts) in manifest.parts.iter().zip(&manifest.receipts) {
        let found = events(folder, &manifest.query, part).map_err(|error| error.to_string())?;
        let text = receipts.read(folder).map_err(|error| error.to_string())?;
        let text =
            String::from_utf8(text).map_err(|error| format!("{}: {error}", receipts.file))?;
        let mut lines = text.lines();
        for (position, record) in found {
            let wrong = |because: String| format!("{}: event {position}: {because}", part.file);
            let line = lines.next().ok_or_else(|| wrong("its receipt is missing".to_owned()))?;
            let proved: Proved =
                serde_json::from_str(line).map_err(|error| wrong(error.to_string()))?;
            let receipt =
                Receipt::parse(&proved.receipt).map_err(|fault| wrong(fault.to_string()))?;
            if receipt.index + 1 != position || proved.position != position.to_string() {
                return Err(wrong("its receipt is that of another event".to_owned()));
            }
            let of = receipt.verify(&record, keys).map_err(|fault| wrong(fault.to_string()))?;
            if of.size != manifest.size || of.root.to_string() != manifest.root {
                return Err(wrong("its receipt is of another checkpoint".to_owned()));
            }
            count += 1;
        }
        if lines.next().is_some() {
            return Err(format!("{}: an event of a receipt is missing", part.file));
        }
    }
    Ok(count)
}
