//! Queries asked of a streaming replica: what was written is read there when it is asked for, what
//! lags says so, and commands go on without it.
//!
//! Does not know how PostgreSQL streams.

use std::time::{Duration, Instant};

use api::cluster::{Cluster, DATABASE};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection, PgConnection};
use tests::{
    http::{Answer, Http},
    node0::{Node0, complaint, program},
    own_cluster::OwnCluster,
};

/// How long something that must happen may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often it is read what was just written.
const ROUNDS: u64 = 40;

/// A database, its replica, and a server that asks the one and commands the other.
struct Pair {
    server: Node0,
    database: Cluster,
    replica: Cluster,
    folders: [OwnCluster; 2],
}

impl Pair {
    async fn start() -> Pair {
        let first = OwnCluster::initialised();
        let database = Cluster::start(&first.options()).await.expect("a database");
        let second = OwnCluster::replica_of(&database);
        let replica = Cluster::start(&second.options()).await.expect("a replica");
        let server = serve(&database, &replica);
        Pair { server, database, replica, folders: [first, second] }
    }

    /// Says something to the replica.
    async fn tell_replica(&self, statement: &'static str) {
        let url = self.replica.url(DATABASE);
        let mut connection = PgConnection::connect(&url).await.expect("the replica answers");
        sqlx::raw_sql(statement).execute(&mut connection).await.expect("it does so");
    }

    async fn stop(self) {
        self.server.stop();
        self.replica.stop().await.expect("the replica stops");
        self.database.stop().await.expect("the database stops");
        drop(self.folders);
    }
}

fn serve(database: &Cluster, replica: &Cluster) -> Node0 {
    let mut command = program();
    command.args(["--database-url", &database.url(DATABASE)]);
    command.args(["--read-database-url", &replica.url(DATABASE)]);
    Node0::serve(&mut command)
}

/// Defines a flag of this number; where that is in the log.
async fn define(http: &Http, number: u64, prefer: Option<&str>) -> (u64, Answer) {
    let path = format!("/api/v1/flags/replica.f{number}/create-flag");
    let mut request = http.request(Method::POST, &path).json(&json!({"description": "as a test"}));
    if let Some(prefer) = prefer {
        request = request.header("prefer", prefer);
    }
    let answer = Http::send(request).await.expect("the server answers");
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    (answer.header("position").parse().expect("a position"), answer)
}

/// Asks for what reflects this position at least.
async fn at_least(http: &Http, path: &str, position: u64) -> Answer {
    let request = http.request(Method::GET, path).header("min-position", position);
    Http::send(request).await.expect("the server answers")
}

async fn by_graphql(http: &Http, number: u64, position: u64) -> Answer {
    let query =
        format!("{{ flag(key: \"replica.f{number}\", minPosition: \"{position}\") {{ key }} }}");
    http.post("/graphql", &json!({ "query": query })).await
}

