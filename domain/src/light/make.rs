//! Makes signed headers with real keys, as a chain of one's own needs them.
//!
//! Does not know where keys come from, and draws nothing at random: Ed25519 signatures are
//! deterministic.

use ed25519_dalek::{Signer as _, SigningKey};
use prost::Message as _;
use tendermint::{
    Time,
    block::{
        Commit, CommitSig, Header, Id, Round, parts, signed_header::SignedHeader as TmSignedHeader,
    },
    crypto::default::Sha256,
    merkle,
    vote::{CanonicalVote, Type},
};
use tendermint_proto::v0_38::types as proto;

use super::{ParseFault, SignedHeader, ValidatorSet};
use crate::values::Hash;

/// The bytes a validator signs to precommit `signed`'s block, or nil, at `timestamp`: CometBFT's
/// length-delimited canonical vote.
pub fn vote_bytes(signed: &SignedHeader, timestamp: Time, for_header: bool) -> Vec<u8> {
    let header = &signed.signed().header;
    let commit = &signed.signed().commit;
    precommit_bytes(header, commit.round, commit.block_id, timestamp, for_header)
}

fn precommit_bytes(
    header: &Header,
    round: Round,
    block_id: Id,
    timestamp: Time,
    for_header: bool,
) -> Vec<u8> {
    let vote = CanonicalVote {
        vote_type: Type::Precommit,
        height: header.height,
        round,
        block_id: for_header.then_some(block_id),
        timestamp: Some(timestamp),
        chain_id: header.chain_id.clone(),
    };
    let mut bytes = Vec::new();
    let raw = proto::CanonicalVote::from(vote);
    // Writing into a growing vector never runs out of room.
    let _ = raw.encode_length_delimited(&mut bytes);
    bytes
}

/// The Merkle root of one part. A made header has no block around it: its own protobuf stands for
/// the block, in one part.
pub fn parts_hash(header: &Header) -> Hash {
    let bytes = proto::Header::from(header.clone()).encode_to_vec();
    Hash::of(&[&[0_u8], bytes.as_slice()].concat())
}

/// What the next header names this header's commit by: the Merkle root of its entries.
pub fn commit_hash(signed: &SignedHeader) -> Hash {
    let entries = signed.signed().commit.signatures.iter().cloned();
    let leaves: Vec<_> =
        entries.map(|entry| proto::CommitSig::from(entry).encode_to_vec()).collect();
    Hash::from_bytes(merkle::simple_hash_from_byte_vectors::<Sha256>(&leaves))
}

/// What a header names the limits of a block by (CometBFT's `HashedParams`): gas -1 is no limit.
pub fn consensus_hash(block_bytes_max: i64, block_gas_max: i64) -> Hash {
    let hashed =
        proto::HashedParams { block_max_bytes: block_bytes_max, block_max_gas: block_gas_max };
    Hash::of(&hashed.encode_to_vec())
}

/// Signs `header` in `round` with `keys`, each at `timestamp`: a commit with one entry for each
/// validator of `set` in the set's order, absent where none of the keys is the validator's.
///
/// Refuses a header that does not name `set`, and one that is out of bounds.
pub fn sign_header(
    header: Header,
    round: Round,
    timestamp: Time,
    set: &ValidatorSet,
    keys: &[SigningKey],
) -> Result<SignedHeader, ParseFault> {
    if super::sha256(header.validators_hash) != Some(set.hash()) {
        let sentence = format!("the header does not name the validator set {}", set.hash());
        return Err(ParseFault::new("/header/validators_hash", sentence));
    }
    let part_hash = tendermint::Hash::Sha256(*parts_hash(&header).as_bytes());
    let part_set_header = parts::Header::new(1, part_hash)
        .map_err(|fault| ParseFault::new("/commit/block_id/parts", fault.to_string()))?;
    let block_id = Id { hash: header.hash(), part_set_header };
    let message = precommit_bytes(&header, round, block_id, timestamp, true);
    let mut signatures = Vec::with_capacity(set.count());
    for validator in set.set().validators() {
        let key_bytes = validator.pub_key.to_bytes();
        let key = keys.iter().find(|key| key.verifying_key().as_bytes()[..] == key_bytes[..]);
        let entry = match key {
            None => CommitSig::BlockIdFlagAbsent,
            Some(key) => CommitSig::BlockIdFlagCommit {
                validator_address: validator.address,
                timestamp,
                signature: tendermint::Signature::new(key.sign(&message).to_bytes())
                    .map_err(|fault| ParseFault::new("/commit/signatures", fault.to_string()))?,
            },
        };
        signatures.push(entry);
    }
    let commit = Commit { height: header.height, round, block_id, signatures };
    let signed = TmSignedHeader::new(header, commit)
        .map_err(|fault| ParseFault::new("/header", fault.to_string()))?;
    SignedHeader::new(signed)
}
