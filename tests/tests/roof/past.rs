//! The past: each thing is answered as of a position as it was answered then, whatever happened to
//! it since; and so it is as of a moment, and over GraphQL.

use std::{collections::BTreeMap, time::Duration};

use commands::{Actor, RequestContext, Role};
use domain::{transaction::Transaction, values::ChainId};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{app::TestApp, headers, http::Http, keys::ValidatorKey, network};

use super::{faults, problem, register, start, validator};

/// How long nothing must happen, in milliseconds, for the log to be at rest.
const REST_MS: u64 = 400;

/// What was answered when the log was at rest at a position: bodies by path, null for none.
pub struct Picture {
    /// Where the log ended.
    pub position: u64,
    /// The bodies.
    pub answers: BTreeMap<String, Value>,
}

/// Waits until nothing happens any more; where the log ends then.
pub async fn at_rest(app: &TestApp) -> u64 {
    let store = app.server.commands().store().clone();
    let mut seen = 0;
    loop {
        let head = store.head().await.unwrap().position;
        if head == seen {
            return head;
        }
        seen = head;
        tokio::time::sleep(Duration::from_millis(REST_MS)).await;
    }
}

pub async fn answered(http: &Http, path: &str, position: u64) -> Value {
    let request = http.request(Method::GET, path);
    let answer = Http::send(request.header("min-position", position)).await.unwrap();
    match answer.status {
        404 => Value::Null,
        _ => answer.expect(200),
    }
}

pub async fn picture(app: &TestApp, http: &Http, paths: &[String]) -> Picture {
    let position = at_rest(app).await;
    let mut answers = BTreeMap::new();
    for path in paths {
        answers.insert(path.clone(), answered(http, path, position).await);
    }
    Picture { position, answers }
}

/// Each thing is now as of each of these positions what it was then.
async fn as_they_were(http: &Http, pictures: &[Picture]) {
    for Picture { position, answers } in pictures {
        for (path, then) in answers {
            let answer = http.get(&format!("{path}?as_of={position}")).await;
            if then.is_null() {
                assert_eq!(answer.status, 404, "{path} as of {position}: {:#}", answer.body);
                continue;
            }
            assert_eq!(answer.header("position"), position.to_string());
            assert_eq!(&answer.expect(200), then, "{path} as of {position}");
        }
    }
}

