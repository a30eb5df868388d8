//! Blocks and heights over HTTP: a server agrees with its validators, and goes on by itself.

use commands::Role;
use domain::{
    values::{Address, PrincipalId, Round},
    vote::VoteType::{self, Precommit, Prevote},
};
use reqwest::Method;
use serde::Serialize;
use serde_json::{Value, json};
use tests::{http::Http, network, sse::Frames};

use super::{faults, problem, register, start};

fn body(value: &impl Serialize) -> Value {
    serde_json::to_value(value).unwrap()
}

fn types(reply: &Value) -> Vec<&str> {
    let events = reply["events"].as_array().unwrap();
    events.iter().map(|event| event["type"].as_str().unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_is_proposed_judged_and_voted_on_over_http_and_the_next_height_starts() {
    let (app, http) = start().await;
    let id = PrincipalId::of_validator(network::validator(1).address());
    let validator = http.service(id.as_str(), Role::Validator).await;
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    let commands = app.server.commands();
    network::started(commands, 1).await;
    let contents = network::make(commands, 1, None).await;
    http.post("/api/v1/blocks", &body(&contents)).await.expect(403);
    let made = validator.post("/api/v1/blocks", &body(&contents)).await;
    let block = format!("/api/v1/blocks/{}", contents.header.hash());
    assert_eq!(made.header("location"), block);
    assert_eq!(types(&made.expect(201)), ["block-proposed.v1"]);
    let judged = validator.post(&format!("{block}/validate"), &json!({})).await.expect(200);
    assert_eq!(types(&judged), ["block-validated.v1"]);
    let height = format!("/api/v1/heights/{}-1", network::chain());
    let proposal = network::proposal(&network::started(commands, 1).await, contents.id());
    let told = validator.post(&format!("{height}/propose"), &body(&proposal)).await.expect(200);
    assert_eq!(types(&told), ["proposal-accepted.v1"]);
    let started = network::started(commands, 1).await;
    assert!(started.proposal(Round::FIRST).is_some());
    let members: Vec<Address> = started.start().members.iter().map(|seat| seat.address).collect();
    let votes = |kind: VoteType| {
        let vote = |by: &Address| network::vote(&started, *by, kind, Some(contents.id()));
        json!({"votes": members.iter().map(vote).collect::<Vec<_>>()})
    };
    let cast = format!("{height}/cast-votes");
    let told = validator.post(&cast, &votes(Prevote)).await.expect(200);
    assert!(types(&told).contains(&"polka-reached.v1"), "{told:#}");
    let told = validator.post(&cast, &votes(Precommit)).await.expect(200);
    assert!(types(&told).contains(&"block-committed.v1"), "{told:#}");
    network::started(commands, 2).await;
    let (applied, _) =
        commands.applied(&network::chain(), network::height(1)).await.unwrap().unwrap();
    assert_eq!(applied.hash, contents.header.hash());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_is_had_by_its_hash_for_ever_and_a_validator_follows_what_it_needs() {
    let (app, http) = start().await;
    let id = PrincipalId::of_validator(network::validator(1).address());
    let validator = http.service(id.as_str(), Role::Validator).await;
    register(&http, 1..=2).await;
    let document = network::genesis();
    http.post("/api/v1/chains", &document).await.expect(201);
    network::started(app.server.commands(), 1).await;
    // Registrations are in the log before, and are not for validators to follow.
    let stream = "/api/v1/consensus/stream?after=0";
    let mut frames = Frames::of(validator.request(Method::GET, stream)).await;
    let begun = frames.next().await;
    assert_eq!(begun.event.as_deref(), Some("start"));
    let head: u64 = begun.data["head"].as_str().unwrap().parse().unwrap();
    let genesis = frames.told().await.data["record"].clone();
    assert_eq!(genesis["type"], "genesis-initialised.v1");
    assert_eq!(frames.told().await.data["record"]["type"], "height-started.v1");
    assert_eq!(frames.told().await.data["record"]["type"], "round-started.v1");
    let beat = frames.next().await;
    assert!(beat.data.is_null() && beat.id >= Some(head), "the end is told at once: {beat:?}");

    let hash = genesis["data"]["genesis_hash"].as_str().unwrap();
    let path = format!("/api/v1/blobs/{hash}");
    let found = validator.get(&path).await;
    assert_eq!(found.header("cache-control"), "public, max-age=31536000, immutable");
    assert_eq!(found.header("content-type"), "application/octet-stream");
    let tag = found.header("etag").to_owned();
    assert_eq!(found.expect(200), document);
    let known = http.request(Method::GET, &path).header("if-none-match", tag);
    assert_eq!(Http::send(known).await.unwrap().status, 304);
    let nothing = http.get(&format!("/api/v1/blobs/{}", "0".repeat(64))).await;
    assert_eq!((nothing.status, problem(&nothing).as_str()), (404, "not-found"));
    assert_eq!(faults(&http.get("/api/v1/blobs/7").await), ["hash"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sign_of_life_is_taken_whole_or_refused_and_the_newest_of_each_is_shown() {
    let (app, http) = start().await;
    let pool = sqlx::PgPool::connect(&app.database.url()).await.unwrap();
    let beat = |height: &str| json!({"height": height, "mempool": 3, "round": 0, "step": "prevote", "version": "0.1.0"});
    let path = |n: u64| format!("{}/heartbeat", super::validator(n));
    for (n, height) in [(1, "7"), (2, "9"), (1, "8")] {
        let taken = http.post(&path(n), &beat(height)).await.expect(200);
        assert_eq!(taken["height"], height);
    }
    let shown = http.get("/api/v1/heartbeats").await.expect(200);
    let mut heights: Vec<_> =
        shown["items"].as_array().unwrap().iter().map(|beat| &beat["height"]).collect();
    heights.sort_by_key(|height| height.as_str());
    assert_eq!(heights, ["8", "9"]);
    let mut wrong = beat("0");
    wrong["round"] = json!(-1);
    assert_eq!(faults(&http.post(&path(1), &wrong).await), ["/height", "/round"]);
    wrong = beat("1");
    wrong["version"] = json!("a b");
    wrong["received_bytes"] = json!(9_007_199_254_740_992_u64);
    assert_eq!(faults(&http.post(&path(1), &wrong).await), ["/received_bytes", "/version"]);
    // What is older than it is kept for goes with the next one, and is not shown any more.
    let aged = "update heartbeats set at = at - interval '1 hour'";
    sqlx::raw_sql(aged).execute(&pool).await.unwrap();
    http.post(&path(1), &beat("9")).await.expect(200);
    let shown = http.get("/api/v1/heartbeats").await.expect(200);
    assert_eq!(shown["items"].as_array().unwrap().len(), 1);
    let kept: i64 = sqlx::query_scalar("select count(*) from heartbeats where validator = $1")
        .bind(tests::keys::ValidatorKey::number(1).address().to_string())
        .fetch_one(&pool)
        .await
        .unwrap();
    assert_eq!(kept, 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_are_made_and_pruned_over_http_by_whoever_may() {
    let (app, http) = start().await;
    let operator = http.service("service-operator", Role::Operator).await;
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    let commands = app.server.commands();
    for number in 1..=2 {
        network::one_height(commands, number).await;
        network::started(commands, number + 1).await;
    }
    let create = format!("/api/v1/chains/{}/create-snapshot", network::chain());
    let prune = format!("/api/v1/chains/{}/prune-before", network::chain());
    let at = |height: &str| json!({ "height": height });
    let refused = operator.post(&create, &at("2")).await.expect(403);
    assert_eq!(refused["permission"], "chain:snapshot", "{refused:#}");
    let refused = operator.post(&prune, &at("2")).await.expect(403);
    assert_eq!(refused["permission"], "chain:prune", "{refused:#}");
    let refused = http.post(&prune, &at("2")).await.expect(422);
    assert_eq!(refused["refusal"], json!({"code": "no-snapshot-kept", "before": "2"}));
    let refused = http.post(&create, &at("3")).await.expect(422);
    let numbers = json!({"code": "above-head", "head": "2", "height": "3"});
    assert_eq!(refused["refusal"], numbers);
    let older = http.post(&create, &at("1")).await.expect(200);
    let made = http.post(&create, &at("2")).await.expect(200);
    assert_eq!((types(&older), types(&made)), (types(&made), vec!["state-snapshot-created.v1"]));
    let pruned = http.post(&prune, &at("2")).await.expect(200);
    assert_eq!(types(&pruned), ["state-pruned.v1"]);
    let data = &pruned["events"][0]["data"];
    assert_eq!(data["dropped"], json!([older["events"][0]["data"]]));
    assert_eq!(data["kept"], made["events"][0]["data"]);
    let refused = http.post(&create, &at("1")).await.expect(422);
    assert_eq!(refused["refusal"], json!({"code": "pruned", "before": "2", "height": "1"}));
    app.stop().await;
}
