//! Run: the flights of one lane, from the first command that waits to the last answer.
//!
//! Does not know how commands are decided, nor how events are stored. While one flight is being
//! written, the next is decided on what the first will leave behind; both are of one lineage, so
//! that the second comes to nothing when the first does.

use std::{collections::VecDeque, pin::Pin, sync::PoisonError};

use event_store::{AppendError, Appended, CommandId, Lineage, StoreError, StreamName};
use futures::{
    future::{BoxFuture, MaybeDone, maybe_done},
    poll,
};

use super::{
    Folded, Lanes, RETRIES_MAX, Waiting,
    decide::{Decided, DecidedAll, decide_all, decide_fresh},
};
use crate::{
    error::CommandError,
    execute::{Commands, Handled},
    request::{Outcome, OutcomeEvent},
};

/// How many flights of one lane may be under way.
pub const LANE_FLIGHTS_MAX: usize = 2;

/// Answers everybody in the lane, then closes it.
pub(super) async fn run<A: Handled>(commands: Commands, stream: StreamName) {
    let _lane = OpenLane { lanes: A::lanes(&commands.rooms), stream: &stream };
    let mut run = Run::<A> {
        commands: &commands,
        stream: &stream,
        flights: VecDeque::new(),
        lineage: Lineage::default(),
        broken: false,
        again: Vec::new(),
    };
    loop {
        while let Some(batch) = run.next_batch() {
            run.depart(batch).await;
        }
        match run.flights.pop_front() {
            Some(flight) => run.land(flight).await,
            None if run.lanes().close(&stream) => return,
            None => {}
        }
    }
}

/// Closes the lane even when a decision panics: those who wait are told, those who come open it
/// anew.
struct OpenLane<'a, A: Handled> {
    lanes: &'a Lanes<A>,
    stream: &'a StreamName,
}

impl<A: Handled> Drop for OpenLane<'_, A> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.lanes.states.invalidate(self.stream);
            let mut open = self.lanes.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.remove(self.stream);
        }
    }
}

/// Commands that are decided, and what is being appended for them.
struct Flight<A: Handled> {
    batch: Vec<Waiting<A>>,
    decided: Vec<Decided<A::Refusal>>,
    appended: Appending,
    /// The state when all of it is stored.
    after: Folded<A>,
}

type Appending = Pin<Box<MaybeDone<BoxFuture<'static, Vec<Result<Appended, AppendError>>>>>>;

struct Run<'a, A: Handled> {
    commands: &'a Commands,
    stream: &'a StreamName,
    /// In the order in which they were decided.
    flights: VecDeque<Flight<A>>,
    /// What the flights rest on. When it breaks, nothing departs until all of them have landed.
    lineage: Lineage,
    /// A flight has landed that was not stored as it was decided: those behind it mean nothing.
    broken: bool,
    /// To be decided anew, once all flights have landed.
    again: Vec<Waiting<A>>,
}

