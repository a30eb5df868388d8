//! Our own chain's state, followed block by block, and what waits for its next blocks.
//!
//! A process begins with the newest snapshot ([`super::resume`]), or with genesis.
//!
//! Does not execute: what a final block came to is kept in the log under its hash. What it knows
//! may be a little behind, unless it is asked to be up to date; what is decided by it is judged
//! again when a block is executed.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::{Duration, Instant},
};

use domain::{
    aggregate::{Aggregate as _, Event as _},
    block::{self, BlockProposed, Body},
    chain::{self, BlockApplied, ChainStream, GenesisInitialised},
    ledger::{Execution, Ledger},
    parameters,
    replica::{Executed, Mempool, Own},
    transaction::{self, Account, Eviction},
    validator_set::{self, ValidatorSet},
    values::{Address, Hash, Height, Nonce},
};
use event_store::{EventStore, Filter, RecordError, StoreError, StoredEvent, StreamName};
use tokio::sync::MutexGuard;

use super::unfolded;
use crate::{execute::Commands, lane};

/// How long what is known of our own chain is taken from memory before the log is looked at again,
/// in milliseconds. Blocks come every second or so.
pub(crate) const NATIVE_FRESH_MS_MAX: u64 = 20;

/// How many transactions' places in the log are remembered before it is looked which still wait.
const ARRIVED_MIN: usize = 50_000;

/// What is followed of chains and their sets.
const FOLLOWED: [&str; 4] = [
    "genesis-initialised.v1",
    "block-applied.v1",
    "parameters-scheduled.v1",
    "validator-set-rotated.v1",
];

/// Our own chain, as far as the log has been folded.
#[derive(Default)]
pub(super) struct Native {
    pub(super) folded_to: u64,
    pub(super) looked_at: Option<Instant>,
    pub(super) own: Option<Own>,
    pub(super) mempool: Mempool,
    /// The evidence that is in blocks already, with the height it speaks of.
    pub(super) punished: BTreeMap<Hash, Height>,
    /// The block that was executed last, perhaps not applied yet.
    pub(super) executed: Option<Arc<Executed>>,
    /// Where the log has what is told of the mempool.
    pub(super) arrived: HashMap<Hash, u64>,
    /// Where the log has our own chain's genesis and its last block.
    pub(super) genesis_at: u64,
    pub(super) applied_at: u64,
    /// The height of the snapshot that it went on from; none from genesis on.
    pub(super) resumed_from: Option<Height>,
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
    /// Our own chain, perhaps a little behind; none before its genesis.
    pub(crate) async fn standing(&self) -> Result<Option<Standing>, StoreError> {
        let fresh = Duration::from_millis(NATIVE_FRESH_MS_MAX);
        let native = self.native(fresh).await?;
        let mempool = native.mempool.summary();
        Ok(native.own.as_ref().map(|own| Standing { ledger: own.ledger.clone(), mempool }))
    }

    /// The state of our own chain, perhaps a little behind; none before its genesis.
    pub(crate) async fn own_ledger(&self) -> Result<Option<Ledger>, StoreError> {
        let native = self.native(Duration::from_millis(NATIVE_FRESH_MS_MAX)).await?;
        Ok(native.own.as_ref().map(|own| own.ledger.clone()))
    }

    /// Our own chain up to the newest event of the log; none before its genesis.
    pub(crate) async fn own_chain(&self) -> Result<Option<Own>, StoreError> {
        Ok(self.native(Duration::ZERO).await?.own.clone())
    }

