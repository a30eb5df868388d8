//! The projections of a process: started together, asked together, stopped together.
//!
//! Does not know what they project, nor who asks.

use std::{
    hash::{BuildHasher, RandomState},
    sync::Arc,
};

use event_store::EventStore;
use sqlx::PgPool;
use tokio_util::{
    sync::{CancellationToken, DropGuard},
    task::TaskTracker,
};

use crate::{
    checkpoint::Id,
    projection::Projection,
    reader::{Reader, SEGMENT_EVENTS_MAX},
    status::Pulse,
    worker::Worker,
};

/// The first pause after a failure, in milliseconds.
const BACKOFF_MS_MIN: u64 = 100;

/// How a process runs projections.
#[derive(Clone, Debug)]
pub struct ProjectionsOptions {
    /// Whether this process moves projections, or only asks about them.
    pub run: bool,
    /// Where it ends: what comes after this position is not folded.
    pub until: u64,
    /// The most events of one transaction.
    pub segment_events_max: u64,
    /// How often to look for new events when nothing wakes, in milliseconds.
    pub poll_ms: u64,
    /// How long to let events gather after the head has moved, in milliseconds: fewer, larger
    /// transactions. Who waits for a position does not wait for this.
    pub gather_ms: u64,
    /// The longest pause after failures, in milliseconds.
    pub backoff_ms_max: u64,
    /// How often a wait looks at a checkpoint that another process moves, in milliseconds.
    pub wait_poll_ms: u64,
    /// How long a transaction under way may take to finish when the process stops, in milliseconds.
    pub shutdown_ms_max: u64,
}

impl Default for ProjectionsOptions {
    fn default() -> ProjectionsOptions {
        ProjectionsOptions {
            run: true,
            until: u64::MAX,
            segment_events_max: SEGMENT_EVENTS_MAX,
            poll_ms: 1_000,
            gather_ms: 100,
            backoff_ms_max: 5_000,
            wait_poll_ms: 25,
            shutdown_ms_max: 5_000,
        }
    }
}

impl ProjectionsOptions {
    /// The pause after so many failures in a row: doubling, bounded, and between half of it and all
    /// of it, so that not everybody comes back at once.
    pub(crate) fn backoff_ms(&self, failures: u32) -> u64 {
        let doubled = BACKOFF_MS_MIN << failures.saturating_sub(1).min(16);
        let most = doubled.min(self.backoff_ms_max.max(1));
        let chance = RandomState::new().hash_one(failures);
        most / 2 + chance % (most / 2 + 1)
    }
}

/// A projection of this process, at work or only known.
pub(crate) struct Member {
    pub projection: Arc<dyn Projection>,
    pub pulse: Arc<Pulse>,
}

impl Member {
    pub fn id(&self) -> Id {
        Id { name: self.projection.name(), version: self.projection.version() }
    }
}

/// The projections of a process. Cheap to clone; dropping the last clone stops them without
/// waiting.
#[derive(Clone)]
pub struct Projections {
    pub(crate) pool: PgPool,
    pub(crate) reader: Arc<Reader>,
    pub(crate) options: ProjectionsOptions,
    pub(crate) members: Arc<[Member]>,
    cancelled: CancellationToken,
    tasks: TaskTracker,
    _stops_when_dropped: Arc<DropGuard>,
}

impl Projections {
    /// Starts every projection ([`crate::all`]). Needs no database to be there: they begin when it
    /// is.
    pub fn start(store: EventStore, pool: PgPool, options: ProjectionsOptions) -> Projections {
        Projections::start_these(crate::all(), store, pool, options)
    }

    /// Starts the given projections.
    pub fn start_these(
        these: Vec<Arc<dyn Projection>>,
        store: EventStore,
        pool: PgPool,
        options: ProjectionsOptions,
    ) -> Projections {
        let reader = Arc::new(Reader::new(store, options.segment_events_max, options.until));
        let (cancelled, tasks) = (CancellationToken::new(), TaskTracker::new());
        let mut members = Vec::with_capacity(these.len());
        for projection in these {
            let pulse = Arc::new(Pulse::new(options.run));
            if options.run {
                let worker = Worker {
                    projection: projection.clone(),
                    pool: pool.clone(),
                    reader: reader.clone(),
                    pulse: pulse.clone(),
                    options: options.clone(),
                };
                tasks.spawn(worker.run(cancelled.clone()));
            }
            members.push(Member { projection, pulse });
        }
        tasks.close();
        let guard = Arc::new(cancelled.clone().drop_guard());
        Projections {
            pool,
            reader,
            options,
            members: members.into(),
            cancelled,
            tasks,
            _stops_when_dropped: guard,
        }
    }

    /// Stops all of them: what is under way is finished, within a bound.
    pub async fn stop(&self) {
        self.cancelled.cancel();
        self.tasks.wait().await;
    }

    /// The pool of the read models' database.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The names, in the order of [`crate::all`].
    pub fn names(&self) -> impl Iterator<Item = &'static str> {
        self.members.iter().map(|member| member.projection.name())
    }

    pub(crate) fn member(&self, name: &str) -> Option<&Member> {
        self.members.iter().find(|member| member.projection.name() == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_are_bounded_and_differ() {
        let options = ProjectionsOptions { backoff_ms_max: 2_000, ..Default::default() };
        assert!((50..=100).contains(&options.backoff_ms(1)));
        assert!((400..=800).contains(&options.backoff_ms(4)));
        let many: Vec<u64> = (0..20).map(|_| options.backoff_ms(u32::MAX)).collect();
        assert!(many.iter().all(|ms| (1_000..=2_000).contains(ms)), "{many:?}");
        assert!(many.iter().any(|ms| ms != &many[0]), "{many:?}");
    }
}
