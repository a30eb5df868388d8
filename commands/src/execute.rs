//! Execute: the one way in. Permission, repetition, then a place in the lane of the command's
//! stream.
//!
//! Does not know how a decision is made durable: that is the event store's.

use std::{future::Future, sync::Arc, time::Duration};

use domain::{
    aggregate::Aggregate,
    block::Block,
    chain::{Chain, SNAPSHOTS_MAX, Snapshot},
    configuration::{flag::Flag, setting::Setting},
    consensus::ConsensusHeight,
    identity::{principal::Principal, role::RoleDefinition},
    monitoring::{alert::Alert, rule::AlertRule, slo::Slo},
    network::{partition::Partitions, peer::Peer},
    parameters::Parameters,
    transaction::Account,
    validator::Validator,
    validator_set::ValidatorSet,
    values::{ChainId, Height, PrincipalId},
};
use event_store::{
    Appended, CommandDigest, CommandId, EventStore, Horizon, RecordError, StoreError, StreamName,
};

use moka::sync::Cache;
use uuid::Uuid;

use crate::{
    books::EPOCH_FRESH_MS_MAX,
    error::CommandError,
    lane::{Answer, Folded, Lanes, Waiting},
    ledger::Ledger,
    policy::Permission,
    request::{self, Outcome, RequestContext},
    sightings::{Sightings, Unsighted},
};

/// An aggregate whose commands this wing handles.
pub trait Handled: Aggregate {
    /// The one permission a command asks for.
    fn permission(command: &Self::Command) -> Permission;

    /// Whose own it is; none for what is nobody's own.
    fn owner(_: &Self::Id) -> Option<PrincipalId> {
        None
    }

    /// Looks up what the decision must know beyond the aggregate's own history.
    fn prepare(
        commands: &Commands,
        id: &Self::Id,
        state: &Self,
        command: &Self::Command,
        context: &RequestContext,
    ) -> impl Future<Output = Result<Self::Known, StoreError>> + Send;

    /// The lanes its streams are written through.
    #[doc(hidden)]
    fn lanes(rooms: &Rooms) -> &Lanes<Self>;
}

/// How long parameters are taken from memory, in milliseconds: a change is known two epochs before.
const PARAMETERS_FRESH_MS_MAX: u64 = 100;
/// How many chains' epochs and parameters are kept in memory.
const CACHED_CHAINS_MAX: u64 = 1_000;
/// How many blocks, and how many heights, are kept in memory: who agrees looks at the newest.
const CACHED_BLOCKS_MAX: u64 = 256;

/// The limits of the write wing, and what it hears from beside the log.
#[derive(Clone)]
pub struct CommandsOptions {
    /// How many folded states each kind of aggregate keeps in memory.
    pub cached_states_max: u64,
    /// Who says when a node was last heard of.
    pub sightings: Arc<dyn Sightings>,
    /// Whether what was true a moment ago is taken for true: a moment of a log that is read again
    /// may be years.
    pub remembers: bool,
}

impl Default for CommandsOptions {
    fn default() -> CommandsOptions {
        let sightings = Arc::new(Unsighted);
        CommandsOptions { cached_states_max: 20_000, sightings, remembers: true }
    }
}

/// The write wing of one process. Cheap to clone.
#[derive(Clone)]
pub struct Commands {
    pub(crate) store: EventStore,
    pub(crate) rooms: Arc<Rooms>,
}

/// What the clones share: a set of lanes for each kind of aggregate, and the write-side state.
#[doc(hidden)]
pub struct Rooms {
    pub(crate) accounts: Lanes<Account>,
    pub(crate) validators: Lanes<Validator>,
    pub(crate) validator_sets: Lanes<ValidatorSet>,
    pub(crate) chains: Lanes<Chain>,
    pub(crate) blocks: Lanes<Block>,
    pub(crate) heights: Lanes<ConsensusHeight>,
    pub(crate) principals: Lanes<Principal>,
    pub(crate) roles: Lanes<RoleDefinition>,
    pub(crate) flags: Lanes<Flag>,
    pub(crate) settings: Lanes<Setting>,
    pub(crate) alert_rules: Lanes<AlertRule>,
    pub(crate) alerts: Lanes<Alert>,
    pub(crate) slos: Lanes<Slo>,
    pub(crate) peers: Lanes<Peer>,
    pub(crate) partitions: Lanes<Partitions>,
    /// Who says when a node was last heard of.
    pub(crate) sightings: Arc<dyn Sightings>,
    pub(crate) ledger: Ledger,
    /// Snapshots of states that were made and are kept, so that events may name them.
    pub(crate) snapshots: Cache<(ChainId, Height), Snapshot>,
    /// The chains whose epoch was read from the log a moment ago.
    pub(crate) epochs_fresh: Cache<ChainId, ()>,
    /// The parameters that held a moment ago.
    pub(crate) parameters: Cache<ChainId, Parameters>,
    /// The chains of which the log said a moment ago that they have no genesis.
    pub(crate) without_genesis: Cache<ChainId, ()>,
}

