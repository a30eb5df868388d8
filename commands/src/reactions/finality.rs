//! Block finality: an agreed block becomes final, is executed and applied, and the next height
//! starts.
//!
//! Does not judge: the block, the chain and the height do. There is nothing to undo, for what is
//! final stays so; a block that names another state than ours halts the chain.
//!
//! The steps: the block is finalized by its commit; it is executed on our own chain's state, and
//! what it came to is kept; the chain applies it, in the stream of its epoch; two heights before an
//! epoch's last the next epoch's set is chosen, because the last one's header announces it; at an
//! epoch's last height the books are closed and the next ones opened; the next height starts with
//! its epoch's set. A chain's first height starts when the chain begins.

use domain::{
    block::{self, Block},
    chain::{self, Chain, ChainStream},
    consensus::{self, BlockCommitted, ConsensusHeight, HeightStream},
    replica::Own,
    validator_set::{self, ValidatorSet},
    values::{Hash, Height},
};
use tracing::warn;

use super::{Cause, Stuck, stake, unless_refused};
use crate::{error::CommandError, execute::Commands};

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["genesis-initialised.v1", "block-committed.v1"];

/// The next epoch's set is chosen so many heights before that epoch's first.
const ANNOUNCED_HEIGHTS: u64 = 3;

/// Does what must come of an event.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let Some(own) = commands.own_chain().await? else { return Ok(()) };
    if cause.event_type == FOLLOWED[0] {
        return begun(commands, cause, &own).await;
    }
    let committed = match cause.read::<consensus::Event>()? {
        consensus::Event::BlockCommitted(committed) => committed,
        consensus::Event::HeightStarted(_)
        | consensus::Event::RoundStarted(_)
        | consensus::Event::ProposalAccepted(_)
        | consensus::Event::VoteCast(_)
        | consensus::Event::PolkaReached(_)
        | consensus::Event::RoundFailed(_)
        | consensus::Event::EquivocationDetected(_)
        | consensus::Event::EvidenceAccepted(_)
        | consensus::Event::VotesRefused(_) => return Ok(()),
    };
    let stream: HeightStream =
        cause.stored.stream.id().parse().map_err(|fault| Stuck::Ended(format!("{fault}")))?;
    if stream.chain != own.genesis.chain_id {
        return Ok(());
    }
    let agreed =
        Agreed { commands, cause, own: &own, height: stream.height, committed: &committed };
    agreed.finalize().await?;
    agreed.apply().await?;
    agreed.rotate().await?;
    agreed.turn_the_page().await?;
    match stream.height.next() {
        Some(next) => start(commands, cause, &own, next).await,
        None => Ok(()),
    }
}

/// Our own chain began: its first height starts.
async fn begun(commands: &Commands, cause: &Cause<'_>, own: &Own) -> Result<(), Stuck> {
    let stream: ChainStream =
        cause.stored.stream.id().parse().map_err(|fault| Stuck::Ended(format!("{fault}")))?;
    if stream.chain != own.genesis.chain_id {
        return Ok(());
    }
    start(commands, cause, own, own.genesis.initial_height).await
}

async fn start(
    commands: &Commands,
    cause: &Cause<'_>,
    own: &Own,
    height: Height,
) -> Result<(), Stuck> {
    let stream = HeightStream { chain: own.genesis.chain_id.clone(), height };
    let command = consensus::Command::StartHeight {};
    commands.execute::<ConsensusHeight>(stream, command, cause.request("start-height")).await?;
    Ok(())
}

/// A block of our own chain that was agreed upon.
struct Agreed<'a> {
    commands: &'a Commands,
    cause: &'a Cause<'a>,
    own: &'a Own,
    height: Height,
    committed: &'a BlockCommitted,
}

