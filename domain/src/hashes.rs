//! The hashes by which a CometBFT header names what belongs to its block.
//!
//! Does not know the block: each hash is a function of what it names. A validator set's hash is
//! [`crate::light::ValidatorSet::hash`], a header is hashed by the `tendermint` crate.

use std::num::NonZeroU32;

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tendermint::{crypto::default::Sha256, merkle};
use tendermint_proto::v0_38::{abci, types as proto};

use crate::{evidence::Evidence, values::Hash};

/// The bytes of each part a block is cut into, but for the last.
pub const PART_BYTES: usize = 65_536;

/// The Merkle root (RFC 6962) of leaves in their order; of none, the hash of nothing.
pub fn root<L: AsRef<[u8]>>(leaves: &[L]) -> Hash {
    Hash::from_bytes(merkle::simple_hash_from_byte_vectors::<Sha256>(leaves))
}

/// That a leaf is under a root: its hash, and the hashes beside its way up, the lowest first
/// (RFC 6962, section 2.1.1).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inclusion {
    /// The hashes beside the way.
    pub aunts: Vec<Hash>,
    /// The leaf's hash.
    pub leaf: Hash,
}

/// Proves that a leaf is under [`root`]; none when there is no such leaf.
pub fn inclusion<L: AsRef<[u8]>>(leaves: &[L], index: usize) -> Option<Inclusion> {
    let leaf = root(&[leaves.get(index)?]);
    let mut aunts = Vec::new();
    let (mut under, mut index) = (leaves, index);
    while under.len() > 1 {
        // The left part is the largest power of two that leaves something on the right.
        let (left, right) = under.split_at(under.len().next_power_of_two() / 2);
        if index < left.len() {
            aunts.push(root(right));
            under = left;
        } else {
            aunts.push(root(left));
            index -= left.len();
            under = right;
        }
    }
    aunts.reverse();
    Some(Inclusion { aunts, leaf })
}

/// What a header names the block's transactions by: the root of their hashes in order.
pub fn data_hash(transactions: &[Hash]) -> Hash {
    root(&transactions.iter().map(Hash::as_bytes).collect::<Vec<_>>())
}

/// What a header names the block's evidence by: the root of its bytes in order.
pub fn evidence_hash(evidence: &[Evidence]) -> Hash {
    root(&evidence.iter().map(Evidence::to_protobuf).collect::<Vec<_>>())
}

/// What a header names the entries of the last commit by.
pub fn commit_hash(commit: &tendermint::block::Commit) -> Hash {
    let entries = commit.signatures.iter().cloned();
    root(&entries.map(|entry| proto::CommitSig::from(entry).encode_to_vec()).collect::<Vec<_>>())
}

/// What a header names the limits of a block by (CometBFT's `HashedParams`): gas -1 is no limit.
pub fn consensus_hash(block_bytes_max: i64, block_gas_max: i64) -> Hash {
    let hashed =
        proto::HashedParams { block_max_bytes: block_bytes_max, block_max_gas: block_gas_max };
    Hash::of(&hashed.encode_to_vec())
}

/// What everybody who executes a transaction must agree about: CometBFT's `ExecTxResult` without
/// what may differ.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ExecutionResult {
    /// 0 when it succeeded.
    pub code: u32,
    /// What it answers.
    pub data: Vec<u8>,
    /// What it was allowed to use.
    pub gas_wanted: i64,
    /// What it used.
    pub gas_used: i64,
}

/// What the next header names the results of a block's transactions by.
pub fn results_hash(results: &[ExecutionResult]) -> Hash {
    let bytes = |result: &ExecutionResult| {
        let raw = abci::ExecTxResult {
            code: result.code,
            data: result.data.clone().into(),
            gas_wanted: result.gas_wanted,
            gas_used: result.gas_used,
            ..Default::default()
        };
        raw.encode_to_vec()
    };
    root(&results.iter().map(bytes).collect::<Vec<_>>())
}

/// What a block's parts are named by.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Parts {
    /// The root of the parts in order.
    pub hash: Hash,
    /// How many there are.
    #[cfg_attr(feature = "schema", schema(value_type = u32, minimum = 1))]
    pub total: NonZeroU32,
}

impl Parts {
    /// The parts of a block with these bytes. Nothing is one empty part.
    pub fn of(bytes: &[u8]) -> Parts {
        let mut parts: Vec<&[u8]> = bytes.chunks(PART_BYTES).collect();
        if parts.is_empty() {
            parts.push(bytes);
        }
        let total = u32::try_from(parts.len()).unwrap_or(u32::MAX);
        Parts { hash: root(&parts), total: NonZeroU32::new(total).unwrap_or(NonZeroU32::MIN) }
    }
}
