//! Reactions: processes that outlive a request. Each follows the log from its own checkpoint, and
//! does what must come of each event it follows.
//!
//! Does not know what a process does. It does know how one lives: its checkpoint moves only when
//! the effect is durable; every step is a command whose id is derived from the event and the
//! process, so that a step that was done before a crash comes to nothing after it; what passes by
//! itself is waited for; and when there is no going on, the process is parked with the reason. A
//! parked process tries again when it is resumed, and when it is started again.

mod epochs;
mod eviction;
mod finality;
mod parameters;
mod penalty;
mod pruning;
mod registration;
mod rollout;
mod stake;

use std::time::Duration;

use domain::aggregate;
use event_store::{EventStore, Filter, RecordError, StoreError, StoredEvent};
use futures::StreamExt as _;
use tokio::{task::JoinHandle, time::Instant};
use tracing::{error, info, warn};
use uuid::Uuid;

use crate::{
    error::CommandError,
    execute::Commands,
    ledger::Unexecuted,
    policy::Role,
    request::{Actor, Outcome, RequestContext},
};

/// How long a process waits before it tries again, in milliseconds.
const RETRY_MS: u64 = 100;
/// How often a parked process looks whether it was resumed, in milliseconds.
const RESUME_MS: u64 = 500;
/// How often an event is tried before its refusal is taken for the last word: another process of
/// the same name may be in the midst of it.
const TRIES_MAX: u32 = 3;
/// How long a checkpoint is behind at most while nothing is followed, in milliseconds.
const CHECKPOINT_MS_MAX: u64 = 1_000;

/// A process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Process {
    /// From an agreed block to the next height.
    BlockFinality,
    /// From an approved proposal to a setting that stays in force, or does not.
    ConfigurationRollout,
    /// From an epoch's last block to what its end asks for.
    EpochClose,
    /// From a block to what waits no longer because of it.
    Eviction,
    /// From stake that was burned to the validator's own record.
    Penalty,
    /// From parameters that are set to parameters that are scheduled.
    ProtocolParameters,
    /// From a validator that was asked for to one that may be chosen, or to none.
    Registration,
    /// From a state that is no longer wanted to the space it took.
    StatePruning,
}

impl Process {
    /// Every process.
    pub const ALL: &'static [Process] = &[
        Process::BlockFinality,
        Process::ConfigurationRollout,
        Process::EpochClose,
        Process::Eviction,
        Process::Penalty,
        Process::ProtocolParameters,
        Process::Registration,
        Process::StatePruning,
    ];

    /// Its name: that of its checkpoint, and part of the ids of its commands.
    pub const fn name(self) -> &'static str {
        match self {
            Process::BlockFinality => "block-finality",
            Process::ConfigurationRollout => "configuration-rollout",
            Process::EpochClose => "epoch-close",
            Process::Eviction => "eviction",
            Process::ProtocolParameters => "protocol-parameters",
            Process::Penalty => "penalty",
            Process::Registration => "validator-registration",
            Process::StatePruning => "state-pruning",
        }
    }

    /// The process of a name.
    pub fn named(name: &str) -> Option<Process> {
        Process::ALL.iter().copied().find(|process| process.name() == name)
    }

    /// What it is for, as a sentence.
    pub const fn purpose(self) -> &'static str {
        match self {
            Process::BlockFinality => {
                "From an agreed block to the next height: finalize, execute, apply, choose the next \
                 set, close the books"
            }
            Process::ConfigurationRollout => {
                "Put an approved setting in force, and roll it back when an objective becomes urgent \
                 while it is watched"
            }
            Process::EpochClose => {
                "At an epoch's end: record duties, punish downtime, release what has matured, \
                 complete exits"
            }
            Process::Eviction => {
                "After a block: evict what expired, what was superseded, and what there is no room for"
            }
            Process::ProtocolParameters => {
                "Schedule the protocol parameters that the setting says, two epochs ahead"
            }
            Process::Penalty => "Punish whoever a block burned the stake of",
            Process::Registration => {
                "Carry out a registration that was asked for: set the bond aside, register, \
                 activate; or undo it"
            }
            Process::StatePruning => "Give back the space of states that were dropped",
        }
    }

    /// The types of the events it follows.
    pub fn follows(self) -> &'static [&'static str] {
        match self {
            Process::BlockFinality => finality::FOLLOWED,
            Process::ConfigurationRollout => rollout::FOLLOWED,
            Process::EpochClose => epochs::FOLLOWED,
            Process::Eviction => eviction::FOLLOWED,
            Process::ProtocolParameters => parameters::FOLLOWED,
            Process::Penalty => penalty::FOLLOWED,
            Process::Registration => registration::FOLLOWED,
            Process::StatePruning => pruning::FOLLOWED,
        }
    }

    async fn react(self, commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
        match self {
            Process::BlockFinality => Box::pin(finality::react(commands, cause)).await,
            Process::ConfigurationRollout => Box::pin(rollout::react(commands, cause)).await,
            Process::EpochClose => Box::pin(epochs::react(commands, cause)).await,
            Process::Eviction => Box::pin(eviction::react(commands, cause)).await,
            Process::ProtocolParameters => Box::pin(parameters::react(commands, cause)).await,
            Process::Penalty => Box::pin(penalty::react(commands, cause)).await,
            Process::Registration => Box::pin(registration::react(commands, cause)).await,
            Process::StatePruning => pruning::react(commands, cause).await,
        }
    }
}

