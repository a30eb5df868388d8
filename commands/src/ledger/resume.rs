//! How a process goes on from a snapshot of our own chain, so that a start costs what came after
//! it and not the whole history.
//!
//! Does not trust what it finds: the state's root is computed anew, and a snapshot that is missing
//! or wrong is passed over for an older one, and at last for genesis, which comes to the same.
//!
//! A snapshot is the state after a block. What else a process must know stands aside of it: the
//! sets around that block, the evidence that is in blocks already, and where the log has the
//! transactions that waited, all as of one position of the log, from which it is folded on.

use std::{collections::BTreeMap, sync::Arc};

use domain::{
    aggregate::Aggregate as _,
    chain::{self, BlockApplied, Chain, GenesisInitialised, Snapshot},
    ledger::{Ledger, Unusable},
    replica::{Head, Kept, Mempool, Own, Sets, Succession},
    transaction::{Event, Transaction, TransactionAccepted},
    values::{ChainId, Hash, Height},
};
use event_store::{StoreError, StoredEvent, prunable::Prunable};
use serde::{Deserialize, Serialize};
use tracing::{info, warn};

use super::native::{Native, proposal};
use crate::{execute::Commands, lane};

/// What stands in an aside, so that others are told from it.
const FORM: &str = "node0.aside/1";

/// What stands aside of a snapshot. Positions of the log are its.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Aside {
    /// Of the block after which the state was like this.
    applied: u64,
    /// Of our own chain's beginning.
    genesis: u64,
    /// Of transactions that went a moment ago, and a block before that.
    gone: [Vec<u64>; 2],
    /// Up to here the log was folded.
    position: u64,
    /// The evidence that is in blocks already, with the height it speaks of.
    punished: BTreeMap<Hash, Height>,
    sets: Sets,
    /// Of transactions whose nonces were used by others, and which are not evicted yet.
    #[serde(default)]
    superseded: Vec<u64>,
    v: String,
    /// Of the transactions that waited.
    waiting: Vec<u64>,
}

/// The state after a block, and what stands aside.
pub(crate) struct Taken {
    ledger: Ledger,
    height: Height,
    aside: Aside,
}

