//! The tools of the command line that need no server: each run is the real program.
//!
//! Does not know how a document is checked or a key is made.

use std::{fs, os::unix::fs::PermissionsExt};

use serde_json::{Value, json};
use tests::{
    app::TestApp,
    database::TestDatabase,
    fixtures,
    log::Writer,
    node0::{complaint, lines, program, run},
    own_cluster::OwnCluster,
};

#[test]
fn a_real_document_of_2019_passes_with_its_older_forms_as_warnings() {
    let Some(file) = fixtures::path("genesis/cosmoshub-1.json") else { return };
    let output = run(["genesis", "check", "--json", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let report = &lines(&output)[0];
    assert_eq!(report["chain_id"], "cosmoshub-1");
    assert_eq!(report["faults"], json!([]));
    let warnings = report["warnings"].as_array().unwrap();
    for place in ["block_size", "max_age", "validators"] {
        let told = warnings.iter().any(|one| one["pointer"].as_str().unwrap().contains(place));
        assert!(told, "{place} is not among {warnings:#?}");
    }
    assert!(report["hash"].as_str().unwrap().starts_with("73A866B2"), "{report}");
}

/// A document with one fault of each kind, and the places where they must be found.
fn faulty() -> (Value, &'static [&'static str]) {
    let key = "B5pejcSXafZMJItPewOx4gOZrUqFiJffHxZ5n8Gwvug=";
    let other = "HQQaU1GpHB0cm60k1ORaADIVoQ8c+J5L/a596NB8R1k=";
    let small = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=";
    let validator = |address: &str, key: &str, power: &str| {
        let key = json!({ "type": "tendermint/PubKeyEd25519", "value": key });
        json!({ "address": address, "pub_key": key, "power": power, "name": "" })
    };
    let document = json!({
        "chain_id": "a chain with spaces",
        "initial_height": "-1",
        "validators": [
            validator("D5B865BA26FDF5285105626B708E8556809737F7", key, "0"),
            validator("D5B865BA26FDF5285105626B708E8556809737F7", key, "10"),
            validator("0000000000000000000000000000000000000000", other, "9223372036854775807"),
            validator("", small, "5"),
            validator("", "AAAA", "many"),
        ],
        "app_hash": "xyz",
        "app_state": {
            "accounts": [{ "address": "nobody", "balance": "1.5" }],
            "parameters": { "validators_max": 0 },
            "supply": "7",
        },
    });
    let places = &[
        "/chain_id",
        "/genesis_time",
        "/initial_height",
        "/validators/0/power",
        "/validators/1/pub_key",
        "/validators/2/address",
        "/validators/2/power",
        "/validators/3/pub_key/value",
        "/validators/4/pub_key/value",
        "/validators/4/power",
        "/app_hash",
        "/app_state/accounts/0/address",
        "/app_state/accounts/0/balance",
        "/app_state/parameters/validators_max",
        "/app_state/supply",
    ];
    (document, places)
}

#[test]
fn every_fault_of_a_genesis_document_is_named_at_once_with_its_place() {
    let own = OwnCluster::empty();
    let file = own.folder().join("genesis.json");
    let (document, places) = faulty();
    fs::write(&file, document.to_string()).unwrap();
    let file = file.to_str().unwrap();
    let output = run(["genesis", "check", "--json", file]);
    assert_eq!(output.status.code(), Some(1));
    let report = &lines(&output)[0];
    let faults = report["faults"].as_array().unwrap();
    let found: Vec<&str> = faults.iter().map(|fault| fault["pointer"].as_str().unwrap()).collect();
    for place in places {
        assert!(found.contains(place), "{place} is not among {found:#?}");
    }
    assert_eq!(report["faults_count"], faults.len());

    let for_people = run(["genesis", "check", file]);
    let said = String::from_utf8(for_people.stdout.clone()).unwrap();
    assert!(places.iter().all(|place| said.contains(place)), "{said}");
    assert!(!said.contains('\x1b'), "colours are only for a terminal");

    let init = run(["genesis", "init", file, "--data", own.folder().to_str().unwrap()]);
    assert_eq!(init.status.code(), Some(1), "{}", complaint(&init));
    assert!(!own.folder().join("pg").exists(), "a faulty document starts no database");
}

#[test]
fn what_is_not_a_document_is_refused_and_what_cannot_be_read_is_another_thing() {
    let own = OwnCluster::empty();
    let file = own.folder().join("genesis.json");
    fs::write(&file, "{ this is not JSON").unwrap();
    let output = run(["genesis", "check", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(1), "{}", complaint(&output));
    let output = run(["genesis", "check", "no/such/file.json"]);
    assert_eq!(output.status.code(), Some(3));
    assert!(complaint(&output).contains("no/such/file.json"));
}

#[test]
fn a_new_key_is_for_its_owner_alone_and_is_never_overwritten() {
    let own = OwnCluster::empty();
    let file = own.folder().join("key.json");
    let output = run(["validator", "keygen", "--json", "--out", file.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let mode = fs::metadata(&file).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let text = fs::read_to_string(&file).unwrap();
    let key: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(key["address"], lines(&output)[0]["address"]);
    assert_eq!(key["pub_key"]["type"], "tendermint/PubKeyEd25519");
    assert_eq!(key["priv_key"]["type"], "tendermint/PrivKeyEd25519");
    let secret = key["priv_key"]["value"].as_str().unwrap();
    assert!(!String::from_utf8_lossy(&output.stdout).contains(secret), "the secret was shown");
    assert_key_pair(&key);

    let again = run(["validator", "keygen", "--out", file.to_str().unwrap()]);
    assert_eq!(again.status.code(), Some(1));
    assert_eq!(fs::read_to_string(&file).unwrap(), text);
}

/// The private key signs for the public one, and the address is the public key's.
fn assert_key_pair(key: &Value) {
    use base64::{Engine, engine::general_purpose::STANDARD};
    use sha2::{Digest, Sha256};
    let bytes = |value: &Value| STANDARD.decode(value.as_str().unwrap()).unwrap();
    let public = bytes(&key["pub_key"]["value"]);
    let pair: [u8; 64] = bytes(&key["priv_key"]["value"]).try_into().unwrap();
    let pair = ed25519_dalek::SigningKey::from_keypair_bytes(&pair).unwrap();
    assert_eq!(pair.verifying_key().as_bytes().as_slice(), public);
    assert_eq!(key["address"], hex::encode_upper(&Sha256::digest(&public)[..20]));
}

#[test]
fn everything_wrong_with_the_configuration_is_told_at_once_and_exits_with_2() {
    let own = OwnCluster::empty();
    let file = own.folder().join("node0.toml");
    fs::write(&file, "lisen = 'x'\nlog_format = 'xml'\n").unwrap();
    let mut command = program();
    command.args(["serve", "--config", file.to_str().unwrap(), "--drain-ms-max", "soon"]);
    command.env("NODE0_LISTEN", "nowhere").env("NODE0_TYPO", "1");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(2));
    let said = complaint(&output);
    for word in ["lisen", "log_format", "NODE0_LISTEN", "NODE0_TYPO", "--drain-ms-max"] {
        assert!(said.contains(word), "{word} is not among:\n{said}");
    }
    assert_eq!(run(["no-such-verb"]).status.code(), Some(2));
}

#[test]
fn the_settings_are_listed_with_their_sources_and_without_their_secrets() {
    let mut command = program();
    command.args(["config", "show", "--json", "--log", "error"]);
    command.env("NODE0_LISTEN", "127.0.0.1:7777").env("NODE0_SETUP_TOKEN", "s3cr3t".repeat(8));
    command.env("DATABASE_URL", "postgres://someone:s3cr3t@host/base");
    let output = command.output().unwrap();
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    assert!(!String::from_utf8_lossy(&output.stdout).contains("s3cr3t"));
    let shown = lines(&output);
    let line = |key: &str| shown.iter().find(|line| line["key"] == key).unwrap().clone();
    assert_eq!(line("listen")["value"], "127.0.0.1:7777");
    assert_eq!(line("listen")["source"], "environment NODE0_LISTEN");
    assert_eq!(line("log")["source"], "--log");
    assert_eq!(line("drain_ms_max")["source"], "default");
    assert_eq!(line("data")["value"], Value::Null);
}

#[test]
fn a_reader_who_has_seen_enough_is_no_error() {
    use std::process::{Command, Stdio};
    let mut shown = program().args(["config", "show"]).stdout(Stdio::piped()).spawn().unwrap();
    let head = Command::new("true").stdin(shown.stdout.take().unwrap()).status().unwrap();
    assert!(head.success());
    assert_eq!(shown.wait().unwrap().code(), Some(0));
}

#[test]
fn an_empty_log_is_shown_as_such_and_the_tables_are_made_once() {
    let own = OwnCluster::initialised();
    let data = own.folder().to_str().unwrap();
    let first = run(["migrate", "--json", "--data", data]);
    assert_eq!(first.status.code(), Some(0), "{}", complaint(&first));
    let again = run(["migrate", "--json", "--data", data]);
    assert_eq!(lines(&again), Vec::<Value>::new());
    let tail = run(["events", "tail", "--json", "--data", data]);
    assert_eq!((tail.status.code(), lines(&tail)), (Some(0), Vec::new()));
    let show = run(["events", "show", "1", "--data", data]);
    assert_eq!(show.status.code(), Some(1), "{}", complaint(&show));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_tail_of_the_log_is_cut_to_what_is_wanted() {
    let app = TestApp::start().await;
    let http = app.http();
    let body = json!({"description": "as a test"});
    let mut stories = Vec::new();
    for name in ["one", "other"] {
        let path = format!("/api/v1/flags/tail.{name}/create-flag");
        let done = http.post(&path, &body).await.expect(200);
        let kill = json!({"reason": "it is over"});
        http.post(&format!("/api/v1/flags/tail.{name}/kill"), &kill).await.expect(200);
        let position = done["position"].to_string();
        let event = http.get(&format!("/api/v1/events/{position}")).await.expect(200);
        stories.push(event["record"]["correlation"].as_str().unwrap().to_owned());
    }
    let url = app.database.url();
    let tail = async |wanted: &[&str]| {
        let mut arguments: Vec<String> =
            ["events", "tail", "--json", "--database-url", &url].map(str::to_owned).into();
        arguments.extend(wanted.iter().map(|one| (*one).to_owned()));
        let output = tokio::task::spawn_blocking(move || run(arguments)).await.unwrap();
        assert!(output.status.success(), "{}", complaint(&output));
        let found = lines(&output).into_iter();
        found.map(|line| line["record"]["stream"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };
    let [one, other] = ["flag-tail.one", "flag-tail.other"];
    assert_eq!(tail(&["--category", "flag"]).await, [one, one, other, other]);
    assert_eq!(tail(&["--category", "flag", "-n", "1"]).await, [other]);
    assert_eq!(tail(&["--stream", one]).await, [one, one]);
    assert_eq!(tail(&["--type", "flag-killed.v1"]).await, [one, other]);
    assert_eq!(tail(&["--correlation", &stories[1]]).await, [other]);
    assert_eq!(tail(&["--correlation", &stories[0], "--category", "validator"]).await, [""; 0]);
    let odd = ["events", "tail", "--correlation", "a story", "--database-url", &url];
    assert_eq!(run(odd).status.code(), Some(2));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn before_an_upgrade_every_stored_type_is_read_as_the_new_program_would_and_nothing_changes()
{
    let empty = TestDatabase::create().await;
    let check = |url: &str| run(["events", "check", "--json", "--database-url", url]);
    assert_eq!(check(&empty.url()).status.code(), Some(1));
    let app = TestApp::start().await;
    let http = app.http();
    let flag = "/api/v1/flags/gate/create-flag";
    http.post(flag, &json!({"description": "as a test"})).await.expect(200);
    // The tables are those of an older version.
    let pool = sqlx::PgPool::connect(&app.database.url()).await.unwrap();
    let older = "drop table audit; delete from _sqlx_migrations where version = 63";
    sqlx::raw_sql(older).execute(&pool).await.unwrap();
    let url = app.database.url();
    let fine = check(&url);
    assert_eq!(fine.status.code(), Some(0), "{}", complaint(&fine));
    let types: Vec<Value> = lines(&fine).into_iter().map(|line| line["type"].clone()).collect();
    assert!(types.contains(&json!("flag-created.v1")) && types.len() >= 4, "{types:?}");
    let audit: Option<String> =
        sqlx::query_scalar("select to_regclass('audit')::text").fetch_one(&pool).await.unwrap();
    assert_eq!(audit, None, "whoever checks does not upgrade");

    let writer = Writer::open(&url).await;
    writer.append("flag-gate", 1, &["flag-invented.v7"], 0).await;
    let gate = check(&url);
    assert_eq!(gate.status.code(), Some(1));
    let of = |line: &&Value| line["type"] == "flag-invented.v7";
    let unknown = lines(&gate);
    let unknown = unknown.iter().find(of).unwrap();
    assert_eq!((&unknown["events"], &unknown["unreadable"]), (&json!(1), &json!(1)));
    assert!(unknown["because"].as_str().unwrap().contains("flag-invented.v7"), "{unknown:#}");
    assert!(complaint(&gate).contains("do not let it take the place"), "{}", complaint(&gate));
    pool.close().await;
}
