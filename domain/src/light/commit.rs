//! Whether a commit is a good one, by our own reading of CometBFT's rule for full nodes.
//!
//! Does not know trust: it asks only whether this set signed this header. It is stricter than light
//! clients must be: the signatures stand in the set's order, and every one that is there verifies.

use tendermint::block::{Commit, CommitSig};

use super::{Fault, SignedHeader, ValidatorSet, address, entry_bytes, sha256};
use crate::values::{ChainId, Hash, is_quorum};

/// How much power signed, of how much.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Tally {
    /// The power that signed for the header.
    pub signed: u64,
    /// The power of the whole set.
    pub total: u64,
}

/// Whether `set` committed `signed`: the commit is for this header's hash, the set is the one the
/// header names, there is one entry for each validator in the set's order, every signature that is
/// there (for nil, too) verifies by ZIP 215, and strictly more than two thirds of the power signed
/// for the header.
pub fn verify_commit(signed: &SignedHeader, set: &ValidatorSet) -> Result<Tally, Fault> {
    let commit = &signed.signed().commit;
    let named = sha256(commit.block_id.hash).unwrap_or(Hash::from_bytes([0; 32]));
    if named != signed.hash() {
        return Err(Fault::HeaderHashMismatch { computed: signed.hash(), named });
    }
    if signed.validators_hash() != set.hash() {
        let expected = signed.validators_hash();
        return Err(Fault::ValidatorSetMismatch { expected, found: set.hash() });
    }
    verify_entries(signed.chain_id(), commit, set)
}

/// Whether `set` committed the block that `commit` is for, by the rules of [`verify_commit`] for
/// entries; which block that is, is not asked.
pub fn verify_entries(
    chain_id: &ChainId,
    commit: &Commit,
    set: &ValidatorSet,
) -> Result<Tally, Fault> {
    if commit.signatures.len() != set.count() {
        return Err(Fault::SignatureCountMismatch {
            signatures: count(commit.signatures.len()),
            validators: count(set.count()),
        });
    }
    let mut power = 0;
    for (index, entry) in commit.signatures.iter().enumerate() {
        if let Some(voted) = verify_entry(chain_id, commit, set, index, entry)? {
            power += voted;
        }
    }
    let total = set.total_power();
    if !is_quorum(power, total) {
        return Err(Fault::QuorumMissing { signed: power.to_string(), total: total.to_string() });
    }
    Ok(Tally { signed: power, total })
}

fn count(number: usize) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// The power that this entry votes for the header with; none for an absent or nil vote.
fn verify_entry(
    chain_id: &ChainId,
    commit: &Commit,
    set: &ValidatorSet,
    index: usize,
    entry: &CommitSig,
) -> Result<Option<u64>, Fault> {
    let (found, timestamp, signature, for_header) = match entry {
        CommitSig::BlockIdFlagAbsent => return Ok(None),
        CommitSig::BlockIdFlagCommit { validator_address, timestamp, signature } => {
            (*validator_address, *timestamp, signature, true)
        }
        CommitSig::BlockIdFlagNil { validator_address, timestamp, signature } => {
            (*validator_address, *timestamp, signature, false)
        }
    };
    let validator = &set.set().validators()[index];
    let (index, expected) = (count(index), address(validator.address));
    if found != validator.address {
        return Err(Fault::SignatureOutOfOrder { expected, found: address(found), index });
    }
    let invalid = || Fault::SignatureInvalid { index, validator: expected };
    let signature =
        signature.as_ref().ok_or(Fault::SignatureMissing { index, validator: expected })?;
    let message = entry_bytes(chain_id.as_str(), commit, timestamp, for_header);
    let key = ed25519_zebra::VerificationKey::try_from(validator.pub_key.to_bytes().as_slice())
        .map_err(|_| invalid())?;
    let signature =
        ed25519_zebra::Signature::try_from(signature.as_bytes()).map_err(|_| invalid())?;
    key.verify(&signature, &message).map_err(|_| invalid())?;
    Ok(for_header.then(|| validator.power()))
}
