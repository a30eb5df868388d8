//! The seal: what it costs whoever appends, whether it keeps up, and how fast what it published is
//! verified and proved.
//!
//! Knows the log as its users do: tiles in a folder, kept with fsync beside the database.

use std::{
    iter,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use api::{
    cluster::Cluster,
    seal::{self, Published, SEAL_INTERVAL_MS, Witnesses},
};
use event_store::{EventStore, StoreOptions};
use evidence::{Keys, Role, SignerKey, Storage};
use tokio::{
    runtime::{self, Runtime},
    task::JoinHandle,
};
use tokio_util::sync::CancellationToken;
use uuid::Uuid;

use crate::{
    Outcome, append,
    cores::Cores,
    ground::Ground,
    report::{Figure, Report},
    wing,
};

/// Callers at once, of the append path with a sealer beside it.
pub const CALLERS: [usize; 2] = [256, 1_024];
/// Streams they write to.
const STREAMS: usize = 10_000;
/// How many measurements' time each gets: a few per cent are to be seen.
const PERIODS: u32 = 2;
/// How long ext4 without a journal passes over what was deleted when it makes a file, in seconds.
const FORGOTTEN_S: u64 = 60;
/// What is measured one after the other: with a sealer or without, so that neither is always first.
const TURNS: [bool; 4] = [false, true, true, false];
/// Events of real validators in the log that is verified, and how many validators.
const VERIFIED: (usize, usize) = (1_000_000, 3_000);
/// Events in the log that proofs are made of.
const PROVED: usize = 10_000_000;
/// Proofs that are made.
const PROOFS: u64 = 2_000;
/// The longest that is waited for the sealer, in seconds.
const SEALED_S_MAX: u64 = 600;

/// A sealer on a database, in this process, as a server has it.
pub struct Sealer {
    store: EventStore,
    key: SignerKey,
    folder: PathBuf,
    published: Published,
    closing: CancellationToken,
    running: JoinHandle<()>,
    /// Its own threads; none while it works among those of everybody.
    apart: Option<Runtime>,
}

impl Sealer {
    /// Begins to seal into a folder of its own, with a key of its own.
    pub async fn start(store: EventStore) -> Outcome<Sealer> {
        Sealer::start_among(store, None)
    }

    /// The same, on the last core.
    fn start_apart(store: EventStore, cores: Cores) -> Outcome<Sealer> {
        let mut threads = runtime::Builder::new_multi_thread();
        threads.worker_threads(1).enable_all().on_thread_start(move || {
            if let Err(error) = cores.take_the_last() {
                eprintln!("the sealer has no core of its own: {error}");
            }
        });
        Sealer::start_among(store, Some(threads.build()?))
    }

    fn start_among(store: EventStore, apart: Option<Runtime>) -> Outcome<Sealer> {
        let folder = std::env::temp_dir().join(format!("node0-tiles-{}", Uuid::now_v7().simple()));
        let key = SignerKey::generate(Role::Log, "bench.example/log")?;
        let options = seal::Options {
            storage: Storage::open(&folder.to_string_lossy())?,
            keys: vec![key.clone()],
            witnesses: Witnesses::new(Vec::new(), None)?,
            interval_ms: SEAL_INTERVAL_MS,
        };
        let closing = CancellationToken::new();
        let entered = apart.as_ref().map(Runtime::enter);
        let (published, running) = seal::start(store.clone(), options, closing.clone());
        drop(entered);
        Ok(Sealer { store, key, folder, published, closing, running, apart })
    }

    /// Where it publishes.
    pub fn folder(&self) -> String {
        self.folder.to_string_lossy().into_owned()
    }

    /// What is published there, and by what it is verified.
    pub fn published_by(&self) -> Outcome<(Storage, Keys)> {
        let keys = [self.key.public().clone()].into_iter().collect();
        Ok((Storage::open(&self.folder())?, keys))
    }

    /// Waits until all is published; how many entries that are.
    pub async fn all(&self) -> Outcome<u64> {
        let head = self.store.head().await?.position;
        if self.published.reaches(head, Duration::from_secs(SEALED_S_MAX)).await {
            return Ok(head);
        }
        Err(format!("{head} events are not sealed after {SEALED_S_MAX} s").into())
    }

    /// Ends it. Its tiles are still there.
    pub async fn stop(self) -> Outcome<PathBuf> {
        self.closing.cancel();
        self.running.await?;
        self.apart.into_iter().for_each(Runtime::shutdown_background);
        Ok(self.folder)
    }
}

/// The append path with a sealer beside it and without, turn by turn; first on all cores, then on
/// all but one, which is the sealer's. Nothing is removed before the end, and what was removed
/// before is forgotten first: who removes many files makes it hard for others to make new ones, for
/// a while.
pub async fn cost(cluster: &Cluster, period: Duration, report: &mut Report) -> Outcome<()> {
    Command::new("sync").status()?;
    tokio::time::sleep(Duration::from_secs(FORGOTTEN_S)).await;
    let (mut folders, mut grounds) = (Vec::new(), Vec::new());
    for cores in iter::once(None).chain(Cores::find().map(Some)) {
        cores.iter().try_for_each(Cores::leave_the_last)?;
        let turns = CALLERS.into_iter().flat_map(|callers| TURNS.map(|sealed| (callers, sealed)));
        for (callers, sealed) in turns {
            let ground = Ground::migrated(cluster).await?;
            let store = EventStore::open(StoreOptions::new(ground.url())).await?;
            let sealer = match (sealed, cores) {
                (false, _) => None,
                (true, None) => Some(Sealer::start(store.clone()).await?),
                (true, Some(cores)) => Some(Sealer::start_apart(store.clone(), cores)?),
            };
            let figure = append::callers_of(&store, callers, STREAMS, period * PERIODS).await?;
            report.record(&appended(sealed, cores.is_some(), callers), figure);
            if let Some(sealer) = sealer {
                folders.push(behind(sealer, callers, report).await?);
            }
            store.close().await;
            ground.settle().await?;
            grounds.push(ground);
        }
        cores.iter().try_for_each(Cores::share)?;
    }
    for ground in grounds {
        ground.clear().await?;
    }
    folders.into_iter().try_for_each(|folder| Ok(std::fs::remove_dir_all(folder)?))
}

/// How far a sealer is behind when nobody appends any more; it ends then.
async fn behind(sealer: Sealer, callers: usize, report: &mut Report) -> Outcome<PathBuf> {
    let start = Instant::now();
    sealer.all().await?;
    let name = format!("sealer behind {callers} callers when they stop, s");
    let ceiling = 2.0 * SEAL_INTERVAL_MS as f64 / 1e3;
    report.ceiling(&name, Some(start.elapsed().as_secs_f64()), ceiling);
    sealer.stop().await
}

/// What a measurement of [`cost`] is called.
pub fn appended(sealed: bool, apart: bool, callers: usize) -> String {
    let how = if sealed { "sealed" } else { "not sealed" };
    let place = if apart { ", all cores but one" } else { "" };
    format!("append, {how}, {callers} callers{place}")
}

/// A log of validators is sealed from its beginning, and `node0 verify` is given one core for it.
pub async fn verified(cluster: &Cluster, node0: &str, report: &mut Report) -> Outcome<()> {
    let ground = Ground::migrated(cluster).await?;
    wing::fill(ground.url(), VERIFIED.0, VERIFIED.1).await?;
    let start = Instant::now();
    let store = EventStore::open(StoreOptions::new(ground.url())).await?;
    let sealer = Sealer::start(store.clone()).await?;
    let count = sealer.all().await? as usize;
    report.record("sealing from the beginning", Figure::new(count, start.elapsed(), Vec::new()));
    let start = Instant::now();
    verify(node0, &sealer.folder, &sealer.key)?;
    report.record("node0 verify, one core", Figure::new(count, start.elapsed(), Vec::new()));
    std::fs::remove_dir_all(sealer.stop().await?)?;
    store.close().await;
    ground.clear().await
}

fn verify(node0: &str, folder: &Path, key: &SignerKey) -> Outcome<()> {
    let key = key.public().to_string();
    let mut command = Command::new("taskset");
    command.args(["--cpu-list", "0", node0, "verify", "--json", "--key", &key]).arg(folder);
    let output = command.output()?;
    if output.status.success() {
        return Ok(());
    }
    Err(String::from_utf8_lossy(&output.stderr).into_owned().into())
}

/// Proofs that entries anywhere in a long log are in it, one after the other, as the API does.
pub async fn proved(cluster: &Cluster, report: &mut Report) -> Outcome<()> {
    let ground = Ground::migrated(cluster).await?;
    append::fill(ground.url(), PROVED, STREAMS).await?;
    let store = EventStore::open(StoreOptions::new(ground.url())).await?;
    let sealer = Sealer::start(store.clone()).await?;
    let size = sealer.all().await?;
    let now = sealer.published.now().map_err(|problem| format!("{problem:?}"))?;
    let start = Instant::now();
    let mut latencies = Vec::new();
    for nth in 0..PROOFS {
        // A prime step: every part of the log has its turn, and none twice.
        let index = nth * 7_368_787 % size;
        let start = Instant::now();
        let proved = sealer.published.inclusion(&now, (now.size, now.root), index).await;
        proved.map_err(|problem| format!("{problem:?}"))?;
        latencies.push(start.elapsed());
    }
    let figure = Figure::new(latencies.len(), start.elapsed(), latencies);
    report.ceiling("inclusion of one in 10,000,000: p95 of a proof, ms", figure.p95_ms, 5.0);
    report.record("inclusion proofs, 10,000,000 entries", figure);
    std::fs::remove_dir_all(sealer.stop().await?)?;
    store.close().await;
    ground.clear().await
}
