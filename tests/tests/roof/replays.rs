//! Replays: whatever was answered from read models at a position is answered from a replay that
//! ends there; and a replay is built whoever dies, and goes by itself.

use std::time::{Duration, Instant};

use reqwest::Method;
use serde_json::{Value, json};
use sqlx::{Connection as _, PgConnection};
use tests::{
    http::{Answer, Http},
    network,
    node0::Node0,
    own_cluster::OwnCluster,
};

use super::{
    faults,
    past::{Picture, answered, picture},
    problem, register, start, validator,
};

const REPLAYS: &str = "/api/v1/replays";
/// How long a replay of a test may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Asks for a replay; its id.
async fn asked(http: &Http, body: &Value) -> String {
    let answer = http.post(REPLAYS, body).await;
    let place = answer.header("location").to_owned();
    let replay = answer.expect(201);
    let id = replay["id"].as_str().unwrap().to_owned();
    assert_eq!((place, &replay["state"]), (format!("{REPLAYS}/{id}"), &json!("building")));
    id
}

/// Waits until it is ready; what is said of it then.
async fn ready(http: &Http, id: &str) -> Value {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let replay = http.get(&format!("{REPLAYS}/{id}")).await.expect(200);
        if replay["state"] == "ready" {
            return replay;
        }
        assert!(Instant::now() < deadline, "{replay:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn replayed(http: &Http, until: u64) -> String {
    let id = asked(http, &json!({"until": until.to_string()})).await;
    let replay = ready(http, &id).await;
    assert_eq!(
        (&replay["position"], &replay["until"]),
        (&replay["until"], &json!(until.to_string()))
    );
    assert_eq!((&replay["parked"], &replay["error"]), (&json!("0"), &Value::Null));
    id
}

fn within(path: &str, id: &str) -> String {
    let and = if path.contains('?') { '&' } else { '?' };
    format!("{path}{and}replay={id}")
}

/// All that was answered at a position is answered by a replay that ends there.
async fn answers(http: &Http, picture: &Picture) {
    let id = replayed(http, picture.position).await;
    for (path, then) in &picture.answers {
        let answer = http.get(&within(path, &id)).await;
        if then.is_null() {
            assert_eq!(answer.status, 404, "{path}: {:#}", answer.body);
            continue;
        }
        assert_eq!(answer.header("position"), picture.position.to_string(), "{path}");
        assert_eq!(&answer.expect(200), then, "{path}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_was_answered_at_a_position_a_replay_answers() {
    let (app, http) = start().await;
    let commands = app.server.commands();
    let chain = network::chain();
    let paid = network::transfer(1, 0, network::sender(2).address(), 500, 10);
    let paths = [
        "/api/v1/chains".to_owned(),
        format!("/api/v1/chains/{chain}"),
        format!("/api/v1/chains/{chain}/heights"),
        format!("/api/v1/chains/{chain}/leaderboard"),
        "/api/v1/validators?sort=moniker".to_owned(),
        validator(1),
        format!("{}/delegations", validator(1)),
        "/api/v1/transactions".to_owned(),
        format!("/api/v1/transactions/{}", paid.hash()),
        "/api/v1/mempool".to_owned(),
        "/api/v1/accounts".to_owned(),
        "/api/v1/blocks?state=final".to_owned(),
        "/api/v1/activity".to_owned(),
        "/api/v1/flags".to_owned(),
        "/api/v1/settings".to_owned(),
        "/api/v1/alerts".to_owned(),
    ];
    network::begin(commands).await;
    register(&http, 1..=3).await;
    network::one_height(commands, 1).await;
    network::submit(commands, &paid).await;
    let first = picture(&app, &http, &paths).await;
    network::one_height(commands, 2).await;
    http.post("/api/v1/flags/flag_1/create-flag", &json!({"description": "x"})).await.expect(200);
    http.post(&format!("{}/bond", validator(1)), &json!({"amount": "5"})).await.expect(200);
    let second = picture(&app, &http, &paths).await;
    let changed = paths.iter().filter(|path| first.answers[*path] != second.answers[*path]);
    assert!(changed.count() > 8);
    // The later one first: neither knows of the other, nor the present of both.
    answers(&http, &second).await;
    answers(&http, &first).await;
    let now = picture(&app, &http, &paths).await;
    assert_eq!(now.answers, second.answers);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_asked_over_graphql_and_page_by_page() {
    let (app, http) = start().await;
    register(&http, 1..=3).await;
    let until = app.server.commands().store().head().await.unwrap().position;
    let id = replayed(&http, until).await;
    http.post(&format!("{}/bond", validator(1)), &json!({"amount": "5"})).await.expect(200);
    register(&http, 4..=4).await;

    let query = "{ validators(sort: ADDRESS) { nodes { address bond chain { chainId } } } }";
    let body = json!({"query": query});
    let now = http.post("/graphql", &body).await.expect(200);
    let answer = http.post(&within("/graphql", &id), &body).await;
    assert_eq!(answer.header("position"), until.to_string());
    let then = answer.expect(200);
    let bonds = |told: &Value| -> Vec<Value> {
        let nodes = told["data"]["validators"]["nodes"].as_array().unwrap().clone();
        nodes.into_iter().map(|node| node["bond"].clone()).collect()
    };
    assert_eq!((bonds(&now).len(), bonds(&then).len()), (4, 3), "{then:#}");

    let mut path = within("/api/v1/validators?sort=address&first=2", &id);
    let mut seen = Vec::new();
    loop {
        let page = http.get(&path).await;
        let link = page.headers.get("link").map(|link| link.to_str().unwrap().to_owned());
        seen.extend(page.expect(200)["items"].as_array().unwrap().clone());
        let Some(link) = link else { break };
        path = link[1..].split_once('>').unwrap().0.to_owned();
    }
    let all = http.get(&within("/api/v1/validators?sort=address", &id)).await.expect(200);
    assert_eq!(&json!(seen), &all["items"]);

    for (query, why) in [
        ("{ events { nodes { position } } }", "nothing of it but the present"),
        ("{ projections { name } }", "nothing of it but the present"),
        ("{ roles { nodes { role } } }", "nothing of it but the present"),
        ("{ validator(address: \"00\", minPosition: \"999\") { bond } }", ""),
        ("mutation { x: __typename }", "it takes queries"),
    ] {
        let told = http.post(&within("/graphql", &id), &json!({"query": query})).await.body;
        let message = told["errors"][0]["message"].as_str().unwrap_or_else(|| panic!("{told:#}"));
        assert!(message.contains(why), "{told:#}");
    }
    let listed = http.graphql("{ replays { nodes { id state until } } }", json!({})).await;
    assert_eq!(listed["replays"]["nodes"][0]["id"], json!(id));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_replay_does_not_have_or_cannot_is_told() {
    let (app, http) = start().await;
    register(&http, 1..=1).await;
    let id = asked(&http, &json!({"projections": ["validators", "validators"]})).await;
    assert_eq!(ready(&http, &id).await["projections"], json!(["validators"]));
    http.get(&within(&validator(1), &id)).await.expect(200);
    let refused = async |path: &str| -> Answer {
        let answer = http.get(path).await;
        assert_eq!(problem(&answer), "invalid-parameter", "{path}");
        answer
    };
    for path in [
        &within("/api/v1/chains", &id),
        &within("/api/v1/events", &id),
        &within("/api/v1/projections", &id),
        "/api/v1/validators?replay=yesterday",
        &within(&within("/api/v1/validators", &id), &id),
    ] {
        assert_eq!(faults(&refused(path).await), ["replay"], "{path}");
    }
    let commanded = http.post(&within(&format!("{}/bond", validator(1)), &id), &json!({})).await;
    assert_eq!(
        (problem(&commanded), faults(&commanded)),
        ("invalid-parameter".into(), vec!["replay".into()])
    );
    let request = http.request(Method::GET, &within("/api/v1/validators", &id));
    let later = Http::send(request.header("min-position", "99999")).await.unwrap();
    assert_eq!(
        (problem(&later), faults(&later)),
        ("invalid-parameter".into(), vec!["Min-Position".into()])
    );
    let nobody = uuid::Uuid::now_v7().to_string();
    assert_eq!(problem(&http.get(&within("/api/v1/validators", &nobody)).await), "not-found");
    for (body, pointers) in [
        (json!({"until": "soon", "keep_s": 0}), vec!["/keep_s", "/until"]),
        (json!({"projections": ["validators", "nothing"]}), vec!["/projections/1"]),
        (json!({"projections": []}), vec!["/projections"]),
    ] {
        let answer = http.post(REPLAYS, &body).await;
        assert_eq!(
            (problem(&answer), faults(&answer)),
            ("invalid-body".into(), pointers.into_iter().map(str::to_owned).collect())
        );
    }
    assert_eq!(problem(&http.post(REPLAYS, &json!({"until": "99999"})).await), "log-restored");
    let viewer = http.service("service-viewer", commands::Role::Viewer).await;
    assert_eq!(problem(&viewer.post(REPLAYS, &json!({})).await), "not-permitted");
    viewer.get(&within(&validator(1), &id)).await.expect(200);
    app.stop().await;
}

/// How many databases of replays there are beside a database.
async fn databases(url: &str, name: &str) -> i64 {
    let mut connection = PgConnection::connect(url).await.unwrap();
    let sql = "select count(*) from pg_database where starts_with(datname, $1)";
    let count = sqlx::query_scalar(sql).bind(format!("{name}_replay_"));
    count.fetch_one(&mut connection).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn replays_go_when_they_are_cancelled_and_by_themselves_and_there_are_only_so_many() {
    let (app, http) = start().await;
    register(&http, 1..=1).await;
    let (url, name) = (app.database.url(), app.database.name().to_owned());
    let cancelled = asked(&http, &json!({"projections": ["validators"]})).await;
    ready(&http, &cancelled).await;
    http.get(&within(&validator(1), &cancelled)).await.expect(200);
    assert_eq!(databases(&url, &name).await, 1);
    http.post(&format!("{REPLAYS}/{cancelled}/cancel"), &json!({})).await.expect(204);
    assert_eq!(problem(&http.get(&within(&validator(1), &cancelled)).await), "not-found");
    let short = asked(&http, &json!({"projections": ["validators"], "keep_s": 2})).await;
    ready(&http, &short).await;
    let deadline = Instant::now() + PATIENCE;
    while databases(&url, &name).await > 0 {
        assert!(Instant::now() < deadline, "they are still there");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    for id in [&cancelled, &short] {
        assert_eq!(problem(&http.get(&format!("{REPLAYS}/{id}")).await), "not-found");
        assert_eq!(problem(&http.get(&within(&validator(1), id)).await), "not-found");
        let again = http.post(&format!("{REPLAYS}/{id}/cancel"), &json!({})).await;
        assert_eq!(problem(&again), "not-found");
    }
    for _ in 0..api::replays::REPLAYS_MAX {
        asked(&http, &json!({"projections": ["validators"]})).await;
    }
    let one_more = http.post(REPLAYS, &json!({"projections": ["validators"]})).await;
    assert_eq!(problem(&one_more), "refused");
    assert_eq!(one_more.body["refusal"], json!({"code": "too-many-replays", "at_most": 8}));
    assert!(one_more.body["detail"].as_str().unwrap().contains("cancel one"));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replay_is_built_by_whoever_comes_after_a_server_that_was_killed() {
    let own = OwnCluster::empty();
    let node0 = Node0::on_folder(own.folder());
    let http = node0.http();
    register(&http, 1..=2).await;
    for amount in 1..=20 {
        let bond = json!({"amount": amount.to_string()});
        http.post(&format!("{}/bond", validator(1)), &bond).await.expect(200);
    }
    let head = http.get("/api/v1/log").await.header("position").parse().unwrap();
    let now = answered(&http, &validator(1), head).await;
    let id = asked(&http, &json!({})).await;
    node0.kill();
    let node0 = Node0::on_folder(own.folder());
    let http = node0.http();
    ready(&http, &id).await;
    assert_eq!(http.get(&within(&validator(1), &id)).await.expect(200), now);
    node0.stop();
}
