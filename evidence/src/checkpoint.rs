//! Signed checkpoints: how large a log is, and the root of its tree (`tlog-checkpoint`).
//!
//! Does not know whether the log agrees.

use base64::prelude::{BASE64_STANDARD, Engine as _};
use signed_note::{Note, NoteError, Signature};
use tlog_tiles::Hash;

use crate::{Keys, Role, SignerKey};

/// Where a log has its newest checkpoint.
pub const CHECKPOINT: &str = "checkpoint";

/// What a log says of itself, signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// By whose keys of logs it is signed, as far as they were verified.
    pub signed_by: Vec<String>,
    /// Who has cosigned it, as far as they were verified.
    pub cosigned_by: Vec<String>,
}

/// Why a checkpoint proves nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum CheckpointFault {
    #[error("it is no signed note: {0}")]
    NoNote(NoteError),
    #[error("none of the given keys has signed it")]
    Unsigned,
    #[error("a signature is wrong: {0}")]
    BadSignature(NoteError),
    #[error("what is signed is no checkpoint")]
    NoCheckpoint,
    #[error("it is of {origin}, which has not signed it itself: {signers} did")]
    NotItsOwn { origin: String, signers: String },
}

impl Checkpoint {
    /// Reads a checkpoint and verifies it: a key named like the log must have signed it, and every
    /// signature by a given key must be good. Others' are passed over.
    pub fn open(bytes: &[u8], keys: &Keys) -> Result<Checkpoint, CheckpointFault> {
        let note = Note::from_bytes(bytes).map_err(CheckpointFault::NoNote)?;
        let (good, _) = note.verify(keys).map_err(|error| {
            let is_unsigned = matches!(error, NoteError::UnverifiedNote);
            if is_unsigned {
                CheckpointFault::Unsigned
            } else {
                CheckpointFault::BadSignature(error)
            }
        })?;
        let said = tlog_tiles::Checkpoint::from_bytes(note.text());
        let said = said.map_err(|_| CheckpointFault::NoCheckpoint)?;
        let by = |role: Role| -> Vec<String> {
            let good = good.iter().filter_map(|signature| keys.of(signature));
            good.filter(|key| key.role() == role).map(|key| key.name().to_owned()).collect()
        };
        let (mut signed_by, cosigned_by) = (by(Role::Log), by(Role::Cosigner));
        let origin = said.origin().to_owned();
        if !signed_by.contains(&origin) {
            let signers = [signed_by, cosigned_by].concat().join(", ");
            return Err(CheckpointFault::NotItsOwn { origin, signers });
        }
        // While one key of a log takes the place of another both sign, under one name.
        signed_by.dedup();
        Ok(Checkpoint { origin, size: said.size(), root: *said.hash(), signed_by, cosigned_by })
    }

    /// Signs that a log has so many entries, with this root: by all of its keys, under the name of
    /// the first, which is the log's.
    pub fn sign(size: u64, root: Hash, keys: &[SignerKey]) -> Result<Vec<u8>, NoteError> {
        let origin = keys.first().ok_or(NoteError::InvalidSigner)?.public().name();
        // As `tlog-checkpoint` says: three lines, each with its end.
        let text = format!("{origin}\n{size}\n{}\n", BASE64_STANDARD.encode(root.0));
        let text = text.as_bytes();
        let signatures: Result<Vec<Signature>, NoteError> =
            keys.iter().map(|key| key.sign(text, 0)).collect();
        Ok(Note::new(text, &signatures?)?.to_bytes())
    }
}

/// Whether a note is signed well by one of the keys.
pub fn is_signed(note: &str, keys: &Keys) -> bool {
    Note::from_bytes(note.as_bytes()).is_ok_and(|note| note.verify(keys).is_ok())
}

/// What is signed by a note: all of it before its signatures; none when it is no note.
pub fn note_text(note: &[u8]) -> Option<Vec<u8>> {
    Note::from_bytes(note).ok().map(|note| note.text().to_vec())
}
