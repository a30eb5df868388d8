//! Chains as they are now, our own and observed ones: the head, the epoch, the open fork; and all
//! forks.
//!
//! Does not know the headers behind the head (`headers`).

mod fold;
mod read;

pub use fold::Chains;
pub use read::{by_keys, forks, get, history, list};

use domain::{
    chain::Kind,
    parameters::{self, Parameters},
    values::{Address, Amount, AppHash, ChainId, Epoch, Hash, Height, Moment, Reason},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Numbered, Order},
};

/// The projection's name.
pub const NAME: &str = "chains";

/// A chain as it is now.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ChainRow)]
pub struct Chain {
    /// The chain.
    pub chain_id: ChainId,
    /// Whether we execute it or observe it.
    pub kind: Kind,
    /// The stream of the epoch opened last.
    #[schema(example = "chain-node0-local-0")]
    pub stream: String,
    /// The version of that stream.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// The epoch opened last.
    pub epoch: Epoch,
    /// Whether that epoch's books are closed.
    pub closed: bool,
    /// The head's height; absent before the first recorded header.
    pub height: Option<Height>,
    /// The head's hash.
    pub hash: Option<Hash>,
    /// The head's time.
    pub time: Option<Moment>,
    /// The hash of the set that signs the header after the head.
    pub next_validators_hash: Option<Hash>,
    /// How many headers were verified and recorded, those included that a fork abandoned later.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "256")]
    pub headers_observed: u64,
    /// How many headers failed verification.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "0")]
    pub headers_rejected: u64,
    /// How a foreign chain is observed; absent for our own.
    pub observation: Option<Observation>,
    /// What the genesis document of our own chain said; absent for foreign ones.
    pub genesis: Option<Genesis>,
    /// Other protocol parameters than those of genesis, each from an epoch's first height on.
    pub parameter_changes: Vec<parameters::Change>,
    /// The fork that must be resolved; absent when there is none.
    pub fork: Option<OpenFork>,
    /// When it was first heard of.
    pub started_at: Moment,
    /// When the newest event of the chain happened.
    pub updated_at: Moment,
    /// The position of that event.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
}

/// How a foreign chain is observed.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Observation {
    /// The height at which it began.
    pub anchor_height: Height,
    /// The hash of the header that was trusted then.
    pub anchor_hash: Hash,
    /// How many heights go into one stream.
    pub epoch_headers: u32,
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u32,
}

/// What a genesis document said.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Genesis {
    /// The hash of the document's bytes.
    pub genesis_hash: Hash,
    /// The chain's official beginning.
    pub genesis_time: Moment,
    /// Its first height.
    pub initial_height: Height,
    /// How many accounts it has.
    pub accounts: u32,
    /// How many validators it has.
    pub validators: u32,
    /// What the first header names their set by.
    pub validators_hash: Hash,
    /// The application's state before the first block.
    pub app_hash: AppHash,
    /// The sum of all bonds.
    pub bonded: Amount,
    /// Balances + bonds.
    pub supply: Amount,
    /// The protocol parameters it begins with.
    pub parameters: Parameters,
}

/// A fork that must be resolved.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct OpenFork {
    /// The height.
    pub height: Height,
    /// The hash of the header that is recorded.
    pub recorded: Hash,
    /// The hash of the other one.
    pub conflicting: Hash,
    /// When it was detected.
    pub detected_at: Moment,
}

/// A fork, open or resolved.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Fork {
    /// The position of the event that detected it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// The chain.
    pub chain_id: ChainId,
    /// The height.
    pub height: Height,
    /// The hash of the header that was recorded.
    pub recorded: Hash,
    /// The hash of the other one.
    pub conflicting: Hash,
    /// Who signed both.
    pub culprits: Vec<Address>,
    /// When it was detected.
    pub detected_at: Moment,
    /// The hash of the one that was kept; absent until it is resolved.
    pub kept: Option<Hash>,
    /// Why that one.
    pub reason: Option<Reason>,
    /// When it was resolved.
    pub resolved_at: Option<Moment>,
}

impl Chain {
    /// Where this row stands in the list of chains.
    pub fn cursor(&self) -> Cursor {
        Cursor::new(LIST, vec![self.chain_id.to_string()])
    }
}

impl Fork {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        forks_by(order).cursor(self.position)
    }
}

const LIST: &str = "chains/chain_id";

const fn forks_by(order: Order) -> Numbered {
    Numbered { list: "forks", column: "position", order }
}
