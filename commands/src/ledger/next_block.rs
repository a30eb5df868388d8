//! What the next block stands on, and what is known of all that it names.
//!
//! Does not judge the block: the domain does, by what it is told here.

use std::{
    collections::{BTreeMap, BTreeSet, HashSet},
    time::Duration,
};

use domain::{
    block::{BlockProposed, Body, Ground, Offer, Past},
    consensus::{ConsensusHeight, HeightStream, LastHeight, Start, Started},
    ledger::Ledger,
    light::ValidatorSet,
    parameters::Parameters,
    replica::{self, Own, Room, context_of, offers},
    transaction::{self, Transaction},
    values::{ChainId, Hash, Height},
};
use event_store::StoreError;

use crate::execute::Commands;

/// How many heights are looked up for the evidence of one block.
const EVIDENCE_HEIGHTS_MAX: usize = 256;

/// What our own chain's next block is made of: for whoever proposes one.
#[derive(Clone, Debug)]
pub struct NextBlock {
    /// What it must stand on.
    pub ground: Ground,
    /// The state it is executed on.
    pub ledger: Ledger,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The transactions it has room for, in their order.
    pub transactions: Vec<Transaction>,
    /// What waits, these among it.
    pub waiting: transaction::Mempool,
}

/// All that must be known to judge a block.
#[derive(Default)]
pub(crate) struct Judged {
    pub(crate) ground: Option<Ground>,
    pub(crate) past: BTreeMap<Height, Past>,
    pub(crate) punished: BTreeSet<Hash>,
    pub(crate) transactions: BTreeMap<Hash, Offer>,
}

impl Commands {
    /// What our own chain's next block is made of, up to the newest event of the log, when it needs
    /// so many bytes for all but its transactions; none before the chain has begun. It costs what
    /// the block holds, however much waits.
    pub async fn next_block(&self, bytes_other: usize) -> Result<Option<NextBlock>, StoreError> {
        let native = self.native(Duration::ZERO).await?;
        let Some(own) = native.own() else { return Ok(None) };
        let parameters = own.ledger.parameters().clone();
        let size = |limit: u32| usize::try_from(limit).unwrap_or(usize::MAX);
        let room = Room {
            bytes_max: size(parameters.block_bytes_max).saturating_sub(bytes_other),
            transactions_max: size(parameters.block_txs_max),
        };
        Ok(own.ground().map(|ground| NextBlock {
            ground,
            ledger: own.ledger.clone(),
            parameters,
            transactions: native.mempool().fill(&own.ledger, room, &HashSet::new()),
            waiting: native.mempool().summary(),
        }))
    }

    /// What a block of our own chain is judged by, up to the newest event of the log.
    pub(crate) async fn judged(
        &self,
        block: &BlockProposed,
        body: &Body,
    ) -> Result<Judged, StoreError> {
        let (own, waiting, punished) = {
            let native = self.native(Duration::ZERO).await?;
            let Some(own) = native.own().cloned() else { return Ok(Judged::default()) };
            let unique: BTreeSet<&Hash> = body.transactions.iter().collect();
            let mut waiting: BTreeMap<Hash, Transaction> = BTreeMap::new();
            for hash in unique {
                waiting.extend(native.mempool().waiting(hash).map(|found| (*hash, found.clone())));
            }
            let punished = body.evidence.iter().map(|one| one.hash());
            let punished = punished.filter(|hash| native.is_punished(hash)).collect();
            (own, waiting, punished)
        };
        let ground = own.ground();
        // One that is not the next is refused for that alone.
        if ground.as_ref().is_none_or(|ground| ground.height != block.height) {
            return Ok(Judged { ground, ..Judged::default() });
        }
        let past = self.past(&own, block, body).await?;
        let (context, order) = (context_of(block, body), body.transactions.clone());
        let work = move || offers(&own.ledger, context, &order, waiting);
        // Only a panic ends it without an answer; then no transaction is known.
        let transactions = tokio::task::spawn_blocking(work).await.unwrap_or_default();
        Ok(Judged { ground, past, punished, transactions })
    }

    /// What the next height of our own chain starts from; none before the chain has begun, and
    /// while the height before is not final.
    pub(crate) async fn start_of(&self, chain: &ChainId) -> Result<Option<Start>, StoreError> {
        let own = self.own_chain().await?.filter(|own| own.genesis.chain_id == *chain);
        let Some(own) = own else { return Ok(None) };
        let Some(height) = own.ledger.next_height() else { return Ok(None) };
        let (last, time, validators_hash) = match &own.head {
            None => (None, own.genesis.genesis_time, own.genesis.validators_hash),
            Some(head) => {
                let Some(last) = self.last_height(chain, head.applied.height).await? else {
                    return Ok(None);
                };
                (Some(last), head.applied.time, head.applied.next_validators_hash)
            }
        };
        let members = own.sets.current.members.clone();
        Ok(Some(Start { height, last, members, time, validators_hash }))
    }

    async fn last_height(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<LastHeight>, StoreError> {
        let stream = HeightStream { chain: chain.clone(), height };
        let folded = self.state::<ConsensusHeight>(&stream).await?;
        Ok(folded.state.started().and_then(Started::last_height))
    }

    /// The set that agreed, or agrees, on a height; none before it starts.
    pub(crate) async fn set_of(
        &self,
        stream: &HeightStream,
    ) -> Result<Option<ValidatorSet>, StoreError> {
        let folded = self.state::<ConsensusHeight>(stream).await?;
        Ok(folded.state.started().and_then(named))
    }

    /// What is known of the final heights that evidence speaks of.
    async fn past(
        &self,
        own: &Own,
        block: &BlockProposed,
        body: &Body,
    ) -> Result<BTreeMap<Height, Past>, StoreError> {
        let heights: BTreeSet<Height> = body.evidence.iter().map(|one| one.height()).collect();
        let mut past = BTreeMap::new();
        for height in heights.range(..block.height).copied().take(EVIDENCE_HEIGHTS_MAX) {
            let stream = HeightStream { chain: own.genesis.chain_id.clone(), height };
            let folded = self.state::<ConsensusHeight>(&stream).await?;
            let Some(started) = folded.state.started() else { continue };
            let time = started.committed().map(|committed| committed.block_time);
            past.extend(
                time.zip(named(started))
                    .map(|(time, validators)| (height, Past { time, validators })),
            );
        }
        Ok(past)
    }
}

/// The set of a height as headers name it.
fn named(started: &Started) -> Option<ValidatorSet> {
    let seats = started.start().members.iter();
    replica::named(seats.map(|seat| (seat.public_key, seat.power))).ok()
}
