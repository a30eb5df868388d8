//! Flight: one transaction under way, in one of three shapes.
//!
//! Knows how to write a batch and what became of it; does not know what comes before or after.
//!
//! * **Optimistic**: COPY at the positions believed to be next, then lock the head row without
//!   waiting, compare, commit. The cheapest way for many events of the only writer.
//! * **At the head**: one statement that locks the head row, waits for it, and inserts from where
//!   it is. The cheapest way for few events, and the way while other processes write.
//! * **Checked**: one function call that locks the head row and answers each request on its own.
//!   The way after one of the others was refused.
//!
//! Who has inserted never waits for the head row, so no circle of waiting closes inside the
//! database. One may close across it: our second COPY waits here for our first, the first waits in
//! the database for another process, and that for our second. The short lock timeout of a COPY
//! opens it.

use std::sync::Arc;
use std::time::Duration;

use futures::{SinkExt, future};
use tokio::sync::oneshot;
use tokio::time::timeout;
use tokio_postgres::Row;
use tokio_postgres::error::{DbError, Severity, SqlState};
use tokio_postgres::types::ToSql;
use uuid::Uuid;

use super::batch::{Batch, Member};
use super::session::{Lane, Seen};
use crate::error::StoreError;
use crate::read::{as_bigint, from_bigint};

/// How long a COPY may wait for another transaction before it gives way.
const OPTIMISTIC_LOCK_MS: u64 = 100;
/// Raised by the database's functions (migration 0002): another incarnation.
const OTHER_INCARNATION: &str = "N0002";
/// Raised by the database's functions (migration 0002): the head is not where it was believed to
/// be.
const HEAD_MOVED: &str = "N0003";

/// What became of a batch.
#[derive(Debug)]
pub(super) enum Landing {
    /// All of it is stored, the first event at this position.
    Committed { first: u64, optimistic: bool },
    /// Each request has its own outcome, in order.
    Answered(Vec<Answer>),
    /// Nothing is stored.
    Failed(Failure),
    /// The connection was lost when the commit may have been under way.
    Unknown,
}

/// What became of one request of a checked batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Answer {
    Stored { first: u64 },
    Repeated,
    Reused,
    Conflict { actual: u64 },
}

/// Why nothing of a batch is stored.
#[derive(Debug)]
pub(super) enum Failure {
    /// A version or a command is there already: the requests must be answered one by one.
    Refused,
    /// Another process has moved the head, or is about to.
    Moved,
    /// The batch before it failed.
    Abandoned,
    /// The log is another one.
    OtherIncarnation,
    /// The connection was lost before the commit was sent.
    Lost(StoreError),
    /// The database said no, for a reason that has nothing to do with the requests.
    Database(StoreError),
}

/// What all flights of a session share.
#[derive(Clone)]
pub(super) struct Course {
    pub lane: Arc<Lane>,
    pub incarnation: Uuid,
    pub fence: i64,
    pub has_archive: bool,
    pub commit_ms_max: u64,
}

impl Course {
    pub(super) fn new(lane: &Arc<Lane>, incarnation: Uuid, seen: Seen, commit_ms_max: u64) -> Self {
        let Seen { fence, has_archive, .. } = seen;
        Course { lane: Arc::clone(lane), incarnation, fence, has_archive, commit_ms_max }
    }

    /// Writes the batch after the position `believed`; asks `gate` before it takes the head.
    pub(super) async fn optimistic(
        self,
        batch: Batch,
        believed: u64,
        gate: oneshot::Receiver<()>,
    ) -> (Batch, Landing) {
        let copied = self.copy(&batch, believed + 1).await;
        let may_commit = gate.await.is_ok();
        let landing = match copied {
            Ok(()) if may_commit => self.advance(believed, batch.events).await,
            Ok(()) => Landing::Failed(Failure::Abandoned),
            Err(failure) => Landing::Failed(failure),
        };
        if let Landing::Failed(failure) = &landing
            && !matches!(failure, Failure::Lost(_))
        {
            // Should it fail, the next statement on this connection says so.
            let _ = self.in_time(self.lane.link.client.batch_execute("rollback")).await;
        }
        (batch, landing)
    }

