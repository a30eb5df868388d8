//! A chain of signed headers, made with real keys and signatures by CometBFT's rules.
//!
//! Does not record anything: what it makes goes the way of every foreign header.

use std::time::Duration;

use domain::{
    light::{self, LightBlock, SignedHeader, ValidatorSet},
    values::{ChainId, Hash, Power},
};
use ed25519_dalek::SigningKey;
use sha2::{Digest, Sha256};
use tendermint::{
    AppHash, Hash as TmHash, Time,
    block::{self, Header, Height, header::Version},
};

use crate::keys::ValidatorKey;

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

/// Makes `count` consecutive headers of a chain whose last one is signed about now: four
/// validators, whose keys are those from `first_key` on, and a set that changes on the way.
///
/// # Panics
/// When the chain's name is none that CometBFT takes.
pub fn make(chain: &ChainId, count: u32, first_key: u64) -> Vec<LightBlock> {
    let keys: Vec<ValidatorKey> =
        (first_key..).take(VALIDATORS).map(ValidatorKey::number).collect();
    let signing: Vec<SigningKey> = keys.iter().map(|key| key.signing().clone()).collect();
    let before = set(&keys, POWER);
    let after = set(&keys, 2 * POWER);
    let set_at = |height: u32| if height < SET_CHANGE_HEIGHT { &before } else { &after };
    let start = Time::now().checked_sub(BLOCK_TIME * count).unwrap_or_else(Time::unix_epoch);
    let mut blocks = Vec::with_capacity(count as usize);
    let mut last: Option<SignedHeader> = None;
    for height in 1..=count {
        let (signers, next) = (set_at(height), set_at(height + 1));
        let time = start.checked_add(BLOCK_TIME * height).unwrap_or(start);
        let header = header(chain, height, time, (signers, next), last.as_ref());
        let signed_at = time.checked_add(BLOCK_TIME / 5).unwrap_or(time);
        let signed =
            light::sign_header(header, block::Round::default(), signed_at, signers, &signing)
                .expect("keys of the set sign");
        last = Some(signed.clone());
        blocks.push(LightBlock {
            next_validator_set: Some(next.clone()),
            signed_header: signed,
            validator_set: Some(signers.clone()),
        });
    }
    blocks
}

/// The set of all keys, of which the first has this power.
fn set(keys: &[ValidatorKey], first: u64) -> ValidatorSet {
    let power = |index: usize| if index == 0 { first } else { POWER };
    let power = |index: usize| Power::new(power(index)).expect("a small power");
    let members = keys.iter().enumerate().map(|(index, key)| (key.public(), power(index)));
    ValidatorSet::of(&members.collect::<Vec<_>>()).expect("keys that differ make a set")
}

fn header(
    chain: &ChainId,
    height: u32,
    time: Time,
    (signers, next): (&ValidatorSet, &ValidatorSet),
    last: Option<&SignedHeader>,
) -> Header {
    let last_commit = last.map(|last| last.signed().commit.block_id);
    let proposers = signers.set().validators();
    let proposer = &proposers[height as usize % proposers.len()];
    Header {
        version: Version { block: BLOCK_PROTOCOL, app: 1 },
        chain_id: tendermint::chain::Id::try_from(chain.to_string()).expect("a name"),
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
        app_hash: AppHash::try_from(Sha256::digest(format!("state {height}")).to_vec())
            .expect("32 bytes"),
        last_results_hash: Some(sha256("")),
        evidence_hash: Some(sha256("")),
        proposer_address: proposer.address,
    }
}

fn named(hash: Hash) -> TmHash {
    TmHash::Sha256(*hash.as_bytes())
}

fn sha256(text: &str) -> TmHash {
    TmHash::Sha256(Sha256::digest(text).into())
}
