//! Why a command to a height was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::{Deserialize, Serialize};

use super::{RefusedVote, Step};
use crate::{
    aggregate,
    block::StandingName,
    evidence, proposer,
    values::{Address, Hash, Height, Moment, Round},
};

/// Why a vote does not count.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum VoteFault {
    #[error("{voter} is not in the set of this height")]
    NotInSet { voter: Address },
    #[error("round {round} is further than round {furthest}, up to which votes are taken")]
    RoundTooFar { furthest: Round, round: Round },
    #[error("the signature does not verify")]
    SignatureInvalid,
    #[error("the vote is from {found}; it must not be before {least}")]
    TooEarly { found: Moment, least: Moment },
    #[error("block {found} is not the one proposed in round {round}")]
    NotProposed { found: Hash, round: Round },
}

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ConsensusRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the height has not started")]
    NotStarted,
    #[error("the height before is not final")]
    LastNotFinal,
    #[error("height {height} cannot start: the next is {next}")]
    HeightNotNext { height: Height, next: Height },
    #[error("the header before announces the validator set {expected}, the one given is {found}")]
    SetNotAnnounced { expected: Hash, found: Hash },
    #[error("the validator set cannot take turns: {fault}")]
    SetInvalid { fault: proposer::Fault },
    #[error("the validator set cannot be hashed: {sentence}")]
    SetNotHashed { sentence: String },
    #[error("block {block} is final at this height, since round {round}")]
    HeightFinal { block: Hash, round: Round },
    #[error("the height is not final")]
    HeightNotFinal,
    #[error("round {round} is over; the current one is {current}")]
    RoundOver { current: Round, round: Round },
    #[error("round {round} is further than round {furthest}, up to which messages are taken")]
    RoundTooFar { furthest: Round, round: Round },
    #[error("the signature is not that of {proposer}, whose turn it is in round {round}")]
    ProposalNotSigned { proposer: Address, round: Round },
    #[error("round {pol_round} is not before round {round}")]
    PolRoundNotEarlier { pol_round: Round, round: Round },
    #[error("round {pol_round} has no polka for block {block}")]
    PolkaMissing { block: Hash, pol_round: Round },
    #[error("block {block} is not recorded with these parts")]
    BlockUnknown { block: Hash },
    #[error("block {block} is of height {height} of a chain, not of this one")]
    BlockElsewhere { block: Hash, height: Height },
    #[error("block {block} is {standing}: only a valid one can be proposed")]
    BlockNotValid { block: Hash, standing: StandingName },
    #[error("the vote does not count: {fault}")]
    VoteRefused { fault: VoteFault },
    #[error("none of the votes counts")]
    VotesRefused { refused: Vec<RefusedVote> },
    #[error("{found} votes came together, not 1 to {maximum}")]
    VotesCount { found: usize, maximum: usize },
    #[error("round {round} is not the current one, {current}")]
    RoundNotCurrent { current: Round, round: Round },
    #[error("the round waits for {current}, not for {step}")]
    StepNotCurrent { current: Step, step: Step },
    #[error("it is waited for until {deadline}; it is {now}")]
    DeadlineNotReached { deadline: Moment, now: Moment },
    #[error("there is no round after {round}")]
    RoundsExhausted { round: Round },
    #[error("the evidence is of height {found}, this is the stream of height {height}")]
    EvidenceElsewhere { found: Height, height: Height },
    #[error("the chain's head is not known: the evidence's age cannot be told")]
    HeadMissing,
    #[error("height {height} is more than {maximum} blocks before the head {head}")]
    EvidenceExpired { head: Height, height: Height, maximum: u32 },
    #[error("the evidence proves nothing: {fault}")]
    EvidenceInvalid { fault: evidence::Fault },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::NotStarted => "not-started",
            Refusal::LastNotFinal => "last-not-final",
            Refusal::HeightNotNext { .. } => "height-not-next",
            Refusal::SetNotAnnounced { .. } => "set-not-announced",
            Refusal::SetInvalid { .. } => "set-invalid",
            Refusal::SetNotHashed { .. } => "set-not-hashed",
            Refusal::HeightFinal { .. } => "height-final",
            Refusal::HeightNotFinal => "height-not-final",
            Refusal::RoundOver { .. } => "round-over",
            Refusal::RoundTooFar { .. } => "round-too-far",
            Refusal::ProposalNotSigned { .. } => "proposal-not-signed",
            Refusal::PolRoundNotEarlier { .. } => "pol-round-not-earlier",
            Refusal::PolkaMissing { .. } => "polka-missing",
            Refusal::BlockUnknown { .. } => "block-unknown",
            Refusal::BlockElsewhere { .. } => "block-elsewhere",
            Refusal::BlockNotValid { .. } => "block-not-valid",
            Refusal::VoteRefused { .. } => "vote-refused",
            Refusal::VotesRefused { .. } => "votes-refused",
            Refusal::VotesCount { .. } => "votes-count",
            Refusal::RoundNotCurrent { .. } => "round-not-current",
            Refusal::StepNotCurrent { .. } => "step-not-current",
            Refusal::DeadlineNotReached { .. } => "deadline-not-reached",
            Refusal::RoundsExhausted { .. } => "rounds-exhausted",
            Refusal::EvidenceElsewhere { .. } => "evidence-elsewhere",
            Refusal::HeadMissing => "head-missing",
            Refusal::EvidenceExpired { .. } => "evidence-expired",
            Refusal::EvidenceInvalid { .. } => "evidence-invalid",
        }
    }
}
