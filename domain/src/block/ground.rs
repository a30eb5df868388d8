//! What the next block of a chain must stand on, and how a block is made on it.
//!
//! Does not know how the head came to be, and reads no clock: a block's time is what the voters of
//! the block before signed.

use tendermint::{account, block, chain};

use super::{Body, Contents, Fault, Header};
use crate::{
    hashes,
    light::ValidatorSet,
    parameters::Parameters,
    values::{Address, AppHash, ChainId, Hash, Height, Moment},
    vote::{BlockId, time},
};

/// The version of CometBFT's block protocol.
pub const BLOCK_VERSION: u64 = 11;
/// The version of our own rules for transactions and state.
pub const APP_VERSION: u64 = 1;
/// In CometBFT's terms a block has no limit of gas.
const GAS_UNLIMITED: i64 = -1;

/// What the next block must stand on: the chain after its head.
#[derive(Clone, Debug, PartialEq)]
pub struct Ground {
    /// The application's state after the head.
    pub app_hash: AppHash,
    /// The chain.
    pub chain_id: ChainId,
    /// When the chain begins: its first block's time.
    pub genesis_time: Moment,
    /// The height that comes next.
    pub height: Height,
    /// The head; none before the chain's first block.
    pub last: Option<Last>,
    /// The root of the head's results; the hash of nothing before the first block.
    pub last_results_hash: Hash,
    /// The hash of the set that signs the block after the next.
    pub next_validators_hash: Hash,
    /// The set that signs the next block.
    pub validators: ValidatorSet,
}

/// A chain's head.
#[derive(Clone, Debug, PartialEq)]
pub struct Last {
    /// Its id.
    pub block_id: BlockId,
    /// Its height.
    pub height: Height,
    /// Its time.
    pub time: Moment,
    /// The set that signed it.
    pub validators: ValidatorSet,
}

impl Ground {
    /// The time that a block with this body has: the chain's beginning, or the weighted median of
    /// when the last commit's voters signed. None when there is no such commit.
    pub fn time(&self, body: &Body) -> Option<Moment> {
        match &self.last {
            None => Some(self.genesis_time),
            Some(last) => body.last_commit.as_ref()?.median_time(&last.validators),
        }
    }

    /// What a header names the limits of a block by.
    pub fn consensus_hash(parameters: &Parameters) -> Hash {
        hashes::consensus_hash(i64::from(parameters.block_bytes_max), GAS_UNLIMITED)
    }

    /// The block that `proposer` makes of `body`; refused when the last commit is missing.
    pub fn build(
        &self,
        body: Body,
        proposer: Address,
        parameters: &Parameters,
    ) -> Result<Contents, Fault> {
        let block_time = self.time(&body).ok_or(Fault::LastCommitMissing)?;
        let named = |hash: Hash| tendermint::Hash::Sha256(*hash.as_bytes());
        let header = block::Header {
            version: block::header::Version { block: BLOCK_VERSION, app: APP_VERSION },
            chain_id: chain::Id::try_from(self.chain_id.as_str().to_owned())
                .expect("the rules for names of chains are the same"),
            height: crate::commit::tendermint_height(self.height),
            time: time(block_time),
            last_block_id: self.last.as_ref().map(|last| last.block_id.to_tendermint()),
            last_commit_hash: Some(named(body.last_commit_hash())),
            data_hash: Some(named(body.data_hash())),
            validators_hash: named(self.validators.hash()),
            next_validators_hash: named(self.next_validators_hash),
            consensus_hash: named(Ground::consensus_hash(parameters)),
            app_hash: self
                .app_hash
                .as_bytes()
                .to_vec()
                .try_into()
                .expect("any bytes are an application's hash"),
            last_results_hash: Some(named(self.last_results_hash)),
            evidence_hash: Some(named(body.evidence_hash())),
            proposer_address: account::Id::new(*proposer.as_bytes()),
        };
        let header = Header::new(header).expect("it is made of values within their bounds");
        Ok(Contents { body, header })
    }
}
