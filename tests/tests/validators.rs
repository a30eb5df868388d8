//! Validators as processes of their own: they take a chain from height to height, whatever happens
//! to them and to their server.

mod alone;
mod liar;
mod parameters;
mod signing;

use std::{
    collections::BTreeMap,
    path::PathBuf,
    time::{Duration, Instant},
};

use commands::{Commands, CommandsOptions};
use domain::{block::Block, light::ValidatorSet, values::Hash};
use event_store::{EventStore, Filter, StoreOptions};
use serde_json::{Value, json};
use tendermint_light_client_verifier::Verdict;
use tests::{
    database::TestDatabase,
    light_client::{Made, made, verdict},
    member::{Home, Member},
    network::{self, BALANCE, VALIDATORS, sender, transfer},
    node0::{Node0, free_place},
};

/// For how long rounds wait in these tests, in milliseconds.
const TIMEOUT_MS: u32 = 300;
/// How long a test waits for what must come.
const PATIENCE: Duration = Duration::from_secs(60);
/// How long a chain is watched that must not go on.
const STILL: Duration = Duration::from_secs(2);

/// A server and its validators.
struct Net {
    database: TestDatabase,
    place: String,
    server: Option<Node0>,
    homes: BTreeMap<u64, Home>,
    members: BTreeMap<u64, Member>,
    commands: Commands,
    folder: PathBuf,
}

impl Net {
    /// A chain that has begun, and validators that do not run yet.
    async fn begun() -> Net {
        let database = TestDatabase::create().await;
        let place = free_place();
        let server = Node0::on_database_at(&database.url(), &place);
        let folder = std::env::temp_dir().join(format!("node0-net-{}", database.name()));
        let mut homes = BTreeMap::new();
        for n in 1..=VALIDATORS {
            let name = format!("validator-{n}");
            let token = network::service(&server.http(), n).await;
            homes.insert(n, Home::made(&folder.join(name), &network::validator(n), &token));
        }
        let document = network::hasty_genesis(TIMEOUT_MS);
        server.http().post("/api/v1/chains", &document).await.expect(201);
        let store = EventStore::open(StoreOptions::new(database.url())).await.unwrap();
        let commands = Commands::new(store, CommandsOptions::default());
        let (server, members) = (Some(server), BTreeMap::new());
        Net { database, place, server, homes, members, commands, folder }
    }

    /// The same, and the validators run.
    async fn running() -> Net {
        let mut net = Net::begun().await;
        (1..=VALIDATORS).for_each(|n| net.start(n));
        net
    }

    fn address(&self) -> String {
        format!("http://{}", self.place)
    }

    fn server(&self) -> &Node0 {
        self.server.as_ref().unwrap()
    }

    fn start(&mut self, n: u64) {
        let member = self.homes[&n].start(&self.address());
        self.members.insert(n, member);
    }

    fn kill(&mut self, n: u64) {
        self.members.remove(&n).unwrap().kill();
    }

    async fn height(&self) -> u64 {
        let ledger = self.commands.ledger().await.unwrap().unwrap();
        ledger.height().map_or(0, |height| height.value())
    }

