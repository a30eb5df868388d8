//! How final blocks are applied to our own chain, and how its state is kept and pruned.
//!
//! Does not execute: what a block came to is handed in by whoever executed it.

use super::{
    BlockApplied, Chain, ChainHalted, EpochClosed, Event, Executed, Kind, Known, Native, Refusal,
    SNAPSHOTS_MAX, StatePruned, decide::opened,
};
use crate::{
    aggregate::Aggregate as _,
    values::{Hash, Height},
};

/// A block with what its sender says it comes to.
pub(super) struct Claim {
    pub block: Hash,
    pub height: Height,
    pub receipts_root: Hash,
    pub state_root: Hash,
}

/// The chain as our own.
pub(super) fn native(chain: &Chain) -> Result<&Native, Refusal> {
    match chain {
        Chain::Unbegun => Err(Refusal::NotBegun),
        Chain::Native(native) => Ok(native),
        Chain::Observed(_) => Err(Refusal::not_native(Kind::Observed)),
    }
}

/// Applies a final block.
pub(super) fn apply(chain: &Chain, claim: &Claim, known: &Known) -> Result<Vec<Event>, Refusal> {
    in_its_epoch(chain, known, |native| extend(native, claim, known))
}

/// What is decided in an epoch of our own chain. In a stream where nothing happened yet the epoch
/// is opened first, when the one before it carries over.
pub(super) fn in_its_epoch(
    chain: &Chain,
    known: &Known,
    decide: impl FnOnce(&Native) -> Result<Vec<Event>, Refusal>,
) -> Result<Vec<Event>, Refusal> {
    if let Chain::Unbegun = chain {
        let opening = opened(known).map_err(|_| Refusal::NotBegun)?;
        let mut begun = Chain::Unbegun;
        begun.evolve(&opening);
        let mut events = vec![opening];
        events.extend(decide(native(&begun)?)?);
        return Ok(events);
    }
    decide(native(chain)?)
}

fn extend(chain: &Native, claim: &Claim, known: &Known) -> Result<Vec<Event>, Refusal> {
    let Claim { block, height, .. } = *claim;
    match chain.roots(height) {
        Some(applied) if applied.hash == block => return Ok(Vec::new()),
        Some(applied) => {
            return Err(Refusal::AppliedAlready { applied: applied.hash, found: block, height });
        }
        None => {}
    }
    check_runs(chain)?;
    check_place(chain, height)?;
    let of_block =
        |executed: &&Executed| executed.applied.hash == block && executed.applied.height == height;
    let executed = known.executed.as_ref().filter(of_block);
    let executed = executed.ok_or(Refusal::NotExecuted { block, height })?;
    let applied = &executed.applied;
    check_link(chain, applied)?;
    // Final is final: a block that names another state is not refused, it stops the chain.
    let state_root = chain.head.as_ref().map_or(executed.state_root_before, |(_, r)| r.state_root);
    if executed.app_hash.as_bytes() != state_root.as_bytes() {
        let app_hash = executed.app_hash.clone();
        let halted = ChainHalted { app_hash, hash: block, height, state_root };
        return Ok(vec![Event::ChainHalted(Box::new(halted))]);
    }
    for (root, found, computed) in [
        ("state_root", claim.state_root, applied.state_root),
        ("receipts_root", claim.receipts_root, applied.receipts_root),
    ] {
        if found != computed {
            return Err(Refusal::RootMismatch { computed, found, root });
        }
    }
    Ok(vec![Event::BlockApplied(Box::new(applied.clone()))])
}

/// It was not halted.
pub(super) fn check_runs(chain: &Native) -> Result<(), Refusal> {
    match &chain.halted {
        Some(halted) => Err(Refusal::Halted { height: halted.height }),
        None => Ok(()),
    }
}

/// The epoch's books are open.
pub(super) fn check_open(chain: &Native) -> Result<(), Refusal> {
    if chain.closed { Err(Refusal::EpochClosed { epoch: chain.epoch }) } else { Ok(()) }
}

