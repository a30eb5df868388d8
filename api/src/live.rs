//! Live: what follows the log for as long as somebody listens.
//!
//! Knows places, heartbeats, patience and how a stream ends. Does not know in which form events
//! travel, nor what they mean.

mod feed;
mod frames;
mod pass;
pub mod sse;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Interval, MissedTickBehavior, interval_at},
};

use crate::problem::{Kind, Problem};

pub use feed::{Feed, beyond, draining, expect_incarnation};
pub use frames::{Frames, Piece};
pub use pass::Pass;

/// Streams, connections and subscriptions at once in one process; more are answered 503.
pub const STREAMS_MAX: u32 = 2_048;
/// Milliseconds of silence after which a stream says that it still lives.
pub const HEARTBEAT_MS: u64 = 15_000;
/// Milliseconds for which a client may take nothing before its stream ends.
pub const STALLED_MS_MAX: u64 = 30_000;
/// Milliseconds after that until its connection is cut, whether it has read the last word or not.
pub const STALLED_GRACE_MS: u64 = 5_000;
/// Milliseconds a client may take nothing while the server shuts down.
pub const DRAINING_STALLED_MS_MAX: u64 = 1_000;
/// Milliseconds a WebSocket may take to introduce itself.
pub const INIT_MS_MAX: u64 = 3_000;
/// Subscriptions and queries at once on one WebSocket.
pub const SUBSCRIPTIONS_MAX: usize = 64;
/// Bytes of one message that a WebSocket sends us.
pub const MESSAGE_BYTES_MAX: usize = 256 * 1024;

/// The limits of live streams.
#[derive(Clone, Debug)]
pub struct Limits {
    /// Streams, connections and subscriptions at once in one process.
    pub streams_max: u32,
    /// Milliseconds of silence after which a stream says that it still lives.
    pub heartbeat_ms: u64,
    /// Milliseconds for which a client may take nothing before its stream ends.
    pub stalled_ms_max: u64,
    /// Milliseconds a WebSocket may take to introduce itself.
    pub init_ms_max: u64,
    /// Subscriptions and queries at once on one WebSocket.
    pub subscriptions_max: usize,
    /// Bytes of one message that a WebSocket sends us.
    pub message_bytes_max: usize,
}

impl Default for Limits {
    fn default() -> Limits {
        Limits {
            streams_max: STREAMS_MAX,
            heartbeat_ms: HEARTBEAT_MS,
            stalled_ms_max: STALLED_MS_MAX,
            init_ms_max: INIT_MS_MAX,
            subscriptions_max: SUBSCRIPTIONS_MAX,
            message_bytes_max: MESSAGE_BYTES_MAX,
        }
    }
}

impl Limits {
    /// How long a stream is silent at most.
    pub fn heartbeat(&self) -> Duration {
        Duration::from_millis(self.heartbeat_ms)
    }

    /// For how long a client may take nothing.
    pub fn stalled(&self) -> Duration {
        Duration::from_millis(self.stalled_ms_max)
    }
}

/// Ticks once in a heartbeat, the first time after one; what is missed is not made up for.
pub fn beats(every: Duration) -> Interval {
    let mut heartbeat = interval_at(tokio::time::Instant::now() + every, every);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    heartbeat
}

/// The places for streams in one process.
#[derive(Debug)]
pub struct Places {
    free: Arc<Semaphore>,
    max: u32,
}

/// One of them; free again when it is dropped.
#[derive(Debug)]
pub struct Place {
    _permit: OwnedSemaphorePermit,
}

impl Places {
    /// So many.
    pub fn new(max: u32) -> Places {
        Places { free: Arc::new(Semaphore::new(max as usize)), max }
    }

    /// Takes a place; 503 when there is none.
    pub fn take(&self) -> Result<Place, Problem> {
        let permit = Arc::clone(&self.free).try_acquire_owned().map_err(|_| {
            let detail = format!("{} streams are open, which is the limit", self.max);
            Problem::new(Kind::Overloaded, detail)
        })?;
        Ok(Place { _permit: permit })
    }

    /// How many are taken.
    pub fn taken(&self) -> u32 {
        let free = u32::try_from(self.free.available_permits()).unwrap_or(u32::MAX);
        self.max.saturating_sub(free)
    }

    /// Returns when nobody follows any more; from then on nobody can.
    pub async fn emptied(&self) {
        // An error would mean that the places are closed, which nobody does.
        if let Ok(all) = self.free.acquire_many(self.max).await {
            all.forget();
        }
    }
}

/// How well a client keeps up: a stream that is not asked for more is one whose client takes
/// nothing.
#[derive(Debug)]
pub struct Pace {
    given: Instant,
    stalled: Duration,
}

impl Pace {
    /// Of a client that has just come.
    pub fn new(limits: &Limits) -> Pace {
        Pace { given: Instant::now(), stalled: limits.stalled() }
    }

    /// Something is handed over now.
    pub fn given(&mut self) {
        self.given = Instant::now();
    }

    /// More is asked for now; a problem when that took too long.
    pub fn asked(&self) -> Result<(), Problem> {
        if self.given.elapsed() <= self.stalled {
            return Ok(());
        }
        let ms = self.stalled.as_millis();
        Err(Problem::new(Kind::TooSlow, format!("nothing was taken for more than {ms} ms")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_place_is_free_again_when_its_holder_goes() {
        let places = Places::new(2);
        let (one, _two) = (places.take().unwrap(), places.take().unwrap());
        assert_eq!(places.taken(), 2);
        assert_eq!(places.take().unwrap_err().kind(), Kind::Overloaded);
        drop(one);
        assert_eq!(places.taken(), 1);
        let _again = places.take().unwrap();
        let waited = tokio::time::timeout(Duration::from_millis(20), places.emptied()).await;
        assert!(waited.is_err(), "somebody still follows");
    }
}
