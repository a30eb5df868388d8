//! What can have happened to a chain's partitions.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    values::{PeerId, Power},
};

/// A fact about a chain's partitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PartitionEvent))]
pub enum Event {
    /// The network is torn apart, or its groups changed.
    #[serde(rename = "partition-detected.v1")]
    PartitionDetected(PartitionDetected),
    /// The network is whole again.
    #[serde(rename = "partition-healed.v1")]
    PartitionHealed(PartitionHealed),
}

/// Nodes that see one another, and nobody else.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PartitionGroup))]
pub struct Group {
    /// The nodes, in the order of their ids.
    pub peers: Vec<PeerId>,
    /// The power of the validators they serve.
    pub power: Power,
}

/// The network is torn apart, or its groups changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PartitionDetected {
    /// The groups, in the order of their first nodes.
    pub groups: Vec<Group>,
    /// The number of the partition, from 1.
    pub number: u32,
    /// Whether one of the groups can go on.
    pub quorum: bool,
    /// The power of the whole validator set.
    pub total_power: Power,
}

/// The network is whole again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PartitionHealed {
    /// The number of the partition.
    pub number: u32,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &["partition-detected.v1", "partition-healed.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::PartitionDetected(_) => "partition-detected.v1",
            Event::PartitionHealed(_) => "partition-healed.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::PartitionDetected(data) => data.serialize(serializer),
            Event::PartitionHealed(data) => data.serialize(serializer),
        }
    }
}
