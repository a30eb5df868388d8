//! Stake: each validator's own bond, who has delegated how much to whom, and what is on its way
//! out.
//!
//! Does not know what validators do with it (`validators`).

mod fold;
mod read;
mod save;

pub use fold::Delegations;
pub use read::{bond, bonds_by_keys, first_of_many, get, list, unbondings};

use domain::values::{Address, Amount, ChainId, Epoch, Moment, Power};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{columns, page::Cursor};

/// The projection's name.
pub const NAME: &str = "delegations";

/// A validator's stake.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Bond {
    /// The validator.
    pub validator: Address,
    /// The chain it validates.
    pub chain_id: ChainId,
    /// Its own bond.
    pub bond: Amount,
    /// The sum of all delegations.
    pub delegated: Amount,
    /// Own bond + delegations.
    pub stake: Amount,
    /// The voting power the stake gives.
    pub power: Power,
    /// When it changed last.
    pub updated_at: Moment,
    /// The position of the event that changed it last.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// What somebody has staked on a validator.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = DelegationRow)]
pub struct Delegation {
    /// The validator.
    pub validator: Address,
    /// Whose stake it is.
    pub delegator: Address,
    /// How much.
    pub delegation: Amount,
    /// Since when there has been any.
    pub since: Moment,
    /// When it changed last.
    pub updated_at: Moment,
    /// The position of the event that changed it last.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// Stake on its way out: what began to unbond in one epoch and matures in one epoch is one entry
/// for each owner.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = UnbondingRow)]
pub struct Unbonding {
    /// The validator.
    pub validator: Address,
    /// Whose stake it is; absent for the validator's own bond.
    pub delegator: Option<Address>,
    /// The epoch in which it began.
    pub started: Epoch,
    /// The epoch in which it is released.
    pub matures: Epoch,
    /// How much.
    pub amount: Amount,
    /// When it changed last.
    pub updated_at: Moment,
    /// The position of the event that changed it last.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// Whose stake is wanted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Filter {
    /// All that is staked on a validator: delegations by size, the greatest first.
    Validator(Address),
    /// All that somebody has staked: delegations by validator.
    Delegator(Address),
}

impl Filter {
    const fn list(self) -> &'static str {
        match self {
            Filter::Validator(_) => "delegations/validator",
            Filter::Delegator(_) => "delegations/delegator",
        }
    }

    const fn unbondings(self) -> &'static str {
        match self {
            Filter::Validator(_) => "unbondings/validator",
            Filter::Delegator(_) => "unbondings/delegator",
        }
    }
}

impl Delegation {
    /// Where this row stands in the list of this filter.
    pub fn cursor(&self, filter: Filter) -> Cursor {
        let key = match filter {
            Filter::Validator(_) => vec![self.delegation.to_string(), self.delegator.to_string()],
            Filter::Delegator(_) => vec![self.validator.to_string()],
        };
        Cursor::new(filter.list(), key)
    }
}

impl Unbonding {
    /// Where this row stands in the list of this filter: by maturity.
    pub fn cursor(&self, filter: Filter) -> Cursor {
        let last = match filter {
            Filter::Validator(_) => {
                self.delegator.map(|delegator| delegator.to_string()).unwrap_or_default()
            }
            Filter::Delegator(_) => self.validator.to_string(),
        };
        let key = vec![self.matures.to_string(), self.started.to_string(), last];
        Cursor::new(filter.unbondings(), key)
    }
}
