//! Promise 1, by force: the server and its PostgreSQL are killed at any moment, over and over,
//! under load, and what was acknowledged is compared with what is stored.
//!
//! `make crash ROUNDS=200` is the same code with a larger number.

mod network;

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use event_store::check;
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use tests::{campaign, http::Http, keys::ValidatorKey, node0::Node0, own_cluster::OwnCluster};
use tokio::task::JoinSet;

/// Rounds when nothing else is said.
const ROUNDS_DEFAULT: u32 = 4;
/// Clients that send at the same time, each to a validator of its own and to the one they share.
const CLIENTS: u64 = 8;
/// The stake a validator is registered with.
const BOND: u64 = 10_000_000;
/// How long a round runs before something is killed, in milliseconds: at least, and the spread.
const RUN_MS: (u64, u64) = (60, 240);

/// A command that was sent, and its answer once there is one.
#[derive(Clone, Debug)]
struct Sent {
    path: String,
    key: String,
    acknowledged: Option<Acknowledged>,
}

/// What a client was told.
#[derive(Clone, Debug, PartialEq)]
struct Acknowledged {
    stream: String,
    version: u64,
    position: u64,
    event: String,
}

/// Who is killed in a round.
#[derive(Clone, Copy, Debug)]
enum Victim {
    Server,
    Postgres,
    Both,
}

fn rounds() -> u32 {
    campaign::number("NODE0_CRASH_ROUNDS", ROUNDS_DEFAULT)
}

/// A small generator of its own: which moment and which victim is all that is random here.
struct Dice(u64);

