//! The validators of every chain, up to the newest event of the log.
//!
//! Does not know why somebody is active.

use std::collections::{BTreeMap, HashMap};

use domain::{
    aggregate::Aggregate,
    validator::{Event, Record, StandingName, Validator},
    validator_set::Candidate,
    values::{Amount, ChainId, Epoch},
};
use event_store::{EventStore, Filter, StoreError, StoredEvent, StreamName};

use super::unfolded;
use crate::{execute::Commands, lane};

/// The validators, as far as the log has been folded.
#[derive(Default)]
pub(super) struct Roster {
    folded_to: u64,
    validators: HashMap<StreamName, Validator>,
    /// Joins and leaves by chain, in the newest epoch in which there were any.
    churn: BTreeMap<ChainId, (Epoch, u32)>,
}

/// A chain's validators at one moment.
#[derive(Clone, Debug, Default)]
pub(crate) struct ActiveSet {
    /// Those that may be chosen.
    pub(crate) candidates: Vec<Candidate>,
    /// Joins and leaves already used in the epoch asked for.
    pub(crate) joined: u32,
}

impl Commands {
    /// The active validators of a chain, up to the newest event of the log.
    pub(crate) async fn active_set(
        &self,
        chain_id: &ChainId,
        epoch: Epoch,
        power_reduction: Amount,
    ) -> Result<ActiveSet, StoreError> {
        let mut roster = self.rooms.ledger.roster.lock().await;
        roster.catch_up(&self.store).await?;
        let candidates = roster
            .validators
            .values()
            .filter_map(Validator::record)
            .filter(|record| record.standing.name() == StandingName::Active)
            .filter(|record| record.chain_id == *chain_id)
            .map(|record| Candidate {
                address: record.address,
                power: record.stake.power(power_reduction),
                public_key: record.public_key,
            })
            .collect();
        let joined = match roster.churn.get(chain_id) {
            Some((newest, used)) if *newest == epoch => *used,
            Some(_) | None => 0,
        };
        Ok(ActiveSet { candidates, joined })
    }
}

impl Commands {
    /// Everybody who ever registered for a chain, as they are now, by address.
    pub(crate) async fn registered(&self, chain_id: &ChainId) -> Result<Vec<Record>, StoreError> {
        let mut roster = self.rooms.ledger.roster.lock().await;
        roster.catch_up(&self.store).await?;
        let records = roster.validators.values().filter_map(Validator::record);
        let of_chain = records.filter(|record| record.chain_id == *chain_id);
        let mut found: Vec<Record> = of_chain.cloned().collect();
        found.sort_unstable_by_key(|record| record.address);
        Ok(found)
    }
}

impl Roster {
    async fn catch_up(&mut self, store: &EventStore) -> Result<(), StoreError> {
        let filter =
            Filter { categories: vec![Validator::CATEGORY.to_owned()], ..Filter::default() };
        while let Some(page) = unfolded(store, &filter, self.folded_to).await? {
            for event in &page.events {
                self.fold(event)?;
                self.folded_to = event.position;
            }
            self.folded_to = page.scanned_to;
        }
        Ok(())
    }

    fn fold(&mut self, stored: &StoredEvent) -> Result<(), StoreError> {
        let event = lane::read(stored)?;
        let validator = self.validators.entry(stored.stream.clone()).or_default();
        let was_active = validator.standing() == StandingName::Active;
        validator.evolve(&event);
        let is_active = validator.standing() == StandingName::Active;
        if let (Some(epoch), Some(record)) = (moves_in(&event), validator.record())
            && was_active != is_active
        {
            let used = self.churn.entry(record.chain_id.clone()).or_insert((epoch, 0));
            if used.0 < epoch {
                *used = (epoch, 0);
            }
            used.1 += 1;
        }
        Ok(())
    }
}

/// The epoch of an event that may take a validator into the set or out of it.
fn moves_in(event: &Event) -> Option<Epoch> {
    match event {
        Event::ValidatorActivated(event) => Some(event.epoch),
        Event::ValidatorJailed(event) => Some(event.epoch),
        Event::ValidatorUnjailed(event) => Some(event.epoch),
        Event::ValidatorTombstoned(event) => Some(event.epoch),
        Event::ExitInitiated(event) => Some(event.epoch),
        Event::ValidatorRegistered(_)
        | Event::RegistrationRequested(_)
        | Event::RegistrationFailed(_)
        | Event::ValidatorDeregistered(_)
        | Event::ProfileUpdated(_)
        | Event::CommissionSet(_)
        | Event::StakeBonded(_)
        | Event::UnbondingStarted(_)
        | Event::DelegationAdded(_)
        | Event::UndelegationStarted(_)
        | Event::StakeReleased(_)
        | Event::PerformanceRecorded(_)
        | Event::ReputationChanged(_)
        | Event::ValidatorSlashed(_)
        | Event::ValidatorExited(_) => None,
    }
}
