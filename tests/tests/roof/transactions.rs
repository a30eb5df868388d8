//! Signed transactions, from their senders' hands to their places in the queue.

use std::time::{Duration, Instant};

use domain::{
    transaction::{Envelope, Payload, Transaction},
    values::{Amount, Nonce},
};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::TestApp,
    http::{Answer, Http},
    keys::ValidatorKey,
    network,
};

use super::{problem, start};

const OURS: &str = "pay-1";
const PATH: &str = "/api/v1/transactions";

/// Begins our own chain: one validator, and the first account has 1,000.
async fn begin(http: &Http) {
    let key = json!({
        "type": "tendermint/PubKeyEd25519", "value": ValidatorKey::number(99).public().to_string(),
    });
    let account = |n: u64, balance: &str| json!({"address": ValidatorKey::number(n).address().to_string(), "balance": balance});
    let document = json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": OURS,
        "initial_height": "1",
        "validators": [{"pub_key": key, "power": "10"}],
        "app_hash": "",
        "app_state": {"accounts": [account(1, "1000"), account(2, "50")]},
    });
    http.post("/api/v1/chains", &document).await.expect(201);
}

/// The n-th account pays the next one.
fn transfer(n: u64, nonce: u64, amount: u128, fee: u128) -> Transaction {
    let payload = Payload::Transfer {
        amount: Amount::new(amount),
        to: ValidatorKey::number(n + 1).address(),
    };
    let envelope = Envelope {
        chain_id: OURS.parse().unwrap(),
        expires_at_height: None,
        fee: Amount::new(fee),
        memo: None,
        nonce: Nonce::new(nonce).unwrap(),
        payload,
        sender: ValidatorKey::number(n).public(),
    };
    envelope.sign(ValidatorKey::number(n).signing())
}

fn body(transaction: &Transaction) -> Value {
    serde_json::to_value(transaction).unwrap()
}

