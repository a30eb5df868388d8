//! Events as the log's streams send them, made once for all who are sent the same.
//!
//! Does not know who listens, nor how far they are.

use std::sync::Arc;

use bytes::Bytes;
use event_store::{Filter, Page, StoredEvent};
use moka::sync::Cache;

use super::sse;

/// Bytes of events that are handed over at once; one event more may begin before.
const PIECE_BYTES_MAX: usize = 64 * 1024;
/// Bytes kept for those who come a little later.
const KEPT_BYTES_MAX: u64 = 32 * 1024 * 1024;

/// The frames of some events that follow each other.
#[derive(Clone, Debug)]
pub struct Piece {
    /// As they are sent.
    pub bytes: Bytes,
    /// The position of the last one.
    pub last: u64,
}

/// What a filter lets through of a stretch of the log, which never changes.
#[derive(PartialEq, Eq, Hash)]
struct Stretch {
    after: u64,
    to: u64,
    filter: Arc<Filter>,
}

/// The frames that are wanted again at once.
pub struct Frames(Cache<Stretch, Arc<[Piece]>>);

impl Default for Frames {
    fn default() -> Frames {
        let weigh = |_: &Stretch, pieces: &Arc<[Piece]>| {
            let bytes: usize = pieces.iter().map(|piece| piece.bytes.len()).sum();
            u32::try_from(bytes).unwrap_or(u32::MAX)
        };
        Frames(Cache::builder().max_capacity(KEPT_BYTES_MAX).weigher(weigh).build())
    }
}

impl Frames {
    /// Of the page that follows a position.
    pub fn of(&self, after: u64, page: &Page, filter: &Arc<Filter>) -> Arc<[Piece]> {
        if page.events.is_empty() {
            return Arc::default();
        }
        let stretch = Stretch { after, to: page.scanned_to, filter: filter.clone() };
        self.0.get_with(stretch, || written(&page.events).into())
    }
}

fn written(events: &[StoredEvent]) -> Vec<Piece> {
    let (mut pieces, mut piece) = (Vec::new(), Vec::new());
    for (place, event) in events.iter().enumerate() {
        let position = event.position;
        // A record is canonical JSON: it has no line breaks.
        let opening = format!("{{\"position\":\"{position}\",\"record\":");
        let data: &[&[u8]] = &[opening.as_bytes(), &event.record, b"}"];
        sse::frame(&mut piece, None, Some(position), data);
        if piece.len() >= PIECE_BYTES_MAX || place + 1 == events.len() {
            pieces.push(Piece { bytes: std::mem::take(&mut piece).into(), last: position });
        }
    }
    pieces
}
