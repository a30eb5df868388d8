//! Measures the appender beside the raw database, in one run, on one cluster.
//!
//! `append_bench postgres:///postgres?host=/socket/folder&user=postgres`; it creates and drops
//! databases of its own there. Only the ratios within one run mean something on a shared machine.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use bytes::{BufMut, Bytes, BytesMut};
use chrono::Utc;
use event_store::{
    AppendRequest, CommandDigest, CommandId, EventStore, Filter, Metadata, NewEvent, StoreOptions,
    StreamName,
};
use futures::{SinkExt, StreamExt};
use serde::Serialize;
use sqlx::{AssertSqlSafe, PgPool};
use tokio_postgres::NoTls;
use uuid::Uuid;

static MIGRATIONS: sqlx::migrate::Migrator = sqlx::migrate!("../migrations");
const CALLERS: [usize; 5] = [1, 16, 64, 256, 1_024];
const STREAMS: [u64; 3] = [1, 10_000, 1_000_000];
type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

#[derive(Serialize)]
struct Counted {
    amount: &'static str,
    by: &'static str,
    padding: &'static str,
    sequence: String,
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let server = std::env::args().nth(1).expect("the first argument is a database URL");
    let seconds: u64 = number("SECONDS", 3);
    let rounds: u64 = number("ROUNDS", 1);
    let only = std::env::var("ONLY").unwrap_or_default();
    for round in 1..=rounds {
        println!("round {round}");
        let raw_copy = raw(&server, seconds, RawShape::Copy).await?;
        println!("  raw binary COPY, 1,000 a commit        {raw_copy:>9.0}/s");
        let raw_single = raw(&server, seconds, RawShape::Single).await?;
        println!("  raw single insert                      {raw_single:>9.0}/s");
        for streams in STREAMS {
            if !only.is_empty() && !only.split(',').any(|one| one == streams.to_string()) {
                continue;
            }
            let database = Database::create(&server).await?;
            for callers in CALLERS {
                if streams == 1 && callers > 1 {
                    let rate = lane(&database.url, callers, seconds).await?;
                    println!(
                        "  one stream, {callers:>5} decided together     {:>9.0}/s  p50 {:>6.2} ms  p99 {:>6.2} ms  {:>4.2} of COPY",
                        rate.per_second,
                        rate.p50_ms,
                        rate.p99_ms,
                        rate.per_second / raw_copy
                    );
                    continue;
                }
                let rate = ours(&database.url, callers, streams, seconds).await?;
                let single = if callers == 1 {
                    format!("  {:>4.2} of single", rate.per_second / raw_single)
                } else {
                    String::new()
                };
                println!(
                    "  {streams:>9} streams, {callers:>5} callers       {:>9.0}/s  p50 {:>6.2} ms  p99 {:>6.2} ms  {:>4.2} of COPY{single}",
                    rate.per_second,
                    rate.p50_ms,
                    rate.p99_ms,
                    rate.per_second / raw_copy
                );
            }
            if streams == 10_000 {
                replay(&database.url).await?;
            }
            database.drop().await?;
        }
    }
    Ok(())
}

fn number(name: &str, default: u64) -> u64 {
    std::env::var(name).ok().and_then(|text| text.parse().ok()).unwrap_or(default)
}

struct Database {
    server: String,
    name: String,
    url: String,
}

impl Database {
    async fn create(server: &str) -> Outcome<Database> {
        let name = format!("append_bench_{}", Uuid::now_v7().simple());
        let admin = PgPool::connect(server).await?;
        sqlx::query(AssertSqlSafe(format!("create database {name}"))).execute(&admin).await?;
        let url = server.replacen("/postgres?", &format!("/{name}?"), 1);
        let pool = PgPool::connect(&url).await?;
        MIGRATIONS.run(&pool).await?;
        pool.close().await;
        Ok(Database { server: server.to_owned(), name, url })
    }

    async fn drop(self) -> Outcome<()> {
        let admin = PgPool::connect(&self.server).await?;
        let drop = format!("drop database {} with (force)", self.name);
        sqlx::query(AssertSqlSafe(drop)).execute(&admin).await?;
        sqlx::query("checkpoint").execute(&admin).await?;
        Ok(())
    }
}

