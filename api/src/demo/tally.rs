//! What became of the transactions that were sent: nothing that was sent is forgotten.
//!
//! Does not know how they were sent, nor how a block is made: it is told.

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::values::Hash;
use serde::Serialize;

/// How many of the newest times percentiles are made of.
const TIMES_MAX: usize = 200_000;

/// What became of the transactions of a workload. Cheap to clone.
#[derive(Clone, Default)]
pub struct Tally(Arc<Mutex<Open>>);

#[derive(Default)]
struct Open {
    waiting: HashMap<Hash, Instant>,
    counts: Counts,
    answers: Times,
    finality: Times,
}

/// How many transactions came to what.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// Sent for the first time.
    pub submitted: u64,
    /// In a block, and done.
    pub succeeded: u64,
    /// In a block, and failed: by reason.
    pub failed: BTreeMap<String, u64>,
    /// Not taken: by reason.
    pub refused: BTreeMap<String, u64>,
    /// Taken, and sent away before a block held them: by reason.
    pub evicted: BTreeMap<String, u64>,
    /// Neither final nor refused nor sent away.
    pub waiting: u64,
}

impl Counts {
    /// How many are in a block.
    pub fn finals(&self) -> u64 {
        self.succeeded + self.failed.values().sum::<u64>()
    }
}

/// Times in milliseconds, of the newest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Percentiles {
    /// Half took no longer.
    pub p50_ms: u32,
    /// 95 of 100 took no longer.
    pub p95_ms: u32,
    /// 99 of 100 took no longer.
    pub p99_ms: u32,
}

impl fmt::Display for Percentiles {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{} ms", self.p50_ms, self.p95_ms, self.p99_ms)
    }
}

#[derive(Default)]
struct Times(VecDeque<(Instant, u32)>);

impl Times {
    fn add(&mut self, took: Duration) {
        if self.0.len() == TIMES_MAX {
            self.0.pop_front();
        }
        self.0.push_back((Instant::now(), u32::try_from(took.as_millis()).unwrap_or(u32::MAX)));
    }

    fn percentiles(&self, of_last: Duration) -> Percentiles {
        let new = self.0.iter().rev().take_while(|(when, _)| when.elapsed() <= of_last);
        let mut sorted: Vec<u32> = new.map(|(_, ms)| *ms).collect();
        sorted.sort_unstable();
        let at = |of_100: usize| {
            sorted.get((sorted.len() * of_100 / 100).min(sorted.len().saturating_sub(1)))
        };
        let at = |of_100| at(of_100).copied().unwrap_or_default();
        Percentiles { p50_ms: at(50), p95_ms: at(95), p99_ms: at(99) }
    }
}

impl Tally {
    fn open(&self) -> MutexGuard<'_, Open> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// These are about to be sent.
    pub fn sends(&self, hashes: impl Iterator<Item = Hash>) {
        let (mut open, now) = (self.open(), Instant::now());
        for hash in hashes {
            open.counts.submitted += 1;
            open.waiting.insert(hash, now);
        }
    }

    /// A request was answered after so long.
    pub fn answered(&self, took: Duration) {
        self.open().answers.add(took);
    }

    /// One was not taken.
    pub fn refused(&self, hash: Hash, reason: &str) {
        let mut open = self.open();
        if open.waiting.remove(&hash).is_some() {
            *open.counts.refused.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// One was sent away.
    pub fn evicted(&self, hash: Hash, reason: &str) {
        let mut open = self.open();
        if open.waiting.remove(&hash).is_some() {
            *open.counts.evicted.entry(reason.to_owned()).or_default() += 1;
        }
    }

    /// One is in a block that was applied; with why it failed, when it did.
    pub fn executed(&self, hash: Hash, failure: Option<String>) {
        let mut open = self.open();
        let Some(sent) = open.waiting.remove(&hash) else { return };
        open.finality.add(sent.elapsed());
        match failure {
            None => open.counts.succeeded += 1,
            Some(reason) => *open.counts.failed.entry(reason).or_default() += 1,
        }
    }

    /// Those that are neither final nor refused nor sent away, in no order.
    pub fn waiting(&self) -> Vec<Hash> {
        self.open().waiting.keys().copied().collect()
    }

    /// What became of all of them so far.
    pub fn counts(&self) -> Counts {
        let open = self.open();
        Counts { waiting: open.waiting.len() as u64, ..open.counts.clone() }
    }

    /// How long requests took to be answered, of the last ones.
    pub fn answers(&self, of_last: Duration) -> Percentiles {
        self.open().answers.percentiles(of_last)
    }

    /// How long it took from sending one to the block that holds it, of the last ones.
    pub fn finality(&self, of_last: Duration) -> Percentiles {
        self.open().finality.percentiles(of_last)
    }
}
