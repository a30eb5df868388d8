//! What a height's validators agreed on: each proposal and vote they signed is accepted, refused,
//! or turned into evidence.
//!
//! Does not vote, propose or wait: it is the record. It does not know what is in a block, only that
//! one is recorded and valid.
//!
//! The story. Each height is a stream of its own, `height-<chain>-<height>`, with all its rounds.
//! It starts once the height before is final. In each round one validator, by CometBFT's rotation,
//! proposes a block; all prevote for it or for nil; when more than two thirds of the power
//! prevoted for the same (a polka), they precommit it, and when more than two thirds precommitted
//! a block, it is final. A round that comes to nothing fails, by its deadlines, by precommits for
//! nil, or because a third of the power is further on already; the next begins. The rules are
//! Tendermint's (arXiv 1807.04938). The order of the log decides: the first of two contradicting
//! messages counts, both together are evidence.

mod command;
mod decide;
mod event;
mod propose;
mod refusal;
mod state;
mod votes;

pub use command::Command;
pub use event::{
    BlockCommitted, Conflict, EquivocationDetected, Event, EvidenceAccepted, Failure,
    HeightStarted, PolkaReached, ProposalAccepted, RefusedVote, RoundFailed, RoundStarted, Step,
    Timeouts, VotesRefused,
};
pub use refusal::{Refusal, VoteFault};
pub use state::{ConsensusHeight, Polka, Started};

use std::{fmt, str::FromStr};

use crate::{
    aggregate::Aggregate,
    block::{Block, StandingName},
    parameters::Parameters,
    proposer::Rotation,
    validator_set::Member,
    values::{ChainId, Hash, Height, Moment, ValueError},
    vote::BlockId,
};

/// The most votes that are judged in one command.
pub const VOTES_MAX: usize = 512;
/// By how many milliseconds a vote is later than the block it follows, at least: so that the median
/// of a commit's times is later than its block.
pub const VOTE_AFTER_BLOCK_MS: u64 = 1;

/// One height of one chain. `Display` is `<chain>-<height>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct HeightStream {
    /// The chain.
    pub chain: ChainId,
    /// The height.
    pub height: Height,
}

impl fmt::Display for HeightStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.chain, self.height)
    }
}

impl FromStr for HeightStream {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<HeightStream, ValueError> {
        let rule = "a height's stream is named <chain id>-<height>";
        let (chain, height) = text.rsplit_once('-').ok_or_else(|| ValueError::new(rule, text))?;
        Ok(HeightStream { chain: chain.parse()?, height: height.parse()? })
    }
}

/// What a height starts from: the chain after its head.
#[derive(Clone, Debug, PartialEq)]
pub struct Start {
    /// The height that comes next.
    pub height: Height,
    /// The height before; none when this is the chain's first.
    pub last: Option<LastHeight>,
    /// The set of this height.
    pub members: Vec<Member>,
    /// The last block's time, or the genesis time.
    pub time: Moment,
    /// By which hash the last header, or the genesis, announces this height's set.
    pub validators_hash: Hash,
}

/// The height before: what [`Started::last_height`] hands on.
#[derive(Clone, Debug, PartialEq)]
pub struct LastHeight {
    /// The block that is final there.
    pub block_id: BlockId,
    /// The rotation at its first round.
    pub rotation: Rotation,
}

/// What is known of a block that is proposed.
#[derive(Clone, Debug, PartialEq)]
pub struct ProposedBlock {
    /// Its id.
    pub block_id: BlockId,
    /// The chain it is for.
    pub chain_id: ChainId,
    /// Its height.
    pub height: Height,
    /// What became of it.
    pub standing: StandingName,
    /// Its time.
    pub time: Moment,
}

impl ProposedBlock {
    /// What a recorded block's history tells; none when it is not recorded.
    pub fn of(block: &Block) -> Option<ProposedBlock> {
        block.proposed().map(|proposed| ProposedBlock {
            block_id: proposed.block.block_id,
            chain_id: proposed.block.chain_id.clone(),
            height: proposed.block.height,
            standing: proposed.standing.name(),
            time: proposed.block.time,
        })
    }
}

/// What a decision must know beyond the height's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The stream.
    pub stream: HeightStream,
    /// When it is decided.
    pub now: Moment,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The block that is proposed, when it is recorded; needed to propose.
    pub block: Option<ProposedBlock>,
    /// The chain's head; needed to submit evidence.
    pub head: Option<Height>,
    /// What the height starts from, once the height before is final; needed to start.
    pub start: Option<Start>,
}

impl Aggregate for ConsensusHeight {
    const CATEGORY: &'static str = "height";
    type Id = HeightStream;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        state::evolve(self, event);
    }
}
