//! Prepare: what each kind of aggregate must know beyond its own history, and what it asks for.
//!
//! Does not decide anything.

mod agreement;
mod configuration;
mod identity;
mod monitoring;
mod network;

use domain::{
    chain::{self, Chain, ChainStream},
    parameters::{Overrides, Parameters},
    transaction::{self, Account, Eviction, Mempool},
    validator::{self, Validator},
    validator_set::{self, ValidatorSet},
    values::{Address, Amount, ChainId, Epoch, Nonce, PrincipalId},
};
use event_store::StoreError;
use tracing::debug;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    ledger::{ActiveSet, Unexecuted},
    policy::{self, Permission},
    request::RequestContext,
};

impl Handled for Validator {
    fn permission(command: &validator::Command) -> Permission {
        policy::validator(command)
    }

    fn owner(id: &Address) -> Option<PrincipalId> {
        Some(PrincipalId::of_validator(*id))
    }

    async fn prepare(
        commands: &Commands,
        address: &Address,
        state: &Validator,
        command: &validator::Command,
        context: &RequestContext,
    ) -> Result<validator::Known, StoreError> {
        let chain_id = match (command, state.record()) {
            (
                validator::Command::Register(registration)
                | validator::Command::RequestRegistration(registration),
                _,
            ) => Some(&registration.chain_id),
            (_, record) => record.map(|record| &record.chain_id),
        };
        let epoch = match chain_id {
            Some(chain_id) => commands.epoch(chain_id).await?,
            None => Epoch::default(),
        };
        let parameters = commands.parameters(chain_id).await?;
        let set = match chain_id {
            Some(chain_id) if joins(command) => {
                let reduction = parameters.power_reduction;
                // Boxed: it would make the future of every command a large one.
                Box::pin(commands.active_set(chain_id, epoch, reduction)).await?
            }
            Some(_) | None => ActiveSet::default(),
        };
        Ok(validator::Known {
            address: *address,
            now: context.at,
            parameters,
            epoch,
            active: u32::try_from(set.candidates.len()).unwrap_or(u32::MAX),
            joined: set.joined,
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Validator> {
        &rooms.validators
    }
}

/// Whether the command takes a place in the set, so that the set must be known.
fn joins(command: &validator::Command) -> bool {
    use validator::Command;
    match command {
        Command::Activate {} | Command::Unjail {} => true,
        Command::Register(_)
        | Command::RequestRegistration(_)
        | Command::FailRegistration { .. }
        | Command::Deregister {}
        | Command::UpdateProfile { .. }
        | Command::SetCommission { .. }
        | Command::Bond { .. }
        | Command::Unbond { .. }
        | Command::Delegate { .. }
        | Command::Undelegate { .. }
        | Command::CompleteUnbonding { .. }
        | Command::RecordPerformance { .. }
        | Command::Jail { .. }
        | Command::Slash { .. }
        | Command::InitiateExit {}
        | Command::CompleteExit {} => false,
    }
}

impl Handled for ValidatorSet {
    fn permission(command: &validator_set::Command) -> Permission {
        policy::validator_set(command)
    }

    async fn prepare(
        commands: &Commands,
        chain_id: &ChainId,
        _: &ValidatorSet,
        command: &validator_set::Command,
        context: &RequestContext,
    ) -> Result<validator_set::Known, StoreError> {
        let validator_set::Command::Rotate { epoch } = command;
        let parameters = commands.parameters(Some(chain_id)).await?;
        let set = commands.active_set(chain_id, *epoch, parameters.power_reduction).await?;
        Ok(validator_set::Known { now: context.at, parameters, candidates: set.candidates })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<ValidatorSet> {
        &rooms.validator_sets
    }
}

impl Handled for Chain {
    fn permission(command: &chain::Command) -> Permission {
        policy::chain(command)
    }

    async fn prepare(
        commands: &Commands,
        stream: &ChainStream,
        state: &Chain,
        command: &chain::Command,
        context: &RequestContext,
    ) -> Result<chain::Known, StoreError> {
        let carried = match state {
            Chain::Unbegun => commands.carried(&stream.chain).await?,
            Chain::Native(_) | Chain::Observed(_) => None,
        };
        Ok(chain::Known {
            stream: stream.clone(),
            now: context.at,
            overrides: Box::pin(wanted(commands, command)).await?,
            carried,
            executed: Box::pin(applicable(commands, command)).await?,
            snapshot: made(commands, stream, command),
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Chain> {
        &rooms.chains
    }
}

/// What the setting says, for whoever schedules it.
async fn wanted(commands: &Commands, command: &chain::Command) -> Result<Overrides, StoreError> {
    if matches!(command, chain::Command::ScheduleParameters {}) {
        return commands.in_force().await;
    }
    Ok(Overrides::default())
}

/// The snapshot that is to be recorded, when it was made and is kept.
fn made(
    commands: &Commands,
    stream: &ChainStream,
    command: &chain::Command,
) -> Option<chain::Snapshot> {
    use chain::Command;
    match command {
        Command::CreateSnapshot { height } => {
            commands.rooms.snapshots.get(&(stream.chain.clone(), *height))
        }
        Command::InitialiseGenesis { .. }
        | Command::StartObservation { .. }
        | Command::ObserveHeader { .. }
        | Command::CloseEpoch { .. }
        | Command::OpenEpoch {}
        | Command::ReportFork { .. }
        | Command::ResolveFork { .. }
        | Command::ApplyBlock { .. }
        | Command::ScheduleParameters {}
        | Command::PruneBefore { .. } => None,
    }
}

/// What the block that is to be applied came to, when it is final and can be executed.
async fn applicable(
    commands: &Commands,
    command: &chain::Command,
) -> Result<Option<chain::Executed>, StoreError> {
    use chain::Command;
    match command {
        Command::ApplyBlock { block, .. } => match commands.executed(*block).await {
            Ok(executed) => Ok(Some(executed.block.clone())),
            Err(Unexecuted::Unavailable(error)) => Err(error),
            Err(reason) => {
                debug!(%block, %reason, "not executed");
                Ok(None)
            }
        },
        Command::InitialiseGenesis { .. }
        | Command::StartObservation { .. }
        | Command::ObserveHeader { .. }
        | Command::CloseEpoch { .. }
        | Command::OpenEpoch {}
        | Command::ReportFork { .. }
        | Command::ResolveFork { .. }
        | Command::CreateSnapshot { .. }
        | Command::ScheduleParameters {}
        | Command::PruneBefore { .. } => Ok(None),
    }
}

impl Handled for Account {
    fn permission(command: &transaction::Command) -> Permission {
        policy::account(command)
    }

    async fn prepare(
        commands: &Commands,
        address: &Address,
        _: &Account,
        command: &transaction::Command,
        context: &RequestContext,
    ) -> Result<transaction::Known, StoreError> {
        let nothing = transaction::Known {
            address: *address,
            balance: Amount::ZERO,
            chain_id: None,
            head: None,
            mempool: Mempool::EMPTY,
            nonce: Nonce::FIRST,
            now: context.at,
            parameters: Parameters::default(),
            superseded: None,
        };
        let Some(standing) = Box::pin(commands.standing()).await? else { return Ok(nothing) };
        let superseded = match command {
            transaction::Command::Evict { hash, reason: Eviction::NonceSuperseded } => {
                Box::pin(commands.superseded(hash)).await?
            }
            transaction::Command::Evict { .. }
            | transaction::Command::Submit { .. }
            | transaction::Command::Reserve { .. }
            | transaction::Command::Release { .. } => None,
        };
        let account = standing.ledger.account(*address);
        Ok(transaction::Known {
            balance: account.balance,
            chain_id: Some(standing.ledger.chain_id().clone()),
            head: standing.ledger.height(),
            mempool: standing.mempool,
            nonce: account.nonce,
            parameters: standing.ledger.parameters().clone(),
            superseded,
            ..nothing
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Account> {
        &rooms.accounts
    }
}