impl Dice {
    fn thrown() -> Dice {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970");
        let seed = std::env::var("NODE0_CRASH_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or(now.as_nanos() as u64 | 1);
        eprintln!("NODE0_CRASH_SEED={seed} repeats the moments and the victims");
        Dice(seed)
    }

    fn below(&mut self, limit: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % limit
    }

    fn victim(&mut self) -> Victim {
        match self.below(3) {
            0 => Victim::Server,
            1 => Victim::Postgres,
            _ => Victim::Both,
        }
    }
}

fn validator(n: u64) -> String {
    format!("/api/v1/validators/{}", ValidatorKey::number(n).address())
}

async fn register(http: &Http, n: u64) {
    let chain = "crash-1".parse().expect("a chain id");
    let mut body = serde_json::to_value(ValidatorKey::number(n).register(&chain)).expect("JSON");
    body.as_object_mut().expect("an object").remove("command");
    http.post("/api/v1/validators", &body).await.expect(201);
}

/// Asks for one unit of bond under the key; the answer when there is a good one.
async fn bond(http: &Http, path: &str, key: &str) -> Option<Acknowledged> {
    let request = http
        .request(Method::POST, &format!("{path}/bond"))
        .header("idempotency-key", key)
        .json(&json!({ "amount": "1" }));
    let answer = Http::send(request).await.ok()?;
    match answer.status {
        200 | 201 => {
            let number = |value: &serde_json::Value| {
                value.as_u64().or_else(|| value.as_str()?.parse().ok()).expect("a number")
            };
            Some(Acknowledged {
                stream: answer.body["stream"].as_str().expect("a stream").to_owned(),
                version: number(&answer.body["version"]),
                position: number(&answer.body["position"]),
                event: answer.body["events"][0]["id"].as_str().expect("an id").to_owned(),
            })
        }
        409 | 503 => None,
        status => panic!("{status} for {key}: {:#}", answer.body),
    }
}

/// Sends until it is told to stop; every command is remembered before it is sent.
async fn client(http: Http, round: u32, n: u64, stop: Arc<AtomicBool>) -> Vec<Sent> {
    let mut sent = Vec::new();
    while !stop.load(Ordering::Relaxed) {
        let count = sent.len();
        // Every third goes to the validator that all share: a hot stream.
        let path = validator(if count % 3 == 0 { 0 } else { n });
        let key = format!("round-{round}-client-{n}-{count}");
        let acknowledged = bond(&http, &path, &key).await;
        let cut = acknowledged.is_none();
        sent.push(Sent { path, key, acknowledged });
        if cut {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }
    sent
}

/// One round: load, a kill in the middle of it, a start, and every unanswered command asked again.
async fn round(own: &OwnCluster, round: u32, dice: &mut Dice) -> Vec<Sent> {
    let server = Node0::on_folder(own.folder());
    let stop = Arc::new(AtomicBool::new(false));
    let mut clients = JoinSet::new();
    for n in 1..=CLIENTS {
        clients.spawn(client(server.http(), round, n, Arc::clone(&stop)));
    }
    tokio::time::sleep(Duration::from_millis(RUN_MS.0 + dice.below(RUN_MS.1))).await;
    match dice.victim() {
        Victim::Server => server.kill(),
        Victim::Postgres => {
            assert!(own.kill_postgres() > 0, "there was a PostgreSQL to kill");
            tokio::time::sleep(Duration::from_millis(dice.below(RUN_MS.1))).await;
            server.kill();
        }
        Victim::Both => {
            own.kill_postgres();
            server.kill();
        }
    }
    stop.store(true, Ordering::Relaxed);
    let mut sent = Vec::new();
    while let Some(done) = clients.join_next().await {
        sent.extend(done.expect("a client never panics"));
    }
    let server = Node0::on_folder(own.folder());
    let http = server.http();
    for command in &mut sent {
        let answer = again(&http, command).await;
        if let Some(first) = &command.acknowledged {
            assert_eq!(&answer, first, "{} got another answer than before", command.key);
        }
        command.acknowledged = Some(answer);
    }
    server.stop();
    sent
}

/// Asks again under the same key until there is an answer.
async fn again(http: &Http, command: &Sent) -> Acknowledged {
    for _ in 0..200 {
        if let Some(answer) = bond(http, &command.path, &command.key).await {
            return answer;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    panic!("no answer for {}", command.key);
}

/// What is stored must be exactly what was acknowledged.
async fn compare(pool: &PgPool, sent: &[Sent]) -> Result<(), String> {
    let report = check::check_log(pool, None).await.map_err(|error| error.to_string())?;
    if !report.is_sound() {
        return Err(format!("{report:?}"));
    }
    let rows = sqlx::query_as::<_, (String, i64, i64, Vec<u8>)>(
        "select s.stream, e.version, e.position, e.record
           from events e join streams s on s.no = e.stream_no
          where convert_from(e.record, 'utf8')::jsonb ->> 'type' = 'stake-bonded.v1'",
    );
    let rows = rows.fetch_all(pool).await.map_err(|error| error.to_string())?;
    let mut stored = BTreeMap::new();
    for (stream, version, position, record) in rows {
        let record: serde_json::Value = serde_json::from_slice(&record).expect("a record is JSON");
        let event = record["id"].as_str().expect("an id").to_owned();
        let (version, position) = (version as u64, position as u64);
        stored.insert(event.clone(), Acknowledged { stream, version, position, event });
    }
    for command in sent {
        let told = command.acknowledged.as_ref().expect("each was answered");
        match stored.remove(&told.event) {
            None => return Err(format!("lost, or doubled in an answer: {command:?}")),
            Some(kept) if kept != *told => return Err(format!("{kept:?} is not {told:?}")),
            Some(_) => {}
        }
    }
    match stored.into_values().next() {
        None => Ok(()),
        Some(doubled) => Err(format!("stored, but nobody was told: {doubled:?}")),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_acknowledged_is_lost_and_nothing_is_doubled_when_processes_are_killed() {
    let own = OwnCluster::initialised();
    let mut dice = Dice::thrown();
    let first = Node0::on_folder(own.folder());
    for n in 0..=CLIENTS {
        register(&first.http(), n).await;
    }
    first.stop();
    let mut sent = Vec::new();
    let rounds = rounds();
    for number in 1..=rounds {
        sent.extend(round(&own, number, &mut dice).await);
    }
    let server = Node0::on_folder(own.folder());
    let last =
        sent.iter().filter_map(|command| Some(command.acknowledged.as_ref()?.position)).max();
    let last = last.expect("something was sent");
    let request = server.http().request(Method::GET, &validator(0)).header("min-position", last);
    let shared = Http::send(request).await.expect("the server answers").expect(200);
    let bonds = sent.iter().filter(|command| command.path == validator(0)).count() as u64;
    assert_eq!(shared["bond"], (BOND + bonds).to_string(), "the read model shows each bond once");
    let cluster = api::cluster::Cluster::attach(&own.options()).expect("it can be looked for");
    let cluster = cluster.expect("the server runs it");
    let pool = PgPool::connect(&cluster.url(api::cluster::DATABASE)).await.expect("it answers");
    compare(&pool, &sent).await.unwrap_or_else(|fault| panic!("{fault}"));
    eprintln!("{rounds} rounds, {} commands, each stored once", sent.len());

    // The checker itself: a loss, planted by someone who switches the protection off.
    let plant = "alter table events disable trigger all;
                 delete from events where position = (select max(position) from events);
                 alter table events enable trigger all;";
    sqlx::raw_sql(plant).execute(&pool).await.expect("the owner of the table can");
    let found = compare(&pool, &sent).await;
    assert!(found.is_err(), "a planted loss went unnoticed");
    pool.close().await;
    server.kill();
}
