//! Blocks of our own chain: who made them, what became of them, and what they came to.
//!
//! Does not hold their transactions: [`crate::transactions`] does; nor who voted.

mod fold;
mod read;

pub use fold::Blocks;
pub use read::{FINALITY_BLOCKS_MAX, at, by_hashes, finality, get, list};

use domain::values::{Address, Amount, AppHash, ChainId, Hash, Height, Moment, Power, Round};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Order},
};

/// The projection's name.
pub const NAME: &str = "blocks";

/// What became of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BlockState {
    /// It is recorded.
    Proposed,
    /// Nothing speaks against it.
    Valid,
    /// Something speaks against it.
    Rejected,
    /// It was agreed on.
    Final,
    /// It was given up.
    Abandoned,
}

impl BlockState {
    /// Every state.
    pub const ALL: &'static [BlockState] = &[
        BlockState::Proposed,
        BlockState::Valid,
        BlockState::Rejected,
        BlockState::Final,
        BlockState::Abandoned,
    ];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            BlockState::Proposed => "proposed",
            BlockState::Valid => "valid",
            BlockState::Rejected => "rejected",
            BlockState::Final => "final",
            BlockState::Abandoned => "abandoned",
        }
    }
}

/// A block.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = BlockRow)]
pub struct Block {
    /// Its header's hash.
    pub hash: Hash,
    /// The chain.
    pub chain_id: ChainId,
    /// Its height.
    pub height: Height,
    /// What became of it.
    pub state: BlockState,
    /// Its time.
    pub time: Moment,
    /// Who made it.
    pub proposer: Address,
    /// How many transactions it holds.
    pub transactions: u32,
    /// How many pieces of evidence.
    pub evidence: u32,
    /// The hash of its body, which is kept as content.
    pub body: Hash,
    /// The body's length in bytes.
    pub body_bytes: u32,
    /// The application's state before it.
    pub app_hash: AppHash,
    /// The block before.
    pub last_block_hash: Option<Hash>,
    /// The hash of the set that signs it.
    pub validators_hash: Hash,
    /// The hash of the set that signs the next one.
    pub next_validators_hash: Hash,
    /// When it was recorded.
    pub proposed_at: Moment,
    /// Every reason against it.
    pub faults: Vec<String>,
    /// The round in which it was agreed on.
    pub round: Option<Round>,
    /// The power that had signed it by then.
    pub signed_power: Option<Power>,
    /// The power of the whole set.
    pub total_power: Option<Power>,
    /// When it became final.
    pub finalized_at: Option<Moment>,
    /// The root of the state after it.
    pub state_root: Option<Hash>,
    /// The root of its receipts.
    pub receipts_root: Option<Hash>,
    /// How many of its transactions failed.
    pub failed: Option<u32>,
    /// The fees its proposer was given.
    pub fees: Option<Amount>,
    /// When it was executed.
    pub applied_at: Option<Moment>,
    /// The position of the event that recorded it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// Which blocks are wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Of this chain.
    pub chain_id: Option<ChainId>,
    /// That are this now.
    pub state: Option<BlockState>,
    /// Made by this validator.
    pub proposer: Option<Address>,
}

/// How long blocks took of late, from being recorded to being executed.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = BlockFinality)]
pub struct Finality {
    /// How many blocks were looked at: the newest.
    pub blocks: u32,
    /// The newest of them.
    pub height: Option<Height>,
    /// Half of them took no longer, in milliseconds.
    pub p50_ms: Option<f64>,
    /// 95 of 100 took no longer, in milliseconds.
    pub p95_ms: Option<f64>,
    /// 99 of 100 took no longer, in milliseconds.
    pub p99_ms: Option<f64>,
    /// Transactions in all of them.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub transactions: u64,
    /// Transactions a second, from the first of them to the last.
    pub transactions_per_s: Option<f64>,
}

const fn list_name(order: Order) -> &'static str {
    match order {
        Order::Newest => "blocks/newest",
        Order::Oldest => "blocks/oldest",
    }
}

impl Block {
    /// Where this row stands in a list of this order: newest is the greatest height first.
    pub fn cursor(&self, order: Order) -> Cursor {
        let key = vec![self.chain_id.to_string(), self.height.to_string(), self.hash.to_string()];
        Cursor::new(list_name(order), key)
    }
}
