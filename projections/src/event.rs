//! Events as projections see them: decoded once, typed, with what the record says about each.
//!
//! Does not know who follows them.

use std::sync::Arc;

use domain::{
    aggregate::{self, Aggregate, Event as _},
    block::{self, Block},
    chain::{self, Chain, ChainStream},
    configuration::{
        Key,
        flag::{self, Flag},
        setting::{self, Setting},
    },
    consensus::{self, ConsensusHeight, HeightStream},
    monitoring::{
        AlertId, RuleId, SloId,
        alert::{self, Alert},
        rule::{self, AlertRule},
        slo::{self, Slo},
    },
    network::{
        partition::{self, Partitions},
        peer::{self, Peer},
    },
    transaction::{self, Account},
    validator::{self, Validator},
    validator_set::{self, ValidatorSet},
    values::{Address, ChainId, Hash, Moment, PeerId},
};
use event_store::{StoredEvent, StreamName};
use uuid::Uuid;

use crate::{attachment::Attachment, projection::ApplyError};

/// What happened, typed by the context it happened in, with the identity its stream is named by.
#[derive(Clone, Debug, PartialEq)]
pub enum Fact {
    /// To a validator.
    Validator(Address, validator::Event),
    /// To a chain's validator set.
    ValidatorSet(ChainId, validator_set::Event),
    /// To a chain.
    Chain(ChainStream, chain::Event),
    /// To an account.
    Account(Address, transaction::Event),
    /// To a block.
    Block(Hash, block::Event),
    /// At a height.
    Height(HeightStream, consensus::Event),
    /// To what is in force.
    Configuration(Configured),
    /// To what tells whether it is well.
    Monitoring(Monitored),
    /// To who is connected.
    Network(Networked),
}

/// What happened in the configuration.
#[derive(Clone, Debug, PartialEq)]
pub enum Configured {
    /// To a feature flag.
    Flag(Key, flag::Event),
    /// To a setting.
    Setting(Key, setting::Event),
}

/// What happened in the monitoring.
#[derive(Clone, Debug, PartialEq)]
pub enum Monitored {
    /// To an alert.
    Alert(AlertId, alert::Event),
    /// To a rule.
    Rule(RuleId, rule::Event),
    /// To an objective.
    Slo(SloId, slo::Event),
}

/// What happened in the network.
#[derive(Clone, Debug, PartialEq)]
pub enum Networked {
    /// To a chain's partitions.
    Partition(ChainId, partition::Event),
    /// To a node.
    Peer(PeerId, peer::Event),
}

impl Fact {
    /// Its stored name.
    pub fn name(&self) -> &'static str {
        match self {
            Fact::Validator(_, event) => event.name(),
            Fact::ValidatorSet(_, event) => event.name(),
            Fact::Chain(_, event) => event.name(),
            Fact::Account(_, event) => event.name(),
            Fact::Block(_, event) => event.name(),
            Fact::Height(_, event) => event.name(),
            Fact::Configuration(Configured::Flag(_, event)) => event.name(),
            Fact::Configuration(Configured::Setting(_, event)) => event.name(),
            Fact::Monitoring(Monitored::Alert(_, event)) => event.name(),
            Fact::Monitoring(Monitored::Rule(_, event)) => event.name(),
            Fact::Monitoring(Monitored::Slo(_, event)) => event.name(),
            Fact::Network(Networked::Partition(_, event)) => event.name(),
            Fact::Network(Networked::Peer(_, event)) => event.name(),
        }
    }

    fn read(stream: &StreamName, name: &str, data: &str) -> Result<Fact, String> {
        let id = stream.id();
        match stream.category() {
            Validator::CATEGORY => Ok(Fact::Validator(read_id(id)?, read_event(name, data)?)),
            ValidatorSet::CATEGORY => Ok(Fact::ValidatorSet(read_id(id)?, read_event(name, data)?)),
            Chain::CATEGORY => Ok(Fact::Chain(read_id(id)?, read_event(name, data)?)),
            Account::CATEGORY => Ok(Fact::Account(read_id(id)?, read_event(name, data)?)),
            Block::CATEGORY => Ok(Fact::Block(read_id(id)?, read_event(name, data)?)),
            ConsensusHeight::CATEGORY => Ok(Fact::Height(read_id(id)?, read_event(name, data)?)),
            category => Fact::read_other(category, id, name, data),
        }
    }

    fn read_other(category: &str, id: &str, name: &str, data: &str) -> Result<Fact, String> {
        use {Configured as Of, Monitored as Seen, Networked as Net};
        match category {
            Flag::CATEGORY => {
                Ok(Fact::Configuration(Of::Flag(read_id(id)?, read_event(name, data)?)))
            }
            Setting::CATEGORY => {
                Ok(Fact::Configuration(Of::Setting(read_id(id)?, read_event(name, data)?)))
            }
            Alert::CATEGORY => {
                Ok(Fact::Monitoring(Seen::Alert(read_id(id)?, read_event(name, data)?)))
            }
            AlertRule::CATEGORY => {
                Ok(Fact::Monitoring(Seen::Rule(read_id(id)?, read_event(name, data)?)))
            }
            Slo::CATEGORY => Ok(Fact::Monitoring(Seen::Slo(read_id(id)?, read_event(name, data)?))),
            Partitions::CATEGORY => {
                Ok(Fact::Network(Net::Partition(read_id(id)?, read_event(name, data)?)))
            }
            Peer::CATEGORY => Ok(Fact::Network(Net::Peer(read_id(id)?, read_event(name, data)?))),
            other => Err(format!("no context of this program has the category {other:?}")),
        }
    }
}