/// An event that something must come of.
struct Cause<'e> {
    process: Process,
    stored: &'e StoredEvent,
    event_type: String,
    id: Uuid,
    correlation: Uuid,
}

impl Cause<'_> {
    fn of(process: Process, stored: &StoredEvent) -> Result<Cause<'_>, RecordError> {
        let record = stored.parse()?;
        let (id, correlation) = (record.id, record.correlation);
        let event_type = record.event_type.to_owned();
        Ok(Cause { process, stored, event_type, id, correlation })
    }

    /// The event itself.
    fn read<E: aggregate::Event>(&self) -> Result<E, Stuck> {
        crate::lane::read(self.stored).map_err(Stuck::from)
    }

    /// The request of one step, with an id that is the same whenever it is made.
    fn request(&self, step: &str) -> RequestContext {
        let actor = Actor::new(&format!("process:{}", self.process.name()), Role::Admin);
        let mut request =
            RequestContext::new(actor).with_key(&format!("{}:{step}", self.id.hyphenated()));
        request.causation = Some(self.id);
        request.correlation = self.correlation;
        request
    }
}

/// Why a process did not come to the end of an event.
#[derive(Clone, Debug, thiserror::Error)]
enum Stuck {
    /// It passes by itself.
    #[error("{0}")]
    Passing(String),
    /// It was refused, unless others are at it right now.
    #[error("{0}")]
    Refused(String),
    /// There is no going on.
    #[error("{0}")]
    Ended(String),
}

impl From<StoreError> for Stuck {
    fn from(error: StoreError) -> Stuck {
        if error.is_unavailable() {
            Stuck::Passing(error.to_string())
        } else {
            Stuck::Refused(error.to_string())
        }
    }
}

impl<R: std::fmt::Display> From<CommandError<R>> for Stuck {
    fn from(error: CommandError<R>) -> Stuck {
        match error {
            CommandError::Unavailable(error) => Stuck::from(error),
            CommandError::Conflict { .. } | CommandError::Unknown { .. } => {
                Stuck::Passing(error.to_string())
            }
            CommandError::Refused(_)
            | CommandError::Stale { .. }
            | CommandError::KeyReused
            | CommandError::Forbidden { .. }
            | CommandError::NotOwn { .. }
            | CommandError::Invalid(_) => Stuck::Refused(error.to_string()),
        }
    }
}

impl From<Unexecuted> for Stuck {
    fn from(reason: Unexecuted) -> Stuck {
        match reason {
            Unexecuted::Unavailable(error) => Stuck::from(error),
            Unexecuted::NotBegun
            | Unexecuted::NotRecorded(_)
            | Unexecuted::NotFinal(_)
            | Unexecuted::NotNext { .. }
            | Unexecuted::BodyMissing(_)
            | Unexecuted::BodyUnreadable(_)
            | Unexecuted::TransactionMissing(_)
            | Unexecuted::Faulty(_)
            | Unexecuted::Panicked
            | Unexecuted::NotKept(_) => Stuck::Refused(reason.to_string()),
        }
    }
}

