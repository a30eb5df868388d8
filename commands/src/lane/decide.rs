//! Decide: the commands that wait, one after the other on the evolving state.
//!
//! Does not know whether what is decided will be stored.

use std::sync::Arc;

use domain::aggregate::{Aggregate, Data, Event};
use event_store::{AppendRequest, CommandId, Metadata, NewEvent, RecordError, StreamName};
use serde_json::value::RawValue;

use super::{Folded, Waiting};
use crate::{
    error::CommandError,
    execute::{Commands, Handled},
    request::{Outcome, OutcomeEvent},
};

/// What deciding one command gave, before the log has spoken.
pub(super) enum Decided<R> {
    /// The next append request is this command's.
    Append(Vec<OutcomeEvent>),
    /// Nothing to append: a refusal, a dry run, or nothing left to do.
    Settled(Result<Outcome, CommandError<R>>),
}

/// Decides on the cached state; what would be settled without an append, whose constraints would
/// notice a stale state, is first made sure to rest on the newest.
pub(super) async fn decide_fresh<A: Handled>(
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
pub(super) type DecidedAll<A> =
    (Vec<Decided<<A as Aggregate>::Refusal>>, Vec<AppendRequest>, Folded<A>);

/// Decides the commands one after the other, each on the state the earlier ones leave behind.
pub(super) async fn decide_all<A: Handled>(
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
    let known = A::prepare(commands, &waiting.id, state, &waiting.command, &waiting.context)
        .await
        .map_err(CommandError::Unavailable)?;
    state.decide(&waiting.command, &known).map_err(CommandError::Refused)
}

/// What would have happened.
pub(crate) fn would<E: Event>(
    stream: StreamName,
    version: u64,
    facts: &[E],
    command_id: CommandId,
) -> Result<Outcome, RecordError> {
    let (_, events) = encode(facts, version)?;
    let version = version + events.len() as u64;
    let (repeated, dry_run) = (false, true);
    Ok(Outcome { stream, version, position: None, command_id, events, repeated, dry_run })
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
