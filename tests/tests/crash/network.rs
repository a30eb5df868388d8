//! A whole network under load: its server, PostgreSQL and validators are killed, one after another.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::{Duration, Instant},
};

use api::{
    cluster::{Cluster, DATABASE},
    demo::{
        tally::Tally,
        workload::{Sender, Workload},
    },
};
use commands::{Commands, CommandsOptions};
use domain::values::Hash;
use event_store::{EventStore, StoreOptions};
use tests::{
    member::{Home, Member},
    network::{self, SENDERS, VALIDATORS},
    node0::{Node0, TOKEN, free_place},
    own_cluster::OwnCluster,
};
use tokio_util::sync::CancellationToken;

use super::{Dice, rounds};

/// For how long rounds wait, in milliseconds.
const TIMEOUT_MS: u32 = 300;
/// Transactions a second, and in a request.
const RATE: (u32, usize) = (120, 4);
/// The pause before somebody is killed, in milliseconds: at least, and the spread.
const RUN_MS: (u64, u64) = (300, 900);
/// How long who was killed stays down, in milliseconds, at most.
const DOWN_MS_MAX: u64 = 500;
/// How long the chain may take to do what it must.
const PATIENCE: Duration = Duration::from_secs(90);

struct Net {
    own: OwnCluster,
    place: String,
    server: Option<Node0>,
    homes: Vec<Home>,
    members: Vec<Option<Member>>,
}

impl Net {
    async fn running() -> Net {
        let own = OwnCluster::initialised();
        let place = free_place();
        let server = Node0::on_folder_at(own.folder(), &place);
        let genesis = network::hasty_genesis(TIMEOUT_MS);
        server.http().post("/api/v1/chains", &genesis).await.expect(201);
        let mut homes = Vec::new();
        for n in 1..=VALIDATORS {
            let name = format!("validator-{n}");
            let token = network::service(&server.http(), n).await;
            homes.push(Home::made(&own.folder().join(name), &network::validator(n), &token));
        }
        let mut net = Net { own, place, server: Some(server), homes, members: Vec::new() };
        net.members = net.homes.iter().map(|home| Some(home.start(&net.address()))).collect();
        net
    }

    fn address(&self) -> String {
        format!("http://{}", self.place)
    }

    /// Kills somebody, and starts them again after a while.
    async fn kill(&mut self, dice: &mut Dice) -> &'static str {
        let down = Duration::from_millis(dice.below(DOWN_MS_MAX));
        match dice.below(3) {
            0 => {
                self.server.take().expect("it runs").kill();
                tokio::time::sleep(down).await;
                self.serve();
                "server"
            }
            1 => {
                assert!(self.own.kill_postgres() > 0, "there was a PostgreSQL to kill");
                tokio::time::sleep(down).await;
                self.server.take().expect("it runs").kill();
                self.serve();
                "PostgreSQL"
            }
            _ => {
                let n = usize::try_from(dice.below(VALIDATORS)).expect("a small number");
                self.members[n].take().expect("it runs").kill();
                tokio::time::sleep(down).await;
                self.members[n] = Some(self.homes[n].start(&self.address()));
                "validator"
            }
        }
    }

    fn serve(&mut self) {
        self.server = Some(Node0::on_folder_at(self.own.folder(), &self.place));
    }

    fn all_run(&mut self) {
        for (home, member) in self.homes.iter().zip(&mut self.members) {
            let runs = member.as_mut().is_some_and(Member::runs);
            assert!(runs, "a validator ended by itself: {}", home.complained());
        }
    }
}

fn url(own: &OwnCluster) -> String {
    let cluster = Cluster::attach(&own.options()).expect("it can be looked for");
    cluster.expect("the server runs it").url(DATABASE)
}

/// Every transaction in a block, with its height; none is in two.
async fn executed(commands: &Commands) -> BTreeMap<Hash, u64> {
    let ledger = commands.ledger().await.expect("read").expect("begun");
    assert_eq!(ledger.totals().sum(), Some(ledger.supply()), "the supply is conserved");
    let head = ledger.height().map_or(0, |height| height.value());
    let mut found = BTreeMap::new();
    for number in 1..=head {
        let height = network::height(number);
        let applied = commands.applied(&network::chain(), height).await.expect("read");
        let (_, execution) = applied.expect("every height up to the head is applied");
        for receipt in execution.receipts {
            let before = found.insert(receipt.hash, number);
            assert_eq!(before, None, "{} is executed at {number} again", receipt.hash);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn no_acknowledged_transaction_is_lost_or_executed_twice_when_a_network_is_killed() {
    let mut dice = Dice::thrown();
    let mut net = Net::running().await;
    let (tally, stop) = (Tally::default(), CancellationToken::new());
    let workload = Workload {
        server: net.address(),
        token: TOKEN.to_owned(),
        chain: network::chain(),
        rate: RATE.0,
        batch: RATE.1,
    };
    let keys = (1..=SENDERS).map(|n| network::sender(n).signing().clone());
    let senders = keys.map(|key| Sender::new(key, 0).expect("a key of ours")).collect();
    let sending = {
        let (tally, stop) = (tally.clone(), stop.clone());
        tokio::spawn(async move { workload.run(senders, &tally, &stop).await })
    };
    let mut killed: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..rounds() {
        tokio::time::sleep(Duration::from_millis(RUN_MS.0 + dice.below(RUN_MS.1))).await;
        *killed.entry(net.kill(&mut dice).await).or_default() += 1;
        net.all_run();
    }
    stop.cancel();
    let answered = tokio::time::timeout(PATIENCE, sending).await;
    answered.expect("every request is answered in the end").expect("it does not panic");
    let acknowledged: BTreeSet<Hash> = tally.waiting().into_iter().collect();
    let counts = tally.counts();
    assert!(!acknowledged.is_empty(), "{counts:?}");
    let store = EventStore::open(StoreOptions::new(url(&net.own))).await.expect("it opens");
    let commands = Commands::new(store, CommandsOptions::default());
    let deadline = Instant::now() + PATIENCE;
    let found = loop {
        let found = executed(&commands).await;
        if acknowledged.iter().all(|hash| found.contains_key(hash)) {
            break found;
        }
        let missing = acknowledged.iter().filter(|hash| !found.contains_key(hash)).count();
        assert!(Instant::now() < deadline, "{missing} of {} are lost", acknowledged.len());
        tokio::time::sleep(Duration::from_millis(500)).await;
    };
    let head = found.values().max().copied().unwrap_or_default();
    network::started(&commands, head + 3).await;
    net.all_run();
    eprintln!("killed {killed:?}; {} transactions, each executed once; {counts:?}", found.len());
    commands.store().close().await;
    net.members.clear();
    net.server.take().expect("it runs").kill();
}