fn read_id<T: std::str::FromStr<Err: std::fmt::Display>>(id: &str) -> Result<T, String> {
    id.parse().map_err(|error| format!("the stream's id is none: {error}"))
}

fn read_event<E: aggregate::Event>(name: &str, data: &str) -> Result<E, String> {
    aggregate::read(name, data).map_err(|error| format!("{name} cannot be read: {error}"))
}

/// An event of the log, decoded.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its position in the log.
    pub position: u64,
    /// Its stream.
    pub stream: StreamName,
    /// Its version in the stream.
    pub version: u64,
    /// Who asked for it.
    pub actor: Arc<str>,
    /// The id of the event that it came of.
    pub causation: Option<Uuid>,
    /// The story it belongs to.
    pub correlation: Uuid,
    /// When it was decided.
    pub at: Moment,
    /// What happened, or why that cannot be read.
    pub fact: Result<Fact, String>,
    /// What the event names by its hash, or why that cannot be read; none when it names nothing.
    pub attachment: Option<Result<Arc<Attachment>, String>>,
}

impl Event {
    /// Decodes a stored event. What cannot be read is an event all the same: whoever follows it has
    /// to say so.
    pub fn decode(stored: &StoredEvent) -> Event {
        let StoredEvent { position, stream, version, .. } = stored;
        let event = |actor: &str, causation, correlation, at, fact| Event {
            position: *position,
            stream: stream.clone(),
            version: *version,
            actor: actor.into(),
            causation,
            correlation,
            at,
            fact,
            attachment: None,
        };
        match stored.parse() {
            Ok(record) => {
                let fact = Fact::read(stream, record.event_type, record.data.get());
                let at = Moment::from(record.at);
                event(&record.actor, record.causation, record.correlation, at, fact)
            }
            Err(error) => event("", None, Uuid::nil(), Moment::EPOCH, Err(error.to_string())),
        }
    }

    /// What it names by its hash; refused when that cannot be read.
    pub(crate) fn attached(&self) -> Result<&Attachment, ApplyError> {
        match &self.attachment {
            Some(Ok(attachment)) => Ok(attachment),
            Some(Err(why)) => Err(ApplyError::refused(self, why)),
            None => Err(ApplyError::refused(self, "it names nothing")),
        }
    }

    /// What must stay in order and therefore waits together when one event cannot be applied: the
    /// stream, and for a chain all of its streams.
    pub fn key(&self) -> &str {
        let stream = self.stream.as_str();
        if self.stream.category() == Chain::CATEGORY {
            return stream.rsplit_once('-').map_or(stream, |(key, _epoch)| key);
        }
        stream
    }
}

/// A stretch of the log, decoded: every event of it, and how far it was scanned.
#[derive(Debug)]
pub struct Segment {
    /// The log it belongs to.
    pub incarnation: Uuid,
    /// The events, in order.
    pub events: Vec<Event>,
    /// The last position it covers.
    pub scanned_to: u64,
    /// Whether it ended before the log did.
    pub more_follows: bool,
}

/// What a projection is to apply at once: events it follows, in order, all of them readable.
#[derive(Debug)]
pub struct Chunk<'a> {
    events: &'a [&'a Event],
}

impl<'a> Chunk<'a> {
    /// Of these events.
    pub fn new(events: &'a [&'a Event]) -> Chunk<'a> {
        Chunk { events }
    }

    /// How many events there are.
    pub fn len(&self) -> usize {
        self.events.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.events.is_empty()
    }

    /// Every event with its fact.
    pub fn facts(&self) -> impl Iterator<Item = (&'a Event, &'a Fact)> {
        self.events.iter().filter_map(|event| Some((*event, event.fact.as_ref().ok()?)))
    }

    /// What happened to validators.
    pub fn validators(&self) -> impl Iterator<Item = (&'a Event, Address, &'a validator::Event)> {
        self.facts().filter_map(|(event, fact)| match fact {
            Fact::Validator(address, happened) => Some((event, *address, happened)),
            Fact::ValidatorSet(..)
            | Fact::Chain(..)
            | Fact::Account(..)
            | Fact::Block(..)
            | Fact::Height(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => None,
        })
    }

    /// What happened to validator sets.
    pub fn validator_sets(
        &self,
    ) -> impl Iterator<Item = (&'a Event, &'a ChainId, &'a validator_set::Event)> {
        self.facts().filter_map(|(event, fact)| match fact {
            Fact::ValidatorSet(chain, happened) => Some((event, chain, happened)),
            Fact::Validator(..)
            | Fact::Chain(..)
            | Fact::Account(..)
            | Fact::Block(..)
            | Fact::Height(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => None,
        })
    }

    /// What happened to chains.
    pub fn chains(&self) -> impl Iterator<Item = (&'a Event, &'a ChainStream, &'a chain::Event)> {
        self.facts().filter_map(|(event, fact)| match fact {
            Fact::Chain(stream, happened) => Some((event, stream, happened)),
            Fact::Validator(..)
            | Fact::ValidatorSet(..)
            | Fact::Account(..)
            | Fact::Block(..)
            | Fact::Height(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => None,
        })
    }

    /// What happened to feature flags.
    pub fn flags(&self) -> impl Iterator<Item = (&'a Event, &'a Key, &'a flag::Event)> {
        self.facts().filter_map(|(event, fact)| match fact {
            Fact::Configuration(Configured::Flag(key, happened)) => Some((event, key, happened)),
            Fact::Configuration(Configured::Setting(..))
            | Fact::Monitoring(_)
            | Fact::Network(_)
            | Fact::Validator(..)
            | Fact::ValidatorSet(..)
            | Fact::Chain(..)
            | Fact::Account(..)
            | Fact::Block(..)
            | Fact::Height(..) => None,
        })
    }
}
