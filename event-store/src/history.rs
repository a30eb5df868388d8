//! History: whether records that follow one another are a log.
//!
//! Knows no database and trusts nothing but the records: each in RFC 8785 form, versions without a
//! gap in every stream, each command once and its events together. Holds the version of every
//! stream and the id of every command, about 100 bytes an event.

use std::{
    collections::{HashMap, HashSet},
    io::{self, BufRead, Write},
};

use ahash::RandomState;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{canonical, error::RecordError, event::Record};

/// What a record says that others must agree with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// Its stream.
    pub stream: Box<str>,
    /// Its version in the stream.
    pub version: u64,
    /// The request that it answers.
    pub command: Uuid,
}

impl Line {
    /// What a record says, when it is one and is in RFC 8785 form.
    pub fn of(bytes: &[u8]) -> Result<(Line, Record<'_>), RecordError> {
        let record = Record::parse(bytes)?;
        if !canonical::is_canonical(bytes)? {
            return Err(RecordError::Malformed("the record is not in RFC 8785 form".to_owned()));
        }
        let version = record.version.parse().ok().filter(|version| *version > 0);
        let malformed = || RecordError::Malformed(format!("{:?} is no version", record.version));
        let line = Line {
            stream: record.stream.into(),
            version: version.ok_or_else(malformed)?,
            command: record.command,
        };
        Ok((line, record))
    }
}

type Versions = HashMap<Box<str>, u64, RandomState>;

/// What is written down of a history, but for its commands.
#[derive(Serialize, Deserialize)]
struct Head<V, C> {
    versions: V,
    commands: u64,
    current: C,
}

/// What the records up to here have said.
#[derive(Clone, Debug, Default)]
pub struct History {
    versions: Versions,
    commands: HashSet<Uuid, RandomState>,
    /// The command and the stream of the event before: what follows of it is its own.
    current: Option<(Uuid, Box<str>)>,
}

impl History {
    /// Adds the next record, and gives what is wrong with it to `fault`. Whether it is the first of
    /// its command.
    pub fn take(&mut self, line: Line, mut fault: impl FnMut(String)) -> bool {
        let Line { stream, version, command } = line;
        match self.versions.get_mut(&stream) {
            Some(before) => {
                if Some(version) != before.checked_add(1) {
                    fault(format!("stream {stream} goes from version {before} to {version}"));
                }
                *before = version;
            }
            None => {
                if version != 1 {
                    fault(format!("stream {stream} begins with version {version}"));
                }
                self.versions.insert(stream.clone(), version);
            }
        }
        let goes_on = self.current.as_ref().is_some_and(|(of, on)| *of == command && *on == stream);
        if goes_on {
            return false;
        }
        if !self.commands.insert(command) {
            fault(format!("command {command} stands here again"));
        }
        self.current = Some((command, stream));
        true
    }

    /// Writes down what was said: a line of JSON, and the ids of all commands.
    pub fn write(&self, to: &mut impl Write) -> io::Result<()> {
        let commands = self.commands.len() as u64;
        let head = Head { versions: &self.versions, commands, current: &self.current };
        serde_json::to_writer(&mut *to, &head)?;
        to.write_all(b"\n")?;
        self.commands.iter().try_for_each(|command| to.write_all(command.as_bytes()))
    }

    /// Reads what was written down.
    pub fn read(from: &mut impl BufRead) -> io::Result<History> {
        let mut line = Vec::new();
        from.read_until(b'\n', &mut line)?;
        let head: Head<Versions, Option<(Uuid, Box<str>)>> = serde_json::from_slice(&line)?;
        let mut commands = HashSet::default();
        for _ in 0..head.commands {
            let mut id = [0; 16];
            from.read_exact(&mut id)?;
            commands.insert(Uuid::from_bytes(id));
        }
        Ok(History { versions: head.versions, commands, current: head.current })
    }

    /// How many streams there are.
    pub fn streams(&self) -> u64 {
        self.versions.len() as u64
    }

    /// How many commands left events behind.
    pub fn commands(&self) -> u64 {
        self.commands.len() as u64
    }
}
