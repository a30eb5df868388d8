//! Write-side state: what decisions must know beyond their own stream, folded from the log by the
//! write wing itself, so that a lagging read model can never make a decision wrong.
//!
//! Does not know who asks, nor what will be decided.

mod directory;
mod execution;
mod native;
mod next_block;
mod pace;
mod resume;
mod roster;

pub use directory::Directory;
pub(crate) use execution::Unexecuted;
pub use next_block::NextBlock;
pub(crate) use roster::ActiveSet;

use event_store::{EventStore, Filter, Page, StoreError};
use tokio::sync::Mutex;

use native::Native;
use pace::Pace;
use roster::Roster;

/// How many events are read at a time while catching up.
const LEDGER_PAGE_EVENTS: usize = 5_000;

/// What has been folded of the log so far.
#[derive(Default)]
pub(crate) struct Ledger {
    /// The validators of every chain.
    roster: Mutex<Roster>,
    /// Everybody, and what roles give.
    directory: directory::Kept,
    /// Our own chain's state, and what waits for its blocks.
    native: Mutex<Native>,
    /// Whether it keeps up.
    pub(crate) pace: Pace,
}

/// The next piece of the log that has not been looked at; none at its end.
async fn unfolded(
    store: &EventStore,
    filter: &Filter,
    after: u64,
) -> Result<Option<Page>, StoreError> {
    let page = store.read_all(after, filter, LEDGER_PAGE_EVENTS).await?;
    Ok((page.scanned_to > after).then_some(page))
}
