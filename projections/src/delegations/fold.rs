//! How stakes follow from validators' events.
//!
//! Computes one thing only: what a penalty takes from each delegation and from each entry on its
//! way out, which the event gives as fractions and sums.

use std::collections::{BTreeMap, BTreeSet};

use domain::{
    aggregate::Aggregate as _,
    validator::{Event as Happened, Validator, ValidatorSlashed},
    values::{Address, Amount, Epoch, Moment, Power},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::{NAME, save};

/// The projection of stakes.
#[derive(Clone, Copy, Debug)]
pub struct Delegations;

impl Projection for Delegations {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Validator::CATEGORY]
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(chunk, tx).boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        save::reset(tx).boxed()
    }
}

/// A validator's bond as it is folded.
#[derive(Clone, Debug)]
pub(super) struct BondHeld {
    pub chain_id: String,
    pub bond: Amount,
    pub delegated: Amount,
    pub stake: Amount,
    pub power: Power,
    pub updated_at: Moment,
    pub position: u64,
}

/// An amount as it is folded, zero when there is none.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held {
    pub amount: Amount,
    pub since: Moment,
    pub updated_at: Moment,
    pub position: u64,
    /// Whether the table has it.
    pub is_stored: bool,
    /// Whether this chunk changed it.
    pub is_changed: bool,
}

impl Held {
    fn nothing(event: &Event) -> Held {
        Held {
            amount: Amount::ZERO,
            since: event.at,
            updated_at: event.at,
            position: event.position,
            is_stored: false,
            is_changed: false,
        }
    }

    fn set(&mut self, event: &Event, amount: Amount) {
        if self.amount.is_zero() {
            self.since = event.at;
        }
        self.amount = amount;
        self.updated_at = event.at;
        self.position = event.position;
        self.is_changed = true;
    }
}

/// Names a delegation: validator, delegator.
pub(super) type Pair = (Address, Address);

/// Names an entry on its way out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub validator: Address,
    pub matures: Epoch,
    pub started: Epoch,
    /// None for the validator's own bond.
    pub delegator: Option<Address>,
}

/// What a chunk touches.
#[derive(Default)]
pub(super) struct Touched {
    pub validators: BTreeSet<Address>,
    /// Of these everything is touched.
    pub slashed: BTreeSet<Address>,
    pub pairs: BTreeSet<Pair>,
    pub entries: BTreeSet<Entry>,
}

/// The touched stakes, before and after.
#[derive(Default)]
pub(super) struct Stakes {
    pub bonds: BTreeMap<Address, BondHeld>,
    pub delegations: BTreeMap<Pair, Held>,
    pub unbondings: BTreeMap<Entry, Held>,
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let touched = touched(chunk);
    let mut stakes = save::load(&touched, tx).await?;
    for (event, validator, happened) in chunk.validators() {
        stakes.fold(event, validator, happened)?;
    }
    save::save(&stakes, tx).await?;
    Ok(())
}

fn touched(chunk: &Chunk<'_>) -> Touched {
    let mut touched = Touched::default();
    for (_, validator, happened) in chunk.validators() {
        touched.validators.insert(validator);
        if let Some(entry) = entry_of(validator, happened) {
            touched.entries.insert(entry);
        }
        match happened {
            Happened::DelegationAdded(data) => {
                touched.pairs.insert((validator, data.delegator));
            }
            Happened::UndelegationStarted(data) => {
                touched.pairs.insert((validator, data.delegator));
            }
            Happened::ValidatorSlashed(_) => {
                touched.slashed.insert(validator);
            }
            Happened::ValidatorRegistered(_)
            | Happened::ValidatorActivated(_)
            | Happened::RegistrationRequested(_)
            | Happened::RegistrationFailed(_)
            | Happened::ValidatorDeregistered(_)
            | Happened::ProfileUpdated(_)
            | Happened::CommissionSet(_)
            | Happened::StakeBonded(_)
            | Happened::UnbondingStarted(_)
            | Happened::StakeReleased(_)
            | Happened::PerformanceRecorded(_)
            | Happened::ReputationChanged(_)
            | Happened::ValidatorJailed(_)
            | Happened::ValidatorUnjailed(_)
            | Happened::ValidatorTombstoned(_)
            | Happened::ExitInitiated(_)
            | Happened::ValidatorExited(_) => {}
        }
    }
    touched
}

/// The entry on its way out that an event names.
fn entry_of(validator: Address, happened: &Happened) -> Option<Entry> {
    let entry =
        |matures, started, delegator| Some(Entry { validator, matures, started, delegator });
    match happened {
        Happened::UnbondingStarted(data) => entry(data.matures, data.epoch, None),
        Happened::UndelegationStarted(data) => {
            entry(data.matures, data.epoch, Some(data.delegator))
        }
        Happened::StakeReleased(data) => entry(data.matures, data.started, data.delegator),
        Happened::ValidatorRegistered(_)
        | Happened::ValidatorActivated(_)
        | Happened::RegistrationRequested(_)
        | Happened::RegistrationFailed(_)
        | Happened::ValidatorDeregistered(_)
        | Happened::ProfileUpdated(_)
        | Happened::CommissionSet(_)
        | Happened::StakeBonded(_)
        | Happened::DelegationAdded(_)
        | Happened::PerformanceRecorded(_)
        | Happened::ReputationChanged(_)
        | Happened::ValidatorJailed(_)
        | Happened::ValidatorUnjailed(_)
        | Happened::ValidatorSlashed(_)
        | Happened::ValidatorTombstoned(_)
        | Happened::ExitInitiated(_)
        | Happened::ValidatorExited(_) => None,
    }
}

