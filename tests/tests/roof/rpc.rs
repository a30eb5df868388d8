//! Our own chain as other people's programs read it: light clients, CosmJS, and who calls by hand.
//!
//! Does not know how the record is kept.

use commands::RequestContext;
use domain::{
    light::{SignedHeader, ValidatorSet},
    validator, validator_set,
    values::{Epoch, Power, PublicKey},
};
use reqwest::Method;
use serde_json::{Value, json};
use tendermint_light_client_verifier::Verdict;
use tests::{
    http::Http,
    light_client::{Made, verdict},
    network::{self, EPOCH_BLOCKS, as_admin, chain, sender, submit, transfer},
};

use super::{problem, send, start};

/// Heights that are made: several epochs, with another set from the second on.
const HEIGHTS: u64 = 3 * EPOCH_BLOCKS as u64;

/// What the RPC answers to a call.
async fn call(http: &Http, method: &str, params: Value) -> Value {
    let body = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let answer = http.post("/rpc", &body).await.expect(200);
    assert_eq!((&answer["jsonrpc"], &answer["id"]), (&json!("2.0"), &json!(7)), "{answer:#}");
    answer
}

async fn result(http: &Http, method: &str, params: Value) -> Value {
    let answer = call(http, method, params).await;
    assert!(answer["error"].is_null(), "{method}: {answer:#}");
    answer["result"].clone()
}

/// Makes a chain of several epochs, whose set changes after the first.
async fn make_chain(http: &Http, commands: &commands::Commands) {
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    for n in [1, 2] {
        let key = network::validator(n);
        for command in [key.register(&chain()), validator::Command::Activate {}] {
            let asked =
                commands.execute::<validator::Validator>(key.address(), command, as_admin());
            asked.await.unwrap();
        }
    }
    let first = network::height(1).epoch(EPOCH_BLOCKS).value();
    let rotate = validator_set::Command::Rotate { epoch: Epoch::new(first + 1).unwrap() };
    let context: RequestContext = as_admin();
    commands.execute::<validator_set::ValidatorSet>(chain(), rotate, context).await.unwrap();
    for number in 1..=HEIGHTS {
        network::started(commands, number).await;
        submit(commands, &transfer(1, number - 1, sender(2).address(), 100, 5)).await;
        network::one_height(commands, number).await;
        network::started(commands, number + 1).await;
    }
}

/// A height as the `tendermint` crate reads it from the RPC.
async fn read(http: &Http, height: u64) -> Made {
    let height = json!({"height": height.to_string()});
    let commit = result(http, "commit", height.clone()).await;
    let signed: tendermint::block::signed_header::SignedHeader =
        serde_json::from_value(commit["signed_header"].clone()).unwrap();
    Made { signed: SignedHeader::new(signed).unwrap(), set: set(http, height).await }
}

