//! Submissions: what a witness is asked to cosign (`tlog-witness`, "add-checkpoint").
//!
//! Does not know whether it may be cosigned.

use std::fmt;

use tlog_tiles::Hash;

use crate::lines::{decimal, hashes, write_hashes};

/// The most lines a proof may have.
const PROOF_LINES_MAX: usize = 63;

/// A checkpoint, and that it goes on from what the witness has cosigned before. Written as the body
/// of a request.
#[derive(Clone, Debug, PartialEq)]
pub struct Submission<'c> {
    /// How many entries the witness has cosigned.
    pub old: u64,
    /// The consistency proof; none from nothing, and from the same.
    pub hashes: Vec<Hash>,
    /// The checkpoint.
    pub checkpoint: &'c str,
}

/// Why a body is no submission.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NoSubmission(&'static str);

impl<'c> Submission<'c> {
    /// Reads the body of a request.
    pub fn parse(body: &'c [u8]) -> Result<Submission<'c>, NoSubmission> {
        let body = std::str::from_utf8(body).map_err(|_| NoSubmission("it is no text"))?;
        let (head, checkpoint) = body
            .split_once("\n\n")
            .ok_or(NoSubmission("no empty line stands before the checkpoint"))?;
        let mut lines = head.split('\n');
        let old = lines.next().and_then(|line| line.strip_prefix("old "));
        let old = old
            .and_then(decimal)
            .ok_or(NoSubmission("its first line is not: old, a space and a size"))?;
        let hashes =
            hashes(lines).ok_or(NoSubmission("a line of its proof is no hash in base64"))?;
        if hashes.len() > PROOF_LINES_MAX {
            return Err(NoSubmission("its proof has more than 63 lines"));
        }
        Ok(Submission { old, hashes, checkpoint })
    }
}

impl fmt::Display for Submission<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "old {}", self.old)?;
        write_hashes(f, &self.hashes)?;
        write!(f, "\n{}", self.checkpoint)
    }
}
