//! Again: history decided once more, by the rules of this program.
//!
//! A log has facts and no commands: what was asked is what the facts say
//! ([`Aggregate::asked`]). It is decided on the state that was there, knowing what was known then:
//! the write wing over the log as it ended before each request, or before the last block that was
//! applied, for whoever decides about transactions may know the chain a moment later. Nothing is
//! appended, and who might ask is not asked again.

use std::{collections::VecDeque, str::FromStr, sync::Arc};

use domain::{
    aggregate::{self, Aggregate, Data, Refusal as _},
    block::Block,
    chain::Chain,
    configuration::{flag::Flag, setting::Setting},
    consensus::ConsensusHeight,
    identity::{principal::Principal, role::RoleDefinition},
    monitoring::{alert::Alert, rule::AlertRule, slo::Slo},
    network::{partition::Partitions, peer::Peer},
    transaction::Account,
    validator::Validator,
    validator_set::ValidatorSet,
    values::{Moment, PrincipalId},
};
use event_store::{EventStore, Filter, Horizon, Record, StoreError, StoredEvent};
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    execute::{Commands, Handled},
    lane,
    policy::PermissionSet,
    request::{Actor, RequestContext},
};

/// That a chain of our own went on by a block.
const APPLIED: &str = "block-applied.v1";
/// Events that are read at once.
const PAGE_EVENTS: usize = 1_000;

/// A fact, as its record has it.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Fact {
    /// Its type, such as `flag-created.v1`.
    #[serde(rename = "type")]
    pub event_type: String,
    /// Its data.
    pub data: Value,
}

/// What the rules of this program make of a request.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Decision {
    /// These facts follow.
    Facts(Vec<Fact>),
    /// It is refused.
    Refused {
        /// By which rule.
        code: &'static str,
        /// In a sentence.
        sentence: String,
    },
}

/// A request that would be decided otherwise now.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The position of its first event.
    pub position: u64,
    /// Its stream.
    pub stream: String,
    /// Its command's id.
    pub command: Uuid,
    /// What followed then.
    pub recorded: Vec<Fact>,
    /// What would follow now.
    pub decided: Decision,
}

/// What became of one request.
#[derive(Clone, Debug, PartialEq)]
pub enum Verdict {
    /// It is decided as it was.
    Same,
    /// It is not.
    Differs(Box<Difference>),
    /// Its facts do not say all that was asked: the type of the first one.
    Untold(String),
}

/// History from a position on, request by request.
pub struct Again {
    log: EventStore,
    then: Wing,
    /// The same before the last block was applied.
    behind: Wing,
    until: u64,
    /// What was read and not decided yet.
    events: VecDeque<StoredEvent>,
    /// Everything up to here was read.
    read: u64,
}

impl Again {
    /// Begins with the first request after a position, and ends with the last that begins before
    /// another.
    pub fn begin(log: EventStore, after: u64, until: u64) -> Again {
        let (then, behind) = (Wing::new(&log), Wing::new(&log));
        Again { log, then, behind, until, events: VecDeque::new(), read: after }
    }

    /// Decides the next request; its last position with what became of it, or none at the end.
    pub async fn next(&mut self) -> Result<Option<(u64, Verdict)>, StoreError> {
        let Some(request) = self.request().await? else { return Ok(None) };
        let last = request[request.len() - 1].position;
        let verdict = self.judge(&request).await?;
        for event in &request {
            if parsed(event)?.event_type == APPLIED {
                self.behind.horizon.set(event.position - 1);
            }
        }
        Ok(Some((last, verdict)))
    }

    /// The events of the next request: they are of one command and one stream, and stand together.
    async fn request(&mut self) -> Result<Option<Vec<StoredEvent>>, StoreError> {
        let mut request: Vec<StoredEvent> = Vec::new();
        loop {
            if self.events.is_empty() {
                let page = self.log.read_all(self.read, &Filter::all(), PAGE_EVENTS).await?;
                self.read = page.scanned_to;
                self.events.extend(page.events);
            }
            let Some(next) = self.events.front() else { break };
            let is_its = match request.first() {
                None if next.position > self.until => return Ok(None),
                None => true,
                Some(first) => {
                    next.stream == first.stream && parsed(next)?.command == parsed(first)?.command
                }
            };
            if !is_its {
                break;
            }
            request.extend(self.events.pop_front());
        }
        Ok((!request.is_empty()).then_some(request))
    }

