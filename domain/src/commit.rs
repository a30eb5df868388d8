//! A commit: the precommits by which a block became final, as CometBFT has it.
//!
//! Does not know which block is final: it only says what was signed.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tendermint::{
    Time,
    block::{self, CommitSig},
};
use tendermint_proto::v0_38::types as proto;

use crate::{
    hashes,
    light::{self, ParseFault, Tally, ValidatorSet},
    values::{ChainId, Hash, Height, Moment, Round, Signature},
    vote::{BlockId, Vote, moment, time},
};

/// The precommits for a block, one entry for each validator in the set's order. Cheap to clone. Its
/// JSON is the base64 of the protobuf `tendermint.types.Commit`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    inner: Arc<block::Commit>,
    block_id: BlockId,
    height: Height,
    round: Round,
}

impl Commit {
    /// Takes a commit; refuses one for no block.
    pub fn new(commit: block::Commit) -> Result<Commit, ParseFault> {
        let block_id = BlockId::from_tendermint(&commit.block_id)
            .ok_or_else(|| ParseFault::new("/block_id", "the commit is for no block".to_owned()))?;
        let height = Height::new(commit.height.value())
            .map_err(|fault| ParseFault::new("/height", fault.to_string()))?;
        let round = Round::try_from(commit.round.value())
            .map_err(|fault| ParseFault::new("/round", fault.to_string()))?;
        Ok(Commit { inner: Arc::new(commit), block_id, height, round })
    }

    /// The commit for a block, of the precommits of a round: `votes` holds one for each validator
    /// in the set's order, where there is one. A vote for nil is an entry, too; one for another
    /// block is none.
    pub(crate) fn of<'v>(
        block_id: BlockId,
        height: Height,
        round: Round,
        votes: impl Iterator<Item = Option<&'v Vote>>,
    ) -> Commit {
        let entry = |vote: Option<&Vote>| {
            let Some(vote) = vote else { return CommitSig::BlockIdFlagAbsent };
            let validator_address = tendermint::account::Id::new(*vote.validator.as_bytes());
            let timestamp = time(vote.timestamp);
            let signature = signature(vote.signature);
            match vote.block_id {
                Some(id) if id == block_id => {
                    CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature }
                }
                Some(_) => CommitSig::BlockIdFlagAbsent,
                None => CommitSig::BlockIdFlagNil { validator_address, timestamp, signature },
            }
        };
        let inner = block::Commit {
            height: tendermint_height(height),
            round: tendermint_round(round),
            block_id: block_id.to_tendermint(),
            signatures: votes.map(entry).collect(),
        };
        Commit { inner: Arc::new(inner), block_id, height, round }
    }

    /// Reads the protobuf `tendermint.types.Commit`.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Commit, ParseFault> {
        let raw = proto::Commit::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not a commit: {fault}")))?;
        Commit::from_raw(raw)
    }

    pub(crate) fn from_raw(raw: proto::Commit) -> Result<Commit, ParseFault> {
        let commit = block::Commit::try_from(raw)
            .map_err(|fault| ParseFault::new("", format!("not a commit: {}", fault.detail())))?;
        Commit::new(commit)
    }

    pub(crate) fn raw(&self) -> proto::Commit {
        (*self.inner).clone().into()
    }

    /// The protobuf `tendermint.types.Commit`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.raw().encode_to_vec()
    }

    /// The commit as the `tendermint` crate has it.
    pub fn commit(&self) -> &block::Commit {
        &self.inner
    }

    /// The block it is for.
    pub fn block_id(&self) -> BlockId {
        self.block_id
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The round in which it became final.
    pub fn round(&self) -> Round {
        self.round
    }

    /// What the next header names its entries by.
    pub fn hash(&self) -> Hash {
        hashes::commit_hash(&self.inner)
    }

    /// Whether `set` committed its block on this chain, by the rules of [`light::verify_commit`].
    pub fn verify(&self, chain_id: &ChainId, set: &ValidatorSet) -> Result<Tally, light::Fault> {
        light::verify_entries(chain_id, &self.inner, set)
    }

    /// The time of the next block: the median of the entries' times, weighted by power, without
    /// what it has below a microsecond. A third of the power cannot move it beyond what others
    /// signed. None when nobody of `set` signed.
    pub fn median_time(&self, set: &ValidatorSet) -> Option<Moment> {
        weighted_median(self.times(set)).map(moment)
    }

    /// When whom of `set` signed, with their power.
    fn times(&self, set: &ValidatorSet) -> Vec<(Time, u64)> {
        let validators = set.set().validators();
        let time = |entry: &CommitSig| match entry {
            CommitSig::BlockIdFlagAbsent => None,
            CommitSig::BlockIdFlagCommit { validator_address, timestamp, .. }
            | CommitSig::BlockIdFlagNil { validator_address, timestamp, .. } => {
                let voter = validators.iter().find(|v| v.address == *validator_address)?;
                Some((*timestamp, voter.power()))
            }
        };
        self.inner.signatures.iter().filter_map(time).collect()
    }
}

/// The first time at which half of the weight has passed, as CometBFT's `WeightedMedian` counts.
pub fn weighted_median(mut times: Vec<(Time, u64)>) -> Option<Time> {
    let total: u64 = times.iter().map(|(_, weight)| *weight).fold(0, u64::saturating_add);
    let mut left = total / 2;
    times.sort_by_key(|(time, _)| *time);
    for (time, weight) in times {
        if left <= weight {
            return Some(time);
        }
        left -= weight;
    }
    None
}

pub(crate) fn signature(signature: Signature) -> Option<tendermint::Signature> {
    // Only one that is empty or too long is none.
    tendermint::Signature::new(signature.as_bytes().as_slice()).ok().flatten()
}

pub(crate) fn tendermint_height(height: Height) -> block::Height {
    block::Height::try_from(height.value()).expect("both end at 2^63 - 1")
}

pub(crate) fn tendermint_round(round: Round) -> block::Round {
    block::Round::try_from(round.value()).expect("both end at 2^31 - 1")
}

impl Serialize for Commit {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_protobuf()))
    }
}

impl<'de> Deserialize<'de> for Commit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Commit, D::Error> {
        let bytes = light::bytes_from_base64(deserializer)?;
        Commit::from_protobuf(&bytes).map_err(de::Error::custom)
    }
}
