//! A lane: commands that wait for one stream are decided together on the evolving state and
//! appended together, so that a hot stream is not bound to one command per commit.
//!
//! Does not know what the commands mean.

use std::{
    collections::{HashMap, VecDeque, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use domain::aggregate::{self, Aggregate, Data, Event};
use event_store::{
    AppendError, AppendRequest, Appended, CommandDigest, CommandId, EventStore, Metadata, NewEvent,
    RecordError, StoreError, StoredEvent, StreamName,
};
use moka::sync::Cache;
use serde_json::value::RawValue;
use tokio::sync::oneshot;
use tracing::debug;

use crate::{
    error::CommandError,
    execute::{Commands, Handled},
    request::{Outcome, OutcomeEvent, RequestContext},
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

/// What deciding one command gave, before the log has spoken.
enum Decided<R> {
    /// The next append request is this command's.
    Append(Vec<OutcomeEvent>),
    /// Nothing to append: a refusal, a dry run, or nothing left to do.
    Settled(Result<Outcome, CommandError<R>>),
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
                tokio::spawn(run::<A>(commands.clone(), stream));
            }
        }
    }

    /// Those who wait, in order; closes the lane when nobody does.
    fn next(&self, stream: &StreamName) -> Option<Vec<Waiting<A>>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let lane = open.get_mut(stream)?;
        if lane.is_empty() {
            open.remove(stream);
            return None;
        }
        let count = lane.len().min(LANE_COMMANDS_MAX);
        Some(lane.drain(..count).collect())
    }

    /// The state in memory, which may be behind; the empty one when there is none.
    pub(crate) fn cached(&self, stream: &StreamName) -> Folded<A> {
        self.states.get(stream).unwrap_or_default()
    }

    /// The newest state of a stream: `from` and what came after it.
    pub(crate) async fn refresh(
        &self,
        store: &EventStore,
        stream: &StreamName,
        from: Folded<A>,
    ) -> Result<Folded<A>, StoreError> {
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
    }
}

/// Reads a stored event as the fact it is.
pub(crate) fn read<E: Event>(stored: &StoredEvent) -> Result<E, StoreError> {
    let unreadable = |reason| StoreError::Unreadable { position: stored.position, reason };
    let record = stored.parse().map_err(unreadable)?;
    aggregate::read(record.event_type, record.data.get())
        .map_err(|error| unreadable(RecordError::Malformed(error.to_string())))
}

