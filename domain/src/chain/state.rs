//! What a chain's history in one epoch adds up to.
//!
//! Does not judge: only events change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    Carried, CarriedObserved, Event, ForkDetected, ForkResolved, HeaderObserved, Kind, Native,
    ObservationStarted,
};
use crate::{
    light::ValidatorSet,
    values::{ChainId, Epoch, Hash, Height, Moment},
};

/// A chain in one epoch as its history tells it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Chain {
    /// Nothing has happened in this epoch.
    #[default]
    Unbegun,
    /// Our own chain.
    Native(Arc<Native>),
    /// A foreign chain.
    Observed(Arc<Observed>),
}

/// A foreign chain in one epoch.
#[derive(Clone, Debug, PartialEq)]
pub struct Observed {
    /// The chain.
    pub chain_id: ChainId,
    /// Whether the epoch's books are closed.
    pub closed: bool,
    /// The epoch; it follows from the heights.
    pub epoch: Epoch,
    /// How many heights go into one stream.
    pub epoch_headers: u32,
    /// The fork that must be resolved.
    pub fork: Option<Fork>,
    /// The hashes of the recorded headers of this epoch.
    pub hashes: BTreeMap<Height, Hash>,
    /// The last recorded header, in an epoch just opened that of an earlier one; none only between
    /// the two events with which an observation begins.
    pub head: Option<Head>,
    /// The set that signs the header after the head, when it is known.
    pub next_validators: Option<ValidatorSet>,
    /// The rejected headers that are recorded, by the hash of their protobuf.
    pub rejected: BTreeSet<Hash>,
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u32,
    /// The set that signed the head.
    pub validators: ValidatorSet,
}

/// The last recorded header, or the last applied block's.
#[derive(Clone, Debug, PartialEq)]
pub struct Head {
    /// Its hash.
    pub hash: Hash,
    /// Its height.
    pub height: Height,
    /// The hash of the set it announces.
    pub next_validators_hash: Hash,
    /// Its time, microseconds.
    pub time: Moment,
    /// What its time has below a microsecond, in nanoseconds.
    pub time_nanos: u16,
}

/// Two different headers for one height.
#[derive(Clone, Debug, PartialEq)]
pub struct Fork {
    /// What was found.
    pub detected: ForkDetected,
}

impl Chain {
    /// The last recorded header or applied block; none in a chain of our own before its first.
    pub fn head(&self) -> Option<&Head> {
        match self {
            Chain::Unbegun => None,
            Chain::Native(native) => native.head.as_ref().map(|(head, _)| head),
            Chain::Observed(observed) => observed.head.as_ref(),
        }
    }

    /// What this epoch carries into the next one that is opened; none while its books are open.
    pub fn carried(&self) -> Option<Carried> {
        let observed = match self {
            Chain::Unbegun => return None,
            Chain::Native(native) => {
                return native.carried().map(|carried| Carried::Native(Box::new(carried)));
            }
            Chain::Observed(observed) => observed,
        };
        let head = observed.head.as_ref().filter(|_| observed.closed)?;
        let same = observed.validators.hash() == head.next_validators_hash;
        Some(Carried::Observed(Box::new(CarriedObserved {
            chain_id: observed.chain_id.clone(),
            epoch: observed.epoch,
            epoch_headers: observed.epoch_headers,
            hash: head.hash,
            height: head.height,
            kind: Kind::Observed,
            next_validator_set: observed.next_validators.clone().filter(|_| !same),
            next_validators_hash: head.next_validators_hash,
            time: head.time,
            time_nanos: head.time_nanos,
            trusting_period_s: observed.trusting_period_s,
            validator_set: observed.validators.clone(),
        })))
    }
}

impl Observed {
    /// The set named `hash`, if it is one of the two that are known.
    pub fn known_set(&self, hash: Hash) -> Option<&ValidatorSet> {
        let next = self.next_validators.as_ref().filter(|set| set.hash() == hash);
        next.or_else(|| Some(&self.validators).filter(|set| set.hash() == hash))
    }
}