impl Commands {
    /// The write wing over an open log.
    pub fn new(store: EventStore, options: CommandsOptions) -> Commands {
        let states = options.cached_states_max;
        let rooms = Rooms {
            accounts: Lanes::new(states),
            validators: Lanes::new(states),
            validator_sets: Lanes::new(states),
            chains: Lanes::new(states),
            blocks: Lanes::new(states.min(CACHED_BLOCKS_MAX)),
            heights: Lanes::new(states.min(CACHED_BLOCKS_MAX)),
            principals: Lanes::new(states),
            roles: Lanes::new(states),
            flags: Lanes::new(states),
            settings: Lanes::new(states),
            alert_rules: Lanes::new(states),
            alerts: Lanes::new(states),
            slos: Lanes::new(states),
            peers: Lanes::new(states),
            partitions: Lanes::new(states),
            sightings: options.sightings,
            ledger: Ledger::default(),
            snapshots: Cache::new(SNAPSHOTS_MAX as u64),
            epochs_fresh: fresh(options.remembers, EPOCH_FRESH_MS_MAX),
            without_genesis: fresh(options.remembers, EPOCH_FRESH_MS_MAX),
            parameters: fresh(options.remembers, PARAMETERS_FRESH_MS_MAX),
        };
        Commands { store, rooms: Arc::new(rooms) }
    }

    /// The write wing over the same log as it was when it ended here, for whoever asks what was:
    /// nothing is to be executed by it.
    pub fn as_of(&self, position: u64) -> Commands {
        let horizon = Horizon::default();
        horizon.set(position);
        Commands::of_the_past(&self.store, horizon)
    }

    /// The same up to a horizon that may be moved on.
    pub(crate) fn of_the_past(log: &EventStore, horizon: Horizon) -> Commands {
        let options = CommandsOptions { remembers: false, ..CommandsOptions::default() };
        Commands::new(log.as_of(horizon), options)
    }

    /// The log this wing writes to.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// Does one command: answers after its events are durable, or says why there are none.
    ///
    /// Dropping the future does not undo the command.
    pub async fn execute<A: Handled>(
        &self,
        id: A::Id,
        command: A::Command,
        context: RequestContext,
    ) -> Answer<A> {
        self.execute_all::<A>(vec![(id, command, context)])
            .await
            .pop()
            .expect("one item, one answer")
    }

    /// Does many commands, one answer each, in order. Those of one stream are decided in the order
    /// given; one that fails does not keep the others from being done.
    pub async fn execute_all<A: Handled>(
        &self,
        items: Vec<(A::Id, A::Command, RequestContext)>,
    ) -> Vec<Answer<A>> {
        let mut places = Vec::with_capacity(items.len());
        for (id, command, context) in items {
            places.push(self.place::<A>(id, command, context));
        }
        let mut answers = Vec::with_capacity(places.len());
        for place in places {
            answers.push(match place {
                Err(refused) => Err(refused),
                Ok(Place { key, reply }) => {
                    let answer = reply
                        .await
                        .unwrap_or_else(|_| Err(CommandError::Unavailable(StoreError::Closed)));
                    self.unless_repeated::<A>(key, answer).await
                }
            });
        }
        answers
    }

    /// The folded state and version of one aggregate; none when nothing ever happened to it.
    pub async fn aggregate<A: Handled>(&self, id: &A::Id) -> Result<Option<(A, u64)>, StoreError> {
        let folded = self.state::<A>(id).await?;
        Ok((folded.version > 0).then(|| ((*folded.state).clone(), folded.version)))
    }

    /// The newest state of an aggregate: what is in memory, brought up to date.
    pub(crate) async fn state<A: Handled>(&self, id: &A::Id) -> Result<Folded<A>, StoreError> {
        let stream = stream_of::<A>(id).map_err(unnameable)?;
        let lanes = A::lanes(&self.rooms);
        lanes.refresh(&self.store, &stream, lanes.cached(&stream)).await
    }

    /// The state in memory, which may be behind; the empty one when there is none.
    pub(crate) fn cached<A: Handled>(&self, id: &A::Id) -> Result<Folded<A>, StoreError> {
        Ok(A::lanes(&self.rooms).cached(&stream_of::<A>(id).map_err(unnameable)?))
    }

