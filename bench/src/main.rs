//! The benchmark: us, the raw database and a bare server, side by side in one run on one private
//! PostgreSQL with `fsync` and `synchronous_commit` on. Medians of several rounds and their ratios
//! go to the terminal and, of a run of everything, to `bench/results.json`.
//!
//! Knows no test: nothing here passes or fails. On a shared machine only ratios of one run count.
//!
//! `bench [--rounds 3] [--seconds 3] [--node0 PROGRAM]
//! [--only append,hot,replay,projections,past,seal,archive,proofs,http,limits,load,network]`

mod append;
mod archive;
mod cores;
mod ground;
mod http;
mod limits;
mod load;
mod network;
mod past;
mod raw;
mod report;
mod seal;
mod validators;
mod wing;

use std::{path::Path, time::Duration};

use api::cluster::{Cluster, ClusterOptions};
use domain::values::Address;
use event_store::{EventStore, StoreOptions};

use ground::Ground;
use http::Process;
use report::Report;

/// What a part of the benchmark gives.
pub type Outcome<T> = Result<T, Box<dyn std::error::Error + Send + Sync>>;

/// Callers at once.
const CALLERS: [usize; 5] = [1, 16, 64, 256, 1_024];
/// Streams written to.
const STREAMS: [usize; 2] = [10_000, 1_000_000];
/// Events in the log that is replayed.
const REPLAY_EVENTS: usize = 1_000_000;
/// Events in the log that read models catch up with, and the validators they belong to.
const CATCH_UP: (usize, usize) = (300_000, 3_000);
/// Validators that HTTP commands go to.
const HTTP_VALIDATORS: usize = 6_400;
/// Connections of the HTTP load.
const CONNECTIONS: usize = 64;

/// What a network is given to do: transactions a second, and how many a request carries.
const NETWORK: [(u32, u32); 3] = [(5_200, 100), (10_000, 100), (1_000, 1)];
/// How many measurements' time a network is given.
const NETWORK_PERIODS: u32 = 20;

struct Options {
    rounds: usize,
    period: Duration,
    only: Vec<String>,
    node0: String,
}

impl Options {
    fn read() -> Outcome<Options> {
        let mut options = Options {
            rounds: 3,
            period: Duration::from_secs(3),
            only: Vec::new(),
            node0: default_node0()?,
        };
        let mut arguments = std::env::args().skip(1);
        while let Some(name) = arguments.next() {
            let value = arguments.next().ok_or_else(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--rounds" => options.rounds = value.parse()?,
                "--seconds" => options.period = Duration::from_secs(value.parse()?),
                "--only" => options.only = value.split(',').map(str::to_owned).collect(),
                "--node0" => options.node0 = value,
                _ => return Err(format!("{name} is not known; see the head of main.rs").into()),
            }
        }
        Ok(options)
    }

    fn wants(&self, part: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|only| only == part)
    }
}

/// The program beside this one.
fn default_node0() -> Outcome<String> {
    let path = std::env::current_exe()?.with_file_name("node0");
    Ok(path.to_string_lossy().into_owned())
}

/// The allocator of the measured program, so that callers cost here what they cost there.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

#[tokio::main]
async fn main() -> Outcome<()> {
    if std::env::args().nth(1).as_deref() == Some("echo") {
        return http::serve_echo().await;
    }
    let options = Options::read()?;
    let folder = std::env::temp_dir().join(format!("node0-bench-{}", std::process::id()));
    let cluster = ClusterOptions { data: Some(folder.clone()), ..ClusterOptions::new("bench") };
    let cluster = Cluster::start(&cluster).await?;
    let mut report = Report::default();
    describe(&mut report, &options);
    let measured = measure(&cluster, &options, &mut report).await;
    cluster.stop().await?;
    std::fs::remove_dir_all(&folder)?;
    measured?;
    conclude(&mut report);
    report.print();
    // What was measured in part would take the place of what was measured whole.
    if options.only.is_empty() {
        report.write(Path::new("bench/results.json"))?;
    }
    Ok(())
}

