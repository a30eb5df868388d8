//! One node: announced, connected, gone, banned.
//!
//! Does not know the other nodes. When it was last heard of is handed in.
//!
//! The story. A node announces itself: where it listens, for which chain, and which validator it
//! serves, if any. Then it connects and disconnects. One that was not heard of for `peer_stale_ms`
//! may be disconnected as stale, and not before. A banned node stays out until the ban ends by
//! itself or is lifted.

mod command;
mod event;
mod refusal;

pub use command::Command;
pub use event::{
    Departure, Event, PeerAnnounced, PeerBanned, PeerConnected, PeerDisconnected, PeerUnbanned,
};
pub use refusal::Refusal;

use crate::{
    aggregate::Aggregate,
    values::{Moment, PeerId, Reason},
};

/// The longest a ban may last that ends by itself, in seconds: one year.
pub const BAN_S_MAX: u64 = 366 * 86_400;

/// What a decision must know beyond the peer's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The peer the stream is named by.
    pub id: PeerId,
    /// When it was last heard of; none when never.
    pub last_seen: Option<Moment>,
    /// When it is decided.
    pub now: Moment,
    /// After how many milliseconds of silence a peer is stale.
    pub peer_stale_ms: u64,
    /// Whether the validator that the command names is registered.
    pub validator_registered: bool,
}

/// A peer as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Peer {
    /// What it said of itself; none before it did.
    pub announced: Option<PeerAnnounced>,
    /// The ban that was not lifted; it may have ended by itself.
    pub ban: Option<Ban>,
    /// Since when it is connected; none when it is not.
    pub connected_since: Option<Moment>,
}

/// A ban.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Ban {
    /// When it ends by itself; none when it does not.
    pub until: Option<Moment>,
}

impl Peer {
    /// The ban that holds at a moment.
    pub fn ban_at(&self, now: Moment) -> Option<Ban> {
        self.ban.filter(|ban| ban.until.is_none_or(|until| now < until))
    }

    fn not_banned(&self, now: Moment) -> Result<(), Refusal> {
        match self.ban_at(now) {
            Some(ban) => Err(Refusal::Banned { until: ban.until }),
            None => Ok(()),
        }
    }

    fn announce(&self, said: &PeerAnnounced, known: &Known) -> Result<Vec<Event>, Refusal> {
        self.not_banned(known.now)?;
        if let Some(address) = said.validator
            && !known.validator_registered
        {
            return Err(Refusal::ValidatorUnknown { address });
        }
        if self.announced.as_ref() == Some(said) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::PeerAnnounced(said.clone())])
    }

    fn connect(&self, known: &Known) -> Result<Vec<Event>, Refusal> {
        self.not_banned(known.now)?;
        if self.announced.is_none() {
            return Err(Refusal::NotAnnounced { peer: known.id.clone() });
        }
        if self.connected_since.is_some() {
            return Ok(Vec::new());
        }
        Ok(vec![Event::PeerConnected(PeerConnected { since: known.now })])
    }

    fn disconnect(&self, reason: Departure, known: &Known) -> Result<Vec<Event>, Refusal> {
        if self.announced.is_none() {
            return Err(Refusal::NotAnnounced { peer: known.id.clone() });
        }
        let Some(since) = self.connected_since else { return Ok(Vec::new()) };
        match reason {
            Departure::Stale => {
                let last_seen = known.last_seen.map_or(since, |seen| seen.max(since));
                let stale_at = last_seen.plus_millis(known.peer_stale_ms);
                if known.now < stale_at {
                    return Err(Refusal::NotStale { last_seen, stale_at });
                }
            }
            Departure::Closed | Departure::Misbehaved => {}
        }
        Ok(vec![Event::PeerDisconnected(PeerDisconnected { reason })])
    }

    fn ban(
        &self,
        reason: &Reason,
        until: Option<Moment>,
        known: &Known,
    ) -> Result<Vec<Event>, Refusal> {
        let (now, latest) = (known.now, known.now.plus_seconds(BAN_S_MAX));
        if let Some(until) = until
            && (until <= now || until > latest)
        {
            return Err(Refusal::BanOutside { latest, now, until });
        }
        if self.ban_at(now) == Some(Ban { until }) {
            return Ok(Vec::new());
        }
        let (disconnected, reason) = (self.connected_since.is_some(), reason.clone());
        Ok(vec![Event::PeerBanned(PeerBanned { disconnected, reason, until })])
    }

    fn unban(&self, known: &Known) -> Result<Vec<Event>, Refusal> {
        if self.ban_at(known.now).is_none() {
            return Err(Refusal::NotBanned { peer: known.id.clone() });
        }
        Ok(vec![Event::PeerUnbanned(PeerUnbanned {})])
    }
}

impl Aggregate for Peer {
    const CATEGORY: &'static str = "peer";
    type Id = PeerId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Announce { address, chain_id, validator } => {
                let said = PeerAnnounced {
                    address: address.clone(),
                    chain_id: chain_id.clone(),
                    validator: *validator,
                };
                self.announce(&said, known)
            }
            Command::Connect {} => self.connect(known),
            Command::Disconnect { reason } => self.disconnect(*reason, known),
            Command::Ban { reason, until } => self.ban(reason, *until, known),
            Command::Unban {} => self.unban(known),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::PeerAnnounced(data) => self.announced = Some(data.clone()),
            Event::PeerConnected(data) => self.connected_since = Some(data.since),
            Event::PeerDisconnected(_) => self.connected_since = None,
            Event::PeerBanned(data) => {
                self.connected_since = None;
                self.ban = Some(Ban { until: data.until });
            }
            Event::PeerUnbanned(_) => self.ban = None,
        }
    }
}
