//! What validators sign: proposals and votes, as CometBFT does.
//!
//! Does not know who may sign, nor what follows from it.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tendermint::{Time, block};
use tendermint_proto::v0_38::types as proto;

use crate::{
    hashes::Parts,
    values::{Address, ChainId, Hash, Height, Moment, PublicKey, Round, Signature},
};

/// Names a block: its header, and the parts it travels in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct BlockId {
    /// The header's hash.
    pub hash: Hash,
    /// What its parts are named by.
    pub parts: Parts,
}

impl BlockId {
    /// As the `tendermint` crate has it.
    pub fn to_tendermint(self) -> block::Id {
        let hash = |hash: Hash| tendermint::Hash::Sha256(*hash.as_bytes());
        let parts = block::parts::Header::new(self.parts.total.get(), hash(self.parts.hash))
            .expect("parts with a hash are counted from 1");
        block::Id { hash: hash(self.hash), part_set_header: parts }
    }

    /// From the `tendermint` crate's; none for that of no block, and for one without parts.
    pub fn from_tendermint(id: &block::Id) -> Option<BlockId> {
        let parts_hash = sha256(id.part_set_header.hash)?;
        let total = id.part_set_header.total.try_into().ok()?;
        let parts = Parts { hash: parts_hash, total };
        Some(BlockId { hash: sha256(id.hash)?, parts })
    }

    /// The protobuf of a block id as Go writes it: that of no block is there, and empty.
    pub(crate) fn raw(id: Option<&BlockId>) -> proto::BlockId {
        id.map_or_else(
            || proto::BlockId { hash: Vec::new(), part_set_header: Some(Default::default()) },
            |id| id.to_tendermint().into(),
        )
    }
}

impl std::fmt::Display for BlockId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} in {} parts {}", self.hash, self.parts.total, self.parts.hash)
    }
}

/// A hash of ours; none for the empty one.
pub(crate) fn sha256(hash: tendermint::Hash) -> Option<Hash> {
    match hash {
        tendermint::Hash::Sha256(bytes) => Some(Hash::from_bytes(bytes)),
        tendermint::Hash::None => None,
    }
}

/// A moment as the `tendermint` crate has it.
pub(crate) fn time(moment: Moment) -> Time {
    let micros = moment.micros();
    let nanos = u32::try_from(micros.rem_euclid(1_000_000) * 1_000).unwrap_or(0);
    Time::from_unix_timestamp(micros.div_euclid(1_000_000), nanos)
        .expect("both end with the year 9999")
}

/// A time without what it has below a microsecond.
pub(crate) fn moment(time: Time) -> Moment {
    let micros = time.unix_timestamp_nanos().div_euclid(1_000);
    Moment::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
}

/// Whether a time has nothing below a microsecond.
pub(crate) fn is_whole(time: Time) -> bool {
    time.unix_timestamp_nanos().rem_euclid(1_000) == 0
}

/// Which of a round's two votes it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum VoteType {
    /// For what the round's proposer proposed.
    Prevote,
    /// To make it final.
    Precommit,
}

impl VoteType {
    /// As the `tendermint` crate has it.
    pub fn to_tendermint(self) -> tendermint::vote::Type {
        match self {
            VoteType::Prevote => tendermint::vote::Type::Prevote,
            VoteType::Precommit => tendermint::vote::Type::Precommit,
        }
    }
}

impl From<tendermint::vote::Type> for VoteType {
    fn from(kind: tendermint::vote::Type) -> VoteType {
        match kind {
            tendermint::vote::Type::Prevote => VoteType::Prevote,
            tendermint::vote::Type::Precommit => VoteType::Precommit,
        }
    }
}

/// A vote, but for the chain and the height it is of.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Vote {
    /// The block that is voted for; none is a vote for nil.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub block_id: Option<BlockId>,
    /// The round.
    pub round: Round,
    /// The voter's signature over [`Vote::sign_bytes`].
    pub signature: Signature,
    /// When the voter signed, by its own clock. What a clock has below a microsecond is cut off
    /// before signing.
    pub timestamp: Moment,
    /// Which of the round's two votes it is.
    #[serde(rename = "type")]
    pub kind: VoteType,
    /// The voter.
    pub validator: Address,
}

