//! What can have happened to a block.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use super::{Fault, Header};
use crate::{
    aggregate,
    commit::Commit,
    values::{Address, ChainId, Hash, Height, Moment, Power, Reason, Round},
    vote::BlockId,
};

/// A fact about a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockEvent))]
pub enum Event {
    /// The block was recorded.
    #[serde(rename = "block-proposed.v1")]
    BlockProposed(Box<BlockProposed>),
    /// Nothing speaks against the block.
    #[serde(rename = "block-validated.v1")]
    BlockValidated(BlockValidated),
    /// Something speaks against the block.
    #[serde(rename = "block-rejected.v1")]
    BlockRejected(BlockRejected),
    /// The block is final.
    #[serde(rename = "block-finalized.v1")]
    BlockFinalized(BlockFinalized),
    /// The block was given up.
    #[serde(rename = "block-abandoned.v1")]
    BlockAbandoned(BlockAbandoned),
}

/// The block was recorded. Its body is kept under its hash.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockProposed {
    /// The block's id: its header's hash and its parts.
    pub block_id: BlockId,
    /// The hash of its body: names the blob.
    pub body: Hash,
    /// The body's length in bytes.
    pub body_bytes: u32,
    /// The chain.
    pub chain_id: ChainId,
    /// How many pieces of evidence it holds.
    pub evidence: u32,
    /// Its header: protobuf `tendermint.types.Header` in base64.
    pub header: Header,
    /// Its height.
    pub height: Height,
    /// Who made it.
    pub proposer: Address,
    /// Its time.
    pub time: Moment,
    /// How many transactions it holds.
    pub transactions: u32,
}

/// Nothing speaks against the block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockValidated {
    /// The block's length in bytes, with its transactions.
    pub bytes: u32,
}

/// Something speaks against the block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockRejected {
    /// Every reason, up to [`super::FAULTS_MAX`].
    pub faults: Vec<Fault>,
    /// How many reasons there are.
    pub faults_count: u32,
}

/// The block is final.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockFinalized {
    /// The commit: protobuf `tendermint.types.Commit` in base64.
    pub commit: Commit,
    /// The round in which it was committed.
    pub round: Round,
    /// The power that signed.
    pub signed_power: Power,
    /// The power of the whole set.
    pub total_power: Power,
}

/// The block was given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockAbandoned {
    /// Why.
    pub reason: Reason,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "block-proposed.v1",
        "block-validated.v1",
        "block-rejected.v1",
        "block-finalized.v1",
        "block-abandoned.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::BlockProposed(_) => "block-proposed.v1",
            Event::BlockValidated(_) => "block-validated.v1",
            Event::BlockRejected(_) => "block-rejected.v1",
            Event::BlockFinalized(_) => "block-finalized.v1",
            Event::BlockAbandoned(_) => "block-abandoned.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::BlockProposed(data) => data.serialize(serializer),
            Event::BlockValidated(data) => data.serialize(serializer),
            Event::BlockRejected(data) => data.serialize(serializer),
            Event::BlockFinalized(data) => data.serialize(serializer),
            Event::BlockAbandoned(data) => data.serialize(serializer),
        }
    }
}
