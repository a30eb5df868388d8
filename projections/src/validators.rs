//! Validators as they are now: one row for each.
//!
//! Does not know who staked on them (`delegations`), nor which of them form a set
//! (`validator_sets`).

mod fold;
mod read;

pub use fold::Validators;
pub use read::{by_keys, by_moniker, get, list};

use std::str::FromStr;

use domain::{
    validator::StandingName,
    values::{
        Address, Amount, Bps, ChainId, Contact, Epoch, Moment, Moniker, Operator, Power, PublicKey,
        Reason, Reservation, Website,
    },
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, PageError},
};

/// The projection's name.
pub const NAME: &str = "validators";

/// A validator as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidatorRow)]
pub struct Validator {
    /// Its address.
    pub address: Address,
    /// The chain it validates.
    pub chain_id: ChainId,
    /// Who runs it.
    pub operator: Operator,
    /// Its consensus key.
    pub public_key: PublicKey,
    /// The name it shows.
    pub moniker: Moniker,
    /// Where it introduces itself.
    pub website: Option<Website>,
    /// How its people can be reached.
    pub contact: Option<Contact>,
    /// Its share of what its delegators earn.
    pub commission_bps: Bps,
    /// What it is.
    pub standing: StandingName,
    /// Its own bond.
    pub bond: Amount,
    /// The sum of all delegations.
    pub delegated: Amount,
    /// Own bond + delegations.
    pub stake: Amount,
    /// The voting power its stake gives.
    pub power: Power,
    /// Its reputation.
    pub reputation: u32,
    /// Why it is in jail; absent when it is not.
    pub jail_reason: Option<Reason>,
    /// Before this moment it cannot come back from jail; absent when it is not there.
    pub jailed_until: Option<Moment>,
    /// Before this epoch it cannot be activated.
    pub quarantined_until: Epoch,
    /// The epoch from which its exit can be completed; absent when it is not exiting.
    pub exit_matures: Option<Epoch>,
    /// How many offences were punished.
    pub slashes: u32,
    /// Everything that was burned for them.
    pub burned: Amount,
    /// The last epoch whose duties were counted.
    pub last_performance: Option<Epoch>,
    /// Blocks it proposed in that epoch.
    pub proposed: Option<u32>,
    /// Heights it signed in that epoch.
    pub signed: Option<u32>,
    /// Heights it should have signed in that epoch and did not.
    pub missed: Option<u32>,
    /// The stake that was set aside for its registration.
    pub reservation: Option<Reservation>,
    /// When it registered, the last time if it did so more than once.
    pub registered_at: Moment,
    /// The position of that registration.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "12")]
    pub registered_position: u64,
    /// The version of its stream.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When the newest event of its stream happened.
    pub updated_at: Moment,
    /// The position of that event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// Which validators are wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Filter {
    /// Of this chain.
    pub chain_id: Option<ChainId>,
    /// That are this now.
    pub standing: Option<StandingName>,
    /// Of this operator.
    pub operator: Option<Operator>,
}

/// In which order validators are listed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// By power, the greatest first.
    #[default]
    Power,
    /// By reputation, the greatest first.
    Reputation,
    /// By moniker.
    Moniker,
    /// By registration, the newest first.
    Newest,
    /// By address.
    Address,
}

impl Sort {
    /// The names of all orders, as in requests.
    pub const NAMES: &'static [&'static str] =
        &["power", "reputation", "moniker", "newest", "address"];

    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Sort::Power => "power",
            Sort::Reputation => "reputation",
            Sort::Moniker => "moniker",
            Sort::Newest => "newest",
            Sort::Address => "address",
        }
    }

    const fn list(self) -> &'static str {
        match self {
            Sort::Power => "validators/power",
            Sort::Reputation => "validators/reputation",
            Sort::Moniker => "validators/moniker",
            Sort::Newest => "validators/newest",
            Sort::Address => "validators/address",
        }
    }
}

impl FromStr for Sort {
    type Err = PageError;

    fn from_str(name: &str) -> Result<Sort, PageError> {
        match name {
            "power" => Ok(Sort::Power),
            "reputation" => Ok(Sort::Reputation),
            "moniker" => Ok(Sort::Moniker),
            "newest" => Ok(Sort::Newest),
            "address" => Ok(Sort::Address),
            other => Err(PageError::Order { found: other.to_owned(), names: Sort::NAMES }),
        }
    }
}

impl Validator {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, sort: Sort) -> Cursor {
        let address = self.address.to_string();
        let key = match sort {
            Sort::Power => vec![self.power.to_string(), address],
            Sort::Reputation => vec![self.reputation.to_string(), address],
            Sort::Moniker => vec![self.moniker.to_string(), address],
            Sort::Newest => vec![self.registered_position.to_string()],
            Sort::Address => vec![address],
        };
        Cursor::new(sort.list(), key)
    }
}
