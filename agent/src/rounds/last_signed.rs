//! What a validator signed last: the one thing that keeps it from signing twice.
//!
//! Does not know where it is kept; whoever signs keeps it durably first.

use domain::{
    consensus::Step,
    values::{Height, Moment, Round},
    vote::{BlockId, VoteType},
};
use serde::{Deserialize, Serialize};

use super::Words;

/// Something that is said, where in the course of the chain, and when.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Said {
    /// The block; none for nil.
    pub block_id: Option<BlockId>,
    /// The height.
    pub height: Height,
    /// The round with a polka for the block that a proposal names.
    pub pol_round: Option<Round>,
    /// The round.
    pub round: Round,
    /// The step: a proposal, a prevote or a precommit.
    pub step: Step,
    /// When it is signed.
    pub timestamp: Moment,
}

impl Said {
    /// What these words say.
    pub fn of(height: Height, words: &Words) -> Said {
        match words {
            Words::Proposal(proposal) => Said {
                block_id: Some(proposal.block_id),
                height,
                pol_round: proposal.pol_round,
                round: proposal.round,
                step: Step::Propose,
                timestamp: proposal.timestamp,
            },
            Words::Vote(vote) => Said {
                block_id: vote.block_id,
                height,
                pol_round: None,
                round: vote.round,
                step: match vote.kind {
                    VoteType::Prevote => Step::Prevote,
                    VoteType::Precommit => Step::Precommit,
                },
                timestamp: vote.timestamp,
            },
        }
    }

    fn place(&self) -> (Height, Round, Step) {
        (self.height, self.round, self.step)
    }
}

/// Whether something may be signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permission {
    /// It may: nothing was signed so far in the course of the chain.
    New,
    /// It was signed, at this time; signed again at this time it has the same signature.
    Again(Moment),
    /// It belongs before what was signed last: whatever was said then is said.
    Over,
    /// Something else was signed in its place.
    Contradicts,
}

/// What was signed last; at first nothing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastSigned(Option<Said>);

impl LastSigned {
    /// When this was signed last.
    pub fn after(said: Said) -> LastSigned {
        LastSigned(Some(said))
    }

    /// What was signed last.
    pub fn said(&self) -> Option<&Said> {
        self.0.as_ref()
    }

    /// Whether something may be signed now.
    pub fn permits(&self, said: &Said) -> Permission {
        let Some(last) = &self.0 else { return Permission::New };
        match said.place().cmp(&last.place()) {
            std::cmp::Ordering::Greater => Permission::New,
            std::cmp::Ordering::Less => Permission::Over,
            std::cmp::Ordering::Equal => {
                let same = said.block_id == last.block_id && said.pol_round == last.pol_round;
                if same { Permission::Again(last.timestamp) } else { Permission::Contradicts }
            }
        }
    }
}
