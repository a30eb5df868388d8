//! The streaming replica that queries are asked of: what it reflects, and waiting for it.
//!
//! Does not know what is asked. Commands never look here.

use std::time::{Duration, Instant};

use event_store::{EventStore, StoreError};
use projections::Projections;
use sqlx::{PgPool, postgres::PgPoolOptions};
use tokio::time::sleep;
use tracing::warn;

use crate::{problem::Problem, rest::reply};

/// How often a wait looks at the replica, in milliseconds.
const WAIT_POLL_MS: u64 = 10;

/// Read models are committed without waiting for the disk, and only what is on the disk is sent to
/// a replica: a transaction that does wait takes along whatever was committed before it.
const FLUSH: &str = "select pg_logical_emit_message(true, 'node0', '')";

/// A replica of the database.
pub struct ReadReplica {
    pool: PgPool,
    /// The log as it is there.
    log: EventStore,
    /// The read models of the database itself.
    models: Projections,
}

impl ReadReplica {
    /// A replica that may be away: queries are answered 503 until it is there. One that holds
    /// another log is refused at once when it is there.
    pub async fn open(
        url: &str,
        options: PgPoolOptions,
        store: &EventStore,
        models: Projections,
    ) -> Result<ReadReplica, StoreError> {
        let pool = options.connect_lazy(url)?;
        let log = store.read_from(pool.clone());
        match log.head().await {
            Ok(_) => {}
            Err(error @ StoreError::Incarnation { .. }) => return Err(error),
            Err(error) => warn!(%error, "the read database does not answer yet"),
        }
        Ok(ReadReplica { pool, log, models })
    }

    /// Where queries go.
    pub fn pool(&self) -> &PgPool {
        &self.pool
    }

    /// The log as it is there.
    pub fn log(&self) -> &EventStore {
        &self.log
    }

    /// Waits until the named read models reflect a position there, and says what they reflect then.
    pub async fn reach(&self, models: &[&str], wanted: u64, wait_ms: u64) -> Result<u64, Problem> {
        let reflected = || async {
            // Positions of another log would say nothing.
            self.log.head().await?;
            Ok(self.models.position_in(&self.pool, models).await?)
        };
        self.wait_for(reflected, wanted, wait_ms).await
    }

    /// Waits until the log reaches a position there, and says how far it goes then.
    pub async fn log_reaches(&self, wanted: u64, wait_ms: u64) -> Result<u64, Problem> {
        let reached = || async { Ok(self.log.head().await?.position) };
        self.wait_for(reached, wanted, wait_ms).await
    }

    async fn wait_for<F>(
        &self,
        position: impl Fn() -> F,
        wanted: u64,
        wait_ms: u64,
    ) -> Result<u64, Problem>
    where
        F: Future<Output = Result<u64, Problem>>,
    {
        let begun = Instant::now();
        let mut reflected = position().await?;
        if reflected < wanted {
            sqlx::query(FLUSH).execute(self.models.pool()).await?;
        }
        while reflected < wanted {
            if begun.elapsed() >= Duration::from_millis(wait_ms) {
                return Err(reply::behind("the read database", reflected, wanted));
            }
            sleep(Duration::from_millis(WAIT_POLL_MS)).await;
            reflected = position().await?;
        }
        Ok(reflected)
    }
}
