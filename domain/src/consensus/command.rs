//! What can be asked of a height.
//!
//! Does not know who may ask: what is signed speaks for itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Conflict, Event, Failure, Step};
use crate::{
    evidence::Evidence,
    values::Round,
    vote::{Proposal, Vote},
};

/// A command to a height.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ConsensusCommand))]
pub enum Command {
    /// Starts the height, once the height before is final.
    StartHeight {},
    /// Proposes a block for a round, by the round's proposer.
    Propose(Proposal),
    /// Casts a vote.
    CastVote(Vote),
    /// Casts many votes, each judged by itself: a bad one does not spoil the others.
    CastVotes {
        /// The votes, up to [`super::VOTES_MAX`], judged in this order.
        votes: Vec<Vote>,
    },
    /// Fails the current round because the deadline of its step is over.
    TimeoutRound {
        /// The round.
        round: Round,
        /// The step that came to nothing.
        step: Step,
    },
    /// Proves that somebody voted twice at this height, once it is final.
    SubmitEvidence {
        /// The proof: protobuf `tendermint.types.DuplicateVoteEvidence` in base64.
        evidence: Evidence,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] =
        &["start-height", "propose", "cast-vote", "cast-votes", "timeout-round", "submit-evidence"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::StartHeight {} => "start-height",
            Command::Propose(_) => "propose",
            Command::CastVote(_) => "cast-vote",
            Command::CastVotes { .. } => "cast-votes",
            Command::TimeoutRound { .. } => "timeout-round",
            Command::SubmitEvidence { .. } => "submit-evidence",
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

/// See [`crate::aggregate::Aggregate::asked`]. Votes that were refused are not in the facts.
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    let refused = facts.iter().any(|fact| matches!(fact, Event::VotesRefused(_)));
    match facts.first()? {
        _ if refused => None,
        Event::HeightStarted(_) => Some(Command::StartHeight {}),
        Event::ProposalAccepted(data) => Some(Command::Propose(Proposal {
            block_id: data.block_id,
            pol_round: data.pol_round,
            round: data.round,
            signature: data.signature,
            timestamp: data.timestamp,
        })),
        Event::EquivocationDetected(data) => match &data.messages {
            Conflict::Proposals { second, .. } => Some(Command::Propose(**second)),
            Conflict::Votes { .. } => votes(facts),
        },
        Event::VoteCast(_) => votes(facts),
        Event::RoundFailed(data) => {
            let step = match data.reason {
                Failure::ProposeTimeout => Step::Propose,
                Failure::PrevoteTimeout => Step::Prevote,
                Failure::PrecommitTimeout => Step::Precommit,
                Failure::NilQuorum | Failure::Skipped => return None,
            };
            Some(Command::TimeoutRound { round: data.round, step })
        }
        Event::EvidenceAccepted(data) => {
            Some(Command::SubmitEvidence { evidence: data.evidence.clone() })
        }
        Event::RoundStarted(_)
        | Event::PolkaReached(_)
        | Event::BlockCommitted(_)
        | Event::VotesRefused(_) => None,
    }
}

/// The votes that were cast, those that contradict others among them.
fn votes(facts: &[Event]) -> Option<Command> {
    let cast = facts.iter().filter_map(|fact| match fact {
        Event::VoteCast(vote) => Some(**vote),
        Event::EquivocationDetected(data) => match &data.messages {
            Conflict::Votes { second, .. } => Some(**second),
            Conflict::Proposals { .. } => None,
        },
        Event::HeightStarted(_)
        | Event::RoundStarted(_)
        | Event::ProposalAccepted(_)
        | Event::PolkaReached(_)
        | Event::BlockCommitted(_)
        | Event::RoundFailed(_)
        | Event::EvidenceAccepted(_)
        | Event::VotesRefused(_) => None,
    });
    let mut votes: Vec<Vote> = cast.collect();
    match votes.len() {
        0 => None,
        1 => votes.pop().map(Command::CastVote),
        _ => Some(Command::CastVotes { votes }),
    }
}
