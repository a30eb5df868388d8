//! Blocks of our own chain: how one is recorded together with its body, and what became of those
//! that were applied.
//!
//! Does not agree on blocks, and does not make them.

use domain::{
    block::{Block, Command, Contents},
    chain::{BlockApplied, Chain, ChainStream, Event},
    ledger::{Execution, Ledger},
    values::{ChainId, Height},
};
use event_store::StoreError;

use crate::{
    error::CommandError,
    execute::{Commands, Handled},
    lane::{self, Answer},
    request::RequestContext,
};

/// How many events of an epoch's stream are read at a time.
const EPOCH_PAGE_EVENTS: usize = 1_000;

impl Commands {
    /// Records a block: its body is kept under its hash first, so that no event can name one that
    /// is not there.
    pub async fn propose_block(
        &self,
        contents: Contents,
        context: RequestContext,
    ) -> Answer<Block> {
        let id = contents.header.hash();
        let body = contents.body.to_protobuf();
        let command = Command::Propose(Box::new(contents));
        // What will be refused need not be kept.
        let dry = RequestContext { dry_run: true, idempotency_key: None, ..context.clone() };
        let would = self.execute::<Block>(id, command.clone(), dry).await?;
        let keeps = !would.events.is_empty() && !context.dry_run;
        if keeps && context.actor.may(Block::permission(&command)) {
            self.store.put_blob(&body).await.map_err(CommandError::from_blob)?;
        }
        self.execute::<Block>(id, command, context).await
    }

    /// Our own chain's state after the last block that was applied, up to the newest event of the
    /// log; none before its genesis.
    pub async fn ledger(&self) -> Result<Option<Ledger>, StoreError> {
        Ok(self.own_chain().await?.map(|own| own.ledger))
    }

    /// The block that was applied at a height of a chain of our own, and what it came to.
    pub async fn applied(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<(BlockApplied, Execution)>, StoreError> {
        let Some((applied, _)) = self.applied_at(chain, height).await? else { return Ok(None) };
        let execution = self.results(&applied).await?;
        Ok(Some((applied, execution)))
    }

    /// What was applied at a height of a chain of our own, with its position in the log.
    pub(crate) async fn applied_at(
        &self,
        chain: &ChainId,
        height: Height,
    ) -> Result<Option<(BlockApplied, u64)>, StoreError> {
        let parameters = self.parameters(Some(chain)).await?;
        let stream = ChainStream::of(chain.clone(), height, parameters.epoch_blocks);
        self.applied_in(&stream, height).await
    }

    async fn applied_in(
        &self,
        stream: &ChainStream,
        height: Height,
    ) -> Result<Option<(BlockApplied, u64)>, StoreError> {
        let name =
            crate::execute::stream_of::<Chain>(stream).map_err(crate::execute::unnameable)?;
        let mut from = 1;
        loop {
            let page = self.store.read_stream(&name, from, EPOCH_PAGE_EVENTS).await?;
            for stored in &page {
                if let Event::BlockApplied(applied) = lane::read::<Event>(stored)?
                    && applied.height == height
                {
                    return Ok(Some((*applied, stored.position)));
                }
                from = stored.version + 1;
            }
            if page.len() < EPOCH_PAGE_EVENTS {
                return Ok(None);
            }
        }
    }
}
