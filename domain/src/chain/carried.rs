//! What a closed epoch carries into the next one that is opened.
//!
//! Does not know what is done with it there.

use serde::{Deserialize, Serialize};

use super::{Kind, Snapshot};
use crate::{
    light::ValidatorSet,
    parameters::{Change, Parameters},
    values::{ChainId, Epoch, Hash, Height, Moment},
};

/// What a closed epoch carries into the next one that is opened. The two are told apart by their
/// members.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Carried {
    /// Of our own chain.
    Native(Box<CarriedNative>),
    /// Of a foreign chain.
    Observed(Box<CarriedObserved>),
}

/// What a closed epoch of our own chain carries over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CarriedNative {
    /// The chain.
    pub chain_id: ChainId,
    /// The epoch that was closed.
    pub epoch: Epoch,
    /// The hash of the genesis document.
    pub genesis_hash: Hash,
    /// The head's hash.
    pub hash: Hash,
    /// The head's height.
    pub height: Height,
    /// The chain's first height.
    pub initial_height: Height,
    /// That it is our own.
    pub kind: Kind,
    /// The hash of the set that signs the block after the head.
    pub next_validators_hash: Hash,
    /// The protocol parameters it began with.
    pub parameters: Parameters,
    /// What has changed of them since, in the order of epochs.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub parameter_changes: Vec<Change>,
    /// States of lower heights are not kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pruned_before: Option<Height>,
    /// The root of the head's receipts.
    pub receipts_root: Hash,
    /// The snapshots that are kept, the oldest first.
    pub snapshots: Vec<Snapshot>,
    /// The root of the state after the head.
    pub state_root: Hash,
    /// The head's time.
    pub time: Moment,
}

/// What a closed epoch of a foreign chain carries over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CarriedObserved {
    /// The chain.
    pub chain_id: ChainId,
    /// The epoch that was closed.
    pub epoch: Epoch,
    /// How many heights go into one stream.
    pub epoch_headers: u32,
    /// The head's hash.
    pub hash: Hash,
    /// The head's height.
    pub height: Height,
    /// That it is observed.
    pub kind: Kind,
    /// The set that signs the header after the head, when it is known and not the one that signed
    /// it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next_validator_set: Option<ValidatorSet>,
    /// That set's hash.
    pub next_validators_hash: Hash,
    /// The head's time, microseconds.
    pub time: Moment,
    /// What its time has below a microsecond, in nanoseconds.
    pub time_nanos: u16,
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u32,
    /// The set that signed the head.
    pub validator_set: ValidatorSet,
}

impl Carried {
    /// The chain.
    pub fn chain_id(&self) -> &ChainId {
        match self {
            Carried::Native(carried) => &carried.chain_id,
            Carried::Observed(carried) => &carried.chain_id,
        }
    }

    /// The epoch that was closed.
    pub fn epoch(&self) -> Epoch {
        match self {
            Carried::Native(carried) => carried.epoch,
            Carried::Observed(carried) => carried.epoch,
        }
    }

    /// The head's hash.
    pub fn hash(&self) -> Hash {
        match self {
            Carried::Native(carried) => carried.hash,
            Carried::Observed(carried) => carried.hash,
        }
    }

    /// The head's height.
    pub fn height(&self) -> Height {
        match self {
            Carried::Native(carried) => carried.height,
            Carried::Observed(carried) => carried.height,
        }
    }

    /// The hash of the set that signs what comes after the head.
    pub fn next_validators_hash(&self) -> Hash {
        match self {
            Carried::Native(carried) => carried.next_validators_hash,
            Carried::Observed(carried) => carried.next_validators_hash,
        }
    }

    /// The head's time.
    pub fn time(&self) -> Moment {
        match self {
            Carried::Native(carried) => carried.time,
            Carried::Observed(carried) => carried.time,
        }
    }

    /// Whether `epoch` can be opened with it: the very next one of a chain of our own, any later
    /// one of an observed chain, whose headers may be skipped.
    pub(super) fn opens(&self, epoch: Epoch) -> bool {
        match self {
            Carried::Native(carried) => {
                let next = carried.height.next();
                next.is_some_and(|next| next.epoch(carried.parameters.epoch_blocks) == epoch)
            }
            Carried::Observed(carried) => carried.epoch < epoch,
        }
    }
}
