//! Nodes: announced, connected while they are heard of, kept out, and torn apart.

use commands::Role;
use serde_json::{Value, json};
use tests::{app::TestApp, http::Http, keys::ValidatorKey};

use super::{CHAIN, problem, register, shown, start};

fn node(n: u64) -> String {
    format!("/api/v1/peers/{}", ValidatorKey::number(n).address()).to_ascii_lowercase()
}

/// The client of the n-th validator.
async fn service(http: &Http, n: u64) -> Http {
    let name = format!("validator-{}", ValidatorKey::number(n).address()).to_ascii_lowercase();
    http.service(&name, Role::Validator).await
}

async fn connect(http: &Http, n: u64) {
    let address = ValidatorKey::number(n).address();
    let body = json!({"address": "10.0.0.1:26656", "chain_id": CHAIN, "validator": address});
    http.post(&format!("{}/announce", node(n)), &body).await.expect(200);
    http.post(&format!("{}/connect", node(n)), &json!({})).await.expect(200);
}

/// Waits until a node is this.
async fn until(http: &Http, n: u64, standing: &str) -> Value {
    shown(http, &node(n), |seen| seen["standing"] == standing).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_announces_its_own_node_and_no_other() {
    let (app, admin) = start().await;
    register(&admin, 1..=2).await;
    let one = service(&admin, 1).await;
    let theirs = json!({"address": "10.0.0.1:26656", "chain_id": CHAIN});
    let refused = one.post(&format!("{}/announce", node(2)), &theirs).await;
    assert_eq!(problem(&refused), "not-permitted");
    let refused = one.post("/api/v1/peers/observer1/announce", &theirs).await;
    assert_eq!(problem(&refused), "not-permitted");
    let other = ValidatorKey::number(2).address();
    let as_other = json!({"address": "10.0.0.1:26656", "chain_id": CHAIN, "validator": other});
    let refused = one.post(&format!("{}/announce", node(1)), &as_other).await;
    assert_eq!(refused.body["refusal"]["code"], "validator-unknown");
    connect(&one, 1).await;
    let seen = until(&admin, 1, "connected").await;
    assert_eq!(seen["address"], "10.0.0.1:26656");
    let ban = json!({"reason": "floods"});
    let refused = one.post(&format!("{}/ban", node(1)), &ban).await;
    assert_eq!(problem(&refused), "not-permitted");
    admin.post(&format!("{}/ban", node(1)), &ban).await.expect(200);
    let refused = one.post(&format!("{}/connect", node(1)), &json!({})).await;
    assert_eq!(refused.body["refusal"]["code"], "banned");
    let seen = until(&admin, 1, "banned").await;
    assert_eq!(
        (&seen["ban"]["reason"], &seen["connected_since"]),
        (&json!("floods"), &Value::Null)
    );
    admin.post(&format!("{}/unban", node(1)), &json!({})).await.expect(200);
    connect(&one, 1).await;
    until(&admin, 1, "connected").await;
    let of_chain = admin.get(&format!("/api/v1/peers?chain={CHAIN}&standing=connected")).await;
    assert_eq!(of_chain.expect(200)["items"].as_array().unwrap().len(), 1);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_falls_silent_is_disconnected_and_comes_back() {
    let app = TestApp::start_with(&[("monitor_ms", "100")]).await;
    let admin = app.http();
    register(&admin, 1..=1).await;
    let watch = "/api/v1/settings/network.peer_watch";
    let value = json!({"peer_stale_ms": 1_000});
    admin
        .post(&format!("{watch}/propose"), &json!({"reason": "test", "value": value}))
        .await
        .expect(200);
    admin.post(&format!("{watch}/approve"), &json!({"proposal": 1})).await.expect(200);
    connect(&admin, 1).await;
    let refused = admin.post(&format!("{}/disconnect", node(1)), &json!({"reason": "stale"})).await;
    assert_eq!(refused.body["refusal"]["code"], "not-stale");
    let seen = until(&admin, 1, "disconnected").await;
    assert_eq!(seen["departure"], "stale");
    let beat =
        json!({"height": "1", "mempool": 0, "round": 0, "step": "propose", "version": "0.1.0"});
    let address = ValidatorKey::number(1).address();
    admin.post(&format!("/api/v1/validators/{address}/heartbeat"), &beat).await.expect(200);
    until(&admin, 1, "connected").await;
    until(&admin, 1, "disconnected").await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_network_torn_apart_is_reported_with_the_power_of_its_parts() {
    let (app, admin) = start().await;
    register(&admin, 1..=3).await;
    for n in 1..=3 {
        let address = ValidatorKey::number(n).address();
        let activate = format!("/api/v1/validators/{address}/activate");
        let activated = admin.post(&activate, &json!({})).await;
        assert!(activated.status == 200 || n == 3, "{:#}", activated.body);
        connect(&admin, n).await;
    }
    let id = |n: u64| ValidatorKey::number(n).address().to_string().to_ascii_lowercase();
    let path = format!("/api/v1/partitions/{CHAIN}");
    let groups = json!({"groups": [[id(1), id(2)], [id(3)]]});
    let reported = admin.post(&format!("{path}/report-partition"), &groups).await.expect(200);
    let data = &reported["events"][0]["data"];
    assert_eq!((&data["number"], &data["quorum"]), (&json!(1), &json!(true)), "{data:#}");
    let unknown = json!({"groups": [[id(1)], ["stranger"]]});
    let refused = admin.post(&format!("{path}/report-partition"), &unknown).await;
    assert_eq!(refused.body["refusal"]["code"], "peer-not-connected");
    let beat = json!({"height": "7", "latency_ms": 3, "mempool": 0, "received_bytes": 900, "round": 0,
        "step": "propose", "version": "0.1.0"});
    let one = ValidatorKey::number(1).address();
    admin.post(&format!("/api/v1/validators/{one}/heartbeat"), &beat).await.expect(200);
    // Names and power are other read models' than the partition: this waits for all of them.
    let query = format!(
        "{{ topology(chainId: \"{CHAIN}\", minPosition: \"{}\") {{ connectedPower knownPower \
        nodes {{ peer group heartbeat {{ height receivedBytes }} }} partition {{ quorum }} }} }}",
        reported["position"]
    );
    let told = admin.graphql(&query, json!({})).await;
    let topology = format!("/api/v1/chains/{CHAIN}/topology");
    let seen = shown(&admin, &topology, |seen| !seen["partition"].is_null()).await;
    let nodes = seen["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 3, "{seen:#}");
    for node in nodes {
        let group = usize::try_from(node["group"].as_u64().unwrap()).unwrap();
        let group = seen["partition"]["groups"][group]["peers"].as_array().unwrap();
        assert!(group.contains(&node["peer"]), "{seen:#}");
        assert_eq!(group.len(), if node["peer"] == id(3) { 1 } else { 2 });
        assert_eq!((&node["standing"], node["moniker"].is_string()), (&json!("connected"), true));
        let heard = node["peer"] == id(1);
        assert_eq!(node["heartbeat"]["latency_ms"].is_number(), heard, "{node:#}");
    }
    let total = &seen["partition"]["total_power"];
    assert_eq!(&told["topology"]["connectedPower"], total, "{told:#}");
    assert_eq!(told["topology"]["nodes"].as_array().unwrap().len(), 3);
    admin.post(&format!("{path}/heal-partition"), &json!({})).await.expect(200);
    shown(&admin, &topology, |seen| seen["partition"].is_null()).await;
    let again = admin.post(&format!("{path}/heal-partition"), &json!({})).await;
    assert_eq!(again.body["refusal"]["code"], "not-partitioned");
    let seen =
        shown(&admin, &path, |seen| !seen["healed_at"].is_null() && seen["number"] == 1).await;
    let groups = seen["groups"].as_array().unwrap();
    let sizes: usize = groups.iter().map(|group| group["peers"].as_array().unwrap().len()).sum();
    assert_eq!((groups.len(), sizes), (2, 3), "{seen:#}");
    app.stop().await;
}
