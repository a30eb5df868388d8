//! Transactions: what was accepted, what waits for a block and in which order, what became of each.
//!
//! Does not hold them whole: the event at a row's position does. Does not execute: what a block
//! made of them is attached to the event that says so.

mod fold;
mod read;

pub use fold::Transactions;
pub use read::{by_hashes, get, list, mempool, of_block, summary};

use domain::{
    transaction::Eviction,
    values::{Address, Amount, Hash, Height, Moment, Nonce},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Numbered, Order},
};

/// The projection's name.
pub const NAME: &str = "transactions";

/// What became of a transaction.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TransactionState {
    /// It waits, and a block may hold it.
    Pending,
    /// It waits, and nonces before it are missing.
    Queued,
    /// A block executed it.
    Final,
    /// A block executed it, and it failed: only the fee was taken.
    Failed,
    /// It was taken out.
    Evicted,
    /// Another one of its sender took its place while it waited.
    Replaced,
    /// A block executed another one with its nonce.
    Superseded,
}

/// A transaction.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = TransactionRow)]
pub struct Transaction {
    /// Its hash.
    pub hash: Hash,
    /// Who sent it.
    pub sender: Address,
    /// Its place among the sender's.
    pub nonce: Nonce,
    /// Whom it concerns besides the sender.
    pub recipient: Option<Address>,
    /// What it does: a payload's `type`.
    #[schema(example = "transfer")]
    pub kind: String,
    /// The amount it names.
    pub amount: Option<Amount>,
    /// What it pays.
    pub fee: Amount,
    /// Its length in bytes.
    pub bytes: u32,
    /// What became of it.
    pub state: TransactionState,
    /// Why it was taken out.
    pub evicted_because: Option<Eviction>,
    /// Why it failed.
    pub failure: Option<String>,
    /// 0 when it succeeded; what CometBFT calls the result's code.
    pub code: Option<u32>,
    /// The height of the block that holds it.
    pub height: Option<Height>,
    /// Its place in that block, from 0.
    pub place: Option<u32>,
    /// That block.
    pub block_hash: Option<Hash>,
    /// The transaction whose place it took.
    pub replaces: Option<Hash>,
    /// The transaction that took its place.
    pub replaced_by: Option<Hash>,
    /// When it was accepted.
    pub accepted_at: Moment,
    /// When the block that holds it was executed.
    pub final_at: Option<Moment>,
    /// The position of the event that holds it whole.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// Which transactions are wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// Sent by this account, or concerning it.
    pub account: Option<Address>,
    /// Sent by this account.
    pub sender: Option<Address>,
    /// That do this.
    pub kind: Option<String>,
}

/// What waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct MempoolSummary {
    /// How many transactions wait.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "3")]
    pub transactions: u64,
    /// Their length in bytes.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "900")]
    pub bytes: u64,
    /// How many accounts they are of.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "2")]
    pub senders: u64,
    /// When the oldest was accepted.
    pub oldest_at: Option<Moment>,
}

const fn by_position(order: Order) -> Numbered {
    Numbered { list: "transactions", column: "a.position", order }
}

const BLOCK_LIST: &str = "block-transactions";
const MEMPOOL_LIST: &str = "mempool";

impl Transaction {
    /// Where this row stands in a list of this order: the newest is the one accepted last.
    pub fn cursor(&self, order: Order) -> Cursor {
        by_position(order).cursor(self.position)
    }

    /// Where this row stands in its block.
    pub fn place_cursor(&self) -> Cursor {
        Cursor::new(BLOCK_LIST, vec![self.place.unwrap_or_default().to_string()])
    }
}
