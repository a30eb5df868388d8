//! The program without a network: what it says when something is missing, and a registration.

use std::fs;

use domain::values::Address;
use reqwest::Method;
use serde_json::json;
use tests::{
    http::Http,
    member::Home,
    network,
    node0::{self, TOKEN, complaint, lines, run},
};

use super::Net;

#[test]
fn what_is_missing_or_wrong_is_told_with_the_exit_code_for_it() {
    let folder = std::env::temp_dir().join(format!("node0-alone-{}", std::process::id()));
    let home = Home::made(&folder, &network::validator(1), TOKEN);
    let nobody = "http://127.0.0.1:9";
    let unreachable = run(home.arguments(nobody));
    assert_eq!(unreachable.status.code(), Some(3));
    assert!(complaint(&unreachable).contains("No server answers"), "{}", complaint(&unreachable));
    let wrong = run(home.arguments("ftp://127.0.0.1"));
    assert_eq!(wrong.status.code(), Some(2), "{}", complaint(&wrong));
    let key = fs::read_to_string(home.key()).unwrap();
    fs::write(home.key(), key.replace("PrivKeyEd25519", "PrivKeySecp256k1")).unwrap();
    let wrong = run(home.arguments(nobody));
    assert_eq!(wrong.status.code(), Some(1));
    assert!(complaint(&wrong).contains("not of the form"), "{}", complaint(&wrong));
    fs::write(home.key(), "{\"address\": 7, \"secret\": \"hush\"").unwrap();
    let wrong = run(home.arguments(nobody));
    assert!(!complaint(&wrong).contains("hush"), "a secret is never told");
    fs::remove_file(home.token()).unwrap();
    assert_eq!(run(home.arguments(nobody)).status.code(), Some(2));
    fs::remove_dir_all(&folder).unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_is_registered_with_a_proof_of_its_own_and_only_once() {
    let net = Net::begun().await;
    let home = &net.homes[&1];
    let (key, token) = (home.key(), home.token());
    let (key, token) = (key.to_str().unwrap(), token.to_str().unwrap());
    let server = net.address();
    // Which chain is the server's own, a read model tells.
    let wait = net.server().http().request(Method::GET, "/api/v1/chains");
    let head = net.commands.store().head().await.unwrap().position;
    Http::send(wait.header("min-position", head)).await.unwrap().expect(200);
    let words = [
        "validator",
        "register",
        "--json",
        "--server",
        &server,
        "--token-file",
        token,
        "--key",
        key,
        "--moniker",
        "first",
        "--commission-bps",
        "500",
        "--bond",
        "10000000",
    ];
    let done = run(words);
    assert_eq!(done.status.code(), Some(0), "{}", complaint(&done));
    let address: Address = network::validator(1).address();
    assert_eq!(lines(&done)[0]["address"], json!(address));
    let path = format!("/api/v1/streams/validator-{address}");
    let stream = net.server().http().get(&path).await.expect(200);
    let registered = &stream["items"][0]["record"];
    assert_eq!(registered["type"], "validator-registered.v1");
    assert_eq!(registered["data"]["moniker"], "first");
    assert_eq!(registered["data"]["chain_id"], json!(network::chain()));
    let again = run(words);
    assert_eq!(again.status.code(), Some(1));
    assert!(node0::complaint(&again).contains("the server says 422"), "{}", complaint(&again));
    net.stop().await;
}
