//! What can be asked of a setting.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Event;
use crate::{configuration::Document, values::Reason};

/// A command to a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SettingCommand))]
pub enum Command {
    /// Proposes a value.
    Propose {
        /// Why.
        reason: Reason,
        /// The value.
        value: Document,
    },
    /// Approves the open proposal.
    Approve {
        /// Its number.
        proposal: u32,
    },
    /// Rejects the open proposal, or takes it back.
    Reject {
        /// Its number.
        proposal: u32,
        /// Why.
        reason: Reason,
    },
    /// Puts the approved proposal in force.
    Apply {
        /// Its number.
        proposal: u32,
    },
    /// Puts an earlier version's value in force again.
    Rollback {
        /// Why.
        reason: Reason,
        /// Which version; 0 for the default.
        version: u32,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] =
        &["propose", "approve", "reject", "apply", "rollback"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Propose { .. } => "propose",
            Command::Approve { .. } => "approve",
            Command::Reject { .. } => "reject",
            Command::Apply { .. } => "apply",
            Command::Rollback { .. } => "rollback",
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

/// See [`crate::aggregate::Aggregate::asked`].
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::SettingProposed(data) => {
            Command::Propose { reason: data.reason.clone(), value: data.value.clone() }
        }
        Event::SettingApproved(data) => Command::Approve { proposal: data.proposal },
        Event::SettingRejected(data) => {
            Command::Reject { proposal: data.proposal, reason: data.reason.clone() }
        }
        Event::SettingApplied(data) => Command::Apply { proposal: data.proposal },
        Event::SettingRolledBack(data) => {
            Command::Rollback { reason: data.reason.clone(), version: data.restored }
        }
    })
}
