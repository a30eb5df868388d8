//! Genesis documents of CometBFT chains: checked whole, with every fault and its place.
//!
//! Does not begin a chain, and does not read files: the document's bytes are handed in.
//!
//! A document's hash is the SHA-256 of its bytes as they are, as CometBFT computes it for its
//! genesis file (cometbft issues 1287 and 1303): two documents that differ in a space are two
//! documents.
//!
//! Our own state stands under `app_state`:
//!
//! ```json
//! {"accounts": [{"address": "<40 hex>", "balance": "1000"}],
//!  "bonds": [{"validator": "<40 hex>", "amount": "10000000"}],
//!  "parameters": {"epoch_blocks": 32},
//!  "supply": "10001000"}
//! ```
//!
//! Each member may be absent. Without `bonds` each validator's bond is its power times
//! `power_reduction`; with them they must give exactly the validators' powers, and an entry may
//! name a `delegator` whose stake it is. `supply` must equal balances + bonds. Parameters that are
//! not named take their defaults.

mod app_state;
mod consensus;
mod document;
mod read;
mod validators;

use serde::Serialize;

use crate::{
    parameters::Parameters,
    validator_set::Member,
    values::{Address, Amount, AppHash, ChainId, Hash, Height, Moment},
};

/// The most faults that are listed, and the most warnings; all are counted.
pub const FINDINGS_MAX: usize = 1_000;

/// A fault or a warning: where, as a JSON pointer (RFC 6901), and what is the matter there.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, thiserror::Error)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = GenesisFinding))]
#[error("{pointer}: {sentence}")]
pub struct Finding {
    /// Where; empty for the whole document.
    pub pointer: String,
    /// What is the matter.
    pub sentence: String,
}

/// What a check found.
#[derive(Clone, Debug, PartialEq)]
pub struct Report {
    /// What must be put right, at most [`FINDINGS_MAX`].
    pub faults: Vec<Finding>,
    /// How many faults there are.
    pub faults_count: usize,
    /// What was read from the document; none when it has faults.
    pub genesis: Option<Genesis>,
    /// The hash of the document's bytes.
    pub hash: Hash,
    /// Older forms that were upgraded, and what was not read; at most [`FINDINGS_MAX`].
    pub warnings: Vec<Finding>,
}

/// A checked document.
#[derive(Clone, Debug, PartialEq)]
pub struct Genesis {
    /// The application's state before the first block.
    pub app_hash: AppHash,
    /// The chain.
    pub chain_id: ChainId,
    /// The hash of the document's bytes.
    pub hash: Hash,
    /// The first height.
    pub initial_height: Height,
    /// What it says in our own form; otherwise why it cannot begin a chain here.
    pub ours: Result<Ours, String>,
    /// The chain's official beginning.
    pub time: Moment,
}

/// What a document says that can begin a chain here.
#[derive(Clone, Debug, PartialEq)]
pub struct Ours {
    /// How many accounts it has.
    pub accounts: u32,
    /// The accounts' balances.
    pub balances: Vec<(Address, Amount)>,
    /// The sum of all bonds.
    pub bonded: Amount,
    /// What is bonded on whom.
    pub bonds: Vec<Bond>,
    /// The protocol parameters.
    pub parameters: Parameters,
    /// Balances + bonds.
    pub supply: Amount,
    /// The first validators, in CometBFT's order.
    pub validators: Vec<Member>,
    /// The hash of their set.
    pub validators_hash: Hash,
}

/// A stake on a validator.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Bond {
    /// How much.
    pub amount: Amount,
    /// Whose stake it is; none for the validator's own bond.
    pub delegator: Option<Address>,
    /// On whom.
    pub validator: Address,
}

/// Checks a genesis document: reads all of it and reports every fault at once. Older forms are
/// recognised and upgraded with a warning each.
pub fn check(document: &[u8]) -> Report {
    document::check(document)
}
