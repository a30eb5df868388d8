//! How a command to a validator is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    COMMISSION_STEP_BPS_MAX, Command, CommissionSet, DELEGATORS_MAX, DelegationAdded, Event,
    ExitInitiated, Known, PerformanceRecorded, ProfileUpdated, REPUTATION_GAIN_MAX,
    REPUTATION_LOSS_MAX, Record, Refusal, Registration, ReputationCause, ReputationChanged,
    StakeBonded, Standing, StandingName, UnbondingStarted, UndelegationStarted, Validator,
    ValidatorActivated, ValidatorJailed, ValidatorRegistered, ValidatorUnjailed, application,
    leave, penalty, registration_bytes,
};
use crate::values::{Address, Amount, Bps, Epoch, POWER_TOTAL_MAX, Power, Reason};

/// Decides a command.
pub(super) fn decide(
    validator: &Validator,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let record = || validator.record().ok_or(Refusal::NotRegistered);
    match command {
        Command::Register(registration) => register(validator, registration, known),
        Command::RequestRegistration(registration) => {
            application::request(validator, registration, known)
        }
        Command::FailRegistration { because, step } => application::fail(validator, *step, because),
        Command::Deregister {} => application::deregister(validator, known),
        Command::Activate {} => activate(record()?, known),
        Command::UpdateProfile { contact, moniker, website } => {
            let profile = ProfileUpdated {
                contact: contact.clone(),
                moniker: moniker.clone(),
                website: website.clone(),
            };
            update_profile(record()?, profile)
        }
        Command::SetCommission { commission_bps } => {
            set_commission(record()?, *commission_bps, known)
        }
        Command::Bond { amount } => bond(record()?, *amount, known),
        Command::Unbond { amount } => unbond(record()?, *amount, known),
        Command::Delegate { amount, delegator } => delegate(record()?, *amount, *delegator, known),
        Command::Undelegate { amount, delegator } => {
            undelegate(record()?, *amount, *delegator, known)
        }
        Command::CompleteUnbonding { epoch } => leave::complete_unbonding(record()?, *epoch, known),
        Command::RecordPerformance { epoch, missed, proposed, signed } => {
            let duties =
                Duties { epoch: *epoch, missed: *missed, proposed: *proposed, signed: *signed };
            record_performance(record()?, duties, known)
        }
        Command::Jail { reason } => jail(record()?, reason, known),
        Command::Unjail {} => unjail(record()?, known),
        Command::Slash { evidence, height, offence } => {
            penalty::slash(record()?, *offence, *evidence, *height, known)
        }
        Command::InitiateExit {} => initiate_exit(record()?, known),
        Command::CompleteExit {} => leave::complete_exit(record()?, known),
    }
}

/// Refuses unless the validator is one of `allowed`; `command` completes "cannot ...".
pub(super) fn standing_in(
    record: &Record,
    allowed: &[StandingName],
    command: &'static str,
) -> Result<(), Refusal> {
    let standing = record.standing.name();
    if allowed.contains(&standing) {
        return Ok(());
    }
    Err(Refusal::StandingForbids { command, standing })
}

/// Registers a key that nobody has registered, or that left in good order.
pub(super) fn register(
    validator: &Validator,
    registration: &Registration,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let Registration { bond, chain_id, public_key, .. } = registration;
    let address = public_key.address();
    if address != known.address {
        return Err(Refusal::AddressMismatch { expected: known.address, found: address });
    }
    let standing = validator.standing();
    if standing != StandingName::Unregistered && standing != StandingName::Exited {
        return Err(Refusal::AlreadyRegistered { address, standing });
    }
    if *bond < known.parameters.bond_min {
        return Err(Refusal::BondBelowMinimum { bond: *bond, minimum: known.parameters.bond_min });
    }
    let proved = registration_bytes(chain_id, address);
    if !public_key.verify_strict(&proved, &registration.proof) {
        return Err(Refusal::ProofInvalid { address });
    }
    let earlier = validator.record();
    let delegated = earlier.map_or(Amount::ZERO, |record| record.stake.delegated);
    let (stake, power) = grown(delegated, *bond, known)?;
    let start = known.parameters.reputation_start;
    let event = ValidatorRegistered {
        address,
        bond: *bond,
        chain_id: chain_id.clone(),
        commission_bps: registration.commission_bps,
        contact: registration.contact.clone(),
        epoch: known.epoch,
        moniker: registration.moniker.clone(),
        operator: registration.operator.clone(),
        power,
        public_key: *public_key,
        reputation: earlier.map_or(start, |record| record.reputation.min(start)),
        reservation: registration.reservation.clone(),
        stake,
        website: registration.website.clone(),
    };
    Ok(vec![Event::ValidatorRegistered(Box::new(event))])
}

