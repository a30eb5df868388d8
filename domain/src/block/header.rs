//! A block's header: CometBFT's.
//!
//! Does not know who signed it.

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use tendermint::block;
use tendermint_proto::v0_38::types as proto;

use crate::{
    light::{self, ParseFault},
    values::{Address, AppHash, ChainId, Hash, Height, Moment},
    vote::{BlockId, is_whole, moment, sha256},
};

/// A header. Cheap to clone. Its JSON is the base64 of the protobuf `tendermint.types.Header`.
#[derive(Clone, Debug, PartialEq)]
pub struct Header {
    inner: Arc<block::Header>,
    chain_id: ChainId,
    height: Height,
    hash: Hash,
    app_hash: AppHash,
    validators_hash: Hash,
    next_validators_hash: Hash,
}

impl Header {
    /// Takes a header; refuses a height of 0, names and hashes out of bounds, and one that names no
    /// validators.
    pub fn new(header: block::Header) -> Result<Header, ParseFault> {
        let refused = |pointer: &str, sentence: String| ParseFault::new(pointer, sentence);
        let chain_id = header.chain_id.as_str().parse();
        let chain_id = chain_id.map_err(|fault| refused("/chain_id", format!("{fault}")))?;
        let height = Height::new(header.height.value());
        let height = height.map_err(|fault| refused("/height", format!("{fault}")))?;
        let app_hash = AppHash::from_bytes(header.app_hash.as_bytes().to_vec());
        let app_hash = app_hash.map_err(|fault| refused("/app_hash", format!("{fault}")))?;
        let needed = |pointer: &str, hash| {
            sha256(hash).ok_or_else(|| refused(pointer, "the hash is missing".to_owned()))
        };
        let validators_hash = needed("/validators_hash", header.validators_hash)?;
        let next_validators_hash = needed("/next_validators_hash", header.next_validators_hash)?;
        let hash = needed("", header.hash())?;
        Ok(Header {
            inner: Arc::new(header),
            chain_id,
            height,
            hash,
            app_hash,
            validators_hash,
            next_validators_hash,
        })
    }

    /// Reads the protobuf `tendermint.types.Header`.
    pub fn from_protobuf(bytes: &[u8]) -> Result<Header, ParseFault> {
        let raw = proto::Header::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not a header: {fault}")))?;
        let header = block::Header::try_from(raw)
            .map_err(|fault| ParseFault::new("", format!("not a header: {}", fault.detail())))?;
        Header::new(header)
    }

    /// As Go writes it: the id of no last block is there, and empty.
    pub(super) fn raw(&self) -> proto::Header {
        let mut raw = proto::Header::from((*self.inner).clone());
        raw.last_block_id = Some(BlockId::raw(self.last_block_id().as_ref()));
        raw
    }

    /// The protobuf `tendermint.types.Header`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        self.raw().encode_to_vec()
    }

    /// The header as the `tendermint` crate has it.
    pub fn header(&self) -> &block::Header {
        &self.inner
    }

    /// Its hash, computed: names the block.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The chain.
    pub fn chain_id(&self) -> &ChainId {
        &self.chain_id
    }

    /// The block's height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The block's time, without what it has below a microsecond.
    pub fn time(&self) -> Moment {
        moment(self.inner.time)
    }

    /// Whether its time has nothing below a microsecond.
    pub fn has_whole_time(&self) -> bool {
        is_whole(self.inner.time)
    }

    /// The block before; none at the chain's first height.
    pub fn last_block_id(&self) -> Option<BlockId> {
        self.inner.last_block_id.as_ref().and_then(BlockId::from_tendermint)
    }

    /// The application's state before this block.
    pub fn app_hash(&self) -> &AppHash {
        &self.app_hash
    }

    /// What it names the last commit by.
    pub fn last_commit_hash(&self) -> Option<Hash> {
        self.inner.last_commit_hash.and_then(sha256)
    }

    /// What it names its transactions by.
    pub fn data_hash(&self) -> Option<Hash> {
        self.inner.data_hash.and_then(sha256)
    }

    /// What it names its evidence by.
    pub fn evidence_hash(&self) -> Option<Hash> {
        self.inner.evidence_hash.and_then(sha256)
    }

    /// What it names the limits of a block by.
    pub fn consensus_hash(&self) -> Option<Hash> {
        sha256(self.inner.consensus_hash)
    }

    /// What it names the results of the block before by.
    pub fn last_results_hash(&self) -> Option<Hash> {
        self.inner.last_results_hash.and_then(sha256)
    }

    /// The set that signs this block.
    pub fn validators_hash(&self) -> Hash {
        self.validators_hash
    }

    /// The set that signs the next block.
    pub fn next_validators_hash(&self) -> Hash {
        self.next_validators_hash
    }

    /// Who made the block.
    pub fn proposer(&self) -> Address {
        light::address(self.inner.proposer_address)
    }
}

impl Serialize for Header {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_protobuf()))
    }
}

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Header, D::Error> {
        let bytes = light::bytes_from_base64(deserializer)?;
        Header::from_protobuf(&bytes).map_err(de::Error::custom)
    }
}
