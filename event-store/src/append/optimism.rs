//! Optimism: whether this process believes that it is the only one that writes.
//!
//! Knows only how its belief fared. Being wrong costs a batch written twice, never correctness; so
//! after a disappointment it waits before it tries again, longer each time.

use std::time::{Duration, Instant};

/// The first pause after a disappointment.
const PAUSE_MS_MIN: u64 = 100;
/// The longest pause.
const PAUSE_MS_MAX: u64 = 10_000;

#[derive(Debug, Default)]
pub(super) struct Optimism {
    off_until: Option<Instant>,
    pause_ms: u64,
}

impl Optimism {
    pub(super) fn is_on(&self) -> bool {
        self.off_until.is_none_or(|until| Instant::now() >= until)
    }

    /// Another process has moved the head.
    pub(super) fn disappointed(&mut self) {
        if self.is_on() {
            self.pause_ms = (self.pause_ms * 2).clamp(PAUSE_MS_MIN, PAUSE_MS_MAX);
        }
        self.off_until = Some(Instant::now() + Duration::from_millis(self.pause_ms));
    }

    /// An optimistic batch was committed.
    pub(super) fn confirmed(&mut self) {
        self.off_until = None;
        self.pause_ms /= 2;
    }
}
