//! A real chain's signed headers on their way: from a file, through the real program, into answers.
//!
//! Does not know how a header is verified.

use std::{fs, path::Path};

use serde_json::{Value, json};
use tests::{
    fixtures,
    node0::{Node0, complaint, lines, run},
    own_cluster::OwnCluster,
};

/// The file of a real chain's first 256 headers.
const HEADERS: &str = "headers/celestia-chain3-1-to-256.json";
/// How many they are.
const HEADERS_COUNT: u64 = 256;
/// Their chain.
const CHAIN: &str = "private";

/// Imports a file into a data folder; the exit code, the summary and what was complained about.
fn import(data: &Path, file: &Path) -> (Option<i32>, Value, String) {
    let (data, file) = (data.to_str().unwrap(), file.to_str().unwrap());
    let output = run(["import", "headers", "--chain", CHAIN, "--json", "--data", data, file]);
    let summary = lines(&output).pop().unwrap_or_default();
    (output.status.code(), summary["summary"].clone(), complaint(&output))
}

/// The position of the newest event in a data folder.
fn head(data: &Path) -> String {
    let data = data.to_str().unwrap();
    let output = run(["events", "tail", "-n", "1", "--json", "--data", data]);
    assert!(output.status.success(), "{}", complaint(&output));
    lines(&output)[0]["position"].as_str().unwrap().to_owned()
}

fn header_at(text: &str, height: u64) -> Value {
    let all: Vec<Value> = serde_json::from_str(text).unwrap();
    all.into_iter().find(|one| one["header"]["height"] == height.to_string()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_real_chain_is_verified_recorded_and_found_again_and_importing_again_changes_nothing() {
    let Some(file) = fixtures::path(HEADERS) else { return };
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());

    let (code, summary, said) = import(own.folder(), &file);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!(summary["recorded"], HEADERS_COUNT);
    assert_eq!(summary["stopped"], Value::Null);
    let position = head(own.folder());

    let http = server.http();
    let request = http
        .request(reqwest::Method::GET, &format!("/api/v1/chains/{CHAIN}/headers/{HEADERS_COUNT}"))
        .header("min-position", &position);
    let found = tests::http::Http::send(request).await.unwrap().expect(200);
    let expected = header_at(&fs::read_to_string(&file).unwrap(), HEADERS_COUNT);
    assert_eq!(found["hash"], expected["commit"]["block_id"]["hash"], "{found:#}");
    assert_eq!(found["height"], HEADERS_COUNT.to_string());
    let hash = found["hash"].as_str().unwrap();
    let by_hash = http.get(&format!("/api/v1/headers/{hash}")).await.expect(200);
    assert_eq!(by_hash["height"], HEADERS_COUNT.to_string());
    assert_eq!(count_headers(&http).await, HEADERS_COUNT);

    let (code, summary, said) = import(own.folder(), &file);
    assert_eq!(code, Some(0), "{said}");
    assert_eq!((&summary["recorded"], &summary["known"]), (&json!(0), &json!(HEADERS_COUNT)));
    assert_eq!(head(own.folder()), position, "importing again appended events");
    assert!(server.stop().success());
}

/// Walks the list of headers page by page.
async fn count_headers(http: &tests::http::Http) -> u64 {
    let (mut count, mut after) = (0, String::new());
    loop {
        let path = format!("/api/v1/chains/{CHAIN}/headers?first=100{after}");
        let page = http.get(&path).await.expect(200);
        count += page["items"].as_array().unwrap().len() as u64;
        match page["next"].as_str() {
            Some(cursor) => after = format!("&after={cursor}"),
            None => return count,
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flipped_signature_byte_stops_the_import_there_and_everything_before_it_stands() {
    use base64::{Engine, engine::general_purpose::STANDARD};
    const FLIPPED: u64 = 100;
    let Some(file) = fixtures::path(HEADERS) else { return };
    let own = OwnCluster::initialised();
    let mut all: Vec<Value> = serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    let flipped = all.iter_mut().find(|one| one["header"]["height"] == FLIPPED.to_string());
    let signature = &mut flipped.unwrap()["commit"]["signatures"][0]["signature"];
    let mut bytes = STANDARD.decode(signature.as_str().unwrap()).unwrap();
    bytes[17] ^= 1;
    *signature = STANDARD.encode(bytes).into();
    let wrong = own.folder().join("wrong.json");
    fs::write(&wrong, serde_json::to_string(&all).unwrap()).unwrap();

    let (code, summary, said) = import(own.folder(), &wrong);
    assert_eq!(code, Some(1), "{said}");
    assert_eq!(summary["recorded"], FLIPPED - 1);
    assert_eq!(summary["stopped"]["height"], FLIPPED.to_string());
    assert!(said.contains(&format!("stopped at height {FLIPPED}")), "{said}");
    assert!(said.contains("signature"), "the reason is told: {said}");

    let (code, summary, said) = import(own.folder(), &file);
    assert_eq!(code, Some(0), "the true file goes on from there: {said}");
    assert_eq!(summary["known"], FLIPPED - 1);
    assert_eq!(summary["recorded"], HEADERS_COUNT - (FLIPPED - 1));
}

#[test]
fn headers_of_another_chain_or_with_another_hash_than_the_trusted_one_are_not_begun_with() {
    let Some(file) = fixtures::path(HEADERS) else { return };
    let own = OwnCluster::initialised();
    let (data, file) = (own.folder().to_str().unwrap(), file.to_str().unwrap());
    let other = run(["import", "headers", "--chain", "other-1", "--data", data, file]);
    assert_eq!(other.status.code(), Some(1));
    assert!(complaint(&other).contains("it is of chain private"), "{}", complaint(&other));
    let hash = "00".repeat(32);
    let trust =
        ["import", "headers", "--chain", CHAIN, "--trust-hash", &hash, "--data", data, file];
    let untrusted = run(trust);
    assert_eq!(untrusted.status.code(), Some(1));
    assert!(complaint(&untrusted).contains("the trusted hash is"), "{}", complaint(&untrusted));
    let tail = run(["events", "tail", "--json", "--data", data]);
    assert_eq!(lines(&tail), Vec::<Value>::new(), "nothing was recorded");
}
