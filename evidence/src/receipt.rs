//! Receipts: proofs that something was logged, to be verified by anybody with nothing but the log's
//! key (`tlog-proof`).
//!
//! Does not know what was logged.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tlog_tiles::{Hash, record_hash};

use crate::{
    Checkpoint, CheckpointFault, Keys,
    lines::{decimal, hashes, write_hashes},
    proof,
};

/// The first line of a receipt.
const FORMAT: &str = "c2sp.org/tlog-proof@v1";
/// The longest receipt that is read, in bytes: a proof has 64 hashes at most, a checkpoint some
/// signatures.
const RECEIPT_BYTES_MAX: usize = 64 * 1024;

/// That the entry at an index is in a log. Written as a `.tlog-proof`.
#[derive(Clone, Debug, PartialEq)]
pub struct Receipt {
    /// Where the entry is, from 0.
    pub index: u64,
    /// The hashes beside the way from the entry to the root, the entry's sibling first.
    pub hashes: Vec<Hash>,
    /// The log's checkpoint as it was signed.
    pub checkpoint: String,
}

/// Why a receipt proves nothing.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum ReceiptFault {
    #[error("it is no receipt: {0}")]
    Form(&'static str),
    #[error("its checkpoint: {0}")]
    Checkpoint(#[from] CheckpointFault),
    #[error(
        "it does not show that this entry is at index {index} of the {size} entries of {origin}"
    )]
    Unproved { index: u64, size: u64, origin: String },
}

impl Receipt {
    /// Reads a receipt. What others have added to it (`extra`) is passed over.
    pub fn parse(text: &str) -> Result<Receipt, ReceiptFault> {
        let fault = ReceiptFault::Form;
        if text.len() > RECEIPT_BYTES_MAX {
            return Err(fault("it has more than 65,536 bytes"));
        }
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(fault("no empty line follows its proof"))?;
        let mut lines = head.split('\n').peekable();
        if lines.next() != Some(FORMAT) {
            return Err(fault("its first line is not c2sp.org/tlog-proof@v1"));
        }
        if let Some(extra) = lines.next_if(|line| line.starts_with("extra ")) {
            let data = BASE64_STANDARD.decode(&extra["extra ".len()..]);
            data.map_err(|_| fault("its extra data are no base64"))?;
        }
        let index = lines.next().and_then(|line| line.strip_prefix("index "));
        let index = index.and_then(decimal).ok_or(fault("it does not say at which index"))?;
        let hashes = hashes(lines).ok_or(fault("a line of its proof is no hash in base64"))?;
        Ok(Receipt { index, hashes, checkpoint: checkpoint.to_owned() })
    }

    /// Verifies that exactly this entry is in the log, which one of the keys has signed; what the
    /// log had come to then.
    pub fn verify(&self, entry: &[u8], keys: &Keys) -> Result<Checkpoint, ReceiptFault> {
        let checkpoint = Checkpoint::open(self.checkpoint.as_bytes(), keys)?;
        let (index, size) = (self.index, checkpoint.size);
        if proof::is_included(&self.hashes, (size, checkpoint.root), index, record_hash(entry)) {
            Ok(checkpoint)
        } else {
            Err(ReceiptFault::Unproved { index, size, origin: checkpoint.origin })
        }
    }
}

impl fmt::Display for Receipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{FORMAT}\nindex {}", self.index)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
