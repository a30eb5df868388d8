//! What blocks and heights must know beyond their own history.
//!
//! Does not decide anything, and asks no read model.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    block::{self, Block},
    consensus::{self, ConsensusHeight, HeightStream, ProposedBlock},
    parameters::Parameters,
    values::Hash,
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    ledger::Unexecuted,
    policy::{self, Permission},
    request::RequestContext,
};

impl Handled for Block {
    fn permission(command: &block::Command) -> Permission {
        policy::block(command)
    }

    async fn prepare(
        commands: &Commands,
        id: &Hash,
        state: &Block,
        command: &block::Command,
        context: &RequestContext,
    ) -> Result<block::Known, StoreError> {
        use block::Command;
        let proposed = state.proposed().map(|proposed| &proposed.block);
        let known = block::Known {
            id: *id,
            now: context.at,
            parameters: Box::pin(of_block(commands, command, proposed)).await?,
            body: None,
            ground: None,
            transactions: BTreeMap::new(),
            past: BTreeMap::new(),
            punished: BTreeSet::new(),
            validators: None,
        };
        match (command, proposed) {
            (Command::Validate {}, Some(block)) => {
                Box::pin(to_validate(commands, block, known)).await
            }
            (Command::Finalize { .. }, Some(block)) => {
                let (chain, height) = (block.chain_id.clone(), block.height);
                let validators = commands.set_of(&HeightStream { chain, height }).await?;
                Ok(block::Known { validators, ..known })
            }
            (Command::Propose(_) | Command::Abandon { .. }, _) | (_, None) => Ok(known),
        }
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Block> {
        &rooms.blocks
    }
}

async fn to_validate(
    commands: &Commands,
    block: &block::BlockProposed,
    known: block::Known,
) -> Result<block::Known, StoreError> {
    let body = match commands.body(block).await {
        Ok(body) => body,
        Err(Unexecuted::Unavailable(error)) => return Err(error),
        // The decision says that it is not at hand.
        Err(_) => return Ok(known),
    };
    let judged = commands.judged(block, &body).await?;
    Ok(block::Known {
        body: Some(body),
        ground: judged.ground,
        transactions: judged.transactions,
        past: judged.past,
        punished: judged.punished,
        ..known
    })
}

impl Handled for ConsensusHeight {
    fn permission(command: &consensus::Command) -> Permission {
        policy::consensus(command)
    }

    async fn prepare(
        commands: &Commands,
        stream: &HeightStream,
        _: &ConsensusHeight,
        command: &consensus::Command,
        context: &RequestContext,
    ) -> Result<consensus::Known, StoreError> {
        use consensus::Command;
        let known = consensus::Known {
            stream: stream.clone(),
            now: context.at,
            parameters: Box::pin(of_height(commands, stream, command)).await?,
            block: None,
            head: None,
            start: None,
        };
        match command {
            Command::StartHeight {} => {
                let start = Box::pin(commands.start_of(&stream.chain)).await?;
                Ok(consensus::Known { start, ..known })
            }
            Command::Propose(proposal) => {
                let folded = commands.state::<Block>(&proposal.block_id.hash).await?;
                Ok(consensus::Known { block: ProposedBlock::of(&folded.state), ..known })
            }
            Command::SubmitEvidence { .. } => {
                let own = Box::pin(commands.own_chain()).await?;
                let own = own.filter(|own| own.genesis.chain_id == stream.chain);
                Ok(consensus::Known { head: own.and_then(|own| own.ledger.height()), ..known })
            }
            Command::CastVote(_) | Command::CastVotes { .. } | Command::TimeoutRound { .. } => {
                Ok(known)
            }
        }
    }

    fn lanes(rooms: &Rooms) -> &Lanes<ConsensusHeight> {
        &rooms.heights
    }
}

/// The parameters that hold at a block's height.
async fn of_block(
    commands: &Commands,
    command: &block::Command,
    proposed: Option<&block::BlockProposed>,
) -> Result<Parameters, StoreError> {
    use block::Command;
    let at = match command {
        Command::Propose(contents) => Some((contents.header.chain_id(), contents.header.height())),
        Command::Validate {} | Command::Finalize { .. } | Command::Abandon { .. } => {
            proposed.map(|block| (&block.chain_id, block.height))
        }
    };
    match at {
        Some((chain, height)) => commands.parameters_at(chain, height).await,
        None => Ok(Parameters::default()),
    }
}

/// The parameters that a command at a height depends on: what starts it must be what everybody
/// comes to.
async fn of_height(
    commands: &Commands,
    stream: &HeightStream,
    command: &consensus::Command,
) -> Result<Parameters, StoreError> {
    match command {
        consensus::Command::StartHeight {} => {
            commands.parameters_at(&stream.chain, stream.height).await
        }
        consensus::Command::Propose(_)
        | consensus::Command::CastVote(_)
        | consensus::Command::CastVotes { .. }
        | consensus::Command::TimeoutRound { .. }
        | consensus::Command::SubmitEvidence { .. } => {
            commands.parameters(Some(&stream.chain)).await
        }
    }
}
