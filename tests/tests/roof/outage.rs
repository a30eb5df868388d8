//! The database goes away and comes back: 503 meanwhile, and the server recovers by itself.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::json;
use tests::{app::TestApp, database::TestDatabase};

use super::{locked, problem, proxy::Proxy, register, registration, send, validator};

/// How long recovery may take.
const PATIENCE: Duration = Duration::from_secs(30);
/// Much less than a query waits for a connection.
const AT_ONCE: Duration = Duration::from_secs(1);

#[tokio::test(flavor = "multi_thread")]
async fn an_outage_is_a_503_with_retry_after_and_passes() {
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database.url()).await;
    let app = TestApp::start_with(&[("database_url", &proxy.url())]).await;
    let http = app.http();
    register(&http, 1..3).await;
    proxy.shut();
    let reads = ["/api/v1/validators", &validator(1), "/api/v1/events", "/api/v1/activity"];
    let answers = futures::future::join_all(reads.iter().map(|path| http.get(path))).await;
    for (path, answer) in reads.iter().zip(answers) {
        assert_eq!(
            (answer.status, problem(&answer).as_str()),
            (503, "database-unavailable"),
            "{path}"
        );
    }
    // Who asks after that need not wait for what is not there.
    let again = futures::future::join_all(reads.iter().map(|path| http.get(path))).await;
    let asked = Instant::now();
    let refused = http.get("/api/v1/validators").await;
    assert_eq!(problem(&refused), "database-unavailable");
    assert!(again.len() == 4 && asked.elapsed() < AT_ONCE, "{:?}", asked.elapsed());
    http.get("/api/v1/auth/me").await.expect(200);
    // Nor is it asked for somebody who is not let in: the one who tries must be able to tell.
    let url = format!("http://{}/api/v1/events", app.server.address());
    assert_eq!(problem(&send(reqwest::Client::new().get(url)).await), "not-authenticated");
    let body = json!({"amount": "1"});
    let command = http.post(&format!("{}/bond", validator(1)), &body).await;
    assert_eq!(command.status, 503, "{:#}", command.body);
    problem(&command);
    let unknown = http.request(Method::POST, "/api/v1/validators").json(&registration(9));
    let unknown = send(unknown.header("authorization", "Bearer never-seen-before")).await;
    assert_eq!(problem(&unknown), "database-unavailable", "nobody can say whose token it is");
    let graphql = json!({"query": "{ validators { nodes { id } } }"});
    let graphql = http.post("/graphql", &graphql).await;
    assert_eq!(graphql.body["errors"][0]["extensions"]["type"], "/problems/database-unavailable");
    let ready = http.get("/readyz").await;
    assert_eq!((ready.status, &ready.body["ready"]), (503, &json!(false)));
    let parts = ready.body["parts"].as_array().unwrap();
    let away = parts.iter().find(|part| part["name"] == "database").unwrap();
    assert_eq!(away["ready"], false);
    http.get("/livez").await.expect(200);
    http.get("/metrics").await.expect(200);
    proxy.reopen();
    let deadline = Instant::now() + PATIENCE;
    loop {
        let ready = http.get("/readyz").await;
        let done = http.post(&format!("{}/bond", validator(1)), &body).await;
        assert!(done.status == 200 || done.status == 503, "{:#}", done.body);
        if ready.status == 200 && done.status == 200 {
            break;
        }
        assert!(Instant::now() < deadline, "still not ready: {:#}", ready.body);
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    http.get("/api/v1/validators").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn more_requests_than_the_limit_are_shed_and_health_still_answers() {
    let app = TestApp::start_with(&[("requests_in_flight_max", "1")]).await;
    let http = app.http();
    let table = locked(&app, "validators_v1.validators").await;
    let slow = tokio::spawn(http.request(Method::GET, "/api/v1/validators").send());
    tokio::time::sleep(Duration::from_millis(300)).await;
    let shed = http.get("/api/v1/validators").await;
    assert_eq!((shed.status, problem(&shed).as_str()), (503, "overloaded"));
    http.get("/livez").await.expect(200);
    http.get("/readyz").await.expect(200);
    table.rollback().await.unwrap();
    assert_eq!(slow.await.unwrap().unwrap().status(), 200);
    http.get("/api/v1/validators").await.expect(200);
    app.stop().await;
}
