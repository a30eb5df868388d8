//! What can have happened at a height.
//!
//! Does not know the moment, but for deadlines: what follows from them must be decided from events
//! alone.

use serde::{Deserialize, Serialize, Serializer};

use super::VoteFault;
use crate::{
    aggregate,
    commit::Commit,
    evidence::Evidence,
    proposer::Seat,
    values::{Address, ChainId, Hash, Height, Moment, Power, Round, Signature},
    vote::{BlockId, Proposal, Vote, VoteType},
};

/// A fact about a height.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ConsensusEvent))]
pub enum Event {
    /// The height started; its first round follows as an event of its own.
    #[serde(rename = "height-started.v1")]
    HeightStarted(Box<HeightStarted>),
    /// A round began.
    #[serde(rename = "round-started.v1")]
    RoundStarted(RoundStarted),
    /// The round's proposer proposed a block.
    #[serde(rename = "proposal-accepted.v1")]
    ProposalAccepted(Box<ProposalAccepted>),
    /// A vote counts.
    #[serde(rename = "vote-cast.v1")]
    VoteCast(Box<Vote>),
    /// More than two thirds of the power prevoted for the same.
    #[serde(rename = "polka-reached.v1")]
    PolkaReached(Box<PolkaReached>),
    /// More than two thirds of the power precommitted a block.
    #[serde(rename = "block-committed.v1")]
    BlockCommitted(Box<BlockCommitted>),
    /// A round came to nothing.
    #[serde(rename = "round-failed.v1")]
    RoundFailed(RoundFailed),
    /// Somebody signed two messages that exclude each other.
    #[serde(rename = "equivocation-detected.v1")]
    EquivocationDetected(Box<EquivocationDetected>),
    /// It was proved that somebody voted twice.
    #[serde(rename = "evidence-accepted.v1")]
    EvidenceAccepted(Box<EvidenceAccepted>),
    /// Of many votes, some do not count.
    #[serde(rename = "votes-refused.v1")]
    VotesRefused(VotesRefused),
}

/// For how long a round's steps are waited for, in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Timeouts {
    /// For precommits.
    pub precommit_ms: u32,
    /// For prevotes.
    pub prevote_ms: u32,
    /// For a proposal.
    pub propose_ms: u32,
    /// How much longer with each round.
    pub step_ms: u32,
}

impl Timeouts {
    /// For how long a step of a round is waited for, in milliseconds.
    pub fn of(&self, step: Step, round: Round) -> u64 {
        let base = match step {
            Step::Propose => self.propose_ms,
            Step::Prevote => self.prevote_ms,
            Step::Precommit => self.precommit_ms,
        };
        u64::from(base) + u64::from(self.step_ms) * u64::from(round.value())
    }
}

/// The height started.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct HeightStarted {
    /// The chain.
    pub chain_id: ChainId,
    /// The height.
    pub height: Height,
    /// The block before; none at the chain's first height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_block_id: Option<BlockId>,
    /// Its time, or the genesis time: votes are later.
    pub last_time: Moment,
    /// Who votes, with their priorities at the first round, in CometBFT's order.
    pub members: Vec<Seat>,
    /// Who proposes in the first round.
    pub proposer: Address,
    /// How far ahead of the current round messages are taken.
    pub rounds_ahead_max: u32,
    /// For how long steps are waited for.
    pub timeouts: Timeouts,
    /// The power of all members.
    pub total_power: Power,
    /// What the header names the set by.
    pub validators_hash: Hash,
}

/// What a round waits for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RoundStep))]
pub enum Step {
    /// For the proposal.
    Propose,
    /// For prevotes.
    Prevote,
    /// For precommits.
    Precommit,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Step::Propose => "propose",
            Step::Prevote => "prevote",
            Step::Precommit => "precommit",
        })
    }
}

/// A round began.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundStarted {
    /// Until when its step is waited for.
    pub deadline: Moment,
    /// Who proposes.
    pub proposer: Address,
    /// The round.
    pub round: Round,
    /// What it waits for: not for what is there already.
    pub step: Step,
}

/// The round's proposer proposed a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProposalAccepted {
    /// The block.
    pub block_id: BlockId,
    /// The block's time: votes for it are later.
    pub block_time: Moment,
    /// Until when prevotes are waited for, when this is the current round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// The earlier round with a polka for this block; none for a new block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pol_round: Option<Round>,
    /// Who proposed.
    pub proposer: Address,
    /// The round.
    pub round: Round,
    /// The proposer's signature.
    pub signature: Signature,
    /// When the proposer signed.
    pub timestamp: Moment,
}

impl ProposalAccepted {
    /// The proposal as it was signed.
    pub fn proposal(&self) -> Proposal {
        Proposal {
            block_id: self.block_id,
            pol_round: self.pol_round,
            round: self.round,
            signature: self.signature,
            timestamp: self.timestamp,
        }
    }
}

