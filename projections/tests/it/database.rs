//! One fresh database a test, made from the migrations, dropped when the test ends well; and a log
//! in it.
//!
//! Knows how to set up and how to ask; asserts nothing.

use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use event_store::{AppendRequest, CommandDigest, CommandId, EventStore, Metadata, StoreOptions};
use projections::{Projection, Projections, ProjectionsOptions};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool, postgres::PgPoolOptions};
use std::sync::Arc;
use uuid::Uuid;

use crate::history::{History, Step};

/// Names the run's PostgreSQL, without a database. Set by `with-cluster` (see `make test`).
const VARIABLE: &str = "NODE0_TEST_CLUSTER";
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// The tables of all read models.
pub const TABLES: &[&str] = &[
    "chains_v1.chains",
    "chains_v1.forks",
    "headers_v1.headers",
    "headers_v1.rejections",
    "validators_v1.validators",
    "validator_sets_v1.validator_sets",
    "delegations_v1.bonds",
    "delegations_v1.delegations",
    "delegations_v1.unbondings",
    "slashing_history_v1.slashings",
    "reputation_history_v1.reputations",
    "reputation_history_v1.performances",
    "activity_v1.activity",
    "transactions_v1.accepted",
    "transactions_v1.included",
    "transactions_v1.evicted",
    "transactions_v1.waiting",
    "transactions_v1.senders",
    "accounts_v1.accounts",
    "accounts_v1.stakes",
    "anchors_v1.anchors",
    "process_runs_v1.runs",
    "process_runs_v1.steps",
    "blocks_v1.blocks",
    "flags_v1.flags",
    "settings_v1.rows",
    "alert_rules_v1.rows",
    "alerts_v1.rows",
    "slos_v1.rows",
    "peers_v1.rows",
    "partitions_v1.rows",
    "heights_v1.heights",
    "heights_v1.rounds",
    "heights_v1.votes",
    "heights_v1.equivocations",
    "state_history_v1.changes",
];

/// A database of a test's own, with the log in it.
pub struct Database {
    name: String,
    server: String,
    pub url: String,
    pub store: EventStore,
    pub pool: PgPool,
}

fn on(server: &str, database: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(b, q)| (b, Some(q)));
    let base = format!("{}/{database}", base.trim_end_matches('/'));
    query.map_or(base.clone(), |query| format!("{base}?{query}"))
}

impl Database {
    /// Creates and migrates it.
    pub async fn create() -> Database {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let server = std::env::var(VARIABLE);
        let server = server.unwrap_or_else(|_| panic!("{VARIABLE} is not set: run `make test`"));
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("read_test_{}_{count}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&on(&server, "postgres")).await.unwrap();
        let create = AssertSqlSafe(format!("create database {name}"));
        sqlx::query(create).execute(&mut admin).await.unwrap();
        let url = on(&server, &name);
        let pool = PgPoolOptions::new()
            .max_connections(20)
            .acquire_timeout(Duration::from_secs(10))
            .connect(&url)
            .await
            .unwrap();
        MIGRATIONS.run(&pool).await.unwrap();
        let store = EventStore::open(StoreOptions::new(&url)).await.unwrap();
        Database { name, server, url, store, pool }
    }

    /// What another process would open.
    pub async fn another_store(&self) -> EventStore {
        EventStore::open(StoreOptions::new(&self.url)).await.unwrap()
    }

    /// Appends steps one after the other, each when the one before stands: streams that follow one
    /// another must do so in the log. Answers with the head.
    pub async fn append(&self, steps: &[Step]) -> u64 {
        let mut position = 0;
        for step in steps {
            position = self.store.append(request(step)).await.unwrap().last_position;
        }
        position
    }

    /// Keeps content that events name.
    pub async fn keep(&self, blobs: &[Vec<u8>]) {
        for blob in blobs {
            self.store.put_blob(blob).await.unwrap();
        }
    }

    /// A log filled with a whole history.
    pub async fn filled(history: &History) -> (Database, u64) {
        let database = Database::create().await;
        database.keep(&history.blobs).await;
        let head = database.append(&history.steps).await;
        (database, head)
    }

    /// All projections, in segments of so many events.
    pub fn start(&self, segment_events_max: u64) -> Projections {
        self.start_these(projections::all(), segment_events_max)
    }

    pub fn start_these(
        &self,
        these: Vec<Arc<dyn Projection>>,
        segment_events_max: u64,
    ) -> Projections {
        let options = quick(segment_events_max);
        Projections::start_these(these, self.store.clone(), self.pool.clone(), options)
    }

    /// Every row of every read model, as text, in an order of its own.
    pub async fn dump(&self) -> Vec<String> {
        let mut rows = Vec::new();
        for table in TABLES {
            let statement = format!("select t::text from {table} t order by t::text");
            let found: Vec<String> =
                sqlx::query_scalar(AssertSqlSafe(statement)).fetch_all(&self.pool).await.unwrap();
            rows.extend(found.into_iter().map(|row| format!("{table} {row}")));
        }
        rows
    }

    /// Runs a statement behind everybody's back.
    pub async fn execute(&self, statement: &str) {
        let statement = AssertSqlSafe(statement.to_owned());
        sqlx::query(statement).execute(&self.pool).await.unwrap();
    }

    pub async fn drop(self) {
        self.store.close().await;
        self.pool.close().await;
        let mut admin = PgConnection::connect(&on(&self.server, "postgres")).await.unwrap();
        let drop = format!("drop database if exists {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    }
}

/// Options for tests that do not like to wait.
pub fn quick(segment_events_max: u64) -> ProjectionsOptions {
    ProjectionsOptions {
        segment_events_max,
        poll_ms: 100,
        backoff_ms_max: 200,
        ..ProjectionsOptions::default()
    }
}

/// Waits until all projections reflect a position.
pub async fn caught_up(projections: &Projections, position: u64) {
    let names: Vec<&str> = projections.names().collect();
    let reflected = projections.wait_for(&names, position, 60_000).await;
    if let Err(behind) = reflected {
        panic!("{behind}: {:#?}", projections.status().await);
    }
}

fn request(step: &Step) -> AppendRequest {
    AppendRequest {
        command: CommandId::fresh(),
        digest: CommandDigest::of(&step.stream, &step.expected_version.to_string()),
        stream: step.stream.clone(),
        expected_version: step.expected_version,
        events: step.events.clone(),
        metadata: Metadata {
            actor: step.actor.into(),
            causation: step.causation,
            correlation: step.correlation,
            reason: None,
            at: step.at.into(),
        },
    }
}
