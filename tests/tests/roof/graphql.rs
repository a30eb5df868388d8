//! GraphQL: connections, node ids, limits, errors, and how many statements a query costs.

use commands::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::SETUP_EVENTS,
    http::{Answer, Http},
};

use super::{problem, proxy::Proxy, register, send, shown, start, validator};

const RESPONSE: &str = "application/graphql-response+json";

pub(super) async fn ask(http: &Http, query: &str) -> Answer {
    http.post("/graphql", &json!({"query": query})).await
}

/// The kind of problem the first error is.
fn kind(answer: &Answer) -> String {
    let error = &answer.body["errors"][0];
    assert!(error["message"].is_string(), "{:#}", answer.body);
    let extensions = &error["extensions"];
    assert_eq!(extensions["instance"], answer.header("x-request-id"), "{:#}", answer.body);
    assert!(extensions["status"].is_u64() && extensions["detail"].is_string(), "{extensions:#}");
    extensions["type"].as_str().unwrap().strip_prefix("/problems/").unwrap().to_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_walked_by_its_cursors() {
    let (app, http) = start().await;
    register(&http, 1..24).await;
    let query = "query($after: String) { validators(first: 5, after: $after, sort: ADDRESS) {
        edges { cursor node { address } } pageInfo { hasNextPage hasPreviousPage endCursor } } }";
    let (mut found, mut after) = (Vec::new(), Value::Null);
    loop {
        let page = http.graphql(query, json!({"after": after})).await;
        let page = &page["validators"];
        assert_eq!(page["pageInfo"]["hasPreviousPage"], !after.is_null());
        for edge in page["edges"].as_array().unwrap() {
            found.push(edge["node"]["address"].as_str().unwrap().to_owned());
        }
        if page["pageInfo"]["hasNextPage"] == false {
            break;
        }
        after = page["pageInfo"]["endCursor"].clone();
    }
    assert_eq!(found.len(), 23);
    assert!(found.is_sorted_by(|one, other| one < other), "each once, in order");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn rest_and_graphql_tell_the_same() {
    let (app, http) = start().await;
    register(&http, 1..2).await;
    let rest = http.get(&validator(1)).await.expect(200);
    let address = rest["address"].as_str().unwrap();
    // What is nested reflects the position as well, though it is another read model's.
    let query = "query($address: Address!, $at: Position) {
        validator(address: $address, minPosition: $at) {
        id address moniker power stake standing version position registeredAt
        reputationHistory { nodes { cause to } } } }";
    let told = http.graphql(query, json!({"address": address, "at": rest["position"]})).await;
    let told = &told["validator"];
    for member in ["address", "moniker", "power", "stake", "version", "position"] {
        assert_eq!(told[member], rest[member], "{member}");
    }
    assert_eq!(told["registeredAt"], rest["registered_at"]);
    assert_eq!(told["standing"], "REGISTERED");
    assert_eq!(told["reputationHistory"]["nodes"][0]["cause"], "REGISTRATION");
    let node = "query($id: ID!) { node(id: $id) { __typename id } nodes(ids: [$id]) { id } }";
    let found = http.graphql(node, json!({"id": told["id"]})).await;
    assert_eq!(found["node"], json!({"__typename": "Validator", "id": told["id"]}));
    assert_eq!(found["nodes"][0]["id"], told["id"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_much_at_once_is_refused_by_name() {
    let (app, http) = start().await;
    let deep = format!(
        "{{ validators {{ nodes {{ {}address{} }} }} }}",
        "chain { head { proposerValidator { ".repeat(9),
        " } } }".repeat(9)
    );
    let aliases: String = (0..31).map(|n| format!("a{n}: __typename ")).collect();
    let fields = "__typename ".repeat(2_001);
    let directives = format!("{{ __typename {} }}", "@include(if: true) ".repeat(11));
    let wide = "{ validators(first: 100) { nodes { delegations(first: 100) { nodes { validator {
        address moniker power } } } } } }";
    let mut doubling = "{ ...F0 }".to_owned();
    for n in 0..30 {
        doubling += &format!(" fragment F{n} on Query {{ ...F{} ...F{} }}", n + 1, n + 1);
    }
    doubling += " fragment F30 on Query { __typename }";
    for (name, query) in [
        ("deep", deep.as_str()),
        ("aliases", &format!("{{ {aliases} }}")),
        ("fields", &format!("{{ {fields} }}")),
        ("directives", &directives),
        ("wide", wide),
        ("doubling", &doubling),
    ] {
        let answer = ask(&http, query).await;
        assert_eq!(kind(&answer), "query-limit", "{name}");
        assert!(answer.body.get("data").is_none(), "{name}");
    }
    let batch: Vec<Value> = (0..11).map(|_| json!({"query": "{ __typename }"})).collect();
    assert_eq!(kind(&http.post("/graphql", &json!(batch)).await), "query-limit");
    let pair =
        http.post("/graphql", &json!([{"query": "{ __typename }"}, {"query": "{ x }"}])).await;
    assert_eq!(pair.body[0]["data"]["__typename"], "Query");
    assert_eq!(pair.body[1]["errors"][0]["extensions"]["type"], "/problems/invalid-query");
    for first in [0, -1, 101] {
        let answer =
            ask(&http, &format!("{{ validators(first: {first}) {{ nodes {{ id }} }} }}")).await;
        assert_eq!(kind(&answer), "invalid-parameter", "{first}");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_no_request_is_answered_as_graphql_over_http_asks() {
    let (app, http) = start().await;
    let post = |accept: &str, body: &str| {
        let request = http.request(Method::POST, "/graphql").header("accept", accept.to_owned());
        request.header("content-type", "application/json").body(body.to_owned())
    };
    for (body, json, response) in [
        ("{", 400, 400),
        ("{\"query\": 7}", 400, 400),
        ("{}", 400, 400),
        ("7", 400, 400),
        ("{\"query\": \"{ x }\", \"variables\": []}", 400, 400),
        ("{\"query\": \"{\"}", 200, 400),
        ("{\"query\": \"{ nothing }\"}", 200, 400),
        ("{\"query\": \"{ __typename }\"}", 200, 200),
        // The field was asked for and failed: that is an answer, with data null.
        ("{\"query\": \"{ chain(chainId: \\\"a b\\\") { id } }\"}", 200, 200),
        ("{\"query\": \"{ node(id: \\\"x\\\") { id } }\"}", 200, 200),
    ] {
        let old = send(post("application/json", body)).await;
        assert_eq!(old.status, json, "{body} {:#}", old.body);
        assert!(old.header("content-type").starts_with("application/json"), "{body}");
        let new = send(post(RESPONSE, body)).await;
        assert_eq!(new.status, response, "{body} {:#}", new.body);
        assert!(new.header("content-type").starts_with(RESPONSE), "{body}");
    }
    assert_eq!(send(post("text/html", "{}")).await.status, 406);
    let form = http.request(Method::POST, "/graphql").header("content-type", "text/plain");
    assert_eq!(send(form.body("{ __typename }")).await.status, 415);
    let get = http.get("/graphql?query=%7B__typename%7D&variables=%7B%7D").await.expect(200);
    assert_eq!(get["data"]["__typename"], "Query");
    assert_eq!(http.get("/graphql").await.status, 400);
    assert_eq!(http.get("/graphql?query=mutation%7Bx%7D").await.status, 405);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn standard_introspection_passes_and_every_field_of_the_root_has_its_access() {
    let (app, http) = start().await;
    let standard = include_str!("introspection.graphql");
    let schema = http.graphql(standard, json!({})).await;
    let types = schema["__schema"]["types"].as_array().unwrap().clone();
    let query = types.iter().find(|one| one["name"] == "Query").unwrap();
    let mut fields: Vec<&str> = Vec::new();
    for field in query["fields"].as_array().unwrap() {
        fields.push(field["name"].as_str().unwrap());
        assert!(field["description"].as_str().is_some_and(|words| !words.is_empty()), "{field}");
    }
    let mut listed: Vec<&str> = api::graphql::ACCESS.iter().map(|(name, _)| *name).collect();
    fields.sort_unstable();
    listed.sort_unstable();
    assert_eq!(fields, listed);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_may_ask_what_is_public_and_nothing_else() {
    let (app, http) = start().await;
    register(&http, 1..2).await;
    let client = reqwest::Client::new();
    let ask = |query: &str| {
        let url = format!("http://{}/graphql", app.server.address());
        client.post(url).json(&json!({"query": query}))
    };
    let open = send(ask("{ validators { nodes { moniker } } chains { nodes { chainId } } }")).await;
    assert_eq!(open.body["data"]["validators"]["nodes"][0]["moniker"], "test");
    for query in [
        "{ events { nodes { type } } }",
        "{ event(position: \"1\") { type } }",
        "{ stream(name: \"a-b\") { nodes { type } } }",
        "{ projections { name } }",
    ] {
        let answer = send(ask(query)).await;
        assert_eq!(kind(&answer), "not-authenticated", "{query}");
        let known = super::graphql::ask(&http, query).await;
        assert!(known.body["errors"].is_null(), "{query}: {:#}", known.body);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_query_waits_for_a_position_and_says_what_it_reflects() {
    let (app, http) = start().await;
    register(&http, 1..2).await;
    let position = SETUP_EVENTS + 1;
    let query = format!("{{ validators(minPosition: {position}) {{ nodes {{ id }} }} }}");
    let seen = ask(&http, &query).await;
    assert_eq!(seen.header("position"), position.to_string());
    let late = ask(&http, "{ validators(minPosition: \"9\") { nodes { id } } }").await;
    assert_eq!(kind(&late), "log-restored");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_list_costs_the_same_number_of_statements_however_long_it_is() {
    let database = tests::database::TestDatabase::create().await;
    let proxy = Proxy::before(&database.url()).await;
    let app = tests::app::TestApp::start_with(&[("database_url", &proxy.url())]).await;
    let http = app.http();
    register(&http, 1..41).await;
    let query = "query($first: Int) { validators(first: $first) { nodes {
        chain { chainId } delegations(first: 3) { nodes { amount } }
        slashings(first: 3) { nodes { offence } } reputationHistory(first: 3) { nodes { to } } } } }";
    let mut counts = Vec::new();
    for first in [2, 40] {
        // The followers' polling speaks now and then: the least of several is the query's own.
        let mut least = u64::MAX;
        for _ in 0..20 {
            let before = proxy.statements();
            let data = http.graphql(query, json!({"first": first})).await;
            assert_eq!(data["validators"]["nodes"].as_array().unwrap().len() as u64, first);
            least = least.min(proxy.statements() - before);
        }
        counts.push(least);
    }
    assert!((1..=8).contains(&counts[0]), "{counts:?}");
    assert_eq!(counts[0], counts[1], "statements for 2 and for 40 validators");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_page_to_ask_on_comes_out_of_the_program_itself() {
    let (app, http) = start().await;
    let get = |path: &str| {
        let request = http.request(reqwest::Method::GET, path);
        tests::http::Http::send(request.header("accept-encoding", "gzip"))
    };
    for path in ["/graphiql", "/graphiql/", "/docs/"] {
        let page = get(path).await.unwrap();
        assert_eq!(page.status, 200, "{path} leads to its page");
        assert!(page.header("content-security-policy").contains("script-src 'self'"), "{path}");
    }
    let page = get("/graphiql/index.html").await.unwrap().body;
    let page = page.as_str().unwrap();
    assert!(!page.contains("//"), "it asks nobody else: {page}");
    for file in page.split('"').filter(|part| part.ends_with(".js") || part.ends_with(".css")) {
        let found = get(&format!("/graphiql/{file}")).await.unwrap();
        assert_eq!(found.status, 200, "{file}");
        let form = found.header("content-type");
        assert!(form.starts_with("text/javascript") || form.starts_with("text/css"), "{form}");
    }
    let plain = http.get("/graphiql/react.js").await;
    assert_eq!((plain.status, problem(&plain).as_str()), (406, "not-acceptable"));
    assert_eq!(http.get("/graphiql/nothing.js").await.status, 404);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_that_are_never_asked_one_by_one_are_the_same_as_over_rest() {
    let (app, admin) = start().await;
    register(&admin, 1..3).await;
    let north = admin.service("service-north", Role::Admin).await;
    let path = "/api/v1/settings/network.peer_watch";
    for stale in [60_000, 70_000] {
        let body = json!({"reason": "as a test", "value": {"peer_stale_ms": stale}});
        let proposed = admin.post(&format!("{path}/propose"), &body).await.expect(200);
        let proposal = &proposed["events"][0]["data"]["proposal"];
        let approve = json!({ "proposal": proposal });
        north.post(&format!("{path}/approve"), &approve).await.expect(200);
        shown(&admin, path, |seen| seen["value"]["peer_stale_ms"] == stale).await;
    }
    let validator = super::validator(1);
    let address = format!("{:?}", validator.rsplit('/').next().unwrap());
    let of_validator = |list: &str| format!("{validator}/{list}");
    let of_north = |list: &str| format!("/api/v1/principals/service-north/{list}");
    let mut rows = 0;
    // Where it is asked over REST and over GraphQL, and a member of a row.
    for (path, field, member) in [
        ("/api/v1/roles".to_owned(), "roles".to_owned(), "role"),
        (of_north("api-keys"), "apiKeys(principal: \"service-north\")".to_owned(), "key"),
        (of_north("sessions"), "sessions(principal: \"service-north\")".to_owned(), "session"),
        (
            format!("{path}/versions"),
            "settingVersions(key: \"network.peer_watch\")".to_owned(),
            "number",
        ),
        (of_validator("performances"), format!("performances(address: {address})"), "epoch"),
        (of_validator("unbondings"), format!("unbondings(validator: {address})"), "amount"),
        (
            "/api/v1/chains/roof-1/forks?sort=oldest".to_owned(),
            "forks(chainId: \"roof-1\", sort: OLDEST)".to_owned(),
            "height",
        ),
        (
            "/api/v1/chains/roof-1/rejections".to_owned(),
            "rejections(chainId: \"roof-1\")".to_owned(),
            "code",
        ),
        (
            "/api/v1/validator-sets/roof-1/epochs".to_owned(),
            "validatorSets(chainId: \"roof-1\")".to_owned(),
            "epoch",
        ),
    ] {
        let told = admin.get(&path).await.expect(200);
        let query = format!("{{ list: {field} {{ nodes {{ {member} }} }} }}");
        let asked = admin.graphql(&query, json!({})).await;
        let members = |rows: &Value| -> Vec<Value> {
            rows.as_array().unwrap().iter().map(|row| row[member].clone()).collect()
        };
        assert_eq!(members(&asked["list"]["nodes"]), members(&told["items"]), "{query}");
        rows += told["items"].as_array().unwrap().len();
    }
    assert!(rows >= 8, "only {rows} rows were compared");
    // Who showed a key is on record a second later.
    let query = "{ accessRecords(principal: \"service-north\", outcome: \"allowed\") \
                 { nodes { operation count } } }";
    let begun = std::time::Instant::now();
    while admin.graphql(query, json!({})).await["accessRecords"]["nodes"] == json!([]) {
        assert!(begun.elapsed().as_secs() < 20, "nobody was recorded");
        tokio::time::sleep(std::time::Duration::from_millis(200)).await;
    }
    let neither = ask(&admin, "{ unbondings { nodes { amount } } }").await;
    assert_eq!(kind(&neither), "invalid-parameter");
    let odd = ask(&admin, "{ accessRecords(outcome: \"maybe\") { nodes { id } } }").await;
    assert_eq!(kind(&odd), "invalid-parameter");
    let nobody = ask(&admin, "{ sessions(principal: \"nobody\") { nodes { session } } }").await;
    assert_eq!(kind(&nobody), "not-found");
    app.stop().await;
}
