//! Partitions: whether a chain's network is torn apart, and whether any part of it can go on.
//!
//! Does not know how that was found out.

use domain::{
    aggregate::Aggregate as _,
    network::partition::{Event as Happened, Group, Partitions as Aggregate},
    values::{ChainId, Moment, Power},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Event, Fact, Networked},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "partitions";
/// Whether a network is torn apart.
pub const STANDINGS: &[&str] = &["partitioned", "whole"];

/// The last partition of a chain's network.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PartitionRow)]
pub struct Partitions {
    /// The chain.
    pub chain_id: ChainId,
    /// Its number, from 1.
    pub number: u32,
    /// The groups of nodes that see one another, the last ones that were reported.
    pub groups: Vec<Group>,
    /// Whether one of the groups can go on.
    pub quorum: bool,
    /// The power of the whole validator set.
    pub total_power: Power,
    /// When it was found out.
    pub detected_at: Moment,
    /// When it was over; null while it lasts.
    pub healed_at: Option<Moment>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position of its last event.
    pub position: u64,
}

impl Row for Partitions {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = ChainId;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&ChainId, &Happened)> {
        let Fact::Network(Networked::Partition(id, happened)) = fact else { return None };
        Some((id, happened))
    }

    fn after(
        before: Option<Partitions>,
        event: &Event,
        chain_id: &ChainId,
        happened: &Happened,
    ) -> Result<Partitions, &'static str> {
        let (version, changed_at, position) = (event.version, event.at, event.position);
        match happened {
            Happened::PartitionDetected(data) => {
                let same = before.filter(|row| row.number == data.number);
                Ok(Partitions {
                    chain_id: chain_id.clone(),
                    number: data.number,
                    groups: data.groups.clone(),
                    quorum: data.quorum,
                    total_power: data.total_power,
                    detected_at: same.map_or(event.at, |row| row.detected_at),
                    healed_at: None,
                    version,
                    changed_at,
                    position,
                })
            }
            Happened::PartitionHealed(_) => {
                let row = before.ok_or("there was no partition")?;
                let healed_at = Some(event.at);
                Ok(Partitions { healed_at, version, changed_at, position, ..row })
            }
        }
    }

    fn standing(&self) -> &'static str {
        if self.healed_at.is_some() { "whole" } else { "partitioned" }
    }

    fn since(&self) -> u64 {
        self.position
    }
}
