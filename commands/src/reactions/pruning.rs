//! State pruning: snapshots that were dropped give back the space they took.
//!
//! Does not decide which: the chain has. Nothing of the log goes with them, and no block's results:
//! what is dropped can be made anew.

use domain::{chain, values::Hash};

use super::{Cause, Stuck};
use crate::execute::Commands;

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["state-pruned.v1"];

/// Drops what an event says is no longer kept.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    if let chain::Event::StatePruned(pruned) = cause.read::<chain::Event>()? {
        let is_kept = |hash: &Hash| *hash == pruned.kept.hash;
        let dropped = pruned.dropped.iter().map(|one| one.hash).filter(|hash| !is_kept(hash));
        let dropped: Vec<[u8; 32]> = dropped.map(|hash| *hash.as_bytes()).collect();
        commands.store().drop_prunable(&dropped).await?;
    }
    Ok(())
}
