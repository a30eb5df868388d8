//! A chain's network torn apart: which nodes still see one another, and whether any group of them
//! can go on.
//!
//! Does not know how it was found out, nor who is connected: that is handed in.
//!
//! The story. A partition is reported as groups of connected nodes; each group's power tells
//! whether it can agree on anything. While it lasts, its groups may change. Then it heals. One at a
//! time; each has a number.

mod command;
mod event;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};

pub use command::Command;
pub use event::{Event, Group, PartitionDetected, PartitionHealed};
pub use refusal::Refusal;

use crate::{
    aggregate::Aggregate,
    values::{ChainId, PeerId, Power, is_quorum},
};

/// The most peers of one report.
pub const PEERS_MAX: usize = 500;

/// What a decision must know beyond the partitions' own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The chain's connected peers, each with the power of the validator it serves.
    pub connected: BTreeMap<PeerId, Power>,
    /// The power of the whole validator set.
    pub total: Power,
}

/// A chain's partitions as their history tells them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Partitions {
    /// How many there were.
    pub count: u32,
    /// The groups of the one that lasts, in the order of their first peers.
    pub open: Option<Vec<Group>>,
}

impl Partitions {
    fn report(&self, groups: &[Vec<PeerId>], known: &Known) -> Result<Vec<Event>, Refusal> {
        let peers = groups.iter().map(Vec::len).sum();
        if peers > PEERS_MAX {
            return Err(Refusal::PeersTooMany { found: peers, maximum: PEERS_MAX });
        }
        if groups.len() < 2 {
            return Err(Refusal::GroupsTooFew { found: groups.len() });
        }
        let mut seen = BTreeSet::new();
        let mut apart = Vec::with_capacity(groups.len());
        for (index, group) in groups.iter().enumerate() {
            if group.is_empty() {
                return Err(Refusal::GroupEmpty { index });
            }
            let mut power = Power::ZERO;
            for peer in group {
                if !seen.insert(peer) {
                    return Err(Refusal::PeerTwice { peer: peer.clone() });
                }
                let unknown = || Refusal::PeerNotConnected { peer: peer.clone() };
                power = power.and(*known.connected.get(peer).ok_or_else(unknown)?);
            }
            let mut peers = group.clone();
            peers.sort();
            apart.push(Group { peers, power });
        }
        apart.sort_by(|one, other| one.peers.cmp(&other.peers));
        if self.open.as_ref() == Some(&apart) {
            return Ok(Vec::new());
        }
        let can_go_on = |group: &Group| is_quorum(group.power.value(), known.total.value());
        let number = if self.open.is_some() { self.count } else { self.count.saturating_add(1) };
        Ok(vec![Event::PartitionDetected(PartitionDetected {
            quorum: apart.iter().any(can_go_on),
            groups: apart,
            number,
            total_power: known.total,
        })])
    }

    fn heal(&self) -> Result<Vec<Event>, Refusal> {
        if self.open.is_none() {
            return Err(Refusal::NotPartitioned { partitions: self.count });
        }
        Ok(vec![Event::PartitionHealed(PartitionHealed { number: self.count })])
    }
}

impl Aggregate for Partitions {
    const CATEGORY: &'static str = "partition";
    type Id = ChainId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::ReportPartition { groups } => self.report(groups, known),
            Command::HealPartition {} => self.heal(),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::PartitionDetected(data) => {
                (self.count, self.open) = (data.number, Some(data.groups.clone()));
            }
            Event::PartitionHealed(_) => self.open = None,
        }
    }
}
