//! How many requests this process answered: how many went wrong, and how long they took.
//!
//! Counts since it started. What is vital or open is not counted: nobody waits for it.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use axum::http::StatusCode;

use crate::operations::Class;

/// Upper bounds of the durations that are told apart, in milliseconds; more than the last is one
/// more.
pub const BOUNDS_MS: [u32; 12] =
    [5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/// What was answered.
#[derive(Debug, Default)]
pub struct Answered {
    faults: AtomicU64,
    commands: AtomicU64,
    refused: AtomicU64,
    within: [AtomicU64; BOUNDS_MS.len() + 1],
}

impl Answered {
    /// Counts one.
    pub fn count(&self, class: Class, status: StatusCode, took: Duration) {
        if class == Class::Vital {
            return;
        }
        let one = |counter: &AtomicU64| counter.fetch_add(1, Ordering::Relaxed);
        let ms = took.as_millis();
        let place = BOUNDS_MS.iter().position(|bound| ms <= u128::from(*bound));
        one(&self.within[place.unwrap_or(BOUNDS_MS.len())]);
        if status.is_server_error() {
            one(&self.faults);
        }
        if class == Class::Command {
            one(&self.commands);
            if status == StatusCode::UNPROCESSABLE_ENTITY {
                one(&self.refused);
            }
        }
    }

    /// How many there were, and how many of them were faults of ours.
    pub fn faults(&self) -> (u64, u64) {
        (self.slower_than(None), self.faults.load(Ordering::Relaxed))
    }

    /// How many there were, and how many of them took longer: than the nearest bound that is not
    /// less.
    pub fn slow(&self, within_ms: u32) -> (u64, u64) {
        (self.slower_than(None), self.slower_than(Some(within_ms)))
    }

    /// How many commands there were, and how many of them were refused.
    pub fn commands(&self) -> (u64, u64) {
        (self.commands.load(Ordering::Relaxed), self.refused.load(Ordering::Relaxed))
    }

    fn slower_than(&self, within_ms: Option<u32>) -> u64 {
        let first = within_ms.map_or(0, |within_ms| {
            let in_time = BOUNDS_MS.iter().position(|bound| *bound >= within_ms);
            in_time.map_or(BOUNDS_MS.len(), |place| place + 1)
        });
        self.within.iter().skip(first).map(|counter| counter.load(Ordering::Relaxed)).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_apart_at_the_bounds() {
        let answered = Answered::default();
        for ms in [1, 100, 101, 40_000] {
            answered.count(Class::Query, StatusCode::OK, Duration::from_millis(ms));
        }
        assert_eq!(answered.slow(100), (4, 2));
        // 60 is no bound: 100 is the nearest that is not less.
        assert_eq!(answered.slow(60), (4, 2));
        assert_eq!(answered.slow(5), (4, 3));
        assert_eq!(answered.slow(60_000), (4, 1));
    }

    #[test]
    fn faults_are_ours_and_refusals_are_commands() {
        let answered = Answered::default();
        answered.count(Class::Vital, StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO);
        answered.count(Class::Command, StatusCode::UNPROCESSABLE_ENTITY, Duration::ZERO);
        answered.count(Class::Query, StatusCode::UNPROCESSABLE_ENTITY, Duration::ZERO);
        answered.count(Class::Command, StatusCode::SERVICE_UNAVAILABLE, Duration::ZERO);
        assert_eq!((answered.faults(), answered.commands()), ((3, 1), (2, 1)));
    }
}
