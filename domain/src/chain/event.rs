//! What can have happened to a chain.
//!
//! Does not know the moment: the record says when. What light clients need is kept as raw protobuf.

use serde::{Deserialize, Serialize, Serializer};

use super::{BlockApplied, Carried, ChainHalted, Snapshot, StatePruned};
use crate::{
    aggregate,
    light::{Fault, RawHeader, ValidatorSet},
    parameters::{self, Parameters},
    validator_set::Member,
    values::{
        Address, Amount, AppHash, ChainId, Epoch, Hash, Height, Moment, Power, Reason, Round,
    },
};

/// A fact about a chain.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChainEvent))]
pub enum Event {
    /// Our own chain began.
    #[serde(rename = "genesis-initialised.v1")]
    GenesisInitialised(Box<GenesisInitialised>),
    /// A foreign chain is observed; its anchor follows as an event of its own.
    #[serde(rename = "observation-started.v1")]
    ObservationStarted(Box<ObservationStarted>),
    /// A header was verified and recorded.
    #[serde(rename = "header-observed.v1")]
    HeaderObserved(Box<HeaderObserved>),
    /// A header failed verification.
    #[serde(rename = "header-rejected.v1")]
    HeaderRejected(HeaderRejected),
    /// Two different headers for one height are known.
    #[serde(rename = "fork-detected.v1")]
    ForkDetected(Box<ForkDetected>),
    /// It was said which of them is the chain's.
    #[serde(rename = "fork-resolved.v1")]
    ForkResolved(ForkResolved),
    /// An epoch's books were closed.
    #[serde(rename = "epoch-closed.v1")]
    EpochClosed(EpochClosed),
    /// An epoch was opened with what the one before it carried over.
    #[serde(rename = "epoch-opened.v1")]
    EpochOpened(Box<EpochOpened>),
    /// A final block of our own chain was executed.
    #[serde(rename = "block-applied.v1")]
    BlockApplied(Box<BlockApplied>),
    /// A final block names another state than ours; nothing is applied any more.
    #[serde(rename = "chain-halted.v1")]
    ChainHalted(Box<ChainHalted>),
    /// A snapshot of the state was made.
    #[serde(rename = "state-snapshot-created.v1")]
    StateSnapshotCreated(Snapshot),
    /// States of lower heights are not kept any longer.
    #[serde(rename = "state-pruned.v1")]
    StatePruned(Box<StatePruned>),
    /// Other protocol parameters hold from an epoch's first height on.
    #[serde(rename = "parameters-scheduled.v1")]
    ParametersScheduled(Box<parameters::Change>),
}

/// Whether we execute a chain or observe it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ChainKind))]
pub enum Kind {
    /// Our own.
    Native,
    /// A foreign one.
    Observed,
}

impl Kind {
    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            Kind::Native => "native",
            Kind::Observed => "observed",
        }
    }
}

/// Our own chain began. The document itself is kept under its hash; with at most 300 validators the
/// record stays below 65,535 bytes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct GenesisInitialised {
    /// How many accounts the document has.
    pub accounts: u32,
    /// The application's state before the first block, as the document says it.
    pub app_hash: AppHash,
    /// The sum of all bonds.
    pub bonded: Amount,
    /// The chain.
    pub chain_id: ChainId,
    /// The document's length in bytes.
    pub document_bytes: u32,
    /// The hash of the document's bytes: names the document.
    pub genesis_hash: Hash,
    /// The chain's official beginning.
    pub genesis_time: Moment,
    /// Its first height.
    pub initial_height: Height,
    /// The protocol parameters it begins with.
    pub parameters: Parameters,
    /// Balances + bonds.
    pub supply: Amount,
    /// Its first validators, in CometBFT's order.
    pub validators: Vec<Member>,
    /// What the first header names their set by.
    pub validators_hash: Hash,
}

/// A foreign chain is observed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ObservationStarted {
    /// The chain.
    pub chain_id: ChainId,
    /// How many heights go into one stream.
    pub epoch_headers: u32,
    /// The anchor's hash.
    pub hash: Hash,
    /// The anchor's height.
    pub height: Height,
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u32,
    /// The set that signed the anchor: protobuf in base64.
    pub validator_set: ValidatorSet,
}

/// How a header came to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Verification {
    /// Somebody trusts it; its commit is a good one.
    Anchor,
    /// It is the very next after a trusted one, by the set that one announced.
    Sequential,
    /// More than a third of a trusted one's announced set signed it, too.
    Skipping,
}