    async fn judge(&self, request: &[StoredEvent]) -> Result<Verdict, StoreError> {
        match request[0].stream.category() {
            Account::CATEGORY => self.decide::<Account>(request).await,
            Alert::CATEGORY => self.decide::<Alert>(request).await,
            AlertRule::CATEGORY => self.decide::<AlertRule>(request).await,
            Block::CATEGORY => self.decide::<Block>(request).await,
            Chain::CATEGORY => self.decide::<Chain>(request).await,
            ConsensusHeight::CATEGORY => self.decide::<ConsensusHeight>(request).await,
            Flag::CATEGORY => self.decide::<Flag>(request).await,
            Partitions::CATEGORY => self.decide::<Partitions>(request).await,
            Peer::CATEGORY => self.decide::<Peer>(request).await,
            Principal::CATEGORY => self.decide::<Principal>(request).await,
            RoleDefinition::CATEGORY => self.decide::<RoleDefinition>(request).await,
            Setting::CATEGORY => self.decide::<Setting>(request).await,
            Slo::CATEGORY => self.decide::<Slo>(request).await,
            Validator::CATEGORY => self.decide::<Validator>(request).await,
            ValidatorSet::CATEGORY => self.decide::<ValidatorSet>(request).await,
            _ => Ok(Verdict::Untold(parsed(&request[0])?.event_type.to_owned())),
        }
    }

    async fn decide<A: Handled>(&self, request: &[StoredEvent]) -> Result<Verdict, StoreError>
    where
        A::Id: FromStr,
    {
        let first = &request[0];
        let record = parsed(first)?;
        let untold = || Verdict::Untold(record.event_type.to_owned());
        let Ok(id) = first.stream.id().parse::<A::Id>() else { return Ok(untold()) };
        self.then.horizon.set(first.position - 1);
        let facts = request.iter().map(lane::read).collect::<Result<Vec<A::Event>, _>>()?;
        let state = Box::pin(self.then.commands.state::<A>(&id)).await?.state;
        let Some(command) = state.asked(&facts) else { return Ok(untold()) };
        let actors = self.actors(&record.actor).await?;
        let mut decided = Vec::new();
        for wing in [&self.then, &self.behind] {
            for actor in &actors {
                wing.commands.standing_changed().await;
                let context = context(actor.clone(), &record);
                let known = A::prepare(&wing.commands, &id, &state, &command, &context);
                match state.decide(&command, &Box::pin(known).await?) {
                    Ok(now) if now == facts => return Ok(Verdict::Same),
                    now => decided.push(now),
                }
            }
        }
        // Of the one who most likely asked, knowing all there was.
        let decided = match decided.swap_remove(0) {
            Ok(facts) => Decision::Facts(facts.iter().map(told).collect()),
            Err(refusal) => {
                Decision::Refused { code: refusal.code(), sentence: refusal.to_string() }
            }
        };
        Ok(Verdict::Differs(Box::new(Difference {
            position: first.position,
            stream: first.stream.to_string(),
            command: record.command,
            recorded: facts.iter().map(told).collect(),
            decided,
        })))
    }

    /// Who asked: a principal, with what it might do then, or the program, perhaps on its behalf.
    async fn actors(&self, name: &str) -> Result<Vec<Actor>, StoreError> {
        let program =
            Actor { name: Arc::from(name), permissions: PermissionSet::all(), principal: None };
        let Ok(id) = name.parse::<PrincipalId>() else { return Ok(vec![program]) };
        self.then.commands.refresh_directory().await?;
        let permissions = self.then.commands.directory().permissions(&id);
        Ok(vec![Actor::principal(id, permissions), program])
    }
}

/// The write wing over a log as it was.
struct Wing {
    commands: Commands,
    horizon: Horizon,
}

impl Wing {
    fn new(log: &EventStore) -> Wing {
        let horizon = Horizon::default();
        Wing { commands: Commands::of_the_past(log, horizon.clone()), horizon }
    }
}

/// The request, as it was made then.
fn context(actor: Actor, record: &Record<'_>) -> RequestContext {
    RequestContext {
        actor,
        idempotency_key: None,
        causation: record.causation,
        correlation: record.correlation,
        reason: record.reason.as_deref().map(Arc::from),
        expected_version: None,
        dry_run: true,
        at: Moment::from(record.at),
    }
}

fn parsed(event: &StoredEvent) -> Result<Record<'_>, StoreError> {
    let unreadable = |reason| StoreError::Unreadable { position: event.position, reason };
    event.parse().map_err(unreadable)
}

fn told<E: aggregate::Event>(fact: &E) -> Fact {
    let data = serde_json::to_value(Data(fact)).unwrap_or_default();
    Fact { event_type: fact.name().to_owned(), data }
}