/// The next height, in this epoch, while its books are open.
fn check_place(chain: &Native, height: Height) -> Result<(), Refusal> {
    let epoch = chain.epoch;
    let belongs = height.epoch(chain.parameters().epoch_blocks);
    if belongs < epoch {
        return Err(Refusal::EpochMismatch { expected: belongs, found: epoch, height });
    }
    if belongs > epoch {
        return Err(Refusal::EpochOver { epoch, height, next: belongs });
    }
    check_open(chain)?;
    let expected = chain.next_height().unwrap_or(height);
    if height != expected {
        return Err(Refusal::HeightNotNext { expected, found: height });
    }
    Ok(())
}

/// The block names the one before it, and is signed by the set that one announced.
fn check_link(chain: &Native, applied: &BlockApplied) -> Result<(), Refusal> {
    let (expected, found) =
        (chain.head.as_ref().map(|(head, _)| head.hash), applied.last_block_hash);
    if found != expected {
        return Err(Refusal::PreviousMismatch { expected, found });
    }
    let (expected, found) = (chain.next_validators_hash, applied.validators_hash);
    if found != expected {
        return Err(Refusal::ValidatorsMismatch { expected, found });
    }
    Ok(())
}

/// Closes the books of an epoch whose last block is applied.
pub(super) fn close(chain: &Native) -> Result<Vec<Event>, Refusal> {
    if chain.closed {
        return Ok(Vec::new());
    }
    check_runs(chain)?;
    let epoch = chain.epoch;
    let head = chain.head.as_ref().map(|(head, _)| head).ok_or(Refusal::NothingApplied)?;
    // An epoch that reaches beyond the last height there can be never ends.
    let last = epoch.last_height(chain.parameters().epoch_blocks);
    if let Some(last) = last.filter(|last| head.height < *last) {
        return Err(Refusal::EpochNotComplete { epoch, head: head.height, last });
    }
    let headers = u32::try_from(chain.blocks.len()).unwrap_or(u32::MAX);
    let closed = EpochClosed { epoch, hash: head.hash, headers, height: head.height };
    Ok(vec![Event::EpochClosed(closed)])
}

/// Neither above the head, nor in closed books, whose state was carried over without it.
fn check_state(chain: &Native, height: Height) -> Result<(), Refusal> {
    check_open(chain)?;
    let head = chain.head.as_ref().map(|(head, _)| head.height).ok_or(Refusal::NothingApplied)?;
    if height > head {
        return Err(Refusal::AboveHead { head, height });
    }
    Ok(())
}

/// Records a snapshot of the state after a height of this epoch (or of the head).
pub(super) fn snapshot(
    chain: &Native,
    height: Height,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    check_state(chain, height)?;
    if chain.snapshots.contains_key(&height) {
        return Ok(Vec::new());
    }
    if let Some(before) = chain.pruned_before.filter(|before| height < *before) {
        return Err(Refusal::Pruned { before, height });
    }
    let epoch = chain.epoch;
    let recorded = chain.roots(height).ok_or(Refusal::HeightNotRecorded { epoch, height })?;
    if chain.snapshots.len() >= SNAPSHOTS_MAX {
        return Err(Refusal::SnapshotsExhausted { maximum: SNAPSHOTS_MAX });
    }
    let made = known.snapshot.filter(|made| made.height == height);
    let made = made.ok_or(Refusal::SnapshotNotMade { height })?;
    let (computed, found, root) = (recorded.state_root, made.state_root, "state_root");
    if found != computed {
        return Err(Refusal::RootMismatch { computed, found, root });
    }
    Ok(vec![Event::StateSnapshotCreated(made)])
}

/// Drops the snapshots of lower heights; one from that height on must be there.
pub(super) fn prune(chain: &Native, before: Height) -> Result<Vec<Event>, Refusal> {
    check_state(chain, before)?;
    if chain.pruned_before.is_some_and(|pruned| pruned >= before) {
        return Ok(Vec::new());
    }
    let kept = chain.snapshots.range(before..).next().map(|(_, kept)| *kept);
    let kept = kept.ok_or(Refusal::NoSnapshotKept { before })?;
    let dropped = chain.snapshots.range(..before).map(|(_, dropped)| *dropped).collect();
    Ok(vec![Event::StatePruned(Box::new(StatePruned { before, dropped, kept }))])
}
