//! Our append and our replay: one event a call, versions and command ids checked.
//!
//! Knows events of the size the contexts have, and nothing of their meaning.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use chrono::Utc;
use event_store::{
    AppendRequest, CommandDigest, CommandId, EventStore, Filter, Metadata, NewEvent, StoreOptions,
    StreamName,
};
use futures::future::try_join_all;
use serde::Serialize;
use tokio::sync::Barrier;
use uuid::Uuid;

use crate::{Outcome, report::Figure};

/// How long a measurement runs before it counts: connections, plans, first streams.
const WARM: Duration = Duration::from_millis(500);
/// Events read at once in a replay.
const PAGE_EVENTS: usize = 10_000;

/// Up to this many streams are there before it counts; above, making them is part of what counts.
const STREAMS_MADE_MAX: usize = 10_000;

/// `callers` append one event after the other to streams of their own, `streams` in all.
pub async fn callers(
    url: &str,
    callers: usize,
    streams: usize,
    period: Duration,
) -> Outcome<Figure> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    let figure = callers_of(&store, callers, streams, period).await;
    store.close().await;
    figure
}

/// The same, by a store that others of this process use as well.
pub async fn callers_of(
    store: &EventStore,
    callers: usize,
    streams: usize,
    period: Duration,
) -> Outcome<Figure> {
    let stop = Arc::new(AtomicBool::new(false));
    let run = Uuid::now_v7().simple().to_string();
    let each = (streams / callers).max(1);
    let made = Arc::new(Barrier::new(callers + 1));
    let tasks: Vec<_> = (0..callers)
        .map(|caller| {
            let (store, stop, run) = (store.clone(), Arc::clone(&stop), run.clone());
            let (prefix, made) = (format!("account-{run}-{caller}"), Arc::clone(&made));
            tokio::spawn(caller_loop(store, stop, prefix, each, streams, made))
        })
        .collect();
    made.wait().await;
    tokio::time::sleep(WARM).await;
    let before = store.head().await?.position;
    let start = Instant::now();
    tokio::time::sleep(period).await;
    let after = store.head().await?.position;
    let elapsed = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    Ok(Figure::new((after - before) as usize, elapsed, latencies))
}

async fn caller_loop(
    store: EventStore,
    stop: Arc<AtomicBool>,
    prefix: String,
    streams: usize,
    streams_in_all: usize,
    made: Arc<Barrier>,
) -> Outcome<Vec<Duration>> {
    let mut kept: Vec<Option<(StreamName, u64)>> = vec![None; streams];
    if streams_in_all <= STREAMS_MADE_MAX {
        let names = (0..streams).map(|n| StreamName::new(format!("{prefix}-{n}")));
        let names = names.collect::<Result<Vec<_>, _>>()?;
        let requests = names.iter().map(|stream| request(stream, 0));
        for answer in store.append_all(requests.collect::<Outcome<Vec<_>>>()?).await {
            answer?;
        }
        kept = names.into_iter().map(|stream| Some((stream, 1))).collect();
    }
    made.wait().await;
    let mut latencies = Vec::new();
    let mut turn = 0;
    while !stop.load(Ordering::Relaxed) {
        let n = turn % streams;
        turn += 1;
        let (stream, version) = match kept[n].take() {
            Some(kept) => kept,
            None => (StreamName::new(format!("{prefix}-{n}"))?, 0),
        };
        let start = Instant::now();
        let appended = store.append(request(&stream, version)?).await?;
        latencies.push(start.elapsed());
        kept[n] = Some((stream, appended.last_version));
    }
    Ok(latencies)
}

/// `count` events over `streams` streams, for what is read afterwards.
pub async fn fill(url: &str, count: usize, streams: usize) -> Outcome<()> {
    let store = EventStore::open(StoreOptions::new(url)).await?;
    let run = Uuid::now_v7().simple().to_string();
    let each = count / streams;
    let names = (0..streams).map(|n| StreamName::new(format!("account-{run}-{n}")));
    let names = names.collect::<Result<Vec<_>, _>>()?;
    for part in names.chunks(256) {
        try_join_all(part.iter().map(|stream| fill_stream(&store, stream, each))).await?;
    }
    store.close().await;
    Ok(())
}

async fn fill_stream(store: &EventStore, stream: &StreamName, count: usize) -> Outcome<()> {
    let requests = (0..count as u64).map(|version| request(stream, version));
    for answer in store.append_all(requests.collect::<Outcome<Vec<_>>>()?).await {
        answer?;
    }
    Ok(())
}

/// An event's data, about as large as the contexts have it.
#[derive(Serialize)]
struct Counted {
    amount: &'static str,
    by: &'static str,
    padding: &'static str,
    sequence: String,
}

fn request(stream: &StreamName, expected_version: u64) -> Outcome<AppendRequest> {
    let data = Counted {
        amount: "1000000000000",
        by: "FA64D4F9B8BA32EE35B21C2F5B9F37EC1B45B7C9",
        padding: "0123456789012345",
        sequence: expected_version.to_string(),
    };
    Ok(AppendRequest {
        // As scattered as the ids that idempotency keys give.
        command: CommandId(Uuid::from_u128(Uuid::now_v7().as_u128().rotate_left(64))),
        digest: CommandDigest(Uuid::from_u128(u128::from(expected_version))),
        stream: stream.clone(),
        expected_version,
        events: vec![NewEvent::new("value-counted.v1", &data)?],
        metadata: Metadata {
            actor: Arc::from("principal-bench"),
            causation: None,
            correlation: Uuid::from_u128(7),
            reason: None,
            at: Utc::now(),
        },
    })
}

/// Reads every record in pages, as projections do.
pub async fn replay(store: &EventStore, head: u64) -> Outcome<Figure> {
    let start = Instant::now();
    let (mut after, mut count, mut bytes) = (0, 0, 0);
    while after < head {
        let page = store.read_all(after, &Filter::all(), PAGE_EVENTS).await?;
        after = page.scanned_to;
        count += page.events.len();
        bytes += page.events.iter().map(|event| event.record.len()).sum::<usize>();
    }
    assert!(bytes > count, "records were read");
    Ok(Figure::new(count, start.elapsed(), Vec::new()))
}
