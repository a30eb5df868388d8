//! One fresh database a test, made from the migrations, dropped when the test ends well.
//!
//! Knows how to set up and how to ask; asserts nothing.

#![allow(dead_code, reason = "each test file uses its own part of this")]

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use chrono::{TimeZone, Utc};
use event_store::{
    AppendRequest, CommandDigest, CommandId, EventStore, Metadata, NewEvent, StoreOptions,
    StreamName,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection, PgPool};
use uuid::Uuid;

const DEFAULT_URL: &str = "postgres://postgres@127.0.0.1:55432/";
static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");

/// A database of a test's own.
pub struct TestLog {
    pub name: String,
    pub url: String,
    server: String,
}

impl TestLog {
    /// Creates and migrates it.
    pub async fn create() -> TestLog {
        static COUNTER: AtomicU64 = AtomicU64::new(0);
        let server =
            std::env::var("NODE0_TEST_DATABASE_URL").unwrap_or_else(|_| DEFAULT_URL.to_owned());
        let count = COUNTER.fetch_add(1, Ordering::Relaxed);
        let name = format!("store_test_{}_{count}", Uuid::now_v7().simple());
        let mut admin = PgConnection::connect(&on(&server, "postgres")).await.unwrap();
        sqlx::query(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut admin)
            .await
            .unwrap();
        let url = on(&server, &name);
        let pool = PgPool::connect(&url).await.unwrap();
        MIGRATIONS.run(&pool).await.unwrap();
        pool.close().await;
        TestLog { name, url, server }
    }

    pub fn options(&self) -> StoreOptions {
        StoreOptions { read_connections_max: 3, ..StoreOptions::new(&self.url) }
    }

    /// What another process would open.
    pub async fn open(&self) -> EventStore {
        EventStore::open(self.options()).await.unwrap()
    }

    /// A connection behind the store's back.
    pub async fn backdoor(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    /// Host and port, for tests that put something in between.
    pub fn address(&self) -> String {
        let rest = self.url.split_once("://").unwrap().1;
        let rest = rest.split_once('@').map_or(rest, |(_, rest)| rest);
        rest.split_once('/').unwrap().0.to_owned()
    }

    /// The same database through another address.
    pub fn url_through(&self, address: &str) -> String {
        self.url.replace(&self.address(), address)
    }

    pub async fn drop(self) {
        let mut admin = PgConnection::connect(&on(&self.server, "postgres")).await.unwrap();
        let drop = format!("drop database if exists {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(drop)).execute(&mut admin).await.unwrap();
    }
}

fn on(server: &str, database: &str) -> String {
    let (base, query) = server.split_once('?').map_or((server, None), |(b, q)| (b, Some(q)));
    let base = format!("{}/{database}", base.trim_end_matches('/'));
    query.map_or(base.clone(), |query| format!("{base}?{query}"))
}

pub fn stream(name: &str) -> StreamName {
    StreamName::new(name).unwrap()
}

pub fn metadata() -> Metadata {
    Metadata {
        actor: Arc::from("principal-tester"),
        causation: None,
        correlation: Uuid::now_v7(),
        reason: None,
        at: Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap(),
    }
}

/// A request with as many events as values, each holding one of them.
pub fn request(stream: &StreamName, expected: u64, values: &[u64]) -> AppendRequest {
    let command = CommandId::fresh();
    AppendRequest {
        command,
        digest: CommandDigest::of(stream, &format!("{expected} {values:?}")),
        stream: stream.clone(),
        expected_version: expected,
        events: values.iter().map(|value| counted(*value)).collect(),
        metadata: metadata(),
    }
}

pub fn counted(value: u64) -> NewEvent {
    NewEvent::new("value-counted.v1", &serde_json::json!({"value": value.to_string()})).unwrap()
}
