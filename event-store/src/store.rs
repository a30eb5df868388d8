//! The open log of one process.
//!
//! Knows where the database is and what was opened; knows nothing of how events get in or out.

use std::str::FromStr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sqlx::PgPool;
use sqlx::postgres::{PgConnectOptions, PgPoolOptions, PgSslMode};
use tokio::sync::watch;
use uuid::Uuid;

use crate::append::{Appender, AppenderHandle, REQUEST_BYTES_MAX};
use crate::archive::{Archive, Cold};
use crate::error::StoreError;
use crate::event::StoredEvent;
use crate::follow::Wake;
use crate::gather::Gather;
use crate::recent::Recent;

/// How the log is opened. [`StoreOptions::new`] gives the defaults.
#[derive(Clone, Debug)]
pub struct StoreOptions {
    /// `postgres://...`, or `postgres:///name?host=/socket/folder`.
    pub database_url: String,
    /// Connections for reading; the appender has up to four of its own, listening takes one.
    pub read_connections_max: u32,
    /// Events in one transaction. Two are written at a time: larger ones make callers wait in
    /// waves.
    pub batch_events_max: usize,
    /// Record bytes in one transaction.
    pub batch_bytes_max: usize,
    /// Record bytes waiting to be appended; who comes later waits.
    pub queue_bytes_max: usize,
    /// How often the head is asked for when no notification came.
    pub poll_interval_ms: u64,
    /// Other processes are notified at most this often.
    pub notify_interval_ms: u64,
    /// How long the outcome of a lost commit is looked for.
    pub resolve_ms_max: u64,
    /// How long one transaction may take before its connection counts as lost.
    pub commit_ms_max: u64,
    /// How long a connection may take to be made.
    pub connect_ms_max: u64,
    /// Where events are that were moved out of the database; none where none were.
    pub archive: Option<Arc<dyn Archive>>,
}

impl StoreOptions {
    /// The defaults for this database.
    pub fn new(database_url: impl Into<String>) -> StoreOptions {
        StoreOptions {
            database_url: database_url.into(),
            read_connections_max: 8,
            batch_events_max: 320,
            batch_bytes_max: 8 * 1024 * 1024,
            queue_bytes_max: 64 * 1024 * 1024,
            poll_interval_ms: 250,
            notify_interval_ms: 20,
            resolve_ms_max: 10_000,
            commit_ms_max: 15_000,
            connect_ms_max: 3_000,
            archive: None,
        }
    }

    fn faults(&self) -> Option<&'static str> {
        if self.read_connections_max < 1 {
            return Some("read_connections_max must be at least 1");
        }
        if !(1..=BATCH_EVENTS_LIMIT).contains(&self.batch_events_max) {
            return Some("batch_events_max must be 1 to 8,192");
        }
        let queue = 2 * REQUEST_BYTES_MAX..=u32::MAX as usize;
        if !queue.contains(&self.queue_bytes_max) {
            return Some("queue_bytes_max must be 16 MiB to 4 GiB");
        }
        if self.poll_interval_ms == 0 || self.connect_ms_max == 0 || self.commit_ms_max == 0 {
            return Some("poll_interval_ms, connect_ms_max and commit_ms_max must not be 0");
        }
        None
    }
}

/// More events in one transaction make nothing faster and every failure dearer.
const BATCH_EVENTS_LIMIT: usize = 8_192;

/// How far the log goes, and which log it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The position of the newest event; 0 while the log is empty.
    pub position: u64,
    /// Renewed by a restore: a position means something only together with it.
    pub incarnation: Uuid,
}

/// The open log. Cheap to clone; all clones share one appender.
#[derive(Clone)]
pub struct EventStore {
    pub(crate) inner: Arc<Inner>,
    /// Where the log is read; none for where it is written.
    replica: Option<PgPool>,
    /// Where the log ends for whoever reads it by this; none for where it ends.
    horizon: Option<Horizon>,
}

/// Where a log ended once: it can be moved on. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct Horizon(Arc<AtomicU64>);

impl Horizon {
    /// Moves it to this position.
    pub fn set(&self, position: u64) {
        self.0.store(position, Ordering::Release);
    }