fn request(stream: &StreamName, expected: u64) -> AppendRequest {
    let data = Counted {
        amount: "1000000000000",
        by: "FA64D4F9B8BA32EE35B21C2F5B9F37EC1B45B7C9",
        padding: "0123456789012345",
        sequence: expected.to_string(),
    };
    AppendRequest {
        // As random as the ids that idempotency keys give.
        command: CommandId(scattered()),
        digest: CommandDigest(Uuid::from_u128(u128::from(expected))),
        stream: stream.clone(),
        expected_version: expected,
        events: vec![NewEvent::new("value-counted.v1", &data).expect("canonical data")],
        metadata: Metadata {
            actor: Arc::from("principal-bench"),
            causation: None,
            correlation: Uuid::from_u128(7),
            reason: None,
            at: Utc::now(),
        },
    }
}

fn scattered() -> Uuid {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    let mut x = NEXT.fetch_add(1, Ordering::Relaxed) ^ SEED.load(Ordering::Relaxed);
    let mut half = || {
        x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = x;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    };
    Uuid::from_u64_pair(half(), half())
}
static SEED: AtomicU64 = AtomicU64::new(0x5eed_0000_0000);

struct Rate {
    per_second: f64,
    p50_ms: f64,
    p99_ms: f64,
}

impl Rate {
    fn of(count: u64, elapsed: Duration, mut waits: Vec<u64>) -> Rate {
        waits.sort_unstable();
        let at = |share: f64| {
            let index = (waits.len() as f64 * share) as usize;
            waits.get(index.min(waits.len().saturating_sub(1))).map_or(0.0, |us| *us as f64 / 1e3)
        };
        let (p50_ms, p99_ms) = (at(0.5), at(0.99));
        Rate { per_second: count as f64 / elapsed.as_secs_f64(), p50_ms, p99_ms }
    }
}

/// Each caller appends one event after the other, to streams of its own.
async fn ours(url: &str, callers: usize, streams: u64, seconds: u64) -> Outcome<Rate> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    let stop = Arc::new(AtomicBool::new(false));
    let run = Uuid::now_v7().simple().to_string();
    let each = (streams as usize / callers).max(1);
    let mut tasks = Vec::new();
    for caller in 0..callers {
        let (store, stop, run) = (store.clone(), Arc::clone(&stop), run.clone());
        tasks.push(tokio::spawn(async move {
            let names = |n: usize| StreamName::new(format!("account-{run}-{caller}-{n}"));
            let mut versions = vec![0_u64; each];
            let mut kept: Vec<Option<StreamName>> = vec![None; each];
            let mut waits = Vec::new();
            let mut turn = 0;
            while !stop.load(Ordering::Relaxed) {
                let n = turn % each;
                turn += 1;
                let name = kept[n].get_or_insert_with(|| names(n).expect("a stream name"));
                let started = Instant::now();
                let appended = store.append(request(name, versions[n])).await?;
                waits.push(started.elapsed().as_micros() as u64);
                versions[n] = appended.last_version;
            }
            Ok::<_, event_store::AppendError>(waits)
        }));
    }
    // Warm: connections, plans and the first streams.
    tokio::time::sleep(Duration::from_millis(500)).await;
    let before = store.head().await?.position;
    let started = Instant::now();
    tokio::time::sleep(Duration::from_secs(seconds)).await;
    let after = store.head().await?.position;
    let elapsed = started.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut waits = Vec::new();
    for task in tasks {
        waits.extend(task.await??);
    }
    store.close().await;
    Ok(Rate::of(after - before, elapsed, waits))
}

/// Commands of many callers for one stream, decided together as the write wing does: while one
/// group is being stored, the next one gathers.
async fn lane(url: &str, callers: usize, seconds: u64) -> Outcome<Rate> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    let stream = StreamName::new(format!("hot-{}", Uuid::now_v7().simple()))?;
    let mut version = 0;
    let mut waits = Vec::new();
    let started = Instant::now();
    let mut count = 0;
    while started.elapsed() < Duration::from_secs(seconds) {
        let together = Instant::now();
        let requests = (0..callers as u64).map(|n| request(&stream, version + n)).collect();
        for outcome in store.append_all(requests).await {
            version = outcome?.last_version;
            count += 1;
        }
        waits.push(together.elapsed().as_micros() as u64);
    }
    let elapsed = started.elapsed();
    store.close().await;
    Ok(Rate::of(count, elapsed, waits))
}