async fn measure(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    for round in 1..=options.rounds {
        eprintln!("round {round} of {}", options.rounds);
        if options.wants("append") || options.wants("hot") {
            let copy = raw::write(cluster, raw::Shape::Copy, options.period).await?;
            report.record("raw binary copy, 1 connection", copy);
        }
        if options.wants("append") {
            append_round(cluster, options, report).await?;
        }
        if options.wants("hot") {
            for callers in [100, 1_024] {
                let ground = Ground::migrated(cluster).await?;
                let figure = wing::hot_stream(ground.url(), callers, options.period).await?;
                report.record(&format!("commands, 1 stream, {callers} callers"), figure);
                ground.clear().await?;
            }
        }
        if options.wants("replay") {
            replay_round(cluster, report).await?;
        }
        if options.wants("projections") {
            let ground = Ground::migrated(cluster).await?;
            wing::fill(ground.url(), CATCH_UP.0, CATCH_UP.1).await?;
            for (name, figure) in wing::catch_up(ground.url()).await? {
                report.record(&format!("catch-up, {name}"), figure);
            }
            ground.clear().await?;
        }
        if options.wants("past") {
            past::of_one(cluster, &options.node0, options.period, report).await?;
        }
        if options.wants("seal") {
            seal::cost(cluster, options.period, report).await?;
            seal::verified(cluster, &options.node0, report).await?;
        }
        if options.wants("archive") {
            archive::measure(cluster, options.period, report).await?;
        }
        // Its log takes minutes to make: once.
        if options.wants("proofs") && round == 1 {
            seal::proved(cluster, report).await?;
        }
        if options.wants("http") {
            http_round(cluster, options, report).await?;
        }
        if options.wants("limits") {
            limits_round(cluster, options, report).await?;
        }
        if options.wants("load") {
            load_round(cluster, options, report).await?;
        }
        if options.wants("network") {
            network_round(cluster, options, report).await?;
        }
    }
    Ok(())
}

async fn append_round(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    let period = options.period;
    report.record("raw single insert", raw::write(cluster, raw::Shape::Single, period).await?);
    let multi = raw::write(cluster, raw::Shape::MultiRow, period).await?;
    report.record("raw multi-row insert, 1,000 rows", multi);
    for streams in STREAMS {
        let ground = Ground::migrated(cluster).await?;
        for callers in CALLERS {
            let figure = append::callers(ground.url(), callers, streams, period).await?;
            report.record(&format!("append, {streams} streams, {callers} callers"), figure);
        }
        ground.clear().await?;
    }
    let ground = Ground::migrated(cluster).await?;
    let figure = append::callers(ground.url(), 1, 1, period).await?;
    report.record("append, 1 stream, 1 callers", figure);
    ground.clear().await
}

async fn replay_round(cluster: &Cluster, report: &mut Report) -> Outcome<()> {
    let ground = Ground::migrated(cluster).await?;
    append::fill(ground.url(), REPLAY_EVENTS, 10_000).await?;
    let store = EventStore::open(StoreOptions::new(ground.url())).await?;
    let head = store.head().await?.position;
    // Read once before anything counts: both then find the same pages in memory.
    raw::replay(store.pool(), head).await?;
    report.record("raw replay", raw::replay(store.pool(), head).await?);
    report.record("replay", append::replay(&store, head).await?);
    store.close().await;
    ground.clear().await
}

/// A ground with the validators that HTTP commands go to.
async fn registered(cluster: &Cluster) -> Outcome<(Ground, Vec<Address>)> {
    let ground = Ground::migrated(cluster).await?;
    let commands = validators::wing(ground.url()).await?;
    let addresses = validators::register(&commands, HTTP_VALIDATORS).await?;
    commands.store().close().await;
    Ok((ground, addresses))
}

