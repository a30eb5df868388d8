//! What a block came to, and its bytes.
//!
//! Does not know how it came about.

use serde::{Deserialize, Serialize};

use super::{Entry, Receipt};
use crate::values::{Address, Amount, Hash, Height};

/// What a block came to: enough to follow the state without executing anything. Members are
/// declared in alphabetical order: what serde writes is canonical.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Execution {
    /// What was burned, and why, in the order of the evidence.
    pub burns: Vec<Burn>,
    /// Every entry that changed, as it is now, in the order of their keys. One that holds nothing
    /// is no longer there.
    pub changed: Vec<Entry>,
    /// The fees that the proposer was given.
    pub fees: Amount,
    /// The block's height.
    pub height: Height,
    /// One for each transaction, in the order of the block.
    pub receipts: Vec<Receipt>,
    /// The receipts' root: what the next header names as the last results.
    pub receipts_root: Hash,
    /// The stake that returned to its owners, in the order of validators and maturity.
    pub releases: Vec<Release>,
    /// The state's root: what the next header names as the application's state.
    pub state_root: Hash,
}

/// Stake that was burned for an equivocation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Burn {
    /// Of the validator's own bond.
    pub bond: Amount,
    /// Of delegations.
    pub delegated: Amount,
    /// The hash of the evidence.
    pub evidence: Hash,
    /// The height at which it happened.
    pub height: Height,
    /// Of what was on its way out.
    pub unbonding: Amount,
    /// Whose offence it was.
    pub validator: Address,
}

/// Stake that returned to its owner.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Release {
    /// How much.
    pub amount: Amount,
    /// Whose balance it is now.
    pub owner: Address,
    /// With whom it was staked.
    pub validator: Address,
}

impl Execution {
    /// Its bytes: canonical JSON. Their hash names them in `block-applied.v1`, and their form is
    /// that event's: another form is another version of it.
    pub fn bytes(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("texts and numbers can always be written")
    }

    /// Reads the bytes back.
    pub fn from_bytes(bytes: &[u8]) -> Result<Execution, serde_json::Error> {
        serde_json::from_slice(bytes)
    }
}
