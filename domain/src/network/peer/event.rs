//! What can have happened to a peer.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    values::{Address, ChainId, Moment, PeerAddress, Reason},
};

/// A fact about a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PeerEvent))]
pub enum Event {
    /// It said what it is.
    #[serde(rename = "peer-announced.v1")]
    PeerAnnounced(PeerAnnounced),
    /// It is connected.
    #[serde(rename = "peer-connected.v1")]
    PeerConnected(PeerConnected),
    /// It is not connected any more.
    #[serde(rename = "peer-disconnected.v1")]
    PeerDisconnected(PeerDisconnected),
    /// It must stay out.
    #[serde(rename = "peer-banned.v1")]
    PeerBanned(PeerBanned),
    /// The ban is lifted.
    #[serde(rename = "peer-unbanned.v1")]
    PeerUnbanned(PeerUnbanned),
}

/// Why a node is not connected any more.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Departure {
    /// It left.
    Closed,
    /// It broke the protocol.
    Misbehaved,
    /// Nothing was heard of it for too long.
    Stale,
}

/// It said what it is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerAnnounced {
    /// Where it listens.
    pub address: PeerAddress,
    /// For which chain.
    pub chain_id: ChainId,
    /// Whose node it is; none for an observer's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub validator: Option<Address>,
}

/// It is connected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerConnected {
    /// Since when.
    pub since: Moment,
}

/// It is not connected any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerDisconnected {
    /// Why.
    pub reason: Departure,
}

/// It must stay out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerBanned {
    /// Whether it was connected, and is not any more.
    pub disconnected: bool,
    /// Why.
    pub reason: Reason,
    /// When the ban ends by itself; none when it does not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// The ban is lifted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PeerUnbanned {}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "peer-announced.v1",
        "peer-connected.v1",
        "peer-disconnected.v1",
        "peer-banned.v1",
        "peer-unbanned.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::PeerAnnounced(_) => "peer-announced.v1",
            Event::PeerConnected(_) => "peer-connected.v1",
            Event::PeerDisconnected(_) => "peer-disconnected.v1",
            Event::PeerBanned(_) => "peer-banned.v1",
            Event::PeerUnbanned(_) => "peer-unbanned.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::PeerAnnounced(data) => data.serialize(serializer),
            Event::PeerConnected(data) => data.serialize(serializer),
            Event::PeerDisconnected(data) => data.serialize(serializer),
            Event::PeerBanned(data) => data.serialize(serializer),
            Event::PeerUnbanned(data) => data.serialize(serializer),
        }
    }
}
