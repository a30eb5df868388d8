//! A mempool that is as full as it may be: what the real server needs for it, how fast it takes
//! transactions in, and what a block of them costs.
//!
//! `make mempool` is the same code with the 200,000 that the default parameters allow.

use std::{
    collections::VecDeque,
    fs,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use api::cluster::{Cluster, DATABASE};
use commands::{Commands, CommandsOptions, NextBlock};
use domain::transaction::Transaction;
use event_store::{EventStore, StoreOptions};
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    campaign,
    http::Http,
    network::{self, BALANCE, VALIDATORS, sender, transfer},
    node0::Node0,
    own_cluster::OwnCluster,
};
use tokio::task::JoinSet;

/// Transactions when nothing else is said.
const TXS_DEFAULT: u64 = 2_000;
/// How many accounts send them.
const ACCOUNTS: u64 = 200;
/// Clients that send at the same time, and how many transactions in one request.
const CLIENTS: usize = 16;
const BATCH: usize = 100;
/// The most memory of the server, in KiB.
const MEMORY_KIB_MAX: u64 = 1024 * 1024;
/// How long filling a block may hold up whoever asks at the same time.
const FILL_MAX: Duration = Duration::from_millis(250);
/// A server's count of what waits may be 20 ms old: after this it has all of it.
const COUNTED: Duration = Duration::from_millis(100);
const PATH: &str = "/api/v1/transactions";

fn txs() -> u64 {
    campaign::number("NODE0_MEMPOOL_TXS", TXS_DEFAULT)
}

fn genesis(room_for: u64) -> Value {
    let mut document = network::genesis();
    let account = |n| json!({ "address": sender(n).address(), "balance": BALANCE.to_string() });
    let supply = BALANCE * u128::from(ACCOUNTS) + 10_000_000 * u128::from(VALIDATORS);
    let state = &mut document["app_state"];
    state["accounts"] = (1..=ACCOUNTS).map(account).collect();
    state["supply"] = json!(supply.to_string());
    state["parameters"]["mempool_txs_max"] = json!(room_for);
    state["parameters"]["mempool_per_sender_max"] = json!(room_for.min(10_000));
    document
}

/// The n-th transaction of all: the accounts take turns, and no two of them pay the same.
fn nth(n: u64) -> Transaction {
    let (from, nonce) = (n % ACCOUNTS + 1, n / ACCOUNTS);
    transfer(from, nonce, sender(1).address(), 1, 100 + u128::from(from))
}

async fn lines(http: &Http, text: String) -> Value {
    let request = http.request(Method::POST, PATH);
    let request = request.header("content-type", "application/x-ndjson").body(text);
    Http::send(request).await.expect("the server answers").expect(200)
}

/// Sends all of it from many clients; how long it took.
async fn send(http: &Http, bodies: VecDeque<String>) -> Duration {
    let left = Arc::new(Mutex::new(bodies));
    let begun = Instant::now();
    let mut clients = JoinSet::new();
    for _ in 0..CLIENTS {
        let (http, left) = (http.clone(), Arc::clone(&left));
        clients.spawn(async move {
            loop {
                let next = left.lock().unwrap_or_else(PoisonError::into_inner).pop_front();
                let Some(body) = next else { return };
                let answer = lines(&http, body).await;
                for item in answer["items"].as_array().expect("items") {
                    assert_eq!(item["status"], 200, "{item:#}");
                }
            }
        });
    }
    while let Some(done) = clients.join_next().await {
        done.expect("a client never panics");
    }
    begun.elapsed()
}

/// A number of KiB in what the system says of a process.
fn memory_kib(pid: u32, name: &str) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix(name)).expect("it is said");
    let number = line.trim_start_matches(':').trim().trim_end_matches(" kB");
    number.parse().expect("a number")
}

/// What it costs another process to fold all of it, and then to fill a block.
async fn fill(url: String) -> (Duration, Duration, NextBlock) {
    let store = EventStore::open(StoreOptions::new(url)).await.expect("the log opens");
    let commands = Commands::new(store, CommandsOptions::default());
    let begun = Instant::now();
    network::next_block(&commands).await;
    let folded = begun.elapsed();
    let mut filled = Vec::new();
    for _ in 0..9 {
        let begun = Instant::now();
        network::next_block(&commands).await;
        filled.push(begun.elapsed());
    }
    filled.sort_unstable();
    let next = network::next_block(&commands).await;
    (folded, filled[filled.len() / 2], next)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_with_a_full_mempool_stays_small_and_a_block_costs_what_it_holds() {
    let txs = txs();
    let signed: Vec<String> = tokio::task::spawn_blocking(move || {
        (0..txs).map(|n| String::from_utf8(nth(n).bytes().to_vec()).expect("JSON")).collect()
    })
    .await
    .expect("signed");
    let bodies = signed.chunks(BATCH).map(|some| some.join("\n")).collect();
    let own = OwnCluster::initialised();
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    http.post("/api/v1/chains", &genesis(txs)).await.expect(201);
    let idle = memory_kib(server.pid(), "VmHWM");
    let took = send(&http, bodies).await;
    let per_second = txs as f64 / took.as_secs_f64();

    // Full is full: with the numbers, and in no time.
    tokio::time::sleep(COUNTED).await;
    let late = transfer(1, txs / ACCOUNTS, sender(2).address(), 1, 101);
    let begun = Instant::now();
    let refused = http.post(PATH, &serde_json::to_value(&late).expect("JSON")).await.expect(422);
    let refused_in = begun.elapsed();
    assert_eq!(refused["refusal"]["code"], "mempool-full", "{refused:#}");
    assert_eq!(refused["refusal"]["transactions"], txs);

    let peak = memory_kib(server.pid(), "VmHWM");
    let cluster = Cluster::attach(&own.options()).expect("it can be looked for");
    let url = cluster.expect("the server runs it").url(DATABASE);
    let (folded, filled, next) = fill(url).await;
    let held = next.transactions.len();
    assert_eq!(u64::from(next.waiting.transactions), txs);
    assert_eq!(held as u64, txs.min(u64::from(next.parameters.block_txs_max)));
    eprintln!(
        "{txs} transactions in {took:.2?}, {per_second:.0} a second ({BATCH} a request, \
         {CLIENTS} clients); memory {idle} KiB before, {peak} KiB at most; one too many refused \
         in {refused_in:.2?}; folded in {folded:.2?}; a block of {held} filled in {filled:.2?}"
    );
    assert!(peak < MEMORY_KIB_MAX, "{peak} KiB");
    assert!(filled < FILL_MAX, "{filled:?} for {held}");
    server.stop();
}
