//! What can be asked of a height.
//!
//! Does not know who may ask: what is signed speaks for itself.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Step;
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
