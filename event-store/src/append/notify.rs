//! Notify: tells other processes that the log has grown, without saying how far.
//!
//! Knows nothing of appending. `notify` takes a lock that is one for the whole database, so it
//! never runs inside an append's transaction, and not more often than anyone needs: polling is the
//! guarantee.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::session::{Address, Link};
use crate::error::StoreError;
use crate::follow::CHANNEL;

/// How long a notifier that cannot reach the database rests.
const REST_MS: u64 = 1_000;

pub(super) struct Notifier {
    grown: Arc<Notify>,
    task: AbortHandle,
}

impl Notifier {
    pub(super) fn start(address: Address, interval_ms: u64) -> Notifier {
        let grown = Arc::new(Notify::new());
        let task = tokio::spawn(notify(address, Arc::clone(&grown), interval_ms)).abort_handle();
        Notifier { grown, task }
    }

    /// Does not wait. Calls between two notifications are one.
    pub(super) fn grown(&self) {
        self.grown.notify_one();
    }
}

impl Drop for Notifier {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn notify(address: Address, grown: Arc<Notify>, interval_ms: u64) {
    let mut link: Option<Link> = None;
    loop {
        grown.notified().await;
        if let Err(error) = notify_once(&address, &mut link).await {
            tracing::debug!(%error, "others could not be notified and will find out by polling");
            link = None;
            sleep(Duration::from_millis(REST_MS)).await;
        }
        sleep(Duration::from_millis(interval_ms)).await;
    }
}

async fn notify_once(address: &Address, link: &mut Option<Link>) -> Result<(), StoreError> {
    if link.is_none() {
        let fresh = address.connect().await?;
        // A notification that a crash swallows is no loss.
        fresh.client.batch_execute("set synchronous_commit = off").await?;
        *link = Some(fresh);
    }
    if let Some(link) = link {
        link.client.batch_execute(&format!("notify {CHANNEL}")).await?;
    }
    Ok(())
}
