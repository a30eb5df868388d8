//! How much of a published log has settled on the disk, and letting the rest.
//!
//! Does not know what was kept. Waiting for a disk once a minute, and for all at once, costs nobody
//! who appends anything; waiting for it at each piece costs them a quarter of what they could do.

use std::time::{Duration, Instant};

use evidence::{Storage, StorageError};
use tokio::task::JoinHandle;

/// How many entries have settled: the name of the file that says so.
const SETTLED: &str = "settled";
/// How often what was kept settles, in seconds: later than an operating system writes by itself.
const SETTLE_S: u64 = 60;

/// What is on its way to the disk.
pub(super) struct Settling {
    settled: u64,
    /// Since when others gather.
    since: Instant,
    /// So many are settling.
    under_way: Option<(u64, JoinHandle<Result<(), StorageError>>)>,
}

/// How many of so many entries have settled, by what was written down; all of them where that needs
/// no time.
pub(super) async fn settled(storage: &Storage, size: u64) -> Result<u64, StorageError> {
    if !storage.settles() {
        return Ok(size);
    }
    let said = storage.get(SETTLED).await?;
    let number = said.and_then(|bytes| std::str::from_utf8(&bytes).ok()?.trim().parse().ok());
    Ok(number.unwrap_or(0).min(size))
}

impl Settling {
    pub(super) fn from(settled: u64) -> Settling {
        Settling { settled, since: Instant::now(), under_way: None }
    }

    /// Lets the first so many entries settle, now and then, and writes down how many have.
    pub(super) async fn go_on(&mut self, storage: &Storage, size: u64) -> Result<(), StorageError> {
        if let Some((size, task)) = self.under_way.take_if(|(_, task)| task.is_finished())
            && let Ok(done) = task.await
        {
            done?;
            storage.put(SETTLED, size.to_string().into()).await?;
            self.settled = size;
        }
        let is_time = self.since.elapsed() >= Duration::from_secs(SETTLE_S);
        if is_time && self.under_way.is_none() && self.settled < size {
            let storage = storage.clone();
            self.under_way = Some((size, tokio::spawn(async move { storage.settle().await })));
            self.since = Instant::now();
        }
        Ok(())
    }
}
