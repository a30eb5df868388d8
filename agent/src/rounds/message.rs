//! What a validator's rounds take, and what they want.
//!
//! Does not know who carries it out, nor how long that takes.

use domain::{
    consensus::{Command, Event, Step},
    values::{ChainId, Height, Moment, Round, Signature},
    vote::{BlockId, Proposal, Vote},
};

use super::{LastSigned, Said};

/// A message to a validator's rounds.
#[derive(Clone, Debug, PartialEq)]
pub enum Message {
    /// An event of a height's stream, in the stream's order.
    Read(Event),
    /// Whether the block of [`Effect::Judge`] is one to vote for.
    Judged {
        /// The height.
        height: Height,
        /// The round it is proposed in.
        round: Round,
        /// Whether it may become final.
        valid: bool,
    },
    /// The block of [`Effect::Build`], recorded and valid.
    Built {
        /// The block.
        block_id: BlockId,
        /// The height.
        height: Height,
        /// The round it is for.
        round: Round,
    },
    /// The time of [`Effect::Wait`] is over.
    Elapsed(Timer),
}

/// A time that is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timer {
    /// The height.
    pub height: Height,
    /// The round.
    pub round: Round,
    /// What is waited for.
    pub step: Step,
}

/// What a validator wants.
#[derive(Clone, Debug, PartialEq)]
pub enum Effect {
    /// A block of its own, to be recorded and found valid before it answers with
    /// [`Message::Built`].
    Build {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
    },
    /// To know whether a block is one to vote for: [`Message::Judged`].
    Judge {
        /// The block.
        block_id: BlockId,
        /// The height.
        height: Height,
        /// The round it is proposed in.
        round: Round,
    },
    /// To sign and say something.
    Sign(Box<ToSign>),
    /// To be told when this is over: [`Message::Elapsed`].
    Wait {
        /// After how many milliseconds.
        millis: u64,
        /// What is waited for.
        timer: Timer,
    },
    /// To fail the round: the record lets it from its deadline on.
    Fail {
        /// From when on.
        deadline: Moment,
        /// The round.
        round: Round,
        /// The step the record waits for.
        step: Step,
    },
    /// A block is final.
    Decided {
        /// The block.
        block_id: BlockId,
        /// The height.
        height: Height,
    },
    /// Something was not signed: it contradicts what was signed before.
    Withheld {
        /// What would have been said.
        said: Said,
    },
    /// The rules and the record do not agree: nothing may be signed until somebody looked.
    Disagrees {
        /// About what.
        sentence: String,
    },
}

/// Something to be signed and said.
#[derive(Clone, Debug, PartialEq)]
pub struct ToSign {
    /// The height.
    pub height: Height,
    /// What must be kept durably **before** the signature leaves.
    pub last_signed: LastSigned,
    /// What is to be signed.
    pub words: Words,
}

/// A message without its signature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Words {
    /// A proposal.
    Proposal(Proposal),
    /// A vote.
    Vote(Vote),
}

impl ToSign {
    /// What the signature is over.
    pub fn sign_bytes(&self, chain_id: &ChainId) -> Vec<u8> {
        match &self.words {
            Words::Proposal(proposal) => proposal.sign_bytes(chain_id, self.height),
            Words::Vote(vote) => vote.sign_bytes(chain_id, self.height),
        }
    }

    /// The command that says it.
    pub fn signed(&self, signature: Signature) -> Command {
        match self.words {
            Words::Proposal(proposal) => Command::Propose(Proposal { signature, ..proposal }),
            Words::Vote(vote) => Command::CastVote(Vote { signature, ..vote }),
        }
    }
}

impl Words {
    /// The same words at another time.
    pub(super) fn at(self, timestamp: Moment) -> Words {
        match self {
            Words::Proposal(proposal) => Words::Proposal(Proposal { timestamp, ..proposal }),
            Words::Vote(vote) => Words::Vote(Vote { timestamp, ..vote }),
        }
    }
}
