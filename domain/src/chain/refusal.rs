//! Why a command to a chain was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::Kind;
use crate::{
    aggregate,
    genesis::Finding,
    light::Fault,
    parameters::ParameterFault,
    values::{ChainId, Epoch, Hash, Height},
};

/// A reason why not. Powers are decimal strings.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChainRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the chain has begun already in this epoch")]
    BegunAlready,
    #[error("the chain has not begun in this epoch")]
    NotBegun,
    #[error("the chain is our own: only an observed chain can do this")]
    NotObserved { kind: &'static str },
    #[error("the document has {count} faults")]
    GenesisFaulty { count: usize, faults: Vec<Finding> },
    #[error("the parameters cannot hold: {}", crate::parameters::listed(faults))]
    ParametersFaulty { faults: Vec<ParameterFault> },
    #[error("{maximum} changes still matter: another can be scheduled when one no longer does")]
    ChangesExhausted { maximum: usize },
    #[error("the document cannot begin a chain here: {sentence}")]
    GenesisNotOurs { sentence: String },
    #[error("it is of chain {found}, this is the stream of chain {expected}")]
    ChainMismatch { expected: ChainId, found: ChainId },
    #[error("height {height} belongs into epoch {expected}, this is the stream of epoch {found}")]
    EpochMismatch { expected: Epoch, found: Epoch, height: Height },
    #[error("{option} is {found}, not in {least} to {most}")]
    OptionOutOfRange { found: u32, least: u32, most: u32, option: &'static str },
    #[error("the validator set {hash} that signed the header is not known and was not given")]
    ValidatorSetMissing { hash: Hash },
    #[error("the anchor is not a good header: {fault}")]
    AnchorInvalid { fault: Fault },
    #[error("the header cannot be verified: {fault}")]
    HeaderUnverifiable { fault: Fault },
    #[error("the header at height {height} is not valid: {fault}")]
    HeaderInvalid { fault: Fault, hash: Hash, height: Height },
    #[error(
        "{signed} of {total} power trusted at height {trusted} signed, not more than one third: \
         headers between must come first"
    )]
    NotEnoughTrust { signed: String, total: String, trusted: Height },
    #[error(
        "header {recorded} is recorded at height {height}, not {found}: if both are signed, \
         report a fork"
    )]
    ForkSuspected { found: Hash, height: Height, recorded: Hash },
    #[error(
        "height {height} is below the head {head} and was skipped: headers are recorded forwards"
    )]
    HeightSkipped { head: Height, height: Height },
    #[error(
        "height {height} lies in epoch {next}; epoch {epoch} must be closed and that one opened"
    )]
    EpochOver { epoch: Epoch, height: Height, next: Epoch },
    #[error("the books of epoch {epoch} are closed")]
    EpochClosed { epoch: Epoch },
    #[error(
        "epoch {epoch} ends at height {last}; the head is {head}, and no later height was named"
    )]
    EpochNotComplete { epoch: Epoch, head: Height, last: Height },
    #[error("epoch {epoch} can only be opened with what a closed epoch before it carries over")]
    NothingCarried { epoch: Epoch },
    #[error("the fork at height {height} must be resolved first")]
    ForkUnresolved { height: Height },
    #[error("no fork is open at height {height}")]
    NoFork { height: Height },
    #[error("{hash} is neither of the two headers of the fork at height {height}")]
    NotOfFork { hash: Hash, height: Height },
    #[error("the two headers are not a fork of this chain: {sentence}")]
    NoForkProved { sentence: String },
    #[error("the header takes {bytes} bytes in a record, more than {maximum}")]
    HeaderTooLarge { bytes: usize, maximum: usize },
    #[error("the chain is observed: only one of our own can do this")]
    NotNative { kind: &'static str },
    #[error("block {applied} was applied at height {height}, not {found}")]
    AppliedAlready { applied: Hash, found: Hash, height: Height },
    #[error("the chain halted at height {height}: that block names another state than ours")]
    Halted { height: Height },
    #[error("the next height is {expected}, not {found}")]
    HeightNotNext { expected: Height, found: Height },
    #[error("block {block} of height {height} is not final here, or was not executed yet")]
    NotExecuted { block: Hash, height: Height },
    #[error("the block before is {}, the header names {}", shown(expected), shown(found))]
    PreviousMismatch {
        #[serde(skip_serializing_if = "Option::is_none")]
        expected: Option<Hash>,
        #[serde(skip_serializing_if = "Option::is_none")]
        found: Option<Hash>,
    },
    #[error("the block before announced the validator set {expected}, the header names {found}")]
    ValidatorsMismatch { expected: Hash, found: Hash },
    #[error("the {root} is {computed}, not {found}")]
    RootMismatch { computed: Hash, found: Hash, root: &'static str },
    #[error("no block is applied yet")]
    NothingApplied,
    #[error("height {height} is above the head {head}")]
    AboveHead { head: Height, height: Height },
    #[error("height {height} was not applied in epoch {epoch}: its root is not at hand")]
    HeightNotRecorded { epoch: Epoch, height: Height },
    #[error("{maximum} snapshots are kept, as many as may be: older ones must be pruned first")]
    SnapshotsExhausted { maximum: usize },
    #[error("states below height {before} are not kept any longer; this is {height}")]
    Pruned { before: Height, height: Height },
    #[error("no snapshot of height {height} was made")]
    SnapshotNotMade { height: Height },
    #[error("there is no snapshot from height {before} on that would be kept")]
    NoSnapshotKept { before: Height },
}

/// A hash, or that there is none.
fn shown(hash: &Option<Hash>) -> String {
    hash.map_or_else(|| "none".to_owned(), |hash| hash.to_string())
}

impl Refusal {
    /// The refusal of what only observed chains can do.
    pub(super) fn not_observed(kind: Kind) -> Refusal {
        Refusal::NotObserved { kind: kind.as_str() }
    }

    /// The refusal of what only chains of our own can do.
    pub(super) fn not_native(kind: Kind) -> Refusal {
        Refusal::NotNative { kind: kind.as_str() }
    }
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::BegunAlready => "begun-already",
            Refusal::NotBegun => "not-begun",
            Refusal::NotObserved { .. } => "not-observed",
            Refusal::GenesisFaulty { .. } => "genesis-faulty",
            Refusal::GenesisNotOurs { .. } => "genesis-not-ours",
            Refusal::ChainMismatch { .. } => "chain-mismatch",
            Refusal::EpochMismatch { .. } => "epoch-mismatch",
            Refusal::OptionOutOfRange { .. } => "option-out-of-range",
            Refusal::ValidatorSetMissing { .. } => "validator-set-missing",
            Refusal::AnchorInvalid { .. } => "anchor-invalid",
            Refusal::HeaderUnverifiable { .. } => "header-unverifiable",
            Refusal::HeaderInvalid { .. } => "header-invalid",
            Refusal::NotEnoughTrust { .. } => "not-enough-trust",
            Refusal::ForkSuspected { .. } => "fork-suspected",
            Refusal::HeightSkipped { .. } => "height-skipped",
            Refusal::EpochOver { .. } => "epoch-over",
            Refusal::EpochClosed { .. } => "epoch-closed",
            Refusal::EpochNotComplete { .. } => "epoch-not-complete",
            Refusal::NothingCarried { .. } => "nothing-carried",
            Refusal::ForkUnresolved { .. } => "fork-unresolved",
            Refusal::NoFork { .. } => "no-fork",
            Refusal::NotOfFork { .. } => "not-of-fork",
            Refusal::NoForkProved { .. } => "no-fork-proved",
            Refusal::HeaderTooLarge { .. } => "header-too-large",
            Refusal::NotNative { .. } => "not-native",
            Refusal::AppliedAlready { .. } => "applied-already",
            Refusal::Halted { .. } => "halted",
            Refusal::HeightNotNext { .. } => "height-not-next",
            Refusal::NotExecuted { .. } => "not-executed",
            Refusal::PreviousMismatch { .. } => "previous-mismatch",
            Refusal::ValidatorsMismatch { .. } => "validators-mismatch",
            Refusal::RootMismatch { .. } => "root-mismatch",
            Refusal::NothingApplied => "nothing-applied",
            Refusal::AboveHead { .. } => "above-head",
            Refusal::HeightNotRecorded { .. } => "height-not-recorded",
            Refusal::SnapshotsExhausted { .. } => "snapshots-exhausted",
            Refusal::Pruned { .. } => "pruned",
            Refusal::SnapshotNotMade { .. } => "snapshot-not-made",
            Refusal::ParametersFaulty { .. } => "parameters-faulty",
            Refusal::ChangesExhausted { .. } => "changes-exhausted",
            Refusal::NoSnapshotKept { .. } => "no-snapshot-kept",
        }
    }
}
