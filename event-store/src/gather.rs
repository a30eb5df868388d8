//! What followers read: those at the same place share one read, those far behind wait their turn.
//!
//! Knows nothing of who follows. However many do, new events are read about once, and catching up
//! never takes the connections that everybody else needs.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
};

use tokio::sync::{OnceCell, Semaphore};

use crate::error::StoreError;
use crate::read::{Filter, Page};
use crate::store::EventStore;

/// Events a follower is given at once.
const FOLLOW_EVENTS_MAX: usize = 500;
/// Pages kept for followers that come a little later.
const PAGES_KEPT_MAX: usize = 4;
/// Followers that read by themselves at the same time, because they are far behind.
const READS_MAX: usize = 2;

/// Why there is no page.
enum Miss {
    /// Nothing follows yet.
    AtHead,
    /// The log could not be read.
    Failed(StoreError),
}

type Shared = Arc<OnceCell<Arc<Page>>>;

/// The reads of a process's followers.
pub(crate) struct Gather {
    /// By the position they begin after.
    pages: Mutex<VecDeque<(u64, Shared)>>,
    reads: Semaphore,
}

impl Gather {
    pub(crate) fn new() -> Gather {
        Gather { pages: Mutex::new(VecDeque::new()), reads: Semaphore::new(READS_MAX) }
    }

    /// The page that follows a position, read once for all who ask near the head.
    pub(crate) async fn after(
        &self,
        store: &EventStore,
        after: u64,
        filter: &Filter,
    ) -> Result<Page, StoreError> {
        let known = *store.inner.head.borrow();
        if known.saturating_sub(after) > FOLLOW_EVENTS_MAX as u64 {
            // Closed by nobody.
            let _turn = self.reads.acquire().await.map_err(|_| StoreError::Closed)?;
            return store.read_all(after, filter, FOLLOW_EVENTS_MAX).await;
        }
        let shared = self.shared(after);
        let page = shared.get_or_try_init(async || {
            let page = store.read_all(after, &Filter::all(), FOLLOW_EVENTS_MAX).await;
            let page = page.map_err(Miss::Failed)?;
            if page.scanned_to > after { Ok(Arc::new(page)) } else { Err(Miss::AtHead) }
        });
        match page.await {
            Ok(page) => {
                let passing = page.events.iter().filter(|event| filter.matches(event));
                Ok(Page { events: passing.cloned().collect(), scanned_to: page.scanned_to })
            }
            Err(Miss::AtHead) => Ok(Page { events: Vec::new(), scanned_to: after }),
            Err(Miss::Failed(error)) => Err(error),
        }
    }

    fn shared(&self, after: u64) -> Shared {
        let mut pages = self.pages.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, shared)) = pages.iter().find(|(place, _)| *place == after) {
            return shared.clone();
        }
        let shared = Shared::default();
        pages.push_back((after, shared.clone()));
        if pages.len() > PAGES_KEPT_MAX {
            pages.pop_front();
        }
        shared
    }
}
