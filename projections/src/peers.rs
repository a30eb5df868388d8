//! Nodes: where each listens, whose it is, and whether it is connected.
//!
//! Does not know when a node was last heard of: that is telemetry.

use domain::{
    aggregate::Aggregate as _,
    network::peer::{Departure, Event as Happened, Peer as Aggregate},
    values::{Address, ChainId, Moment, PeerAddress, PeerId, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Event, Fact, Networked},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "peers";
/// What a node may be.
pub const STANDINGS: &[&str] = &["known", "connected", "disconnected", "banned"];

/// A node.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PeerRow)]
pub struct Peer {
    /// Its id.
    pub peer: PeerId,
    /// Where it listens; null before it announced itself.
    pub address: Option<PeerAddress>,
    /// For which chain.
    pub chain_id: Option<ChainId>,
    /// Whose node it is; null for an observer's.
    pub validator: Option<Address>,
    /// What it is now.
    pub standing: PeerStanding,
    /// Since when it is connected.
    pub connected_since: Option<Moment>,
    /// When it was disconnected last.
    pub disconnected_at: Option<Moment>,
    /// Why; null when it was banned.
    pub departure: Option<Departure>,
    /// The ban that was not lifted; it may have ended by itself.
    pub ban: Option<PeerBan>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position of its last event.
    pub position: u64,
}

/// Why a node is kept out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct PeerBan {
    /// Since when.
    pub at: Moment,
    /// Why.
    pub reason: Reason,
    /// When it ends by itself; null when it does not.
    pub until: Option<Moment>,
}

/// What a node is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PeerStanding {
    /// It announced itself.
    Known,
    /// It is connected.
    Connected,
    /// It was connected.
    Disconnected,
    /// It must stay out.
    Banned,
}

impl Row for Peer {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = PeerId;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&PeerId, &Happened)> {
        let Fact::Network(Networked::Peer(id, happened)) = fact else { return None };
        Some((id, happened))
    }

    fn after(
        before: Option<Peer>,
        event: &Event,
        id: &PeerId,
        happened: &Happened,
    ) -> Result<Peer, &'static str> {
        let mut row = before.unwrap_or_else(|| Peer {
            peer: id.clone(),
            address: None,
            chain_id: None,
            validator: None,
            standing: PeerStanding::Known,
            connected_since: None,
            disconnected_at: None,
            departure: None,
            ban: None,
            version: 0,
            changed_at: event.at,
            position: 0,
        });
        (row.version, row.changed_at, row.position) = (event.version, event.at, event.position);
        match happened {
            Happened::PeerAnnounced(data) => {
                (row.address, row.validator) = (Some(data.address.clone()), data.validator);
                row.chain_id = Some(data.chain_id.clone());
            }
            Happened::PeerConnected(data) => {
                row.connected_since = Some(data.since);
                // A ban that still held would have kept it out.
                row.ban = None;
            }
            Happened::PeerDisconnected(data) => row.leaves(event.at, Some(data.reason)),
            Happened::PeerBanned(data) => {
                if data.disconnected {
                    row.leaves(event.at, None);
                }
                let (reason, until) = (data.reason.clone(), data.until);
                row.ban = Some(PeerBan { at: event.at, reason, until });
            }
            Happened::PeerUnbanned(_) => row.ban = None,
        }
        row.standing = match (&row.ban, row.connected_since, row.disconnected_at) {
            (Some(_), _, _) => PeerStanding::Banned,
            (None, Some(_), _) => PeerStanding::Connected,
            (None, None, Some(_)) => PeerStanding::Disconnected,
            (None, None, None) => PeerStanding::Known,
        };
        Ok(row)
    }

    fn standing(&self) -> &'static str {
        match self.standing {
            PeerStanding::Known => "known",
            PeerStanding::Connected => "connected",
            PeerStanding::Disconnected => "disconnected",
            PeerStanding::Banned => "banned",
        }
    }

    fn class(&self) -> Option<String> {
        self.chain_id.as_ref().map(ToString::to_string)
    }

    fn since(&self) -> u64 {
        self.position
    }
}

impl Peer {
    fn leaves(&mut self, at: Moment, departure: Option<Departure>) {
        (self.connected_since, self.disconnected_at) = (None, Some(at));
        self.departure = departure;
    }
}
