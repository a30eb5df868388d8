//! Heights of our own chain: their rounds, the votes in them, and who contradicted themselves.
//!
//! Does not count votes: what came of them is said by events of their own.

mod fold;
mod read;

pub use fold::Heights;
pub use read::{get, leaderboard, list};

use domain::{
    consensus::Failure,
    values::{Address, ChainId, Hash, Height, Moment, Power, Round},
    vote::VoteType,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    columns,
    page::{Cursor, Order},
};

/// The projection's name.
pub const NAME: &str = "heights";

/// A height.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = HeightRow)]
pub struct HeightAgreed {
    /// The chain.
    pub chain_id: ChainId,
    /// The height.
    pub height: Height,
    /// How many validators vote.
    pub validators: u32,
    /// Their power.
    pub total_power: Power,
    /// What the header names their set by.
    pub validators_hash: Hash,
    /// The newest round.
    pub round: Round,
    /// When the height started.
    pub started_at: Moment,
    /// The block that was agreed on.
    pub block_hash: Option<Hash>,
    /// The round in which it was.
    pub committed_round: Option<Round>,
    /// When it was.
    pub committed_at: Option<Moment>,
    /// How long that took from the height's start, in milliseconds.
    #[serde(serialize_with = "columns::optional_decimal")]
    #[schema(value_type = Option<String>, example = "42")]
    pub took_ms: Option<u64>,
}

/// A round of a height.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = RoundRow)]
pub struct RoundHeld {
    /// Its number.
    pub round: Round,
    /// Who proposes in it.
    pub proposer: Address,
    /// When it began.
    pub started_at: Moment,
    /// What was proposed.
    pub block_hash: Option<Hash>,
    /// When it was.
    pub proposed_at: Option<Moment>,
    /// Whether more than two thirds of the power prevoted for the same.
    pub polka: bool,
    /// Why it came to nothing.
    pub failed: Option<Failure>,
}

/// A vote.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = VoteRow)]
pub struct VoteGiven {
    /// The round.
    pub round: Round,
    /// Which vote it is.
    #[serde(rename = "type")]
    pub kind: VoteType,
    /// Who voted.
    pub validator: Address,
    /// For which block; none for nil.
    pub block_hash: Option<Hash>,
    /// When they say they signed it.
    pub signed_at: Moment,
    /// When it was recorded.
    pub recorded_at: Moment,
}

/// Somebody signed two messages that exclude each other.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct EquivocationFound {
    /// The position of the event that says so.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// The round.
    pub round: Round,
    /// Who signed.
    pub validator: Address,
    /// What was said twice: `proposal`, `prevote` or `precommit`.
    #[schema(example = "prevote")]
    pub kind: String,
    /// When it was found.
    pub detected_at: Moment,
}

/// A height with everything that was said at it.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct HeightInFull {
    /// The height.
    #[serde(flatten)]
    pub height: HeightAgreed,
    /// Its rounds, in order.
    pub rounds: Vec<RoundHeld>,
    /// The votes, by round, type and validator.
    pub votes: Vec<VoteGiven>,
    /// Who contradicted themselves.
    pub equivocations: Vec<EquivocationFound>,
}

/// How a validator did its duties at the newest heights.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Duties {
    /// The validator.
    pub validator: Address,
    /// How many heights it was there for: those from the first at which it voted or had its turn.
    pub heights: u32,
    /// At how many of them its precommit was for the block that was agreed on.
    pub signed: u32,
    /// At how many it was not.
    pub missed: u32,
    /// How many blocks that were agreed on it proposed.
    pub proposed: u32,
    /// How many rounds that it was to propose in came to nothing.
    pub failed_rounds: u32,
    /// How many times it contradicted itself.
    pub equivocations: u32,
}

/// Validators by how they did their duties: who signed most comes first, then who proposed most.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct Leaderboard {
    /// At most a hundred.
    pub items: Vec<Duties>,
}

const fn list_name(order: Order) -> &'static str {
    match order {
        Order::Newest => "heights/newest",
        Order::Oldest => "heights/oldest",
    }
}

impl HeightAgreed {
    /// Where this row stands in a list of this order.
    pub fn cursor(&self, order: Order) -> Cursor {
        Cursor::new(list_name(order), vec![self.height.to_string()])
    }
}
