//! Replies in other forms: lists as files, replies compressed, documents that are named by hash.

use reqwest::Method;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tests::http::{Answer, Http};

use super::{problem, register, start};

async fn get(http: &Http, path: &str, name: &'static str, value: &str) -> Answer {
    Http::send(http.request(Method::GET, path).header(name, value)).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_is_a_file_for_whoever_asks_for_one() {
    let (app, http) = start().await;
    register(&http, 1..=3).await;
    let file = get(&http, "/api/v1/validators?first=2", "accept", "text/csv").await;
    assert_eq!((file.status, file.header("content-type")), (200, "text/csv"));
    let text = file.body.as_str().unwrap();
    let lines: Vec<&str> = text.split("\r\n").collect();
    assert!(lines[0].starts_with("address,bond,"), "{text}");
    assert_eq!(lines.len(), 4, "a heading, two rows, and the end of the last: {text}");
    let next = file.header("link").split(['<', '>']).nth(1).unwrap().to_owned();
    let rest = get(&http, &next, "accept", "text/csv").await;
    assert_eq!(rest.body.as_str().unwrap().split("\r\n").count(), 3);
    let lines = get(&http, "/api/v1/validators", "accept", "application/x-ndjson").await;
    let lines: Vec<Value> = lines
        .body
        .as_str()
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    let whole = http.get("/api/v1/validators").await.expect(200);
    assert_eq!(json!(lines), whole["items"]);
    // The same file again is nothing new.
    let known =
        http.request(Method::GET, "/api/v1/validators?first=2").header("accept", "text/csv");
    let known = Http::send(known.header("if-none-match", file.header("etag"))).await.unwrap();
    assert_eq!(known.status, 304);
    // What is no list is JSON only, and a list is no page of HTML.
    let one = get(&http, "/api/v1/projections", "accept", "text/csv").await;
    assert_eq!(problem(&one), "not-acceptable");
    let page = get(&http, "/api/v1/validators", "accept", "text/html").await;
    assert_eq!(
        page.body["offered"],
        json!(["application/json", "text/csv", "application/x-ndjson"])
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reply_is_compressed_for_whoever_takes_that() {
    let (app, http) = start().await;
    let whole = http.get("/api/openapi.json").await;
    assert_eq!(whole.header("content-encoding"), "");
    let request = http.request(Method::GET, "/api/openapi.json").header("accept-encoding", "gzip");
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let bytes = response.bytes().await.unwrap();
    assert_eq!(bytes[..2], [0x1f, 0x8b], "gzip begins like this (RFC 1952)");
    assert!(bytes.len() * 2 < whole.body.to_string().len(), "{}", bytes.len());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_document_that_was_sent_once_is_named_by_its_hash() {
    let (app, http) = start().await;
    let query = "{ __typename }";
    let hash = hex::encode(Sha256::digest(query));
    let named = |hash: &str| json!({"persistedQuery": {"version": 1, "sha256Hash": hash}});
    let ask = async |body: Value| http.post("/graphql", &body).await;
    let unknown = ask(json!({"extensions": named(&hash)})).await.expect(200);
    let error = &unknown["errors"][0];
    assert_eq!(error["message"], "PersistedQueryNotFound", "{unknown:#}");
    assert_eq!(error["extensions"]["code"], "PERSISTED_QUERY_NOT_FOUND");
    let other = hex::encode(Sha256::digest("{ other }"));
    let wrong = ask(json!({"query": query, "extensions": named(&other)})).await.expect(200);
    assert!(wrong["errors"][0]["message"].as_str().unwrap().contains("sha256Hash"), "{wrong:#}");
    let sent = ask(json!({"query": query, "extensions": named(&hash)})).await.expect(200);
    assert_eq!(sent["data"]["__typename"], "Query");
    let again = ask(json!({"extensions": named(&hash)})).await.expect(200);
    assert_eq!(again["data"], sent["data"]);
    let extensions: String =
        named(&hash).to_string().bytes().map(|byte| format!("%{byte:02X}")).collect();
    let by_get = http.get(&format!("/graphql?extensions={extensions}")).await.expect(200);
    assert_eq!(by_get["data"], sent["data"]);
    let nothing = ask(json!({"variables": {}})).await;
    assert_eq!(nothing.status, 400);
    app.stop().await;
}
