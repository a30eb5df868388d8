//! What a header stands for: which transactions in which order, evidence, and the last commit.
//!
//! Does not hold the transactions themselves: they are in their senders' streams.

use prost::Message as _;
use serde::{Deserialize, Serialize};
use tendermint_proto::v0_38::types as proto;

use super::Header;
use crate::{
    commit::Commit,
    evidence::Evidence,
    hashes::{self, Parts},
    light::ParseFault,
    values::Hash,
    vote::BlockId,
};

/// A block without its header.
///
/// Its bytes are the protobuf `tendermint.types.Block` without the field `header`, where `data.txs`
/// holds the 32 bytes of each transaction's hash instead of the transaction; SHA-256 of them names
/// the body. As in CometBFT, a block that has no block before it carries an empty commit.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockBody))]
pub struct Body {
    /// Who voted twice.
    #[serde(default)]
    pub evidence: Vec<Evidence>,
    /// The commit of the block before; none at the chain's first height.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_commit: Option<Commit>,
    /// The hashes of the transactions, in order.
    pub transactions: Vec<Hash>,
}

impl Body {
    /// Reads a body's bytes; refuses any but those that [`Body::to_protobuf`] writes.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Body, ParseFault> {
        let raw = proto::Block::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not a block's body: {fault}")))?;
        let hash = |(index, bytes): (usize, &Vec<u8>)| {
            let bytes: [u8; 32] = bytes.as_slice().try_into().map_err(|_| {
                let sentence = format!("{} bytes are no hash", bytes.len());
                ParseFault::new(format!("/data/txs/{index}"), sentence)
            })?;
            Ok(Hash::from_bytes(bytes))
        };
        let transactions = raw.data.unwrap_or_default().txs;
        let evidence = raw.evidence.unwrap_or_default().evidence;
        let body = Body {
            evidence: evidence.into_iter().map(one_evidence).collect::<Result<_, _>>()?,
            last_commit: match raw.last_commit {
                Some(commit) if commit != no_commit() => Some(Commit::from_raw(commit)?),
                Some(_) | None => None,
            },
            transactions: transactions.iter().enumerate().map(hash).collect::<Result<_, _>>()?,
        };
        if body.to_protobuf() != bytes {
            return Err(ParseFault::new("", "not the one form of these contents".to_owned()));
        }
        Ok(body)
    }

    /// Its bytes.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let transactions = self.transactions.iter().map(|hash| hash.as_bytes().to_vec());
        let evidence = self.evidence.iter().map(|evidence| proto::Evidence {
            sum: Some(proto::evidence::Sum::DuplicateVoteEvidence(evidence.raw())),
        });
        let block = proto::Block {
            header: None,
            data: Some(proto::Data { txs: transactions.collect() }),
            evidence: Some(proto::EvidenceList { evidence: evidence.collect() }),
            last_commit: Some(self.last_commit.as_ref().map_or_else(no_commit, Commit::raw)),
        };
        block.encode_to_vec()
    }

    /// SHA-256 of its bytes: names the blob that keeps it.
    pub fn hash(&self) -> Hash {
        Hash::of(&self.to_protobuf())
    }

    /// What a header names its transactions by.
    pub fn data_hash(&self) -> Hash {
        hashes::data_hash(&self.transactions)
    }

    /// What a header names its evidence by.
    pub fn evidence_hash(&self) -> Hash {
        hashes::evidence_hash(&self.evidence)
    }

    /// What a header names its last commit by; the hash of nothing when there is none.
    pub fn last_commit_hash(&self) -> Hash {
        self.last_commit.as_ref().map_or_else(|| Hash::of(b""), Commit::hash)
    }
}

fn one_evidence(raw: proto::Evidence) -> Result<Evidence, ParseFault> {
    use proto::evidence::Sum;
    match raw.sum {
        Some(Sum::DuplicateVoteEvidence(evidence)) => Evidence::from_raw(evidence),
        Some(Sum::LightClientAttackEvidence(_)) => {
            let sentence = "evidence of an attack on light clients is not read";
            Err(ParseFault::new("/evidence", sentence.to_owned()))
        }
        None => Err(ParseFault::new("/evidence", "the evidence is empty".to_owned())),
    }
}

/// CometBFT's commit of a chain that has no block yet.
fn no_commit() -> proto::Commit {
    proto::Commit { block_id: Some(BlockId::raw(None)), ..Default::default() }
}

/// A block in full.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockContents))]
pub struct Contents {
    /// What it stands for.
    pub body: Body,
    /// Its header: protobuf `tendermint.types.Header` in base64.
    pub header: Header,
}

impl Contents {
    /// Its bytes: the protobuf `tendermint.types.Block`, with the transactions' hashes for the
    /// transactions. The body's bytes are their end.
    pub fn to_protobuf(&self) -> Vec<u8> {
        let header = proto::Block { header: Some(self.header.raw()), ..Default::default() };
        let mut bytes = header.encode_to_vec();
        bytes.extend(self.body.to_protobuf());
        bytes
    }

    /// Names the block: its header's hash, and the root of its bytes in parts.
    pub fn id(&self) -> BlockId {
        BlockId { hash: self.header.hash(), parts: Parts::of(&self.to_protobuf()) }
    }
}
