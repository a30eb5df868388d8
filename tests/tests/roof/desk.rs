//! `node0 admin` beside a server: settings, flags, alerts, nodes and processes from the terminal.

use event_store::{EventStore, StoreOptions};
use serde_json::{Value, json};
use tests::{
    app::{MASTER_KEY, TestApp},
    node0::{complaint, lines, program, run},
};

use super::{shown, start};

/// Runs a verb of `node0 admin` on the server's database; exit code, output, complaint.
fn admin(database: &str, arguments: &[&str]) -> (i32, String, String) {
    let mut command = program();
    command.args(["--database-url", database, "--token-algorithm", "EdDSA"]);
    command.env("NODE0_MASTER_KEY", MASTER_KEY).arg("admin").args(arguments);
    let output = command.output().expect("the program can be run");
    let told = String::from_utf8_lossy(&output.stdout).into_owned();
    (output.status.code().unwrap(), told, complaint(&output))
}

fn objects(told: &str) -> Vec<Value> {
    told.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_and_flags_are_set_from_the_terminal() {
    let (app, http) = start().await;
    let propose = ["settings", "propose", "network.peer_watch", "{\"peer_stale_ms\": 30000}"];
    let (code, told, said) =
        admin(&app.database.url(), &[&propose[..], &["--reason", "slow lines"]].concat());
    assert_eq!((code, told.trim()), (0, "the value is proposed"), "{said}");
    let (code, _, said) =
        admin(&app.database.url(), &["settings", "approve", "network.peer_watch", "1"]);
    assert_eq!(code, 0, "{said}");
    shown(&http, "/api/v1/settings/network.peer_watch", |seen| seen["in_force"] == 1).await;
    let back = ["settings", "rollback", "network.peer_watch", "0", "--reason", "too long"];
    assert_eq!(admin(&app.database.url(), &back).0, 0);
    let again = ["settings", "rollback", "network.peer_watch", "1", "--reason", "too short"];
    assert_eq!(admin(&app.database.url(), &again).0, 0);
    let (_, told, _) = admin(&app.database.url(), &["settings", "list"]);
    let line = told.lines().find(|line| line.starts_with("network.peer_watch")).unwrap();
    assert!(line.contains("{\"peer_stale_ms\":30000}"), "{told}");
    // Where four eyes are asked for, the terminal has only two.
    let rates = ["settings", "propose", "server.rate_limits", "{\"queries\": 1}", "--reason", "a"];
    assert_eq!(admin(&app.database.url(), &rates).0, 0);
    let (code, _, said) =
        admin(&app.database.url(), &["settings", "approve", "server.rate_limits", "1"]);
    assert_eq!(code, 1);
    assert!(said.contains("somebody must approve proposal 1"), "{said}");
    let wrong = ["settings", "propose", "server.rate_limits", "{\"queries\": -1}", "--reason", "a"];
    let (code, _, said) = admin(&app.database.url(), &wrong);
    assert_eq!(code, 1, "{said}");
    let (code, _, said) =
        admin(&app.database.url(), &["settings", "propose", "a.b", "{", "--reason", "a"]);
    assert_eq!(code, 2);
    assert!(said.contains("no JSON"), "{said}");
    let (_, told, _) = admin(&app.database.url(), &["settings", "show", "server.rate_limits"]);
    assert!(told.contains("\"four_eyes\": true") && told.contains("json-schema.org"), "{told}");
    let create = ["flags", "create", "server.new", "--description", "what it switches"];
    assert_eq!(admin(&app.database.url(), &create).0, 0);
    let rollout = ["flags", "rollout", "server.new", "--bps", "2000", "--target", "north"];
    assert_eq!(admin(&app.database.url(), &rollout).0, 0);
    shown(&http, "/api/v1/flags/server.new", |seen| seen["bps"] == 2_000).await;
    let (_, told, _) = admin(&app.database.url(), &["flags", "list", "--json"]);
    assert_eq!(objects(&told)[0]["targets"], json!(["north"]));
    assert_eq!(
        admin(&app.database.url(), &["flags", "kill", "server.new", "--reason", "wrong"]).0,
        0
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn alerts_nodes_and_processes_are_looked_after_from_the_terminal() {
    let (app, http) = start().await;
    let fire = json!({"severity": "critical", "source": {"kind": "program"}, "summary": "a test"});
    http.post("/api/v1/alerts/lag/fire", &fire).await.expect(200);
    let announce = json!({"address": "a.example:1", "chain_id": "roof-1"});
    http.post("/api/v1/peers/observer1/announce", &announce).await.expect(200);
    shown(&http, "/api/v1/alerts/lag", |seen| seen["standing"] == "firing").await;
    shown(&http, "/api/v1/peers/observer1", |seen| seen["standing"] == "known").await;
    let (_, told, _) = admin(&app.database.url(), &["alerts", "list"]);
    assert!(told.contains("lag") && told.contains("firing") && told.contains("a test"), "{told}");
    assert_eq!(admin(&app.database.url(), &["alerts", "resolve", "lag", "--reason", "over"]).0, 0);
    shown(&http, "/api/v1/alerts/lag", |seen| seen["standing"] == "resolved").await;
    assert_eq!(admin(&app.database.url(), &["alerts", "list", "--json"]).1, "");
    assert_eq!(
        objects(&admin(&app.database.url(), &["alerts", "list", "--all", "--json"]).1).len(),
        1
    );
    assert_eq!(
        admin(&app.database.url(), &["peers", "ban", "observer1", "--reason", "floods"]).0,
        0
    );
    shown(&http, "/api/v1/peers/observer1", |seen| seen["standing"] == "banned").await;
    let (_, told, _) = admin(&app.database.url(), &["peers", "list", "--json"]);
    assert_eq!(objects(&told)[0]["ban"]["reason"], "floods");
    let (_, told, _) = admin(&app.database.url(), &["projections", "list", "--json"]);
    assert!(objects(&told).iter().any(|one| one["name"] == "alerts"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_parked_process_is_found_and_resumed_from_the_terminal() {
    let (app, _) = start().await;
    let TestApp { server, database } = app;
    // Nobody runs it who would go on by themselves.
    server.stop().await.unwrap();
    let store = EventStore::open(StoreOptions::new(database.url())).await.unwrap();
    store.park("state-pruning", 7, "the disk is full").await.unwrap();
    store.close().await;
    let admin = |arguments: &[&str]| admin(&database.url(), arguments);
    let told = admin(&["processes", "list"]).1;
    assert!(told.contains("the disk is full"), "{told}");
    assert_eq!(admin(&["processes", "resume", "state-pruning"]).0, 0);
    let (code, _, said) = admin(&["processes", "resume", "state-pruning"]);
    assert_eq!(code, 1);
    assert!(said.contains("is not parked"), "{said}");
}

#[test]
fn shells_complete_commands_and_people_read_a_page_of_each() {
    let bash = run(["completions", "bash"]);
    assert!(String::from_utf8_lossy(&bash.stdout).contains("_node0()"));
    let page = run(["man", "admin", "settings"]);
    let page = String::from_utf8_lossy(&page.stdout).into_owned();
    assert!(page.starts_with(".ie") && page.contains("propose"), "{page}");
    let unknown = run(["man", "dance"]);
    assert_eq!(unknown.status.code(), Some(2));
    assert!(complaint(&unknown).contains("there are serve, demo"), "{}", complaint(&unknown));
    assert!(lines(&run(["config", "show", "--json"])).len() > 10);
}