    async fn copy(&self, batch: &Batch, first: u64) -> Result<(), Failure> {
        let begin = format!("begin; set local lock_timeout = {OPTIMISTIC_LOCK_MS}");
        let rows = async {
            let sink = self.lane.link.client.copy_in(&self.lane.copy).await?;
            futures::pin_mut!(sink);
            for message in batch.copy_messages(first) {
                sink.feed(message).await?;
            }
            sink.finish().await
        };
        // Both are sent before the first answer comes: one after the other, in this order.
        let both = future::join(self.lane.link.client.batch_execute(&begin), rows);
        match self.in_time(async { Ok(both.await) }).await {
            Ok((Ok(()), Ok(_))) if self.has_archive => self.refuse_archived(batch).await,
            Ok((Ok(()), Ok(_))) => Ok(()),
            Ok((Err(error), _) | (_, Err(error))) => Err(not_stored(Mishap::Driver(error))),
            Err(mishap) => Err(not_stored(mishap)),
        }
    }

    /// What was copied met nothing in the table: that it meets nothing in the archive either is
    /// asked after it (migration 0065).
    async fn refuse_archived(&self, batch: &Batch) -> Result<(), Failure> {
        let of = |member: &Member| {
            let request = &member.pending.request;
            (member.stream_no, (as_bigint(request.expected + 1), request.command))
        };
        let (streams, (versions, commands)): (Vec<i64>, (Vec<i64>, Vec<Uuid>)) =
            batch.members.iter().map(of).unzip();
        let parameters: [&(dyn ToSql + Sync); 3] = [&streams, &versions, &commands];
        let asked = self.lane.link.client.query_one(&self.lane.refuse_archived, &parameters);
        self.in_time(asked).await.map(drop).map_err(not_stored)
    }

    /// Takes the head and commits in one go: when the first is refused, the second commits nothing.
    async fn advance(&self, believed: u64, events: usize) -> Landing {
        let (believed, added) = (as_bigint(believed), as_bigint(events as u64));
        let client = &self.lane.link.client;
        let parameters: [&(dyn ToSql + Sync); 4] =
            [&believed, &added, &self.incarnation, &self.fence];
        let advance = client.query_one(&self.lane.advance, &parameters);
        let both = future::join(advance, client.batch_execute("commit"));
        match self.in_time(async { Ok(both.await) }).await {
            Ok((Ok(_), Ok(()))) => {
                Landing::Committed { first: from_bigint(believed) + 1, optimistic: true }
            }
            Ok((Err(error), _)) if error.as_db_error().is_some() => {
                Landing::Failed(not_stored(Mishap::Driver(error)))
            }
            Ok((Err(_), _) | (Ok(_), Err(_))) | Err(_) => Landing::Unknown,
        }
    }

    /// Writes the batch wherever the head is.
    pub(super) async fn at_head(self, batch: Batch) -> (Batch, Landing) {
        let rows = match batch.events {
            1 => self.in_time(self.insert_one(&batch)).await,
            _ => self.in_time(self.insert(&batch)).await,
        };
        let landing = match rows {
            // Another fence or another incarnation: the statement found no row to update.
            Ok(rows) if rows.is_empty() => Landing::Failed(Failure::Moved),
            Ok(rows) => {
                let positions = rows.iter().map(|row| row.try_get::<_, i64>(0).ok());
                match positions.min().flatten() {
                    Some(first) => {
                        Landing::Committed { first: from_bigint(first), optimistic: false }
                    }
                    None => Landing::Unknown,
                }
            }
            Err(error) => single_statement(error),
        };
        (batch, landing)
    }

    async fn insert(&self, batch: &Batch) -> Result<Vec<Row>, tokio_postgres::Error> {
        let columns = batch.columns();
        let events = as_bigint(batch.events as u64);
        let parameters: [&(dyn ToSql + Sync); 8] = [
            &events,
            &self.incarnation,
            &self.fence,
            &columns.streams,
            &columns.versions,
            &columns.commands,
            &columns.digests,
            &columns.records,
        ];
        let statement = match self.has_archive {
            true => &self.lane.at_head_with_archive,
            false => &self.lane.at_head,
        };
        self.lane.link.client.query(statement, &parameters).await
    }

    async fn insert_one(&self, batch: &Batch) -> Result<Vec<Row>, tokio_postgres::Error> {
        let columns = batch.columns();
        let parameters: [&(dyn ToSql + Sync); 7] = [
            &self.incarnation,
            &self.fence,
            &columns.streams[0],
            &columns.versions[0],
            &columns.commands[0],
            &columns.digests[0],
            &columns.records[0],
        ];
        let statement = match self.has_archive {
            true => &self.lane.one_at_head_with_archive,
            false => &self.lane.one_at_head,
        };
        self.lane.link.client.query(statement, &parameters).await
    }

