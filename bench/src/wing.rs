//! The write wing and the read wing: one hot stream decided together, and read models that catch
//! up.
//!
//! Knows the validator context only as a source of real commands and events.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use domain::{
    validator::{Command, Validator},
    values::{Address, Amount},
};
use event_store::{EventStore, StoreOptions};
use projections::{Projections, ProjectionsOptions};

use crate::{Outcome, report::Figure, validators};

/// How long a measurement runs before it counts.
const WARM: Duration = Duration::from_millis(500);
/// Commands handed over at once while a log is filled.
const TOGETHER: usize = 5_000;
/// The pause between two looks at the read models.
const LOOK: Duration = Duration::from_millis(20);

/// `callers` send commands to one validator, each waiting for its answer before it sends the next.
pub async fn hot_stream(url: &str, callers: usize, period: Duration) -> Outcome<Figure> {
    let commands = validators::wing(url).await?;
    let address = validators::register(&commands, 1).await?[0];
    let stop = Arc::new(AtomicBool::new(false));
    let tasks: Vec<_> = (0..callers)
        .map(|_| {
            let (commands, stop) = (commands.clone(), Arc::clone(&stop));
            tokio::spawn(async move {
                let mut latencies = Vec::new();
                while !stop.load(Ordering::Relaxed) {
                    let start = Instant::now();
                    let context = validators::context();
                    commands.execute::<Validator>(address, bond(), context).await?;
                    latencies.push(start.elapsed());
                }
                Outcome::Ok(latencies)
            })
        })
        .collect();
    tokio::time::sleep(WARM).await;
    let before = commands.store().head().await?.position;
    let start = Instant::now();
    tokio::time::sleep(period).await;
    let after = commands.store().head().await?.position;
    let elapsed = start.elapsed();
    stop.store(true, Ordering::Relaxed);
    let mut latencies = Vec::new();
    for task in tasks {
        latencies.extend(task.await??);
    }
    commands.store().close().await;
    Ok(Figure::new((after - before) as usize, elapsed, latencies))
}

fn bond() -> Command {
    Command::Bond { amount: Amount::new(1) }
}

/// Fills a log with `count` events of the validator context over `streams` validators.
pub async fn fill(url: &str, count: usize, streams: usize) -> Outcome<Vec<Address>> {
    let commands = validators::wing(url).await?;
    let addresses = validators::register(&commands, streams).await?;
    let mut left = count - streams;
    let mut turn = addresses.iter().copied().cycle();
    while left > 0 {
        let part = left.min(TOGETHER);
        let next = turn.by_ref().take(part);
        let items = next.map(|address| (address, bond(), validators::context())).collect();
        for answer in commands.execute_all::<Validator>(items).await {
            answer?;
        }
        left -= part;
    }
    commands.store().close().await;
    Ok(addresses)
}

/// Lets one read model after the other catch up with the whole log; its name and its rate.
pub async fn catch_up(url: &str) -> Outcome<Vec<(&'static str, Figure)>> {
    let mut figures = Vec::new();
    for projection in projections::all() {
        let name = projection.name();
        let store = EventStore::open(StoreOptions::new(url)).await?;
        let head = store.head().await?.position;
        let pool = store.pool().clone();
        let start = Instant::now();
        let these = vec![projection];
        let running =
            Projections::start_these(these, store.clone(), pool, ProjectionsOptions::default());
        while running.position(&[name]) < head {
            tokio::time::sleep(LOOK).await;
        }
        figures.push((name, Figure::new(head as usize, start.elapsed(), Vec::new())));
        running.stop().await;
        store.close().await;
    }
    Ok(figures)
}
