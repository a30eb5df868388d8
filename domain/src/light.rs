//! Signed headers of CometBFT chains: read, hashed, verified as a light client does, and made.
//!
//! Does not know which header is trusted, nor what time it is: both are handed in. It keeps
//! nothing.

mod commit;
mod fault;
mod json;
mod make;
#[cfg(feature = "schema")]
mod schema;
mod verify;

pub use crate::hashes::consensus_hash;
pub use crate::json::ParseFault;
pub use commit::{Tally, verify_commit, verify_entries};
pub use fault::Fault;
pub use json::{parse, parse_value};
use make::entry_bytes;
pub use make::{commit_hash, parts_hash, sign_header, vote_bytes};
pub use verify::{CLOCK_DRIFT_S, Options, Trusted, Verdict, verify};

use std::sync::Arc;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use prost::Message as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;
use tendermint_proto::v0_38::types as proto;

use crate::{
    values::{
        Address, AppHash, ChainId, Hash, Height, Moment, POWER_TOTAL_MAX, Power, PublicKey, Round,
    },
    vote::sha256,
};

/// The most validators of a set that is read.
pub const SET_VALIDATORS_MAX: usize = 10_000;

/// A header with the commit for it, of one height of one chain. Holds together in form; whether the
/// commit is a good one is [`verify_commit`]'s question. Cheap to clone.
///
/// Its JSON is the base64 of its protobuf; it also reads the JSON of nodes and light clients.
#[derive(Clone, Debug, PartialEq)]
pub struct SignedHeader {
    inner: Arc<tendermint::block::signed_header::SignedHeader>,
    chain_id: ChainId,
    height: Height,
    hash: Hash,
    app_hash: AppHash,
}

impl SignedHeader {
    /// Takes a header and its commit; refuses a height of 0 and names and hashes out of bounds.
    pub fn new(
        signed: tendermint::block::signed_header::SignedHeader,
    ) -> Result<SignedHeader, ParseFault> {
        let header = &signed.header;
        let refused = |pointer, sentence: String| ParseFault::new(pointer, sentence);
        let chain_id = header
            .chain_id
            .as_str()
            .parse()
            .map_err(|fault| refused("/header/chain_id", format!("{fault}")))?;
        let height = Height::new(header.height.value())
            .map_err(|fault| refused("/header/height", format!("{fault}")))?;
        let app_hash = AppHash::from_bytes(header.app_hash.as_bytes().to_vec())
            .map_err(|fault| refused("/header/app_hash", format!("{fault}")))?;
        let hash = sha256(header.hash())
            .ok_or_else(|| refused("/header", "the header has no hash".to_owned()))?;
        for (pointer, named) in [
            ("/header/validators_hash", header.validators_hash),
            ("/header/next_validators_hash", header.next_validators_hash),
            ("/commit/block_id/hash", signed.commit.block_id.hash),
        ] {
            if named.is_empty() {
                return Err(refused(pointer, "the hash is missing".to_owned()));
            }
        }
        Ok(SignedHeader { inner: Arc::new(signed), chain_id, height, hash, app_hash })
    }

    /// Reads the protobuf `tendermint.types.SignedHeader`.
    pub fn from_protobuf(bytes: &[u8]) -> Result<SignedHeader, ParseFault> {
        let raw = proto::SignedHeader::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not a signed header: {fault}")))?;
        SignedHeader::from_raw(raw)
    }

    fn from_raw(raw: proto::SignedHeader) -> Result<SignedHeader, ParseFault> {
        let signed = raw.try_into().map_err(|fault: tendermint::Error| {
            ParseFault::new("", format!("not a signed header: {}", fault.detail()))
        })?;
        SignedHeader::new(signed)
    }

