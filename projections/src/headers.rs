//! Headers of observed chains, and headers that failed verification.
//!
//! Does not hold the headers' protobuf: the event at a row's position does.

mod fold;
mod history;
mod read;

pub use fold::Headers;
pub use history::{history, history_of_hash};
pub use read::{by_hash, by_keys, get, list, rejections};

use domain::{
    chain::Verification,
    values::{Address, AppHash, ChainId, Epoch, Hash, Height, Moment, Power, Round},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Numbered, Order},
};

/// The projection's name.
pub const NAME: &str = "headers";

/// What a header is to its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HeaderState {
    /// The chain's header of this height.
    Recorded,
    /// The other header of an open fork.
    Conflicting,
    /// It lost a fork, or follows one that did.
    Abandoned,
}

impl HeaderState {
    /// Its name.
    pub const fn as_str(self) -> &'static str {
        match self {
            HeaderState::Recorded => "recorded",
            HeaderState::Conflicting => "conflicting",
            HeaderState::Abandoned => "abandoned",
        }
    }
}

/// A header.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HeaderRow)]
pub struct Header {
    /// The chain.
    pub chain_id: ChainId,
    /// Its height.
    pub height: Height,
    /// Its hash.
    pub hash: Hash,
    /// What it is to its chain.
    pub state: HeaderState,
    /// Its time, microseconds.
    pub time: Moment,
    /// What its time has below a microsecond, in nanoseconds.
    pub time_nanos: u16,
    /// Who proposed the block.
    pub proposer: Address,
    /// The round in which it was committed.
    pub round: Round,
    /// The application's state before this block.
    pub app_hash: AppHash,
    /// The root of the block's transactions.
    pub data_hash: Option<Hash>,
    /// The hash of the block before.
    pub last_block_hash: Option<Hash>,
    /// The hash of the set that signed this header.
    pub validators_hash: Hash,
    /// The hash of the set that signs the next header.
    pub next_validators_hash: Hash,
    /// The power that signed; absent when it is only known from a fork.
    pub signed_power: Option<Power>,
    /// The power of the whole set.
    pub total_power: Power,
    /// How it came to be trusted; absent when it is only known from a fork.
    pub verification: Option<Verification>,
    /// The epoch whose stream holds it.
    pub epoch: Epoch,
    /// The position of the event that holds it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// When it was recorded.
    pub observed_at: Moment,
}

/// A header that failed verification.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Rejection {
    /// The position of the event that says so.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// The chain.
    pub chain_id: ChainId,
    /// The header's height.
    pub height: Height,
    /// The header's hash.
    pub hash: Hash,
    /// SHA-256 of its protobuf with the commit.
    pub signed_header_hash: Hash,
    /// The fault's code.
    #[schema(example = "signature-invalid")]
    pub code: String,
    /// What is wrong, as a sentence.
    pub reason: String,
    /// When it was rejected.
    pub rejected_at: Moment,
}

/// Which headers are wanted.
#[derive(Clone, Debug, PartialEq)]
pub struct Filter {
    /// Of this chain.
    pub chain_id: ChainId,
    /// That are this to the chain; absent for all.
    pub state: Option<HeaderState>,
    /// Proposed by this validator.
    pub proposer: Option<Address>,
    /// From this height on.
    pub from_height: Option<Height>,
    /// Up to this height.
    pub to_height: Option<Height>,
}

impl Filter {
    /// The recorded headers of a chain.
    pub fn of(chain_id: ChainId) -> Filter {
        let state = Some(HeaderState::Recorded);
        Filter { chain_id, state, proposer: None, from_height: None, to_height: None }
    }
}

const fn list_name(order: Order) -> &'static str {
    match order {
        Order::Newest => "headers/newest",
        Order::Oldest => "headers/oldest",
    }
}

const fn rejections_by(order: Order) -> Numbered {
    Numbered { list: "rejections", column: "position", order }
}

impl Header {
    /// Where this row stands in a list of this order: newest is the greatest height first.
    pub fn cursor(&self, order: Order) -> Cursor {
        Cursor::new(list_name(order), vec![self.height.to_string(), self.hash.to_string()])
    }
}

impl Rejection {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        rejections_by(order).cursor(self.position)
    }
}
