//! Our own chain's state, followed block by block, and what waits for its next blocks.
//!
//! Does not execute: what a final block came to is kept in the log under its hash. What it knows
//! may be a little behind; what is decided by it is judged again when a block is executed.

use std::time::{Duration, Instant};

use domain::{
    aggregate::{Aggregate as _, Event as _},
    chain::{self, BlockApplied, ChainStream, GenesisInitialised},
    ledger::{Execution, Ledger},
    transaction::{self, Account},
    values::Hash,
};
use event_store::{EventStore, Filter, RecordError, StoreError, StoredEvent};

use super::{mempool::Mempool, unfolded};
use crate::{execute::Commands, lane};

/// How long what is known of our own chain is taken from memory before the log is looked at again,
/// in milliseconds. Blocks come every second or so.
pub(crate) const NATIVE_FRESH_MS_MAX: u64 = 20;

/// What is followed of chains.
const FOLLOWED: [&str; 2] = ["genesis-initialised.v1", "block-applied.v1"];

/// Our own chain, as far as the log has been folded.
#[derive(Default)]
pub(super) struct Native {
    folded_to: u64,
    looked_at: Option<Instant>,
    ledger: Option<Ledger>,
    mempool: Mempool,
}

/// Our own chain at one moment.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    /// Its state after the last block that was applied.
    pub(crate) ledger: Ledger,
    /// What waits for the next ones.
    pub(crate) mempool: transaction::Mempool,
}

impl Commands {
    /// Our own chain; none before its genesis.
    pub(crate) async fn standing(&self) -> Result<Option<Standing>, StoreError> {
        let mut native = self.rooms.ledger.native.lock().await;
        let fresh = Duration::from_millis(NATIVE_FRESH_MS_MAX);
        if native.looked_at.is_none_or(|looked_at| looked_at.elapsed() >= fresh) {
            native.catch_up(&self.store).await?;
            native.looked_at = Some(Instant::now());
        }
        let mempool = native.mempool.summary();
        Ok(native.ledger.clone().map(|ledger| Standing { ledger, mempool }))
    }
}

impl Commands {
    /// This process has changed it: whoever asks next is told.
    pub(crate) async fn standing_changed(&self) {
        self.rooms.ledger.native.lock().await.looked_at = None;
    }
}

impl Native {
    async fn catch_up(&mut self, store: &EventStore) -> Result<(), StoreError> {
        let accounts = transaction::Event::NAMES.iter();
        let event_types = accounts.chain(&FOLLOWED).map(ToString::to_string).collect();
        let filter = Filter { event_types, ..Filter::default() };
        while let Some(page) = unfolded(store, &filter, self.folded_to).await? {
            for event in &page.events {
                self.fold(store, event).await?;
                self.folded_to = event.position;
            }
            self.folded_to = page.scanned_to;
        }
        Ok(())
    }

    async fn fold(&mut self, store: &EventStore, stored: &StoredEvent) -> Result<(), StoreError> {
        if stored.stream.category() == Account::CATEGORY {
            self.mempool.fold(&lane::read(stored)?);
            return Ok(());
        }
        match lane::read(stored)? {
            chain::Event::GenesisInitialised(genesis) => self.begin(store, stored, &genesis).await,
            chain::Event::BlockApplied(applied) => self.follow(store, stored, &applied).await,
            chain::Event::ObservationStarted(_)
            | chain::Event::HeaderObserved(_)
            | chain::Event::HeaderRejected(_)
            | chain::Event::ForkDetected(_)
            | chain::Event::ForkResolved(_)
            | chain::Event::EpochClosed(_)
            | chain::Event::EpochOpened(_)
            | chain::Event::ChainHalted(_)
            | chain::Event::StateSnapshotCreated(_)
            | chain::Event::StatePruned(_) => Ok(()),
        }
    }

    /// The first chain that began here is our own.
    async fn begin(
        &mut self,
        store: &EventStore,
        stored: &StoredEvent,
        genesis: &GenesisInitialised,
    ) -> Result<(), StoreError> {
        if self.ledger.is_some() {
            return Ok(());
        }
        let document = blob(store, stored, genesis.genesis_hash).await?;
        let document = String::from_utf8_lossy(&document);
        let ledger = Ledger::genesis(&document).map_err(|fault| unusable(stored, &fault))?;
        self.mempool = Mempool::new(ledger.parameters().mempool_txs_max);
        self.ledger = Some(ledger);
        Ok(())
    }

    async fn follow(
        &mut self,
        store: &EventStore,
        stored: &StoredEvent,
        applied: &BlockApplied,
    ) -> Result<(), StoreError> {
        let stream: Option<ChainStream> = stored.stream.id().parse().ok();
        let ours = |ledger: &&Ledger| {
            stream.as_ref().is_some_and(|stream| stream.chain == *ledger.chain_id())
        };
        let Some(ledger) = self.ledger.as_ref().filter(ours) else { return Ok(()) };
        let results = blob(store, stored, applied.results).await?;
        let execution = Execution::from_bytes(&results).map_err(|why| unusable(stored, &why))?;
        let after = ledger.after(&execution).map_err(|why| unusable(stored, &why))?;
        for receipt in &execution.receipts {
            self.mempool.remove(&receipt.hash);
        }
        self.ledger = Some(after);
        Ok(())
    }
}

async fn blob(
    store: &EventStore,
    stored: &StoredEvent,
    hash: Hash,
) -> Result<bytes::Bytes, StoreError> {
    let found = store.blob(hash.as_bytes()).await?;
    found.ok_or_else(|| unusable(stored, &format!("what it names by {hash} is not kept")))
}

fn unusable(stored: &StoredEvent, why: &impl ToString) -> StoreError {
    let reason = RecordError::Malformed(why.to_string());
    StoreError::Unreadable { position: stored.position, reason }
}
