//! Counts the statements that this process sends to databases, by what sqlx says of each.
//!
//! Does not know to which: with one test in a process, as nextest runs them, that is plain.

use std::sync::atomic::{AtomicU64, Ordering};

use tracing::{
    Event, Metadata, Subscriber,
    span::{Attributes, Id, Record},
};

static STATEMENTS: AtomicU64 = AtomicU64::new(0);

struct Counter;

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
        STATEMENTS.fetch_add(1, Ordering::Relaxed);
    }

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

/// From now on statements are counted.
pub fn begin() {
    tracing::subscriber::set_global_default(Counter).expect("nobody else listens");
}

/// How many there were so far.
pub fn statements() -> u64 {
    STATEMENTS.load(Ordering::Relaxed)
}
