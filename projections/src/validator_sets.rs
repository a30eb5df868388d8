//! Validator sets, epoch by epoch, with their members.
//!
//! Does not know how members came by their power (`validators`), nor the sets of observed chains,
//! whose headers name theirs by hash.

mod fold;
mod read;

pub use fold::ValidatorSets;
pub use read::{by_keys, current, current_of, get, list, members};

use domain::values::{Address, ChainId, Epoch, Hash, Moment, Power, PublicKey};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Numbered, Order},
};

/// The projection's name.
pub const NAME: &str = "validator_sets";

/// The validator set of an epoch.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidatorSetRow)]
pub struct ValidatorSet {
    /// The chain.
    pub chain_id: ChainId,
    /// The epoch the set is for.
    pub epoch: Epoch,
    /// What a header names the set by.
    pub set_hash: Hash,
    /// The power of all members.
    pub total_power: Power,
    /// How many members it has.
    pub members: u32,
    /// Who was not in the set before.
    pub joined: Vec<Address>,
    /// Who is no longer in the set.
    pub left: Vec<Address>,
    /// When it was chosen.
    pub rotated_at: Moment,
    /// The version of its stream after it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// The position of the event that chose it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// A member of a set.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ValidatorSetMember)]
pub struct Member {
    /// Its place in CometBFT's order, from 1: by power, the greatest first, then by address.
    pub place: u32,
    /// Its address.
    pub address: Address,
    /// Its voting power.
    pub power: Power,
    /// Its consensus key.
    pub public_key: PublicKey,
}

const fn sets_by(order: Order) -> Numbered {
    Numbered { list: "validator_sets", column: "epoch", order }
}

const MEMBERS: Numbered =
    Numbered { list: "validator_set_members", column: "place", order: Order::Oldest };

impl ValidatorSet {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        sets_by(order).cursor(self.epoch.value())
    }
}

impl Member {
    /// Where this row stands in the list of its set's members.
    pub fn cursor(&self) -> Cursor {
        MEMBERS.cursor(self.place.into())
    }
}
