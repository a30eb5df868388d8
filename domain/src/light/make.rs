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
};
use tendermint_proto::v0_38::types as proto;

use super::{ParseFault, SignedHeader, ValidatorSet};
use crate::{
    hashes,
    values::{self, Hash},
    vote::{self, VoteType},
};

/// The bytes a validator signs to precommit `signed`'s block, or nil, at `timestamp`: CometBFT's
/// length-delimited canonical vote.
pub fn vote_bytes(signed: &SignedHeader, timestamp: Time, for_header: bool) -> Vec<u8> {
    entry_bytes(signed.chain_id().as_str(), &signed.signed().commit, timestamp, for_header)
}

/// The same for the block that `commit` is for.
pub(super) fn entry_bytes(
    chain_id: &str,
    commit: &Commit,
    timestamp: Time,
    for_header: bool,
) -> Vec<u8> {
    let round = values::Round::try_from(commit.round.value()).unwrap_or_default();
    let id = for_header.then_some(commit.block_id);
    vote::vote_bytes(chain_id, commit.height.value(), round, VoteType::Precommit, id, timestamp)
}

/// The Merkle root of one part. A made header has no block around it: its own protobuf stands for
/// the block, in one part.
pub fn parts_hash(header: &Header) -> Hash {
    hashes::root(&[proto::Header::from(header.clone()).encode_to_vec()])
}

/// What the next header names this header's commit by: the Merkle root of its entries.
pub fn commit_hash(signed: &SignedHeader) -> Hash {
    hashes::commit_hash(&signed.signed().commit)
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
    let mut commit = Commit { height: header.height, round, block_id, signatures: Vec::new() };
    let message = entry_bytes(header.chain_id.as_str(), &commit, timestamp, true);
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
    commit.signatures = signatures;
    let signed = TmSignedHeader::new(header, commit)
        .map_err(|fault| ParseFault::new("/header", fault.to_string()))?;
    SignedHeader::new(signed)
}