    /// The protobuf `tendermint.types.SignedHeader`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        proto::SignedHeader::from(self.signed().clone()).encode_to_vec()
    }

    /// The same, as it is kept in events.
    pub fn raw(&self) -> RawHeader {
        RawHeader(self.to_protobuf())
    }

    /// The header and commit as the `tendermint` crate has them.
    pub fn signed(&self) -> &tendermint::block::signed_header::SignedHeader {
        &self.inner
    }

    /// The chain it is of.
    pub fn chain_id(&self) -> &ChainId {
        &self.chain_id
    }

    /// Its height.
    pub fn height(&self) -> Height {
        self.height
    }

    /// The header's hash, computed.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// The header's time; the nanoseconds below a microsecond are in [`SignedHeader::time_nanos`].
    pub fn time(&self) -> Moment {
        let micros = self.nanos().div_euclid(1_000);
        Moment::from_micros(i64::try_from(micros).unwrap_or(i64::MAX))
    }

    /// What the header's time has below a microsecond, 0 to 999 nanoseconds.
    pub fn time_nanos(&self) -> u16 {
        u16::try_from(self.nanos().rem_euclid(1_000)).unwrap_or(0)
    }

    fn nanos(&self) -> i128 {
        self.inner.header.time.unix_timestamp_nanos()
    }

    /// Who proposed the block.
    pub fn proposer(&self) -> Address {
        address(self.inner.header.proposer_address)
    }

    /// The round in which it was committed.
    pub fn round(&self) -> Round {
        Round::try_from(self.inner.commit.round.value()).unwrap_or_default()
    }

    /// The application's state before this block.
    pub fn app_hash(&self) -> &AppHash {
        &self.app_hash
    }

    /// The root of the block's transactions; none when the header names none.
    pub fn data_hash(&self) -> Option<Hash> {
        self.inner.header.data_hash.and_then(sha256)
    }

    /// The hash of the block before; none at the first height.
    pub fn last_block_hash(&self) -> Option<Hash> {
        self.inner.header.last_block_id.and_then(|id| sha256(id.hash))
    }

    /// The hash of the set that signs this header.
    pub fn validators_hash(&self) -> Hash {
        sha256(self.inner.header.validators_hash).unwrap_or(Hash::from_bytes([0; 32]))
    }

    /// The hash of the set that signs the next header.
    pub fn next_validators_hash(&self) -> Hash {
        sha256(self.inner.header.next_validators_hash).unwrap_or(Hash::from_bytes([0; 32]))
    }
}

pub(crate) fn address(id: tendermint::account::Id) -> Address {
    let mut bytes = [0; 20];
    bytes.copy_from_slice(id.as_bytes());
    Address::from_bytes(bytes)
}

/// Reads base64 of a protobuf message.
fn from_base64<T>(text: &str, read: fn(&[u8]) -> Result<T, ParseFault>) -> Result<T, ParseFault> {
    let bytes = STANDARD
        .decode(text)
        .map_err(|fault| ParseFault::new("", format!("not base64 of a protobuf: {fault}")))?;
    read(&bytes)
}

/// The bytes that a JSON string holds in base64.
pub(crate) fn bytes_from_base64<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<u8>, D::Error> {
    let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
    STANDARD.decode(text.as_bytes()).map_err(de::Error::custom)
}

impl Serialize for SignedHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_protobuf()))
    }
}

impl<'de> Deserialize<'de> for SignedHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<SignedHeader, D::Error> {
        let value = Value::deserialize(deserializer)?;
        json::signed_header(&crate::json::Node::root(&value)).map_err(de::Error::custom)
    }
}

/// The protobuf of a signed header, kept as it is: base64 in JSON, read only when asked.
#[derive(Clone, Debug, PartialEq, Eq)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(value_type = String))]
pub struct RawHeader(Vec<u8>);

impl RawHeader {
    /// The bytes of `tendermint.types.SignedHeader`.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Reads it.
    pub fn parse(&self) -> Result<SignedHeader, ParseFault> {
        SignedHeader::from_protobuf(&self.0)
    }
}

impl Serialize for RawHeader {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(&self.0))
    }
}

impl<'de> Deserialize<'de> for RawHeader {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<RawHeader, D::Error> {
        bytes_from_base64(deserializer).map(RawHeader)
    }
}

/// A set of validators in CometBFT's order: by power, the greatest first, then by address. Never
/// empty, nobody twice, nobody without power. Cheap to clone.
///
/// Its JSON is the base64 of its protobuf; it also reads the JSON of nodes and light clients.
#[derive(Clone, Debug, PartialEq)]
pub struct ValidatorSet {
    inner: Arc<tendermint::validator::Set>,
    hash: Hash,
}

impl ValidatorSet {
    /// A set of keys with their powers.
    pub fn of(members: &[(PublicKey, Power)]) -> Result<ValidatorSet, ParseFault> {
        let raw = proto::ValidatorSet {
            validators: members.iter().map(|(key, power)| raw_validator(key, *power)).collect(),
            proposer: None,
            total_voting_power: 0,
        };
        ValidatorSet::from_raw(raw)
    }

