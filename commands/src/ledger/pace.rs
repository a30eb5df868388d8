//! Pace: whether our own chain keeps up with what is sent to it.
//!
//! Does not slow anybody down: whoever lets transactions in does.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use domain::values::Height;

use crate::execute::Commands;

/// How long a block may take while another whole one waits, in milliseconds: longer, and the chain
/// is behind.
const BLOCK_MS_MAX: u64 = 2_000;

/// What was seen of our own chain last.
#[derive(Default)]
pub(crate) struct Pace(Mutex<Option<Seen>>);

struct Seen {
    height: Option<Height>,
    since: Instant,
    waits_for_a_block: bool,
}

impl Pace {
    /// Takes in where the chain is, and whether as many transactions wait as a block holds.
    pub(crate) fn sees(&self, height: Option<Height>, waits_for_a_block: bool, now: Instant) {
        let mut last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let stands = last.as_ref().filter(|seen| seen.height == height && seen.waits_for_a_block);
        let since = stands.map_or(now, |seen| seen.since);
        *last = Some(Seen { height, since, waits_for_a_block });
    }

    fn is_behind(&self, now: Instant) -> bool {
        let last = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let takes_long = |since: Instant| {
            now.saturating_duration_since(since) > Duration::from_millis(BLOCK_MS_MAX)
        };
        last.as_ref().is_some_and(|seen| seen.waits_for_a_block && takes_long(seen.since))
    }
}

impl Commands {
    /// Whether our own chain is behind: a whole block has waited for longer than a block may take.
    pub fn is_behind(&self) -> bool {
        self.rooms.ledger.pace.is_behind(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_is_behind_when_a_whole_block_waits_for_too_long_and_no_longer_when_one_came() {
        let (pace, begun) = (Pace::default(), Instant::now());
        let after = |ms| begun + Duration::from_millis(ms);
        assert!(!pace.is_behind(after(9_000)));
        pace.sees(None, false, begun);
        assert!(!pace.is_behind(after(9_000)), "nothing waits");
        pace.sees(None, true, after(1_000));
        pace.sees(None, true, after(2_500));
        assert!(!pace.is_behind(after(3_000)), "it waits for two seconds, not longer");
        assert!(pace.is_behind(after(3_001)));
        pace.sees(Some(Height::FIRST), true, after(3_500));
        assert!(!pace.is_behind(after(5_500)));
        assert!(pace.is_behind(after(5_501)));
        pace.sees(Some(Height::FIRST), false, after(5_600));
        assert!(!pace.is_behind(after(9_000)));
    }
}
