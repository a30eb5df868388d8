//! Signed checkpoints: how large a log is, and the root of its tree.
//!
//! Does not know whether the log agrees.

use signed_note::{Note, NoteError, StandardVerifier, VerifierError, VerifierList};
use tlog_tiles::Hash;

/// The keys whose signatures count.
pub struct Keys(VerifierList);

impl Keys {
    /// Of verifier keys as they are published, such as `example.com/log+33d7b496+AeHT...`.
    pub fn parse<K: AsRef<str>>(keys: &[K]) -> Result<Keys, VerifierError> {
        let mut verifiers: Vec<Box<dyn signed_note::Verifier>> = Vec::new();
        for key in keys {
            verifiers.push(Box::new(StandardVerifier::new(key.as_ref())?));
        }
        Ok(Keys(VerifierList::new(verifiers)))
    }
}

/// What a log says of itself, signed.
#[derive(Clone, Debug, PartialEq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries it has.
    pub size: u64,
    /// The root of their tree.
    pub root: Hash,
    /// Whose signatures were verified.
    pub signed_by: Vec<String>,
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
        let (good, _) = note.verify(&keys.0).map_err(|error| {
            let is_unsigned = matches!(error, NoteError::UnverifiedNote);
            if is_unsigned {
                CheckpointFault::Unsigned
            } else {
                CheckpointFault::BadSignature(error)
            }
        })?;
        let said = tlog_tiles::Checkpoint::from_bytes(note.text());
        let said = said.map_err(|_| CheckpointFault::NoCheckpoint)?;
        let signed_by: Vec<String> = good.iter().map(|one| one.name().to_owned()).collect();
        let origin = said.origin().to_owned();
        if !signed_by.contains(&origin) {
            return Err(CheckpointFault::NotItsOwn { origin, signers: signed_by.join(", ") });
        }
        Ok(Checkpoint { origin, size: said.size(), root: *said.hash(), signed_by })
    }
}