    /// Waits until a height is applied.
    async fn reaches(&self, height: u64) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let now = self.height().await;
            if now >= height {
                return;
            }
            let told: Vec<_> = self.homes.values().map(|home| home.said().pop()).collect();
            assert!(Instant::now() < deadline, "height {now} is not left: {told:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// So many heights more.
    async fn goes_on(&self, heights: u64) {
        self.reaches(self.height().await + heights).await;
    }

    async fn stands_still(&self) {
        // What was agreed on a moment ago may still be applied.
        tokio::time::sleep(Duration::from_millis(500)).await;
        let before = self.height().await;
        tokio::time::sleep(STILL).await;
        assert_eq!(self.height().await, before, "half of the power agreed on something");
    }

    async fn count(&self, event_type: &str) -> usize {
        let filter = Filter { event_types: vec![event_type.to_owned()], ..Filter::default() };
        self.commands.store().read_all(0, &filter, 10_000).await.unwrap().events.len()
    }

    async fn balance(&self, n: u64) -> u128 {
        let ledger = self.commands.ledger().await.unwrap().unwrap();
        ledger.account(sender(n).address()).balance.value()
    }

    /// Everybody ends as they should, and so does the server.
    async fn stop(mut self) {
        for (n, member) in std::mem::take(&mut self.members) {
            let home = member.home().clone();
            assert_eq!(member.stop().code(), Some(0), "{n}: {}", home.complained());
        }
        self.commands.store().close().await;
        self.server.take().unwrap().kill();
        std::fs::remove_dir_all(&self.folder).unwrap();
        drop(self.database);
    }

    /// A final header, as light clients see it.
    async fn made(&self, number: u64) -> Made {
        let height = network::height(number);
        let (applied, _) = self.commands.applied(&network::chain(), height).await.unwrap().unwrap();
        let (block, _) = self.commands.aggregate::<Block>(&applied.hash).await.unwrap().unwrap();
        made(&self.commands, number, &block.proposed().unwrap().block.header).await
    }
}

/// The transactions that are final, with their heights.
async fn finals(net: &Net, heights: u64) -> BTreeMap<Hash, u64> {
    let mut found = BTreeMap::new();
    for number in 1..=heights {
        let height = network::height(number);
        let (_, execution) =
            net.commands.applied(&network::chain(), height).await.unwrap().unwrap();
        for receipt in execution.receipts {
            assert_eq!(receipt.failure, None);
            assert_eq!(found.insert(receipt.hash, number), None, "{} twice", receipt.hash);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn four_validators_make_every_transfer_final_and_light_clients_of_others_agree() {
    const TRANSFERS: u64 = 60;
    let net = Net::running().await;
    let http = net.server().http();
    let mut sent = Vec::new();
    for nonce in 0..TRANSFERS {
        let several = (1..=2).map(|n| transfer(n, nonce, sender(3).address(), 10, 5));
        let several: Vec<_> = several.collect();
        let answer = http.post("/api/v1/transactions", &json!(several)).await.expect(200);
        assert!(answer["items"].as_array().unwrap().iter().all(|item| item["status"] == 200));
        sent.extend(several.iter().map(|one| one.hash()));
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    net.reaches(24).await;
    // Heights may pass faster than transfers are sent: the last of them need some more.
    net.goes_on(3).await;
    let height = net.height().await;
    let finals = finals(&net, height).await;
    let missing: Vec<_> = sent.iter().filter(|hash| !finals.contains_key(hash)).collect();
    assert!(missing.is_empty(), "{missing:?}");
    assert_eq!(net.balance(3).await, BALANCE + 20 * u128::from(TRANSFERS));
    let mut headers = Vec::new();
    for number in 1..=height {
        headers.push(net.made(number).await);
    }
    for (index, trusted) in headers.iter().enumerate() {
        let next: &ValidatorSet = headers.get(index + 1).map_or(&trusted.set, |made| &made.set);
        for untrusted in &headers[index + 1..] {
            assert_eq!(verdict(trusted, next, untrusted), Verdict::Success);
        }
    }
    // Each of them came to every block by itself, and said so.
    for home in net.homes.values() {
        let finals = home.said().into_iter().filter(|said| said["event"] == "final");
        let finals: Vec<Value> = finals.map(|said| said["height"].clone()).collect();
        assert!(finals.contains(&json!("20")), "{finals:?}");
    }
    let proposers: std::collections::BTreeSet<_> =
        headers.iter().map(|made| made.signed.signed().header().proposer_address).collect();
    assert_eq!(proposers.len(), 4, "everybody has a turn");
    assert_eq!(net.count("equivocation-detected.v1").await, 0);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_quarter_may_be_down_and_with_half_of_them_the_chain_waits_until_one_is_back() {
    let mut net = Net::running().await;
    net.reaches(2).await;
    net.kill(1);
    net.goes_on(5).await;
    net.kill(2);
    net.stands_still().await;
    net.start(2);
    net.goes_on(5).await;
    net.start(1);
    net.goes_on(3).await;
    assert_eq!(net.count("equivocation-detected.v1").await, 0);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn validators_go_on_when_a_server_that_was_killed_is_back() {
    let mut net = Net::running().await;
    let http = net.server().http();
    for round in 0..3 {
        let sent = transfer(1, round, sender(2).address(), 10, 5);
        http.post("/api/v1/transactions", &json!(sent)).await.expect(200);
        net.goes_on(2).await;
        net.server.take().unwrap().kill();
        tokio::time::sleep(Duration::from_millis(200)).await;
        net.server = Some(Node0::on_database_at(&net.database.url(), &net.place));
        net.goes_on(2).await;
    }
    assert_eq!(net.balance(2).await, BALANCE + 30);
    let backs = net.homes[&1].said().into_iter().filter(|said| said["event"] == "back").count();
    assert_eq!(backs, 3);
    assert_eq!(net.count("equivocation-detected.v1").await, 0);
    net.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_tells_where_it_is_once_a_second() {
    let net = Net::running().await;
    net.reaches(4).await;
    tokio::time::sleep(Duration::from_millis(2_200)).await;
    let beats = net.server().http().get("/api/v1/heartbeats").await.expect(200);
    let beats = beats["items"].as_array().unwrap();
    let addresses: Vec<_> = beats.iter().map(|beat| beat["validator"].clone()).collect();
    let mut expected: Vec<_> =
        (1..=VALIDATORS).map(|n| network::validator(n).address().to_string()).collect();
    expected.sort();
    assert_eq!(addresses, expected);
    for beat in beats {
        let height: u64 = beat["height"].as_str().unwrap().parse().unwrap();
        assert!(height >= 4, "{beat}");
        assert_eq!(beat["version"], env!("CARGO_PKG_VERSION"));
        assert!(beat["latency_ms"].is_u64(), "{beat}");
        assert!(beat["received_bytes"].as_u64().unwrap() > 1_000, "{beat}");
    }
    let query =
        "{ heartbeats { validator height round step mempool latencyMs receivedBytes version } }";
    let told = net.server().http().graphql(query, json!({})).await;
    assert_eq!(told["heartbeats"].as_array().unwrap().len(), 4);
    net.stop().await;
}