    fn get(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

pub(crate) struct Inner {
    pub(crate) pool: PgPool,
    pub(crate) incarnation: Uuid,
    pub(crate) appender: AppenderHandle,
    pub(crate) cold: Cold,
    pub(crate) head: watch::Sender<u64>,
    pub(crate) recent: Arc<Recent>,
    pub(crate) gather: Gather,
    pub(crate) wake: Wake,
}

impl EventStore {
    /// Connects, checks that the log is there, and starts this process's appender.
    pub async fn open(options: StoreOptions) -> Result<EventStore, StoreError> {
        if let Some(fault) = options.faults() {
            return Err(StoreError::Settings(fault.to_owned()));
        }
        let pool = connect_pool(&options).await?;
        let Head { position, incarnation } = crate::read::head_of(&pool).await.map_err(no_log)?;
        warn_unless_durable(&pool).await?;
        let (head, _) = watch::channel(position);
        let recent = Arc::new(Recent::default());
        let (reads, tail) = (pool.clone(), Arc::clone(&recent));
        let appender = Appender::start(&options, incarnation, reads, head.clone(), tail).await?;
        let wake = Wake::start(&options, pool.clone(), incarnation, head.clone());
        let (gather, cold) = (Gather::new(), Cold::new(options.archive.clone()));
        let inner = Inner { pool, incarnation, appender, cold, head, recent, gather, wake };
        Ok(EventStore { inner: Arc::new(inner), replica: None, horizon: None })
    }

    /// The same log, whose events and head are read from a replica of the database, which may lag.
    /// What decides anything, such as what became of a command, is asked of the log itself.
    pub fn read_from(&self, replica: PgPool) -> EventStore {
        EventStore { replica: Some(replica), ..self.clone() }
    }

    /// The same log as it was when it ended at a horizon: none of what came after it is read. For
    /// whoever appends nothing.
    pub fn as_of(&self, horizon: Horizon) -> EventStore {
        EventStore { horizon: Some(horizon), ..self.clone() }
    }

    /// Leaves out what comes after the horizon, where there is one.
    pub(crate) fn keep_within(&self, events: &mut Vec<StoredEvent>) {
        if let Some(horizon) = &self.horizon {
            let last = horizon.get();
            events.retain(|event| event.position <= last);
        }
    }

    /// The last position there is for whoever reads by this, of a log that ends here.
    pub(crate) fn ends(&self, head: u64) -> u64 {
        self.horizon.as_ref().map_or(head, |horizon| head.min(horizon.get()))
    }

    /// The pool of the log itself.
    pub fn pool(&self) -> &PgPool {
        &self.inner.pool
    }

    /// The pool that reads use.
    pub(crate) fn reads(&self) -> &PgPool {
        self.replica.as_ref().unwrap_or(&self.inner.pool)
    }

    /// Whether reads go to a replica.
    pub(crate) fn is_replica(&self) -> bool {
        self.replica.is_some()
    }

    /// The incarnation that was opened: positions of another one mean nothing here.
    pub fn incarnation(&self) -> Uuid {
        self.inner.incarnation
    }

    /// Stops taking appends, waits for those under way, and closes the connections.
    pub async fn close(&self) {
        self.inner.appender.close().await;
        self.inner.wake.stop();
        self.inner.pool.close().await;
    }

    pub(crate) fn expect_incarnation(&self, actual: Uuid) -> Result<(), StoreError> {
        let expected = self.inner.incarnation;
        if actual == expected { Ok(()) } else { Err(StoreError::Incarnation { expected, actual }) }
    }
}

async fn connect_pool(options: &StoreOptions) -> Result<PgPool, StoreError> {
    let connect = PgConnectOptions::from_str(&options.database_url)?;
    refuse_tls(connect.get_ssl_mode())?;
    let pool = PgPoolOptions::new()
        // One more for the listener.
        .max_connections(options.read_connections_max + 1)
        .acquire_timeout(Duration::from_millis(options.connect_ms_max))
        .connect_with(connect.application_name("node0 read"))
        .await?;
    Ok(pool)
}

/// The appender's driver is built without TLS: rather no connection than one that is less protected
/// than the URL asks for.
fn refuse_tls(mode: PgSslMode) -> Result<(), StoreError> {
    match mode {
        PgSslMode::Disable | PgSslMode::Allow | PgSslMode::Prefer => Ok(()),
        PgSslMode::Require | PgSslMode::VerifyCa | PgSslMode::VerifyFull => {
            Err(StoreError::Settings(
                "the database URL demands TLS (sslmode), which the appender does not speak: use a \
                 unix socket, a private network or a local TLS tunnel, and sslmode=disable"
                    .to_owned(),
            ))
        }
    }
}

fn no_log(error: StoreError) -> StoreError {
    match &error {
        StoreError::Database { code, .. } if code == "42P01" => StoreError::Settings(
            "the database has no event log: its migrations have not been applied".to_owned(),
        ),
        StoreError::Settings(_)
        | StoreError::Unreachable(_)
        | StoreError::Database { .. }
        | StoreError::Incarnation { .. }
        | StoreError::Timeout { .. }
        | StoreError::Archive { .. }
        | StoreError::Closed
        | StoreError::Unreadable { .. } => error,
    }
}

/// Nothing acknowledged is lost only if the server itself waits for the disk. `synchronous_commit`
/// is set by every appending connection; `fsync` and `full_page_writes` belong to the server.
async fn warn_unless_durable(pool: &PgPool) -> Result<(), StoreError> {
    let settings = sqlx::query!(
        "select current_setting('fsync') as \"fsync!\",
                current_setting('full_page_writes') as \"full_page_writes!\""
    )
    .fetch_one(pool)
    .await?;
    if settings.fsync != "on" {
        tracing::warn!("the server runs with fsync off: a crash can lose acknowledged events");
    }
    if settings.full_page_writes != "on" {
        tracing::warn!("the server runs with full_page_writes off: a crash can tear pages");
    }
    Ok(())
}
