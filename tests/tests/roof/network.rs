//! What happens on our own chain, asked over REST.
//!
//! Does not know how a read model is made: what was sent and agreed on is found again.

use domain::transaction::{Payload, Transaction};
use serde_json::{Value, json};
use tests::{
    http::Http,
    network::{self, BALANCE, chain, sender, submit, transfer},
    socket::Socket,
};

use super::{faults, problem, start};

const DIGEST: &str = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855";

fn anchor(n: u64, nonce: u64) -> Transaction {
    let payload = Payload::Anchor {
        algorithm: "sha-256".parse().unwrap(),
        digest: DIGEST.parse().unwrap(),
        label: "the empty document".to_owned().try_into().unwrap(),
    };
    network::signed(&sender(n), nonce, 9, payload)
}

/// One item, once the read models show the log as it is now.
async fn now(http: &Http, path: &str, head: u64) -> Value {
    let request = http.request(reqwest::Method::GET, path).header("min-position", head);
    let answer = super::send(request).await;
    assert_eq!(answer.status, 200, "{path}: {:#}", answer.body);
    answer.body
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_and_agreed_on_is_found_by_whatever_names_it() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    network::started(commands, 1).await;
    let (paid, noted) = (transfer(1, 0, sender(2).address(), 100, 5), anchor(2, 0));
    submit(commands, &paid).await;
    submit(commands, &noted).await;
    let block = network::one_height(commands, 1).await;
    network::started(commands, 2).await;
    // Two that wait: one may be in the next block, one is too early.
    let (next, early) = (transfer(1, 1, sender(3).address(), 7, 5), anchor(2, 4));
    submit(commands, &next).await;
    submit(commands, &early).await;
    let head = commands.store().head().await.unwrap().position;
    let hash = block.header.hash();

    let found = now(&http, &format!("/api/v1/transactions/{}", paid.hash()), head).await;
    assert_eq!((&found["state"], &found["height"]), (&json!("final"), &json!("1")), "{found:#}");
    assert_eq!(found["block_hash"], json!(hash));
    assert_eq!(found["transaction"], serde_json::to_value(&paid).unwrap());
    let found = now(&http, &format!("/api/v1/transactions/{}", early.hash()), head).await;
    assert_eq!((&found["state"], &found["height"]), (&json!("queued"), &Value::Null));
    let waiting = now(&http, "/api/v1/mempool/transactions", head).await;
    let states: Vec<&Value> =
        waiting["items"].as_array().unwrap().iter().map(|item| &item["state"]).collect();
    assert_eq!(states.len(), 2, "{waiting:#}");
    assert!(states.contains(&&json!("pending")) && states.contains(&&json!("queued")));
    let mempool = now(&http, "/api/v1/mempool", head).await;
    assert_eq!((&mempool["transactions"], &mempool["senders"]), (&json!("2"), &json!("2")));

    let one = sender(1).address();
    let account = now(&http, &format!("/api/v1/accounts/{one}"), head).await;
    assert_eq!(
        (&account["balance"], &account["nonce"]),
        (&json!((BALANCE - 105).to_string()), &json!("1"))
    );
    let of_one = now(&http, &format!("/api/v1/accounts/{one}/transactions"), head).await;
    assert_eq!(of_one["items"].as_array().unwrap().len(), 2);
    let of_two = format!("/api/v1/accounts/{}/transactions?kind=transfer", sender(2).address());
    let of_two = now(&http, &of_two, head).await;
    assert_eq!(of_two["items"][0]["hash"], json!(paid.hash()), "received: {of_two:#}");
    let accounts = now(&http, "/api/v1/accounts?first=2", head).await;
    assert_eq!(accounts["page"]["has_next"], true);

    let found = now(&http, &format!("/api/v1/anchors/{DIGEST}"), head).await;
    assert_eq!((&found["transaction"], &found["revoked"]), (&json!(noted.hash()), &Value::Null));
    let owned = format!("/api/v1/anchors?owner={}", sender(2).address());
    assert_eq!(now(&http, &owned, head).await["items"][0], found);

    let told = now(&http, &format!("/api/v1/blocks/{hash}"), head).await;
    assert_eq!((&told["state"], &told["transactions"]), (&json!("final"), &json!(2)));
    assert_eq!((&told["failed"], &told["fees"]), (&json!(0), &json!("14")));
    let at = now(&http, &format!("/api/v1/chains/{}/blocks/1", chain()), head).await;
    assert_eq!(at, told);
    let held = now(&http, &format!("/api/v1/blocks/{hash}/transactions?first=1"), head).await;
    assert_eq!((&held["items"][0]["place"], &held["page"]["has_next"]), (&json!(0), &json!(true)));
    let blocks = now(&http, "/api/v1/blocks?state=final", head).await;
    assert_eq!(blocks["items"], json!([told]));
    let finality = now(&http, &format!("/api/v1/chains/{}/finality?last=5", chain()), head).await;
    assert_eq!((&finality["blocks"], &finality["transactions"]), (&json!(1), &json!("2")));
    assert!(finality["p95_ms"].as_f64().unwrap() > 0.0);

    let height = now(&http, &format!("/api/v1/heights/{}-1", chain()), head).await;
    assert_eq!((&height["block_hash"], &height["committed_round"]), (&json!(hash), &json!(0)));
    assert_eq!(height["votes"].as_array().unwrap().len(), 8, "{height:#}");
    assert_eq!(height["rounds"][0]["polka"], true);
    let heights = now(&http, &format!("/api/v1/chains/{}/heights", chain()), head).await;
    assert_eq!(heights["items"].as_array().unwrap().len(), 2);
    let board = now(&http, &format!("/api/v1/chains/{}/leaderboard", chain()), head).await;
    let board = board["items"].as_array().unwrap();
    assert_eq!(board.len(), 4);
    assert!(board.iter().all(|one| one["missed"] == 0), "{board:#?}");
    assert_eq!(board.iter().filter(|one| one["proposed"] == 1).count(), 1);

    for (text, kinds) in [
        (hash.to_string(), vec!["block"]),
        (paid.hash().to_string().to_lowercase(), vec!["transaction"]),
        (DIGEST.to_owned(), vec!["anchor"]),
        (one.to_string(), vec!["account"]),
        (chain().to_string(), vec!["chain"]),
        ("1".to_owned(), vec!["block"]),
        ("nothing%20at%20all".to_owned(), vec![]),
    ] {
        let found = now(&http, &format!("/api/v1/search?q={text}"), head).await;
        let items = found["items"].as_array().unwrap();
        let is: Vec<&str> = items.iter().map(|item| item["kind"].as_str().unwrap()).collect();
        assert_eq!(is, kinds, "{text}");
        for item in items {
            http.get(item["path"].as_str().unwrap()).await.expect(200);
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_there_or_asked_wrongly_is_said() {
    let (app, http) = start().await;
    let hash = "00".repeat(32).to_uppercase();
    for path in [
        format!("/api/v1/transactions/{hash}"),
        format!("/api/v1/blocks/{hash}"),
        format!("/api/v1/blocks/{hash}/transactions"),
        format!("/api/v1/anchors/{hash}"),
        format!("/api/v1/accounts/{}", "00".repeat(20)),
        "/api/v1/chains/no-chain/blocks/1".to_owned(),
        "/api/v1/heights/no-chain-1".to_owned(),
    ] {
        let answer = http.get(&path).await;
        assert_eq!((answer.status, problem(&answer).as_str()), (404, "not-found"), "{path}");
    }
    for (path, wrong) in [
        ("/api/v1/transactions?kind=gift&sender=x", vec!["kind", "sender"]),
        ("/api/v1/blocks?state=lost", vec!["state"]),
        ("/api/v1/anchors?digest=zz", vec!["digest"]),
        ("/api/v1/search", vec!["q"]),
        ("/api/v1/chains/a/finality?last=0", vec!["last"]),
        ("/api/v1/chains/a/leaderboard?last=1001", vec!["last"]),
        ("/api/v1/heights/x", vec!["chain_height"]),
        ("/api/v1/mempool/transactions?after=x", vec!["after"]),
    ] {
        let answer = http.get(path).await;
        assert_eq!(
            (answer.status, faults(&answer)),
            (400, wrong.iter().map(ToString::to_string).collect()),
            "{path}"
        );
    }
    // An address that only was written to, and never paid, is none.
    assert!(http.get("/api/v1/mempool").await.expect(200)["oldest_at"].is_null());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_is_found_over_graphql_and_followed_as_it_happens() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    network::started(commands, 1).await;
    let mut socket = Socket::ready(&app.server.address().to_string(), None).await;
    let blocks = format!(
        "subscription {{ blockApplied(chainId: \"{}\", after: 0) {{
            block {{ hash height state appliedAt }} }} }}",
        chain()
    );
    socket.subscribe("b", &blocks, json!({})).await;
    let (paid, noted) = (transfer(1, 0, sender(2).address(), 100, 5), anchor(2, 0));
    let mut sent = Socket::ready(&app.server.address().to_string(), None).await;
    let follow = "subscription($of: Address!) { transactionChanged(sender: $of, after: 0) {
        type transaction { hash state } } }";
    sent.subscribe("t", follow, json!({"of": sender(1).address()})).await;
    submit(commands, &paid).await;
    let told = sent.message().await["payload"]["data"]["transactionChanged"].clone();
    assert_eq!(told["type"], "transaction-accepted.v1", "{told:#}");
    assert_eq!(told["transaction"], json!({"hash": paid.hash(), "state": "PENDING"}));
    submit(commands, &noted).await;
    let block = network::one_height(commands, 1).await;
    let told = socket.message().await["payload"]["data"]["blockApplied"]["block"].clone();
    assert_eq!((&told["hash"], &told["height"]), (&json!(block.header.hash()), &json!("1")));
    assert_eq!(told["state"], "FINAL");
    assert!(told["appliedAt"].is_string());
    network::started(commands, 2).await;
    let head = commands.store().head().await.unwrap().position;
    let query =
        "query($chain: ChainId!, $hash: Hash!, $digest: Digest!, $of: Address!, $at: Position) {
        transaction(hash: $hash, minPosition: $at) {
            id state fee height place signed block { hash proposer transactions } }
        transactions(account: $of, minPosition: $at) { nodes { hash kind } }
        mempool(minPosition: $at) { transactions bytes oldestAt }
        mempoolTransactions { nodes { hash } }
        account(address: $of, minPosition: $at) { balance nonce stakes { kind } }
        accounts(first: 1, minPosition: $at) { nodes { address } pageInfo { hasNextPage } }
        anchor(digest: $digest, minPosition: $at) {
            label owner transaction { state block { height } } }
        anchors(owner: $of) { nodes { label } }
        block(chainId: $chain, height: \"1\", minPosition: $at) {
            id hash fees failed proposerValidator { moniker } }
        blocks(chainId: $chain, state: FINAL) { nodes { height round } }
        finality(chainId: $chain, last: 10) { blocks p50Ms transactions }
        consensusHeight(chainId: $chain, height: \"1\", minPosition: $at) {
            height { tookMs block { hash } } rounds { round polka failed }
            votes { type validator blockHash } equivocations { kind } }
        consensusHeights(chainId: $chain) { nodes { height committedRound } }
        leaderboard(chainId: $chain) { address signed missed proposed validator { moniker } }
        search(q: $digest) { kind path } }";
    // (GraphQL has one type for a text to search, and one for a digest.)
    let query = query.replace("search(q: $digest)", &format!("search(q: \"{DIGEST}\")"));
    let asked = json!({
        "chain": chain(), "hash": paid.hash(), "digest": DIGEST, "of": sender(1).address(),
        "at": head,
    });
    let data = http.graphql(&query, asked).await;
    let hash = block.header.hash();
    assert_eq!(data["transaction"]["state"], "FINAL", "{data:#}");
    assert_eq!(data["transaction"]["signed"], serde_json::to_value(&paid).unwrap());
    assert_eq!(data["transaction"]["block"]["hash"], json!(hash));
    assert_eq!(data["transactions"]["nodes"], json!([{"hash": paid.hash(), "kind": "transfer"}]));
    assert_eq!(data["mempool"], json!({"transactions": "0", "bytes": "0", "oldestAt": null}));
    assert_eq!(data["account"]["balance"], (BALANCE - 105).to_string());
    assert_eq!(data["accounts"]["pageInfo"]["hasNextPage"], true);
    assert_eq!(data["anchor"]["owner"], json!(sender(2).address()));
    assert_eq!(data["anchor"]["transaction"]["block"]["height"], "1");
    assert_eq!(data["block"]["hash"], json!(hash));
    assert_eq!(data["blocks"]["nodes"], json!([{"height": "1", "round": 0}]));
    assert_eq!(
        (&data["finality"]["blocks"], &data["finality"]["transactions"]),
        (&json!(1), &json!("2"))
    );
    assert_eq!(data["consensusHeight"]["height"]["block"]["hash"], json!(hash));
    assert_eq!(data["consensusHeight"]["votes"].as_array().unwrap().len(), 8);
    assert_eq!(data["consensusHeights"]["nodes"][1]["committedRound"], 0);
    assert_eq!(data["leaderboard"].as_array().unwrap().len(), 4);
    assert_eq!(data["search"][0]["kind"], "anchor");
    for node in ["transaction", "block"] {
        let id = &data[node]["id"];
        let found =
            http.graphql("query($id: ID!) { node(id: $id) { id } }", json!({"id": id})).await;
        assert_eq!(found["node"]["id"], *id);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_say_how_far_they_are_and_a_parked_one_is_resumed() {
    let (app, http) = start().await;
    let store = app.server.commands().store();
    let told = http.get("/api/v1/processes").await.expect(200);
    let names: Vec<&str> =
        told["items"].as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect();
    assert_eq!(
        names,
        [
            "block-finality",
            "configuration-rollout",
            "epoch-close",
            "eviction",
            "penalty",
            "protocol-parameters",
            "validator-registration",
            "state-pruning"
        ]
    );
    let path = "/api/v1/processes/state-pruning";
    assert!(http.get(path).await.expect(200)["parked"].is_null());
    let not_parked = http.post(&format!("{path}/resume"), &Value::Null).await;
    assert_eq!((not_parked.status, problem(&not_parked).as_str()), (409, "conflict"));
    store.park("state-pruning", 7, "the disk is full").await.unwrap();
    let parked = http.get(path).await.expect(200)["parked"].clone();
    assert_eq!(
        (&parked["position"], &parked["because"]),
        (&json!("7"), &json!("the disk is full"))
    );
    let over = http.graphql("{ processes { name lagEvents parked { because since } } }", json!({}));
    let over = over.await["processes"].clone();
    let pruning = over.as_array().unwrap().iter().find(|one| one["name"] == "state-pruning");
    assert_eq!(pruning.unwrap()["parked"]["because"], "the disk is full");
    let resumed = http.post(&format!("{path}/resume"), &Value::Null).await.expect(200);
    assert!(resumed["parked"].is_null(), "{resumed:#}");
    let unknown = http.get("/api/v1/processes/nothing").await;
    assert_eq!((unknown.status, problem(&unknown).as_str()), (404, "not-found"));
    assert_eq!(unknown.body["known"].as_array().unwrap().len(), names.len());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_process_did_is_told_step_by_step() {
    let (app, http) = start().await;
    http.post("/api/v1/chains", &network::genesis()).await.expect(201);
    for number in 1..=2 {
        network::one_height(app.server.commands(), number).await;
    }
    network::started(app.server.commands(), 3).await;
    let head = app.server.commands().store().head().await.unwrap().position;
    let path = "/api/v1/processes/block-finality/runs";
    let runs = now(&http, &format!("{path}?sort=oldest&first=2"), head).await;
    let steps = |run: &Value| -> Vec<String> {
        let steps = run["steps"].as_array().unwrap().iter();
        steps.map(|step| step["type"].as_str().unwrap().to_owned()).collect()
    };
    // The chain began, and its first height started; then that height's block was agreed on.
    let begun = ["height-started.v1", "round-started.v1"].map(String::from);
    assert_eq!(steps(&runs["items"][0]), begun);
    let second = &runs["items"][1];
    let expected = ["block-finalized.v1", "block-applied.v1"].map(String::from);
    assert_eq!(steps(second), [expected, begun].concat());
    assert_eq!(second["steps_count"], json!("4"));
    let cause = second["cause"].as_str().unwrap();
    let one = now(&http, &format!("{path}/{cause}"), head).await;
    assert_eq!(one, *second);
    // As of each of its steps it was what it had done by then.
    for (nth, step) in second["steps"].as_array().unwrap().iter().enumerate() {
        let position = step["position"].as_str().unwrap();
        let then = http.get(&format!("{path}/{cause}?as_of={position}")).await.expect(200);
        assert_eq!(
            then["steps"].as_array().unwrap()[..],
            second["steps"].as_array().unwrap()[..=nth]
        );
        assert_eq!(
            (&then["steps_count"], &then["last_at"]),
            (&json!((nth + 1).to_string()), &step["at"])
        );
        let query = "query($cause: String!, $then: AsOf!) { \
            processRun(process: \"block-finality\", cause: $cause, asOf: $then) { stepsCount } }";
        let told = http.graphql(query, json!({"cause": cause, "then": position})).await;
        assert_eq!(told["processRun"]["stepsCount"], then["steps_count"]);
    }
    let before = second["started_position"].as_str().unwrap().parse::<u64>().unwrap() - 1;
    assert_eq!(http.get(&format!("{path}/{cause}?as_of={before}")).await.status, 404);
    // Its cause is the event that it says, of the same story.
    let position = second["started_position"].as_str().unwrap();
    let first = http.get(&format!("/api/v1/events/{position}")).await.expect(200);
    assert_eq!(first["record"]["causation"], second["cause"]);
    let next = runs["page"]["next"].as_str().unwrap();
    let more = now(&http, &format!("{path}?sort=oldest&first=2&after={next}"), head).await;
    assert_ne!(more["items"][0]["cause"], second["cause"]);
    let told = http
        .graphql(
            "query($cause: String!) { \
               processRun(process: \"block-finality\", cause: $cause) { steps { type position } } \
               processRuns(process: \"block-finality\", sort: OLDEST, first: 2) { \
                 nodes { cause stepsCount } } }",
            json!({"cause": cause}),
        )
        .await;
    assert_eq!(told["processRun"]["steps"][1]["type"], "block-applied.v1");
    assert_eq!(told["processRuns"]["nodes"][1], json!({"cause": cause, "stepsCount": "4"}));
    for (path, status) in [
        (format!("{path}/{}", "019236c1-5b9e-7cc3-98c4-dc0c0c07398f"), 404),
        (format!("{path}/7"), 400),
        (format!("{path}?first=0"), 400),
        ("/api/v1/processes/nothing/runs".to_owned(), 404),
    ] {
        assert_eq!(http.get(&path).await.status, status, "{path}");
    }
    app.stop().await;
}
