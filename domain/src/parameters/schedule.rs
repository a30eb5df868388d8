//! Which parameters hold when: those of genesis, and changes, each from an epoch's first height on.
//!
//! Does not know who wants a change, nor why.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::{ParameterFault, Parameters, fault};
use crate::values::{Epoch, Height};

/// After how many epochs a change holds: everybody who votes in the one between has read of it.
pub const NOTICE_EPOCHS: u32 = 2;
/// How many changes a chain may have that still matter: each epoch carries them into the next.
pub const CHANGES_MAX: usize = 64;
/// The parameters that stay as the genesis document says: heights and powers are counted by them.
pub const FIXED: &[&str] = &["epoch_blocks", "power_reduction"];

/// Some parameters with other values than at genesis, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Overrides(Map<String, Value>);

/// Parameters that hold from an epoch's first height on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ParameterChange))]
pub struct Change {
    /// The first epoch in which they hold.
    pub epoch: Epoch,
    /// All parameters, the unchanged ones too.
    pub parameters: Parameters,
}

/// The parameters of a chain over time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    genesis: Parameters,
    changes: Vec<Change>,
}

/// Puts a change among others in the order of epochs; another one for the same epoch is replaced.
pub fn put(changes: &mut Vec<Change>, change: Change) {
    match changes.binary_search_by_key(&change.epoch, |known| known.epoch) {
        Ok(place) => changes[place] = change,
        Err(place) => changes.insert(place, change),
    }
}

impl Schedule {
    /// Those of genesis, and what has changed since; in any order.
    pub fn new(genesis: Parameters, changes: &[Change]) -> Schedule {
        let mut schedule = Schedule { genesis, changes: Vec::new() };
        changes.iter().for_each(|change| schedule.set(change.clone()));
        schedule
    }

    /// Those it began with.
    pub fn genesis(&self) -> &Parameters {
        &self.genesis
    }

    /// The changes since, in the order of their epochs.
    pub fn changes(&self) -> &[Change] {
        &self.changes
    }

    /// Those that hold in an epoch.
    pub fn at(&self, epoch: Epoch) -> &Parameters {
        let change = self.changes.iter().rev().find(|change| change.epoch <= epoch);
        change.map_or(&self.genesis, |change| &change.parameters)
    }

    /// Those that hold at a height.
    pub fn at_height(&self, height: Height) -> &Parameters {
        self.at(height.epoch(self.genesis.epoch_blocks))
    }

    /// Those that will hold when all changes have come.
    pub fn last(&self) -> &Parameters {
        self.changes.last().map_or(&self.genesis, |change| &change.parameters)
    }

    /// The changes that matter from an epoch on: the last one before it, those after it, and those
    /// by which stake still unbonds.
    pub fn since(&self, epoch: Epoch) -> Vec<Change> {
        let ends = self.changes.iter().skip(1).map(|next| Some(next.epoch)).chain([None]);
        let matters = |(change, end): &(&Change, Option<Epoch>)| {
            end.is_none_or(|end| end.plus(change.parameters.unbonding_epochs) > epoch)
        };
        self.changes.iter().zip(ends).filter(matters).map(|(change, _)| change.clone()).collect()
    }

    /// Takes in a change; another one for the same epoch is replaced.
    pub fn set(&mut self, change: Change) {
        put(&mut self.changes, change);
    }

    /// The parameters of genesis with some of them changed.
    pub fn overridden(&self, overrides: &Overrides) -> Result<Parameters, Vec<ParameterFault>> {
        let fixed = FIXED.iter().filter(|name| overrides.0.contains_key(**name));
        let faults: Vec<_> = fixed
            .map(|name| fault(name, "is what the genesis document says, for ever".to_owned()))
            .collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let mut whole = serde_json::to_value(&self.genesis).expect("parameters can be written");
        if let Value::Object(members) = &mut whole {
            members.extend(overrides.0.clone());
        }
        serde_json::from_value(whole).map_err(|error| vec![fault("parameters", error.to_string())])
    }

    /// Everything that speaks against these from an epoch on.
    pub fn faults(&self, epoch: Epoch, next: &Parameters) -> Vec<ParameterFault> {
        let mut faults = next.faults();
        let shortest = self.still_unbonding(epoch).min();
        let waits = shortest.map(|epochs| {
            Parameters { unbonding_epochs: epochs, ..self.genesis.clone() }.unbonding_blocks_min()
        });
        let evidence = u64::from(next.evidence_age_blocks_max);
        if let Some(waits) = waits.filter(|waits| *waits <= evidence) {
            let sentence = format!(
                "is {evidence}: stake that unbonds by earlier parameters waits {waits} blocks, and \
                 would leave before misbehaviour is punished; lengthen unbonding_epochs first"
            );
            faults.push(fault("evidence_age_blocks_max", sentence));
        }
        faults
    }

    /// For how many epochs stake unbonds that began to before an epoch, and waits then.
    fn still_unbonding(&self, epoch: Epoch) -> impl Iterator<Item = u32> {
        let before = || self.changes.iter().filter(move |change| change.epoch < epoch);
        let ends = before().map(|change| change.epoch).chain([epoch]);
        let held = [&self.genesis].into_iter().chain(before().map(|change| &change.parameters));
        let epochs = held.map(|held| held.unbonding_epochs).zip(ends);
        epochs.filter(move |(epochs, end)| end.plus(*epochs) > epoch).map(|(epochs, _)| epochs)
    }
}
