//! What the history of our own chain adds up to in one epoch.
//!
//! Does not judge: only events change it.

use std::collections::BTreeMap;

use super::{
    BlockApplied, CarriedNative, ChainHalted, Event, GenesisInitialised, Head, Kind, Snapshot,
    StatePruned,
};
use crate::{
    parameters::{Parameters, Schedule},
    values::{ChainId, Epoch, Hash, Height},
};

/// Our own chain in one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Native {
    /// The blocks applied in this epoch.
    pub blocks: BTreeMap<Height, Roots>,
    /// The chain.
    pub chain_id: ChainId,
    /// Whether the epoch's books are closed.
    pub closed: bool,
    /// The epoch.
    pub epoch: Epoch,
    /// The hash of the genesis document.
    pub genesis_hash: Hash,
    /// Why nothing is applied any more, if so.
    pub halted: Option<ChainHalted>,
    /// The last applied block, in an epoch just opened that of an earlier one; none before the
    /// first.
    pub head: Option<(Head, Roots)>,
    /// The chain's first height.
    pub initial_height: Height,
    /// The hash of the set that signs the next block.
    pub next_validators_hash: Hash,
    /// Which protocol parameters hold when.
    pub schedule: Schedule,
    /// States of lower heights are not kept.
    pub pruned_before: Option<Height>,
    /// The snapshots that are kept, by height.
    pub snapshots: BTreeMap<Height, Snapshot>,
}

/// What a block is named by, and what it came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Roots {
    /// The block's hash.
    pub hash: Hash,
    /// The root of its receipts.
    pub receipts_root: Hash,
    /// The root of the state after it.
    pub state_root: Hash,
}

impl Native {
    /// The protocol parameters that hold in this epoch.
    pub fn parameters(&self) -> &Parameters {
        self.schedule.at(self.epoch)
    }

    /// The height of the next block; none after the last there can be.
    pub fn next_height(&self) -> Option<Height> {
        match &self.head {
            Some((head, _)) => head.height.next(),
            None => Some(self.initial_height),
        }
    }

    /// What is known of a block that was applied in this epoch, or is the head.
    pub fn roots(&self, height: Height) -> Option<Roots> {
        let head = self.head.as_ref().filter(|(head, _)| head.height == height);
        self.blocks.get(&height).copied().or_else(|| head.map(|(_, roots)| *roots))
    }

    /// What this epoch carries into the next; none while its books are open.
    pub(super) fn carried(&self) -> Option<CarriedNative> {
        let (head, roots) = self.head.as_ref().filter(|_| self.closed)?;
        Some(CarriedNative {
            chain_id: self.chain_id.clone(),
            epoch: self.epoch,
            genesis_hash: self.genesis_hash,
            hash: head.hash,
            height: head.height,
            initial_height: self.initial_height,
            kind: Kind::Native,
            next_validators_hash: head.next_validators_hash,
            parameters: self.schedule.genesis().clone(),
            parameter_changes: self.schedule.since(self.epoch),
            pruned_before: self.pruned_before,
            receipts_root: roots.receipts_root,
            snapshots: self.snapshots.values().copied().collect(),
            state_root: roots.state_root,
            time: head.time,
        })
    }

    pub(super) fn begun(data: &GenesisInitialised) -> Native {
        Native {
            blocks: BTreeMap::new(),
            chain_id: data.chain_id.clone(),
            closed: false,
            epoch: data.initial_height.epoch(data.parameters.epoch_blocks),
            genesis_hash: data.genesis_hash,
            halted: None,
            head: None,
            initial_height: data.initial_height,
            next_validators_hash: data.validators_hash,
            schedule: Schedule::new(data.parameters.clone(), &[]),
            pruned_before: None,
            snapshots: BTreeMap::new(),
        }
    }

    pub(super) fn opened(carried: &CarriedNative, epoch: Epoch) -> Native {
        let head = Head {
            hash: carried.hash,
            height: carried.height,
            next_validators_hash: carried.next_validators_hash,
            time: carried.time,
            time_nanos: 0,
        };
        let roots = Roots {
            hash: carried.hash,
            receipts_root: carried.receipts_root,
            state_root: carried.state_root,
        };
        Native {
            blocks: BTreeMap::new(),
            chain_id: carried.chain_id.clone(),
            closed: false,
            epoch,
            genesis_hash: carried.genesis_hash,
            halted: None,
            head: Some((head, roots)),
            initial_height: carried.initial_height,
            next_validators_hash: carried.next_validators_hash,
            schedule: Schedule::new(carried.parameters.clone(), &carried.parameter_changes),
            pruned_before: carried.pruned_before,
            snapshots: carried.snapshots.iter().map(|taken| (taken.height, *taken)).collect(),
        }
    }

    /// Applies one event of a chain of our own that has begun.
    pub(super) fn evolve(&mut self, event: &Event) {
        match event {
            Event::BlockApplied(data) => self.extended(data),
            Event::ChainHalted(data) => self.halted = Some((**data).clone()),
            Event::StateSnapshotCreated(data) => {
                self.snapshots.insert(data.height, *data);
            }
            Event::StatePruned(data) => self.pruned(data),
            Event::EpochClosed(_) => self.closed = true,
            Event::ParametersScheduled(data) => self.schedule.set((**data).clone()),
            Event::GenesisInitialised(_)
            | Event::ObservationStarted(_)
            | Event::HeaderObserved(_)
            | Event::HeaderRejected(_)
            | Event::ForkDetected(_)
            | Event::ForkResolved(_)
            | Event::EpochOpened(_) => {}
        }
    }

    fn extended(&mut self, data: &BlockApplied) {
        let roots = Roots {
            hash: data.hash,
            receipts_root: data.receipts_root,
            state_root: data.state_root,
        };
        let head = Head {
            hash: data.hash,
            height: data.height,
            next_validators_hash: data.next_validators_hash,
            time: data.time,
            time_nanos: 0,
        };
        self.blocks.insert(data.height, roots);
        self.next_validators_hash = data.next_validators_hash;
        self.head = Some((head, roots));
    }

    fn pruned(&mut self, data: &StatePruned) {
        self.snapshots.retain(|height, _| *height >= data.before);
        self.pruned_before = Some(data.before);
    }
}