    /// Permission, then a place in the lane of the command's stream.
    fn place<A: Handled>(
        &self,
        id: A::Id,
        command: A::Command,
        context: RequestContext,
    ) -> Result<Place<A>, CommandError<A::Refusal>> {
        let permission = A::permission(&command);
        if !context.actor.may(permission) {
            return Err(CommandError::Forbidden { permission });
        }
        if A::owner(&id).is_some_and(|owner| context.actor.is_kept_from(&owner)) {
            return Err(CommandError::NotOwn { permission });
        }
        let stream = stream_of::<A>(&id).map_err(CommandError::Invalid)?;
        let command_id = context.command_id();
        let keyed = context.idempotency_key.is_some();
        let digest = match keyed {
            false => CommandDigest(Uuid::nil()),
            true => request::digest(&stream, &command).map_err(CommandError::Invalid)?,
        };
        let (waiting, reply) = Waiting::new(id, command, context, command_id, digest);
        A::lanes(&self.rooms).join(self, stream, waiting);
        Ok(Place { key: keyed.then_some((command_id, digest)), reply })
    }

    /// What is stored under a key is found when it is stored again. Where nothing was to be stored,
    /// the log is asked: a refusal may be the echo of the same command done before, whose answer
    /// counts.
    async fn unless_repeated<A: Handled>(
        &self,
        key: Option<(CommandId, CommandDigest)>,
        answer: Answer<A>,
    ) -> Answer<A> {
        let Some((id, digest)) = key else { return answer };
        let nothing_stored = match &answer {
            Ok(outcome) => outcome.position.is_none(),
            Err(CommandError::Refused(_) | CommandError::Stale { .. }) => true,
            Err(
                CommandError::Conflict { .. }
                | CommandError::KeyReused
                | CommandError::Forbidden { .. }
                | CommandError::NotOwn { .. }
                | CommandError::Invalid(_)
                | CommandError::Unavailable(_)
                | CommandError::Unknown { .. },
            ) => false,
        };
        if !nothing_stored {
            return answer;
        }
        match self.first_answer::<A>(id, digest).await? {
            Some(first) => Ok(first),
            None => answer,
        }
    }

    async fn first_answer<A: Handled>(
        &self,
        id: CommandId,
        digest: CommandDigest,
    ) -> Result<Option<Outcome>, CommandError<A::Refusal>> {
        match self.store.find_command(id).await.map_err(CommandError::Unavailable)? {
            None => Ok(None),
            Some((stored, _)) if !stored.admits(digest) => Err(CommandError::KeyReused),
            Some((_, appended)) => self.stored_outcome::<A>(id, appended).await.map(Some),
        }
    }

    /// The outcome of a command as the log remembers it.
    pub(crate) async fn stored_outcome<A: Handled>(
        &self,
        command_id: CommandId,
        appended: Appended,
    ) -> Result<Outcome, CommandError<A::Refusal>> {
        let count = appended.event_ids.len();
        let from = appended.last_version + 1 - count as u64;
        let stored = self
            .store
            .read_stream(&appended.stream, from, count)
            .await
            .map_err(CommandError::Unavailable)?;
        let mut events = Vec::with_capacity(count);
        for event in &stored {
            let record = event.parse().map_err(CommandError::Invalid)?;
            events.push(request::OutcomeEvent {
                id: Some(record.id),
                event_type: record.event_type.to_owned(),
                version: event.version,
                data: record.data.to_owned(),
            });
        }
        Ok(Outcome {
            stream: appended.stream,
            version: appended.last_version,
            position: Some(appended.last_position),
            command_id,
            events,
            repeated: true,
            dry_run: false,
        })
    }
}

/// What is known of chains for as long as the log need not be asked again.
fn fresh<T: Clone + Send + Sync + 'static>(remembers: bool, ms: u64) -> Cache<ChainId, T> {
    Cache::builder()
        .max_capacity(if remembers { CACHED_CHAINS_MAX } else { 0 })
        .time_to_live(Duration::from_millis(ms))
        .build()
}

/// Where a command waits for its answer, and what it is found under when it has a key.
struct Place<A: Handled> {
    key: Option<(CommandId, CommandDigest)>,
    reply: tokio::sync::oneshot::Receiver<Answer<A>>,
}

/// The stream of one aggregate.
pub(crate) fn stream_of<A: Aggregate>(id: &A::Id) -> Result<StreamName, RecordError> {
    StreamName::of(A::CATEGORY, id)
}

pub(crate) fn unnameable(reason: RecordError) -> StoreError {
    StoreError::Unreadable { position: 0, reason }
}