/// Whether a step was done. A refusal by the domain is an answer: there was nothing to do.
fn unless_refused<R: std::fmt::Display>(
    done: Result<Outcome, CommandError<R>>,
) -> Result<bool, Stuck> {
    match done {
        Ok(_) => Ok(true),
        Err(CommandError::Refused(_)) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

/// The processes of one server. They end with it: what was begun is taken up by the next.
#[derive(Debug)]
pub struct Reactions {
    tasks: Vec<JoinHandle<()>>,
}

impl Reactions {
    /// Starts these processes.
    pub fn start(commands: &Commands, processes: &[Process]) -> Reactions {
        let start = |process: &Process| tokio::spawn(run(commands.clone(), *process));
        Reactions { tasks: processes.iter().map(start).collect() }
    }

    /// Ends them where they stand.
    pub async fn stop(mut self) {
        for task in std::mem::take(&mut self.tasks) {
            task.abort();
            // Ended, by us or by itself: either way it is over.
            let _ = task.await;
        }
    }
}

impl Drop for Reactions {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// How following came to an end.
enum Ended {
    /// By an event that cannot be dealt with.
    Parked { position: u64, because: String },
    /// By the log.
    Lost(StoreError),
}

/// One process, until it is dropped; it may be dropped at any moment.
pub async fn run(commands: Commands, process: Process) {
    let name = process.name();
    loop {
        match follow(&commands, process).await {
            Ended::Parked { position, because } => {
                error!(critical = true, process = name, position, %because, "parked");
                park(commands.store(), name, position, &because).await;
                resumed(commands.store(), name).await;
                info!(process = name, position, "resumed");
            }
            Ended::Lost(reason) if reason.is_unavailable() => {
                warn!(process = name, %reason, "waits for the log");
                tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
            }
            Ended::Lost(reason) => {
                error!(critical = true, process = name, %reason, "cannot follow the log");
                return;
            }
        }
    }
}

/// Waits until somebody resumes a parked process, here or elsewhere.
async fn resumed(store: &EventStore, name: &str) {
    loop {
        tokio::time::sleep(Duration::from_millis(RESUME_MS)).await;
        if store.checkpoint(name).await.is_ok_and(|checkpoint| checkpoint.parked.is_none()) {
            return;
        }
    }
}

async fn park(store: &EventStore, name: &str, position: u64, because: &str) {
    while let Err(reason) = store.park(name, position, because).await {
        if !reason.is_unavailable() {
            error!(process = name, %reason, "that it is parked cannot be recorded");
            return;
        }
        tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
    }
}

/// Follows the log from the checkpoint on.
async fn follow(commands: &Commands, process: Process) -> Ended {
    let (store, name) = (commands.store(), process.name());
    let from = match store.checkpoint(name).await {
        Ok(checkpoint) => checkpoint.position,
        Err(error) => return Ended::Lost(error),
    };
    info!(process = name, from, "follows the log");
    let event_types = process.follows().iter().map(ToString::to_string).collect();
    let filter = Filter { event_types, ..Filter::default() };
    let mut pages = Box::pin(store.follow(from, filter));
    let mut saved_at = Instant::now();
    while let Some(page) = pages.next().await {
        let page = match page {
            Ok(page) => page,
            Err(error) => return Ended::Lost(error),
        };
        for stored in &page.events {
            if let Err(because) = deal_with(commands, process, stored).await {
                return Ended::Parked { position: stored.position, because };
            }
            if let Err(error) = store.save_checkpoint(name, stored.position).await {
                return Ended::Lost(error);
            }
        }
        // Others' events move it now and then, so that a start need not scan them again.
        if saved_at.elapsed() >= Duration::from_millis(CHECKPOINT_MS_MAX) {
            if let Err(error) = store.save_checkpoint(name, page.scanned_to).await {
                return Ended::Lost(error);
            }
            saved_at = Instant::now();
        }
    }
    Ended::Lost(StoreError::Closed)
}

/// Does all that must come of one event; the sentence says why it cannot be done.
async fn deal_with(
    commands: &Commands,
    process: Process,
    stored: &StoredEvent,
) -> Result<(), String> {
    let cause = Cause::of(process, stored).map_err(|error| error.to_string())?;
    let mut tries = 0;
    loop {
        match process.react(commands, &cause).await {
            Ok(()) => return Ok(()),
            Err(Stuck::Passing(reason)) => {
                warn!(process = process.name(), position = stored.position, reason, "waits");
            }
            Err(Stuck::Refused(_)) if tries + 1 < TRIES_MAX => tries += 1,
            Err(Stuck::Refused(because) | Stuck::Ended(because)) => return Err(because),
        }
        tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
    }
}
