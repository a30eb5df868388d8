//! Live streams: nothing lost, nothing doubled, nobody harmed by another, every end with a word.

use std::time::{Duration, Instant};

use commands::Role;
use reqwest::{Method, RequestBuilder};
use rustix::process::Signal;
use serde_json::json;
use sqlx::PgPool;
use tests::{
    app::{SETUP_EVENTS, TestApp},
    database::TestDatabase,
    http::Http,
    log::Writer,
    node0::{Node0, TOKEN},
    sse::{Frame, Frames},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
};
use uuid::Uuid;

use super::{faults, problem, proxy::Proxy, send, start};

const PATH: &str = "/api/v1/events/stream";

fn follow(http: &Http, query: &str) -> RequestBuilder {
    http.request(Method::GET, &format!("{PATH}{query}"))
}

async fn frames(http: &Http, query: &str) -> Frames {
    let mut frames = Frames::of(follow(http, query)).await;
    assert_eq!(frames.next().await.event.as_deref(), Some("start"));
    frames
}

/// The kind of problem a stream ends with.
fn end(frame: &Frame) -> &str {
    assert_eq!(frame.event.as_deref(), Some("end"), "{frame:?}");
    assert!(!frame.data["detail"].as_str().unwrap_or_default().is_empty(), "{frame:?}");
    frame.data["type"].as_str().unwrap().strip_prefix("/problems/").unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn everybody_gets_every_event_once_in_order_while_several_write() {
    const WRITERS: u64 = 4;
    const REQUESTS: u64 = 60;
    const EVENTS: &[&str] = &["thing-happened.v1", "thing-ended.v1", "thing-happened.v1"];
    let total = (WRITERS * REQUESTS) as usize * EVENTS.len();
    let (app, http) = start().await;
    let mut writing = Vec::new();
    for n in 0..WRITERS {
        let writer = Writer::open(&app.database.url()).await;
        writing.push(tokio::spawn(async move {
            for request in 0..REQUESTS {
                let version = request * EVENTS.len() as u64;
                writer.append(&format!("load-{n}"), version, EVENTS, 100).await;
                tokio::time::sleep(Duration::from_millis(2)).await;
            }
            writer.close().await;
        }));
    }
    let mut following = Vec::new();
    for n in 0..12 {
        // They come one after the other: each is somewhere else when it has caught up.
        tokio::time::sleep(Duration::from_millis(25)).await;
        let after = n * 7 % 20;
        let http = http.clone();
        following.push(tokio::spawn(async move {
            let mut frames = frames(&http, &format!("?after={after}")).await;
            (after, frames.positions(total - after).await)
        }));
    }
    for task in writing {
        task.await.unwrap();
    }
    for task in following {
        let (after, positions) = task.await.unwrap();
        let expected: Vec<u64> = (after as u64 + 1..=total as u64).collect();
        assert_eq!(positions, expected);
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_position_a_stream_begins_at_the_end_and_says_where_that_is() {
    let (app, http) = start().await;
    let writer = Writer::open(&app.database.url()).await;
    writer.append("load-1", 0, &["thing-happened.v1"], 0).await;
    // The process learns of it from another one.
    let first = SETUP_EVENTS + 1;
    frames(&http, &format!("?after={SETUP_EVENTS}")).await.positions(1).await;
    let mut stream = Frames::of(follow(&http, "")).await;
    let begun = stream.next().await;
    assert_eq!((begun.event.as_deref(), begun.id), (Some("start"), Some(first)));
    assert_eq!(begun.data["position"], first.to_string());
    let incarnation: Uuid = begun.data["incarnation"].as_str().unwrap().parse().unwrap();
    writer.append("load-1", 1, &["thing-ended.v1"], 3).await;
    let event = stream.told().await;
    assert_eq!(event.id, Some(first + 1));
    let page = http.get(&format!("/api/v1/events?after={first}")).await.expect(200);
    assert_eq!(event.data, page["items"][0], "as a page shows it");
    drop(stream);
    frames(&http, &format!("?after={}&incarnation={incarnation}", first + 1)).await;
    let other = http.get(&format!("{PATH}?after={first}&incarnation={}", Uuid::from_u128(7))).await;
    assert_eq!((other.status, problem(&other).as_str()), (409, "log-restored"));
    let beyond = http.get(&format!("{PATH}?after={}", first + 2)).await;
    assert_eq!((beyond.status, problem(&beyond).as_str()), (409, "log-restored"));
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn filters_let_through_what_a_page_with_the_same_filter_shows() {
    let (app, http) = start().await;
    let writer = Writer::open(&app.database.url()).await;
    for version in 0..20 {
        for stream in ["load-1", "load-2", "other-1"] {
            let event = if version % 3 == 0 { "thing-happened.v1" } else { "thing-ended.v1" };
            writer.append(stream, version, &[event], 0).await;
        }
    }
    frames(&http, "").await;
    let correlation = format!("correlation={}", Writer::correlation("load-2"));
    for filter in [
        "category=load",
        "stream=load-2",
        "type=thing-happened.v1",
        correlation.as_str(),
        "category=other&type=thing-ended.v1",
        "category=load&stream=other-1",
    ] {
        let page = http.get(&format!("/api/v1/events?first=100&{filter}")).await.expect(200);
        let position = |item: &serde_json::Value| item["position"].as_str().unwrap().parse();
        let expected: Vec<u64> =
            page["items"].as_array().unwrap().iter().map(|item| position(item).unwrap()).collect();
        let mut stored = frames(&http, &format!("?after=0&{filter}")).await;
        assert_eq!(stored.positions(expected.len()).await, expected, "{filter}");
        // The next one that comes is the next one that passes.
        let head = http.get("/api/v1/events").await.header("position").parse::<u64>().unwrap();
        let version = (head - SETUP_EVENTS - 60) / 3 + 20;
        let mut last = 0;
        for stream in ["load-1", "load-2", "other-1"] {
            let events = ["thing-happened.v1"];
            last = writer.append(stream, version, &events, 0).await;
        }
        let page = http.get(&format!("/api/v1/events?after={head}&{filter}")).await.expect(200);
        let passed: Vec<u64> =
            page["items"].as_array().unwrap().iter().map(|item| position(item).unwrap()).collect();
        assert_eq!(stored.positions(passed.len()).await, passed, "{filter} up to {last}");
    }
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_silent_stream_gives_signs_of_life_that_say_how_far_it_looked() {
    let app = TestApp::start_with(&[("heartbeat_ms", "100")]).await;
    let http = app.http();
    let writer = Writer::open(&app.database.url()).await;
    let mut stream = frames(&http, "?after=0&category=nothing").await;
    let position = writer.append("load-1", 0, &["thing-happened.v1"; 9], 0).await;
    let seen = loop {
        let beat = stream.next().await;
        assert_eq!((beat.event, beat.data), (None, serde_json::Value::Null));
        if beat.id == Some(position) {
            break beat.id;
        }
    };
    assert_eq!(seen, Some(SETUP_EVENTS + 9));
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_not_read_the_log_and_what_is_no_request_is_refused() {
    let app = TestApp::start_with(&[("streams_max", "2")]).await;
    let http = app.http();
    let stranger = reqwest::Client::new().get(format!("http://{}{PATH}", app.server.address()));
    assert_eq!(problem(&send(stranger).await), "not-authenticated");
    let weak = http.service("service-viewer", Role::Viewer).await;
    assert_eq!(problem(&weak.get(PATH).await), "not-permitted");
    let bad = http.get(&format!("{PATH}?after=x&stream=y&correlation=z&colour=red")).await;
    assert_eq!(faults(&bad), ["after", "colour", "correlation", "stream"]);
    let bad = send(follow(&http, "").header("last-event-id", "seven")).await;
    assert_eq!(faults(&bad), ["Last-Event-ID"]);
    let bad = send(follow(&http, "").header("accept", "application/json")).await;
    assert_eq!((bad.status, problem(&bad).as_str()), (406, "not-acceptable"));

    let (one, _two) = (frames(&http, "").await, frames(&http, "").await);
    let third = http.get(PATH).await;
    assert_eq!((third.status, problem(&third).as_str()), (503, "overloaded"));
    drop(one);
    let deadline = Instant::now() + Duration::from_secs(10);
    while streams(&http).await != 1 {
        assert!(Instant::now() < deadline, "a place is free again when its client has gone");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    frames(&http, "").await;
    app.stop().await;
}

/// How many live streams the metrics name.
pub async fn streams(http: &Http) -> u64 {
    let text = http.get("/metrics").await.expect(200);
    let mut lines = text.as_str().unwrap().lines();
    lines.find_map(|line| line.strip_prefix("node0_live_streams ")).unwrap().parse().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_that_is_revoked_hears_no_more() {
    let app = TestApp::start_with(&[("heartbeat_ms", "100")]).await;
    let http = app.http();
    let auditor = http.service("service-auditor", Role::Auditor).await;
    let mut stream = frames(&auditor, "").await;
    let why = json!({"reason": "no longer needed"});
    http.post("/api/v1/principals/service-auditor/suspend", &why).await.expect(200);
    let deadline = Instant::now() + Duration::from_secs(10);
    let last = loop {
        let frame = stream.next().await;
        if frame.event.is_some() {
            break frame;
        }
        assert!(Instant::now() < deadline, "still heard");
    };
    assert_eq!(end(&last), "not-authenticated");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_goes_on_where_it_was_after_the_server_was_killed() {
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let writer = Writer::open(&database.url()).await;
    let mut seen = Vec::new();
    let mut stream = frames(&server.http(), "?after=0").await;
    writer.append("load-1", 0, &["thing-happened.v1"; 40], 0).await;
    seen.extend(stream.positions(25).await);
    server.kill();
    while let Ok(Some(frame)) = stream.try_next().await {
        seen.extend(frame.id);
    }
    writer.append("load-1", 40, &["thing-happened.v1"; 10], 0).await;
    let server = Node0::on_database(&database.url());
    let last = seen.last().copied().unwrap();
    // The address still says where it once began.
    let again = follow(&server.http(), "?after=0").header("last-event-id", last);
    let mut stream = Frames::of(again).await;
    assert_eq!(stream.next().await.id, Some(last));
    seen.extend(stream.positions(50 - last as usize).await);
    writer.append("load-1", 50, &["thing-ended.v1"; 3], 0).await;
    seen.extend(stream.positions(3).await);
    assert_eq!(seen, (1..=53).collect::<Vec<u64>>());
    writer.close().await;
    assert!(server.stop().success());
}

/// A client that asks and then reads nothing, with a small window.
pub async fn stalled(address: &str) -> TcpStream {
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4_096).unwrap();
    let mut stream = socket.connect(address.parse().unwrap()).await.unwrap();
    let request = format!(
        "GET {PATH}?after=0 HTTP/1.1\r\nhost: {address}\r\nauthorization: Bearer {TOKEN}\r\n\
         connection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await.unwrap();
    stream
}

/// Fills the log with more than the buffers between a server and its client hold.
pub async fn fill(writer: &Writer, stream: &str) -> u64 {
    let mut last = 0;
    for version in 0..8 {
        last = writer.append(stream, version * 20, &["thing-happened.v1"; 20], 60_000).await;
    }
    last
}

#[tokio::test(flavor = "multi_thread")]
async fn who_takes_nothing_is_dropped_and_harms_nobody() {
    let app = TestApp::start_with(&[("stalled_ms_max", "300")]).await;
    let http = app.http();
    let writer = Writer::open(&app.database.url()).await;
    let total = fill(&writer, "load-1").await as usize;
    let address = app.server.address().to_string();
    let mut asleep = Vec::new();
    for _ in 0..3 {
        asleep.push(stalled(&address).await);
    }
    let mut awake = frames(&http, "?after=0").await;
    assert_eq!(awake.positions(total).await.len(), total);
    assert_eq!(streams(&http).await, 4);
    // One wakes in time to be told that it was too slow.
    tokio::time::sleep(Duration::from_millis(1_500)).await;
    let mut read = Vec::new();
    asleep.pop().unwrap().read_to_end(&mut read).await.unwrap();
    let text = String::from_utf8_lossy(&read);
    let (_, last) = text.rsplit_once("event: end\n").expect("a last word");
    assert!(last.contains("/problems/too-slow"), "{last}");
    let deadline = Instant::now() + Duration::from_secs(20);
    while streams(&http).await != 1 {
        assert!(Instant::now() < deadline, "those who sleep are dropped");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    let started = Instant::now();
    writer.append("load-2", 0, &["thing-ended.v1"], 0).await;
    assert_eq!(awake.positions(1).await, [total as u64 + 1]);
    assert!(started.elapsed() < Duration::from_secs(2), "{:?}", started.elapsed());
    writer.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_follows_is_told_when_the_server_stops_and_a_sleeper_does_not_hold_it_up() {
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let writer = Writer::open(&database.url()).await;
    fill(&writer, "load-1").await;
    let _asleep = stalled(server.address().strip_prefix("http://").unwrap()).await;
    let mut streams = Vec::new();
    for _ in 0..8 {
        streams.push(frames(&server.http(), "").await);
    }
    let started = Instant::now();
    server.signal(Signal::TERM);
    for stream in &mut streams {
        let last = stream.told().await;
        assert_eq!((end(&last), last.id), ("draining", Some(SETUP_EVENTS + 160)));
        assert!(stream.try_next().await.unwrap().is_none(), "nothing follows the last word");
    }
    assert!(started.elapsed() < Duration::from_secs(3), "{:?}", started.elapsed());
    assert!(server.wait().success());
    assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
    writer.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_ends_when_another_log_is_put_in_its_place() {
    let (app, http) = start().await;
    let mut stream = frames(&http, "").await;
    let pool = PgPool::connect(&app.database.url()).await.unwrap();
    let statement = "update head set incarnation = gen_random_uuid() returning incarnation";
    let now: Uuid = sqlx::query_scalar(statement).fetch_one(&pool).await.unwrap();
    let last = stream.told().await;
    assert_eq!((end(&last), last.id), ("log-restored", Some(SETUP_EVENTS)));
    assert_eq!(last.data["incarnation"], now.to_string());
    pool.close().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_new_is_read_once_however_many_follow() {
    const FOLLOWERS: usize = 40;
    const EVENTS: u64 = 20;
    let database = TestDatabase::create().await;
    let proxy = Proxy::before(&database.url()).await;
    let app = TestApp::start_with(&[("database_url", &proxy.url())]).await;
    let writer = Writer::open(&database.url()).await;
    let (mut streams, mut counts, mut version) = (Vec::new(), Vec::new(), 0);
    for followers in [1, FOLLOWERS] {
        while streams.len() < followers {
            // Filters make no difference.
            let filter = "?category=load&type=thing-happened.v1";
            let filter = if streams.len() % 2 == 0 { "" } else { filter };
            streams.push(frames(&app.http(), filter).await);
        }
        let before = proxy.statements();
        for _ in 0..EVENTS {
            let position = writer.append("load-1", version, &["thing-happened.v1"], 0).await;
            version += 1;
            for stream in &mut streams {
                assert_eq!(stream.positions(1).await, [position]);
            }
        }
        counts.push(proxy.statements() - before);
    }
    // The read models and the poll for the head speak as well; each follower by itself would add
    // two statements for each event.
    let by_themselves = (2 * FOLLOWERS as u64 - 2) * EVENTS;
    assert!(counts[1] < counts[0] + by_themselves / 4, "{counts:?}");
    writer.close().await;
    app.stop().await;
}
