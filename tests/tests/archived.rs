//! What was moved to the archive is read, refused and repeated as before: the promises of the log
//! do not depend on where an event is.
//!
//! Knows streams and versions; the events mean nothing. The archive is in memory here.

use std::{
    collections::HashMap,
    ops::Range,
    sync::{Arc, Mutex},
    time::Duration,
};

use bytes::Bytes;
use chrono::{DateTime, Utc};
use event_store::{
    AppendError, AppendRequest, Appended, Archive, CommandDigest, CommandId, EventStore, Filter,
    Metadata, NewEvent, StoreError, StoreOptions, StoredEvent, StreamName,
    archive::{Archiver, BLOCK_EVENTS, NewObject, Object},
    check::check_log,
};
use futures::{FutureExt as _, StreamExt as _, future::BoxFuture};
use serde_json::json;
use sqlx::PgPool;
use tests::database::TestDatabase;
use uuid::Uuid;

/// Objects by their paths.
#[derive(Clone, Debug, Default)]
struct Shelf(Arc<Mutex<HashMap<String, Vec<Bytes>>>>);

impl Archive for Shelf {
    fn records<'a>(
        &'a self,
        object: &'a Object,
        blocks: Range<usize>,
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        let shelf = self.0.lock().unwrap();
        let records = shelf.get(object.path()).map(|records| {
            let block = usize::try_from(BLOCK_EVENTS).unwrap();
            records[blocks.start * block..blocks.end * block].to_vec()
        });
        async move { records.ok_or_else(|| object.unread("it is gone")) }.boxed()
    }
}

/// A log, and what its archive is.
struct Log {
    database: TestDatabase,
    shelf: Shelf,
}

impl Log {
    async fn new() -> Log {
        Log { database: TestDatabase::create().await, shelf: Shelf::default() }
    }

    async fn open(&self) -> EventStore {
        let archive: Arc<dyn Archive> = Arc::new(self.shelf.clone());
        let options =
            StoreOptions { archive: Some(archive), ..StoreOptions::new(self.database.url()) };
        EventStore::open(options).await.unwrap()
    }

    async fn pool(&self) -> PgPool {
        PgPool::connect(&self.database.url()).await.unwrap()
    }

    /// Has so many events in the next object, and says that all that is there is sealed.
    async fn keep(&self, archiver: &mut Archiver, events: u64) {
        let seal = "update seal set size = (select position from head)";
        sqlx::query(seal).execute(&self.pool().await).await.unwrap();
        let first = archiver.objects().await.unwrap().last().map_or(1, |last| last.positions().end);
        let moved = archiver.events(first, events).await.unwrap();
        assert_eq!(moved.len() as u64, events);
        let path = format!("{first}");
        let records = moved.into_iter().map(|event| event.record).collect();
        self.shelf.0.lock().unwrap().insert(path.clone(), records);
        let last = first + events - 1;
        let offsets = (0..=events / BLOCK_EVENTS).collect();
        archiver.keep(&NewObject { first, last, root: [1; 32], path, offsets }).await.unwrap();
    }

    /// Moves the next events into the archive.
    async fn archive(&self, events: u64) {
        let mut archiver = Archiver::open(&self.database.url()).await.unwrap();
        self.keep(&mut archiver, events).await;
        while archiver.remove().await.unwrap().is_some() {}
        archiver.close().await.unwrap();
    }

    async fn assert_sound(&self, events: u64) {
        let report = check_log(&self.pool().await, Some(&self.shelf)).await.unwrap();
        assert!(report.is_sound(), "{:#?}", report.faults);
        assert_eq!(report.events, events);
    }
}

fn stream(name: &str) -> StreamName {
    name.parse().unwrap()
}

fn request(stream: &StreamName, expected_version: u64, events: usize) -> AppendRequest {
    let event = |n| {
        let name = if n % 2 == 0 { "thing-happened.v1" } else { "thing-ended.v1" };
        NewEvent::new(name, &json!({ "n": n })).unwrap()
    };
    AppendRequest {
        command: CommandId::fresh(),
        digest: CommandDigest(Uuid::from_u128(1)),
        stream: stream.clone(),
        expected_version,
        events: (0..events).map(event).collect(),
        metadata: Metadata {
            actor: Arc::from("tester"),
            causation: None,
            correlation: Uuid::from_u128(expected_version.into()),
            reason: None,
            at: Utc::now(),
        },
    }
}

