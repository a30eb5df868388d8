//! What can be asked of a chain.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Chain, Event};
use crate::{
    light::{LightBlock, SignedHeader, ValidatorSet},
    values::{Hash, Height, Reason},
};

/// How many heights an epoch of an observed chain has, unless said otherwise.
pub const EPOCH_HEADERS_DEFAULT: u32 = 1_000;
/// The most heights an epoch of an observed chain may have.
pub const EPOCH_HEADERS_LIMIT: u32 = 10_000;
/// For how many seconds a header can be relied on, unless said otherwise: two weeks.
pub const TRUSTING_PERIOD_S_DEFAULT: u32 = 1_209_600;

fn epoch_headers_default() -> u32 {
    EPOCH_HEADERS_DEFAULT
}

fn trusting_period_s_default() -> u32 {
    TRUSTING_PERIOD_S_DEFAULT
}

/// A command to a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChainCommand))]
pub enum Command {
    /// Begins our own chain from a genesis document.
    InitialiseGenesis {
        /// The document's exact text: its hash is the chain's genesis hash.
        document: String,
    },
    /// Begins to observe a foreign chain from a header that is trusted without proof.
    StartObservation {
        /// The trusted header, with the set that signed it.
        anchor: LightBlock,
        /// How many heights go into one stream.
        #[serde(default = "epoch_headers_default")]
        epoch_headers: u32,
        /// For how many seconds after its time a header can be relied on: shorter than the chain's
        /// unbonding period, but for an archive as long as the archive is old.
        #[serde(default = "trusting_period_s_default")]
        trusting_period_s: u32,
    },
    /// Verifies and records a header.
    ObserveHeader {
        /// The set that signs the next header.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_validator_set: Option<ValidatorSet>,
        /// The header and its commit.
        signed_header: SignedHeader,
        /// The set that signed this header; may be left out when it is the one that was announced.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validator_set: Option<ValidatorSet>,
    },
    /// Closes an epoch's books.
    CloseEpoch {
        /// When headers are skipped: the height, beyond this epoch, that is recorded next.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next_height: Option<Height>,
    },
    /// Opens an epoch with what the closed one before it carries over.
    OpenEpoch {},
    /// Reports two different headers for one height, one of them recorded.
    ReportFork {
        /// One of them, with the set that signed it.
        first: LightBlock,
        /// The other, with the set that signed it.
        second: LightBlock,
    },
    /// Says which of two headers is the chain's.
    ResolveFork {
        /// The height of the fork.
        height: Height,
        /// The hash of the header that is the chain's.
        keep: Hash,
        /// Why.
        reason: Reason,
    },
    /// Applies a final block to our own chain.
    ApplyBlock {
        /// The block's hash.
        block: Hash,
        /// Its height.
        height: Height,
        /// The root of its receipts, as whoever asks computed it.
        receipts_root: Hash,
        /// The root of the state after it, as whoever asks computed it.
        state_root: Hash,
    },
    /// Records a snapshot of our own chain's state.
    CreateSnapshot {
        /// The height after which the state is taken.
        height: Height,
    },
    /// Schedules what the setting `protocol.parameters` says, for the epoch after the next one.
    ScheduleParameters {},
    /// Drops the states of lower heights, and their snapshots.
    PruneBefore {
        /// The lowest height whose state is still needed.
        height: Height,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &[
        "initialise-genesis",
        "start-observation",
        "observe-header",
        "close-epoch",
        "open-epoch",
        "report-fork",
        "resolve-fork",
        "apply-block",
        "create-snapshot",
        "schedule-parameters",
        "prune-before",
    ];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::InitialiseGenesis { .. } => "initialise-genesis",
            Command::StartObservation { .. } => "start-observation",
            Command::ObserveHeader { .. } => "observe-header",
            Command::CloseEpoch { .. } => "close-epoch",
            Command::OpenEpoch {} => "open-epoch",
            Command::ReportFork { .. } => "report-fork",
            Command::ResolveFork { .. } => "resolve-fork",
            Command::ApplyBlock { .. } => "apply-block",
            Command::CreateSnapshot { .. } => "create-snapshot",
            Command::ScheduleParameters {} => "schedule-parameters",
            Command::PruneBefore { .. } => "prune-before",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        serde_json::from_str(include_str!("examples.json"))
            .expect("the examples are part of the program, and a test reads them")
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`]. Documents, headers that were rejected and the other
/// header of a fork are not in the facts.
pub(super) fn asked(chain: &Chain, facts: &[Event]) -> Option<Command> {
    // An epoch that was opened on the way is opened again.
    let on_the_way = facts.len() > 1 && matches!(facts[0], Event::EpochOpened(_));
    let facts = if on_the_way { &facts[1..] } else { facts };
    Some(match facts.first()? {
        Event::ObservationStarted(data) => {
            let Some(Event::HeaderObserved(first)) = facts.get(1) else { return None };
            let signed_header = first.signed_header.parse().ok()?;
            let (next_validator_set, validator_set) =
                (first.next_validator_set.clone(), Some(data.validator_set.clone()));
            let anchor = LightBlock { next_validator_set, signed_header, validator_set };
            let (epoch_headers, trusting_period_s) = (data.epoch_headers, data.trusting_period_s);
            Command::StartObservation { anchor, epoch_headers, trusting_period_s }
        }
        Event::HeaderObserved(data) => {
            let known = |hash| match chain {
                Chain::Observed(observed) => observed.known_set(hash).cloned(),
                Chain::Unbegun | Chain::Native(_) => None,
            };
            let kept = |set: &Option<ValidatorSet>, hash| set.clone().or_else(|| known(hash));
            Command::ObserveHeader {
                next_validator_set: kept(&data.next_validator_set, data.next_validators_hash),
                signed_header: data.signed_header.parse().ok()?,
                validator_set: kept(&data.validator_set, data.validators_hash),
            }
        }
        Event::ForkResolved(data) => Command::ResolveFork {
            height: data.height,
            keep: data.kept,
            reason: data.reason.clone(),
        },
        Event::EpochClosed(_) => Command::CloseEpoch { next_height: None },
        Event::EpochOpened(_) => Command::OpenEpoch {},
        Event::BlockApplied(data) => Command::ApplyBlock {
            block: data.hash,
            height: data.height,
            receipts_root: data.receipts_root,
            state_root: data.state_root,
        },
        Event::StatePruned(data) => Command::PruneBefore { height: data.before },
        Event::ParametersScheduled(_) => Command::ScheduleParameters {},
        Event::GenesisInitialised(_)
        | Event::HeaderRejected(_)
        | Event::ForkDetected(_)
        | Event::ChainHalted(_)
        | Event::StateSnapshotCreated(_) => return None,
    })
}
