//! How a validator's state follows from its events.
//!
//! Does not judge: history is not up for debate.

use std::{collections::BTreeSet, sync::Arc};

use super::{
    ApplicationStatus, Commission, Event, Profile, Record, Stake, Standing, StandingName,
    Unbonding, Validator, ValidatorRegistered, ValidatorSlashed, application,
};
use crate::values::Amount;

/// Applies one event.
pub(super) fn evolve(validator: &mut Validator, event: &Event) {
    if let Event::ValidatorRegistered(data) = event {
        validator.record = Some(Arc::new(registered(validator, data)));
        return;
    }
    if let Event::RegistrationRequested(data) = event {
        validator.application = application::asked(validator, data);
        return;
    }
    let Validator { application, record } = validator;
    if let Event::RegistrationFailed(_) = event {
        application::ends(application, ApplicationStatus::Failed);
    }
    // Without a registration there is nothing else an event could change.
    let Some(record) = record else { return };
    let record = Arc::make_mut(record);
    match event {
        Event::ValidatorRegistered(_)
        | Event::RegistrationRequested(_)
        | Event::RegistrationFailed(_) => {}
        Event::ValidatorDeregistered(_) => {
            record.stake.bond = Amount::ZERO;
            record.standing = Standing::Exited;
        }
        Event::ValidatorActivated(_) => {
            record.standing = Standing::Active;
            record.ever_active = true;
            if application.as_deref().is_some_and(|one| one.is_of(record)) {
                application::ends(application, ApplicationStatus::Completed);
            }
        }
        Event::ProfileUpdated(data) => {
            record.profile = Profile {
                contact: data.contact.clone(),
                moniker: data.moniker.clone(),
                website: data.website.clone(),
            };
        }
        Event::CommissionSet(data) => {
            record.commission = Commission {
                current: data.commission_bps,
                base: record.commission.base_in(data.epoch),
                epoch: data.epoch,
            };
        }
        Event::StakeBonded(_)
        | Event::UnbondingStarted(_)
        | Event::DelegationAdded(_)
        | Event::UndelegationStarted(_)
        | Event::StakeReleased(_) => move_stake(&mut record.stake, event),
        Event::PerformanceRecorded(data) => record.last_performance = Some(data.epoch),
        Event::ReputationChanged(data) => record.reputation = data.to,
        Event::ValidatorJailed(data) => {
            let slashed = match record.standing {
                Standing::Slashed => true,
                Standing::Jailed { slashed, .. } => slashed,
                Standing::Registered
                | Standing::Active
                | Standing::Exiting { .. }
                | Standing::Exited
                | Standing::Tombstoned => false,
            };
            record.standing = Standing::Jailed { until: data.until, slashed };
        }
        Event::ValidatorUnjailed(data) => {
            let active = data.standing == StandingName::Active;
            record.standing = if active { Standing::Active } else { Standing::Registered };
        }
        Event::ValidatorSlashed(data) => slashed(record, data),
        Event::ValidatorTombstoned(_) => record.standing = Standing::Tombstoned,
        Event::ExitInitiated(data) => {
            record.standing = Standing::Exiting { matures: data.matures };
        }
        Event::ValidatorExited(_) => record.standing = Standing::Exited,
    }
}

/// A first registration, or one after an exit: penalties and delegations outlast the exit.
fn registered(before: &Validator, data: &ValidatorRegistered) -> Record {
    let earlier = before.record();
    let stake = earlier.map(|record| record.stake.clone()).unwrap_or_default();
    Record {
        address: data.address,
        chain_id: data.chain_id.clone(),
        commission: Commission {
            current: data.commission_bps,
            base: data.commission_bps,
            epoch: data.epoch,
        },
        ever_active: earlier.is_some_and(|record| record.ever_active),
        evidence: earlier.map_or_else(BTreeSet::new, |record| record.evidence.clone()),
        last_performance: earlier.and_then(|record| record.last_performance),
        offences: earlier.map_or_else(BTreeSet::new, |record| record.offences.clone()),
        operator: data.operator.clone(),
        profile: Profile {
            contact: data.contact.clone(),
            moniker: data.moniker.clone(),
            website: data.website.clone(),
        },
        public_key: data.public_key,
        quarantined_until: earlier.map(|record| record.quarantined_until).unwrap_or_default(),
        reputation: data.reputation,
        reservation: data.reservation.clone(),
        stake: Stake { bond: data.bond, ..stake },
        standing: Standing::Registered,
    }
}

fn move_stake(stake: &mut Stake, event: &Event) {
    match event {
        Event::StakeBonded(data) => stake.bond = data.bond,
        Event::UnbondingStarted(data) => {
            stake.bond = data.bond;
            let entry = Unbonding { matures: data.matures, started: data.epoch, delegator: None };
            stake.add_unbonding(entry, data.amount);
        }
        Event::DelegationAdded(data) => stake.set_delegation(data.delegator, data.delegation),
        Event::UndelegationStarted(data) => {
            stake.set_delegation(data.delegator, data.delegation);
            let delegator = Some(data.delegator);
            let entry = Unbonding { matures: data.matures, started: data.epoch, delegator };
            stake.add_unbonding(entry, data.amount);
        }
        Event::StakeReleased(data) => {
            stake.unbonding.remove(&Unbonding {
                matures: data.matures,
                started: data.started,
                delegator: data.delegator,
            });
        }
        Event::ValidatorRegistered(_)
        | Event::RegistrationRequested(_)
        | Event::RegistrationFailed(_)
        | Event::ValidatorDeregistered(_)
        | Event::ValidatorActivated(_)
        | Event::ProfileUpdated(_)
        | Event::CommissionSet(_)
        | Event::PerformanceRecorded(_)
        | Event::ReputationChanged(_)
        | Event::ValidatorJailed(_)
        | Event::ValidatorUnjailed(_)
        | Event::ValidatorSlashed(_)
        | Event::ValidatorTombstoned(_)
        | Event::ExitInitiated(_)
        | Event::ValidatorExited(_) => {}
    }
}

fn slashed(record: &mut Record, data: &ValidatorSlashed) {
    record.stake.burn(data.bond_bps, data.delegated_bps, data.offence_epoch);
    record.evidence.insert(data.evidence);
    record.offences.insert((data.offence, data.height));
    record.quarantined_until = record.quarantined_until.max(data.quarantined_until);
    record.standing = Standing::Slashed;
}