/// Grows streams of two categories by requests of one to five events; what was asked.
async fn grow(store: &EventStore, rounds: u64) -> Vec<(AppendRequest, Appended)> {
    let names: Vec<StreamName> =
        (0..7).map(|n| stream(&format!("{}-{n}", if n < 5 { "even" } else { "odd" }))).collect();
    let mut done: Vec<(AppendRequest, Appended)> = Vec::new();
    let mut versions: HashMap<StreamName, u64> = HashMap::new();
    for round in 0..rounds {
        let (mut asked, mut seen) = (Vec::new(), Vec::new());
        for (nth, name) in names.iter().enumerate().skip((round % 3) as usize) {
            let events = 1 + (round as usize + nth) % 5;
            let version = versions.entry(name.clone()).or_default();
            asked.push(request(name, *version, events));
            *version += events as u64;
        }
        for (request, answer) in asked.clone().into_iter().zip(store.append_all(asked).await) {
            seen.push((request, answer.unwrap()));
        }
        done.extend(seen);
    }
    done
}

/// Everything that can be asked of a log, in pages of several sizes.
#[derive(Debug, PartialEq)]
struct Picture {
    all: Vec<StoredEvent>,
    streams: Vec<Vec<StoredEvent>>,
    filtered: Vec<Vec<StoredEvent>>,
    scattered: Vec<StoredEvent>,
    moments: Vec<u64>,
    newest: Option<StreamName>,
    followed: Vec<StoredEvent>,
}

async fn paged(store: &EventStore, filter: &Filter, limit: usize) -> Vec<StoredEvent> {
    let (mut after, mut events) = (0, Vec::new());
    loop {
        let page = store.read_all(after, filter, limit).await.unwrap();
        assert!(page.events.len() <= limit);
        events.extend(page.events);
        if page.scanned_to == after {
            return events;
        }
        after = page.scanned_to;
    }
}

