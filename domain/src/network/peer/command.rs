//! What can be asked of a peer.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Departure, Event};
use crate::values::{Address, ChainId, Moment, PeerAddress, Reason};

/// A command to a peer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PeerCommand))]
pub enum Command {
    /// Says what the node is, for the first time or anew.
    Announce {
        /// Where it listens.
        address: PeerAddress,
        /// For which chain.
        chain_id: ChainId,
        /// Whose node it is; none for an observer's.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        validator: Option<Address>,
    },
    /// Records that the node is connected.
    Connect {},
    /// Records that the node is not connected any more.
    Disconnect {
        /// Why.
        reason: Departure,
    },
    /// Keeps the node out.
    Ban {
        /// Why.
        reason: Reason,
        /// When the ban ends by itself; never when absent.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        until: Option<Moment>,
    },
    /// Lifts the ban.
    Unban {},
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] =
        &["announce", "connect", "disconnect", "ban", "unban"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Announce { .. } => "announce",
            Command::Connect {} => "connect",
            Command::Disconnect { .. } => "disconnect",
            Command::Ban { .. } => "ban",
            Command::Unban {} => "unban",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        serde_json::from_str(include_str!("examples.json"))
            .expect("the examples are part of the program, and a test reads them")
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`]. When a node was last heard of, before it was
/// disconnected for that, is not in the log.
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::PeerAnnounced(data) => Command::Announce {
            address: data.address.clone(),
            chain_id: data.chain_id.clone(),
            validator: data.validator,
        },
        Event::PeerConnected(_) => Command::Connect {},
        Event::PeerDisconnected(data) if data.reason == Departure::Stale => return None,
        Event::PeerDisconnected(data) => Command::Disconnect { reason: data.reason },
        Event::PeerBanned(data) => Command::Ban { reason: data.reason.clone(), until: data.until },
        Event::PeerUnbanned(_) => Command::Unban {},
    })
}