enum RawShape {
    Copy,
    Single,
}

/// The same rows without any of our promises: a primary key on the position and nothing else.
async fn raw(server: &str, seconds: u64, shape: RawShape) -> Outcome<f64> {
    let database = Database::create(server).await?;
    let (client, connection) = tokio_postgres::connect(&database.url, NoTls).await?;
    tokio::spawn(connection);
    client
        .batch_execute(
            "create table raw (position bigint primary key, stream_no bigint, version bigint,
                command uuid, digest uuid, record bytea);
             alter table raw alter column record set storage external",
        )
        .await?;
    let record = sample_record();
    let started = Instant::now();
    let mut position = 0_i64;
    match shape {
        RawShape::Copy => {
            let copy = client.prepare("copy raw from stdin (format binary)").await?;
            while started.elapsed() < Duration::from_secs(seconds) {
                let messages = copy_rows(&mut position, 1_000, &record);
                let sink = client.copy_in(&copy).await?;
                futures::pin_mut!(sink);
                for message in messages {
                    sink.feed(message).await?;
                }
                sink.finish().await?;
            }
        }
        RawShape::Single => {
            let insert = client.prepare("insert into raw values ($1, $2, $3, $4, $5, $6)").await?;
            while started.elapsed() < Duration::from_secs(seconds) {
                position += 1;
                let (command, digest) = (scattered(), scattered());
                client
                    .execute(&insert, &[&position, &1_i64, &position, &command, &digest, &record])
                    .await?;
            }
        }
    }
    let rate = position as f64 / started.elapsed().as_secs_f64();
    drop(client);
    database.drop().await?;
    Ok(rate)
}

fn sample_record() -> Vec<u8> {
    let mut record = vec![b'x'; 370];
    record[0] = b'{';
    record
}

fn copy_rows(position: &mut i64, count: usize, record: &[u8]) -> Vec<Bytes> {
    let mut rows = BytesMut::with_capacity(count * (record.len() + 100));
    let mut messages = Vec::new();
    rows.put_slice(b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0");
    for _ in 0..count {
        *position += 1;
        rows.put_i16(6);
        for number in [*position, *position % 10_000, *position / 10_000] {
            rows.put_i32(8);
            rows.put_i64(number);
        }
        for id in [scattered(), scattered()] {
            rows.put_i32(16);
            rows.put_slice(id.as_bytes());
        }
        rows.put_i32(record.len() as i32);
        rows.put_slice(record);
        if rows.len() > 64 * 1024 {
            messages.push(rows.split().freeze());
        }
    }
    rows.put_i16(-1);
    messages.push(rows.freeze());
    messages
}

/// Reading everything: a plain `select position, record`, our pages, and following from the start.
async fn replay(url: &str) -> Outcome<()> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    let head = store.head().await?.position.min(1_000_000);
    for _ in 0..2 {
        let started = Instant::now();
        let mut rows = sqlx::query_as::<_, (i64, Vec<u8>)>(
            "select position, record from events where position <= $1 order by position",
        )
        .bind(head as i64)
        .fetch(store.pool());
        let mut bytes = 0;
        while let Some(row) = rows.next().await {
            bytes += row?.1.len();
        }
        let raw = head as f64 / started.elapsed().as_secs_f64();
        drop(rows);
        let started = Instant::now();
        let mut after = 0;
        let mut ours_bytes = 0;
        while after < head {
            let page = store.read_all(after, &Filter::all(), 2_000).await?;
            after = page.scanned_to;
            ours_bytes += page.events.iter().map(|event| event.record.len()).sum::<usize>();
        }
        let ours = after as f64 / started.elapsed().as_secs_f64();
        let started = Instant::now();
        let mut pages = Box::pin(store.follow(0, Filter::all()));
        let mut reached = 0;
        while reached < head {
            reached = pages.next().await.expect("follows for ever")?.scanned_to;
        }
        let followed = reached as f64 / started.elapsed().as_secs_f64();
        println!(
            "  replay of {head}, {} bytes a record: raw {raw:>9.0}/s, read_all {ours:>9.0}/s ({:.2}), follow {followed:>9.0}/s ({:.2})",
            bytes as u64 / head,
            ours / raw,
            followed / raw
        );
        assert!(ours_bytes >= bytes, "nothing is left out");
    }
    store.close().await;
    Ok(())
}
