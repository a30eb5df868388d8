//! Why a command to a chain's partitions was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{aggregate, values::PeerId};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PartitionRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("{found} groups are no partition; two at least are one")]
    GroupsTooFew { found: usize },
    #[error("group {index}, counted from 0, is empty")]
    GroupEmpty { index: usize },
    #[error("the peer {peer} is named twice")]
    PeerTwice { peer: PeerId },
    #[error("the peer {peer} is not connected")]
    PeerNotConnected { peer: PeerId },
    #[error("{found} peers are more than {maximum}")]
    PeersTooMany { found: usize, maximum: usize },
    #[error("the network is whole; there were {partitions} partitions")]
    NotPartitioned { partitions: u32 },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::GroupsTooFew { .. } => "groups-too-few",
            Refusal::GroupEmpty { .. } => "group-empty",
            Refusal::PeerTwice { .. } => "peer-twice",
            Refusal::PeerNotConnected { .. } => "peer-not-connected",
            Refusal::PeersTooMany { .. } => "peers-too-many",
            Refusal::NotPartitioned { .. } => "not-partitioned",
        }
    }
}
