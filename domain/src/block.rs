//! A block: proposed, found valid or not, and final or abandoned.
//!
//! Does not execute transactions, and does not count votes: what it must know of the chain, the
//! accounts and the set is handed in.
//!
//! The story. Each block is a stream of its own, named by the hash of its header. Whoever proposes
//! it hands in the header with the body: which transactions in which order, evidence, and the
//! commit of the block before. The body is kept as a blob under its hash; the event names it. The
//! record then judges the block against the chain's head ([`Ground`]) and tells every reason
//! against it at once. When more than two thirds of the power committed it, it is final.

mod body;
mod command;
mod decide;
mod event;
mod fault;
mod ground;
mod header;
mod refusal;
mod state;
mod validate;

pub use body::{Body, Contents};
pub use command::Command;
pub use event::{
    BlockAbandoned, BlockFinalized, BlockProposed, BlockRejected, BlockValidated, Event,
};
pub use fault::{Fault, Field};
pub use ground::{APP_VERSION, BLOCK_VERSION, Ground, Last};
pub use header::Header;
pub use refusal::Refusal;
pub use state::{Block, Proposed, Standing, StandingName};

use std::collections::{BTreeMap, BTreeSet};

use crate::{
    aggregate::Aggregate,
    light::ValidatorSet,
    parameters::Parameters,
    values::{Hash, Height, Moment},
};

/// The most reasons that are recorded against one block; the others are counted.
pub const FAULTS_MAX: usize = 100;

/// What is known of a transaction that a block names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Offer {
    /// Its length in bytes.
    pub bytes: u32,
    /// Why it cannot be executed at its place; none when it can.
    pub fault: Option<String>,
}

/// What is known of a height that evidence speaks of.
#[derive(Clone, Debug, PartialEq)]
pub struct Past {
    /// The time of the block there.
    pub time: Moment,
    /// The set that signed it.
    pub validators: ValidatorSet,
}

/// What a decision must know beyond the block's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The stream: the hash of the block's header.
    pub id: Hash,
    /// When it is decided.
    pub now: Moment,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The body, read from the blob the block names; needed to validate.
    pub body: Option<Body>,
    /// What the chain's next block must stand on; needed to validate.
    pub ground: Option<Ground>,
    /// Those of the body's transactions that are known and not in a block yet; needed to validate.
    pub transactions: BTreeMap<Hash, Offer>,
    /// The heights that the body's evidence speaks of; needed to validate.
    pub past: BTreeMap<Height, Past>,
    /// Which of the body's evidence is in a block already; needed to validate.
    pub punished: BTreeSet<Hash>,
    /// The set that the header names; needed to finalize.
    pub validators: Option<ValidatorSet>,
}

impl Aggregate for Block {
    const CATEGORY: &'static str = "block";
    type Id = Hash;
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