/// Applies one event.
pub(super) fn evolve(chain: &mut Chain, event: &Event) {
    match event {
        Event::GenesisInitialised(data) => {
            *chain = Chain::Native(Arc::new(Native::begun(data)));
        }
        Event::ObservationStarted(data) => *chain = Chain::Observed(Arc::new(started(data))),
        Event::EpochOpened(data) => {
            *chain = match &data.carried {
                Carried::Native(carried) => {
                    Chain::Native(Arc::new(Native::opened(carried, data.epoch)))
                }
                Carried::Observed(carried) => {
                    Chain::Observed(Arc::new(opened(carried, data.epoch)))
                }
            };
        }
        Event::HeaderObserved(_)
        | Event::HeaderRejected(_)
        | Event::ForkDetected(_)
        | Event::ForkResolved(_)
        | Event::EpochClosed(_)
        | Event::BlockApplied(_)
        | Event::ChainHalted(_)
        | Event::StateSnapshotCreated(_)
        | Event::StatePruned(_)
        | Event::ParametersScheduled(_) => match chain {
            // These happen to chains that have begun; in no other is there anything to change.
            Chain::Unbegun => {}
            Chain::Native(native) => Arc::make_mut(native).evolve(event),
            Chain::Observed(observed) => evolve_observed(Arc::make_mut(observed), event),
        },
    }
}

fn evolve_observed(observed: &mut Observed, event: &Event) {
    match event {
        Event::HeaderObserved(data) => extended(observed, data),
        Event::HeaderRejected(data) => {
            observed.rejected.insert(data.signed_header_hash);
        }
        Event::ForkDetected(data) => {
            observed.fork = Some(Fork { detected: (**data).clone() });
        }
        Event::ForkResolved(data) => resolved(observed, data),
        Event::EpochClosed(_) => observed.closed = true,
        Event::GenesisInitialised(_)
        | Event::ObservationStarted(_)
        | Event::EpochOpened(_)
        | Event::BlockApplied(_)
        | Event::ChainHalted(_)
        | Event::StateSnapshotCreated(_)
        | Event::StatePruned(_)
        | Event::ParametersScheduled(_) => {}
    }
}

fn started(data: &ObservationStarted) -> Observed {
    Observed {
        chain_id: data.chain_id.clone(),
        closed: false,
        epoch: data.height.epoch(data.epoch_headers),
        epoch_headers: data.epoch_headers,
        fork: None,
        hashes: BTreeMap::new(),
        head: None,
        next_validators: None,
        rejected: BTreeSet::new(),
        trusting_period_s: data.trusting_period_s,
        validators: data.validator_set.clone(),
    }
}

fn opened(carried: &CarriedObserved, epoch: Epoch) -> Observed {
    let same = carried.validator_set.hash() == carried.next_validators_hash;
    let next =
        if same { Some(&carried.validator_set) } else { carried.next_validator_set.as_ref() };
    Observed {
        chain_id: carried.chain_id.clone(),
        closed: false,
        epoch,
        epoch_headers: carried.epoch_headers,
        fork: None,
        hashes: BTreeMap::new(),
        head: Some(Head {
            hash: carried.hash,
            height: carried.height,
            next_validators_hash: carried.next_validators_hash,
            time: carried.time,
            time_nanos: carried.time_nanos,
        }),
        next_validators: next.cloned(),
        rejected: BTreeSet::new(),
        trusting_period_s: carried.trusting_period_s,
        validators: carried.validator_set.clone(),
    }
}

fn extended(observed: &mut Observed, data: &HeaderObserved) {
    let signers = data
        .validator_set
        .clone()
        .or_else(|| observed.known_set(data.validators_hash).cloned())
        .unwrap_or_else(|| observed.validators.clone());
    let next = data.next_validator_set.clone().or_else(|| {
        let same = Some(&signers).filter(|set| set.hash() == data.next_validators_hash);
        same.or_else(|| observed.known_set(data.next_validators_hash)).cloned()
    });
    observed.validators = signers;
    observed.next_validators = next;
    observed.hashes.insert(data.height, data.hash);
    observed.head = Some(Head {
        hash: data.hash,
        height: data.height,
        next_validators_hash: data.next_validators_hash,
        time: data.time,
        time_nanos: data.time_nanos,
    });
}

fn resolved(observed: &mut Observed, data: &ForkResolved) {
    let Some(fork) = observed.fork.take() else { return };
    if data.kept == fork.detected.recorded {
        return;
    }
    // The other header is the chain's: what was recorded from its height on is abandoned.
    let Ok(kept) = fork.detected.conflicting_header.parse() else { return };
    observed.hashes.split_off(&data.height);
    observed.hashes.insert(data.height, data.kept);
    observed.validators = fork.detected.conflicting_set;
    let announced = kept.next_validators_hash();
    observed.next_validators =
        Some(&observed.validators).filter(|set| set.hash() == announced).cloned();
    observed.head = Some(Head {
        hash: kept.hash(),
        height: kept.height(),
        next_validators_hash: announced,
        time: kept.time(),
        time_nanos: kept.time_nanos(),
    });
}
