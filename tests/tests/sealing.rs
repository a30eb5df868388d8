//! The published log: it grows with the log, proves it to anybody, and signs nothing that does not
//! go on from what was signed before, whatever is killed, lost or put back.

mod archived;
mod audited;
mod bucket;
mod erased;
mod exported;
mod judges;
mod restored;
mod resumed;
mod tampered;
mod witnessed;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::{MASTER_KEY, SETUP_EVENTS, TestApp},
    campaign,
    http::{Answer, Http},
    node0::{Node0, complaint, lines, run},
    own_cluster::OwnCluster,
};

/// How long something may take that takes a second.
const PATIENCE: Duration = Duration::from_secs(20);

/// Where a server publishes by itself.
fn published(own: &OwnCluster) -> PathBuf {
    own.folder().join("log")
}

/// By what a server's checkpoints are verified: the key in force.
fn key(own: &OwnCluster) -> String {
    keys(own, "keys").remove(0)
}

/// The keys of a data folder after a verb of `node0 seal`.
fn keys(own: &OwnCluster, verb: &str) -> Vec<String> {
    let output = run(["seal", verb, "--json", "--data", text(own.folder())]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let keys = lines(&output)[0]["keys"].as_array().unwrap().clone();
    keys.iter().map(|key| key.as_str().unwrap().to_owned()).collect()
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// Creates a flag with this number; the answer.
async fn flag(http: &Http, number: usize) -> Answer {
    let path = format!("/api/v1/flags/flag_{number}/create-flag");
    http.post(&path, &json!({ "description": "something" })).await
}

/// As many events more; the position of the last.
async fn grow(http: &Http, from: usize, count: usize) -> u64 {
    let mut last = 0;
    for number in from..from + count {
        last = flag(http, number).await.expect(200)["position"].as_u64().unwrap();
    }
    last
}

/// Waits until what is published satisfies.
async fn until(http: &Http, is_so: impl Fn(&Value) -> bool) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let log = http.get("/api/v1/log").await.expect(200);
        if is_so(&log) {
            return log;
        }
        assert!(Instant::now() < deadline, "{log:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn size(log: &Value) -> u64 {
    log["size"].as_str().unwrap().parse().unwrap()
}

/// Waits until so much is published.
async fn until_size(http: &Http, least: u64) -> Value {
    until(http, |log| size(log) >= least).await
}

/// As many events more, published; the position of the last, and what is published then.
async fn grow_sealed(http: &Http, from: usize, count: usize) -> (u64, Value) {
    let last = grow(http, from, count).await;
    (last, until_size(http, last).await)
}

/// What `node0 verify` says of a published log.
fn verified(folder: &Path, key: &str, more: &[&str]) -> Value {
    let arguments = [&["verify", text(folder), "--json", "--key", key][..], more].concat();
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    lines(&output).remove(0)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_is_published_as_it_grows_and_anybody_can_verify_it() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let before = until_size(&http, SETUP_EVENTS).await;
    let first = own.folder().join("first");
    fs::write(&first, before["checkpoint"].as_str().unwrap()).unwrap();
    // Past the end of the first tile.
    let (_, log) = grow_sealed(&http, 0, 300).await;
    let key = key(&own);
    assert_eq!(log["keys"], json!([key]));
    let report = verified(&published(&own), &key, &["--older", text(&first)]);
    assert_eq!(report["entries"], size(&log));
    // The partial pieces of what is full are gone, and a checkpoint of before is verified still.
    assert!(!published(&own).join("tile/0/000.p").exists());
    assert_eq!(verified(&published(&own), &key, &["--checkpoint", text(&first)])["entries"], 3);

    // From its address, with a token: the records are not for everybody.
    let address = format!("{}/log", server.address());
    let token = own.folder().join("token");
    fs::write(&token, http.token()).unwrap();
    let arguments = ["verify", &address, "--key", &key, "--token-file", text(&token)];
    let served = tokio::task::spawn_blocking({
        let arguments = arguments.map(str::to_owned);
        move || (run(&arguments), run(&arguments[..4]))
    });
    let (let_in, stranger) = served.await.unwrap();
    assert_eq!(let_in.status.code(), Some(0), "{}", complaint(&let_in));
    assert_eq!(stranger.status.code(), Some(3), "{}", complaint(&stranger));
    assert!(complaint(&stranger).contains("401"), "{}", complaint(&stranger));
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn pieces_are_served_as_the_specification_asks() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let (_, log) = grow_sealed(&http, 0, 260).await;
    let checkpoint = http.get("/log/checkpoint").await;
    assert_eq!(checkpoint.header("content-type"), "text/plain; charset=utf-8");
    assert_eq!(checkpoint.header("cache-control"), "no-cache");
    assert_eq!(checkpoint.body, log["checkpoint"]);
    let width = size(&log) - 256;
    for (path, bytes) in [
        ("/log/tile/0/000".to_owned(), 256 * 32),
        (format!("/log/tile/0/001.p/{width}"), usize::try_from(width).unwrap() * 32),
        ("/log/tile/1/000.p/1".to_owned(), 32),
        (
            "/log/tile/entries/000".to_owned(),
            fs::read(published(&own).join("tile/entries/000")).unwrap().len(),
        ),
    ] {
        let response = http.request(Method::GET, &path).send().await.unwrap();
        assert_eq!(response.status(), 200, "{path}");
        let headers = response.headers().clone();
        assert_eq!(headers["content-type"], "application/octet-stream", "{path}");
        assert!(headers["cache-control"].to_str().unwrap().ends_with("immutable"), "{path}");
        assert_eq!(response.bytes().await.unwrap().len(), bytes, "{path}");
    }
    // Not there, not written as it must be, not below the folder, not signed yet.
    for path in [
        "/log/tile/0/002",
        "/log/tile/0/01",
        "/log/tile/00/000",
        "/log/tile/64/000",
        "/log/tile/0/000.p/256",
        "/log/tile/0/000.p/0",
        "/log/tile/0/..%2f..%2fseal.key",
        "/log/tile/entries/..%2f..%2f..%2fseal.key",
        "/log/tile/0/x000/000",
        "/log/tile/1/000.p/2",
    ] {
        let answer = http.get(path).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (404, &json!("/problems/not-found")),
            "{path}"
        );
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_commands_gets_a_receipt_that_holds_without_us() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let path = "/api/v1/flags/flag_1/create-flag";
    let request = http.request(Method::POST, path).json(&json!({ "description": "something" }));
    let answer = Http::send(request.header("prefer", "wait=sealed")).await.unwrap();
    assert_eq!(answer.header("preference-applied"), "wait=sealed");
    let position = answer.body["position"].as_u64().unwrap();
    let receipt = own.folder().join("receipt.tlog-proof");
    fs::write(&receipt, answer.body["receipt"].as_str().unwrap()).unwrap();
    let event = http.get(&format!("/api/v1/events/{position}")).await.expect(200);
    // The record as it is written: the reply has it byte for byte.
    let record = own.folder().join("record");
    fs::write(&record, serde_json::to_string(&event["record"]).unwrap()).unwrap();
    let key = key(&own);
    let verified = run(["receipt", text(&receipt), text(&record), "--key", &key, "--json"]);
    assert_eq!(verified.status.code(), Some(0), "{}", complaint(&verified));
    assert_eq!(lines(&verified)[0]["position"], position.to_string());
    let changed = fs::read_to_string(&record).unwrap().replace("something", "Something");
    fs::write(&record, changed).unwrap();
    let refused = run(["receipt", text(&receipt), text(&record), "--key", &key]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(complaint(&refused).contains("does not show"), "{}", complaint(&refused));
    // Asked for later, it is of the log as it is then; and GraphQL says the same.
    let later = http.get(&format!("/api/v1/log/receipts/{position}")).await.expect(200);
    let query =
        "query($p: Position!) { receipt(position: $p) inclusionProof(position: $p) { treeSize } }";
    let same = http.graphql(query, json!({ "p": position.to_string() })).await;
    assert_eq!(later.as_str(), same["receipt"].as_str());
    let unknown = http.get("/api/v1/log/receipts/999999").await;
    assert_eq!(unknown.status, 404);
    // Who only looks may not have proofs made.
    let viewer = http.service("service-viewer", commands::Role::Viewer).await;
    assert_eq!(viewer.get(&format!("/api/v1/log/receipts/{position}")).await.status, 403);
    assert_eq!(viewer.get("/api/v1/log").await.status, 200);
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn proofs_are_made_for_every_size_that_the_log_had() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let (_, log) = grow_sealed(&http, 0, 12).await;
    let now = size(&log);
    let hash = |text: &Value| evidence::Hash::parse_hash(text.as_str().unwrap()).unwrap();
    let hashes = |list: &Value| list.as_array().unwrap().iter().map(hash).collect::<Vec<_>>();
    let root = hash(&log["root"]);
    for older in 1..=now {
        let path = format!("/api/v1/log/consistency?from={older}&size={now}");
        let proof = http.get(&path).await.expect(200);
        let before = (older, hash(&proof["from_root"]));
        assert!(evidence::proof::is_consistent(&hashes(&proof["hashes"]), (now, root), before));
        for position in 1..=older {
            let path = format!("/api/v1/log/inclusion/{position}?size={older}");
            let proof = http.get(&path).await.expect(200);
            assert_eq!(hash(&proof["root"]), before.1);
            let leaf = hash(&proof["leaf_hash"]);
            let proved = hashes(&proof["hashes"]);
            assert!(evidence::proof::is_included(&proved, before, position - 1, leaf));
        }
    }
    for (path, status) in [
        ("/api/v1/log/consistency?from=5&size=4", 400),
        ("/api/v1/log/consistency?from=999999", 409),
        ("/api/v1/log/consistency?from=3&size=999999", 409),
        ("/api/v1/log/consistency?from=x", 400),
        ("/api/v1/log/inclusion/3?size=999999", 409),
        ("/api/v1/log/inclusion/3?size=2", 404),
        ("/api/v1/log/inclusion/0", 404),
        ("/api/v1/log/inclusion/x", 400),
    ] {
        assert_eq!(http.get(path).await.status, status, "{path}");
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn where_nothing_is_sealed_it_is_said_which_setting_is_missing() {
    let app = TestApp::start().await;
    let http = app.http();
    for path in ["/api/v1/log", "/log/checkpoint", "/log/tile/0/000", "/api/v1/log/receipts/1"] {
        let answer = http.get(path).await;
        assert_eq!(
            (answer.status, &answer.body["type"]),
            (404, &json!("/problems/not-configured")),
            "{path}"
        );
        assert!(answer.body["detail"].as_str().unwrap().contains("seal_storage"), "{path}");
    }
    // A command is done although nobody can seal it.
    let request = http.request(Method::POST, "/api/v1/flags/flag_1/create-flag");
    let request = request.header("prefer", "wait=sealed").json(&json!({ "description": "x" }));
    let answer = Http::send(request).await.unwrap();
    assert_eq!((answer.status, answer.body.get("receipt")), (200, None));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_waits_for_the_seal_of_a_server_that_stops_gets_it() {
    let own = OwnCluster::initialised();
    let mut command = tests::node0::program();
    command.arg("--data").arg(own.folder()).env("NODE0_SEAL_INTERVAL_MS", "4000");
    let server = Node0::serve(&mut command);
    let http = server.http();
    until_size(&http, SETUP_EVENTS).await;
    let request = http.request(Method::POST, "/api/v1/flags/flag_1/create-flag");
    let request = request.header("prefer", "wait=sealed").json(&json!({ "description": "x" }));
    let waits = tokio::spawn(Http::send(request));
    tokio::time::sleep(Duration::from_millis(300)).await;
    server.signal(rustix::process::Signal::TERM);
    let answer = waits.await.unwrap().unwrap();
    assert!(answer.body["receipt"].is_string(), "{answer:#?}");
    assert!(server.wait().success());
    let report = verified(&published(&own), &key(&own), &[]);
    assert_eq!(report["entries"], answer.body["position"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_servers_one_seals_and_the_other_takes_over_when_it_is_killed() {
    let own = OwnCluster::initialised();
    let first = Node0::on_folder(own.folder());
    let cluster = api::cluster::Cluster::attach(&own.options()).unwrap().unwrap();
    let url = cluster.url(api::cluster::DATABASE);
    let secret = fs::read_to_string(own.folder().join("seal.key")).unwrap();
    // Half of what sealing needs is refused, with what is missing.
    let mut half = tests::node0::program();
    half.args(["serve", "--listen", "127.0.0.1:0", "--database-url", &url]);
    let half = half.args(["--master-key", MASTER_KEY, "--seal-key", secret.trim()]).output();
    let half = half.unwrap();
    assert_eq!(half.status.code(), Some(3));
    assert!(complaint(&half).contains("no seal_storage"), "{}", complaint(&half));
    let second = Node0::serve(tests::node0::program().args([
        "--database-url",
        &url,
        "--seal-storage",
        text(&published(&own)),
        "--seal-key",
        secret.trim(),
    ]));
    let last = grow(&second.http(), 0, 5).await;
    // Both know, whoever seals.
    until_size(&first.http(), last).await;
    until_size(&second.http(), last).await;
    let sealer = |server: &Node0| server.log().contains("took up the seal");
    assert!(sealer(&first) != sealer(&second), "one of them seals");
    let older = own.folder().join("older");
    fs::copy(published(&own).join("checkpoint"), &older).unwrap();
    first.kill();
    grow_sealed(&second.http(), 5, 5).await;
    verified(&published(&own), &key(&own), &["--older", text(&older)]);
    second.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn one_key_takes_the_place_of_another_while_receipts_go_on_to_hold() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 0, 3).await;
    let old = key(&own);
    let older = own.folder().join("older");
    fs::copy(published(&own).join("checkpoint"), &older).unwrap();
    server.stop();
    let both = keys(&own, "rotate");
    assert_eq!((both.len(), &both[1]), (2, &old));
    let server = Node0::on_folder(own.folder());
    let (_, log) = grow_sealed(&server.http(), 3, 3).await;
    assert_eq!(log["keys"], json!(both));
    // Whoever knows one of the two is content.
    for key in &both {
        verified(&published(&own), key, &[]);
    }
    let arguments = ["--key", both[1].as_str(), "--older", text(&older)];
    verified(&published(&own), &both[0], &arguments);
    server.stop();
    assert_eq!(keys(&own, "retire"), both[..1]);
    // What the old key alone has signed is ours no more: the newest is signed by both.
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), 6, 3).await;
    verified(&published(&own), &both[0], &[]);
    let output = run(["verify", text(&published(&own)), "--key", &old]);
    assert_eq!(output.status.code(), Some(1));
    server.stop();
}

/// Rounds in which the sealer is killed, when nothing else is said.
const ROUNDS_DEFAULT: u32 = 4;

#[tokio::test(flavor = "multi_thread")]
async fn a_sealer_that_is_killed_at_any_moment_never_signs_two_roots_of_one_size() {
    let own = OwnCluster::initialised();
    let rounds = campaign::number("NODE0_SEAL_ROUNDS", ROUNDS_DEFAULT);
    let mut kept: Vec<PathBuf> = Vec::new();
    let mut next = 0;
    for round in 0..rounds {
        let mut command = tests::node0::program();
        command.arg("--data").arg(own.folder());
        let server = Node0::serve(command.args(["--seal-interval-ms", "5"]));
        let http = server.http();
        // All that is ever published, as a witness would see it.
        let deadline = Instant::now() + Duration::from_millis(150 + u64::from(round) * 37 % 400);
        let mut seen = Vec::new();
        while Instant::now() < deadline {
            grow(&http, next, 1).await;
            next += 1;
            let now = fs::read(published(&own).join("checkpoint")).unwrap_or_default();
            if !now.is_empty() && seen.last() != Some(&now) {
                seen.push(now);
            }
        }
        server.kill();
        for checkpoint in seen {
            let file = own.folder().join(format!("checkpoint-{}", kept.len()));
            fs::write(&file, checkpoint).unwrap();
            kept.push(file);
        }
    }
    let server = Node0::on_folder(own.folder());
    grow_sealed(&server.http(), next, 1).await;
    let older: Vec<&str> = kept.iter().flat_map(|file| ["--older", text(file)]).collect();
    let report = verified(&published(&own), &key(&own), &older);
    assert!(report["older"].as_array().unwrap().len() > 4, "{report}");
    eprintln!("{rounds} rounds, {} checkpoints, each goes on from all before", kept.len());
    server.stop();
}

#[test]
fn a_key_is_made_for_where_there_is_no_data_folder_and_the_settings_say_what_is_wrong() {
    let made = run(["seal", "new", "log.example/one", "--json"]);
    let made = &lines(&made)[0];
    let secret = made["secret"].as_str().unwrap();
    assert!(secret.starts_with("PRIVATE+KEY+log.example/one+"), "{secret}");
    let witness = "w+12345678+AQ==@https://w.example/";
    for (flags, says) in [
        (["--seal-key", "nonsense"], "is no key"),
        (["--witnesses", "nobody"], "<key>@<address> is expected"),
        (["--witnesses", witness], "has not the form"),
        (["--witness-quorum", "2"], "there are not so many witnesses"),
        (["--seal-origin", "two words"], "a name without spaces"),
    ] {
        let output = run([&["config", "show"][..], &flags].concat());
        assert_eq!(output.status.code(), Some(2), "{flags:?}");
        assert!(complaint(&output).contains(says), "{flags:?}: {}", complaint(&output));
    }
    let shown = run(["config", "show", "--seal-key", secret]);
    assert_eq!(shown.status.code(), Some(0), "{}", complaint(&shown));
    assert!(!String::from_utf8_lossy(&shown.stdout).contains(secret), "a key is never shown");
}
