//! Eviction: after each block, what has waited too long, what another transaction with its nonce
//! took the place of, and what there is no room for leaves the mempool, with the reason.
//!
//! Does not decide who has to go: the mempool says so, and each account judges it again.

use domain::transaction::{Account, Command};
use tracing::warn;

use super::{Cause, Stuck, unless_refused};
use crate::execute::Commands;

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["block-applied.v1"];
/// How many are evicted at a time.
const EVICTIONS_MAX: usize = 1_000;

/// Evicts all that is due.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    loop {
        let due = commands.due_evictions(EVICTIONS_MAX).await?;
        let asked = due.len();
        let evict = due.into_iter().map(|(sender, hash, reason)| {
            (sender, Command::Evict { hash, reason }, cause.request(&format!("evict/{hash}")))
        });
        let mut evicted = 0;
        for done in commands.execute_all::<Account>(evict.collect()).await {
            evicted += usize::from(unless_refused(done)?);
        }
        if asked > evicted {
            warn!(asked, evicted, "some were not evicted: they are looked at after the next block");
        }
        if asked < EVICTIONS_MAX || evicted == 0 {
            return Ok(());
        }
    }
}
