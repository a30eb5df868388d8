//! Keys, headers and sets that are made the same way each time, and files that nobody here made.
//!
//! Does not know what is tested with them.

use std::path::PathBuf;

use domain::{
    light::{self, LightBlock, SignedHeader, ValidatorSet},
    validator::registration_bytes,
    values::{Address, ChainId, Moment, Power, PublicKey, Signature},
};
use ed25519_dalek::{Signer as _, SigningKey};
use tendermint::{Time, account, block};

/// The variable that makes missing fixtures a failure.
const REQUIRED: &str = "NODE0_FIXTURES_REQUIRED";

/// A file that nobody here made; none, and said so, when it is not there.
pub fn file(name: &str) -> Option<String> {
    let path = folder().join(name);
    match std::fs::read_to_string(&path) {
        Ok(text) => Some(text),
        Err(fault) => {
            let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
            assert!(!required, "{}: {fault}", path.display());
            println!("skipped: {name} is not there");
            None
        }
    }
}

/// The names of the files in a folder of fixtures; none, and said so, when it is not there.
pub fn names(of: &str) -> Option<Vec<String>> {
    let path = folder().join(of);
    match std::fs::read_dir(&path) {
        Ok(entries) => {
            let names = entries.map(|entry| entry.unwrap().file_name().into_string().unwrap());
            let mut names: Vec<_> = names.map(|name| format!("{of}/{name}")).collect();
            names.sort();
            Some(names)
        }
        Err(fault) => {
            let required = std::env::var(REQUIRED).is_ok_and(|value| value == "1");
            assert!(!required, "{}: {fault}", path.display());
            println!("skipped: {of} is not there");
            None
        }
    }
}

fn folder() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared/fixtures")
}

/// The key whose seed is 32 times this number.
pub fn key(number: u8) -> SigningKey {
    SigningKey::from_bytes(&[number; 32])
}

/// Its public half.
pub fn public_key(number: u8) -> PublicKey {
    PublicKey::from_bytes(key(number).verifying_key().to_bytes()).unwrap()
}

/// Its address.
pub fn address(number: u8) -> Address {
    public_key(number).address()
}

/// Its proof of registration.
pub fn proof(number: u8, chain_id: &ChainId) -> Signature {
    let bytes = registration_bytes(chain_id, address(number));
    Signature::from_bytes(key(number).sign(&bytes).to_bytes())
}

/// A moment, as text.
pub fn moment(text: &str) -> Moment {
    text.parse().unwrap()
}

/// A set of keys with their powers.
pub fn set(members: &[(u8, u64)]) -> ValidatorSet {
    let members: Vec<_> = members
        .iter()
        .map(|(number, power)| (public_key(*number), Power::new(*power).unwrap()))
        .collect();
    ValidatorSet::of(&members).unwrap()
}

/// A header to be made.
#[derive(Clone)]
pub struct Draft {
    pub chain: &'static str,
    pub height: u64,
    /// Seconds after 2026-01-01.
    pub second: u64,
    /// Something to tell one block from another.
    pub app_hash: Vec<u8>,
    pub set: ValidatorSet,
    pub next: ValidatorSet,
    pub signers: Vec<u8>,
}

/// 2026-01-01T00:00:00Z in seconds since 1970.
const NEW_YEAR_S: i64 = 1_767_225_600;

impl Draft {
    /// A header of `example-1`, one second for each height, signed by everybody of `members`.
    pub fn new(height: u64, members: &[(u8, u64)]) -> Draft {
        Draft {
            chain: "example-1",
            height,
            second: height,
            app_hash: height.to_be_bytes().to_vec(),
            set: set(members),
            next: set(members),
            signers: members.iter().map(|(number, _)| *number).collect(),
        }
    }

    /// The header.
    pub fn header(&self) -> block::Header {
        let second = NEW_YEAR_S + i64::try_from(self.second).unwrap();
        let hash = |set: &ValidatorSet| tendermint::Hash::Sha256(*set.hash().as_bytes());
        let nothing = tendermint::Hash::Sha256(*domain::values::Hash::of(b"").as_bytes());
        let proposer = self.set.set().validators()[0].address;
        block::Header {
            version: block::header::Version { block: 11, app: 1 },
            chain_id: self.chain.parse().unwrap(),
            height: block::Height::try_from(self.height).unwrap(),
            time: Time::from_unix_timestamp(second, 123_456_789).unwrap(),
            last_block_id: None,
            last_commit_hash: Some(nothing),
            data_hash: Some(nothing),
            validators_hash: hash(&self.set),
            next_validators_hash: hash(&self.next),
            consensus_hash: nothing,
            app_hash: self.app_hash.clone().try_into().unwrap(),
            last_results_hash: Some(nothing),
            evidence_hash: Some(nothing),
            proposer_address: account::Id::new(*address_bytes(&proposer)),
        }
    }

    /// The header, signed.
    pub fn signed(&self) -> SignedHeader {
        let header = self.header();
        let keys: Vec<_> = self.signers.iter().map(|number| key(*number)).collect();
        let time = header.time;
        let round = block::Round::from(0_u16);
        light::sign_header(header, round, time, &self.set, &keys).unwrap()
    }

    /// The header, signed, with both sets.
    pub fn block(&self) -> LightBlock {
        LightBlock {
            next_validator_set: Some(self.next.clone()),
            signed_header: self.signed(),
            validator_set: Some(self.set.clone()),
        }
    }
}

fn address_bytes(id: &account::Id) -> &[u8; 20] {
    id.as_bytes().try_into().unwrap()
}