fn activate(record: &Record, known: &Known) -> Result<Vec<Event>, Refusal> {
    standing_in(record, &[StandingName::Registered], "be activated")?;
    let minimum = known.parameters.reputation_activate_min;
    if record.reputation < minimum {
        return Err(Refusal::ReputationTooLow { minimum, reputation: record.reputation });
    }
    if known.epoch < record.quarantined_until {
        let until = record.quarantined_until;
        return Err(Refusal::Quarantined { epoch: known.epoch, until });
    }
    bond_suffices(record, known)?;
    room_in_set(known)?;
    let power = record.stake.power(known.parameters.power_reduction);
    Ok(vec![Event::ValidatorActivated(ValidatorActivated { epoch: known.epoch, power })])
}

fn bond_suffices(record: &Record, known: &Known) -> Result<(), Refusal> {
    let (bond, minimum) = (record.stake.bond, known.parameters.bond_min);
    if bond < minimum {
        return Err(Refusal::BondBelowMinimum { bond, minimum });
    }
    Ok(())
}

/// Whoever becomes active takes a place in the set and a part of the epoch's churn.
fn room_in_set(known: &Known) -> Result<(), Refusal> {
    let maximum = known.parameters.validators_max;
    if known.active >= maximum {
        return Err(Refusal::SetFull { active: known.active, maximum });
    }
    let churn_max = known.parameters.churn_max(known.active);
    if known.joined >= churn_max {
        return Err(Refusal::ChurnExhausted { maximum: churn_max, used: known.joined });
    }
    Ok(())
}

fn update_profile(record: &Record, profile: ProfileUpdated) -> Result<Vec<Event>, Refusal> {
    let allowed = [StandingName::STAYING, &[StandingName::Exiting]].concat();
    standing_in(record, &allowed, "update its profile")?;
    let same = record.profile.contact == profile.contact
        && record.profile.moniker == profile.moniker
        && record.profile.website == profile.website;
    Ok(if same { Vec::new() } else { vec![Event::ProfileUpdated(profile)] })
}

fn set_commission(record: &Record, wanted: Bps, known: &Known) -> Result<Vec<Event>, Refusal> {
    let allowed = [StandingName::STAYING, &[StandingName::Exiting]].concat();
    standing_in(record, &allowed, "set its commission")?;
    let previous_bps = record.commission.current;
    if wanted == previous_bps {
        return Ok(Vec::new());
    }
    let base = record.commission.base_in(known.epoch);
    let step_max = COMMISSION_STEP_BPS_MAX;
    if base.distance(wanted) > step_max {
        return Err(Refusal::CommissionStepTooLarge { base, step_max, wanted });
    }
    let event = CommissionSet { commission_bps: wanted, epoch: known.epoch, previous_bps };
    Ok(vec![Event::CommissionSet(event)])
}

/// The stake and the power after `amount` is added to `stake`. No validator alone may have more
/// power than a whole set.
fn grown(stake: Amount, amount: Amount, known: &Known) -> Result<(Amount, Power), Refusal> {
    let reduction = known.parameters.power_reduction;
    let too_large =
        || Refusal::StakeTooLarge { amount, power_max: POWER_TOTAL_MAX.to_string(), stake };
    let total = stake.plus(amount).ok_or_else(too_large)?;
    let power = total.power(reduction);
    if power.value() > POWER_TOTAL_MAX {
        return Err(too_large());
    }
    Ok((total, power))
}

fn bond(record: &Record, amount: Amount, known: &Known) -> Result<Vec<Event>, Refusal> {
    standing_in(record, StandingName::STAYING, "bond")?;
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let (stake, power) = grown(record.stake.total(), amount, known)?;
    let bond = record.stake.bond.and(amount);
    Ok(vec![Event::StakeBonded(StakeBonded { amount, bond, power, stake })])
}

fn unbond(record: &Record, amount: Amount, known: &Known) -> Result<Vec<Event>, Refusal> {
    standing_in(record, StandingName::STAYING, "unbond")?;
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let bond = record.stake.bond;
    let left = bond.minus(amount).ok_or(Refusal::BondInsufficient { amount, bond })?;
    let minimum = known.parameters.bond_min;
    if left < minimum {
        return Err(Refusal::BondBelowMinimum { bond: left, minimum });
    }
    Ok(vec![Event::UnbondingStarted(unbonding(record, amount, left, known))])
}

fn unbonding(record: &Record, amount: Amount, bond: Amount, known: &Known) -> UnbondingStarted {
    let stake = bond.and(record.stake.delegated);
    UnbondingStarted {
        amount,
        bond,
        epoch: known.epoch,
        matures: known.parameters.matures(known.epoch),
        power: stake.power(known.parameters.power_reduction),
        stake,
    }
}

fn delegate(
    record: &Record,
    amount: Amount,
    delegator: Address,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    standing_in(record, StandingName::STAYING, "be delegated to")?;
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let delegations = &record.stake.delegations;
    if delegations.len() >= DELEGATORS_MAX && !delegations.contains_key(&delegator) {
        return Err(Refusal::DelegatorsExhausted { maximum: DELEGATORS_MAX });
    }
    let (stake, power) = grown(record.stake.total(), amount, known)?;
    let delegation = record.stake.delegation(delegator).and(amount);
    let event = DelegationAdded { amount, delegation, delegator, power, stake };
    Ok(vec![Event::DelegationAdded(event)])
}

