//! Who was erased is nowhere: not in the database's files, not in what was published, exported or
//! backed up, not in what the server has said; and what was proved before is proved still.

use std::fs;

use serde_json::{Value, json};
use tests::{
    files,
    http::Http,
    node0::{Node0, complaint, run},
    own_cluster::OwnCluster,
};

use super::{key, published, text, until_size};

const EMAIL: &str = "wilhelmina@north.example";
const NAME: &str = "Wilhelmina Featherstonehaugh";
const PASSWORD: &str = "an unlikely horse battery";

async fn ask(server: &Node0, path: &str, body: Value) -> Value {
    let url = format!("{}{path}", server.address());
    let answer = Http::send(reqwest::Client::new().post(url).json(&body)).await.unwrap();
    assert!(answer.status < 300, "{answer:#?}");
    answer.body
}

/// A person who was invited, registers, and signs in; who that is.
async fn person(server: &Node0) -> String {
    let invited = json!({"email": EMAIL, "roles": ["viewer"]});
    let invited = server.http().post("/api/v1/principals", &invited).await.expect(201);
    let body = json!({"display_name": NAME, "password": PASSWORD, "token": invited["token"]});
    ask(server, "/api/v1/auth/register", body).await;
    ask(server, "/api/v1/auth/login", json!({"email": EMAIL, "password": PASSWORD})).await;
    invited["principal"].as_str().unwrap().to_owned()
}

fn done(arguments: &[&str]) {
    let output = run(arguments);
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_erased_is_in_no_file_and_every_receipt_from_before_is_good() {
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    let principal = person(&server).await;
    let events = http.get("/api/v1/events?first=100").await.expect(200);
    let events = events["items"].as_array().unwrap().len() as u64;
    until_size(&http, events).await;
    let mut receipts = Vec::new();
    for position in 1..=events {
        let receipt = http.get(&format!("/api/v1/log/receipts/{position}")).await.body;
        receipts.push(receipt.as_str().unwrap().to_owned());
    }
    let (folder, key) = (published(&own), key(&own));
    let at = |name: &str| own.folder().join(name);
    let (before, after, bundle) = (at("before"), at("after"), at("bundle"));
    done(&["export", text(&folder), "--key", &key, "--to", text(&before)]);
    let why = json!({"reason": "asked for it"});
    for command in ["close", "erase-personal-data"] {
        http.post(&format!("/api/v1/principals/{principal}/{command}"), &why).await.expect(200);
    }
    let path = "/api/v1/events?type=subject-key-destroyed.v1";
    let told = || http.request(reqwest::Method::GET, path);
    let deadline = std::time::Instant::now() + super::PATIENCE;
    let last = loop {
        let told = Http::send(told()).await.unwrap().expect(200);
        if let Some(event) = told["items"].get(0) {
            break event["position"].as_str().map_or(0, |text| text.parse().unwrap());
        }
        assert!(std::time::Instant::now() < deadline, "{told:#}");
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    };
    until_size(&http, last).await;
    let (data, csv) = (text(own.folder()), ["--format", "csv"]);
    let export = ["export", text(&folder), "--key", &key, "--to", text(&after)];
    done(&[&export[..], &csv].concat());
    let keys = at("keys");
    done(&["backup", "--data", data, "--to", text(&bundle), "--keys", text(&keys)]);
    let said = server.log();
    server.stop();

    let all = files::below(own.folder());
    assert!(all.iter().any(|file| file.starts_with(at("pg/pg_wal"))), "the log of the database");
    assert!(all.len() > 900, "only {} files", all.len());
    for secret in [EMAIL, NAME, PASSWORD] {
        assert!(!said.contains(secret), "{secret} is in what the server said");
        for file in &all {
            let Ok(bytes) = fs::read(file) else { continue };
            let is_there = bytes.windows(secret.len()).any(|some| some == secret.as_bytes());
            assert!(!is_there, "{secret} is in {}", file.display());
        }
    }
    // Its key is in the newest file of keys no more.
    let kept = fs::read_to_string(&keys).unwrap();
    let theirs: Vec<&str> = kept.lines().filter(|line| line.contains(&principal)).collect();
    assert_eq!(theirs.len(), 1, "the certificate alone: {theirs:?}");
    assert!(theirs[0].contains("erasure_certificates"), "{theirs:?}");

    let records = tests::published::records(&bundle, last);
    let (receipt, record) = (at("receipt"), at("record"));
    for (index, text_of) in receipts.iter().enumerate() {
        fs::write(&receipt, text_of).unwrap();
        fs::write(&record, &records[index]).unwrap();
        done(&["receipt", text(&receipt), text(&record), "--key", &key]);
    }
}