/// Why a process does not go on from a snapshot.
#[derive(Debug, thiserror::Error)]
enum Unresumed {
    #[error("it is not there, or not what its hash says")]
    Missing,
    #[error("{0}")]
    Unusable(String),
    #[error("{0}")]
    Store(#[from] StoreError),
}

impl Unresumed {
    fn by(why: impl ToString) -> Unresumed {
        Unresumed::Unusable(why.to_string())
    }
}

impl Taken {
    /// The snapshot, read back once to be sure of it, and what is to be kept.
    pub(crate) fn made(self) -> Result<(Snapshot, Prunable), Unusable> {
        let content = self.ledger.snapshot();
        Ledger::restore(&content)?;
        let snapshot = Snapshot {
            bytes: u32::try_from(content.len()).unwrap_or(u32::MAX),
            hash: Hash::of(&content),
            height: self.height,
            state_root: self.ledger.root(),
        };
        let aside = serde_json::to_vec(&self.aside).expect("texts and numbers can be written");
        let owner = self.ledger.chain_id().to_string();
        Ok((snapshot, Prunable { owner, content: content.into(), aside: aside.into() }))
    }
}

impl Native {
    /// The state after the last block; none before the first.
    fn taken(&self) -> Option<Taken> {
        let own = self.own.as_ref()?;
        let height = own.head.as_ref()?.applied.height;
        let at = |one: &Transaction| self.arrived.get(&one.hash()).copied();
        let mut waiting = self.mempool.all().map(at).collect::<Option<Vec<u64>>>()?;
        waiting.sort_unstable();
        let [before, before_that] =
            self.mempool.gone().map(|gone| gone.into_iter().map(at).collect::<Option<Vec<u64>>>());
        let superseded = self.mempool.superseded().values().map(at).collect::<Option<_>>()?;
        let aside = Aside {
            applied: self.applied_at,
            genesis: self.genesis_at,
            gone: [before?, before_that?],
            position: self.folded_to,
            punished: self.punished.clone(),
            sets: own.sets.sets(),
            superseded,
            v: FORM.to_owned(),
            waiting,
        };
        Some(Taken { ledger: own.ledger.clone(), height, aside })
    }
}

impl Commands {
    /// The state of our own chain after a height; none when the chain is not our own or is not
    /// there yet. One of before the head is folded anew, from the newest snapshot before it.
    pub(crate) async fn taken(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<Taken>, StoreError> {
        {
            let native = self.native(std::time::Duration::ZERO).await?;
            if native.own().is_none_or(|own| own.genesis.chain_id != *chain) {
                return Ok(None);
            }
            if native.height() == Some(height) {
                return Ok(native.taken());
            }
        }
        let mut past = self.resumed(Some(height)).await?.unwrap_or_default();
        if past.height() != Some(height) {
            past.catch_up(&self.store, Some(height)).await?;
        }
        Ok(past.taken().filter(|taken| taken.height == height))
    }

    /// Our own chain as of its newest snapshot that is of use, up to a height when one is named.
    pub(super) async fn resumed(
        &self,
        at_most: Option<Height>,
    ) -> Result<Option<Native>, StoreError> {
        for owner in self.store.prunable_owners().await? {
            let Ok(chain) = owner.parse::<ChainId>() else { continue };
            let newest = self.newest_stream(&chain).await?;
            let folded = self.state::<Chain>(&newest).await?;
            let Chain::Native(begun) = &*folded.state else { continue };
            let wanted = |named: &&Snapshot| at_most.is_none_or(|most| named.height <= most);
            for named in begun.snapshots.values().rev().filter(wanted) {
                let (height, hash) = (named.height, named.hash);
                match Box::pin(self.resumed_with(begun, named)).await {
                    Ok(resumed) => {
                        info!(%chain, %height, "our own chain goes on from a snapshot");
                        return Ok(Some(resumed));
                    }
                    Err(Unresumed::Store(error)) if error.is_unavailable() => return Err(error),
                    Err(why) => warn!(%chain, %height, %hash, %why, "a snapshot is of no use"),
                }
            }
        }
        Ok(None)
    }

    async fn resumed_with(
        &self,
        begun: &chain::Native,
        named: &Snapshot,
    ) -> Result<Native, Unresumed> {
        let kept = self.store.prunable(named.hash.as_bytes()).await?;
        let Prunable { content, aside, .. } = kept.ok_or(Unresumed::Missing)?;
        let aside: Aside = serde_json::from_slice(&aside).map_err(Unresumed::by)?;
        if aside.v != FORM || aside.position > self.store.head().await?.position {
            return Err(Unresumed::by("what stands aside is of another form, or another log"));
        }
        let restored = tokio::task::spawn_blocking(move || Ledger::restore(&content)).await;
        let ledger = restored.map_err(Unresumed::by)?.map_err(Unresumed::by)?;
        let (genesis, applied, stored) = self.landmarks(&aside).await?;
        let agrees = genesis.genesis_hash == begun.genesis_hash
            && *ledger.chain_id() == genesis.chain_id
            && *ledger.schedule().genesis() == genesis.parameters
            && (ledger.height(), applied.height) == (Some(named.height), named.height)
            && (ledger.root(), applied.state_root) == (named.state_root, named.state_root);
        let sets = Succession::resumed(&aside.sets, genesis.parameters.epoch_blocks)
            .map_err(Unresumed::by)?;
        let signs = sets.last.named.hash() == applied.validators_hash
            && sets.current.named.hash() == applied.next_validators_hash;
        if !agrees || !signs {
            return Err(Unresumed::by("it is of another block than the log says"));
        }
        let proposed = proposal(&self.store, &stored, applied.hash).await?;
        let waiting = self.accepted(&aside.waiting).await?;
        let gone = [self.accepted(&aside.gone[0]).await?, self.accepted(&aside.gone[1]).await?];
        let superseded = self.accepted(&aside.superseded).await?;
        let arrived = waiting.iter().chain(gone.iter().flatten()).chain(&superseded);
        let arrived = arrived.map(|(at, one)| (one.hash, *at)).collect();
        let bare = |many: Vec<(u64, TransactionAccepted)>| -> Vec<Transaction> {
            many.into_iter().map(|(_, one)| one.transaction).collect()
        };
        let kept = Kept {
            gone: gone.map(bare),
            superseded: bare(superseded),
            waiting: waiting.into_iter().map(|(_, one)| (one.head, one.transaction)).collect(),
        };
        let mempool = Mempool::resumed(ledger.parameters(), kept);
        let head = Some(Arc::new(Head { applied, proposed }));
        Ok(Native {
            folded_to: aside.position,
            own: Some(Own { genesis: Arc::new(genesis), head, ledger, sets }),
            mempool,
            punished: aside.punished,
            arrived,
            genesis_at: aside.genesis,
            applied_at: aside.applied,
            resumed_from: Some(named.height),
            ..Native::default()
        })
    }

    /// The chain's beginning and the snapshot's block, as the log has them.
    async fn landmarks(
        &self,
        aside: &Aside,
    ) -> Result<(GenesisInitialised, BlockApplied, StoredEvent), Unresumed> {
        let found = self.store.read_at(&[aside.genesis, aside.applied]).await?;
        let [first, last] = <[StoredEvent; 2]>::try_from(found)
            .map_err(|_| Unresumed::by("the log has not what stands aside"))?;
        let of_chain =
            first.stream.category() == Chain::CATEGORY && last.stream.category() == Chain::CATEGORY;
        if of_chain
            && let chain::Event::GenesisInitialised(genesis) = lane::read(&first)?
            && let chain::Event::BlockApplied(applied) = lane::read(&last)?
        {
            return Ok((*genesis, *applied, last));
        }
        Err(Unresumed::by("the log has something else than what stands aside"))
    }

    /// The transactions that were accepted at these positions.
    async fn accepted(
        &self,
        positions: &[u64],
    ) -> Result<Vec<(u64, TransactionAccepted)>, Unresumed> {
        let found = self.store.read_at(positions).await?;
        let mut accepted = Vec::with_capacity(found.len());
        for stored in &found {
            if stored.stream.category() == domain::transaction::Account::CATEGORY
                && let Event::TransactionAccepted(event) = lane::read(stored)?
            {
                accepted.push((stored.position, event));
            }
        }
        if accepted.len() != positions.len() {
            return Err(Unresumed::by("the log has not all the transactions that waited"));
        }
        Ok(accepted)
    }
}
