//! GraphQL subscriptions: the protocols to the letter, and nothing lost on the way.

use std::time::{Duration, Instant};

use commands::{Actor, RequestContext, Role};
use domain::values::ChainId;
use reqwest::Method;
use rustix::process::Signal;
use serde_json::{Value, json};
use tests::{
    app::{SETUP_EVENTS, TestApp},
    database::TestDatabase,
    headers,
    http::Http,
    keys::ValidatorKey,
    log::Writer,
    node0::{Node0, TOKEN},
    socket::{Heard, Socket},
    sse::Frames,
};
use tokio_tungstenite::tungstenite::{Error, Message};

use super::{
    live::{fill, streams},
    problem, register, send, start, validator,
};

const PROTOCOL: &str = "graphql-transport-ws";
const EVENTS: &str = "subscription($after: Position) { events(after: $after) { position type } }";

fn address(app: &TestApp) -> String {
    app.server.address().to_string()
}

async fn connect(app: &TestApp) -> Socket {
    Socket::connect(&address(app), Some(PROTOCOL), Some(TOKEN), None).await.unwrap()
}

/// The kind of problem that an `error` message ends an operation with.
fn refusal(message: &Value, id: &str) -> String {
    assert_eq!((&message["type"], &message["id"]), (&json!("error"), &json!(id)), "{message:#}");
    let error = &message["payload"][0];
    assert!(error["message"].is_string(), "{message:#}");
    let kind = error["extensions"]["type"].as_str().unwrap();
    kind.strip_prefix("/problems/").unwrap().to_owned()
}

