//! Landing: what a transaction's outcome means for those who wait for it.
//!
//! Knows every outcome there is; starts nothing.

use std::collections::HashSet;

use super::appender::{Appender, Flight, open};
use super::batch::{Batch, Member};
use super::flight::{Answer, Failure, Landing};
use super::{Appended, Pending, find_command_in};
use crate::error::{AppendError, StoreError};
use crate::event::CommandId;

/// How often a request is tried again when its transaction failed for no fault of the request.
const ATTEMPTS_MAX: u8 = 5;

impl Appender {
    /// Takes in the outcome of the front flight.
    pub(super) async fn land(&mut self, batch: Batch, landing: Landing) {
        match landing {
            Landing::Committed { first, optimistic } => {
                if optimistic {
                    self.optimism.confirmed();
                }
                let last = first + batch.events as u64 - 1;
                let alone = self.seen.position + 1 == first;
                self.commit(batch, first, last);
                self.promote(last, alone).await;
            }
            Landing::Answered(answers) => {
                self.answer_each(batch, answers);
                self.put_back(std::iter::empty());
            }
            Landing::Failed(failure) => {
                self.abandon_back().await;
                self.fail(batch, failure).await;
            }
            Landing::Unknown => {
                self.abandon_back().await;
                self.resolve(batch).await;
            }
        }
    }

    fn commit(&mut self, batch: Batch, first: u64, last: u64) {
        let mut next = first;
        let mut weight = 0;
        let mut committed = Vec::with_capacity(batch.members.len());
        for Member { mut pending, .. } in batch.members {
            self.streams.committed(&pending.request.stream, pending.request.last_version());
            committed.push(pending.request.committed(next));
            let answer = pending.appended(next);
            next = answer.last_position + 1;
            weight += pending.weight;
            // Whoever does not wait any more has its events all the same.
            let _ = pending.reply.send(Ok(answer));
        }
        self.recent.keep(committed);
        self.room.add_permits(weight);
        self.saw(last);
    }

    /// The log goes at least this far.
    fn saw(&mut self, position: u64) {
        self.seen.position = position;
        self.head.send_if_modified(|known| {
            let grown = position > *known;
            *known = position.max(*known);
            grown
        });
        self.notifier.grown();
    }

    /// After a commit: the back flight may commit now, if the head is where it was believed to be.
    async fn promote(&mut self, last: u64, alone: bool) {
        if !alone {
            self.optimism.disappointed();
        }
        match self.back.take() {
            Some(mut flight) if flight.span.is_some_and(|(before, _)| before == last) => {
                open(&mut flight.gate);
                self.front = Some(flight);
                self.put_back(std::iter::empty());
            }
            Some(flight) => {
                self.back = Some(flight);
                self.abandon_back().await;
            }
            None => self.put_back(std::iter::empty()),
        }
    }

    /// Gives up the back flight, which has not been allowed to commit, and puts its requests back.
    pub(super) async fn abandon_back(&mut self) {
        let Some(Flight { mut work, gate, .. }) = self.back.take() else {
            return self.put_back(std::iter::empty());
        };
        drop(gate);
        let (batch, landing) = work.landing().await;
        let lost = matches!(landing, Landing::Failed(Failure::Lost(_)) | Landing::Unknown);
        self.undo(&batch);
        self.put_back(batch.into_pending());
        self.failing |= lost;
    }

    fn undo(&mut self, batch: &Batch) {
        for Member { pending, .. } in &batch.members {
            self.streams.undone(&pending.request.stream);
        }
    }

    /// The front flight failed and nothing of it is stored.
    async fn fail(&mut self, batch: Batch, failure: Failure) {
        match failure {
            Failure::Refused => self.check_one_by_one(batch),
            Failure::Moved | Failure::OtherIncarnation => self.look_again(batch).await,
            Failure::Abandoned => {
                self.undo(&batch);
                self.put_back(batch.into_pending());
            }
            Failure::Lost(error) => {
                self.undo(&batch);
                self.put_back_after(batch.into_pending(), &error);
                self.lose_session();
            }
            Failure::Database(error) => {
                tracing::warn!(%error, requests = batch.members.len(), "a batch was not stored");
                self.undo(&batch);
                self.refuse(batch, &error);
            }
        }
    }

