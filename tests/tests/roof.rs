//! What the surface promises to whoever talks to it.
//!
//! Does not test what commands decide nor what read models hold: those have tests of their own.

mod access;
mod attacks;
mod audited;
mod backups;
mod bitcoin;
mod blocks;
mod conditions;
mod connections;
mod decided;
mod desk;
mod exports;
mod flags;
mod graphql;
mod identity;
mod input;
mod keys;
mod letters;
mod limits;
pub mod live;
mod metrics;
mod monitoring;
mod mutations;
mod network;
mod nodes;
mod oidc;
mod outage;
mod past;
mod proxy;
mod queries;
mod replays;
mod rpc;
mod secrets;
pub mod settings;
mod subscriptions;
mod transactions;

use std::time::Duration;

use domain::{validator::Command, values::ChainId};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::TestApp,
    http::{Answer, Http},
    keys::ValidatorKey,
};

/// The chain the tests' validators are registered for.
const CHAIN: &str = "roof-1";

/// The body that registers the n-th validator.
fn registration(n: u64) -> Value {
    let chain: ChainId = CHAIN.parse().unwrap();
    let command: Command = ValidatorKey::number(n).register(&chain);
    let mut body = serde_json::to_value(command).unwrap();
    body.as_object_mut().unwrap().remove("command");
    body
}

/// The path of the n-th validator.
fn validator(n: u64) -> String {
    format!("/api/v1/validators/{}", ValidatorKey::number(n).address())
}

/// Registers the validators of these numbers in one request, and waits until the read models show
/// it.
async fn register(http: &Http, numbers: impl Iterator<Item = u64>) {
    let items: Vec<Value> = numbers
        .map(
            |n| json!({"collection": "validators", "command": "register", "body": registration(n)}),
        )
        .collect();
    let answer = http.post("/api/v1/batches", &json!({"items": items})).await;
    let position: u64 = answer.header("position").parse().unwrap();
    for item in answer.expect(200)["items"].as_array().unwrap() {
        assert_eq!(item["status"], 200, "{item:#}");
    }
    for path in ["/api/v1/validators", "/api/v1/activity"] {
        let request = http.request(Method::GET, path).header("min-position", position);
        Http::send(request).await.unwrap().expect(200);
    }
}

/// What is told at a path, once it is so.
pub async fn shown(http: &Http, path: &str, is: impl Fn(&Value) -> bool) -> Value {
    for _ in 0..800 {
        let seen = http.get(path).await.body;
        if is(&seen) {
            return seen;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("{path} never was like that, but is {:#}", http.get(path).await.body);
}

/// The kind of problem an answer is, after checking that it is one in full.
fn problem(answer: &Answer) -> String {
    let body = &answer.body;
    assert!(answer.header("content-type").starts_with("application/problem+json"), "{answer:#?}");
    assert_eq!(body["status"], answer.status, "{body:#}");
    assert_eq!(body["instance"], answer.header("x-request-id"), "{body:#}");
    for member in ["title", "detail"] {
        assert!(!body[member].as_str().unwrap_or_default().is_empty(), "{body:#}");
    }
    if answer.status == 503 {
        assert!(!answer.header("retry-after").is_empty(), "{answer:#?}");
    }
    body["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
}

/// The pointers or parameters that a problem lists as invalid, sorted.
fn faults(answer: &Answer) -> Vec<String> {
    let errors = answer.body["errors"].as_array().cloned().unwrap_or_default();
    let place = |error: &Value| {
        let place = error.get("pointer").or_else(|| error.get("parameter"));
        assert!(!error["detail"].as_str().unwrap_or_default().is_empty(), "{error:#}");
        place.and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let mut places: Vec<String> = errors.iter().map(place).collect();
    places.sort();
    places
}

/// Sends a request that must be answered.
async fn send(request: reqwest::RequestBuilder) -> Answer {
    Http::send(request).await.expect("the server answers")
}

/// A server with its client.
/// A table that nobody can read until this is given up: who asks it waits.
async fn locked(app: &TestApp, table: &'static str) -> sqlx::Transaction<'static, sqlx::Postgres> {
    let pool = sqlx::PgPool::connect(&app.database.url()).await.unwrap();
    let mut held = pool.begin().await.unwrap();
    let statement = sqlx::AssertSqlSafe(format!("lock table {table}"));
    sqlx::query(statement).execute(&mut *held).await.unwrap();
    held
}

async fn start() -> (TestApp, Http) {
    let app = TestApp::start().await;
    let http = app.http();
    (app, http)
}