/// Whatever the validator is: a delegator can always leave.
fn undelegate(
    record: &Record,
    amount: Amount,
    delegator: Address,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let delegation = record.stake.delegation(delegator);
    let left = delegation.minus(amount).ok_or(Refusal::DelegationInsufficient {
        amount,
        delegation,
        delegator,
    })?;
    let stake = record.stake.total().less(amount);
    let event = UndelegationStarted {
        amount,
        delegation: left,
        delegator,
        epoch: known.epoch,
        matures: known.parameters.matures(known.epoch),
        power: stake.power(known.parameters.power_reduction),
        stake,
    };
    Ok(vec![Event::UndelegationStarted(event)])
}

/// What a validator did in an epoch.
struct Duties {
    epoch: Epoch,
    missed: u32,
    proposed: u32,
    signed: u32,
}

fn record_performance(
    record: &Record,
    duties: Duties,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let allowed = [StandingName::STAYING, &[StandingName::Exiting]].concat();
    standing_in(record, &allowed, "have its performance recorded")?;
    if !record.ever_active {
        return Err(Refusal::NeverActive);
    }
    let Duties { epoch, missed, proposed, signed } = duties;
    if epoch > known.epoch {
        return Err(Refusal::EpochInFuture { current: known.epoch, epoch });
    }
    if let Some(last) = record.last_performance.filter(|last| *last >= epoch) {
        return Err(Refusal::PerformanceRecordedAlready { epoch, last });
    }
    let epoch_blocks = known.parameters.epoch_blocks;
    let total = u64::from(missed) + u64::from(signed);
    if total > u64::from(epoch_blocks) || proposed > epoch_blocks {
        return Err(Refusal::PerformanceImplausible { duties: total, epoch_blocks, proposed });
    }
    let downtime_max = u64::from(known.parameters.downtime_missed_max_bps.value());
    let downtime = u64::from(missed) * u64::from(Bps::WHOLE.value()) > downtime_max * total;
    let recorded = PerformanceRecorded { downtime, epoch, missed, proposed, signed };
    let mut events = vec![Event::PerformanceRecorded(recorded)];
    let to = earned(record.reputation, missed, signed, known);
    events.extend(reputation_change(record, to, ReputationCause::Performance, epoch));
    Ok(events)
}

/// The reputation after an epoch: up by [`REPUTATION_GAIN_MAX`] times the part of the duties done,
/// down by [`REPUTATION_LOSS_MAX`] times the part missed, within 0 and the scale.
fn earned(reputation: u32, missed: u32, signed: u32, known: &Known) -> u32 {
    let total = i64::from(missed) + i64::from(signed);
    if total == 0 {
        return reputation;
    }
    let gain = i64::from(signed) * REPUTATION_GAIN_MAX - i64::from(missed) * REPUTATION_LOSS_MAX;
    let scale = i64::from(known.parameters.reputation_scale);
    let after = (i64::from(reputation) + gain / total).clamp(0, scale);
    u32::try_from(after).unwrap_or(reputation)
}

/// The change to `to`; none when there is none.
pub(super) fn reputation_change(
    record: &Record,
    to: u32,
    cause: ReputationCause,
    epoch: Epoch,
) -> Option<Event> {
    let from = record.reputation;
    (from != to).then_some(Event::ReputationChanged(ReputationChanged { cause, epoch, from, to }))
}

fn jail(record: &Record, reason: &Reason, known: &Known) -> Result<Vec<Event>, Refusal> {
    standing_in(record, &[StandingName::Active], "be jailed")?;
    let until = known.now.plus_seconds(u64::from(known.parameters.jail_s));
    let event = ValidatorJailed { epoch: known.epoch, reason: reason.clone(), until };
    Ok(vec![Event::ValidatorJailed(event)])
}

fn unjail(record: &Record, known: &Known) -> Result<Vec<Event>, Refusal> {
    let Standing::Jailed { until, slashed } = record.standing else {
        let standing = record.standing.name();
        return Err(Refusal::StandingForbids { command: "leave jail", standing });
    };
    if known.now < until {
        return Err(Refusal::JailNotOver { now: known.now, until });
    }
    bond_suffices(record, known)?;
    let standing = if slashed { StandingName::Registered } else { StandingName::Active };
    if !slashed {
        room_in_set(known)?;
    }
    Ok(vec![Event::ValidatorUnjailed(ValidatorUnjailed { epoch: known.epoch, standing })])
}

fn initiate_exit(record: &Record, known: &Known) -> Result<Vec<Event>, Refusal> {
    standing_in(record, StandingName::STAYING, "begin to exit")?;
    let matures = known.parameters.matures(known.epoch);
    let latest = record.stake.own_matures().map_or(matures, |own| own.max(matures));
    let exit = ExitInitiated { epoch: known.epoch, matures: latest };
    let mut events = vec![Event::ExitInitiated(exit)];
    if !record.stake.bond.is_zero() {
        let all = unbonding(record, record.stake.bond, Amount::ZERO, known);
        events.push(Event::UnbondingStarted(all));
    }
    Ok(events)
}
