//! Audit: history is read again, by whoever doubts it.
//!
//! Does not ask a database: what it reads is what was published.

use event_store::history::{History, Line};
use evidence::Judge;

use crate::submit::every;

/// Whether the entries of a published log are records of ours: each in RFC 8785 form, of an event
/// that this program knows, versions without a gap in every stream, each command once and its
/// events together.
#[derive(Default)]
pub struct Records {
    history: History,
}

impl Records {
    /// How many streams there are.
    pub fn streams(&self) -> u64 {
        self.history.streams()
    }

    /// How many commands left events behind.
    pub fn commands(&self) -> u64 {
        self.history.commands()
    }

    /// What they are, written down and read again.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// Records that go on from what was written down.
    pub fn from(history: History) -> Records {
        Records { history }
    }

    /// The next record; the sentence says what is wrong with it.
    pub(super) fn take(&mut self, line: Line) -> Result<(), String> {
        let mut wrong = None;
        self.history.take(line, |because| {
            wrong.get_or_insert(because);
        });
        wrong.map_or(Ok(()), Err)
    }
}

impl Judge for Records {
    type Read = Vec<Result<Line, String>>;

    fn read(entries: &[&[u8]]) -> Self::Read {
        entries.iter().map(|entry| read(entry)).collect()
    }

    fn judge(&mut self, first: u64, read: Self::Read) -> Result<(), (u64, String)> {
        for (index, line) in (first..).zip(read) {
            let line = line.map_err(|because| (index, because))?;
            self.take(line).map_err(|because| (index, because))?;
        }
        Ok(())
    }
}

/// What a record says, when it is one of ours.
pub fn read(entry: &[u8]) -> Result<Line, String> {
    let (line, record) = Line::of(entry).map_err(|error| error.to_string())?;
    every::reads(&line.stream, record.event_type, record.data.get())?;
    Ok(line)
}
