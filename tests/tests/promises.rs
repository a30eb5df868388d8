//! What the event log promises, each promise with a test that would fail without it.
//!
//! Knows streams and versions; the events mean nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use chrono::Utc;
use event_store::{
    AppendError, AppendRequest, Appended, CommandDigest, CommandId, EventStore, Filter, Lineage,
    Metadata, NewEvent, StoreError, StoreOptions, StreamName, check::check_log,
};
use futures::{StreamExt, future::join_all};
use serde_json::json;
use sqlx::PgPool;
use tests::database::TestDatabase;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
};
use uuid::Uuid;

async fn open(url: &str) -> EventStore {
    EventStore::open(StoreOptions::new(url)).await.expect("the log opens")
}

fn stream(name: &str) -> StreamName {
    format!("test-{name}").parse().expect("a stream name")
}

fn request(stream: &StreamName, expected_version: u64, events: usize) -> AppendRequest {
    let event = |n| NewEvent::new("thing-happened.v1", &json!({ "n": n })).expect("canonical");
    AppendRequest {
        command: CommandId::fresh(),
        digest: CommandDigest(Uuid::from_u128(1)),
        stream: stream.clone(),
        expected_version,
        events: (0..events).map(event).collect(),
        metadata: Metadata {
            actor: Arc::from("tester"),
            causation: None,
            correlation: Uuid::from_u128(2),
            reason: None,
            at: Utc::now(),
        },
    }
}

async fn assert_sound(pool: &PgPool, events: u64) {
    let report = check_log(pool, None).await.expect("the log can be read");
    assert!(report.is_sound(), "{:#?}", report.faults);
    assert_eq!(report.events, events);
}

/// Appends to streams of its own and to a shared one until told to stop; what was acknowledged.
async fn writer(store: EventStore, name: String, stop: Arc<AtomicBool>) -> Vec<Appended> {
    let own: Vec<StreamName> = (0..5).map(|n| stream(&format!("{name}-{n}"))).collect();
    let shared = stream("shared");
    let mut versions = HashMap::new();
    let mut done = Vec::new();
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        turn += 1;
        let target = if turn % 4 == 0 { &shared } else { &own[turn % own.len()] };
        let version = versions.get(target).copied().unwrap_or(0);
        match store.append(request(target, version, 1 + turn % 3)).await {
            Ok(appended) => {
                versions.insert(target.clone(), appended.last_version);
                done.push(appended);
            }
            Err(AppendError::Conflict { actual, .. }) => {
                versions.insert(target.clone(), actual);
            }
            Err(error) => panic!("{error}"),
        }
    }
    done
}