async fn picture(store: &EventStore, moments: &[DateTime<Utc>]) -> Picture {
    let head = store.head().await.unwrap().position;
    let mut streams = Vec::new();
    for name in ["even-0", "even-3", "odd-6", "odd-7"] {
        for (from, limit) in [(1, 10_000), (1, 1), (2, 3), (40, 50), (90, 10_000), (9_999, 5)] {
            streams.push(store.read_stream(&stream(name), from, limit).await.unwrap());
        }
    }
    let filters = [
        Filter { streams: vec![stream("even-1"), stream("odd-5")], ..Filter::all() },
        Filter { streams: vec![stream("odd-9")], ..Filter::all() },
        Filter { categories: vec!["odd".to_owned()], ..Filter::all() },
        Filter { event_types: vec!["thing-ended.v1".to_owned()], ..Filter::all() },
        Filter { correlation: Some(Uuid::from_u128(3)), ..Filter::all() },
    ];
    let mut filtered = Vec::new();
    for filter in &filters {
        for limit in [7, 100, 10_000] {
            filtered.push(paged(store, filter, limit).await);
        }
    }
    let mut scattered: Vec<u64> = (1..=head + 20).step_by(13).collect();
    scattered.reverse();
    let mut positions = Vec::new();
    for moment in moments {
        positions.push(store.position_at(*moment).await.unwrap());
    }
    let mut follow = std::pin::pin!(store.follow(0, Filter::all()));
    let mut followed = Vec::new();
    while (followed.len() as u64) < head {
        followed.extend(follow.next().await.unwrap().unwrap().events.clone());
    }
    Picture {
        all: paged(store, &Filter::all(), 333).await,
        streams,
        filtered,
        scattered: store.read_at(&scattered).await.unwrap(),
        moments: positions,
        newest: store.newest_numbered("odd-").await.unwrap(),
        followed,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_is_read_as_before_wherever_it_is() {
    let log = Log::new().await;
    let store = log.open().await;
    let done = grow(&store, 40).await;
    let at: Vec<DateTime<Utc>> = store
        .read_at(&[1, 200, 255, 256, 257, 500])
        .await
        .unwrap()
        .iter()
        .map(|event| event.parse().unwrap().at)
        .collect();
    let head = store.head().await.unwrap().position;
    let before = picture(&log.open().await, &at).await;
    assert_eq!((before.all.len() as u64, before.scattered[0].position), (head, 1));
    // An object that is kept and still in the table, one that is half removed, and ones that are.
    let mut archiver = Archiver::open(&log.database.url()).await.unwrap();
    log.keep(&mut archiver, 256).await;
    assert_eq!(picture(&log.open().await, &at).await, before);
    let some = "select remove_archived(100)";
    sqlx::query(some).execute(&log.pool().await).await.unwrap();
    assert_eq!(picture(&log.open().await, &at).await, before);
    log.assert_sound(head).await;
    archiver.close().await.unwrap();
    log.archive(256).await;
    let there: i64 = sqlx::query_scalar("select count(*) from events where position <= 512")
        .fetch_one(&log.pool().await)
        .await
        .unwrap();
    assert_eq!(there, 0, "no event is in two places");
    assert_eq!(picture(&log.open().await, &at).await, before);
    log.assert_sound(head).await;
    // Requests across the borders of blocks and objects are whole.
    for (request, appended) in done {
        let (digest, found) = store.find_command(request.command).await.unwrap().unwrap();
        assert_eq!((digest, &found.event_ids), (request.digest, &appended.event_ids));
        assert_eq!((found.last_position, found.last_version, found.repeated), {
            (appended.last_position, appended.last_version, true)
        });
    }
    // The log goes on where it was.
    let more = grow_on(&store).await;
    assert_eq!(more, head + 1);
    log.assert_sound(head + 1).await;
}

/// Appends one more event to a stream that is archived to the last of its events.
async fn grow_on(store: &EventStore) -> u64 {
    let name = stream("even-0");
    let version = store.read_stream(&name, 1, 10_000).await.unwrap().len() as u64;
    store.append(request(&name, version, 1)).await.unwrap().last_position
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_that_is_archived_can_be_appended_again() {
    let log = Log::new().await;
    let (one, other) = (log.open().await, log.open().await);
    let names: Vec<StreamName> = (0..64).map(|n| stream(&format!("thing-{n}"))).collect();
    // One knows every stream as it was at first; the other has brought them on since.
    let at_first: Vec<AppendRequest> = names.iter().map(|name| request(name, 0, 1)).collect();
    for answer in one.append_all(at_first.clone()).await {
        answer.unwrap();
    }
    for version in [1, 3, 5] {
        let on = names.iter().map(|name| request(name, version, 2)).collect();
        for answer in other.append_all(on).await {
            answer.unwrap();
        }
    }
    log.archive(256).await;
    let fresh = log.open().await;
    for store in [&one, &other, &fresh] {
        // By ones and many at once: few are asked about first, many are copied.
        for some in [1, 3, 64] {
            // A version that is archived.
            for version in [1, 4] {
                let stale = names[..some].iter().map(|name| request(name, version, 1)).collect();
                for answer in store.append_all(stale).await {
                    let actual = match answer {
                        Err(AppendError::Conflict { actual, .. }) => actual,
                        other => panic!("{other:?}"),
                    };
                    assert_eq!(actual, 7);
                }
            }
            // A command that is archived, for the version that is next.
            let again: Vec<AppendRequest> = at_first[..some]
                .iter()
                .map(|first| AppendRequest { expected_version: 7, ..first.clone() })
                .collect();
            for (answer, first) in store.append_all(again.clone()).await.into_iter().zip(1..) {
                let answer = answer.unwrap();
                assert_eq!((answer.repeated, answer.last_position), (true, first));
            }
            let others = again.into_iter().map(|again| {
                let digest = CommandDigest(Uuid::from_u128(9));
                AppendRequest { digest, ..again }
            });
            for answer in store.append_all(others.collect()).await {
                assert!(matches!(answer, Err(AppendError::CommandReused { .. })), "{answer:?}");
            }
        }
    }
    log.assert_sound(448).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_appends_does_not_notice_that_events_are_being_archived() {
    let log = Arc::new(Log::new().await);
    let stores = [log.open().await, log.open().await];
    let deadline = std::time::Instant::now() + Duration::from_secs(6);
    let writers: Vec<_> = stores
        .iter()
        .cloned()
        .enumerate()
        .flat_map(|(of, store)| (0..24).map(move |nth| (of, nth, store.clone())))
        .map(|(of, nth, store)| {
            tokio::spawn(async move {
                // Streams that only one writer has, and one that all share.
                let (own, shared) = (stream(&format!("own-{of}-{nth}")), stream("shared-1"));
                let (mut version, mut common, mut events) = (0, 0, 0);
                while std::time::Instant::now() < deadline {
                    let asked = request(&own, version, 3);
                    let first = store.append(asked.clone()).await.unwrap();
                    (version, events) = (version + 3, events + 3);
                    let again = store.append(asked).await.unwrap();
                    assert!(again.repeated && again.event_ids == first.event_ids);
                    match store.append(request(&shared, common, 1)).await {
                        Ok(_) => (common, events) = (common + 1, events + 1),
                        Err(AppendError::Conflict { actual, .. }) => common = actual,
                        Err(error) => panic!("{error}"),
                    }
                }
                events
            })
        })
        .collect();
    let mut archived = 0;
    while std::time::Instant::now() < deadline {
        let head = stores[0].head().await.unwrap().position;
        // Close behind those who write: what is repeated and contended is being moved.
        match head >= archived + 256 {
            true => {
                log.archive(256).await;
                archived += 256;
            }
            false => tokio::time::sleep(Duration::from_millis(5)).await,
        }
    }
    let mut events = 0;
    for writer in writers {
        events += writer.await.unwrap();
    }
    assert!(archived >= 1_024, "only {archived} of {events} were archived meanwhile");
    log.assert_sound(events).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_leaves_the_table_that_is_not_in_the_archive() {
    let log = Log::new().await;
    let store = log.open().await;
    grow(&store, 20).await;
    let pool = log.pool().await;
    let refused = async |role: &str, change: &str| {
        let mut tx = pool.begin().await.unwrap();
        sqlx::raw_sql(sqlx::AssertSqlSafe(format!("set local role {role}")))
            .execute(&mut *tx)
            .await
            .unwrap();
        let refused = sqlx::raw_sql(sqlx::AssertSqlSafe(change.to_owned())).execute(&mut *tx).await;
        let refused = refused.expect_err(change).into_database_error().unwrap();
        (refused.code().unwrap().into_owned(), refused.message().to_owned())
    };
    let owner: String = sqlx::query_scalar("select current_user").fetch_one(&pool).await.unwrap();
    // Not sealed, not the next ones, and not in any archive.
    let add = |first: u64, last: u64| {
        let offsets: Vec<String> =
            (0..=(last + 1 - first) / 256).map(|offset| offset.to_string()).collect();
        let offsets = offsets.join(",");
        format!("select add_archive({first}, {last}, sha256(''), 'a', array[{offsets}])")
    };
    let (code, message) = refused(&owner, &add(1, 256)).await;
    assert_eq!((code.as_str(), message.as_str()), ("N0004", "position 256 is not sealed"));
    sqlx::query("update seal set size = 300").execute(&pool).await.unwrap();
    let (_, message) = refused(&owner, &add(257, 512)).await;
    assert_eq!(message, "the archive goes on at position 1, not 257");
    assert_eq!(refused(&owner, "delete from events where position = 1").await.0, "N0001");
    assert_eq!(refused(&owner, "truncate events").await.0, "N0001");
    // In an archive, and what appending rests on is not kept.
    sqlx::raw_sql(sqlx::AssertSqlSafe(add(1, 256))).execute(&pool).await.unwrap();
    let (code, message) = refused(&owner, "delete from events where position = 1").await;
    let sentence = "events is append only: delete of what is in no archive is refused";
    assert_eq!((code.as_str(), message.as_str()), ("N0001", sentence));
    // Who serves removes nothing; who archives does nothing else.
    for (role, change) in [
        ("node0_app", "select remove_archived(1)"),
        ("node0_app", "insert into archives select * from archives"),
        ("node0_app", "delete from events"),
        ("node0_archiver", "delete from events"),
        ("node0_archiver", "update head set position = 0"),
        ("node0_archiver", "insert into events select * from events"),
        ("node0_archiver", "delete from archived_requests"),
    ] {
        assert_eq!(refused(role, change).await.0, "42501", "{role}: {change}");
    }
    let mut tx = pool.begin().await.unwrap();
    sqlx::query("set local role node0_archiver").execute(&mut *tx).await.unwrap();
    let upto: Option<i64> =
        sqlx::query_scalar("select remove_archived(100)").fetch_one(&mut *tx).await.unwrap();
    assert_eq!(upto, Some(100));
    tx.commit().await.unwrap();
    let one = Archiver::open(&log.database.url()).await.unwrap();
    let busy = Archiver::open(&log.database.url()).await.unwrap_err();
    assert_eq!(busy.to_string(), "another process archives this log");
    one.close().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_archive_that_is_away_is_no_log_without_its_beginning() {
    let log = Log::new().await;
    let store = log.open().await;
    grow(&store, 20).await;
    log.archive(256).await;
    let blind = EventStore::open(StoreOptions::new(log.database.url())).await.unwrap();
    let gone = log.open().await;
    log.shelf.0.lock().unwrap().clear();
    for (store, because) in [(blind, "nobody said where it is"), (gone, "it is gone")] {
        let name = stream("even-0");
        let answers = [
            store.read_all(0, &Filter::all(), 10).await.map(drop),
            store.read_stream(&name, 1, 10).await.map(drop),
            store.read_at(&[3]).await.map(drop),
            store.position_at(Utc::now() - chrono::TimeDelta::days(1)).await.map(drop),
        ];
        for answer in answers {
            let error = answer.unwrap_err();
            assert!(error.is_unavailable(), "it may come back");
            let told = format!("1 in the archive cannot be read: {because}");
            assert_eq!(error.to_string(), told);
        }
        // What is in the table is there, and the log grows.
        assert_eq!(store.read_all(256, &Filter::all(), 10).await.unwrap().events.len(), 10);
        let head = store.head().await.unwrap().position;
        let name = stream(&format!("thing-{because}").replace(' ', "-"));
        assert_eq!(store.append(request(&name, 0, 1)).await.unwrap().last_position, head + 1);
    }
}