impl Agreed<'_> {
    fn hash(&self) -> Hash {
        self.committed.block_id.hash
    }

    /// The stream of the epoch that the block belongs to.
    fn books(&self) -> ChainStream {
        let genesis = &self.own.genesis;
        ChainStream::of(genesis.chain_id.clone(), self.height, genesis.parameters.epoch_blocks)
    }

    async fn finalize(&self) -> Result<(), Stuck> {
        let command = block::Command::Finalize { commit: self.committed.commit.clone() };
        let request = self.cause.request("finalize");
        self.commands.execute::<Block>(self.hash(), command, request).await?;
        Ok(())
    }

    /// Executes the block and applies it, unless it is applied.
    async fn apply(&self) -> Result<(), Stuck> {
        let (block, height) = (self.hash(), self.height);
        if let Chain::Native(native) = &*self.commands.state::<Chain>(&self.books()).await?.state {
            if native.roots(height).is_some_and(|applied| applied.hash == block) {
                return Ok(());
            }
            if let Some(halted) = &native.halted {
                return Err(is_halted(halted));
            }
        }
        let executed = self.commands.executed(block).await?;
        let chain::BlockApplied { receipts_root, state_root, .. } = executed.block.applied;
        let command = chain::Command::ApplyBlock { block, height, receipts_root, state_root };
        let request = self.cause.request("apply-block");
        self.commands.execute::<Chain>(self.books(), command, request).await?;
        self.commands.standing_changed().await;
        match &*self.commands.state::<Chain>(&self.books()).await?.state {
            Chain::Native(native) => native.halted.as_ref().map_or(Ok(()), |h| Err(is_halted(h))),
            Chain::Unbegun | Chain::Observed(_) => Ok(()),
        }
    }

    /// Chooses the next epoch's set of the active validators by the stake they have now, in time
    /// for the header that announces it. A chain without any goes on with the set it has.
    async fn rotate(&self) -> Result<(), Stuck> {
        let parameters = &self.own.genesis.parameters;
        let chain = &self.own.genesis.chain_id;
        let first = Height::new(self.height.value() + ANNOUNCED_HEIGHTS).ok();
        let epoch = first.map(|first| first.epoch(parameters.epoch_blocks));
        let Some(epoch) =
            epoch.filter(|epoch| epoch.first_height(parameters.epoch_blocks) == first)
        else {
            return Ok(());
        };
        // As it is after this height: the one that was handed in is from before it.
        if let Some(own) = self.commands.own_chain().await? {
            Box::pin(stake::told(self.commands, self.cause, &own)).await?;
        }
        let active = self.commands.active_set(chain, epoch, parameters.power_reduction).await?;
        if active.candidates.is_empty() {
            return Ok(());
        }
        let request = self.cause.request("rotate");
        let rotate = validator_set::Command::Rotate { epoch };
        // Refused when somebody chose it before, or another epoch's would be the next: the set that
        // is in force then goes on.
        let chosen = self.commands.execute::<ValidatorSet>(chain.clone(), rotate, request).await;
        if !unless_refused(chosen)? {
            warn!(%chain, %epoch, "the set of the epoch was not chosen by its process");
        }
        Ok(())
    }

    /// After an epoch's last block its books are closed and the next ones opened.
    async fn turn_the_page(&self) -> Result<(), Stuck> {
        let epoch_blocks = self.own.genesis.parameters.epoch_blocks;
        let books = self.books();
        if books.epoch.last_height(epoch_blocks) != Some(self.height) {
            return Ok(());
        }
        let Some(next) = self.height.next() else { return Ok(()) };
        let opened = ChainStream::of(books.chain.clone(), next, epoch_blocks);
        let command = chain::Command::CloseEpoch { next_height: None };
        let request = self.cause.request("close-epoch");
        self.commands.execute::<Chain>(books, command, request).await?;
        let request = self.cause.request("open-epoch");
        let open = chain::Command::OpenEpoch {};
        match self.commands.execute::<Chain>(opened, open, request).await {
            // By somebody else: it is open all the same.
            Ok(_) | Err(CommandError::Refused(chain::Refusal::BegunAlready)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }
}

fn is_halted(halted: &chain::ChainHalted) -> Stuck {
    Stuck::Ended(format!(
        "the chain is halted: block {} of height {} names the state {}, ours is {}",
        halted.hash, halted.height, halted.app_hash, halted.state_root
    ))
}
