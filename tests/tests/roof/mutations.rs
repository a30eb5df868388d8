//! Mutations: every command over GraphQL, with the same rules as over REST.

use api::openapi;
use commands::Role;
use serde_json::{Value, json};
use tests::{http::Http, node0::TOKEN, socket::Socket};

use super::{registration, start, validator};

/// Asks for a mutation; the whole answer.
async fn mutate(http: &Http, mutation: &str, variables: Value) -> Value {
    let body = json!({"query": mutation, "variables": variables});
    http.post("/graphql", &body).await.expect(200)
}

fn kind(answer: &Value) -> &str {
    answer["errors"][0]["extensions"]["type"].as_str().unwrap().rsplit('/').next().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_is_the_same_over_graphql_as_over_rest() {
    let (app, admin) = start().await;
    let fire = "mutation($input: AlertFireInput!, $key: String) { \
         alertFire(alert: \"lag\", input: $input, idempotencyKey: $key, waitMs: 5000) \
         { stream version position repeated shown events { type version data } } }";
    let input = json!({
        "severity": "CRITICAL", "source": {"kind": "PROGRAM"}, "summary": "read models are behind",
    });
    let variables = json!({"input": input, "key": "once"});
    let done = mutate(&admin, fire, variables.clone()).await;
    let outcome = &done["data"]["alertFire"];
    assert_eq!(
        (&outcome["stream"], &outcome["version"]),
        (&json!("alert-lag"), &json!("1")),
        "{done:#}"
    );
    assert_eq!(outcome["events"][0]["data"]["severity"], "critical");
    assert_eq!((&outcome["shown"], &outcome["repeated"]), (&json!(true), &json!(false)));
    let again = mutate(&admin, fire, variables).await;
    assert_eq!(again["data"]["alertFire"]["repeated"], true, "{again:#}");
    let query = "query($after: Position) { alert(alert: \"lag\", minPosition: $after) { \
         __typename standing severity source { kind rule } summary version ... on Alert { occurrence } } \
         alerts(severity: CRITICAL) { edges { cursor node { alert } } nodes { position } \
         pageInfo { hasNextPage } } }";
    let seen = admin.graphql(query, json!({"after": outcome["position"]})).await;
    assert_eq!(
        seen["alert"],
        json!({
            "__typename": "Alert", "standing": "FIRING", "severity": "CRITICAL", "version": "1",
            "source": {"kind": "PROGRAM", "rule": null}, "summary": "read models are behind",
            "occurrence": 1,
        })
    );
    assert_eq!(seen["alerts"]["edges"][0]["node"]["alert"], "lag");
    assert_eq!(seen["alerts"]["nodes"][0]["position"], outcome["position"]);
    // Over a WebSocket as well.
    let mut socket = Socket::ready(&app.server.address().to_string(), Some(TOKEN)).await;
    let resolve = "mutation { alertResolve(alert: \"lag\") { version } }";
    socket.subscribe("one", resolve, json!({})).await;
    let heard = socket.message().await;
    assert_eq!(heard["payload"]["data"]["alertResolve"]["version"], "2", "{heard:#}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_command_over_rest_may_not_over_graphql() {
    let (app, admin) = start().await;
    let create = "mutation { flagCreate(key: \"server.one\", \
         input: {description: \"what it switches\"}) { version } }";
    let viewer = admin.service("service-viewer", Role::Viewer).await;
    let refused = mutate(&viewer, create, json!({})).await;
    assert_eq!((kind(&refused), &refused["data"]), ("not-permitted", &Value::Null));
    let body = json!({"query": create});
    let request =
        reqwest::Client::new().post(format!("http://{}/graphql", app.server.address())).json(&body);
    assert_eq!(kind(&Http::send(request).await.unwrap().body), "not-authenticated");
    let by_get = admin.get("/graphql?query=mutation%7BflagKill(key:%22a%22)%7Bversion%7D%7D").await;
    assert_eq!(by_get.status, 405);
    // A validator's service commands its own validator only.
    let theirs =
        admin.service("validator-0000000000000000000000000000000000000000", Role::Validator);
    admin.post("/api/v1/validators", &registration(1)).await.expect(201);
    let address = validator(1).rsplit('/').next().unwrap().to_owned();
    let exit =
        "mutation($address: String!) { validatorInitiateExit(address: $address) { version } }";
    let refused = mutate(&theirs.await, exit, json!({"address": address})).await;
    assert_eq!(kind(&refused), "not-permitted", "{refused:#}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_refused_says_why_and_what_is_stale_says_where_it_is() {
    let (app, admin) = start().await;
    let rollout = "mutation($version: Position) { \
         create: flagCreate(key: \"server.one\", input: {description: \"a\"}) { version } \
         rollout: flagSetRollout(key: \"server.one\", input: {bps: 5000, targets: []}, \
         expectedVersion: $version) { version events { type } } }";
    // One after the other: the second sees what the first did.
    let stale = mutate(&admin, rollout, json!({"version": 7})).await;
    assert_eq!(kind(&stale), "stale-version", "{stale:#}");
    assert_eq!(stale["errors"][0]["extensions"]["current_version"], 1);
    assert_eq!(stale["errors"][0]["path"], json!(["rollout"]));
    let refused = mutate(&admin, rollout, json!({"version": 1})).await;
    assert_eq!(refused["errors"][0]["extensions"]["refusal"]["code"], "flag-known");
    let dry = "mutation { flagKill(key: \"server.one\", input: {reason: \"b\"}, dryRun: true) { dryRun position } }";
    let dry = mutate(&admin, dry, json!({})).await;
    assert_eq!(dry["data"]["flagKill"], json!({"dryRun": true, "position": null}));
    // What no type lets in is refused before anything is done.
    let odd =
        "mutation { flagSetRollout(key: \"server.one\", input: {bps: \"many\"}) { version } }";
    assert_eq!(kind(&mutate(&admin, odd, json!({})).await), "invalid-query");
    // What only the domain's own rules refuse names its place.
    let odd = "mutation { flagSetRollout(key: \"server.one\", input: {bps: 20000, targets: []}) { version } }";
    let odd = mutate(&admin, odd, json!({})).await;
    assert_eq!(
        (kind(&odd), &odd["errors"][0]["extensions"]["errors"][0]["pointer"]),
        ("invalid-body", &json!("/bps")),
        "{odd:#}"
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn settings_are_asked_with_what_is_proposed() {
    let (app, admin) = start().await;
    let propose = "mutation { settingPropose(key: \"network.peer_watch\", \
         input: {reason: \"slow lines\", value: {peer_stale_ms: 60000}}, waitMs: 5000) { version } }";
    let done = mutate(&admin, propose, json!({})).await;
    assert_eq!(done["data"]["settingPropose"]["version"], "1", "{done:#}");
    let query = "{ setting(key: \"network.peer_watch\") { inForce value fourEyes \
         proposal { number value proposedBy } changes { pointer from to } } \
         settings(first: 1) { nodes { key } pageInfo { hasNextPage endCursor } } \
         none: setting(key: \"no.such\") { key } }";
    let seen = admin.graphql(query, json!({})).await;
    assert_eq!(seen["setting"]["proposal"]["value"], json!({"peer_stale_ms": 60_000}), "{seen:#}");
    assert_eq!(seen["setting"]["changes"][0]["to"], json!({"peer_stale_ms": 60_000}));
    assert_eq!((&seen["setting"]["inForce"], &seen["none"]), (&json!(0), &Value::Null));
    assert_eq!(seen["settings"]["nodes"][0]["key"], "configuration.rollout");
    assert_eq!(seen["settings"]["pageInfo"]["hasNextPage"], true);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_context_is_followed_with_what_it_is_about_as_it_is_now() {
    let (app, admin) = start().await;
    let mut socket = Socket::ready(&app.server.address().to_string(), Some(TOKEN)).await;
    for (id, query) in [
        ("alert", "alertChanged { type alert { alert standing } }"),
        (
            "slo",
            "sloChanged(slo: \"fast\") { type slo { definition { objectiveBps indicator { kind } } } }",
        ),
        ("setting", "settingChanged { type setting { key proposal { number } } }"),
        ("flag", "flagChanged { type flag { key standing } }"),
        ("peer", "peerChanged { type peer { standing chainId } }"),
        ("principal", "principalChanged { type principal { principal kind roles } }"),
    ] {
        socket.subscribe(id, &format!("subscription {{ {query} }}"), json!({})).await;
    }
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    let posts = [
        (
            "alerts/lag/fire",
            json!({"severity": "info", "source": {"kind": "program"}, "summary": "a"}),
        ),
        (
            "slos/fast/define-slo",
            json!({"days": 30, "indicator": {"kind": "availability"}, "objective_bps": 9990, "title": "a"}),
        ),
        ("settings/network.peer_watch/propose", json!({"reason": "a", "value": {}})),
        ("flags/server.one/create-flag", json!({"description": "a"})),
        ("peers/observer1/announce", json!({"address": "a.example:1", "chain_id": "roof-1"})),
    ];
    for (path, body) in posts {
        admin.post(&format!("/api/v1/{path}"), &body).await.expect(200);
    }
    admin.service("service-north", Role::Viewer).await;
    let mut told = std::collections::BTreeMap::new();
    while told.len() < 6 {
        let heard = socket.message().await;
        assert_eq!(heard["type"], "next", "{heard:#}");
        let id = heard["id"].as_str().unwrap().to_owned();
        let data = heard["payload"]["data"].as_object().unwrap().values().next().unwrap().clone();
        told.entry(id).or_insert(data);
    }
    assert_eq!(
        told["alert"],
        json!({"type": "alert-fired.v1", "alert": {"alert": "lag", "standing": "FIRING"}})
    );
    let definition = json!({"objectiveBps": 9990, "indicator": {"kind": "AVAILABILITY"}});
    assert_eq!(told["slo"]["slo"], json!({"definition": definition}));
    assert_eq!(told["setting"]["setting"]["proposal"], json!({"number": 1}));
    assert_eq!(told["flag"]["flag"], json!({"key": "server.one", "standing": "ALIVE"}));
    assert_eq!(told["peer"]["peer"], json!({"standing": "KNOWN", "chainId": "roof-1"}));
    assert_eq!(told["principal"]["principal"]["principal"], "service-north");
    let who =
        admin.graphql("{ principals(first: 5) { nodes { principal kind } } }", json!({})).await;
    let nodes = who["principals"]["nodes"].as_array().unwrap().clone();
    assert!(nodes.iter().any(|node| node["principal"] == "service-north"), "{nodes:?}");
    app.stop().await;
}

/// A value of the contract's example as GraphQL takes it, by the types that the schema tells.
fn as_input(types: &Value, kind: &Value, value: &Value) -> Value {
    let of = &kind["ofType"];
    match (kind["kind"].as_str().unwrap(), value) {
        (_, Value::Null) => Value::Null,
        ("NON_NULL", value) => as_input(types, of, value),
        ("LIST", Value::Array(items)) => items.iter().map(|one| as_input(types, of, one)).collect(),
        ("ENUM", Value::String(word)) => json!(word.replace(['-', ' '], "_").to_uppercase()),
        ("INPUT_OBJECT", Value::Object(members)) => {
            let named = |one: &&Value| one["name"] == kind["name"];
            let itself = types.as_array().unwrap().iter().find(named).unwrap();
            let fields = itself["inputFields"].as_array().unwrap();
            let member = |(name, value): (&String, &Value)| {
                let field = fields.iter().find(|field| {
                    field["name"].as_str().unwrap().to_lowercase() == name.replace('_', "")
                });
                let field = field.unwrap_or_else(|| panic!("{} lacks {name}", kind["name"]));
                let name = field["name"].as_str().unwrap().to_owned();
                (name, as_input(types, &field["type"], value))
            };
            Value::Object(members.iter().map(member).collect())
        }
        (_, value) => value.clone(),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_example_of_a_command_is_taken_over_graphql() {
    let (app, admin) = start().await;
    let of = (0..6).fold("kind name".to_owned(), |of, _| format!("kind name ofType {{ {of} }}"));
    let seen = admin
        .graphql(
            &format!(
                "{{ __schema {{ types {{ name inputFields {{ name type {{ {of} }} }} }} \
                 mutationType {{ fields {{ name description args {{ name type {{ {of} }} }} }} }} }} }}"
            ),
            json!({}),
        )
        .await;
    let types = &seen["__schema"]["types"];
    let contract = openapi::document();
    let mut taken = 0;
    for field in seen["__schema"]["mutationType"]["fields"].as_array().unwrap() {
        let name = field["name"].as_str().unwrap();
        let mutation = api::graphql::path_of(name).expect("a mutation is a command");
        let operation = &contract["paths"][&mutation]["post"];
        let example = &operation["requestBody"]["content"]["application/json"]["example"];
        let (mut declared, mut passed, mut variables) = (Vec::new(), Vec::new(), json!({}));
        for argument in field["args"].as_array().unwrap() {
            let word = argument["name"].as_str().unwrap();
            let value = match word {
                "input" => as_input(types, &argument["type"], example),
                "dryRun" => json!(true),
                "idempotencyKey" | "expectedVersion" | "waitMs" | "reason" => continue,
                _ => {
                    let parameters = operation["parameters"].as_array().unwrap();
                    let path = parameters.iter().find(|one| one["in"] == "path").unwrap();
                    let schema = &path["schema"];
                    let pointer = schema["$ref"].as_str().map(|of| of.trim_start_matches('#'));
                    let schema = pointer.map_or(schema, |at| contract.pointer(at).unwrap());
                    schema["example"].clone()
                }
            };
            let kind = &argument["type"];
            let bare = kind["name"].as_str().or(kind["ofType"]["name"].as_str()).unwrap();
            let bang = if kind["kind"] == "NON_NULL" { "!" } else { "" };
            declared.push(format!("${word}: {bare}{bang}"));
            passed.push(format!("{word}: ${word}"));
            variables[word] = value;
        }
        let query = format!(
            "mutation({}) {{ {name}({}) {{ version }} }}",
            declared.join(", "),
            passed.join(", ")
        );
        let answer = mutate(&admin, &query, variables.clone()).await;
        if answer["errors"].is_null() {
            taken += 1;
            continue;
        }
        // The network may refuse it: it is empty, and of another chain than the example of an id.
        // What it was asked for it must understand.
        let of_another = answer.to_string().contains("the path names");
        let refused = ["refused", "not-found", "not-permitted"].contains(&kind(&answer));
        assert!(refused || of_another, "{query} {variables:#}\n{answer:#}");
    }
    assert!(taken >= 5, "only {taken} of them would be done");
    app.stop().await;
}