impl<A: Handled> Run<'_, A> {
    fn lanes(&self) -> &Lanes<A> {
        A::lanes(&self.commands.rooms)
    }

    /// Who departs now; nobody while there are flights enough, or one that must be awaited.
    fn next_batch(&mut self) -> Option<Vec<Waiting<A>>> {
        if self.flights.is_empty() {
            if self.lineage.is_broken() {
                self.lineage = Lineage::default();
            }
            self.broken = false;
        } else if self.flights.len() >= LANE_FLIGHTS_MAX
            || self.lineage.is_broken()
            || !self.again.is_empty()
        {
            return None;
        }
        let batch = match std::mem::take(&mut self.again) {
            none if none.is_empty() => self.lanes().next(self.stream),
            again => again,
        };
        (!batch.is_empty()).then_some(batch)
    }

    /// Decides a batch and hands over what it gave.
    async fn depart(&mut self, batch: Vec<Waiting<A>>) {
        let decided = match self.flights.back().map(|flight| flight.after.clone()) {
            Some(ahead) => Ok(decide_all(self.commands, self.stream, ahead, &batch).await),
            None => decide_fresh(self.commands, self.stream, &batch).await,
        };
        let (decided, requests, after): DecidedAll<A> = match decided {
            Ok(decided) => decided,
            Err(error) => return answer_all(batch, &error),
        };
        if requests.is_empty() && !self.flights.is_empty() {
            // With no append to notice a stale state, they must be decided on the newest.
            self.again = batch;
            return;
        }
        let (store, lineage) = (self.commands.store.clone(), self.lineage.clone());
        let appended: BoxFuture<'static, _> = match requests.is_empty() {
            true => Box::pin(async { Vec::new() }),
            false => Box::pin(async move { store.append_lineage(&lineage, requests).await }),
        };
        let mut appended = Box::pin(maybe_done(appended));
        // Handed over now; awaited when its turn comes.
        let _ = poll!(&mut appended);
        self.flights.push_back(Flight { batch, decided, appended, after });
    }

    /// Waits for the log's word and passes it on.
    async fn land(&mut self, flight: Flight<A>) {
        let Flight { batch, decided, mut appended, after } = flight;
        appended.as_mut().await;
        let appended = appended.as_mut().take_output().unwrap_or_default();
        let as_decided =
            |answer: &Result<_, _>| matches!(answer, Ok(Appended { repeated: false, .. }));
        if appended.iter().all(as_decided) && !self.broken {
            if after.version > 0 {
                self.lanes().states.insert(self.stream.clone(), after);
            }
        } else {
            self.lanes().states.invalidate(self.stream);
        }
        self.answer_each(batch, decided, appended).await;
    }

    /// Answers in order, and keeps those to be decided anew: everything decided on facts that were
    /// not stored after all.
    async fn answer_each(
        &mut self,
        batch: Vec<Waiting<A>>,
        decided: Vec<Decided<A::Refusal>>,
        appended: Vec<Result<Appended, AppendError>>,
    ) {
        let mut appended = appended.into_iter();
        for (mut waiting, decided) in batch.into_iter().zip(decided) {
            let result = match decided {
                Decided::Settled(answer) if self.broken => {
                    drop(answer);
                    self.again.push(waiting);
                    continue;
                }
                Decided::Settled(answer) => {
                    waiting.answer(answer);
                    continue;
                }
                Decided::Append(events) => appended.next().map(|result| (events, result)),
            };
            let Some((events, result)) = result else {
                waiting.answer(Err(CommandError::Unavailable(StoreError::Closed)));
                continue;
            };
            match result {
                Ok(done) if done.repeated => {
                    self.broken = true;
                    let command_id = waiting.command_id;
                    let answer = self.commands.stored_outcome::<A>(command_id, done).await;
                    waiting.answer(answer);
                }
                Ok(done) => {
                    let command_id = waiting.command_id;
                    waiting.answer(Ok(outcome(command_id, events, done)));
                }
                Err(AppendError::Conflict { .. }) => {
                    // Only the first to fail met a stranger; those behind it stood on it.
                    if !self.broken {
                        waiting.attempts += 1;
                    }
                    self.broken = true;
                    if waiting.attempts > RETRIES_MAX {
                        let attempts = waiting.attempts;
                        waiting.answer(Err(CommandError::Conflict { attempts }));
                    } else {
                        self.again.push(waiting);
                    }
                }
                Err(error) => {
                    self.broken = true;
                    waiting.answer(Err(CommandError::from_append(error)));
                }
            }
        }
    }
}

fn outcome(command_id: CommandId, mut events: Vec<OutcomeEvent>, done: Appended) -> Outcome {
    for (event, id) in events.iter_mut().zip(&done.event_ids) {
        event.id = Some(*id);
    }
    Outcome {
        stream: done.stream,
        version: done.last_version,
        position: Some(done.last_position),
        command_id,
        events,
        repeated: false,
        dry_run: false,
    }
}

fn answer_all<A: Handled>(batch: Vec<Waiting<A>>, error: &CommandError<A::Refusal>) {
    for waiting in batch {
        waiting.answer(Err(error.clone()));
    }
}