async fn set(http: &Http, height: Value) -> ValidatorSet {
    let page = result(http, "validators", height).await;
    assert_eq!(page["count"], page["total"]);
    let infos: Vec<tendermint::validator::Info> =
        serde_json::from_value(page["validators"].clone()).unwrap();
    let member = |info: &tendermint::validator::Info| {
        let key: [u8; 32] = info.pub_key.to_bytes().try_into().unwrap();
        (PublicKey::from_bytes(key).unwrap(), Power::new(info.power()).unwrap())
    };
    ValidatorSet::of(&infos.iter().map(member).collect::<Vec<_>>()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn light_clients_of_others_verify_every_height_by_what_the_rpc_tells() {
    let (app, http) = start().await;
    make_chain(&http, app.server.commands()).await;
    let mut heights = Vec::new();
    for height in 1..=HEIGHTS {
        heights.push(read(&http, height).await);
    }
    for (index, trusted) in heights.iter().enumerate() {
        // The next set is told as soon as its height has started.
        let next = set(&http, json!({"height": (index as u64 + 2).to_string()})).await;
        for untrusted in &heights[index + 1..] {
            assert_eq!(verdict(trusted, &next, untrusted), Verdict::Success);
        }
        let path = format!("/api/v1/chains/{}/light-blocks/{}", chain(), index + 1);
        let answer = http.get(&path).await;
        let light = domain::light::parse(&answer.expect(200).to_string()).unwrap().remove(0);
        assert_eq!(light.signed_header, trusted.signed, "height {}", index + 1);
        assert_eq!(light.validator_set.unwrap(), trusted.set);
    }
    assert_eq!(heights[0].set.count(), 4);
    assert_eq!(heights.last().unwrap().set.count(), 2);
    // What changes is told two heights before it takes effect.
    let changed = heights.iter().position(|made| made.set.count() == 2).unwrap() as u64 + 1;
    for height in 1..=HEIGHTS {
        let told = result(&http, "block_results", json!({"height": height.to_string()})).await;
        let updates = told["validator_updates"].as_array().unwrap();
        let expected = if height + 2 == changed { 2 } else { 0 };
        assert_eq!(updates.len(), expected, "height {height}: {told:#}");
        assert!(updates.iter().all(|update| update["power"] == "0"), "they left: {told:#}");
    }
    app.stop().await;
}

/// What CosmJS reads of our chain.
async fn cosmjs(url: String, hashes: Vec<String>) -> Value {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/cosmjs");
    let mut command = tokio::process::Command::new("node");
    command.arg("read.cjs").arg(url).args(hashes).current_dir(folder);
    let told = command.output().await.expect("node is there");
    let said = String::from_utf8_lossy(&told.stderr);
    assert!(told.status.success(), "{said} (make prepare installs what it needs)");
    serde_json::from_slice(&told.stdout).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn cosmjs_reads_the_chain_with_the_hashes_that_are_recorded() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    make_chain(&http, commands).await;
    let url = format!("http://{}/rpc", app.server.address());
    let sent: Vec<_> =
        (0..HEIGHTS).map(|nonce| transfer(1, nonce, sender(2).address(), 100, 5)).collect();
    let hashes = sent.iter().map(|transaction| transaction.hash().to_string()).collect();
    let told = cosmjs(url, hashes).await;
    assert_eq!(told["comet38"], true);
    assert_eq!((&told["chain"], &told["genesis"]), (&json!(chain()), &json!(chain())));
    assert_eq!(told["genesisValidators"], 4);
    let heights = told["heights"].as_array().unwrap();
    assert_eq!(heights.len() as u64, HEIGHTS);
    let mut last = Value::Null;
    for (number, height) in (1..).zip(heights) {
        let recorded = commands.final_block(&chain(), network::height(number)).await.unwrap();
        let recorded = recorded.unwrap();
        let header = &recorded.proposed.header;
        assert_eq!(height["height"], number, "{height:#}");
        assert_eq!(height["hash"], json!(header.hash()));
        assert_eq!(height["commits"], height["hash"]);
        assert_eq!((&height["last"], &height["lastCommit"]), (&last, &last), "{height:#}");
        assert_eq!(height["canonical"], number < HEIGHTS);
        assert_eq!(height["appHash"], json!(header.app_hash()));
        assert_eq!(height["proposer"], json!(recorded.proposed.proposer));
        let seats = recorded.started.members.iter();
        let seats: Vec<Value> =
            seats.map(|seat| json!([seat.address, seat.power.to_string()])).collect();
        assert_eq!(height["validators"], json!(seats));
        assert_eq!(height["signatures"], seats.len());
        let transaction = &sent[usize::try_from(number).unwrap() - 1];
        assert_eq!(height["txs"], json!([hex::encode_upper(transaction.bytes())]));
        assert_eq!(height["codes"], json!([0]));
        last = height["hash"].clone();
    }
    assert_eq!(told["newest"], last);
    for (number, (found, transaction)) in
        (1..).zip(told["txs"].as_array().unwrap().iter().zip(&sent))
    {
        assert_eq!(found["hash"], json!(transaction.hash()));
        assert_eq!(found["tx"], hex::encode_upper(transaction.bytes()));
        assert_eq!((&found["height"], &found["index"]), (&json!(number), &json!(0)));
        assert_eq!((&found["code"], &found["total"]), (&json!(0), &json!(1)));
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_cannot_be_answered_says_why() {
    let (app, http) = start().await;
    let none = call(&http, "status", Value::Null).await;
    assert_eq!(none["error"]["data"], "no chain of our own has begun here");
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    network::started(app.server.commands(), 1).await;
    let status = result(&http, "status", json!({})).await;
    assert_eq!(status["sync_info"]["latest_block_height"], "0");
    assert_eq!(result(&http, "health", json!([])).await, json!({}));
    for (method, params, code, words) in [
        ("commit", json!({"height": "5"}), -32_603, "no block is final yet"),
        ("commit", json!({"height": -1}), -32_602, "height must be a whole number"),
        ("commit", json!({"depth": 1}), -32_602, "depth is not taken by this method"),
        ("commit", json!(["5"]), -32_602, "by name"),
        ("validators", json!({"height": "9"}), -32_602, "height 9 has not started"),
        ("validators", json!({"page": 2}), -32_602, "there are 1 pages"),
        ("validators", json!({"per_page": 101}), -32_602, "must be 1 to 100"),
        ("tx", json!({"hash": "x"}), -32_602, "must be 32 bytes in base64"),
        ("tx", json!({"hash": "AA==", "prove": 1}), -32_602, "prove must be true or false"),
        ("tx", json!({}), -32_602, "hash must be given"),
        ("tx", json!({"hash": "0x".to_owned() + &"AB".repeat(32)}), -32_603, "final transaction"),
        ("broadcast_tx_sync", json!({"tx": "AA=="}), -32_601, "there is no"),
    ] {
        let answer = call(&http, method, params.clone()).await;
        assert_eq!(answer["error"]["code"], code, "{method} {params}: {answer:#}");
        let data = answer["error"]["data"].as_str().unwrap();
        assert!(data.contains(words), "{method} {params}: {data}");
    }
    let many = json!(vec![json!({"id": 1, "method": "health"}); 21]);
    let answer = http.post("/rpc", &many).await.expect(200);
    assert_eq!(answer["error"]["code"], -32_600, "{answer:#}");
    let two = json!([{"id": 1, "method": "health"}, {"id": "b"}]);
    let answer = http.post("/rpc", &two).await.expect(200);
    assert_eq!((&answer[0]["result"], &answer[1]["error"]["code"]), (&json!({}), &json!(-32_600)));
    let broken = http.request(Method::POST, "/rpc").header("content-type", "application/json");
    let answer = send(broken.body("{")).await.expect(200);
    assert_eq!(answer["error"]["code"], -32_700, "{answer:#}");
    // By hand, what is wrong is a problem.
    assert_eq!(http.get("/rpc/health").await.expect(200)["result"], json!({}));
    let page = http.get("/rpc/validators?height=%221%22&per_page=3").await.expect(200);
    assert_eq!((&page["result"]["count"], &page["result"]["total"]), (&json!("3"), &json!("4")));
    assert_eq!(problem(&http.get("/rpc/validators?height=x").await), "invalid-parameter");
    assert_eq!(problem(&http.get("/rpc/nothing").await), "not-found");
    app.stop().await;
}
