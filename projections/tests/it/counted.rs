//! Counts the statements that a test sends to its database, by what sqlx says of each.
//!
//! Does not know what they ask.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
    subscriber::{DefaultGuard, set_default},
};

/// Counts the statements of this thread.
struct Counter(Arc<AtomicU64>);

impl Subscriber for Counter {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == "sqlx::query"
    }
    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }
    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

/// The count, for as long as the guard is held.
pub fn counting() -> (Arc<AtomicU64>, DefaultGuard) {
    let count = Arc::new(AtomicU64::new(0));
    let guard = set_default(Counter(count.clone()));
    (count, guard)
}