/// A header was verified and recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HeaderObserved {
    /// The application's state before this block.
    pub app_hash: AppHash,
    /// The root of the block's transactions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub data_hash: Option<Hash>,
    /// The header's hash.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// The hash of the block before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_block_hash: Option<Hash>,
    /// The set that signs the next header, when it is known and not the one that signed this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_validator_set: Option<ValidatorSet>,
    /// The hash of the set that signs the next header.
    pub next_validators_hash: Hash,
    /// Who proposed the block.
    pub proposer: Address,
    /// The round in which it was committed.
    pub round: Round,
    /// The header with its commit: protobuf `tendermint.types.SignedHeader` in base64.
    pub signed_header: RawHeader,
    /// The power that signed.
    pub signed_power: Power,
    /// The header's time, microseconds.
    pub time: Moment,
    /// What its time has below a microsecond, in nanoseconds.
    pub time_nanos: u16,
    /// The power of the whole set.
    pub total_power: Power,
    /// The set that signed this header, when neither the event before nor this one's announcement
    /// already holds it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator_set: Option<ValidatorSet>,
    /// The hash of the set that signed this header.
    pub validators_hash: Hash,
    /// How it came to be trusted.
    pub verification: Verification,
}

/// A header failed verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HeaderRejected {
    /// What is wrong with it.
    pub fault: Fault,
    /// The header's hash.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// The same as a sentence.
    pub reason: String,
    /// SHA-256 of its protobuf with the commit: names what was rejected.
    pub signed_header_hash: Hash,
}

/// Two different headers for one height are known, both with a good commit.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForkDetected {
    /// The hash of the header that is not recorded.
    pub conflicting: Hash,
    /// That header with its commit: protobuf in base64.
    pub conflicting_header: RawHeader,
    /// The set that signed it.
    pub conflicting_set: ValidatorSet,
    /// Who of the recorded header's set signed both.
    pub culprits: Vec<Address>,
    /// The height.
    pub height: Height,
    /// The hash of the header that is recorded.
    pub recorded: Hash,
}

/// It was said which of two headers is the chain's.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ForkResolved {
    /// The other.
    pub abandoned: Hash,
    /// The height of the fork. When the recorded header is abandoned, so are all recorded after it.
    pub height: Height,
    /// The one that is the chain's, and the head from now on when it was not recorded.
    pub kept: Hash,
    /// Why.
    pub reason: Reason,
}

/// An epoch's books were closed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochClosed {
    /// The epoch.
    pub epoch: Epoch,
    /// The head's hash.
    pub hash: Hash,
    /// How many headers of it are recorded, or blocks applied.
    pub headers: u32,
    /// The head's height.
    pub height: Height,
}

/// An epoch was opened with what the one before it carried over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EpochOpened {
    /// What was carried over.
    pub carried: Carried,
    /// The epoch.
    pub epoch: Epoch,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "genesis-initialised.v1",
        "observation-started.v1",
        "header-observed.v1",
        "header-rejected.v1",
        "fork-detected.v1",
        "fork-resolved.v1",
        "epoch-closed.v1",
        "epoch-opened.v1",
        "block-applied.v1",
        "chain-halted.v1",
        "state-snapshot-created.v1",
        "state-pruned.v1",
        "parameters-scheduled.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::GenesisInitialised(_) => "genesis-initialised.v1",
            Event::ObservationStarted(_) => "observation-started.v1",
            Event::HeaderObserved(_) => "header-observed.v1",
            Event::HeaderRejected(_) => "header-rejected.v1",
            Event::ForkDetected(_) => "fork-detected.v1",
            Event::ForkResolved(_) => "fork-resolved.v1",
            Event::EpochClosed(_) => "epoch-closed.v1",
            Event::EpochOpened(_) => "epoch-opened.v1",
            Event::BlockApplied(_) => "block-applied.v1",
            Event::ChainHalted(_) => "chain-halted.v1",
            Event::StateSnapshotCreated(_) => "state-snapshot-created.v1",
            Event::StatePruned(_) => "state-pruned.v1",
            Event::ParametersScheduled(_) => "parameters-scheduled.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::GenesisInitialised(data) => data.serialize(serializer),
            Event::ObservationStarted(data) => data.serialize(serializer),
            Event::HeaderObserved(data) => data.serialize(serializer),
            Event::HeaderRejected(data) => data.serialize(serializer),
            Event::ForkDetected(data) => data.serialize(serializer),
            Event::ForkResolved(data) => data.serialize(serializer),
            Event::EpochClosed(data) => data.serialize(serializer),
            Event::EpochOpened(data) => data.serialize(serializer),
            Event::BlockApplied(data) => data.serialize(serializer),
            Event::ChainHalted(data) => data.serialize(serializer),
            Event::StateSnapshotCreated(data) => data.serialize(serializer),
            Event::StatePruned(data) => data.serialize(serializer),
            Event::ParametersScheduled(data) => data.serialize(serializer),
        }
    }
}