#[tokio::test(flavor = "multi_thread")]
async fn many_processes_append_at_once_and_nothing_is_lost_doubled_or_out_of_order() {
    let database = TestDatabase::create().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for process in 0..3 {
        let store = open(&database.url()).await;
        for n in 0..60 {
            let name = format!("{process}-{n}");
            writers.push(tokio::spawn(writer(store.clone(), name, Arc::clone(&stop))));
        }
    }
    tokio::time::sleep(Duration::from_secs(3)).await;
    stop.store(true, Ordering::Relaxed);
    let mut acknowledged = Vec::new();
    for writer in writers {
        acknowledged.extend(writer.await.expect("a writer never panics"));
    }
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    let told: u64 = acknowledged.iter().map(|appended| appended.event_ids.len() as u64).sum();
    assert!(told > 500, "only {told} events: nothing was tested");
    assert_sound(&pool, told).await;
    let positions: HashSet<u64> = acknowledged.iter().map(|one| one.last_position).collect();
    assert_eq!(positions.len(), acknowledged.len(), "two requests were told the same position");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_has_seen_a_position_never_finds_a_new_event_at_or_below_it() {
    let database = TestDatabase::create().await;
    let stop = Arc::new(AtomicBool::new(false));
    let mut writers = Vec::new();
    for process in 0..2 {
        let store = open(&database.url()).await;
        for n in 0..40 {
            let name = format!("{process}-{n}");
            writers.push(tokio::spawn(writer(store.clone(), name, Arc::clone(&stop))));
        }
    }
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    let mut seen = 0_i64;
    for _ in 0..400 {
        let sql = "select coalesce(max(position), 0)::bigint, count(*) from events";
        let (highest, count): (i64, i64) =
            sqlx::query_as(sql).fetch_one(&pool).await.expect("it answers");
        assert_eq!(count, highest, "a snapshot with position {highest} holds {count} events");
        assert!(highest >= seen);
        seen = highest;
    }
    stop.store(true, Ordering::Relaxed);
    for writer in writers {
        writer.await.expect("a writer never panics");
    }
    assert!(seen > 100, "only {seen} events: nothing was tested");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_follower_sees_everything_once_across_the_seam_of_catch_up_and_live() {
    let database = TestDatabase::create().await;
    let store = open(&database.url()).await;
    let before = stream("before");
    for version in 0..50 {
        store.append(request(&before, version, 1)).await.expect("appended");
    }
    let other = open(&database.url()).await;
    let follower = tokio::spawn(async move {
        let mut pages = Box::pin(other.follow(10, Filter::all()));
        let mut seen = Vec::new();
        while seen.len() < 340 {
            let page = pages.next().await.expect("it goes on for ever").expect("it can be read");
            seen.extend(page.events.iter().map(|event| event.position));
        }
        seen
    });
    let writers = (0..10).map(|n| {
        let (store, own) = (store.clone(), stream(&format!("live-{n}")));
        async move {
            for version in 0..30 {
                store.append(request(&own, version, 1)).await.expect("appended");
            }
        }
    });
    join_all(writers).await;
    let waited = tokio::time::timeout(Duration::from_secs(20), follower).await;
    let seen = waited.expect("in time").expect("never panics");
    assert_eq!(seen, (11..=350).collect::<Vec<u64>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn followers_from_anywhere_see_the_same_as_whoever_reads_by_themselves() {
    // More than followers share, and no multiple of what they are given at once.
    const EVENTS: u64 = 21_234;
    const MORE: u64 = 600;
    let database = TestDatabase::create().await;
    let (store, writer) = (open(&database.url()).await, open(&database.url()).await);
    let mut positions: HashMap<&str, Vec<u64>> = HashMap::new();
    let mut written: HashMap<&str, u64> = HashMap::new();
    let mut position = 0;
    while position < EVENTS {
        let own = if position % 7 == 0 { "rare" } else { "often" };
        let count = (EVENTS - position).min(if own == "rare" { 1 } else { 300 });
        let version = written.entry(own).or_default();
        let events = usize::try_from(count).expect("few");
        writer.append(request(&stream(own), *version, events)).await.expect("appended");
        *version += count;
        positions.entry(own).or_default().extend(position + 1..=position + count);
        position += count;
    }
    let of_stream = Filter { streams: vec![stream("rare")], ..Filter::all() };
    let of_category = Filter { categories: vec!["test".to_owned()], ..Filter::all() };
    let of_nothing = Filter { categories: vec!["nothing".to_owned()], ..Filter::all() };
    let mut following = Vec::new();
    for after in [0, 1, 499, 500, 501, 1_234, 20_000, EVENTS - 3, EVENTS] {
        for filter in [&Filter::all(), &of_stream, &of_category, &of_nothing] {
            let (store, filter) = (store.clone(), filter.clone());
            following.push(tokio::spawn(async move {
                let mut pages = Box::pin(store.follow(after, filter.clone()));
                let (mut seen, mut scanned) = (Vec::new(), after);
                while scanned < EVENTS + MORE {
                    let page = pages.next().await.expect("it goes on").expect("it can be read");
                    assert!(page.scanned_to > scanned, "a page goes further");
                    scanned = page.scanned_to;
                    seen.extend(page.events.iter().map(|event| event.position));
                }
                (after, filter, seen)
            }));
        }
    }
    for _ in 0..MORE {
        let version = written.get_mut("often").expect("written");
        writer.append(request(&stream("often"), *version, 1)).await.expect("appended");
        *version += 1;
    }
    let all: Vec<u64> = (1..=EVENTS + MORE).collect();
    for task in following {
        let waited = tokio::time::timeout(Duration::from_secs(60), task).await;
        let (after, filter, seen) = waited.expect("in time").expect("never panics");
        let expected = if filter == of_stream {
            positions["rare"].clone()
        } else if filter == of_nothing {
            Vec::new()
        } else {
            all.clone()
        };
        let expected: Vec<u64> = expected.into_iter().filter(|one| *one > after).collect();
        assert_eq!(seen, expected, "after {after}, {filter:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_conflict_inside_a_batch_is_answered_alone_and_the_rest_stands() {
    let database = TestDatabase::create().await;
    let store = open(&database.url()).await;
    let (a, b) = (stream("a"), stream("b"));
    let mut requests = vec![request(&a, 0, 1), request(&b, 7, 1), request(&a, 1, 2)];
    // Large enough for the way that large batches take.
    requests.extend((0..400).map(|n| request(&stream(&format!("n-{n}")), 0, 1)));
    requests.push(request(&a, 1, 1));
    let answers = store.append_all(requests).await;
    assert_eq!(answers[0].as_ref().expect("appended").last_version, 1);
    assert!(matches!(answers[1], Err(AppendError::Conflict { expected: 7, actual: 0, .. })));
    assert_eq!(answers[2].as_ref().expect("it stands on the first").last_version, 3);
    assert!(answers[3..403].iter().all(Result::is_ok));
    assert!(matches!(answers[403], Err(AppendError::Conflict { expected: 1, actual: 3, .. })));
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    assert_sound(&pool, 403).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_rests_on_a_request_that_was_not_stored_is_not_stored_either() {
    let database = TestDatabase::create().await;
    let (one, other) = (open(&database.url()).await, open(&database.url()).await);
    let a = stream("a");
    one.append(request(&a, 0, 1)).await.expect("appended");
    let mut version = 1;
    // Alone, among few and among many: each way of writing a batch keeps it.
    for others in [0, 40, 400] {
        // Another process writes exactly what the first of ours wanted to write.
        version = other.append(request(&a, version, 1)).await.expect("appended").last_version;
        let mut requests = vec![request(&a, version - 1, 1), request(&a, version, 1)];
        let fresh = |n| request(&stream(&format!("n-{others}-{n}")), 0, 1);
        requests.extend((0..others).map(fresh));
        requests.push(request(&a, version + 1, 2));
        let repeated = requests.clone();
        let answers = one.append_all(requests).await;
        let (ours, rest): (Vec<_>, Vec<_>) =
            (0..answers.len()).partition(|nth| *nth < 2 || nth + 1 == answers.len());
        assert!(rest.into_iter().all(|nth| answers[nth].is_ok()));
        for nth in ours {
            let answer = &answers[nth];
            assert!(matches!(answer, Err(AppendError::Conflict { .. })), "{nth}: {answer:?}");
        }
        // On what is there now they are stored, and repeated they are answered as before.
        let [first, second, .., third] = &repeated[..] else { panic!("three of ours") };
        let now: Vec<_> = [first, second, third]
            .map(|of| AppendRequest { expected_version: of.expected_version + 1, ..of.clone() })
            .into();
        for again in [false, true] {
            for answer in one.append_all(now.clone()).await {
                assert_eq!(answer.expect("appended").repeated, again);
            }
        }
        version += 4;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lineage_that_broke_in_one_call_is_broken_in_the_next() {
    let database = TestDatabase::create().await;
    let (one, other) = (open(&database.url()).await, open(&database.url()).await);
    let a = stream("a");
    one.append(request(&a, 0, 1)).await.expect("appended");
    let lineage = Lineage::default();
    let answers = one.append_lineage(&lineage, vec![request(&a, 1, 1)]).await;
    assert_eq!(answers[0].as_ref().expect("appended").last_version, 2);
    other.append(request(&a, 2, 1)).await.expect("appended");
    let (first, second) = tokio::join!(
        one.append_lineage(&lineage, vec![request(&a, 2, 1)]),
        one.append_lineage(&lineage, vec![request(&a, 3, 1)]),
    );
    for answer in [&first[0], &second[0]] {
        assert!(matches!(answer, Err(AppendError::Conflict { .. })), "{answer:?}");
    }
    one.append(request(&a, 3, 1)).await.expect("who rests on nobody is stored");
}

#[tokio::test(flavor = "multi_thread")]
async fn versions_never_have_a_gap_whatever_a_caller_expects() {
    let database = TestDatabase::create().await;
    let (one, other) = (open(&database.url()).await, open(&database.url()).await);
    let a = stream("a");
    one.append(request(&a, 0, 1)).await.expect("appended");
    for expected in [0, 2, 5, u64::MAX / 4] {
        let answer = one.append(request(&a, expected, 1)).await;
        assert!(matches!(answer, Err(AppendError::Conflict { actual: 1, .. })), "{answer:?}");
    }
    // What one process remembers, another has overtaken.
    other.append(request(&a, 1, 1)).await.expect("appended");
    let answer = one.append(request(&a, 1, 1)).await;
    assert!(matches!(answer, Err(AppendError::Conflict { actual: 2, .. })), "{answer:?}");
    one.append(request(&a, 2, 1)).await.expect("appended");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_repeated_is_answered_as_before_and_with_other_content_refused() {
    let database = TestDatabase::create().await;
    let (one, other) = (open(&database.url()).await, open(&database.url()).await);
    let first = request(&stream("a"), 0, 2);
    let done = one.append(first.clone()).await.expect("appended");
    assert!(!done.repeated);
    for store in [&one, &other] {
        let again = store.append(first.clone()).await.expect("done before");
        assert!(again.repeated);
        assert_eq!((again.last_position, again.last_version), (2, 2));
        assert_eq!(again.event_ids, done.event_ids);
        let changed = AppendRequest { digest: CommandDigest(Uuid::from_u128(9)), ..first.clone() };
        let refused = store.append(changed).await;
        assert!(matches!(refused, Err(AppendError::CommandReused { .. })), "{refused:?}");
    }
    let found = one.find_command(first.command).await.expect("read").expect("found");
    assert_eq!(found.1.event_ids, done.event_ids);
    // The same command many times in one large batch.
    let twin = request(&stream("b"), 0, 1);
    let mut batch: Vec<_> = (0..300).map(|n| request(&stream(&format!("c-{n}")), 0, 1)).collect();
    batch.splice(100..100, [twin.clone(), twin.clone()]);
    let answers = one.append_all(batch).await;
    let twins: Vec<_> =
        answers[100..102].iter().map(|answer| answer.as_ref().expect("ok")).collect();
    assert_eq!(twins[0].last_position, twins[1].last_position);
    assert!(twins[0].repeated ^ twins[1].repeated, "one did it, the other is told");
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    assert_sound(&pool, 303).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_command_whose_content_is_not_known_any_more_stands_for_whatever_is_asked_with_its_id() {
    let database = TestDatabase::create().await;
    let (one, other) = (open(&database.url()).await, open(&database.url()).await);
    let first = request(&stream("a"), 0, 2);
    let done = one.append(first.clone()).await.expect("appended");
    // As an import leaves it.
    let pool = sqlx::PgPool::connect(&database.url()).await.expect("it answers");
    let forget = "alter table events disable trigger events_append_only;
                  update events set digest = '00000000-0000-0000-0000-000000000000'
                   where digest is not null;
                  alter table events enable trigger events_append_only;";
    sqlx::raw_sql(forget).execute(&pool).await.expect("accepted");
    // One that has appended it, one that has not heard of it, and many at once.
    let changed = AppendRequest { digest: CommandDigest(Uuid::from_u128(9)), ..first.clone() };
    let fresh = open(&database.url()).await;
    for store in [&one, &other, &fresh] {
        let beside: Vec<AppendRequest> =
            (0..40).map(|n| request(&stream(&format!("b{n}")), 0, 1)).collect();
        let all = beside.into_iter().map(|request| store.append(request));
        let (again, _) =
            futures::join!(store.append(changed.clone()), futures::future::join_all(all));
        let again = again.expect("done before");
        assert!(again.repeated);
        assert_eq!(again.event_ids, done.event_ids);
    }
    pool.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_database_refuses_to_change_or_remove_what_happened() {
    let database = TestDatabase::create().await;
    let store = open(&database.url()).await;
    store.append(request(&stream("a"), 0, 1)).await.expect("appended");
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    for change in [
        "update events set version = version",
        "delete from events",
        "truncate events",
        "update streams set stream = 'x-y'",
        "delete from streams",
        "truncate streams",
        "delete from head",
        "insert into head default values",
        "update blobs set content = content",
    ] {
        let refused = sqlx::raw_sql(change).execute(&pool).await.expect_err(change);
        let refused = refused.into_database_error().expect("the database says so");
        assert!(
            refused
                .constraint()
                .is_some_and(|name| name.ends_with("_append_only") || name == "head_is_fixed"),
            "{change}: {refused}"
        );
    }
    assert_sound(&pool, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_was_restored_is_noticed_by_who_opened_it_before() {
    let database = TestDatabase::create().await;
    let store = open(&database.url()).await;
    store.append(request(&stream("a"), 0, 1)).await.expect("appended");
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    let renew = "update head set incarnation = gen_random_uuid()";
    sqlx::raw_sql(renew).execute(&pool).await.expect("a restore renews it");
    let head = store.head().await;
    assert!(matches!(head, Err(StoreError::Incarnation { .. })), "{head:?}");
    let append = store.append(request(&stream("a"), 1, 1)).await;
    assert!(
        matches!(append, Err(AppendError::Unavailable(StoreError::Incarnation { .. }))),
        "{append:?}"
    );
    assert_sound(&pool, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_checker_finds_a_planted_loss_a_double_a_gap_and_a_changed_byte() {
    let plants = [
        ("delete from events where position = 3", "missing"),
        ("update events set version = 9 where position = 4", "version"),
        ("update events set record = set_byte(record, 20, 88) where position = 2", ""),
        ("update events set command = null, digest = null where position = 1", "no command"),
        ("update events set stream_no = 77 where position = 5", ""),
    ];
    for (plant, word) in plants {
        let database = TestDatabase::create().await;
        let store = open(&database.url()).await;
        for n in 0..6 {
            store.append(request(&stream(&format!("s-{}", n % 2)), n / 2, 1)).await.expect("ok");
        }
        let pool = PgPool::connect(&database.url()).await.expect("it answers");
        assert_sound(&pool, 6).await;
        let sql = format!("alter table events disable trigger all; {plant};");
        sqlx::raw_sql(sqlx::AssertSqlSafe(sql)).execute(&pool).await.expect("the owner can");
        let report = check_log(&pool, None).await.expect("the log can be read");
        assert!(!report.is_sound(), "{plant} went unnoticed");
        let told = report.faults.iter().any(|fault| fault.sentence.contains(word));
        assert!(told, "{plant}: {:?}", report.faults);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hot_stream_takes_a_thousand_requests_that_stand_on_each_other() {
    let database = TestDatabase::create().await;
    let store = open(&database.url()).await;
    let hot = stream("hot");
    let requests = (0..1_000).map(|version| request(&hot, version, 1)).collect();
    for (answer, version) in store.append_all(requests).await.into_iter().zip(1..) {
        assert_eq!(answer.expect("appended").last_version, version);
    }
    let pool = PgPool::connect(&database.url()).await.expect("it answers");
    assert_sound(&pool, 1_000).await;
}

/// A wire to PostgreSQL that can be cut exactly at a commit.
struct Wire {
    url: String,
    cut: Arc<AtomicBool>,
    times: Arc<std::sync::atomic::AtomicU32>,
}

/// On which side of the commit the wire is cut.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Side {
    /// The request to commit never arrives.
    Before,
    /// It arrives and is done; the answer never comes back.
    After,
}

impl Wire {
    async fn to(url: &str, side: Side) -> Wire {
        let (socket, rest) = socket_of(url);
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
        let address = listener.local_addr().expect("an address");
        let cut = Arc::new(AtomicBool::new(false));
        let times = Arc::new(std::sync::atomic::AtomicU32::new(0));
        let (armed, counted) = (Arc::clone(&cut), Arc::clone(&times));
        tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let server = UnixStream::connect(&socket).await.expect("PostgreSQL listens");
                tokio::spawn(carry(client, server, side, Arc::clone(&armed), Arc::clone(&counted)));
            }
        });
        let url = format!("postgres://{}@127.0.0.1:{}/{}", rest.0, address.port(), rest.1);
        Wire { url, cut, times }
    }
}

/// The socket, the user and the database of the run's address.
fn socket_of(url: &str) -> (String, (String, String)) {
    let options: tokio_postgres::Config = url.parse().expect("an address");
    let folder = match &options.get_hosts()[0] {
        tokio_postgres::config::Host::Unix(folder) => folder.display().to_string(),
        tokio_postgres::config::Host::Tcp(host) => panic!("{host} is not a socket"),
    };
    let port = options.get_ports().first().copied().unwrap_or(5432);
    let user = options.get_user().expect("a user").to_owned();
    let database = options.get_dbname().expect("a database").to_owned();
    (format!("{folder}/.s.PGSQL.{port}"), (user, database))
}

/// Whether these bytes make an append durable: a commit, or the call of the appending function.
fn commits(bytes: &[u8]) -> bool {
    let text = String::from_utf8_lossy(bytes);
    text.contains("commit") || text.contains("append_checked")
}

async fn carry(
    client: TcpStream,
    server: UnixStream,
    side: Side,
    armed: Arc<AtomicBool>,
    times: Arc<std::sync::atomic::AtomicU32>,
) {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_server, mut to_server) = server.into_split();
    let deaf = Arc::new(AtomicBool::new(false));
    let deaf_too = Arc::clone(&deaf);
    let back = tokio::spawn(async move {
        let mut buffer = vec![0; 65_536];
        while let Ok(count @ 1..) = from_server.read(&mut buffer).await {
            if deaf_too.load(Ordering::SeqCst) {
                // The server has done it and has said so; nobody hears it.
                return;
            }
            if to_client.write_all(&buffer[..count]).await.is_err() {
                return;
            }
        }
    });
    let mut buffer = vec![0; 65_536];
    while let Ok(count @ 1..) = from_client.read(&mut buffer).await {
        let bytes = &buffer[..count];
        if armed.load(Ordering::SeqCst) && commits(bytes) && armed.swap(false, Ordering::SeqCst) {
            times.fetch_add(1, Ordering::SeqCst);
            if side == Side::Before {
                break;
            }
            deaf.store(true, Ordering::SeqCst);
            to_server.write_all(bytes).await.unwrap_or_default();
            back.await.unwrap_or_default();
            return;
        }
        if to_server.write_all(bytes).await.is_err() {
            break;
        }
    }
    back.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_cut_exactly_at_commit_is_resolved_and_nothing_is_done_twice() {
    for side in [Side::Before, Side::After] {
        for count in [1, 200] {
            let database = TestDatabase::create().await;
            let wire = Wire::to(&database.url(), side).await;
            let store = open(&wire.url).await;
            let warm = store.append(request(&stream("warm"), 0, 1)).await;
            warm.expect("the wire carries");
            // A second time: statements are prepared by now, and a prepared call has no text.
            let requests: Vec<_> =
                (0..count).map(|n| request(&stream(&format!("{n}")), 0, 1)).collect();
            wire.cut.store(true, Ordering::SeqCst);
            let answers = store.append_all(requests.clone()).await;
            let mut done = 1;
            for (answer, request) in answers.iter().zip(&requests) {
                match answer {
                    Ok(appended) => {
                        done += 1;
                        let found = store.find_command(request.command).await.expect("read");
                        assert_eq!(found.expect("stored").1.event_ids, appended.event_ids);
                    }
                    Err(AppendError::Unavailable(_)) => {
                        let found = store.find_command(request.command).await.expect("read");
                        assert!(found.is_none(), "told that nothing was stored, but it was");
                    }
                    Err(error) => panic!("{side:?}, {count}: {error}"),
                }
            }
            let pool = PgPool::connect(&database.url()).await.expect("it answers");
            assert_sound(&pool, done).await;
            // Asked again, each is done exactly once in the end.
            for answer in store.append_all(requests).await {
                answer.expect("done now, or before");
            }
            assert_sound(&pool, 1 + count).await;
            let cut = wire.times.load(Ordering::SeqCst);
            eprintln!("{side:?}, {count} requests: the wire was cut {cut} times");
            assert!(count == 1 || cut == 1, "the wire was never cut: nothing was tested");
        }
    }
}
