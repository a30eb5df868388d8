//! Follow: catch-up, then live, one code path.
//!
//! Knows nothing of who follows: it gives pages no faster than they are taken.

use std::{sync::Arc, time::Duration};

use futures::Stream;
use sqlx::PgPool;
use sqlx::postgres::PgListener;
use tokio::sync::watch;
use tokio::task::AbortHandle;
use tokio::time::{Instant, sleep, timeout};
use uuid::Uuid;

use crate::error::StoreError;
use crate::read::{Filter, Page, head_of};
use crate::store::{EventStore, StoreOptions};

/// The channel that says "the log has grown", without saying how far.
pub(crate) const CHANNEL: &str = "node0_log";
/// How long a follower waits for a database that is away before it gives up.
const AWAY_MS_MAX: u64 = 30_000;
/// How long a follower that cannot read waits before it tries again.
const RETRY_MS: u64 = 250;
/// A follower looks by itself this often, should nobody wake it.
const LOOK_MS: u64 = 30_000;

impl EventStore {
    /// Pages after `after`, for ever: first what is stored, then what comes, never the same event
    /// twice, none left out. A page may be empty when a filter lets nothing through: then it says
    /// how far was looked. Ends with an error when the incarnation changes or the database stays
    /// away.
    pub fn follow(
        &self,
        after: u64,
        filter: Filter,
    ) -> impl Stream<Item = Result<Arc<Page>, StoreError>> + Send + use<> {
        let (store, head) = (self.clone(), self.watch_head());
        store.inner.gather.joins();
        let follower = Follower { store, head, after, filter, looks: true, ended: false };
        futures::stream::unfold(follower, Follower::step)
    }

    /// The newest position this process has learned of; changes wake followers.
    pub fn watch_head(&self) -> watch::Receiver<u64> {
        self.inner.head.subscribe()
    }
}

struct Follower {
    store: EventStore,
    head: watch::Receiver<u64>,
    after: u64,
    filter: Filter,
    /// Whether it reads although nothing is known to follow.
    looks: bool,
    ended: bool,
}

impl Drop for Follower {
    fn drop(&mut self) {
        self.store.inner.gather.leaves();
    }
}

impl Follower {
    async fn step(mut self) -> Option<(Result<Arc<Page>, StoreError>, Follower)> {
        if self.ended {
            return None;
        }
        let page = self.next_page().await;
        self.ended = page.is_err();
        Some((page, self))
    }

    async fn next_page(&mut self) -> Result<Arc<Page>, StoreError> {
        let mut away_since: Option<Instant> = None;
        loop {
            // Seen before the read: a change during it ends the wait at once.
            let seen = *self.head.borrow_and_update();
            if seen <= self.after && !self.looks {
                self.looks = self.growth(seen).await;
                continue;
            }
            match self.store.inner.gather.after(&self.store, self.after, &self.filter).await {
                Ok(page) if page.scanned_to > self.after => {
                    self.after = page.scanned_to;
                    self.looks = false;
                    return Ok(page);
                }
                Ok(_) => {
                    away_since = None;
                    self.looks = self.growth(seen).await;
                }
                Err(error) => {
                    let since = *away_since.get_or_insert_with(Instant::now);
                    let patient = since.elapsed() < Duration::from_millis(AWAY_MS_MAX);
                    if !error.is_unavailable() || !patient || self.store.pool().is_closed() {
                        return Err(error);
                    }
                    sleep(Duration::from_millis(RETRY_MS)).await;
                    self.looks = true;
                }
            }
        }
    }

    /// Waits for a reason to read; true when it is another one than growth.
    async fn growth(&mut self, mut seen: u64) -> bool {
        // An error means that the log was dropped: the next read says so.
        while let Ok(Ok(())) = timeout(Duration::from_millis(LOOK_MS), self.head.changed()).await {
            let now = *self.head.borrow_and_update();
            if now <= seen {
                // A change that is no growth says that the log is another one.
                return true;
            }
            if now > self.after {
                return false;
            }
            // A growth up to here was read before it was heard of.
            seen = now;
        }
        true
    }
}

/// Learns how far the log has grown by others: by notification, and by asking, which is the
/// guarantee.
pub(crate) struct Wake {
    task: AbortHandle,
}

impl Wake {
    pub(crate) fn start(
        options: &StoreOptions,
        pool: PgPool,
        incarnation: Uuid,
        head: watch::Sender<u64>,
    ) -> Wake {
        let poll = Duration::from_millis(options.poll_interval_ms);
        let task = tokio::spawn(wake(pool, incarnation, head, poll)).abort_handle();
        Wake { task }
    }

    pub(crate) fn stop(&self) {
        self.task.abort();
    }
}

impl Drop for Wake {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn wake(pool: PgPool, incarnation: Uuid, head: watch::Sender<u64>, poll: Duration) {
    let mut listener = None;
    while !pool.is_closed() {
        if listener.is_none() {
            listener = listen(&pool).await;
        }
        let heard = match &mut listener {
            Some(listener) => timeout(poll, listener.recv()).await.map(|heard| heard.is_ok()),
            None => timeout(poll, std::future::pending()).await,
        };
        if heard == Ok(false) {
            listener = None;
            sleep(poll).await;
        }
        match head_of(&pool).await {
            Ok(now) if now.incarnation != incarnation => head.send_modify(|_| ()),
            Ok(now) => {
                head.send_if_modified(|known| {
                    let grown = now.position > *known;
                    *known = now.position.max(*known);
                    grown
                });
            }
            // Away: followers find out by themselves when they read.
            Err(_) => sleep(poll).await,
        }
    }
}

async fn listen(pool: &PgPool) -> Option<PgListener> {
    let mut listener = PgListener::connect_with(pool).await.ok()?;
    listener.listen(CHANNEL).await.ok()?;
    Some(listener)
}
