//! The archive: what it costs whoever appends that old events are not in the table any more, and
//! how fast they are moved and read.
//!
//! Knows the log as its users do: events of the size the contexts have, tiles in a folder.

use std::time::{Duration, Instant};

use api::{
    archive::{Kept, OBJECT_EVENTS, archive},
    cluster::Cluster,
    retention::Retention,
};
use event_store::{EventStore, StoreOptions};

use crate::{
    Outcome, append,
    ground::Ground,
    report::{Figure, Report},
    seal::Sealer,
};

/// Callers at once.
pub const CALLERS: [usize; 3] = [1, 64, 1_024];
/// Streams they write to.
const STREAMS: usize = 10_000;
/// Events that are there before: with an archive, all of them are in it.
const BEFORE: usize = 2 * OBJECT_EVENTS as usize;
/// The streams of those: of 1,024 events each, so that each is in every part of the archive.
const STREAMS_BEFORE: usize = 128;
/// What is measured one after the other: with an archive or without, so that neither is first.
const TURNS: [bool; 4] = [false, true, true, false];

/// The append path of a log whose past is in the archive, and of one that has no archive.
pub async fn measure(cluster: &Cluster, period: Duration, report: &mut Report) -> Outcome<()> {
    for archived in TURNS {
        let ground = Ground::migrated(cluster).await?;
        append::fill(ground.url(), BEFORE, STREAMS_BEFORE).await?;
        let plain = EventStore::open(StoreOptions::new(ground.url())).await?;
        let sealer = Sealer::start(plain.clone()).await?;
        let head = sealer.all().await?;
        if archived {
            let start = Instant::now();
            let how = (&Retention::default(), OBJECT_EVENTS);
            let (storage, keys) = sealer.published_by()?;
            let done = archive(ground.url(), (&storage, &keys), how, |_| ()).await?;
            let count = usize::try_from(done.removed)?;
            report.record("archiving", Figure::new(count, start.elapsed(), Vec::new()));
            let bytes =
                |of: fn(&api::archive::Moved) -> u64| done.moved.iter().map(of).sum::<u64>();
            let part = bytes(|moved| moved.bytes) as f64 / bytes(|moved| moved.record_bytes) as f64;
            report.ceiling("an object / its records, bytes", Some(part), 0.5);
        }
        let kept = Kept::at(sealer.folder());
        let options = StoreOptions {
            archive: Some(std::sync::Arc::new(kept)),
            ..StoreOptions::new(ground.url())
        };
        let store = EventStore::open(options).await?;
        report.record(&named("replay", archived), append::replay(&store, head).await?);
        report.record(&named("a stream of 1,024 events", archived), streams(&store).await?);
        for callers in CALLERS {
            let figure = append::callers_of(&store, callers, STREAMS, period).await?;
            report.record(&appended(archived, callers), figure);
        }
        store.close().await;
        std::fs::remove_dir_all(sealer.stop().await?)?;
        plain.close().await;
        ground.clear().await?;
    }
    Ok(())
}

/// Reads streams whole, one after the other.
async fn streams(store: &EventStore) -> Outcome<Figure> {
    let names = store.streams_of("account").await?;
    let (start, mut latencies) = (Instant::now(), Vec::new());
    for name in &names {
        let start = Instant::now();
        let events = store.read_stream(name, 1, usize::MAX).await?;
        assert_eq!(events.len(), BEFORE / STREAMS_BEFORE, "a stream was read in part");
        latencies.push(start.elapsed());
    }
    Ok(Figure::new(latencies.len(), start.elapsed(), latencies))
}

fn named(what: &str, archived: bool) -> String {
    format!("{what}, {}", if archived { "archived" } else { "in the table" })
}

/// What a measurement of appending is called.
pub fn appended(archived: bool, callers: usize) -> String {
    named(&format!("append, {callers} callers, past"), archived)
}
