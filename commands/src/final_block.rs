//! Final blocks of our own chain, as the record has them: with who could sign them, and who did.
//!
//! Does not know who verifies them. All of it is read from the log, none of it is kept: what light
//! clients of others are shown is what was recorded.

use std::sync::Arc;

use domain::{
    block::{Block, BlockProposed, Body},
    chain::{BlockApplied, GenesisInitialised},
    commit::Commit,
    consensus::{ConsensusHeight, HeightStarted, HeightStream},
    ledger::Execution,
    replica::Head,
    values::{ChainId, Hash, Height},
};
use event_store::{RecordError, StoreError};

use crate::execute::Commands;

/// A final block.
#[derive(Clone, Debug)]
pub struct FinalBlock {
    /// What came of it.
    pub applied: BlockApplied,
    /// What it stands for.
    pub body: Body,
    /// Who signed it: what the next block carries, and until there is one what is known so far.
    pub commit: Commit,
    /// Whether the next block carries this commit: then it never changes again.
    pub is_canonical: bool,
    /// How it was recorded.
    pub proposed: BlockProposed,
    /// Who could sign it.
    pub started: HeightStarted,
}

/// Our own chain at its newest final block.
#[derive(Clone, Debug)]
pub struct OwnHead {
    /// How it began.
    pub genesis: Arc<GenesisInitialised>,
    /// Its newest final block; none before the first.
    pub head: Option<Arc<Head>>,
}

impl OwnHead {
    /// Its newest final height; none before the first.
    pub fn height(&self) -> Option<Height> {
        self.head.as_ref().map(|head| head.applied.height)
    }
}

impl Commands {
    /// Our own chain up to the newest event of the log; none before its genesis.
    pub async fn own_head(&self) -> Result<Option<OwnHead>, StoreError> {
        let own = self.own_chain().await?;
        Ok(own.map(|own| OwnHead { genesis: own.genesis, head: own.head }))
    }

    /// The block that became final at a height of a chain of our own, and was applied.
    pub async fn final_block(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<FinalBlock>, StoreError> {
        let Some((applied, position)) = self.applied_at(chain, height).await? else {
            return Ok(None);
        };
        let missing = |what: &str| StoreError::Unreadable {
            position,
            reason: RecordError::Malformed(format!("{what} of height {height} is not kept")),
        };
        let stream = HeightStream { chain: chain.clone(), height };
        let agreed = self.aggregate::<ConsensusHeight>(&stream).await?;
        let agreed = agreed.as_ref().and_then(|(state, _)| state.started());
        let agreed = agreed.ok_or_else(|| missing("the agreement"))?;
        let carried = match height.next() {
            Some(next) => self.carried_commit(chain, next).await?,
            None => None,
        };
        let is_canonical = carried.is_some();
        let commit = carried.or_else(|| agreed.commit()).ok_or_else(|| missing("the commit"))?;
        let (proposed, body) =
            self.recorded(&applied.hash).await?.ok_or_else(|| missing("the block"))?;
        let started = agreed.start().clone();
        Ok(Some(FinalBlock { applied, body, commit, is_canonical, proposed, started }))
    }

    /// Who could sign a height of a chain of our own that has started.
    pub async fn height_started(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<HeightStarted>, StoreError> {
        let stream = HeightStream { chain: chain.clone(), height };
        let read = self.aggregate::<ConsensusHeight>(&stream).await?;
        Ok(read.and_then(|(state, _)| Some(state.started()?.start().clone())))
    }

    /// What a final block came to.
    pub async fn results(&self, applied: &BlockApplied) -> Result<Execution, StoreError> {
        let height = applied.height;
        let unreadable = |why: String| StoreError::Unreadable {
            position: 0,
            reason: RecordError::Malformed(format!("the results of height {height}: {why}")),
        };
        let results = self.store.blob(applied.results.as_bytes()).await?;
        let results = results.ok_or_else(|| unreadable("they are not kept".to_owned()))?;
        Execution::from_bytes(&results).map_err(|fault| unreadable(fault.to_string()))
    }

    /// The commit that the block at a height carries.
    async fn carried_commit(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<Commit>, StoreError> {
        let Some((applied, _)) = self.applied_at(chain, height).await? else { return Ok(None) };
        let recorded = self.recorded(&applied.hash).await?;
        Ok(recorded.and_then(|(_, body)| body.last_commit))
    }

    /// A block with its body; none when it is not recorded.
    async fn recorded(&self, hash: &Hash) -> Result<Option<(BlockProposed, Body)>, StoreError> {
        let Some((block, _)) = self.aggregate::<Block>(hash).await? else { return Ok(None) };
        let Some(proposed) = block.proposed() else { return Ok(None) };
        let block = proposed.block.clone();
        let Some(bytes) = self.store.blob(block.body.as_bytes()).await? else { return Ok(None) };
        let body = Body::from_protobuf(&bytes).map_err(|fault| StoreError::Unreadable {
            position: 0,
            reason: RecordError::Malformed(fault.to_string()),
        })?;
        Ok(Some((block, body)))
    }
}
