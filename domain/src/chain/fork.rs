//! Two different headers for one height: how they are proved, and how it is said which one counts.
//!
//! Does not punish: who signed both is written down for those who do.

use std::collections::{BTreeMap, BTreeSet};

use super::{Event, ForkDetected, ForkResolved, Observed, Refusal};
use crate::{
    light::{LightBlock, SignedHeader, ValidatorSet, verify_commit},
    values::{Address, Hash, Height, Reason},
};

/// Takes two headers of this chain and height, one of them recorded. Each must be committed by its
/// own set, and more than a third of the recorded one's power must have signed the other: otherwise
/// the other is somebody's invention and no fork.
pub(super) fn report(
    chain: &Observed,
    first: &LightBlock,
    second: &LightBlock,
) -> Result<Vec<Event>, Refusal> {
    let unproved = |sentence: &str| Refusal::NoForkProved { sentence: sentence.to_owned() };
    let height = first.signed_header.height();
    if height != second.signed_header.height() {
        return Err(unproved("they are of different heights"));
    }
    if first.signed_header.hash() == second.signed_header.hash() {
        return Err(unproved("they are the same header"));
    }
    for block in [first, second] {
        if *block.signed_header.chain_id() != chain.chain_id {
            let found = block.signed_header.chain_id().clone();
            return Err(Refusal::ChainMismatch { expected: chain.chain_id.clone(), found });
        }
    }
    if let Some(fork) = &chain.fork {
        let known = [fork.detected.recorded, fork.detected.conflicting];
        let both = [first, second].iter().all(|b| known.contains(&b.signed_header.hash()));
        let height = fork.detected.height;
        return if both { Ok(Vec::new()) } else { Err(Refusal::ForkUnresolved { height }) };
    }
    let hash = chain.hashes.get(&height);
    let hash =
        hash.ok_or_else(|| unproved("no header of this height is recorded in this epoch"))?;
    let (recorded, other) = match *hash {
        hash if hash == first.signed_header.hash() => (first, second),
        hash if hash == second.signed_header.hash() => (second, first),
        _ => return Err(unproved("neither of them is the recorded one")),
    };
    let recorded_set = committed(chain, recorded)?;
    let other_set = committed(chain, other)?;
    let culprits = signers_of_both(recorded, other, &recorded_set)?;
    Ok(vec![Event::ForkDetected(Box::new(ForkDetected {
        conflicting: other.signed_header.hash(),
        conflicting_header: other.signed_header.raw(),
        conflicting_set: other_set,
        culprits,
        height,
        recorded: recorded.signed_header.hash(),
    }))])
}

/// The set that committed the header.
fn committed(chain: &Observed, block: &LightBlock) -> Result<ValidatorSet, Refusal> {
    let header = &block.signed_header;
    let hash = header.validators_hash();
    let set = block.validator_set.as_ref().or_else(|| chain.known_set(hash));
    let set = set.ok_or(Refusal::ValidatorSetMissing { hash })?;
    let (hash, height) = (header.hash(), header.height());
    verify_commit(header, set).map_err(|fault| Refusal::HeaderInvalid { fault, hash, height })?;
    Ok(set.clone())
}

fn signers(header: &SignedHeader) -> BTreeSet<Address> {
    let entries = header.signed().commit.signatures.iter();
    let voted = entries.filter(|entry| entry.is_commit());
    voted
        .filter_map(|entry| entry.validator_address())
        .filter_map(|id| id.as_bytes().try_into().ok())
        .map(Address::from_bytes)
        .collect()
}

/// Who of the recorded header's set signed both, when the other was signed by more than a third of
/// that set's power.
fn signers_of_both(
    recorded: &LightBlock,
    other: &LightBlock,
    recorded_set: &ValidatorSet,
) -> Result<Vec<Address>, Refusal> {
    let powers: BTreeMap<Address, u64> = recorded_set.members().collect();
    let signed_other = signers(&other.signed_header);
    let known = signed_other.iter().filter_map(|address| powers.get(address));
    let (power, total) = (known.sum::<u64>(), recorded_set.total_power());
    if 3 * u128::from(power) <= u128::from(total) {
        let sentence = format!(
            "{power} of {total} power of the recorded header's set signed the other, not more than \
             one third"
        );
        return Err(Refusal::NoForkProved { sentence });
    }
    let signed_recorded = signers(&recorded.signed_header);
    Ok(signed_recorded.intersection(&signed_other).copied().collect())
}

/// Says which header counts. Keeping the one that is not recorded abandons what was recorded from
/// its height on, which a closed epoch cannot do any more.
pub(super) fn resolve(
    chain: &Observed,
    height: Height,
    keep: Hash,
    reason: &Reason,
) -> Result<Vec<Event>, Refusal> {
    let fork = chain.fork.as_ref().filter(|fork| fork.detected.height == height);
    let detected = &fork.ok_or(Refusal::NoFork { height })?.detected;
    let abandoned = match keep {
        keep if keep == detected.recorded => detected.conflicting,
        keep if keep == detected.conflicting => detected.recorded,
        hash => return Err(Refusal::NotOfFork { hash, height }),
    };
    if chain.closed && keep == detected.conflicting {
        return Err(Refusal::EpochClosed { epoch: chain.epoch });
    }
    let resolved = ForkResolved { abandoned, height, kept: keep, reason: reason.clone() };
    Ok(vec![Event::ForkResolved(resolved)])
}