/// Each thing was not always the same.
fn they_changed(pictures: &[Picture]) {
    for path in pictures[0].answers.keys() {
        let changes = pictures.windows(2);
        let changes = changes.filter(|pair| pair[0].answers[path] != pair[1].answers[path]);
        assert!(changes.count() > 0, "{path} was always the same");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_validators_flags_and_settings_is_said_as_of_then() {
    let (app, http) = start().await;
    let (validator, flag) = (validator(1), "/api/v1/flags/flag_1".to_owned());
    let (setting, alert) = ("/api/v1/settings/server.rate_limits", "/api/v1/alerts/slow");
    let set = "/api/v1/validator-sets/roof-1";
    let paths = [&validator, &flag, setting, alert, set, &format!("{set}/epochs/1")];
    let paths = paths.map(str::to_owned);
    let mut pictures = vec![picture(&app, &http, &paths).await];
    register(&http, 1..=2).await;
    pictures.push(picture(&app, &http, &paths).await);
    let value = json!({"queries": 600});
    let fire = json!({"severity": "info", "source": {"kind": "program"}, "summary": "a test"});
    let steps = [
        (format!("{validator}/bond"), json!({"amount": "500"})),
        (format!("{validator}/activate"), json!({})),
        (format!("{set}/rotate"), json!({"epoch": "0"})),
        (format!("{set}/rotate"), json!({"epoch": "1"})),
        (format!("{flag}/create-flag"), json!({"description": "first"})),
        (format!("{setting}/propose"), json!({"reason": "as a test", "value": value})),
        (format!("{validator}/update-profile"), json!({"moniker": "renamed"})),
        (format!("{flag}/kill"), json!({"reason": "it burns"})),
        (format!("{setting}/reject"), json!({"proposal": 1, "reason": "not now"})),
        (format!("{alert}/fire"), fire),
        (format!("{validator}/bond"), json!({"amount": "7"})),
    ];
    for (path, body) in steps {
        http.post(&path, &body).await.expect(200);
        pictures.push(picture(&app, &http, &paths).await);
    }
    they_changed(&pictures);
    as_they_were(&http, &pictures).await;
    let query = "query($then: AsOf!) {
        now: setting(key: \"server.rate_limits\") { version }
        then: setting(key: \"server.rate_limits\", asOf: $then) { version }
        alert(alert: \"slow\", asOf: $then) { severity }
    }";
    let proposed = pictures.iter().find(|one| one.answers[setting]["version"] == "1").unwrap();
    let told = http.graphql(query, json!({"then": proposed.position})).await;
    assert_eq!((&told["now"]["version"], &told["then"]["version"]), (&json!("2"), &json!("1")));
    assert_eq!(told["alert"], Value::Null);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_a_principal_is_said_as_of_then() {
    let (app, http) = start().await;
    let one = "/api/v1/principals/service-past".to_owned();
    let paths = std::slice::from_ref(&one);
    let mut pictures = vec![picture(&app, &http, paths).await];
    http.service("service-past", Role::Viewer).await;
    pictures.push(picture(&app, &http, paths).await);
    let why = json!({"reason": "as a test"});
    for (command, body) in [
        ("grant-role", json!({"role": "auditor"})),
        ("suspend", why.clone()),
        ("reactivate", json!({})),
        ("revoke-role", json!({"role": "viewer"})),
        ("lay-legal-hold", why),
    ] {
        http.post(&format!("{one}/{command}"), &body).await.expect(200);
        pictures.push(picture(&app, &http, paths).await);
    }
    they_changed(&pictures);
    as_they_were(&http, &pictures).await;
    let query = "query($then: AsOf!) {
        now: principal(principal: \"service-past\") { roles legalHold }
        then: principal(principal: \"service-past\", asOf: $then) { roles legalHold }
    }";
    let then = pictures[1].position;
    let told = http.graphql(query, json!({"then": then})).await;
    assert_eq!(told["then"], json!({"roles": ["viewer"], "legalHold": false}));
    assert_eq!(told["now"], json!({"roles": ["auditor"], "legalHold": true}));
    let changed = http.get(&format!("/api/v1/difference?of={one}&since={then}")).await;
    let changed = changed.expect(200)["changes"].as_array().unwrap().clone();
    let places: Vec<&str> = changed.iter().map(|one| one["pointer"].as_str().unwrap()).collect();
    assert_eq!(places, ["/legal_hold", "/roles"]);
    assert_eq!(faults(&http.get(&format!("{one}?as_of=yesterday")).await), ["as_of"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_just_committed_is_told_as_of_its_own_position() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    network::begin(commands).await;
    for nonce in 0..20 {
        let sent = network::transfer(1, nonce, network::sender(2).address(), 1, 10);
        network::submit(commands, &sent).await;
        let position = commands.store().head().await.unwrap().position;
        let path = format!("/api/v1/transactions/{}?as_of={position}", sent.hash());
        let then = http.get(&path).await.expect(200);
        assert_eq!(then["state"], "pending", "{then:#}");
    }
    app.stop().await;
}

/// A signed anchor of a document.
fn anchor(nonce: u64) -> Transaction {
    let payload = json!({
        "type": "anchor", "algorithm": "sha256", "digest": "AB".repeat(32), "label": "a contract",
    });
    let payload = serde_json::from_value(payload).unwrap();
    network::signed(&network::sender(1), nonce, 10, payload)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_a_chain_its_blocks_and_accounts_is_said_as_of_then() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    let chain = network::chain();
    let account = |n: u64| format!("/api/v1/accounts/{}", network::sender(n).address());
    let paid = network::transfer(1, 0, network::sender(2).address(), 500, 10);
    let paths = [
        format!("/api/v1/chains/{chain}"),
        format!("/api/v1/chains/{chain}/blocks/2"),
        format!("/api/v1/heights/{chain}-2"),
        format!("/api/v1/transactions/{}", paid.hash()),
        format!("/api/v1/anchors/{}", "AB".repeat(32)),
        account(1),
        account(2),
    ];
    let mut pictures = vec![picture(&app, &http, &paths).await];
    network::begin(commands).await;
    pictures.push(picture(&app, &http, &paths).await);
    network::one_height(commands, 1).await;
    network::submit(commands, &paid).await;
    network::submit(commands, &anchor(1)).await;
    pictures.push(picture(&app, &http, &paths).await);
    for number in 2..=5 {
        network::one_height(commands, number).await;
        pictures.push(picture(&app, &http, &paths).await);
    }
    let anchored =
        http.get(&format!("/api/v1/transactions/{}", anchor(1).hash())).await.expect(200);
    assert_eq!(anchored["state"], "final", "{anchored:#}");
    they_changed(&pictures);
    as_they_were(&http, &pictures).await;
    let block = pictures.last().unwrap().answers[&paths[1]]["hash"].as_str().unwrap().to_owned();
    for Picture { position, answers } in &pictures {
        let then = http.get(&format!("/api/v1/blocks/{block}?as_of={position}")).await;
        assert!(answers[&paths[1]].is_null() || then.expect(200) == answers[&paths[1]]);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_said_of_headers_of_another_chain_is_said_as_of_then() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    let context = || RequestContext::new(Actor::new("tester", Role::SuperAdmin));
    let chain: ChainId = "seen-1".parse().unwrap();
    let mut blocks = headers::make(&chain, 6, 1).into_iter();
    let hashes: Vec<String> =
        blocks.clone().map(|block| block.signed_header.hash().to_string()).collect();
    let paths = [
        "/api/v1/chains/seen-1".to_owned(),
        "/api/v1/chains/seen-1/headers/4".to_owned(),
        format!("/api/v1/headers/{}", hashes[2]),
    ];
    let mut pictures = vec![picture(&app, &http, &paths).await];
    // So few headers to an epoch that there are several streams.
    commands.start_observation(blocks.next().unwrap(), 2, u32::MAX, context()).await.unwrap();
    pictures.push(picture(&app, &http, &paths).await);
    for block in blocks {
        commands.observe_header(&chain, block, context()).await.unwrap();
        pictures.push(picture(&app, &http, &paths).await);
    }
    they_changed(&pictures);
    as_they_were(&http, &pictures).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_moment_is_as_good_as_a_position_over_rest_and_graphql() {
    let (app, http) = start().await;
    register(&http, 1..=1).await;
    let address = ValidatorKey::number(1).address();
    let path = validator(1);
    let bond = async |amount: &str| {
        let told = http.post(&format!("{path}/bond"), &json!({"amount": amount})).await.expect(200);
        told["position"].as_u64().unwrap()
    };
    let first = bond("10").await;
    let event = http.get(&format!("/api/v1/events/{first}")).await.expect(200);
    let moment = event["record"]["at"].as_str().unwrap().to_owned();
    tokio::time::sleep(Duration::from_millis(5)).await;
    let second = bond("20").await;
    let now = answered(&http, &path, second).await;
    let then = http.get(&format!("{path}?as_of={moment}")).await.expect(200);
    assert_ne!(then["bond"], now["bond"]);
    assert_eq!(then, http.get(&format!("{path}?as_of={first}")).await.expect(200));
    assert_eq!(now, http.get(&format!("{path}?as_of=2100-01-01T00:00:00Z")).await.expect(200));
    http.get(&format!("{path}?as_of=2000-01-01T00:00:00Z")).await.expect(404);

    let query = "query($of: Address!, $then: AsOf!) {
        now: validator(address: $of) { bond chain { chainId } }
        then: validator(address: $of, asOf: $then) { bond version }
        never: validator(address: $of, asOf: \"1\") { bond }
    }";
    for point in [json!(first), json!(first.to_string()), json!(moment)] {
        let told = http.graphql(query, json!({"of": address, "then": point})).await;
        assert_eq!(told["then"]["bond"], then["bond"]);
        assert_eq!(told["now"]["bond"], now["bond"]);
        assert_eq!(told["never"], Value::Null);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_point_of_the_past_is_told_so_and_nothing_of_now_is_given_for_the_past() {
    let (app, http) = start().await;
    register(&http, 1..=1).await;
    let address = ValidatorKey::number(1).address();
    let path = validator(1);
    for wrong in ["yesterday", "-1", "99999999999999999999", "", "2026-13-01T00:00:00Z"] {
        let answer = http.get(&format!("{path}?as_of={wrong}")).await;
        assert_eq!(problem(&answer), "invalid-parameter", "{wrong}");
        assert_eq!(faults(&answer), ["as_of"], "{wrong}");
    }
    assert_eq!(problem(&http.get(&format!("{path}?as_of=1000000")).await), "log-restored");
    let list = http.get("/api/v1/validators?as_of=1").await;
    assert_eq!(faults(&list), ["as_of"]);
    let query = "query($of: Address!) {
        validator(address: $of, asOf: \"3\") { bond ... on Validator { chain { chainId } } }
    }";
    let body = json!({"query": query, "variables": {"of": address}});
    let told = http.post("/graphql", &body).await.expect(200);
    assert_eq!(told["data"]["validator"], Value::Null);
    let detail = told["errors"][0]["message"].as_str().unwrap();
    assert!(detail.contains("chain is another thing"), "{told:#}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn questions_about_the_past_at_the_same_time_do_not_see_each_other() {
    let (app, http) = start().await;
    register(&http, 1..=3).await;
    let mut bonds = BTreeMap::new();
    for number in [1, 2, 3, 1, 2, 3, 1, 2, 3] {
        let path = validator(number);
        let told = http.post(&format!("{path}/bond"), &json!({"amount": "5"})).await.expect(200);
        let position = told["position"].as_u64().unwrap();
        bonds.insert((path.clone(), position), answered(&http, &path, position).await);
    }
    let asked = (0..10).flat_map(|_| bonds.iter()).map(async |((path, position), then)| {
        let told = http.get(&format!("{path}?as_of={position}")).await.expect(200);
        assert_eq!(&told, then, "{path} as of {position}");
    });
    futures::future::join_all(asked).await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_that_nothing_can_be_called_is_a_fault_of_who_asks() {
    let (app, http) = start().await;
    let query = "query($id: String!) { alert(alert: $id, asOf: \"1\") { version } }";
    for id in ["", " ", "\u{0}", &"x".repeat(300)] {
        let asked = json!({"query": query, "variables": {"id": id}});
        let told = http.post("/graphql", &asked).await.expect(200);
        let why = &told["errors"][0]["extensions"];
        assert_eq!(why["type"], "/problems/invalid-parameter", "{id:?}: {why}");
    }
    assert_eq!(http.graphql(query, json!({"id": "a-b"})).await["alert"], Value::Null);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_difference_between_two_points_is_told_member_by_member() {
    let (app, http) = start().await;
    let before = at_rest(&app).await;
    register(&http, 1..=1).await;
    let registered = at_rest(&app).await;
    let (path, address) = (validator(1), ValidatorKey::number(1).address());
    http.post(&format!("{path}/bond"), &json!({"amount": "5"})).await.expect(200);
    http.post(&format!("{path}/update-profile"), &json!({"moniker": "new"})).await.expect(200);
    let flag = "/api/v1/flags/flag_1";
    http.post(&format!("{flag}/create-flag"), &json!({"description": "x"})).await.expect(200);
    let difference =
        async |of: &str, query: &str| http.get(&format!("/api/v1/difference?of={of}{query}")).await;
    let told = difference(&path, &format!("&since={registered}")).await.expect(200);
    let pointers: Vec<&str> = told["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["pointer"].as_str().unwrap())
        .collect();
    assert_eq!(pointers, ["/bond", "/moniker", "/position", "/stake", "/updated_at", "/version"]);
    assert_eq!(told["changes"][1]["to"], "new");
    assert_eq!(told["since"], registered.to_string());
    let same = difference(&path, &format!("&since={registered}&until={registered}")).await;
    assert_eq!(same.expect(200)["changes"], json!([]));
    let came = difference(&path, &format!("&since={before}&until={registered}")).await.expect(200);
    assert_eq!(came["changes"][0]["pointer"], "");
    assert_eq!(came["changes"][0]["to"]["address"], json!(address));
    let query = "query($of: String!, $since: AsOf!) {
        difference(of: $of, since: $since) { since until changes { pointer from to } }
    }";
    let asked = json!({"of": path, "since": registered});
    assert_eq!(http.graphql(query, asked).await["difference"]["changes"], told["changes"]);

    let missing = difference("/api/v1/flags/flag_2", "&since=1").await;
    assert_eq!(problem(&missing), "not-found");
    for of in ["/api/v1/validators", "/livez", "nothing", "/api/v1/log", "/api/v1/flags/x?y=1"] {
        let answer = difference(of, "&since=1").await;
        assert_eq!((problem(&answer), faults(&answer)), wrong("of"), "{of}");
    }
    assert_eq!(faults(&difference(&path, "").await), ["since"]);
    assert_eq!(faults(&difference(&path, "&since=x").await), ["since"]);
    // Whoever may not see a thing may not see what changed of it either.
    let auditor = http.service("service-auditor", Role::Auditor).await;
    let of_flag = format!("/api/v1/difference?of={flag}&since=1");
    assert_eq!(auditor.get(flag).await.status, auditor.get(&of_flag).await.status);
    let viewer = http.service("service-viewer", Role::Viewer).await;
    assert_eq!(problem(&viewer.get(&of_flag).await), "not-permitted");
    app.stop().await;
}

fn wrong(parameter: &str) -> (String, Vec<String>) {
    ("invalid-parameter".to_owned(), vec![parameter.to_owned()])
}
