//! What happens on the chain, read from the log as it is stored: blocks, votes, faults.
//!
//! Does not know who sent what: the tally does, and is told what became of it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use domain::{
    aggregate::{self, Aggregate as _},
    chain::{self, BlockApplied, Chain},
    consensus::{self, ConsensusHeight, HeightStream},
    ledger::Execution,
    transaction::{self, Account},
    validator::Validator,
    values::{Address, Height, Round},
    vote::Vote,
};
use event_store::{EventStore, Filter, StoredEvent};
use futures::StreamExt as _;
use tokio::sync::watch;
use tracing::warn;

use super::tally::Tally;

/// What is read of the log.
const FOLLOWED: [&str; 7] = [
    "block-applied.v1",
    "chain-halted.v1",
    "equivocation-detected.v1",
    "round-started.v1",
    "transaction-evicted.v1",
    "validator-tombstoned.v1",
    "vote-cast.v1",
];
/// Over how long rates are taken.
pub const WINDOW: Duration = Duration::from_secs(10);

/// What has been seen so far. Cheap to clone.
#[derive(Clone)]
pub struct Watch {
    seen: Arc<Mutex<Seen>>,
    votes: Arc<watch::Sender<Option<(HeightStream, Vote)>>>,
    tally: Tally,
}

/// What has been seen of the chain.
#[derive(Clone, Debug, Default)]
pub struct Seen {
    /// The last block that was applied.
    pub height: Option<Height>,
    /// How many blocks were applied since it is watched.
    pub blocks: u64,
    /// The round that began last.
    pub round: Option<Round>,
    /// The last height each validator voted at.
    pub voted: BTreeMap<Address, Height>,
    /// Who signed two things, and where.
    pub equivocations: BTreeMap<Address, Height>,
    /// Who is out for ever.
    pub tombstoned: Vec<Address>,
    /// Why the chain stands still for ever, when it does.
    pub halted: Option<String>,
    finals: VecDeque<(Instant, u64)>,
}

impl Seen {
    /// Final transactions per second, of late.
    pub fn finals_per_second(&self, since: Instant) -> u64 {
        let new = self.finals.iter().filter(|(when, _)| when.elapsed() <= WINDOW);
        let count: u64 = new.map(|(_, count)| count).sum();
        let seconds = since.elapsed().min(WINDOW).as_secs_f64().max(1.0);
        (count as f64 / seconds).round() as u64
    }
}

impl Watch {
    /// Begins to read the log where it ends now, and goes on until it is dropped with the runtime
    /// or the log is closed.
    pub fn start(store: &EventStore, tally: Tally) -> Watch {
        let watch = Watch { seen: Arc::default(), votes: Arc::default(), tally };
        let from = *store.watch_head().borrow();
        tokio::spawn(watch.clone().follow(store.clone(), from));
        watch
    }

    /// What has been seen so far.
    pub fn seen(&self) -> Seen {
        self.open().clone()
    }

    /// The newest vote.
    pub fn votes(&self) -> watch::Receiver<Option<(HeightStream, Vote)>> {
        self.votes.subscribe()
    }

    fn open(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn follow(self, store: EventStore, from: u64) {
        let event_types = FOLLOWED.iter().map(ToString::to_string).collect();
        let mut pages = Box::pin(store.follow(from, Filter { event_types, ..Filter::default() }));
        while let Some(page) = pages.next().await {
            let Ok(page) = page else { return };
            for stored in &page.events {
                if let Err(why) = self.takes(&store, stored).await {
                    warn!(position = stored.position, why, "an event is passed over");
                }
            }
        }
    }

    async fn takes(&self, store: &EventStore, stored: &StoredEvent) -> Result<(), String> {
        let record = stored.parse().map_err(|error| error.to_string())?;
        let (name, data) = (record.event_type, record.data.get());
        match stored.stream.category() {
            Chain::CATEGORY => {
                let event = read(name, data)?;
                if let chain::Event::BlockApplied(applied) = &event {
                    self.applied(store, applied).await?;
                } else if let chain::Event::ChainHalted(halted) = event {
                    self.open().halted = Some(format!("at height {}", halted.height));
                }
            }
            ConsensusHeight::CATEGORY => self.agrees(stored, read(name, data)?)?,
            Account::CATEGORY => {
                if let transaction::Event::TransactionEvicted(gone) = read(name, data)? {
                    self.tally.evicted(gone.hash, &gone.reason.to_string());
                }
            }
            Validator::CATEGORY => {
                let who: Option<Address> = stored.stream.id().parse().ok();
                self.open().tombstoned.extend(who);
            }
            _ => {}
        }
        Ok(())
    }

    async fn applied(&self, store: &EventStore, applied: &BlockApplied) -> Result<(), String> {
        let results = store.blob(applied.results.as_bytes()).await.map_err(|e| e.to_string())?;
        let results = results.ok_or("the block's results are not kept")?;
        let execution = Execution::from_bytes(&results).map_err(|error| error.to_string())?;
        for receipt in &execution.receipts {
            self.tally.executed(receipt.hash, receipt.failure.as_ref().map(ToString::to_string));
        }
        let mut seen = self.open();
        seen.height = Some(applied.height);
        seen.blocks += 1;
        seen.finals.retain(|(when, _)| when.elapsed() <= WINDOW);
        seen.finals.push_back((Instant::now(), execution.receipts.len() as u64));
        Ok(())
    }

    fn agrees(&self, stored: &StoredEvent, event: consensus::Event) -> Result<(), String> {
        let at: HeightStream = stored.stream.id().parse().map_err(|_| "no height's stream")?;
        if let consensus::Event::RoundStarted(started) = event {
            self.open().round = Some(started.round);
        } else if let consensus::Event::VoteCast(vote) = event {
            self.open().voted.insert(vote.validator, at.height);
            self.votes.send_replace(Some((at, *vote)));
        } else if let consensus::Event::EquivocationDetected(found) = event {
            self.open().equivocations.insert(found.validator, at.height);
        }
        Ok(())
    }
}

fn read<E: aggregate::Event>(name: &str, data: &str) -> Result<E, String> {
    aggregate::read(name, data).map_err(|error| error.to_string())
}