    /// Reads the protobuf `tendermint.types.ValidatorSet`.
    pub fn from_protobuf(bytes: &[u8]) -> Result<ValidatorSet, ParseFault> {
        let raw = proto::ValidatorSet::decode(bytes)
            .map_err(|fault| ParseFault::new("", format!("not a validator set: {fault}")))?;
        ValidatorSet::from_raw(raw)
    }

    fn from_raw(mut raw: proto::ValidatorSet) -> Result<ValidatorSet, ParseFault> {
        let fault = |sentence| ParseFault::new("/validators", sentence);
        let count = raw.validators.len();
        if count == 0 || count > SET_VALIDATORS_MAX {
            let sentence = format!("{count} validators, not 1 to {SET_VALIDATORS_MAX}");
            return Err(fault(sentence));
        }
        // Neither is part of the set's hash, and producers disagree about them.
        raw.proposer = None;
        raw.total_voting_power = 0;
        for validator in &mut raw.validators {
            validator.proposer_priority = 0;
        }
        let set = tendermint::validator::Set::try_from(raw)
            .map_err(|error| fault(format!("not a validator set: {}", error.detail())))?;
        if let Some(idle) = set.validators().iter().find(|validator| validator.power() == 0) {
            return Err(fault(format!("validator {} has no power", idle.address)));
        }
        let mut addresses: Vec<_> = set.validators().iter().map(|v| v.address).collect();
        addresses.sort_unstable();
        if let Some(pair) = addresses.windows(2).find(|pair| pair[0] == pair[1]) {
            return Err(fault(format!("validator {} is there twice", pair[0])));
        }
        let hash = sha256(set.hash()).ok_or_else(|| fault("the set has no hash".to_owned()))?;
        Ok(ValidatorSet { inner: Arc::new(set), hash })
    }

    /// The protobuf `tendermint.types.ValidatorSet`.
    pub fn to_protobuf(&self) -> Vec<u8> {
        proto::ValidatorSet::from((*self.inner).clone()).encode_to_vec()
    }

    /// The set as the `tendermint` crate has it.
    pub fn set(&self) -> &tendermint::validator::Set {
        &self.inner
    }

    /// What a header names it by.
    pub fn hash(&self) -> Hash {
        self.hash
    }

    /// How many validators it has.
    pub fn count(&self) -> usize {
        self.inner.validators().len()
    }

    /// The power of all of them, at most [`POWER_TOTAL_MAX`].
    pub fn total_power(&self) -> u64 {
        self.inner.total_voting_power().value().min(POWER_TOTAL_MAX)
    }

    /// Addresses and powers, in the set's order.
    pub fn members(&self) -> impl Iterator<Item = (Address, u64)> + '_ {
        self.inner.validators().iter().map(|v| (address(v.address), v.power()))
    }
}

fn raw_validator(key: &PublicKey, power: Power) -> proto::Validator {
    use tendermint_proto::v0_38::crypto::{PublicKey as RawKey, public_key::Sum};
    proto::Validator {
        address: key.address().as_bytes().to_vec(),
        pub_key: Some(RawKey { sum: Some(Sum::Ed25519(key.as_bytes().to_vec())) }),
        voting_power: i64::try_from(power.value()).unwrap_or(i64::MAX),
        proposer_priority: 0,
    }
}

impl Serialize for ValidatorSet {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&STANDARD.encode(self.to_protobuf()))
    }
}

impl<'de> Deserialize<'de> for ValidatorSet {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<ValidatorSet, D::Error> {
        let value = Value::deserialize(deserializer)?;
        json::validator_set(&crate::json::Node::root(&value)).map_err(de::Error::custom)
    }
}

/// A signed header with the set that signs it and, where known, the set that signs the next one.
///
/// Reads the JSON of light clients, of `/commit` with `/validators`, and of extended headers.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LightBlock {
    /// The set that signs the next header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next_validator_set: Option<ValidatorSet>,
    /// The header and its commit.
    pub signed_header: SignedHeader,
    /// The set that signs this header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub validator_set: Option<ValidatorSet>,
}

impl<'de> Deserialize<'de> for LightBlock {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<LightBlock, D::Error> {
        let value = Value::deserialize(deserializer)?;
        parse_value(&value).map_err(de::Error::custom)
    }
}
