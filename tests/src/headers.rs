//! A chain of signed headers, made with real keys and signatures by CometBFT's rules.
//!
//! Does not record anything: what it makes goes the way of every foreign header.

use std::time::Duration;

use domain::{
    light::{self, LightBlock, ParseFault, SignedHeader, ValidatorSet},
    values::{ChainId, Hash, Power, PublicKey, ValueError},
};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use tendermint::{
    AppHash, Hash as TmHash, Time,
    block::{self, Header, Height, header::Version},
};
use thiserror::Error;

/// Time between two headers.
const BLOCK_TIME: Duration = Duration::from_secs(5);
/// How many validators sign.
pub const VALIDATORS: usize = 4;
/// At which height the set changes: one validator's power doubles.
const SET_CHANGE_HEIGHT: u32 = 100;
/// The voting power of a validator, before the change.
const POWER: u64 = 10;
/// The largest block, in bytes.
const BLOCK_BYTES_MAX: i64 = 4 * 1024 * 1024;
/// CometBFT's "no limit" for gas.
const BLOCK_GAS_UNLIMITED: i64 = -1;
/// CometBFT's block protocol version.
const BLOCK_PROTOCOL: u64 = 11;

/// Why no chain could be made.
#[derive(Debug, Error)]
pub enum MakeError {
    /// The system gave no randomness.
    #[error("no randomness: {0}")]
    Random(#[from] getrandom::Error),
    /// A value was out of bounds.
    #[error("a made value is out of bounds: {0}")]
    Value(#[from] ValueError),
    /// A header did not hold together.
    #[error("a made header does not hold together: {0}")]
    Header(#[from] ParseFault),
    /// The library refused a field.
    #[error("a made header is refused: {0}")]
    Field(#[from] tendermint::Error),
}

/// A fresh signing key.
pub fn signing_key() -> Result<SigningKey, getrandom::Error> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed)?;
    Ok(SigningKey::from_bytes(&seed))
}

/// Makes `count` consecutive headers of a chain whose last one is signed about now: four validators
/// with keys of their own, and a set that changes on the way.
pub fn make(chain: &ChainId, count: u32) -> Result<Vec<LightBlock>, MakeError> {
    let mut keys = Vec::with_capacity(VALIDATORS);
    for _ in 0..VALIDATORS {
        keys.push(signing_key()?);
    }
    let before = set(&keys, POWER)?;
    let after = set(&keys, 2 * POWER)?;
    let set_at = |height: u32| if height < SET_CHANGE_HEIGHT { &before } else { &after };
    let start = Time::now().checked_sub(BLOCK_TIME * count).unwrap_or_else(Time::unix_epoch);
    let mut blocks = Vec::with_capacity(count as usize);
    let mut last: Option<SignedHeader> = None;
    for height in 1..=count {
        let (signers, next) = (set_at(height), set_at(height + 1));
        let time = start.checked_add(BLOCK_TIME * height).unwrap_or(start);
        let header = header(chain, height, time, (signers, next), last.as_ref())?;
        let signed_at = time.checked_add(BLOCK_TIME / 5).unwrap_or(time);
        let signed =
            light::sign_header(header, block::Round::default(), signed_at, signers, &keys)?;
        last = Some(signed.clone());
        blocks.push(LightBlock {
            next_validator_set: Some(next.clone()),
            signed_header: signed,
            validator_set: Some(signers.clone()),
        });
    }
    Ok(blocks)
}

/// The set of all keys, of which the first has this power.
fn set(keys: &[SigningKey], first: u64) -> Result<ValidatorSet, MakeError> {
    let mut members = Vec::with_capacity(keys.len());
    for (index, key) in keys.iter().enumerate() {
        let public_key = PublicKey::from_bytes(key.verifying_key().to_bytes())?;
        let power = if index == 0 { first } else { POWER };
        members.push((public_key, Power::new(power)?));
    }
    Ok(ValidatorSet::of(&members)?)
}

fn header(
    chain: &ChainId,
    height: u32,
    time: Time,
    (signers, next): (&ValidatorSet, &ValidatorSet),
    last: Option<&SignedHeader>,
) -> Result<Header, MakeError> {
    let last_commit = last.map(|last| last.signed().commit.block_id);
    let proposers = signers.set().validators();
    let proposer = &proposers[height as usize % proposers.len()];
    Ok(Header {
        version: Version { block: BLOCK_PROTOCOL, app: 1 },
        chain_id: tendermint::chain::Id::try_from(chain.to_string())?,
        height: Height::from(height),
        time,
        last_block_id: last_commit,
        last_commit_hash: Some(
            last.map_or_else(|| sha256(""), |last| named(light::commit_hash(last))),
        ),
        data_hash: Some(sha256("")),
        validators_hash: named(signers.hash()),
        next_validators_hash: named(next.hash()),
        consensus_hash: named(light::consensus_hash(BLOCK_BYTES_MAX, BLOCK_GAS_UNLIMITED)),
        app_hash: AppHash::try_from(Sha256::digest(format!("state {height}")).to_vec())?,
        last_results_hash: Some(sha256("")),
        evidence_hash: Some(sha256("")),
        proposer_address: proposer.address,
    })
}

fn named(hash: Hash) -> TmHash {
    TmHash::Sha256(*hash.as_bytes())
}

fn sha256(text: &str) -> TmHash {
    TmHash::Sha256(Sha256::digest(text).into())
}
