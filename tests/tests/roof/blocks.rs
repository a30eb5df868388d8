//! Blocks and heights over HTTP: a server agrees with its validators, and goes on by itself.

use api::auth;
use commands::Role;
use domain::{
    values::{Address, Round},
    vote::VoteType::{self, Precommit, Prevote},
};
use serde::Serialize;
use serde_json::{Value, json};
use tests::{http::Http, network};

use super::start;

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
    let pool = sqlx::PgPool::connect(&app.database.url()).await.unwrap();
    let token = auth::issue_token(&pool, "validator-1", Role::Validator).await.unwrap();
    let validator = Http::new(format!("http://{}", app.server.address()), token);
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
    pool.close().await;
    app.stop().await;
}
