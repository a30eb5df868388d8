//! How to deal with what is away: pauses that grow and differ, and leaving it alone for a while.
//!
//! Does not know what is away.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// The first pause before another try, in milliseconds.
const PAUSE_MS_FIRST: u64 = 200;
/// The longest pause before another try, in milliseconds.
const PAUSE_MS_MAX: u64 = 30_000;

/// How long to wait before a further try: a random time of at most twice what the try before
/// waited at most ("full jitter", Marc Brooker, AWS Architecture Blog, 2015), so that many who
/// failed at once do not come back at once.
pub fn backoff(attempt: u32) -> Duration {
    let most = PAUSE_MS_FIRST.saturating_mul(1 << attempt.min(16)).min(PAUSE_MS_MAX);
    let mut bytes = [0; 8];
    // Without random bytes the longest pause is as good.
    let random = getrandom::fill(&mut bytes).map_or(most, |()| u64::from_le_bytes(bytes));
    Duration::from_millis(random % (most + 1))
}

/// A circuit breaker (Nygard, Release It!, 2007): after some failures in a row nobody tries for a
/// while; then one does, for all.
#[derive(Debug)]
pub struct Breaker {
    failures_max: u32,
    rests: Duration,
    state: Mutex<State>,
}

#[derive(Debug, Default)]
struct State {
    failures: u32,
    /// When somebody may try again.
    open_until: Option<Instant>,
}

impl Breaker {
    /// Opens after so many failures in a row, for so long.
    pub fn new(failures_max: u32, rests: Duration) -> Breaker {
        Breaker { failures_max, rests, state: Mutex::default() }
    }

    /// Whether one may try; whoever may says how it went.
    pub fn admits(&self) -> bool {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.open_until {
            None => true,
            Some(until) if Instant::now() < until => false,
            // The others wait for what becomes of this one.
            Some(_) => {
                state.open_until = Some(Instant::now() + self.rests);
                true
            }
        }
    }

    /// It went well.
    pub fn succeeded(&self) {
        *self.state.lock().unwrap_or_else(PoisonError::into_inner) = State::default();
    }

    /// It did not.
    pub fn failed(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.failures += 1;
        if state.failures >= self.failures_max {
            state.open_until = Some(Instant::now() + self.rests);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_limit() {
        for attempt in [0, 1, 5, 40] {
            let most = PAUSE_MS_FIRST.saturating_mul(1 << attempt.min(16)).min(PAUSE_MS_MAX);
            assert!((0..100).all(|_| backoff(attempt) <= Duration::from_millis(most)));
        }
        let longest = (0..100).map(|_| backoff(16)).max().unwrap();
        assert!(longest > Duration::from_millis(PAUSE_MS_MAX / 4), "they are random");
    }

    #[test]
    fn what_fails_too_often_is_left_alone_and_then_tried_by_one() {
        let breaker = Breaker::new(2, Duration::from_millis(50));
        breaker.failed();
        assert!(breaker.admits());
        breaker.failed();
        assert!(!breaker.admits());
        std::thread::sleep(Duration::from_millis(60));
        assert!(breaker.admits());
        assert!(!breaker.admits(), "one is enough");
        breaker.succeeded();
        assert!(breaker.admits() && breaker.admits());
    }
}
