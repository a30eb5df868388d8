//! The reader that all projections of a process share: each stretch of the log is read and decoded
//! once.
//!
//! Does not know who reads, nor what for. Projections at the same place get the same segment; one
//! that is elsewhere has its own read, and joins the others as soon as it reaches their place.

use std::{collections::VecDeque, sync::Arc};

use event_store::{EventStore, Filter, StoreError};
use tokio::sync::{Mutex, OnceCell};

use crate::{attachment, event::Segment};

/// The most events of one segment. Segments end at multiples of it, wherever they begin: that is
/// how projections that are apart come to read the same ones.
pub const SEGMENT_EVENTS_MAX: u64 = 4_096;
/// A segment ends early when its records and what they name exceed this many bytes.
const SEGMENT_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How many events one statement reads.
const READ_EVENTS_MAX: u64 = 1_024;
/// How many segments are kept for projections that come a little later.
const SEGMENTS_KEPT_MAX: usize = 3;

/// Why there is no segment.
enum Miss {
    /// Nothing follows yet.
    AtHead,
    /// The log could not be read.
    Failed(StoreError),
}

struct Slot {
    after: u64,
    segment: Arc<OnceCell<Arc<Segment>>>,
}

/// Reads the log in decoded segments.
pub struct Reader {
    store: EventStore,
    segment_events_max: u64,
    /// What comes after this is not there.
    until: u64,
    kept: Mutex<VecDeque<Slot>>,
}

impl Reader {
    /// Of this log up to a position, in segments of at most so many events.
    pub fn new(store: EventStore, segment_events_max: u64, until: u64) -> Reader {
        let segment_events_max = segment_events_max.clamp(1, SEGMENT_EVENTS_MAX);
        Reader { store, segment_events_max, until, kept: Mutex::new(VecDeque::new()) }
    }

    /// The log.
    pub fn store(&self) -> &EventStore {
        &self.store
    }

    /// The segment that follows a position; none at the head.
    pub async fn after(&self, after: u64) -> Result<Option<Arc<Segment>>, StoreError> {
        let slot = self.slot(after).await;
        match slot.get_or_try_init(|| self.load(after)).await {
            Ok(segment) => Ok(Some(segment.clone())),
            Err(Miss::AtHead) => Ok(None),
            Err(Miss::Failed(error)) => Err(error),
        }
    }

    async fn slot(&self, after: u64) -> Arc<OnceCell<Arc<Segment>>> {
        let mut kept = self.kept.lock().await;
        if let Some(slot) = kept.iter().find(|slot| slot.after == after) {
            return slot.segment.clone();
        }
        let segment = Arc::new(OnceCell::new());
        kept.push_back(Slot { after, segment: segment.clone() });
        if kept.len() > SEGMENTS_KEPT_MAX {
            kept.pop_front();
        }
        segment
    }

    /// Reads up to the next multiple of the segment's length, the head, or the limit in bytes.
    async fn load(&self, after: u64) -> Result<Arc<Segment>, Miss> {
        let length = self.segment_events_max;
        let end = (after / length + 1).saturating_mul(length).min(self.until);
        let (mut events, mut scanned_to, mut bytes) = (Vec::new(), after, 0);
        let mut more_follows = true;
        while scanned_to < end && bytes < SEGMENT_BYTES_MAX {
            let limit = (end - scanned_to).min(READ_EVENTS_MAX);
            let limit = usize::try_from(limit).unwrap_or(usize::MAX);
            let page = self.store.read_all(scanned_to, &Filter::default(), limit).await;
            let page = page.map_err(Miss::Failed)?;
            bytes += page.events.iter().map(|event| event.record.len()).sum::<usize>();
            let is_short = page.events.len() < limit;
            scanned_to = page.scanned_to.max(scanned_to);
            let decoded = attachment::decode(&self.store, page.events).await;
            let (decoded, attached_bytes) = decoded.map_err(Miss::Failed)?;
            events.extend(decoded);
            bytes += attached_bytes;
            if is_short {
                more_follows = false;
                break;
            }
        }
        if events.is_empty() {
            return Err(Miss::AtHead);
        }
        more_follows &= scanned_to < self.until;
        // Every read of the log makes sure that it is still the one that was opened.
        let incarnation = self.store.incarnation();
        Ok(Arc::new(Segment { incarnation, events, scanned_to, more_follows }))
    }
}
