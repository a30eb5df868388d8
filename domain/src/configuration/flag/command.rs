//! What can be asked of a flag.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Event;
use crate::{
    configuration::Subject,
    values::{Bps, Label, Reason},
};

/// A command to a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagCommand))]
pub enum Command {
    /// Creates a flag that is off for everybody.
    CreateFlag {
        /// What it switches.
        description: Label,
    },
    /// Says for whom the flag is on.
    SetRollout {
        /// For which part of all.
        bps: Bps,
        /// And for whom in any case.
        #[serde(default)]
        targets: Vec<Subject>,
    },
    /// Switches the flag off for everybody.
    Kill {
        /// Why.
        reason: Reason,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["create-flag", "set-rollout", "kill"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::CreateFlag { .. } => "create-flag",
            Command::SetRollout { .. } => "set-rollout",
            Command::Kill { .. } => "kill",
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
        Event::FlagCreated(data) => Command::CreateFlag { description: data.description.clone() },
        Event::FlagChanged(data) => {
            Command::SetRollout { bps: data.bps, targets: data.targets.clone() }
        }
        Event::FlagKilled(data) => Command::Kill { reason: data.reason.clone() },
    })
}
