//! Inquiry: what must be asked of the database before a request can go, asked for many at once.
//!
//! Knows streams by name and commands by id; knows nothing of transactions under way. Runs on a
//! connection of its own, so that nobody else waits for it.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use uuid::Uuid;

use super::Pending;
use super::appender::Appender;
use super::encode::Encoded;
use super::session::Desk;
use crate::error::{AppendError, StoreError};
use crate::event::{CommandDigest, CommandId, StreamName};
use crate::read::from_bigint;

/// Requests whose verdict depends on an answer.
#[derive(Default)]
pub(super) struct Questions {
    /// Which number and version has the stream?
    streams: Vec<Pending>,
    /// The stream is at another version: is the command a repetition? Else it conflicts.
    commands: Vec<(Pending, u64)>,
}

/// The answers.
#[derive(Default)]
pub(super) struct Found {
    streams: HashMap<String, (i64, u64)>,
    commands: HashMap<Uuid, Stored>,
}

/// Where a command is in the log.
#[derive(Clone, Copy)]
pub(super) struct Stored {
    pub digest: Uuid,
}

impl Stored {
    /// Whether it is this request that is there.
    pub fn admits(&self, request: &Encoded) -> bool {
        CommandDigest(self.digest).admits(CommandDigest(request.digest))
    }
}

impl Questions {
    pub(super) fn ask(&mut self, pending: Pending) {
        self.streams.push(pending);
    }

    pub(super) fn doubt(&mut self, pending: Pending, actual: u64) {
        self.commands.push((pending, actual));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.streams.is_empty() && self.commands.is_empty()
    }

    pub(super) fn into_pending(self) -> impl DoubleEndedIterator<Item = Pending> {
        self.streams.into_iter().chain(self.commands.into_iter().map(|(pending, _)| pending))
    }

    /// The names of streams that are said not to exist yet, and of those that are said to.
    fn names(&self) -> (Vec<String>, Vec<String>) {
        let mut seen = HashSet::new();
        let (mut fresh, mut known) = (Vec::new(), Vec::new());
        for Pending { request, .. } in &self.streams {
            let list = if request.expected == 0 { &mut fresh } else { &mut known };
            if seen.insert((request.stream.as_str(), request.expected == 0)) {
                list.push(request.stream.as_str().to_owned());
            }
        }
        (fresh, known)
    }
}

impl Appender {
    pub(super) fn start_inquiry(&mut self) {
        if self.inquiry.is_some() || self.questions.is_empty() {
            return;
        }
        let Some(session) = &self.session else { return };
        let questions = std::mem::take(&mut self.questions);
        let (fresh, known) = questions.names();
        let commands = questions.commands.iter().map(|(pending, _)| pending.request.command);
        let asked = inquire(Arc::clone(&session.desk), fresh, known, commands.collect());
        self.inquiry = Some((questions, tokio::spawn(asked)));
    }

    /// Gives the answers to those who asked.
    pub(super) fn learn(&mut self, found: Result<Found, StoreError>) {
        let Some((questions, _)) = self.inquiry.take() else { return };
        let found = match found {
            Ok(found) => found,
            Err(error @ StoreError::Database { .. }) => {
                let refusal = AppendError::Unavailable(error);
                for pending in questions.into_pending() {
                    self.answer(pending, Err(refusal.clone()));
                }
                return;
            }
            Err(error) => {
                self.put_back_after(questions.into_pending(), &error);
                self.failing = true;
                return;
            }
        };
        let Questions { streams, commands } = questions;
        for (pending, actual) in commands {
            self.answer_doubted(pending, actual, &found);
        }
        for pending in &streams {
            let stream = &pending.request.stream;
            if let Some((no, version)) = found.streams.get(stream.as_str()) {
                self.streams.learn(stream.clone(), *no, *version);
            }
        }
        self.sort_out(streams);
    }