    /// What has been folded, up to what was there so long ago.
    pub(super) async fn native(
        &self,
        fresh: Duration,
    ) -> Result<MutexGuard<'_, Native>, StoreError> {
        let mut native = self.rooms.ledger.native.lock().await;
        if native.folded_to == 0
            && let Some(resumed) = self.resumed(None).await?
        {
            *native = resumed;
        }
        if native.looked_at.is_none_or(|looked_at| looked_at.elapsed() >= fresh) {
            native.catch_up(&self.store, None).await?;
            let now = Instant::now();
            native.looked_at = Some(now);
            self.rooms.ledger.pace.sees(native.height(), native.waits_for_a_block(), now);
        }
        Ok(native)
    }

    /// What has to be evicted after the last block, at most so many; by sender.
    pub(crate) async fn due_evictions(
        &self,
        count_max: usize,
    ) -> Result<Vec<(Address, Hash, Eviction)>, StoreError> {
        let native = self.native(Duration::ZERO).await?;
        let Some(height) = native.height() else { return Ok(Vec::new()) };
        let due = native.mempool.due(height, count_max);
        Ok(due.into_iter().map(|(reason, one)| (one.sender(), one.hash(), reason)).collect())
    }

    /// The nonce of a transaction, when a block executed another with it and that is not recorded.
    pub(crate) async fn superseded(&self, hash: &Hash) -> Result<Option<Nonce>, StoreError> {
        let native = self.native(Duration::ZERO).await?;
        Ok(native.mempool.superseded().get(hash).map(|one| one.envelope().nonce))
    }

    /// The height of the snapshot that this process went on from; none when it began with genesis.
    pub async fn resumed_from(&self) -> Result<Option<Height>, StoreError> {
        Ok(self.native(Duration::ZERO).await?.resumed_from)
    }

    /// This process has changed it: whoever asks next is told.
    pub(crate) async fn standing_changed(&self) {
        self.rooms.ledger.native.lock().await.looked_at = None;
    }
}

impl Native {
    /// Our own chain; none before its genesis.
    pub(super) fn own(&self) -> Option<&Own> {
        self.own.as_ref()
    }

    /// What waits, or went a moment ago.
    pub(super) fn mempool(&self) -> &Mempool {
        &self.mempool
    }

    /// Whether as many transactions wait as a block holds.
    fn waits_for_a_block(&self) -> bool {
        let holds = |own: &Own| own.ledger.parameters().block_txs_max;
        self.own().is_some_and(|own| self.mempool.count() >= holds(own))
    }

    /// Whether evidence is in a block already.
    pub(super) fn is_punished(&self, evidence: &Hash) -> bool {
        self.punished.contains_key(evidence)
    }

    /// The height of the last block.
    pub(super) fn height(&self) -> Option<Height> {
        self.own.as_ref().and_then(|own| own.ledger.height())
    }

    /// Folds what is new, up to a block when one is named.
    pub(super) async fn catch_up(
        &mut self,
        store: &EventStore,
        until: Option<Height>,
    ) -> Result<(), StoreError> {
        let accounts = transaction::Event::NAMES.iter();
        let event_types = accounts.chain(&FOLLOWED).map(ToString::to_string).collect();
        let filter = Filter { event_types, ..Filter::default() };
        while let Some(page) = unfolded(store, &filter, self.folded_to).await? {
            for event in &page.events {
                self.fold(store, event).await?;
                self.folded_to = event.position;
                if until.is_some() && until == self.height() {
                    return Ok(());
                }
            }
            self.folded_to = page.scanned_to;
        }
        Ok(())
    }

