//! Bad input of every kind gets the documented problem, and never a 500.

use reqwest::{Body, Method};
use serde_json::{Value, json};

use super::{faults, problem, registration, send, start, validator};

/// A body in a form, with what must come of it.
type Case<'a> = (&'a str, &'a [u8], u16, &'a str);

#[tokio::test(flavor = "multi_thread")]
async fn bad_bodies_get_the_documented_problem() {
    let (app, http) = start().await;
    let json = "application/json";
    let huge = format!("{{\"reason\": \"{}\"}}", "x".repeat(5_000_000));
    let deep = format!("{{\"reason\": {}{}}}", "[".repeat(5_000), "]".repeat(5_000));
    let cases: &[Case<'_>] = &[
        (json, b"{\"reason\": ", 400, "malformed"),
        (json, b"nonsense", 400, "malformed"),
        (json, b"{\"reason\": \"\xff\xfe\"}", 400, "malformed"),
        (json, b"{\"reason\": \"\\ud800\"}", 400, "malformed"),
        (json, b"{\"reason\": \"late\"} {}", 400, "malformed"),
        (json, deep.as_bytes(), 400, "malformed"),
        (json, b"{\"reason\": 1e999}", 400, "malformed"),
        (json, b"[]", 422, "invalid-body"),
        (json, b"null", 422, "invalid-body"),
        (json, b"\"late\"", 422, "invalid-body"),
        (json, b"", 422, "invalid-body"),
        (json, b"{}", 422, "invalid-body"),
        (json, b"{\"reason\": \"\"}", 422, "invalid-body"),
        (json, b"{\"reason\": 7}", 422, "invalid-body"),
        (json, b"{\"reason\": 123456789012345678901234567890}", 422, "invalid-body"),
        (json, b"{\"reason\": \"late\", \"reason\": \"late\"}", 422, "invalid-body"),
        (json, b"{\"reason\": \"late\", \"colour\": \"red\"}", 422, "invalid-body"),
        (json, b"{\"reason\": \"late\", \"command\": \"unjail\"}", 422, "invalid-body"),
        (json, huge.as_bytes(), 413, "body-too-large"),
        ("text/plain", b"{\"reason\": \"late\"}", 415, "unsupported-media-type"),
        ("application/json; charset=latin1", b"{}", 415, "unsupported-media-type"),
        ("", b"{\"reason\": \"late\"}", 415, "unsupported-media-type"),
    ];
    for (form, body, status, kind) in cases {
        let mut request = http.request(Method::POST, &format!("{}/jail", validator(1)));
        if !form.is_empty() {
            request = request.header("content-type", *form);
        }
        let answer = send(request.body(body.to_vec())).await;
        let shown = String::from_utf8_lossy(&body[..body.len().min(60)]).into_owned();
        assert_eq!((answer.status, problem(&answer).as_str()), (*status, *kind), "{form} {shown}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_text_that_no_database_holds_is_refused_wherever_it_comes_in() {
    let (app, http) = start().await;
    for path in [
        "/api/v1/access-records?principal=%00",
        "/api/v1/activity?actor=a%00b",
        "/api/v1/anchors?owner=%00",
        "/api/v1/search?q=%00",
    ] {
        let answer = http.get(path).await;
        assert_eq!(answer.status, 400, "{path}: {:#}", answer.body);
    }
    let query = "{ activity(filter: {actor: \"\\u0000\"}) { nodes { position } } }";
    let answer = super::graphql::ask(&http, query).await;
    assert_eq!(answer.body["errors"][0]["extensions"]["status"], 400, "{:#}", answer.body);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_in_pieces_is_measured_too() {
    let (app, http) = start().await;
    let piece = || Ok::<_, std::io::Error>(vec![b' '; 100_000]);
    let pieces = futures::stream::iter(std::iter::repeat_with(piece).take(60));
    let request = http.request(Method::POST, &format!("{}/jail", validator(1)));
    let request = request.header("content-type", "application/json");
    let answer = send(request.body(Body::wrap_stream(pieces))).await;
    assert_eq!(answer.status, 413);
    assert_eq!(problem(&answer), "body-too-large");
    assert!(answer.body["body_bytes_max"].is_u64());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_invalid_fields_are_listed_with_their_pointers() {
    let (app, http) = start().await;
    let mut body = registration(1);
    let fields = body.as_object_mut().unwrap();
    fields.remove("operator");
    fields.insert("bond".into(), json!(5_000_000));
    fields.insert("commission_bps".into(), json!(10_001));
    fields.insert("chain_id".into(), json!("no/slash"));
    fields.insert("moniker".into(), json!(" padded "));
    fields.insert("proof".into(), json!("short"));
    fields.insert("colour".into(), json!("red"));
    let answer = http.post("/api/v1/validators", &body).await;
    assert_eq!((answer.status, problem(&answer).as_str()), (422, "invalid-body"));
    let expected =
        ["/bond", "/chain_id", "/colour", "/commission_bps", "/moniker", "/operator", "/proof"];
    assert_eq!(faults(&answer), expected, "{:#}", answer.body);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_genesis_document_is_refused_with_all_of_its_faults() {
    let (app, http) = start().await;
    let document = json!({
        "chain_id": "bad chain", "initial_height": "-1",
        "validators": [{"power": "0", "pub_key": {"type": "tendermint/PubKeyEd25519", "value": "x"}}],
    });
    let answer = http.post("/api/v1/chains", &document).await;
    assert_eq!((answer.status, problem(&answer).as_str()), (422, "refused"), "{:#}", answer.body);
    assert_eq!(answer.body["refusal"]["code"], "genesis-faulty");
    let places = faults(&answer);
    for place in ["/chain_id", "/genesis_time", "/initial_height"] {
        assert!(places.iter().any(|found| found == place), "{place} is not among {places:?}");
    }
    assert!(places.len() >= 5, "{places:?}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_commands_name_the_known_ones() {
    let (app, http) = start().await;
    for (path, known) in [
        (format!("{}/promote", validator(1)), "jail"),
        (format!("{}/register", validator(1)), "jail"),
        ("/api/v1/chains/roof-1/explode".to_owned(), "observe-header"),
        ("/api/v1/validator-sets/roof-1/jail".to_owned(), "rotate"),
    ] {
        let answer = http.post(&path, &json!({})).await;
        assert_eq!((answer.status, problem(&answer).as_str()), (404, "unknown-command"), "{path}");
        assert!(answer.body["known"].as_array().unwrap().contains(&json!(known)), "{path}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn paths_methods_forms_and_parameters_are_checked() {
    let (app, http) = start().await;
    let get = Method::GET;
    let long = "x".repeat(300);
    for (method, path, status, kind) in [
        (get.clone(), "/nowhere", 404, "not-found"),
        (get.clone(), "/api/v1/validators/", 404, "not-found"),
        (get.clone(), "/problems/nothing", 404, "not-found"),
        (get.clone(), "/docs/nothing.js", 404, "not-found"),
        (get.clone(), "/api/v1/events/100", 404, "not-found"),
        (get.clone(), "/api/v1/events/0", 404, "not-found"),
        (get.clone(), "/api/v1/streams/validator-none", 404, "not-found"),
        (get.clone(), "/api/v1/chains/none", 404, "not-found"),
        (get.clone(), "/api/v1/chains/none/headers/1", 404, "not-found"),
        (get.clone(), "/api/v1/validator-sets/none", 404, "not-found"),
        (Method::DELETE, "/api/v1/validators", 405, "method-not-allowed"),
        (get.clone(), "/api/v1/batches", 405, "method-not-allowed"),
        (Method::PUT, "/graphql", 405, "method-not-allowed"),
        (get.clone(), "/api/v1/validators/xyz", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/chains/a%20b", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/chains/roof-1/headers/0", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/headers/12", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/events/-1", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/events/99999999999999999999", 400, "invalid-parameter"),
        (get.clone(), "/api/v1/streams/nodash", 400, "invalid-parameter"),
        (get.clone(), &format!("/api/v1/streams/a-{long}"), 400, "invalid-parameter"),
        (get.clone(), "/api/v1/validators/%ff%fe", 400, "malformed"),
        (get.clone(), "/api/v1/delegations", 400, "invalid-parameter"),
        (get.clone(), "/livez?verbose", 400, "invalid-parameter"),
        (Method::POST, "/api/v1/projections/none/rebuild", 404, "not-found"),
    ] {
        let answer = send(http.request(method.clone(), path)).await;
        let found = (answer.status, problem(&answer));
        assert_eq!(found, (status, kind.to_owned()), "{method} {path}");
        if status == 405 {
            assert!(!answer.header("allow").is_empty(), "{method} {path}");
        }
    }
    let request = http.request(get.clone(), "/api/v1/validators").header("accept", "text/html");
    assert_eq!(problem(&send(request).await), "not-acceptable");
    let path = "/api/v1/validators?first=0&after=zz&standing=asleep&sort=luck&colour=red&first=2";
    let answer = send(http.request(get, path)).await;
    assert_eq!(answer.status, 400);
    let expected = ["after", "colour", "first", "first", "sort", "standing"];
    assert_eq!(faults(&answer), expected, "{:#}", answer.body);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_kind_of_problem_has_a_page() {
    let (app, http) = start().await;
    let kinds = http.get("/problems").await.expect(200)["items"].clone();
    assert!(kinds.as_array().unwrap().len() > 20);
    for kind in kinds.as_array().unwrap() {
        let page = http.get(kind["type"].as_str().unwrap()).await.expect(200);
        assert_eq!(&page, kind);
        assert!(page["description"].as_str().unwrap().len() > 20, "{page:#}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_item_of_a_batch_fails_alone() {
    let (app, http) = start().await;
    let item = |collection: &str, id: Value, command: &str, body: Value| json!({"collection": collection, "id": id, "command": command, "body": body});
    let id = json!(super::ValidatorKey::number(1).address());
    let items = json!({"items": [
        item("validators", Value::Null, "register", registration(1)),
        item("validators", id.clone(), "bond", json!({"amount": "5"})),
        item("validators", id.clone(), "bond", json!({"amount": 5})),
        item("validators", id.clone(), "bond", json!({"amount": "0"})),
        item("validators", id.clone(), "dance", json!({})),
        item("peers", id.clone(), "ban", json!({})),
        item("validator-sets", json!("roof-1"), "rotate", json!({"epoch": "7", "x": 1})),
        item("validators", id, "bond", json!({"amount": "7"})),
    ]});
    let answer = http.post("/api/v1/batches", &items).await.expect(200);
    let items = answer["items"].as_array().unwrap();
    let statuses: Vec<u64> = items.iter().map(|item| item["status"].as_u64().unwrap()).collect();
    assert_eq!(statuses, [200, 200, 422, 422, 404, 422, 422, 200], "{answer:#}");
    assert_eq!(items[1]["reply"]["version"], 2);
    assert_eq!(items[7]["reply"]["version"], 3);
    for body in [json!({}), json!({"items": []}), json!({"items": {}}), json!([])] {
        let answer = http.post("/api/v1/batches", &body).await;
        assert_eq!((answer.status, problem(&answer).as_str()), (422, "invalid-body"), "{body}");
    }
    app.stop().await;
}