    /// The head is not where it was believed to be: where is it, and is it still the same log?
    async fn look_again(&mut self, batch: Batch) {
        self.undo(&batch);
        self.optimism.disappointed();
        let looked = match &self.session {
            Some(session) => session.look(self.incarnation).await,
            None => Err(StoreError::Closed),
        };
        match looked {
            Ok(seen) => {
                self.seen = seen;
                let late = StoreError::Timeout { waited_ms: self.options.commit_ms_max };
                self.put_back_after(batch.into_pending(), &late);
            }
            Err(error @ StoreError::Incarnation { .. }) => {
                self.refuse(batch, &error);
                self.lose_session();
            }
            Err(error) => {
                self.put_back_after(batch.into_pending(), &error);
                self.lose_session();
            }
        }
    }

    fn refuse(&mut self, batch: Batch, error: &StoreError) {
        for pending in batch.into_pending() {
            self.answer(pending, Err(AppendError::Unavailable(error.clone())));
        }
    }

    /// One call answers each request on its own, but a command must not occur twice in one call:
    /// the second one is answered after the first is stored.
    fn check_one_by_one(&mut self, batch: Batch) {
        let mut commands = HashSet::new();
        let mut part = Batch::default();
        for Member { pending, stream_no } in batch.members {
            // Still under way: it is only written in another shape.
            let Pending { request, .. } = &pending;
            self.streams.under_way(&request.stream, request.last_version());
            if !commands.insert(pending.request.command) {
                self.checked.push_back(std::mem::take(&mut part));
                commands.clear();
                commands.insert(pending.request.command);
            }
            part.push(pending, stream_no);
        }
        self.checked.push_back(part);
    }

    fn answer_each(&mut self, batch: Batch, answers: Vec<Answer>) {
        self.undo(&batch);
        let mut last = None;
        for (Member { mut pending, stream_no }, answer) in batch.members.into_iter().zip(answers) {
            let request = &pending.request;
            let stream = request.stream.clone();
            match answer {
                Answer::Stored { first } => {
                    self.streams.learn(stream, stream_no, request.last_version());
                    let appended = pending.appended(first);
                    last = Some(appended.last_position);
                    self.answer(pending, Ok(appended));
                }
                Answer::Repeated => {
                    pending.lineage.break_off();
                    self.repeat(pending);
                }
                Answer::Reused => {
                    let command = CommandId(request.command);
                    self.answer(pending, Err(AppendError::CommandReused { command }));
                }
                Answer::Conflict { actual } => {
                    self.streams.learn(stream.clone(), stream_no, actual);
                    let expected = request.expected;
                    self.answer(pending, Err(AppendError::Conflict { stream, expected, actual }));
                }
            }
        }
        if let Some(last) = last {
            self.saw(last);
        }
    }

    /// Gives a request its answer and the queue its room.
    pub(super) fn answer(&mut self, pending: Pending, answer: Result<Appended, AppendError>) {
        if answer.is_err() {
            pending.lineage.break_off();
        }
        self.room.add_permits(pending.weight);
        let _ = pending.reply.send(answer);
    }

    /// Answers as the first time: what the command left behind is read from the log.
    pub(super) fn repeat(&mut self, pending: Pending) {
        let (pool, cold, incarnation) = (self.pool.clone(), self.cold.clone(), self.incarnation);
        let command = CommandId(pending.request.command);
        self.repeats.spawn(async move {
            let Pending { request, lineage, reply, weight, .. } = pending;
            let answer = match find_command_in(&pool, &cold, incarnation, command).await {
                Ok(Some((_, mut first))) => {
                    // Its own events: this is the first answer, learned in a roundabout way.
                    first.repeated = first.event_ids != request.ids;
                    if first.repeated {
                        lineage.break_off();
                    }
                    Ok(first)
                }
                Ok(None) => Err(AppendError::Unknown { command }),
                Err(error) => Err(AppendError::Unavailable(error)),
            };
            let _ = reply.send(answer);
            weight
        });
    }

    /// Lets requests try again, but not for ever.
    pub(super) fn put_back_after(
        &mut self,
        requests: impl DoubleEndedIterator<Item = Pending>,
        error: &StoreError,
    ) {
        let mut again = Vec::new();
        for mut pending in requests {
            pending.attempts += 1;
            if pending.attempts < ATTEMPTS_MAX {
                again.push(pending);
            } else {
                self.answer(pending, Err(AppendError::Unavailable(error.clone())));
            }
        }
        self.put_back(again.into_iter());
    }
}
