//! A lane: commands that wait for one stream are decided together on the evolving state and
//! appended together, so that a hot stream is not bound to one command per commit.
//!
//! Does not know what the commands mean.

mod decide;
mod run;

pub(crate) use decide::would;

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use domain::aggregate::{self, Aggregate, Event};
use event_store::{
    CommandDigest, CommandId, EventStore, RecordError, StoreError, StoredEvent, StreamName,
};
use futures::future::BoxFuture;
use moka::sync::Cache;
use tokio::sync::oneshot;
use tracing::debug;

use crate::{
    error::CommandError,
    execute::{Commands, Handled},
    request::{Outcome, RequestContext},
};

/// How often a command is decided anew after others changed its stream.
pub const RETRIES_MAX: u32 = 3;
/// How many commands of one stream are decided together.
pub const LANE_COMMANDS_MAX: usize = 1_024;
/// How many events are read at a time when a stream is folded.
const FOLD_PAGE_EVENTS: usize = 1_000;

/// What a command comes to.
pub type Answer<A> = Result<Outcome, CommandError<<A as Aggregate>::Refusal>>;

/// A command that waits for its turn.
pub(crate) struct Waiting<A: Handled> {
    id: A::Id,
    command: A::Command,
    context: RequestContext,
    command_id: CommandId,
    digest: CommandDigest,
    attempts: u32,
    reply: oneshot::Sender<Answer<A>>,
}

impl<A: Handled> Waiting<A> {
    pub(crate) fn new(
        id: A::Id,
        command: A::Command,
        context: RequestContext,
        command_id: CommandId,
        digest: CommandDigest,
    ) -> (Waiting<A>, oneshot::Receiver<Answer<A>>) {
        let (reply, answer) = oneshot::channel();
        (Waiting { id, command, context, command_id, digest, attempts: 0, reply }, answer)
    }

    fn answer(self, answer: Answer<A>) {
        if self.reply.send(answer).is_err() {
            debug!("the caller left before the answer");
        }
    }
}

/// A state and the version it stands for.
#[derive(Clone)]
pub(crate) struct Folded<A> {
    pub(crate) state: Arc<A>,
    pub(crate) version: u64,
}

impl<A: Aggregate> Default for Folded<A> {
    fn default() -> Folded<A> {
        Folded { state: Arc::default(), version: 0 }
    }
}

/// The lanes of one kind of aggregate, and its folded states.
#[doc(hidden)]
pub struct Lanes<A: Handled> {
    states: Cache<StreamName, Folded<A>>,
    open: Mutex<HashMap<StreamName, VecDeque<Waiting<A>>>>,
}

impl<A: Handled> Lanes<A> {
    pub(crate) fn new(states_max: u64) -> Lanes<A> {
        Lanes { states: Cache::new(states_max), open: Mutex::default() }
    }

    /// Takes a place in the stream's lane; opens the lane when nobody waits there.
    pub(crate) fn join(&self, commands: &Commands, stream: StreamName, waiting: Waiting<A>) {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        match open.entry(stream) {
            Entry::Occupied(mut lane) => lane.get_mut().push_back(waiting),
            Entry::Vacant(lane) => {
                let stream = lane.key().clone();
                lane.insert(VecDeque::from([waiting]));
                tokio::spawn(run::run::<A>(commands.clone(), stream));
            }
        }
    }

    /// Those who wait, in order.
    fn next(&self, stream: &StreamName) -> Vec<Waiting<A>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(lane) = open.get_mut(stream) else { return Vec::new() };
        let count = lane.len().min(LANE_COMMANDS_MAX);
        lane.drain(..count).collect()
    }

    /// Closes the lane, unless somebody waits.
    fn close(&self, stream: &StreamName) -> bool {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let nobody_waits = open.get(stream).is_none_or(VecDeque::is_empty);
        if nobody_waits {
            open.remove(stream);
        }
        nobody_waits
    }

    /// The state in memory, which may be behind; the empty one when there is none.
    pub(crate) fn cached(&self, stream: &StreamName) -> Folded<A> {
        self.states.get(stream).unwrap_or_default()
    }

    /// The newest state of a stream: `from` and what came after it. Boxed, because it is seldom
    /// needed and would make every command's future a large one.
    pub(crate) fn refresh<'a>(
        &'a self,
        store: &'a EventStore,
        stream: &'a StreamName,
        from: Folded<A>,
    ) -> BoxFuture<'a, Result<Folded<A>, StoreError>> {
        Box::pin(async move {
            let Folded { state, mut version } = from;
            let mut state = Arc::unwrap_or_clone(state);
            loop {
                let page = store.read_stream(stream, version + 1, FOLD_PAGE_EVENTS).await?;
                for event in &page {
                    state.evolve(&read::<A::Event>(event)?);
                    version = event.version;
                }
                if page.len() < FOLD_PAGE_EVENTS {
                    break;
                }
            }
            let folded = Folded { state: Arc::new(state), version };
            if version > 0 {
                self.states.insert(stream.clone(), folded.clone());
            }
            Ok(folded)
        })
    }
}

/// Reads a stored event as the fact it is.
pub(crate) fn read<E: Event>(stored: &StoredEvent) -> Result<E, StoreError> {
    let unreadable = |reason| StoreError::Unreadable { position: stored.position, reason };
    let record = stored.parse().map_err(unreadable)?;
    aggregate::read(record.event_type, record.data.get())
        .map_err(|error| unreadable(RecordError::Malformed(error.to_string())))
}
