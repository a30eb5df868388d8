//! What the next final block comes to: its transactions executed on our own chain's state, off the
//! threads that serve requests, and the results kept under their hash.
//!
//! Does not apply it, and does not judge roots: that is the chain's decision. One that was executed
//! is remembered until it is applied, so that whoever asks again does not execute again.

use std::{sync::Arc, time::Duration};

use domain::{
    block::{Block, BlockProposed, Body, Standing, StandingName},
    ledger::BlockFault,
    light::ParseFault,
    replica::{Executed, Own, context_of},
    transaction::Transaction,
    values::{Hash, Height},
};
use event_store::{StoreError, blob::BlobError};

use crate::execute::Commands;

/// Why a block is not executed.
#[derive(Clone, Debug, thiserror::Error)]
pub(crate) enum Unexecuted {
    /// There is nothing to execute it on.
    #[error("our own chain has not begun")]
    NotBegun,
    /// Nobody recorded it.
    #[error("block {0} is not recorded")]
    NotRecorded(Hash),
    /// Only what is final is executed.
    #[error("the block is {0}")]
    NotFinal(StandingName),
    /// It was, or others come before it.
    #[error("the block is of height {found}, the next is {next:?}")]
    NotNext { found: Height, next: Option<Height> },
    /// The blob is not there.
    #[error("its body {0} is not kept")]
    BodyMissing(Hash),
    /// The blob is no body.
    #[error("its body is unreadable: {0}")]
    BodyUnreadable(ParseFault),
    /// Not accepted here, or executed already.
    #[error("its transaction {0} does not wait here")]
    TransactionMissing(Hash),
    /// It ought not to have been found valid.
    #[error("it cannot be executed: {0}")]
    Faulty(BlockFault),
    /// The work was given up with the process.
    #[error("executing it ended in a panic")]
    Panicked,
    /// The results are too large to be kept.
    #[error("its results cannot be kept: {0}")]
    NotKept(BlobError),
    /// The log does not answer.
    #[error("{0}")]
    Unavailable(#[from] StoreError),
}

impl Commands {
    /// Executes the final block that comes next, once; its results are kept when this returns.
    pub(crate) async fn executed(&self, hash: Hash) -> Result<Arc<Executed>, Unexecuted> {
        let remembered = self.rooms.ledger.native.lock().await.executed.clone();
        if let Some(executed) = remembered.filter(|done| done.block.applied.hash == hash) {
            return Ok(executed);
        }
        let block = self.state::<Block>(&hash).await?.state;
        let proposed = block.proposed().ok_or(Unexecuted::NotRecorded(hash))?;
        match proposed.standing {
            Standing::Final(_) => {}
            Standing::Proposed | Standing::Valid | Standing::Invalid | Standing::Abandoned => {
                return Err(Unexecuted::NotFinal(proposed.standing.name()));
            }
        }
        let body = self.body(&proposed.block).await?;
        let (own, transactions) = self.content(&proposed.block, &body).await?;
        let (block, context) = (proposed.block.clone(), context_of(&proposed.block, &body));
        let work = move || own.execute(&block, &context, &transactions);
        // Only what runs on the same threads as requests must be short.
        let done = tokio::task::spawn_blocking(work).await.map_err(|_| Unexecuted::Panicked)?;
        let done = done.map_err(Unexecuted::Faulty)?;
        self.store.put_blob(&done.1).await.map_err(kept)?;
        let executed = Arc::new(done.0);
        self.rooms.ledger.native.lock().await.executed = Some(Arc::clone(&executed));
        Ok(executed)
    }

    /// The body that a recorded block names.
    pub(crate) async fn body(&self, block: &BlockProposed) -> Result<Body, Unexecuted> {
        let bytes = self.store.blob(block.body.as_bytes()).await?;
        let bytes = bytes.ok_or(Unexecuted::BodyMissing(block.body))?;
        Body::from_protobuf(&bytes).map_err(Unexecuted::BodyUnreadable)
    }

    /// The chain that a block comes next on, with the block's transactions.
    async fn content(
        &self,
        block: &BlockProposed,
        body: &Body,
    ) -> Result<(Own, Vec<Transaction>), Unexecuted> {
        let native = self.native(Duration::ZERO).await?;
        let own = native.own().ok_or(Unexecuted::NotBegun)?;
        let next = own.ledger.next_height();
        if next != Some(block.height) || block.chain_id != own.genesis.chain_id {
            return Err(Unexecuted::NotNext { found: block.height, next });
        }
        let known = |hash: &Hash| {
            native.mempool().known(hash).cloned().ok_or(Unexecuted::TransactionMissing(*hash))
        };
        let transactions = body.transactions.iter().map(known).collect::<Result<_, _>>()?;
        Ok((own.clone(), transactions))
    }
}

fn kept(error: BlobError) -> Unexecuted {
    match error {
        BlobError::Invalid(_) => Unexecuted::NotKept(error),
        BlobError::Store(error) => Unexecuted::Unavailable(error),
    }
}
