//! What followers read: blocks of the log, each read once for all, the newest of them kept.
//!
//! Knows nothing of who follows. However many do, new events are read about once, and catching up
//! never takes the connections that everybody else needs.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OnceCell, Semaphore},
    time::{Instant, sleep_until},
};

use crate::error::StoreError;
use crate::event::StoredEvent;
use crate::read::{Filter, Page};
use crate::store::EventStore;

/// Events a follower is given at once; blocks begin at its multiples.
const BLOCK_EVENTS: u64 = 500;
/// Who is further behind reads by itself: few others will want the same.
const SHARED_EVENTS_MAX: u64 = 20_000;
/// Bytes kept for those who come a little later.
const KEPT_BYTES_MAX: usize = 32 * 1024 * 1024;
/// Reads at the same time for those who are behind.
const READS_MAX: usize = 2;
/// What a page means to each follower in work: new events are gathered for as long as all of them
/// need for a page, so that many followers get larger pages and not more of them.
const PACE_MICROS: u32 = 50;
/// Milliseconds that new events are gathered at most.
const PACE_MS_MAX: u64 = 100;
/// A wait that no timer can keep is none.
const TIMER_MS: u64 = 1;

/// Why there is no page.
enum Miss {
    /// Nothing follows yet.
    AtHead,
    /// The log could not be read.
    Failed(StoreError),
}

type Shared = Arc<OnceCell<Arc<Page>>>;

/// Pages by the position they begin after; none goes past its block.
#[derive(Default)]
struct Kept {
    pages: BTreeMap<u64, (Shared, usize)>,
    /// Of all of them.
    bytes: usize,
}

/// The reads of a process's followers.
pub(crate) struct Gather {
    kept: Mutex<Kept>,
    reads: Semaphore,
    followers: AtomicU32,
    /// When new events were read last.
    read: Mutex<Instant>,
}

impl Gather {
    pub(crate) fn new() -> Gather {
        Gather {
            kept: Mutex::default(),
            reads: Semaphore::new(READS_MAX),
            followers: AtomicU32::new(0),
            read: Mutex::new(Instant::now()),
        }
    }

    /// One more follows.
    pub(crate) fn joins(&self) {
        self.followers.fetch_add(1, Ordering::Relaxed);
    }

    /// One of them does not any longer.
    pub(crate) fn leaves(&self) {
        self.followers.fetch_sub(1, Ordering::Relaxed);
    }

    /// The page that follows a position; one that ends there when nothing does.
    pub(crate) async fn after(
        &self,
        store: &EventStore,
        after: u64,
        filter: &Filter,
    ) -> Result<Arc<Page>, StoreError> {
        loop {
            let known = *store.inner.head.borrow();
            // An index leads to the events of a stream: only what is new is not worth asking for.
            let shared = if filter.streams.is_empty() { SHARED_EVENTS_MAX } else { BLOCK_EVENTS };
            let is_far = known.saturating_sub(after) > shared;
            let Some((start, page)) = self.page(after, is_far) else {
                // Closed by nobody.
                let _turn = self.reads.acquire().await.map_err(|_| StoreError::Closed)?;
                let events = usize::try_from(BLOCK_EVENTS).unwrap_or(usize::MAX);
                return store.read_all(after, filter, events).await.map(Arc::new);
            };
            let page = page.get_or_try_init(|| self.read(store, start, known));
            match page.await {
                Ok(page) if page.scanned_to > after => return Ok(rest(page, start, after, filter)),
                // It was read before the log was as long as the asker knows it.
                Ok(_) => {}
                Err(Miss::AtHead) => return Ok(Arc::new(Page::empty(after))),
                Err(Miss::Failed(error)) => return Err(error),
            }
        }
    }

    /// The page in which a position's successor is or will be, and where that page begins; none for
    /// one who is far behind when it is not there.
    fn page(&self, after: u64, is_far: bool) -> Option<(u64, Shared)> {
        let block = after - after % BLOCK_EVENTS;
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mut start = block;
        if let Some((place, (page, _))) = kept.pages.range(..=after).next_back() {
            match page.get() {
                Some(page) if page.scanned_to <= after => start = page.scanned_to.max(block),
                Some(_) => return Some((*place, page.clone())),
                None if *place >= block => return Some((*place, page.clone())),
                None => {}
            }
        }
        if is_far {
            return None;
        }
        let page = Shared::default();
        kept.pages.insert(start, (page.clone(), 0));
        Some((start, page))
    }

    /// Reads up to the end of the block, or of the log.
    async fn read(&self, store: &EventStore, start: u64, known: u64) -> Result<Arc<Page>, Miss> {
        let end = start - start % BLOCK_EVENTS + BLOCK_EVENTS;
        let _turn = if end <= known {
            // Closed by nobody.
            Some(self.reads.acquire().await.map_err(|_| Miss::Failed(StoreError::Closed))?)
        } else {
            self.pace().await;
            None
        };
        let events = usize::try_from(end - start).unwrap_or(usize::MAX);
        let page = store.read_all(start, &Filter::all(), events).await.map_err(Miss::Failed)?;
        if page.scanned_to <= start {
            return Err(Miss::AtHead);
        }
        self.keep(start, page.bytes());
        Ok(Arc::new(page.compact()))
    }

    /// Waits until the followers have had the time for what they were given last.
    async fn pace(&self) {
        let work = PACE_MICROS.saturating_mul(self.followers.load(Ordering::Relaxed));
        let work = Duration::from_micros(u64::from(work)).min(Duration::from_millis(PACE_MS_MAX));
        let last = *self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if (last + work).duration_since(Instant::now()) >= Duration::from_millis(TIMER_MS) {
            sleep_until(last + work).await;
        }
        *self.read.lock().unwrap_or_else(PoisonError::into_inner) = Instant::now();
    }

    /// Makes room for a page of so many bytes: the oldest go.
    fn keep(&self, start: u64, bytes: usize) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((_, counted)) = kept.pages.get_mut(&start) else { return };
        let before = std::mem::replace(counted, bytes);
        kept.bytes = kept.bytes - before + bytes;
        while kept.bytes > KEPT_BYTES_MAX {
            let Some((_, (_, bytes))) = kept.pages.pop_first() else { return };
            kept.bytes -= bytes;
        }
    }
}

/// What of a page that begins at `start` comes after a position and passes.
fn rest(page: &Arc<Page>, start: u64, after: u64, filter: &Filter) -> Arc<Page> {
    if start == after && filter.is_all() {
        return page.clone();
    }
    let wanted = |event: &&StoredEvent| event.position > after && filter.matches(event);
    let events = page.events.iter().filter(wanted).cloned().collect();
    Arc::new(Page { events, scanned_to: page.scanned_to })
}
