//! Accounts of our own chain as the last executed block left them, and what they have at stake.
//!
//! Does not execute: every entry that changed is attached to the event that says so. Does not know
//! what waits.

mod fold;
mod read;

pub use fold::Accounts;
pub use read::{get, list};

use domain::values::{Address, Amount, Epoch, Nonce};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{columns, page::Cursor};

/// The projection's name.
pub const NAME: &str = "accounts";

/// How something is at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum StakeKind {
    /// A validator's own bond.
    Bond,
    /// Somebody's stake on a validator.
    Delegation,
    /// On its way back to its owner.
    Unbonding,
}

impl StakeKind {
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            StakeKind::Bond => "bond",
            StakeKind::Delegation => "delegation",
            StakeKind::Unbonding => "unbonding",
        }
    }
}

/// An account.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = AccountRow)]
pub struct Account {
    /// Whose it is.
    pub address: Address,
    /// What it can spend.
    pub balance: Amount,
    /// The nonce of its next transaction: how many were executed.
    pub nonce: Nonce,
    /// The height that changed it last; 0 for the genesis document.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub height: u64,
}

/// Something an account has at stake.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = StakeRow)]
pub struct Stake {
    /// How.
    pub kind: StakeKind,
    /// With which validator.
    pub validator: Address,
    /// How much.
    pub amount: Amount,
    /// Of what is on its way back: at the first height of this epoch it is there.
    pub matures: Option<Epoch>,
}

/// An account with what it has at stake.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccountWithStakes {
    /// The account.
    #[serde(flatten)]
    pub account: Account,
    /// What it has at stake, at most a hundred entries.
    pub stakes: Vec<Stake>,
}

const LIST: &str = "accounts/balance";

impl Account {
    /// Where this row stands in the list of accounts: the greatest balance first.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(LIST, vec![self.balance.to_string(), self.address.to_string()])
    }
}