impl Vote {
    /// A vote to be signed: its signature is 64 zeros.
    pub fn unsigned(
        kind: VoteType,
        round: Round,
        block_id: Option<BlockId>,
        timestamp: Moment,
        validator: Address,
    ) -> Vote {
        let signature = Signature::from_bytes([0; 64]);
        Vote { block_id, round, signature, timestamp, kind, validator }
    }

    /// What its signature is over.
    pub fn sign_bytes(&self, chain_id: &ChainId, height: Height) -> Vec<u8> {
        let (kind, time) = (self.kind, time(self.timestamp));
        let id = self.block_id.map(BlockId::to_tendermint);
        vote_bytes(chain_id.as_str(), height.value(), self.round, kind, id, time)
    }

    /// Whether its signature is `key`'s, by CometBFT's rule for votes.
    pub fn is_signed_by(&self, key: &PublicKey, chain_id: &ChainId, height: Height) -> bool {
        key.verify_zip215(&self.sign_bytes(chain_id, height), &self.signature)
    }

    /// Whether it says the same, whenever it was signed.
    pub fn agrees_with(&self, other: &Vote) -> bool {
        self.kind == other.kind && self.round == other.round && self.block_id == other.block_id
    }
}

/// CometBFT's sign bytes of a vote: the length-delimited canonical vote.
pub(crate) fn vote_bytes(
    chain_id: &str,
    height: u64,
    round: Round,
    kind: VoteType,
    block_id: Option<block::Id>,
    timestamp: Time,
) -> Vec<u8> {
    let vote = proto::CanonicalVote {
        r#type: kind.to_tendermint().into(),
        height: i64::try_from(height).unwrap_or(i64::MAX),
        round: i64::from(round.value()),
        block_id: block_id.map(Into::into),
        timestamp: Some(timestamp.into()),
        chain_id: chain_id.to_owned(),
    };
    vote.encode_length_delimited_to_vec()
}

/// A proposal, but for the chain and the height it is of; by the proposer of its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Proposal {
    /// The block.
    pub block_id: BlockId,
    /// The earlier round in which more than two thirds prevoted for this block; none for a new
    /// block.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pol_round: Option<Round>,
    /// The round.
    pub round: Round,
    /// The proposer's signature over [`Proposal::sign_bytes`].
    pub signature: Signature,
    /// When the proposer signed, by its own clock.
    pub timestamp: Moment,
}

impl Proposal {
    /// A proposal to be signed: its signature is 64 zeros.
    pub fn unsigned(
        round: Round,
        block_id: BlockId,
        pol_round: Option<Round>,
        timestamp: Moment,
    ) -> Proposal {
        let signature = Signature::from_bytes([0; 64]);
        Proposal { block_id, pol_round, round, signature, timestamp }
    }

    /// What its signature is over: CometBFT's length-delimited canonical proposal.
    pub fn sign_bytes(&self, chain_id: &ChainId, height: Height) -> Vec<u8> {
        let proposal = proto::CanonicalProposal {
            r#type: proto::SignedMsgType::Proposal.into(),
            height: i64::try_from(height.value()).unwrap_or(i64::MAX),
            round: i64::from(self.round.value()),
            pol_round: self.pol_round.map_or(-1, |round| i64::from(round.value())),
            block_id: Some(self.block_id.to_tendermint().into()),
            timestamp: Some(time(self.timestamp).into()),
            chain_id: chain_id.as_str().to_owned(),
        };
        proposal.encode_length_delimited_to_vec()
    }

    /// Whether its signature is `key`'s, by CometBFT's rule for votes.
    pub fn is_signed_by(&self, key: &PublicKey, chain_id: &ChainId, height: Height) -> bool {
        key.verify_zip215(&self.sign_bytes(chain_id, height), &self.signature)
    }

    /// Whether it says the same, whenever it was signed.
    pub fn agrees_with(&self, other: &Proposal) -> bool {
        self.round == other.round
            && self.block_id == other.block_id
            && self.pol_round == other.pol_round
    }
}
