//! Real documents in a real amount: each transaction of bitcoin's block 702861 is anchored by its
//! id, becomes final, and is found again by it.
//!
//! Knows of bitcoin only what names a transaction.

use std::{collections::BTreeSet, ops::ControlFlow};

use bitcoin_slices::{Visit as _, Visitor, bsl};
use domain::{
    transaction::{Payload, Transaction},
    values::Digest,
};
use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use tests::{
    http::Http,
    network::{self, SENDERS, sender, signed},
};

use super::start;

/// How many transactions that block has.
const ANCHORS: usize = 2_500;
/// How many are sent at once, and how many are asked for at once over GraphQL.
const BATCH: usize = 500;
const ASKED: usize = 25;

/// The ids of a block's transactions, in the order in which they are written down.
#[derive(Default)]
struct Ids(Vec<[u8; 32]>);

impl Visitor for Ids {
    fn visit_transaction(&mut self, transaction: &bsl::Transaction<'_>) -> ControlFlow<()> {
        let (version, body, locktime) = transaction.txid_preimage();
        let once = Sha256::new().chain_update(version).chain_update(body).chain_update(locktime);
        let mut id: [u8; 32] = Sha256::digest(once.finalize()).into();
        id.reverse();
        self.0.push(id);
        ControlFlow::Continue(())
    }
}

fn ids() -> Vec<[u8; 32]> {
    let mut ids = Ids::default();
    let block = bitcoin_test_data::blocks::mainnet_702861();
    bsl::Block::visit(block, &mut ids).expect("a block");
    ids.0
}

fn anchor(nth: u64, id: [u8; 32]) -> Transaction {
    let (from, nonce) = (nth % SENDERS + 1, nth / SENDERS);
    let payload = Payload::Anchor {
        algorithm: "sha-256d".parse().unwrap(),
        digest: Digest::from_bytes(id.to_vec()).unwrap(),
        label: format!("bitcoin 702861/{nth}").try_into().unwrap(),
    };
    signed(&sender(from), nonce, 1, payload)
}

async fn send(http: &Http, anchors: &[Transaction]) {
    let answer = http.post("/api/v1/transactions", &json!(anchors)).await.expect(200);
    for item in answer["items"].as_array().unwrap() {
        assert_eq!(item["status"], 200, "{item:#}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_transaction_of_a_bitcoin_block_is_anchored_final_and_found_by_its_id() {
    let ids = ids();
    assert_eq!(ids.len(), ANCHORS);
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ANCHORS);
    let (app, http) = start().await;
    let commands = app.server.commands();
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    let anchors: Vec<Transaction> = (0..).zip(&ids).map(|(nth, id)| anchor(nth, *id)).collect();
    let (mut number, mut held) = (1, 0);
    for some in anchors.chunks(BATCH) {
        send(&http, some).await;
        held += network::one_height(commands, number).await.body.transactions.len();
        number += 1;
        network::started(commands, number).await;
    }
    assert_eq!(held, ANCHORS);
    let head = commands.store().head().await.unwrap().position;
    let waited = http.request(Method::GET, "/api/v1/anchors?first=1").header("min-position", head);
    super::send(waited).await.expect(200);
    for (anchors, ids) in anchors.chunks(ASKED).zip(ids.chunks(ASKED)) {
        let mut query = String::new();
        for (nth, (anchor, id)) in anchors.iter().zip(ids).enumerate() {
            let digest = hex::encode_upper(id);
            let found = http.get(&format!("/api/v1/anchors/{digest}")).await.expect(200);
            assert_eq!(found["transaction"], json!(anchor.hash()), "{digest}");
            query += &format!(
                "a{nth}: anchor(digest: \"{digest}\") {{ label transaction {{ hash state }} }} "
            );
        }
        let data = http.graphql(&format!("{{ {query} }}"), json!({})).await;
        for (nth, anchor) in anchors.iter().enumerate() {
            let found: &Value = &data[format!("a{nth}")];
            let Payload::Anchor { label, .. } = &anchor.envelope().payload else { unreachable!() };
            assert_eq!(found["label"], json!(label));
            assert_eq!(found["transaction"], json!({"hash": anchor.hash(), "state": "FINAL"}));
        }
    }
    app.stop().await;
}