/// More than two thirds of the power prevoted for the same: the votes are those recorded before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PolkaReached {
    /// The block; none for nil.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_id: Option<BlockId>,
    /// Until when precommits are waited for, when this is the current round.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Moment>,
    /// The power that prevoted for it.
    pub power: Power,
    /// The round.
    pub round: Round,
    /// The power of all members.
    pub total_power: Power,
}

/// More than two thirds of the power precommitted a block: it is final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockCommitted {
    /// The block.
    pub block_id: BlockId,
    /// Its time.
    pub block_time: Moment,
    /// The precommits so far: protobuf `tendermint.types.Commit` in base64.
    pub commit: Commit,
    /// The power that precommitted it.
    pub power: Power,
    /// The round.
    pub round: Round,
    /// The power of all members.
    pub total_power: Power,
}

/// Why a round came to nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RoundFailure))]
pub enum Failure {
    /// No proposal came in time.
    ProposeTimeout,
    /// No polka came in time.
    PrevoteTimeout,
    /// No commit came in time.
    PrecommitTimeout,
    /// More than two thirds precommitted nil.
    NilQuorum,
    /// More than a third is in a later round already.
    Skipped,
}

/// A round came to nothing. Its late votes still count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoundFailed {
    /// Why.
    pub reason: Failure,
    /// The round.
    pub round: Round,
}

/// Two messages of one validator that exclude each other.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "conflict", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Conflict {
    /// Two proposals for one round.
    Proposals {
        /// The one that counts.
        first: Box<Proposal>,
        /// The other.
        second: Box<Proposal>,
    },
    /// Two prevotes or two precommits in one round.
    Votes {
        /// The one that counts.
        first: Box<Vote>,
        /// The other.
        second: Box<Vote>,
    },
}

/// Somebody signed two messages that exclude each other: once for each step of a round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EquivocationDetected {
    /// Both messages.
    pub messages: Conflict,
    /// The power of who signed.
    pub power: Power,
    /// The round.
    pub round: Round,
    /// The power of all members.
    pub total_power: Power,
    /// Who signed.
    pub validator: Address,
}

/// It was proved that somebody voted twice, by votes that were not both cast here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EvidenceAccepted {
    /// The proof: protobuf `tendermint.types.DuplicateVoteEvidence` in base64.
    pub evidence: Evidence,
    /// The hash of its bytes.
    pub hash: Hash,
    /// The power of who voted.
    pub power: Power,
    /// The round.
    pub round: Round,
    /// The power of all members.
    pub total_power: Power,
    /// Which vote was given twice.
    #[serde(rename = "type")]
    pub kind: VoteType,
    /// Who voted.
    pub validator: Address,
}

/// A vote that does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RefusedVote {
    /// Why.
    pub fault: VoteFault,
    /// Its place among the votes of the command, from 0.
    pub index: u32,
    /// Whose it says it is.
    pub validator: Address,
}

/// Of many votes that came together, some do not count. (When none does, the command is refused.)
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct VotesRefused {
    /// Those that do not count.
    pub refused: Vec<RefusedVote>,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "height-started.v1",
        "round-started.v1",
        "proposal-accepted.v1",
        "vote-cast.v1",
        "polka-reached.v1",
        "block-committed.v1",
        "round-failed.v1",
        "equivocation-detected.v1",
        "evidence-accepted.v1",
        "votes-refused.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::HeightStarted(_) => "height-started.v1",
            Event::RoundStarted(_) => "round-started.v1",
            Event::ProposalAccepted(_) => "proposal-accepted.v1",
            Event::VoteCast(_) => "vote-cast.v1",
            Event::PolkaReached(_) => "polka-reached.v1",
            Event::BlockCommitted(_) => "block-committed.v1",
            Event::RoundFailed(_) => "round-failed.v1",
            Event::EquivocationDetected(_) => "equivocation-detected.v1",
            Event::EvidenceAccepted(_) => "evidence-accepted.v1",
            Event::VotesRefused(_) => "votes-refused.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::HeightStarted(data) => data.serialize(serializer),
            Event::RoundStarted(data) => data.serialize(serializer),
            Event::ProposalAccepted(data) => data.serialize(serializer),
            Event::VoteCast(data) => data.serialize(serializer),
            Event::PolkaReached(data) => data.serialize(serializer),
            Event::BlockCommitted(data) => data.serialize(serializer),
            Event::RoundFailed(data) => data.serialize(serializer),
            Event::EquivocationDetected(data) => data.serialize(serializer),
            Event::EvidenceAccepted(data) => data.serialize(serializer),
            Event::VotesRefused(data) => data.serialize(serializer),
        }
    }
}