async fn http_round(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    let (ground, addresses) = registered(cluster).await?;
    let period = options.period;
    {
        let echo = Process::echo()?;
        let figure = http::single(&echo, http::TOKEN, &addresses, CONNECTIONS, period).await?;
        report.record("bare axum echo, 64 connections", figure);
    }
    let node0 = Process::node0(&options.node0, ground.url())?;
    http::single(&node0, http::TOKEN, &addresses, CONNECTIONS, Duration::from_secs(1)).await?;
    let figure = http::single(&node0, http::TOKEN, &addresses, CONNECTIONS, period).await?;
    report.record("HTTP commands, 64 connections", figure);
    let figure = http::hundred(&node0, &addresses, 8, period).await?;
    report.record("HTTP commands, 100 a request", figure);
    if let Some(peak) = node0.peak_memory_mib() {
        let seen = report.peak_memory_mib.entry("server, HTTP load".to_owned()).or_default();
        *seen = seen.max(peak);
    }
    drop(node0);
    ground.clear().await
}

/// The same command with an access token and every limit counted, and with neither.
async fn limits_round(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    let (ground, addresses) = registered(cluster).await?;
    let period = options.period;
    for connections in [1, CONNECTIONS] {
        {
            let bare = Process::node0(&options.node0, ground.url())?;
            let token = http::TOKEN;
            http::single(&bare, token, &addresses, connections, Duration::from_secs(1)).await?;
            let figure = http::single(&bare, token, &addresses, connections, period).await?;
            report.record(&format!("commands without limits, {connections} at once"), figure);
        }
        let full = Process::node0_with(&options.node0, ground.url(), &limits::COUNTED)?;
        let token = limits::session(&full).await?;
        http::single(&full, token, &addresses, connections, Duration::from_secs(1)).await?;
        let figure = http::single(&full, token, &addresses, connections, period).await?;
        report.record(&format!("commands in a session, counted, {connections} at once"), figure);
    }
    ground.clear().await
}

/// Many connections with few requests each, then five times as many as are let in, then as before.
async fn load_round(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    let (ground, addresses) = registered(cluster).await?;
    let node0 = Process::node0_with(&options.node0, ground.url(), &limits::LIMITED)?;
    let token = limits::session(&node0).await?;
    for (name, rate, periods) in limits::PHASES {
        let period = options.period * periods;
        let came = limits::load(node0.address(), token, &addresses, rate, period).await?;
        let p95 = came.answered.p95_ms;
        report.record(&format!("{name}: answered"), came.answered);
        report.record(&format!("{name}: /livez"), came.health);
        report.record(&format!("{name}: signs of life"), came.agreed);
        if came.shed == 0 {
            report.ceiling(&format!("{name}: p95 of an answer, ms"), p95, 100.0);
        }
        report.ceiling(&format!("{name}: p99 of health and votes, ms"), came.vital_p99_ms, 100.0);
        eprintln!("{name}: {} shed, {} otherwise", came.shed, came.failed);
    }
    ground.clear().await
}

async fn network_round(cluster: &Cluster, options: &Options, report: &mut Report) -> Outcome<()> {
    for (rate, batch) in NETWORK {
        let ground = Ground::migrated(cluster).await?;
        let period = options.period * NETWORK_PERIODS;
        let came = network::run(&options.node0, ground.url(), rate, batch, period)?;
        let name = format!("network, {rate} transactions/s, {batch} a request");
        let limits = [
            ("p95 of a request, ms", came.submission.p95_ms, 100.0),
            ("read models behind, s", Some(came.lag_seconds_max), 2.0),
        ];
        for (what, value, target) in limits {
            report.ceiling(&format!("{name}: {what}"), value, target);
        }
        report.record(&format!("{name}, final"), came.finality);
        report.record(&format!("{name}, requests"), came.submission);
        if let Some(peak) = came.peak_memory_mib {
            let seen = report.peak_memory_mib.entry(name).or_default();
            *seen = seen.max(peak);
        }
        ground.clear().await?;
    }
    Ok(())
}