/// The positions of the next so many results of an operation over the log.
async fn positions(socket: &mut Socket, id: &str, count: usize) -> Vec<u64> {
    let mut found = Vec::with_capacity(count);
    while found.len() < count {
        let message = socket.message().await;
        assert_eq!((&message["type"], &message["id"]), (&json!("next"), &json!(id)), "{message}");
        let position = message["payload"]["data"]["events"]["position"].as_str();
        found.push(position.unwrap_or_else(|| panic!("{message:#}")).parse().unwrap());
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn who_breaks_the_protocol_is_closed_with_the_code_it_names() {
    let (app, _) = start().await;
    let init = json!({"type": "connection_init"});
    let ask = json!({"id": "1", "type": "subscribe", "payload": {"query": EVENTS}});
    let text = |value: &Value| Message::text(value.to_string());
    let bad = |value: Value| vec![text(&init), text(&value)];
    let payload = |value: Value| bad(json!({"id": "1", "type": "subscribe", "payload": value}));
    let cases: Vec<(&str, u16, Vec<Message>)> = vec![
        ("no JSON", 4400, vec![Message::text("{")]),
        ("no object", 4400, vec![Message::text("[]")]),
        ("no type", 4400, bad(json!({"id": "1"}))),
        ("unknown type", 4400, bad(json!({"type": "start", "id": "1"}))),
        ("binary", 4400, vec![Message::binary(init.to_string().into_bytes())]),
        ("no id", 4400, bad(json!({"type": "subscribe", "payload": {"query": EVENTS}}))),
        ("empty id", 4400, bad(json!({"type": "complete", "id": ""}))),
        ("no payload", 4400, bad(json!({"type": "subscribe", "id": "1"}))),
        ("no query", 4400, payload(json!({}))),
        ("query is no text", 4400, payload(json!({"query": 7}))),
        ("variables are no object", 4400, payload(json!({"query": EVENTS, "variables": []}))),
        (
            "init payload is no object",
            4400,
            vec![text(&json!({"type": "connection_init", "payload": 7}))],
        ),
        ("too early", 4401, vec![text(&ask)]),
        (
            "wrong token",
            4403,
            vec![text(
                &json!({"type": "connection_init", "payload": {"Authorization": "Bearer wrong"}}),
            )],
        ),
        ("twice the same id", 4409, vec![text(&init), text(&ask), text(&ask)]),
        ("twice introduced", 4429, vec![text(&init), text(&init)]),
        ("too large", 1009, vec![Message::text(format!("\"{}\"", "x".repeat(300_000)))]),
    ];
    for (name, code, messages) in cases {
        let mut socket = connect(&app).await;
        for message in messages {
            socket.send(message).await;
        }
        let last = loop {
            match socket.hear().await {
                Heard::Message(message) => assert_eq!(message["type"], "connection_ack", "{name}"),
                last @ (Heard::Close(..) | Heard::Cut) => break last,
            }
        };
        match last {
            Heard::Close(found, reason) => {
                assert_eq!(found, code, "{name}: {reason}");
                assert!(!reason.is_empty(), "{name}");
            }
            other @ (Heard::Message(_) | Heard::Cut) => panic!("{name}: {other:?}"),
        }
        assert_eq!(socket.hear().await, Heard::Cut, "{name}: nothing follows");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_speaks_another_protocol_or_says_nothing_is_told_so() {
    let app = TestApp::start_with(&[("streams_max", "1")]).await;
    for protocol in [Some("graphql-ws"), None] {
        let socket = Socket::connect(&address(&app), protocol, Some(TOKEN), None).await;
        match (protocol, socket) {
            (_, Ok(mut socket)) => {
                let last = socket.hear().await;
                assert!(matches!(last, Heard::Close(4406, _)), "{protocol:?} {last:?}");
            }
            // A client of this library does not accept an answer without its protocol.
            (Some(_), Err(error)) => assert!(matches!(*error, Error::Protocol(_)), "{error:?}"),
            (None, Err(error)) => panic!("{error:?}"),
        }
        emptied(&app).await;
    }
    let mut silent = connect(&app).await;
    let started = Instant::now();
    // A sign of life is no introduction.
    silent.say(json!({"type": "ping", "payload": {"a": 1}})).await;
    assert_eq!(silent.message().await, json!({"type": "pong", "payload": {"a": 1}}));
    let full = Socket::connect(&address(&app), Some(PROTOCOL), Some(TOKEN), None).await;
    assert_eq!(refused(full), 503, "there is one place");
    assert!(matches!(silent.hear().await, Heard::Close(4408, _)));
    assert!(started.elapsed() >= Duration::from_millis(2_900), "{:?}", started.elapsed());
    let wrong = Socket::connect(&address(&app), Some(PROTOCOL), Some("wrong"), None).await;
    assert_eq!(refused(wrong), 401);
    app.stop().await;
}

/// The status that a handshake was refused with.
fn refused(socket: Result<Socket, Box<Error>>) -> u16 {
    let Err(error) = socket else { panic!("it was let in") };
    let Error::Http(response) = *error else { panic!("{error:?}") };
    response.status().as_u16()
}

async fn emptied(app: &TestApp) {
    let deadline = Instant::now() + Duration::from_secs(10);
    while streams(&app.http()).await > 0 {
        assert!(Instant::now() < deadline, "the place is given back");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_operation_that_cannot_be_is_refused_and_the_connection_goes_on() {
    let (app, _) = start().await;
    let mut socket = Socket::ready(&address(&app), Some(TOKEN)).await;
    for (query, kind) in [
        ("subscription {", "invalid-query"),
        ("subscription { nothing }", "invalid-query"),
        ("subscription { events { nothing } }", "invalid-query"),
        ("subscription { a: events { type } b: events { type } }", "invalid-query"),
        (
            "subscription { ...F } fragment F on Subscription { events { type } __typename }",
            "invalid-query",
        ),
        ("subscription { events(stream: \"x\") { type } }", "invalid-parameter"),
        ("subscription { events(correlation: \"x\") { type } }", "invalid-parameter"),
        ("subscription { events(after: 7) { type } }", "log-restored"),
        ("{ nothing }", "invalid-query"),
    ] {
        socket.subscribe("same", query, json!({})).await;
        assert_eq!(refusal(&socket.message().await, "same"), kind, "{query}");
    }
    let many = "subscription($types: [String!]) { events(types: $types) { type } }";
    socket.subscribe("many", many, json!({"types": vec!["a.v1"; 33]})).await;
    assert_eq!(refusal(&socket.message().await, "many"), "invalid-parameter");
    socket.subscribe("q", "{ validators { nodes { address } } }", json!({})).await;
    let answer = socket.message().await;
    let expected = json!({"data": {"validators": {"nodes": []}}});
    assert_eq!(answer, json!({"id": "q", "type": "next", "payload": expected}));
    assert_eq!(socket.message().await, json!({"id": "q", "type": "complete"}));
    for n in 0..64 {
        socket.subscribe(&n.to_string(), EVENTS, json!({})).await;
    }
    socket.subscribe("64", EVENTS, json!({})).await;
    assert_eq!(refusal(&socket.message().await, "64"), "query-limit");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_subscription_brings_every_event_once_and_stops_when_it_is_completed() {
    const REQUESTS: u64 = 40;
    let (app, _) = start().await;
    let mut writing = Vec::new();
    for n in 0..3 {
        let writer = Writer::open(&app.database.url()).await;
        writing.push(tokio::spawn(async move {
            for request in 0..REQUESTS {
                let events = ["thing-happened.v1", "thing-ended.v1"];
                writer.append(&format!("load-{n}"), request * 2, &events, 50).await;
            }
            writer
        }));
    }
    let total = SETUP_EVENTS + 3 * REQUESTS * 2;
    let mut socket = Socket::ready(&address(&app), Some(TOKEN)).await;
    socket.subscribe("a", EVENTS, json!({"after": "0"})).await;
    let found = positions(&mut socket, "a", total as usize).await;
    assert_eq!(found, (1..=total).collect::<Vec<u64>>());
    // Another one by the same id is another one: nothing of the first is mixed into it.
    socket.say(json!({"id": "a", "type": "complete"})).await;
    socket.subscribe("a", EVENTS, json!({"after": total - 10})).await;
    let found = positions(&mut socket, "a", 10).await;
    assert_eq!(found, (total - 9..=total).collect::<Vec<u64>>());
    socket.say(json!({"id": "a", "type": "complete"})).await;
    socket.say(json!({"id": "never", "type": "complete"})).await;
    let filtered =
        "subscription { events(after: 0, categories: [\"load\", \"x\"], stream: \"load-1\",
        types: [\"thing-ended.v1\"]) { position type stream version data } }";
    socket.subscribe("b", filtered, json!({})).await;
    for n in 1..=REQUESTS {
        let event = socket.message().await["payload"]["data"]["events"].clone();
        assert_eq!(
            (&event["stream"], &event["type"]),
            (&json!("load-1"), &json!("thing-ended.v1"))
        );
        assert_eq!(event["version"], (2 * n).to_string());
    }
    for task in writing {
        task.await.unwrap().close().await;
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_may_follow_what_is_public_and_the_log_needs_a_token() {
    let (app, http) = start().await;
    let mut stranger = Socket::ready(&address(&app), None).await;
    stranger.subscribe("log", EVENTS, json!({})).await;
    assert_eq!(refusal(&stranger.message().await, "log"), "not-authenticated");
    let changed = "subscription($address: Address!) { validatorChanged(address: $address, after: 0)
        { position type validator { moniker standing position } } }";
    let address_1 = ValidatorKey::number(1).address().to_string();
    stranger.subscribe("v", changed, json!({"address": address_1})).await;
    register(&http, 1..3).await;
    let told = stranger.message().await["payload"]["data"]["validatorChanged"].clone();
    assert_eq!(told["type"], "validator-registered.v1");
    assert_eq!(told["validator"]["standing"], "REGISTERED");
    let body = json!({"amount": "5"});
    let done = http.post(&format!("{}/bond", validator(1)), &body).await.expect(200);
    let told = stranger.message().await["payload"]["data"]["validatorChanged"].clone();
    assert_eq!(told["type"], "stake-bonded.v1");
    let position = done["position"].as_u64().unwrap();
    assert_eq!(told["position"], position.to_string());
    assert_eq!(told["validator"]["position"], position.to_string(), "the change is in it");

    let socket = Socket::connect(&address(&app), Some(PROTOCOL), None, None).await;
    let mut known = socket.unwrap();
    let payload = json!({"Authorization": format!("Bearer {TOKEN}")});
    known.say(json!({"type": "connection_init", "payload": payload})).await;
    assert_eq!(known.message().await["type"], "connection_ack");
    known.subscribe("log", EVENTS, json!({"after": 0})).await;
    assert_eq!(positions(&mut known, "log", 2).await, [1, 2]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn headers_are_told_of_their_own_chain_when_they_can_be_read() {
    let (app, _) = start().await;
    let commands = app.server.commands();
    let context = || RequestContext::new(Actor::new("tester", Role::SuperAdmin));
    let (chain, other): (ChainId, ChainId) = ("seen-1".parse().unwrap(), "seen".parse().unwrap());
    let mut socket = Socket::ready(&address(&app), None).await;
    let query = "subscription { headerObserved(chainId: \"seen-1\", after: 0) {
        position header { chainId height hash state position } } }";
    socket.subscribe("h", query, json!({})).await;
    let (mut streams, mut anchored) = (Vec::new(), None);
    for chain in [&chain, &other] {
        let mut blocks = headers::make(chain, 6, 1).into_iter();
        let anchor = blocks.next().unwrap();
        anchored.get_or_insert((anchor.signed_header.height(), anchor.signed_header.hash()));
        // So few headers to an epoch that there are several streams.
        commands.start_observation(anchor, 4, u32::MAX, context()).await.unwrap();
        streams.push((chain, blocks));
    }
    let mut expected = vec![anchored.unwrap()];
    for _ in 0..5 {
        for (chain, blocks) in &mut streams {
            let block = blocks.next().unwrap();
            if *chain.as_str() == *"seen-1" {
                expected.push((block.signed_header.height(), block.signed_header.hash()));
            }
            commands.observe_header(chain, block, context()).await.unwrap();
        }
    }
    let mut last = json!(null);
    for (height, hash) in expected {
        let told = socket.message().await["payload"]["data"]["headerObserved"].clone();
        let header = &told["header"];
        assert_eq!(header["chainId"], "seen-1");
        assert_eq!((&header["height"], &header["hash"]), (&json!(height), &json!(hash)));
        assert_eq!(
            (&header["position"], &header["state"]),
            (&told["position"], &json!("RECORDED"))
        );
        last = told["position"].clone();
    }
    assert!(last.is_string());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_consumer_is_told_and_dropped_and_harms_nobody() {
    let app = TestApp::start_with(&[("stalled_ms_max", "300")]).await;
    let writer = Writer::open(&app.database.url()).await;
    let total = fill(&writer, "load-1").await as usize;
    let query = "subscription { events(after: 0) { position data } }";
    let mut slow = Vec::new();
    for _ in 0..2 {
        let host = address(&app);
        let socket = Socket::connect(&host, Some(PROTOCOL), Some(TOKEN), Some(4_096)).await;
        let mut socket = socket.unwrap();
        socket.say(json!({"type": "connection_init"})).await;
        socket.subscribe("s", query, json!({})).await;
        slow.push(socket);
    }
    let mut quick = Socket::ready(&address(&app), Some(TOKEN)).await;
    quick.subscribe("q", query, json!({})).await;
    assert_eq!(positions(&mut quick, "q", total).await.len(), total);
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut last = slow.pop().unwrap();
    let told = loop {
        match last.hear().await {
            Heard::Message(_) => {}
            last @ (Heard::Close(..) | Heard::Cut) => break last,
        }
    };
    assert!(matches!(told, Heard::Close(1013, _)), "{told:?}");
    let deadline = Instant::now() + Duration::from_secs(20);
    // One connection with one subscription is left.
    while streams(&app.http()).await != 2 {
        assert!(Instant::now() < deadline, "who sleeps is dropped");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    writer.append("load-2", 0, &["thing-ended.v1"], 0).await;
    assert_eq!(positions(&mut quick, "q", 1).await, [total as u64 + 1]);
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn subscribers_are_told_when_the_server_stops_and_go_on_after_it_was_killed() {
    let database = TestDatabase::create().await;
    let writer = Writer::open(&database.url()).await;
    let host = |server: &Node0| server.address().strip_prefix("http://").unwrap().to_owned();
    let server = Node0::on_database(&database.url());
    let mut socket = Socket::ready(&host(&server), Some(TOKEN)).await;
    socket.subscribe("a", EVENTS, json!({"after": 0})).await;
    writer.append("load-1", 0, &["thing-happened.v1"; 5], 0).await;
    let after = SETUP_EVENTS as usize;
    let mut seen = positions(&mut socket, "a", after + 5).await;
    server.kill();
    assert_eq!(socket.hear().await, Heard::Cut);
    writer.append("load-1", 5, &["thing-happened.v1"; 5], 0).await;
    let server = Node0::on_database(&database.url());
    let mut socket = Socket::ready(&host(&server), Some(TOKEN)).await;
    socket.subscribe("a", EVENTS, json!({"after": seen[after + 4]})).await;
    writer.append("load-1", 10, &["thing-happened.v1"; 5], 0).await;
    seen.extend(positions(&mut socket, "a", 10).await);
    assert_eq!(seen, (1..=SETUP_EVENTS + 15).collect::<Vec<u64>>());

    let mut told = Frames::of(stream(&server.http(), EVENTS, json!({"after": 17}))).await;
    assert_eq!(told.told().await.data["data"]["events"]["position"], "18");
    let started = Instant::now();
    server.signal(Signal::TERM);
    assert_eq!(refusal(&socket.message().await, "a"), "draining");
    assert!(matches!(socket.hear().await, Heard::Close(1012, _)));
    let last = told.told().await;
    assert_eq!(last.data["errors"][0]["extensions"]["type"], "/problems/draining");
    assert_eq!(told.told().await.event.as_deref(), Some("complete"));
    assert!(server.wait().success());
    assert!(started.elapsed() < Duration::from_secs(5), "{:?}", started.elapsed());
    writer.close().await;
}

fn stream(http: &Http, query: &str, variables: Value) -> reqwest::RequestBuilder {
    let request = http.request(Method::POST, "/graphql/stream");
    let request = request.header("accept", "text/event-stream");
    request.json(&json!({"query": query, "variables": variables}))
}

#[tokio::test(flavor = "multi_thread")]
async fn over_server_sent_events_each_result_is_a_next_and_the_last_word_is_complete() {
    let (app, http) = start().await;
    let writer = Writer::open(&app.database.url()).await;
    writer.append("load-1", 0, &["thing-happened.v1"; 3], 0).await;
    let query = "query=subscription%7Bevents(after%3A0)%7Bposition%7D%7D";
    let get = http.request(Method::GET, &format!("/graphql/stream?{query}"));
    let mut frames = Frames::of(get).await;
    for position in 1..=3 {
        let frame = frames.told().await;
        assert_eq!(frame.event.as_deref(), Some("next"));
        let expected = json!({"data": {"events": {"position": position.to_string()}}});
        assert_eq!(frame.data, expected);
    }
    writer.append("load-1", 3, &["thing-ended.v1"], 0).await;
    assert_eq!(frames.told().await.data["data"]["events"]["position"], "4");
    for (query, kind) in [
        ("{ chains { nodes { chainId } } }", None),
        ("subscription {", Some("invalid-query")),
        ("subscription { nothing }", Some("invalid-query")),
        ("subscription { events(after: 9) { type } }", Some("log-restored")),
    ] {
        let mut frames = Frames::of(stream(&http, query, json!({}))).await;
        let next = frames.told().await;
        assert_eq!(next.event.as_deref(), Some("next"), "{query}");
        let found = next.data["errors"][0]["extensions"]["type"].as_str();
        assert_eq!(found, kind.map(|kind| format!("/problems/{kind}")).as_deref(), "{query}");
        assert_eq!(frames.told().await.event.as_deref(), Some("complete"), "{query}");
        assert_eq!(frames.try_next().await.unwrap(), None, "{query}");
    }
    let bad = send(stream(&http, EVENTS, json!([]))).await;
    assert_eq!((bad.status, problem(&bad).as_str()), (400, "malformed"));
    let bad = send(http.request(Method::GET, "/graphql/stream?query=mutation%7Bx%7D")).await;
    assert_eq!((bad.status, problem(&bad).as_str()), (405, "method-not-allowed"));
    let json_only = http.request(Method::POST, "/graphql/stream").header("accept", "text/html");
    let bad = send(json_only.json(&json!({"query": EVENTS}))).await;
    assert_eq!((bad.status, problem(&bad).as_str()), (406, "not-acceptable"));
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_field_of_the_subscription_root_has_its_access_and_words() {
    let (app, http) = start().await;
    let query = "{ __schema { subscriptionType { fields { name description } } } }";
    let schema = http.graphql(query, json!({})).await;
    let fields = schema["__schema"]["subscriptionType"]["fields"].as_array().unwrap().clone();
    let mut names: Vec<&str> = Vec::new();
    for field in &fields {
        assert!(field["description"].as_str().is_some_and(|words| !words.is_empty()), "{field}");
        names.push(field["name"].as_str().unwrap());
    }
    let mut listed: Vec<&str> = api::graphql::SUBSCRIPTIONS.iter().map(|(name, _)| *name).collect();
    names.sort_unstable();
    listed.sort_unstable();
    assert_eq!(names, listed);
    let plain = http.post("/graphql", &json!({"query": "subscription { events { type } }"})).await;
    let words = plain.body["errors"][0]["message"].as_str().unwrap();
    assert!(words.contains("/graphql/stream"), "{words}");
    app.stop().await;
}
