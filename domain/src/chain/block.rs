//! What happens to our own chain: blocks applied, snapshots taken, states pruned, a halt.
//!
//! Does not know transactions: what they came to is kept under a hash.

use serde::{Deserialize, Serialize};

use crate::values::{Address, AppHash, Hash, Height, Moment};

/// A final block was executed, and the state moved on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockApplied {
    /// The block's hash.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// The hash of the block before; none for the chain's first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_block_hash: Option<Hash>,
    /// The hash of the set that signs the next block.
    pub next_validators_hash: Hash,
    /// Who proposed it.
    pub proposer: Address,
    /// The root of its receipts: the next header names it as the last results.
    pub receipts_root: Hash,
    /// The hash of what it came to: receipts and every entry of the state that changed
    /// ([`crate::ledger::Execution::bytes`]).
    pub results: Hash,
    /// The root of the state after it: the next header names it as the application's state.
    pub state_root: Hash,
    /// Its time.
    pub time: Moment,
    /// How many transactions it has.
    pub transactions: u32,
    /// The hash of the set that signed it.
    pub validators_hash: Hash,
}

/// A final block names another state than ours: whoever agreed on it executed the blocks before
/// otherwise than we did. Nothing is applied any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ChainHalted {
    /// The state its header names.
    pub app_hash: AppHash,
    /// The block's hash.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// The root of our state before it.
    pub state_root: Hash,
}

/// A snapshot of the whole state, kept under its hash ([`crate::ledger::Ledger::snapshot`]).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = StateSnapshot))]
pub struct Snapshot {
    /// Its length in bytes.
    pub bytes: u32,
    /// The hash of its bytes.
    pub hash: Hash,
    /// The height after which the state was like this.
    pub height: Height,
    /// The state's root.
    pub state_root: Hash,
}

/// States of lower heights are not kept any longer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StatePruned {
    /// The lowest height whose state may be asked for.
    pub before: Height,
    /// The snapshots that are dropped, the oldest first.
    pub dropped: Vec<Snapshot>,
    /// The oldest snapshot that is kept.
    pub kept: Snapshot,
}

/// What the write wing knows of a final block it has executed: what the header says, and what
/// executing came to.
#[derive(Clone, Debug, PartialEq)]
pub struct Executed {
    /// The state its header names: that before the block.
    pub app_hash: AppHash,
    /// What is applied.
    pub applied: BlockApplied,
    /// The root of our state before it.
    pub state_root_before: Hash,
}