async fn lines(http: &Http, text: String) -> Answer {
    let request = http.request(Method::POST, PATH);
    let request = request.header("content-type", "application/x-ndjson").body(text);
    Http::send(request).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_transaction_waits_and_sent_again_is_answered_as_before() {
    let (app, http): (TestApp, Http) = start().await;
    begin(&http).await;
    let sent = transfer(1, 0, 100, 5);
    let first = http.post(PATH, &body(&sent)).await.expect(200);
    let event = &first["events"][0];
    assert_eq!(event["type"], "transaction-accepted.v1");
    assert_eq!(event["data"]["placement"], "pending");
    assert_eq!(event["data"]["hash"], sent.hash().to_string());
    assert_eq!(event["data"]["transaction"], body(&sent));
    let again = http.post(PATH, &body(&sent)).await.expect(200);
    assert_eq!((&again["position"], &again["repeated"]), (&first["position"], &json!(true)));
    assert_eq!(again["events"], first["events"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn one_bad_transaction_spoils_no_other_and_each_refusal_has_its_numbers() {
    let (app, http): (TestApp, Http) = start().await;
    begin(&http).await;
    let mut forged = body(&transfer(1, 1, 1, 5));
    forged["fee"] = json!("6");
    let mut unknown = body(&transfer(1, 1, 1, 5));
    unknown["payload"]["type"] = json!("steal");
    let items = [
        body(&transfer(1, 0, 400, 5)),
        forged,
        unknown,
        body(&transfer(1, 2, 10, 5)),
        body(&transfer(1, 1, 600, 5)),
        body(&transfer(1, 1, 500, 5)),
        body(&transfer(1, 1, 500, 5)),
        body(&transfer(2, 0, 45, 5)),
        body(&transfer(2, 1, 1, 5)),
    ];
    let answer = http.post(PATH, &json!(items)).await.expect(200);
    let results = answer["items"].as_array().unwrap();
    let statuses: Vec<i64> = results.iter().filter_map(|item| item["status"].as_i64()).collect();
    assert_eq!(statuses, [200, 422, 422, 200, 422, 200, 200, 200, 422], "{answer:#}");
    let refusal = |nth: usize| &results[nth]["problem"]["refusal"];
    let placement = |nth: usize| &results[nth]["reply"]["events"][0]["data"]["placement"];
    assert_eq!(refusal(1)["code"], "signature-invalid");
    assert_eq!(results[2]["problem"]["errors"][0]["pointer"], "/2");
    assert_eq!((placement(0), placement(3)), (&json!("pending"), &json!("queued")));
    let numbers = ["amount", "fee", "waiting", "balance", "needed"].map(|name| &refusal(4)[name]);
    assert_eq!(numbers, ["600", "5", "420", "1000", "1025"]);
    assert_eq!(results[5]["reply"]["position"], results[6]["reply"]["position"], "its repetition");
    assert_eq!(
        (placement(7), &refusal(8)["code"]),
        (&json!("pending"), &json!("balance-insufficient"))
    );

    let text = format!("{}\n\nnonsense\n{}\n", json!(body(&transfer(1, 3, 1, 5))), items[0]);
    let answer = lines(&http, text).await.expect(200);
    let statuses = [0, 1, 2].map(|nth: usize| answer["items"][nth]["status"].as_i64().unwrap());
    assert_eq!(statuses, [200, 422, 200]);
    assert_eq!(answer["items"][2]["reply"]["repeated"], true);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_pays_a_tenth_more() {
    let (app, http): (TestApp, Http) = start().await;
    begin(&http).await;
    let replaced = transfer(1, 0, 1, 10);
    http.post(PATH, &body(&replaced)).await.expect(200);
    let cheap = http.post(PATH, &body(&transfer(1, 0, 2, 10))).await;
    assert_eq!(problem(&cheap), "refused");
    assert_eq!(cheap.body["refusal"]["needed"], "11");
    let done = http.post(PATH, &body(&transfer(1, 0, 2, 11))).await.expect(200);
    assert_eq!(done["events"][0]["data"]["replaces"], replaced.hash().to_string());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn transactions_that_make_no_sense_are_told_so() {
    let (app, http): (TestApp, Http) = start().await;
    let early = http.post(PATH, &body(&transfer(1, 0, 1, 5))).await;
    assert_eq!(problem(&early), "refused");
    assert_eq!(early.body["refusal"]["code"], "no-chain");
    begin(&http).await;
    // Whoever was too early is not too early for ever.
    http.post(PATH, &body(&transfer(1, 0, 1, 5))).await.expect(200);
    for (sent, kind) in [
        (json!([]), "invalid-body"),
        (json!("text"), "invalid-body"),
        (json!({"chain_id": OURS}), "invalid-body"),
        (json!(vec![0; 1_001]), "invalid-body"),
    ] {
        let answer = http.post(PATH, &sent).await;
        assert_eq!((answer.status, problem(&answer).as_str()), (422, kind), "{sent}");
    }
    let garbled = http.request(Method::POST, PATH).header("content-type", "application/json");
    let garbled = Http::send(garbled.body("[{]")).await.unwrap();
    assert_eq!((garbled.status, problem(&garbled).as_str()), (400, "malformed"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn while_the_chain_is_behind_requests_come_one_after_the_other_and_are_taken_all_the_same() {
    let (app, http) = start().await;
    let mut document = network::genesis();
    document["app_state"]["parameters"]["block_txs_max"] = json!(1);
    http.post("/api/v1/chains", &document).await.expect(201);
    network::started(app.server.commands(), 1).await;
    let send = async |nonce| {
        let sent = body(&network::transfer(1, nonce, network::sender(2).address(), 1, 5));
        http.post("/api/v1/transactions", &sent).await.expect(200);
    };
    // A whole block waits, and nobody makes one.
    send(0).await;
    // What is known of the mempool may be a moment old.
    tokio::time::sleep(Duration::from_millis(50)).await;
    send(1).await;
    tokio::time::sleep(Duration::from_millis(2_100)).await;
    assert!(app.server.commands().is_behind());
    let began = Instant::now();
    futures::join!(send(2), send(3), send(4), send(5));
    assert!(began.elapsed() >= Duration::from_millis(400), "{:?}", began.elapsed());
    network::one_height(app.server.commands(), 1).await;
    network::started(app.server.commands(), 2).await;
    send(6).await;
    assert!(!app.server.commands().is_behind(), "a block came");
    app.stop().await;
}