/// What the ratios must reach.
fn conclude(report: &mut Report) {
    let copy = "raw binary copy, 1 connection";
    for (callers, target) in [(256, 0.45), (1_024, 0.65)] {
        let ours = format!("append, 10000 streams, {callers} callers");
        report.ratio(&format!("append, {callers} callers / raw copy"), &ours, copy, target);
    }
    let hot = "commands, 1 stream, 1024 callers";
    report.ratio("one hot stream, 1,024 callers / raw copy", hot, copy, 0.65);
    let single = "append, 10000 streams, 1 callers";
    report.ratio("append, 1 caller / raw single insert", single, "raw single insert", 0.80);
    report.ratio("replay / raw replay", "replay", "raw replay", 0.60);
    for apart in [false, true] {
        for callers in seal::CALLERS {
            let with = seal::appended(true, apart, callers);
            let without = seal::appended(false, apart, callers);
            report.ratio(&format!("{with} / not sealed"), &with, &without, 0.97);
        }
    }
    for callers in archive::CALLERS {
        let (with, without) = (archive::appended(true, callers), archive::appended(false, callers));
        let name = format!("append, past archived / in the table, {callers} callers");
        report.ratio(&name, &with, &without, 0.90);
    }
    let verified = report.figures.get("node0 verify, one core").map(|figure| figure.per_second);
    report.floor("node0 verify on one core, events/s", verified, 200_000.0);
    let http = "HTTP commands, 64 connections";
    let echo = "bare axum echo, 64 connections";
    report.ratio("HTTP single commands / bare axum echo", http, echo, 0.40);
    let p99 = report.figures.get(http).and_then(|figure| figure.p99_ms);
    report.ceiling("p99 of a single HTTP command at 64 connections, ms", p99, 25.0);
    for connections in [1, CONNECTIONS] {
        let counted = format!("commands in a session, counted, {connections} at once");
        let bare = format!("commands without limits, {connections} at once");
        let name = format!("a session and limits / neither, {connections} at once");
        report.ratio(&name, &counted, &bare, 0.90);
    }
    let memory = report.peak_memory_mib.get("server, HTTP load").copied();
    report.ceiling("peak memory of the server, HTTP load, MiB", memory, 300.0);
    let networks = report.peak_memory_mib.iter().filter(|(name, _)| name.starts_with("network"));
    let memory = networks.map(|(_, peak)| *peak).reduce(f64::max);
    report.ceiling("peak memory of a network's server, MiB", memory, 1_024.0);
    let of_5_200 = report.figures.get("network, 5200 transactions/s, 100 a request, final");
    let final_5_200 = of_5_200.map(|figure| figure.per_second);
    report.floor("final transactions/s of 5,200 submitted", final_5_200, 5_000.0);
    let slowest = report
        .figures
        .iter()
        .filter(|(name, _)| name.starts_with("catch-up"))
        .map(|(_, figure)| figure.per_second)
        .reduce(f64::min);
    report.floor("catch-up of the slowest projection, events/s", slowest, 50_000.0);
}

fn describe(report: &mut Report, options: &Options) {
    let first = |file: &str, start: &str| {
        let text = std::fs::read_to_string(file).ok()?;
        let line = text.lines().find(|line| line.starts_with(start))?;
        line.split_once(':').map(|(_, value)| value.trim().to_owned())
    };
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    let facts = [
        ("cores", cores.to_string()),
        ("processor", first("/proc/cpuinfo", "model name").unwrap_or_default()),
        ("memory", first("/proc/meminfo", "MemTotal").unwrap_or_default()),
        ("rounds", options.rounds.to_string()),
        ("seconds a measurement", options.period.as_secs().to_string()),
        ("durability", "fsync on, synchronous_commit on".to_owned()),
    ];
    report.machine = facts.map(|(name, value)| (name.to_owned(), value)).into();
}