async fn run<A: Handled>(commands: Commands, stream: StreamName) {
    let lane = OpenLane { lanes: A::lanes(&commands.rooms), stream: &stream };
    while let Some(batch) = lane.lanes.next(&stream) {
        settle(&commands, &stream, batch).await;
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

/// Decides and appends until every command of the batch has its answer.
async fn settle<A: Handled>(commands: &Commands, stream: &StreamName, mut batch: Vec<Waiting<A>>) {
    let lanes = A::lanes(&commands.rooms);
    while !batch.is_empty() {
        let (decided, requests, after) = match decide_fresh(commands, stream, &batch).await {
            Ok(decided) => decided,
            Err(error) => return answer_all(batch, &error),
        };
        let appended = if requests.is_empty() {
            Vec::new()
        } else {
            commands.store.append_all(requests).await
        };
        if appended.iter().all(Result::is_ok) {
            if after.version > 0 {
                lanes.states.insert(stream.clone(), after);
            }
        } else {
            lanes.states.invalidate(stream);
        }
        batch = answer_each(commands, batch, decided, appended).await;
    }
}

/// Decides on the cached state; what would be settled without an append, whose constraints would
/// notice a stale state, is first made sure to rest on the newest.
async fn decide_fresh<A: Handled>(
    commands: &Commands,
    stream: &StreamName,
    batch: &[Waiting<A>],
) -> Result<DecidedAll<A>, CommandError<A::Refusal>> {
    let lanes = A::lanes(&commands.rooms);
    let Some(cached) = lanes.states.get(stream) else {
        let newest = lanes.refresh(&commands.store, stream, Folded::default()).await;
        let newest = newest.map_err(CommandError::Unavailable)?;
        return Ok(decide_all(commands, stream, newest, batch).await);
    };
    let all = decide_all(commands, stream, cached.clone(), batch).await;
    if all.0.iter().all(|decided| matches!(decided, Decided::Append(_))) {
        return Ok(all);
    }
    let version = cached.version;
    let newest = lanes.refresh(&commands.store, stream, cached).await;
    let newest = newest.map_err(CommandError::Unavailable)?;
    if newest.version == version {
        return Ok(all);
    }
    Ok(decide_all(commands, stream, newest, batch).await)
}

/// What became of each command, what is to be appended, and the state when all of it is.
type DecidedAll<A> = (Vec<Decided<<A as Aggregate>::Refusal>>, Vec<AppendRequest>, Folded<A>);

/// Decides the commands one after the other, each on the state the earlier ones leave behind.
async fn decide_all<A: Handled>(
    commands: &Commands,
    stream: &StreamName,
    folded: Folded<A>,
    batch: &[Waiting<A>],
) -> DecidedAll<A> {
    let mut state = Arc::unwrap_or_clone(folded.state);
    let mut version = folded.version;
    let mut decided = Vec::with_capacity(batch.len());
    let mut requests = Vec::with_capacity(batch.len());
    for waiting in batch {
        let facts = match decide(commands, waiting, &state, version).await {
            Ok(facts) => facts,
            Err(error) => {
                decided.push(Decided::Settled(Err(error)));
                continue;
            }
        };
        let (new, events) = match encode(&facts, version) {
            Ok(encoded) => encoded,
            Err(error) => {
                decided.push(Decided::Settled(Err(CommandError::Invalid(error))));
                continue;
            }
        };
        if new.is_empty() || waiting.context.dry_run {
            decided.push(Decided::Settled(Ok(Outcome {
                stream: stream.clone(),
                version: version + events.len() as u64,
                position: None,
                command_id: waiting.command_id,
                events,
                repeated: false,
                dry_run: waiting.context.dry_run,
            })));
            continue;
        }
        for fact in &facts {
            state.evolve(fact);
        }
        requests.push(append_request(stream, waiting, version, new));
        version += facts.len() as u64;
        decided.push(Decided::Append(events));
    }
    (decided, requests, Folded { state: Arc::new(state), version })
}

async fn decide<A: Handled>(
    commands: &Commands,
    waiting: &Waiting<A>,
    state: &A,
    version: u64,
) -> Result<Vec<A::Event>, CommandError<A::Refusal>> {
    if let Some(expected) = waiting.context.expected_version
        && expected != version
    {
        return Err(CommandError::Stale { expected, current: version });
    }
    let known = A::prepare(commands, &waiting.id, state, &waiting.command, waiting.context.at)
        .await
        .map_err(CommandError::Unavailable)?;
    state.decide(&waiting.command, &known).map_err(CommandError::Refused)
}

type Encoded = (Vec<NewEvent>, Vec<OutcomeEvent>);

fn encode<E: Event>(facts: &[E], version: u64) -> Result<Encoded, RecordError> {
    let mut new = Vec::with_capacity(facts.len());
    let mut events = Vec::with_capacity(facts.len());
    for (fact, version) in facts.iter().zip(version + 1..) {
        let event = NewEvent::new(fact.name(), &Data(fact))?;
        events.push(OutcomeEvent {
            id: None,
            event_type: fact.name().to_owned(),
            version,
            data: raw(event.data()),
        });
        new.push(event);
    }
    Ok((new, events))
}

fn raw(canonical: &str) -> Box<RawValue> {
    RawValue::from_string(canonical.to_owned()).expect("canonical data is JSON")
}

fn append_request<A: Handled>(
    stream: &StreamName,
    waiting: &Waiting<A>,
    expected_version: u64,
    events: Vec<NewEvent>,
) -> AppendRequest {
    let context = &waiting.context;
    AppendRequest {
        command: waiting.command_id,
        digest: waiting.digest,
        stream: stream.clone(),
        expected_version,
        events,
        metadata: Metadata {
            actor: Arc::clone(&context.actor.name),
            causation: context.causation,
            correlation: context.correlation,
            reason: context.reason.clone(),
            at: context.at.into(),
        },
    }
}

/// Answers in order, and returns those to be decided anew: everything decided on facts that were
/// not stored after all.
async fn answer_each<A: Handled>(
    commands: &Commands,
    batch: Vec<Waiting<A>>,
    decided: Vec<Decided<A::Refusal>>,
    appended: Vec<Result<Appended, AppendError>>,
) -> Vec<Waiting<A>> {
    let mut appended = appended.into_iter();
    let mut again = Vec::new();
    let mut broken = false;
    for (mut waiting, decided) in batch.into_iter().zip(decided) {
        let result = match decided {
            Decided::Settled(answer) if broken => {
                drop(answer);
                again.push(waiting);
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
                broken = true;
                let command_id = waiting.command_id;
                let answer = commands.stored_outcome::<A>(command_id, done).await;
                waiting.answer(answer);
            }
            Ok(done) => {
                let command_id = waiting.command_id;
                waiting.answer(Ok(outcome(command_id, events, done)));
            }
            Err(AppendError::Conflict { .. }) => {
                // Only the first to fail met a stranger; those behind it stood on its shoulders.
                if !broken {
                    waiting.attempts += 1;
                }
                broken = true;
                if waiting.attempts > RETRIES_MAX {
                    let attempts = waiting.attempts;
                    waiting.answer(Err(CommandError::Conflict { attempts }));
                } else {
                    again.push(waiting);
                }
            }
            Err(error) => {
                broken = true;
                waiting.answer(Err(CommandError::from_append(error)));
            }
        }
    }
    again
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