    async fn fold(&mut self, store: &EventStore, stored: &StoredEvent) -> Result<(), StoreError> {
        match stored.stream.category() {
            Account::CATEGORY => {
                let event = lane::read(stored)?;
                self.mempool.fold(&event);
                self.remember(&event, stored.position);
                return Ok(());
            }
            ValidatorSet::CATEGORY => return self.choose(stored),
            _ => {}
        }
        match lane::read(stored)? {
            chain::Event::GenesisInitialised(genesis) => self.begin(store, stored, *genesis).await,
            chain::Event::BlockApplied(applied) => self.follow(store, stored, *applied).await,
            chain::Event::ParametersScheduled(change) => {
                self.govern(stored, *change);
                Ok(())
            }
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

    fn choose(&mut self, stored: &StoredEvent) -> Result<(), StoreError> {
        let validator_set::Event::ValidatorSetRotated(rotated) = lane::read(stored)?;
        let ours = |own: &&mut Own| own.genesis.chain_id.as_str() == stored.stream.id();
        let Some(own) = self.own.as_mut().filter(ours) else { return Ok(()) };
        own.choose(&rotated).map_err(|fault| unusable(stored, &fault))
    }

    /// The first chain that began here is our own.
    async fn begin(
        &mut self,
        store: &EventStore,
        stored: &StoredEvent,
        genesis: GenesisInitialised,
    ) -> Result<(), StoreError> {
        if self.own.is_some() {
            return Ok(());
        }
        let document = blob(store, stored, genesis.genesis_hash).await?;
        let document = String::from_utf8_lossy(&document);
        let own = Own::begin(genesis, &document).map_err(|fault| unusable(stored, &fault))?;
        self.mempool = Mempool::new(own.ledger.parameters());
        self.genesis_at = stored.position;
        self.own = Some(own);
        Ok(())
    }

    async fn follow(
        &mut self,
        store: &EventStore,
        stored: &StoredEvent,
        applied: BlockApplied,
    ) -> Result<(), StoreError> {
        let Some(own) = self.own.as_ref().filter(|own| is_of(stored, own)) else { return Ok(()) };
        let (ledger, transactions) = match self.executed.take_if(|done| done.is(&applied)) {
            Some(done) => (done.ledger.clone(), done.transactions()),
            None => followed(&own.ledger, store, stored, &applied).await?,
        };
        let proposed = proposal(store, stored, applied.hash).await?;
        let evidence = match proposed.evidence {
            0 => Vec::new(),
            _ => body(store, stored, proposed.body).await?.evidence,
        };
        let Some(own) = self.own.as_mut() else { return Ok(()) };
        let height = applied.height;
        self.mempool.executed(transactions);
        own.goes_on(ledger, applied, proposed);
        let parameters = own.ledger.parameters();
        self.mempool.govern(parameters);
        let oldest = parameters.evidence_age_blocks_max;
        let oldest = height.value().saturating_sub(u64::from(oldest));
        self.punished.retain(|_, height| height.value() >= oldest);
        self.punished.extend(evidence.iter().map(|one| (one.hash(), one.height())));
        self.applied_at = stored.position;
        Ok(())
    }

    fn govern(&mut self, stored: &StoredEvent, change: parameters::Change) {
        if let Some(own) = self.own.as_mut().filter(|own| is_of(stored, own)) {
            own.govern(change);
        }
    }

    /// Remembers where a transaction was accepted, and forgets those that have long been executed.
    fn remember(&mut self, event: &transaction::Event, position: u64) {
        if let transaction::Event::TransactionAccepted(accepted) = event {
            self.arrived.insert(accepted.hash, position);
        }
        if self.arrived.len() > ARRIVED_MIN.max(2 * self.mempool.all().len()) {
            let mempool = &self.mempool;
            self.arrived.retain(|hash, _| {
                mempool.known(hash).is_some() || mempool.superseded().contains_key(hash)
            });
        }
    }
}

/// Whether an event of a chain is of our own.
fn is_of(stored: &StoredEvent, own: &Own) -> bool {
    let stream = stored.stream.id().parse::<ChainStream>();
    stream.is_ok_and(|stream| stream.chain == own.genesis.chain_id)
}

/// The ledger after a block, by what it came to; with the hashes of its transactions.
async fn followed(
    ledger: &Ledger,
    store: &EventStore,
    stored: &StoredEvent,
    applied: &BlockApplied,
) -> Result<(Ledger, Vec<Hash>), StoreError> {
    let results = blob(store, stored, applied.results).await?;
    let execution = Execution::from_bytes(&results).map_err(|why| unusable(stored, &why))?;
    let after = ledger.after(&execution).map_err(|why| unusable(stored, &why))?;
    Ok((after, execution.receipts.iter().map(|receipt| receipt.hash).collect()))
}

/// How a block was recorded.
pub(super) async fn proposal(
    store: &EventStore,
    stored: &StoredEvent,
    hash: Hash,
) -> Result<BlockProposed, StoreError> {
    let name =
        StreamName::of(block::Block::CATEGORY, hash).map_err(|why| unusable(stored, &why))?;
    let first = store.read_stream(&name, 1, 1).await?;
    let first = first.first().map(lane::read::<block::Event>).transpose()?;
    match first {
        Some(block::Event::BlockProposed(proposed)) => Ok(*proposed),
        Some(
            block::Event::BlockValidated(_)
            | block::Event::BlockRejected(_)
            | block::Event::BlockFinalized(_)
            | block::Event::BlockAbandoned(_),
        )
        | None => Err(unusable(stored, &format!("block {hash} is not recorded"))),
    }
}

async fn body(store: &EventStore, stored: &StoredEvent, hash: Hash) -> Result<Body, StoreError> {
    let bytes = blob(store, stored, hash).await?;
    Body::from_protobuf(&bytes).map_err(|why| unusable(stored, &why))
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
