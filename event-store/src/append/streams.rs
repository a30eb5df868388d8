//! What the appender remembers of streams: number and version.
//!
//! Knows only what was committed in this incarnation and read or written over the present
//! connections; a remembered version is never above the true one. It is a shortcut, never the
//! judge: the database's constraints decide.

use std::collections::HashMap;

use crate::event::StreamName;

/// Streams remembered in each of the two halves.
const HALF_STREAMS_MAX: usize = 100_000;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub no: i64,
    /// Committed.
    pub version: u64,
    /// What the version will be when everything under way is committed.
    pub ahead: u64,
}

/// What memory says about a request.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// The version fits: go, and let the unique index decide a race.
    Go { no: i64 },
    /// Something for this stream is under way: its outcome decides.
    Wait,
    /// The database must be asked: the stream is not remembered, or has moved on elsewhere.
    Ask,
    /// The stream is beyond the expected version: a conflict, unless the command is a repetition.
    Behind { actual: u64 },
}

/// A bounded memory in two halves: when the younger is full, the older is dropped. What was used
/// within the last [`HALF_STREAMS_MAX`] streams is still there; so nothing under way is ever
/// forgotten.
#[derive(Default)]
pub(super) struct Streams {
    younger: HashMap<StreamName, Known>,
    older: HashMap<StreamName, Known>,
}

impl Streams {
    /// Judges a request; on [`Verdict::Go`] its events count as under way.
    pub(super) fn judge(&mut self, stream: &StreamName, expected: u64, count: usize) -> Verdict {
        let Some(known) = self.recall(stream) else { return Verdict::Ask };
        if known.ahead == expected {
            known.ahead += count as u64;
            return Verdict::Go { no: known.no };
        }
        if known.ahead > known.version {
            return Verdict::Wait;
        }
        if known.version > expected {
            return Verdict::Behind { actual: known.version };
        }
        Verdict::Ask
    }

    /// The database says that the stream has this number and at least this version.
    pub(super) fn learn(&mut self, stream: StreamName, no: i64, version: u64) {
        match self.recall(&stream) {
            Some(known) => {
                known.version = known.version.max(version);
                known.ahead = known.ahead.max(version);
            }
            None => self.remember(stream, Known { no, version, ahead: version }),
        }
    }

    /// A request that was under way is committed.
    pub(super) fn committed(&mut self, stream: &StreamName, version: u64) {
        if let Some(known) = self.recall(stream) {
            known.version = known.version.max(version);
            known.ahead = known.ahead.max(version);
        }
    }

    /// A request for this stream is being written.
    pub(super) fn under_way(&mut self, stream: &StreamName, version: u64) {
        if let Some(known) = self.recall(stream) {
            known.ahead = known.ahead.max(version);
        }
    }

    /// A request that was under way came to nothing.
    pub(super) fn undone(&mut self, stream: &StreamName) {
        if let Some(known) = self.recall(stream) {
            known.ahead = known.version;
        }
    }

    /// The version of a stream that is remembered and has nothing under way.
    pub(super) fn settled_version(&mut self, stream: &StreamName) -> Option<u64> {
        self.recall(stream).filter(|known| known.ahead == known.version).map(|known| known.version)
    }

    /// The committed version of a stream that is remembered.
    pub(super) fn version(&mut self, stream: &StreamName) -> Option<u64> {
        self.recall(stream).map(|known| known.version)
    }

    pub(super) fn is_known(&mut self, stream: &StreamName) -> bool {
        self.recall(stream).is_some()
    }

    /// After a lost connection nothing that was remembered is certain any more: see the module
    /// [`super::session`].
    pub(super) fn forget_all(&mut self) {
        self.younger.clear();
        self.older.clear();
    }

    fn recall(&mut self, stream: &StreamName) -> Option<&mut Known> {
        if !self.older.is_empty()
            && !self.younger.contains_key(stream)
            && let Some((stream, known)) = self.older.remove_entry(stream)
        {
            self.remember(stream, known);
        }
        self.younger.get_mut(stream)
    }

    fn remember(&mut self, stream: StreamName, known: Known) {
        if self.younger.len() >= HALF_STREAMS_MAX {
            self.older = std::mem::take(&mut self.younger);
        }
        self.younger.insert(stream, known);
    }
}
