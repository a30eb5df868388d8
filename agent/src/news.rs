//! What a validator tells whoever watches it.
//!
//! Does not know how it is shown.

use domain::{
    consensus::Step,
    values::{Address, ChainId, Hash, Height, Round},
};
use serde::Serialize;

/// Something that is worth a line.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum News {
    /// It begins.
    Starting {
        /// The validator.
        address: Address,
        /// Whom it follows.
        server: String,
    },
    /// It has read all there was, and takes part from now on.
    Following {
        /// The chain.
        chain_id: ChainId,
        /// The height that comes next.
        height: Height,
        /// How far it has read.
        position: u64,
    },
    /// It proposed a block.
    Proposed {
        /// The block.
        block: Hash,
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// How many transactions it holds.
        transactions: u32,
    },
    /// It would not vote for a block.
    Rejected {
        /// The block.
        block: Hash,
        /// The height.
        height: Height,
        /// Why.
        because: String,
    },
    /// A block is final, and its own state is what the record says.
    Final {
        /// The block.
        block: Hash,
        /// The height.
        height: Height,
        /// The root of the state after it.
        state_root: Hash,
        /// How many transactions it holds.
        transactions: u32,
    },
    /// It kept silent, because it said something else there before.
    Withheld {
        /// The height.
        height: Height,
        /// The round.
        round: Round,
        /// Where in the round.
        step: Step,
    },
    /// The server is away; it is looked for until it is back.
    Away {
        /// What happened.
        because: String,
    },
    /// The server is back.
    Back {
        /// From where on it is followed.
        position: u64,
    },
}

impl std::fmt::Display for News {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            News::Starting { address, server } => {
                write!(f, "validator {address} follows {server}")
            }
            News::Following { chain_id, height, position } => {
                write!(f, "has read {chain_id} up to position {position}; next is height {height}")
            }
            News::Proposed { block, height, round, transactions } => write!(
                f,
                "height {height}: proposed block {block} with {transactions} transactions in \
                 round {round}"
            ),
            News::Rejected { block, height, because } => {
                write!(f, "height {height}: does not vote for block {block}: {because}")
            }
            News::Final { block, height, transactions, .. } => {
                write!(f, "height {height}: block {block} is final, {transactions} transactions")
            }
            News::Withheld { height, round, step } => write!(
                f,
                "height {height}: keeps silent at step {step} of round {round}: it said something \
                 else there before"
            ),
            News::Away { because } => write!(f, "the server is away: {because}"),
            News::Back { position } => write!(f, "the server is back, after position {position}"),
        }
    }
}