/// Asks until it is answered.
async fn answered(http: &Http, path: &str) {
    Http::until(200, PATIENCE, || http.request(Method::GET, path)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_written_is_read_from_the_replica_by_all_who_ask_for_it() {
    let pair = Pair::start().await;
    let http = pair.server.http();
    for number in 0..ROUNDS {
        let flag = format!("/api/v1/flags/replica.f{number}");
        if number % 2 == 0 {
            let (position, _) = define(&http, number, None).await;
            let seen = at_least(&http, &flag, position).await;
            assert!(seen.header("position").parse::<u64>().unwrap() >= position);
            seen.expect(200);
            by_graphql(&http, number, position).await.expect(200);
            at_least(&http, &format!("/api/v1/events/{position}"), position).await.expect(200);
        } else {
            let (_, done) = define(&http, number, Some("wait=5000")).await;
            assert_eq!(done.header("preference-applied"), "wait=5000");
            http.get(&flag).await.expect(200);
        }
    }
    // It was the replica that was asked: it counts what it is asked, and tells a little later.
    let url = pair.replica.url(DATABASE);
    let mut connection = PgConnection::connect(&url).await.unwrap();
    let begun = Instant::now();
    loop {
        let statement = "select coalesce(seq_scan + idx_scan, 0) from pg_stat_user_tables
                          where relname = 'flags'";
        let scans: i64 = sqlx::query_scalar(statement).fetch_one(&mut connection).await.unwrap();
        if scans >= ROUNDS.cast_signed() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "the replica was asked only {scans} times");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_that_lags_says_what_it_reflects_and_is_waited_for_by_who_asks() {
    let pair = Pair::start().await;
    let http = pair.server.http();
    define(&http, 0, Some("wait=5000")).await;
    pair.tell_replica("select pg_wal_replay_pause()").await;

    let (position, done) = define(&http, 1, Some("wait=200")).await;
    assert_eq!(done.header("preference-applied"), "", "it is done and not shown");
    let flag = "/api/v1/flags/replica.f1";
    let unknown = http.get(flag).await;
    assert_eq!(unknown.status, 404, "who asks for nothing sees what is there");
    let old = http.get("/api/v1/flags").await;
    assert!(old.header("position").parse::<u64>().unwrap() < position, "and is told how old it is");
    let late = at_least(&http, flag, position).await;
    assert_eq!((late.status, late.header("retry-after").is_empty()), (503, false));
    assert_eq!(late.body["type"], "/problems/read-model-behind");
    assert!(late.body["lag"].as_u64().unwrap() > 0, "{:#}", late.body);
    let late = at_least(&http, "/api/v1/events", position).await;
    assert_eq!(late.status, 503);
    let late = by_graphql(&http, 1, position).await.body;
    assert_eq!(late["errors"][0]["extensions"]["type"], "/problems/read-model-behind");
    let never = at_least(&http, flag, position + 1_000).await;
    assert_eq!(never.status, 409, "a position that is none is not waited for: {:#}", never.body);

    let waiting = tokio::spawn({
        let http = http.clone();
        async move { at_least(&http, flag, position).await }
    });
    tokio::time::sleep(Duration::from_millis(300)).await;
    pair.tell_replica("select pg_wal_replay_resume()").await;
    waiting.await.unwrap().expect(200);
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_go_on_while_the_replica_is_away_and_queries_as_soon_as_it_is_back() {
    let mut pair = Pair::start().await;
    let http = pair.server.http();
    answered(&http, "/api/v1/flags").await;
    pair.replica.stop().await.unwrap();

    for number in 0..8 {
        define(&http, number, None).await;
        let away = http.get("/api/v1/flags").await;
        assert_eq!(away.status, 503, "{:#}", away.body);
        assert_eq!(away.body["type"], "/problems/database-unavailable");
    }
    let unready = http.get("/readyz").await.expect(503);
    let parts = unready["parts"].as_array().unwrap();
    let unwell: Vec<&Value> = parts.iter().filter(|part| part["ready"] == false).collect();
    assert_eq!(unwell.len(), 1, "{unready:#}");
    assert_eq!(unwell[0]["name"], "read-database");

    let again = Cluster::start(&pair.folders[1].options()).await;
    pair.replica = again.expect("the replica starts again");
    answered(&http, "/api/v1/flags/replica.f7").await;
    answered(&http, "/readyz").await;
    pair.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replica_of_another_log_is_refused() {
    let [first, second] = [OwnCluster::initialised(), OwnCluster::empty()];
    let database = Cluster::start(&first.options()).await.unwrap();
    serve(&database, &database).stop();
    // A log of its own.
    Node0::on_folder(second.folder()).stop();
    let other = Cluster::start(&second.options()).await.unwrap();
    let mut command = program();
    command.args(["serve", "--listen", "127.0.0.1:0", "--master-key", tests::app::MASTER_KEY]);
    command.args(["--database-url", &database.url(DATABASE)]);
    command.args(["--read-database-url", &other.url(DATABASE)]);
    let refused = tokio::task::spawn_blocking(move || command.output().unwrap()).await.unwrap();
    assert_eq!(refused.status.code(), Some(3));
    assert!(complaint(&refused).contains("incarnation"), "{}", complaint(&refused));
    other.stop().await.unwrap();
    database.stop().await.unwrap();
}
