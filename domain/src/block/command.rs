//! What can be asked of a block.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Contents, Event};
use crate::{commit::Commit, values::Reason};

/// A command to a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = BlockCommand))]
pub enum Command {
    /// Records a block. Its body must be kept under its hash before the event is.
    Propose(Box<Contents>),
    /// Judges the block against the chain's head.
    Validate {},
    /// Makes the block final.
    Finalize {
        /// The commit for it: protobuf `tendermint.types.Commit` in base64.
        commit: Commit,
    },
    /// Gives up a valid block that did not become final.
    Abandon {
        /// Why.
        reason: Reason,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["propose", "validate", "finalize", "abandon"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Propose(_) => "propose",
            Command::Validate {} => "validate",
            Command::Finalize { .. } => "finalize",
            Command::Abandon { .. } => "abandon",
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

/// See [`crate::aggregate::Aggregate::asked`]. The body of what was proposed is not in the fact.
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::BlockProposed(_) => return None,
        Event::BlockValidated(_) | Event::BlockRejected(_) => Command::Validate {},
        Event::BlockFinalized(data) => Command::Finalize { commit: data.commit.clone() },
        Event::BlockAbandoned(data) => Command::Abandon { reason: data.reason.clone() },
    })
}
