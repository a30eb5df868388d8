//! The headers of commands and queries.

use reqwest::Method;
use serde_json::json;
use tests::app::SETUP_EVENTS;

use super::{faults, problem, register, registration, send, start, validator};

#[tokio::test(flavor = "multi_thread")]
async fn the_same_key_gets_the_same_answer_and_another_request_a_refusal() {
    let (app, http) = start().await;
    let create = |body: &serde_json::Value| {
        http.request(Method::POST, "/api/v1/validators")
            .header("idempotency-key", "order/7")
            .json(body)
    };
    let first = send(create(&registration(1))).await;
    assert_eq!(first.status, 201, "{:#}", first.body);
    assert_eq!(first.header("location"), validator(1));
    assert_eq!(first.header("etag"), "\"1\"");
    assert_eq!(first.header("idempotency-key"), "order/7");
    assert_eq!(first.header("position"), first.body["position"].to_string());
    assert_eq!((&first.body["repeated"], &first.body["dry_run"]), (&json!(false), &json!(false)));
    let again = send(create(&registration(1))).await;
    assert_eq!(again.status, 201);
    assert_eq!(again.body["repeated"], true);
    for member in ["stream", "version", "position", "command", "events"] {
        assert_eq!(again.body[member], first.body[member], "{member}");
    }
    let other = send(create(&registration(2))).await;
    assert_eq!((other.status, problem(&other).as_str()), (409, "key-reused"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_version_is_told_the_current_one() {
    let (app, http) = start().await;
    register(&http, 1..2).await;
    let bond = |tag: &str| {
        let request = http.request(Method::POST, &format!("{}/bond", validator(1)));
        request.header("if-match", tag).json(&json!({"amount": "1"}))
    };
    let stale = send(bond("\"0\"")).await;
    assert_eq!((stale.status, problem(&stale).as_str()), (412, "stale-version"));
    assert_eq!(stale.body["current_version"], 1);
    let tag = http.get(&validator(1)).await.header("etag").to_owned();
    let fresh = send(bond(&tag)).await;
    assert_eq!((fresh.status, fresh.header("etag")), (200, "\"2\""));
    assert_eq!(problem(&send(bond(&tag)).await), "stale-version");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_decides_and_stores_nothing() {
    let (app, http) = start().await;
    let request = http.request(Method::POST, "/api/v1/validators").header("dry-run", "true");
    let answer = send(request.json(&registration(1))).await;
    assert_eq!(answer.status, 200, "{:#}", answer.body);
    assert_eq!(answer.body["dry_run"], true);
    assert_eq!(answer.body["position"], json!(null));
    assert_eq!(answer.body["events"][0]["type"], "validator-registered.v1");
    assert!(answer.body["events"][0].get("id").is_none());
    let log = http.get("/api/v1/events").await.expect(200);
    assert_eq!(log["items"].as_array().unwrap().len() as u64, SETUP_EVENTS);
    let refused = http.request(Method::POST, &format!("{}/bond", validator(1)));
    let refused = send(refused.header("dry-run", "true").json(&json!({"amount": "1"}))).await;
    assert_eq!((refused.status, problem(&refused).as_str()), (422, "refused"));
    assert_eq!(refused.body["refusal"]["code"], "not-registered");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_can_wait_until_it_is_seen_and_a_query_for_a_position() {
    let (app, http) = start().await;
    let request = http.request(Method::POST, "/api/v1/validators").header("prefer", "wait=5000");
    let made = send(request.json(&registration(1))).await;
    assert_eq!((made.status, made.header("preference-applied")), (201, "wait=5000"));
    let seen = http.get(&validator(1)).await;
    assert_eq!(seen.status, 200, "{:#}", seen.body);
    let position: u64 = seen.header("position").parse().unwrap();
    assert!(position >= made.body["position"].as_u64().unwrap());
    let path = validator(1);
    let late = http.request(Method::GET, &path).header("min-position", position + 5);
    let late = send(late).await;
    assert_eq!((late.status, problem(&late).as_str()), (409, "log-restored"));
    assert_eq!(late.body["position"], position);
    let beyond = http.request(Method::GET, "/api/v1/events").header("min-position", position + 5);
    assert_eq!(problem(&send(beyond).await), "log-restored");
    let bad = http.request(Method::GET, &path).header("min-position", "soon");
    assert_eq!(faults(&send(bad).await), ["Min-Position"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bad_condition_headers_are_all_named() {
    let (app, http) = start().await;
    let request = http.request(Method::POST, "/api/v1/validators").json(&registration(1));
    let request = request
        .header("idempotency-key", "x".repeat(129))
        .header("if-match", "W/\"1\"")
        .header("dry-run", "maybe")
        .header("prefer", "wait=soon");
    let answer = send(request).await;
    assert_eq!(answer.status, 400);
    assert_eq!(faults(&answer), ["Dry-Run", "Idempotency-Key", "If-Match", "Prefer"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_known_already_is_not_sent_again() {
    let (app, http) = start().await;
    register(&http, 1..3).await;
    let list = "/api/v1/validators".to_owned();
    for path in [validator(1), list, "/api/openapi.json".to_owned()] {
        let tag = http.get(&path).await.header("etag").to_owned();
        assert!(tag.starts_with('"'), "{path}: {tag}");
        for known in [tag.clone(), format!("W/{tag}"), format!("\"x\", {tag}"), "*".to_owned()] {
            let request = http.request(Method::GET, &path).header("if-none-match", &known);
            let answer = send(request).await;
            assert_eq!(
                (answer.status, answer.header("etag")),
                (304, tag.as_str()),
                "{path} {known}"
            );
        }
        let request = http.request(Method::GET, &path).header("if-none-match", "\"other\"");
        assert_eq!(send(request).await.status, 200, "{path}");
        assert_eq!(send(http.request(Method::HEAD, &path)).await.header("etag"), tag);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sane_request_id_is_kept_and_another_replaced() {
    let (app, http) = start().await;
    let ask = |id: &str| http.request(Method::GET, "/livez").header("x-request-id", id.to_owned());
    assert_eq!(send(ask("trace-0.1_x")).await.header("x-request-id"), "trace-0.1_x");
    for id in ["a b", "<script>", &"x".repeat(65)] {
        let given = send(ask(id)).await.header("x-request-id").to_owned();
        assert!(uuid::Uuid::parse_str(&given).is_ok(), "{id} became {given}");
    }
    app.stop().await;
}
