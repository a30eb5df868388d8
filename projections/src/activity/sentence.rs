//! What happened, as a sentence for people.
//!
//! Does not know who asked for it, nor when: the row beside it says so.

use std::borrow::Cow;

use domain::{
    chain::{self, ChainStream},
    validator, validator_set,
    values::{Address, ChainId, Hash, Height},
};

use crate::event::Fact;

/// How many characters of a hash or an address are shown.
const SHOWN_CHARS: usize = 8;

/// The sentence of a fact.
pub(super) fn of(fact: &Fact) -> String {
    match fact {
        Fact::Validator(address, event) => of_validator(*address, event),
        Fact::ValidatorSet(chain, event) => of_validator_set(chain, event),
        Fact::Chain(stream, event) => of_chain(stream, event),
        Fact::Account(..)
        | Fact::Block(..)
        | Fact::Height(..)
        | Fact::Configuration(_)
        | Fact::Monitoring(_)
        | Fact::Network(_) => fact.name().to_owned(),
    }
}

fn short(address: impl ToString) -> String {
    address.to_string().chars().take(SHOWN_CHARS).collect()
}

fn header(height: Height, hash: Hash) -> String {
    format!("header {height} ({})", short(hash))
}

fn of_validator(address: Address, event: &validator::Event) -> String {
    use validator::Event;
    let who = short(address);
    match event {
        Event::ValidatorRegistered(data) => format!(
            "Validator {who} \"{}\" registered for {} with a bond of {}",
            data.moniker, data.chain_id, data.bond
        ),
        Event::ValidatorActivated(data) => {
            format!(
                "Validator {who} was activated in epoch {} with power {}",
                data.epoch, data.power
            )
        }
        Event::ProfileUpdated(data) => {
            format!("Validator {who} updated its profile as \"{}\"", data.moniker)
        }
        Event::CommissionSet(data) => format!(
            "Validator {who} moved its commission from {} to {} bps",
            data.previous_bps, data.commission_bps
        ),
        Event::StakeBonded(data) => {
            format!("Validator {who} bonded {}: its own bond is {}", data.amount, data.bond)
        }
        Event::UnbondingStarted(data) => format!(
            "Validator {who} began to unbond {}, released in epoch {}",
            data.amount, data.matures
        ),
        Event::DelegationAdded(data) => {
            format!("{} delegated {} to validator {who}", short(data.delegator), data.amount)
        }
        Event::UndelegationStarted(data) => format!(
            "{} began to undelegate {} from validator {who}, released in epoch {}",
            short(data.delegator),
            data.amount,
            data.matures
        ),
        Event::StakeReleased(data) => {
            let owner: Cow<'_, str> = match data.delegator {
                Some(delegator) => short(delegator).into(),
                None => "itself".into(),
            };
            format!("Validator {who} released {} to {owner}", data.amount)
        }
        Event::PerformanceRecorded(data) => format!(
            "Validator {who} proposed {}, signed {} and missed {} in epoch {}{}",
            data.proposed,
            data.signed,
            data.missed,
            data.epoch,
            if data.downtime { ": it was down" } else { "" }
        ),
        Event::ReputationChanged(data) => {
            format!("Validator {who}'s reputation went from {} to {}", data.from, data.to)
        }
        Event::ValidatorJailed(data) => {
            format!("Validator {who} was jailed until {}: {}", data.until, data.reason)
        }
        Event::ValidatorUnjailed(data) => {
            format!("Validator {who} left jail and is {}", data.standing)
        }
        Event::ValidatorSlashed(data) => format!(
            "Validator {who} was slashed for {} at height {}: {} burned",
            data.offence, data.height, data.burned
        ),
        Event::ValidatorTombstoned(data) => {
            format!("Validator {who} was tombstoned for {}", data.offence)
        }
        Event::ExitInitiated(data) => {
            format!("Validator {who} began its exit, complete from epoch {}", data.matures)
        }
        Event::RegistrationRequested(data) => format!(
            "{} asked to be the validator {who}, with a bond of {}",
            data.registration.operator, data.registration.bond
        ),
        Event::RegistrationFailed(data) => {
            format!("The registration of validator {who} failed at {}: {}", data.step, data.because)
        }
        Event::ValidatorDeregistered(data) => {
            format!("The registration of validator {who} was undone, its bond {} freed", data.bond)
        }
        Event::ValidatorExited(data) => format!("Validator {who} exited in epoch {}", data.epoch),
    }
}

fn of_validator_set(chain: &ChainId, event: &validator_set::Event) -> String {
    match event {
        validator_set::Event::ValidatorSetRotated(data) => format!(
            "The validator set of {chain} for epoch {} has {} members ({} joined, {} left) with power {}",
            data.epoch,
            data.members.len(),
            data.joined.len(),
            data.left.len(),
            data.total_power
        ),
    }
}

fn of_chain(stream: &ChainStream, event: &chain::Event) -> String {
    use chain::Event;
    let chain = &stream.chain;
    match event {
        Event::GenesisInitialised(data) => format!(
            "Chain {chain} was initialised with {} validators, {} accounts and a supply of {}",
            data.validators.len(),
            data.accounts,
            data.supply
        ),
        Event::ObservationStarted(data) => {
            format!("Observation of {chain} started at {}", header(data.height, data.hash))
        }
        Event::HeaderObserved(data) => format!(
            "{chain}: {} was recorded, signed by {} of {} power",
            header(data.height, data.hash),
            data.signed_power,
            data.total_power
        ),
        Event::HeaderRejected(data) => {
            format!("{chain}: {} was rejected: {}", header(data.height, data.hash), data.reason)
        }
        Event::ForkDetected(data) => format!(
            "{chain}: a fork was detected at height {}: {} and {}, {} signed both",
            data.height,
            short(data.recorded),
            short(data.conflicting),
            data.culprits.len()
        ),
        Event::ForkResolved(data) => {
            format!("{chain}: {} was kept: {}", header(data.height, data.kept), data.reason)
        }
        Event::EpochClosed(data) => {
            format!("{chain}: epoch {} was closed at height {}", data.epoch, data.height)
        }
        Event::EpochOpened(data) => {
            let height = data.carried.height();
            format!("{chain}: epoch {} was opened after height {height}", data.epoch)
        }
        Event::BlockApplied(data) => format!(
            "{chain}: block {} ({}) was applied with {} transactions",
            data.height,
            short(data.hash),
            data.transactions
        ),
        Event::ParametersScheduled(data) => {
            format!("{chain}: other protocol parameters hold from epoch {} on", data.epoch)
        }
        Event::ChainHalted(data) => format!(
            "{chain} halted: block {} ({}) names the state {}, ours is {}",
            data.height,
            short(data.hash),
            short(&data.app_hash),
            short(data.state_root)
        ),
        Event::StateSnapshotCreated(data) => {
            format!("{chain}: a snapshot of the state after height {} was made", data.height)
        }
        Event::StatePruned(data) => {
            format!("{chain}: states below height {} were pruned", data.before)
        }
    }
}