impl Stakes {
    fn fold(
        &mut self,
        event: &Event,
        validator: Address,
        happened: &Happened,
    ) -> Result<(), ApplyError> {
        match happened {
            Happened::ValidatorRegistered(data) => {
                let held = BondHeld {
                    chain_id: data.chain_id.to_string(),
                    bond: data.bond,
                    delegated: data.stake.less(data.bond),
                    stake: data.stake,
                    power: data.power,
                    updated_at: event.at,
                    position: event.position,
                };
                self.bonds.insert(validator, held);
            }
            Happened::StakeBonded(data) => {
                self.bond(event, validator, Some(data.bond), data.stake, data.power)?;
            }
            Happened::UnbondingStarted(data) => {
                self.bond(event, validator, Some(data.bond), data.stake, data.power)?;
                self.leave(event, validator, happened, data.amount);
            }
            Happened::DelegationAdded(data) => {
                self.bond(event, validator, None, data.stake, data.power)?;
                self.delegate(event, (validator, data.delegator), data.delegation);
            }
            Happened::UndelegationStarted(data) => {
                self.bond(event, validator, None, data.stake, data.power)?;
                self.delegate(event, (validator, data.delegator), data.delegation);
                self.leave(event, validator, happened, data.amount);
            }
            Happened::StakeReleased(_) => {
                let held = entry_of(validator, happened).and_then(|e| self.unbondings.get_mut(&e));
                if let Some(held) = held {
                    held.set(event, Amount::ZERO);
                }
            }
            Happened::ValidatorDeregistered(data) => {
                let bond = Some(Amount::ZERO);
                self.bond(event, validator, bond, data.stake, data.power)?;
            }
            Happened::ValidatorSlashed(data) => {
                self.bond(event, validator, Some(data.bond), data.stake, data.power)?;
                self.burn(event, validator, data);
            }
            Happened::ValidatorActivated(_)
            | Happened::RegistrationRequested(_)
            | Happened::RegistrationFailed(_)
            | Happened::ProfileUpdated(_)
            | Happened::CommissionSet(_)
            | Happened::PerformanceRecorded(_)
            | Happened::ReputationChanged(_)
            | Happened::ValidatorJailed(_)
            | Happened::ValidatorUnjailed(_)
            | Happened::ValidatorTombstoned(_)
            | Happened::ExitInitiated(_)
            | Happened::ValidatorExited(_) => {}
        }
        Ok(())
    }

    /// The stake is so much now; the own bond, too, or it is what it was.
    fn bond(
        &mut self,
        event: &Event,
        validator: Address,
        bond: Option<Amount>,
        stake: Amount,
        power: Power,
    ) -> Result<(), ApplyError> {
        let held = self.bonds.get_mut(&validator);
        let held =
            held.ok_or_else(|| ApplyError::refused(event, "the validator is not registered"))?;
        let bond = bond.unwrap_or(held.bond);
        let delegated = stake.minus(bond).ok_or_else(|| {
            ApplyError::refused(event, format!("stake {stake} is less than own bond {bond}"))
        })?;
        held.bond = bond;
        held.delegated = delegated;
        held.stake = stake;
        held.power = power;
        held.updated_at = event.at;
        held.position = event.position;
        Ok(())
    }

    fn delegate(&mut self, event: &Event, pair: Pair, delegation: Amount) {
        let held = self.delegations.entry(pair).or_insert_with(|| Held::nothing(event));
        held.set(event, delegation);
    }

    fn leave(&mut self, event: &Event, validator: Address, happened: &Happened, amount: Amount) {
        if let Some(entry) = entry_of(validator, happened) {
            let held = self.unbondings.entry(entry).or_insert_with(|| Held::nothing(event));
            held.set(event, held.amount.and(amount));
        }
    }

    /// Each delegation and each entry that began in the offence's epoch or later loses its
    /// fraction, rounded down.
    fn burn(&mut self, event: &Event, validator: Address, data: &ValidatorSlashed) {
        let of_validator = |pair: &Pair| pair.0 == validator;
        for (_, held) in self.delegations.iter_mut().filter(|(pair, _)| of_validator(pair)) {
            let part = data.delegated_bps.of(held.amount);
            if !part.is_zero() {
                held.set(event, held.amount.less(part));
            }
        }
        let punished =
            |entry: &Entry| entry.validator == validator && entry.started >= data.offence_epoch;
        for (entry, held) in self.unbondings.iter_mut().filter(|(entry, _)| punished(entry)) {
            let bps = if entry.delegator.is_some() { data.delegated_bps } else { data.bond_bps };
            let part = bps.of(held.amount);
            if !part.is_zero() {
                held.set(event, held.amount.less(part));
            }
        }
    }
}