    /// Lets the database answer each request on its own.
    pub(super) async fn checked(self, batch: Batch) -> (Batch, Landing) {
        let landing = match self.in_time(self.call_checked(&batch)).await {
            Ok(answers) => Landing::Answered(answers),
            Err(error) => single_statement(error),
        };
        (batch, landing)
    }

    async fn call_checked(&self, batch: &Batch) -> Result<Vec<Answer>, tokio_postgres::Error> {
        let requests = batch.requests();
        let columns = batch.columns();
        let row = self
            .lane
            .link
            .client
            .query_one(
                &self.lane.checked,
                &[
                    &self.incarnation,
                    &self.fence,
                    &requests.streams,
                    &requests.commands,
                    &requests.digests,
                    &requests.slots,
                    &requests.lineages,
                    &requests.expected,
                    &requests.counts,
                    &requests.of_event,
                    &columns.versions,
                    &columns.records,
                ],
            )
            .await?;
        let outcomes: Vec<i16> = row.try_get(0)?;
        let mut next = from_bigint(row.try_get(1)?);
        let actual: Vec<i64> = row.try_get(2)?;
        let mut answers = Vec::with_capacity(outcomes.len());
        for ((outcome, actual), member) in outcomes.into_iter().zip(actual).zip(&batch.members) {
            answers.push(match outcome {
                1 => {
                    let first = next;
                    next += member.pending.request.count() as u64;
                    Answer::Stored { first }
                }
                2 => Answer::Repeated,
                3 => Answer::Reused,
                _ => Answer::Conflict { actual: from_bigint(actual) },
            });
        }
        Ok(answers)
    }

    async fn in_time<T>(
        &self,
        work: impl Future<Output = Result<T, tokio_postgres::Error>>,
    ) -> Result<T, Mishap> {
        match timeout(Duration::from_millis(self.commit_ms_max), work).await {
            Ok(done) => done.map_err(Mishap::Driver),
            Err(_) => Err(Mishap::Late { waited_ms: self.commit_ms_max }),
        }
    }
}

/// Why there is no answer, or a bad one.
enum Mishap {
    Driver(tokio_postgres::Error),
    Late { waited_ms: u64 },
}

impl Mishap {
    /// The database's answer, when it gave one and goes on living. An error that ends the session
    /// may follow a commit (a server that is told to stop while it waits for its standby).
    fn refusal(&self) -> Option<&DbError> {
        match self {
            Mishap::Driver(error) => error.as_db_error().filter(|answer| {
                !matches!(answer.parsed_severity(), Some(Severity::Fatal | Severity::Panic))
            }),
            Mishap::Late { .. } => None,
        }
    }

    fn into_error(self) -> StoreError {
        match self {
            Mishap::Driver(error) => error.into(),
            Mishap::Late { waited_ms } => StoreError::Timeout { waited_ms },
        }
    }
}

/// Before a commit was sent: whatever happened, nothing is stored.
fn not_stored(mishap: Mishap) -> Failure {
    let Some(answer) = mishap.refusal() else { return Failure::Lost(mishap.into_error()) };
    match answer.code() {
        code if *code == SqlState::UNIQUE_VIOLATION => match answer.constraint() {
            Some("events_position") => Failure::Moved,
            Some(_) | None => Failure::Refused,
        },
        code if *code == SqlState::LOCK_NOT_AVAILABLE
            || *code == SqlState::T_R_DEADLOCK_DETECTED
            || *code == SqlState::T_R_SERIALIZATION_FAILURE
            || code.code() == HEAD_MOVED =>
        {
            Failure::Moved
        }
        code if code.code() == OTHER_INCARNATION => Failure::OtherIncarnation,
        _ => Failure::Database(mishap.into_error()),
    }
}

/// A statement that commits by itself: without an answer from the database nobody knows.
fn single_statement(mishap: Mishap) -> Landing {
    let Some(answer) = mishap.refusal() else { return Landing::Unknown };
    let waited_in_vain = *answer.code() == SqlState::LOCK_NOT_AVAILABLE;
    let beyond_the_head = answer.constraint() == Some("events_position");
    if waited_in_vain || beyond_the_head {
        return Landing::Failed(Failure::Database(mishap.into_error()));
    }
    Landing::Failed(not_stored(mishap))
}