    /// After the answer: a request whose version still lies ahead conflicts (if its command is not
    /// a repetition), unless an earlier request may bring its stream there.
    fn sort_out(&mut self, asked: Vec<Pending>) {
        let mut reached: HashMap<StreamName, u64> = HashMap::new();
        let mut before_us: Option<HashSet<StreamName>> = None;
        let mut ready = Vec::with_capacity(asked.len());
        for pending in asked {
            let stream = &pending.request.stream;
            let settled = match self.streams.is_known(stream) {
                true => self.streams.settled_version(stream),
                false => Some(0),
            };
            let Some(settled) = settled else {
                ready.push(pending);
                continue;
            };
            let version = reached.entry(stream.clone()).or_insert(settled);
            let is_new_to_us = !self.streams.is_known(stream);
            if *version < pending.request.expected || is_new_to_us {
                let before_us = before_us.get_or_insert_with(|| {
                    self.waiting.iter().map(|p| p.request.stream.clone()).collect()
                });
                if !before_us.contains(stream) {
                    let actual = *version;
                    self.questions.doubt(pending, actual);
                    continue;
                }
            } else if *version == pending.request.expected {
                *version = pending.request.last_version();
            }
            ready.push(pending);
        }
        for pending in ready.into_iter().rev() {
            self.waiting.push_front(pending);
        }
    }

    fn answer_doubted(&mut self, pending: Pending, actual: u64, found: &Found) {
        let request = &pending.request;
        match found.commands.get(&request.command) {
            Some(stored) if stored.admits(request) => {
                pending.lineage.break_off();
                self.repeat(pending);
            }
            Some(_) => {
                let command = CommandId(request.command);
                self.answer(pending, Err(AppendError::CommandReused { command }));
            }
            None => {
                let (stream, expected) = (request.stream.clone(), request.expected);
                self.answer(pending, Err(AppendError::Conflict { stream, expected, actual }));
            }
        }
    }
}

async fn inquire(
    desk: Arc<Desk>,
    fresh: Vec<String>,
    known: Vec<String>,
    commands: Vec<Uuid>,
) -> Result<Found, StoreError> {
    let mut found = Found::default();
    let (numbered, streams, stored) = futures::future::try_join3(
        number(&desk, &fresh),
        find_streams(&desk, &known),
        find_commands(&desk, &commands),
    )
    .await?;
    found.streams = streams;
    found.commands = stored;
    found.streams.extend(numbered.into_iter().map(|(stream, no)| (stream, (no, 0))));
    // Said not to exist, but they do: made by another process, or used before.
    let missing: Vec<String> =
        fresh.into_iter().filter(|stream| !found.streams.contains_key(stream)).collect();
    found.streams.extend(find_streams(&desk, &missing).await?);
    Ok(found)
}

/// Gives new streams their numbers, in a transaction of its own: a stream without events is
/// harmless.
async fn number(desk: &Desk, fresh: &[String]) -> Result<Vec<(String, i64)>, StoreError> {
    if fresh.is_empty() {
        return Ok(Vec::new());
    }
    let rows = desk.link.client.query(&desk.new_streams, &[&fresh]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, row.try_get(1)?))).collect()
}

async fn find_streams(
    desk: &Desk,
    streams: &[String],
) -> Result<HashMap<String, (i64, u64)>, StoreError> {
    if streams.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = desk.link.client.query(&desk.find_streams, &[&streams]).await?;
    rows.iter()
        .map(|row| Ok((row.try_get(0)?, (row.try_get(1)?, from_bigint(row.try_get(2)?)))))
        .collect()
}

pub(super) async fn find_commands(
    desk: &Desk,
    commands: &[Uuid],
) -> Result<HashMap<Uuid, Stored>, StoreError> {
    if commands.is_empty() {
        return Ok(HashMap::new());
    }
    let rows = desk.link.client.query(&desk.find_commands, &[&commands]).await?;
    rows.iter().map(|row| Ok((row.try_get(0)?, Stored { digest: row.try_get(1)? }))).collect()
}
