//! What can be asked of an objective.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, SloDefinition, Window};

/// A command to an objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloCommand))]
pub enum Command {
    /// Says what an objective is, for the first time or anew.
    DefineSlo(SloDefinition),
    /// Judges what was counted: over 300, 1,800, 3,600, 21,600 and 259,200 seconds, and over the
    /// objective's own days.
    RecordSloState {
        /// The counts, one for each window.
        windows: Vec<Window>,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["define-slo", "record-slo-state"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::DefineSlo(_) => "define-slo",
            Command::RecordSloState { .. } => "record-slo-state",
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

/// See [`crate::aggregate::Aggregate::asked`]. What was counted is not in the facts.
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    match facts.first()? {
        Event::SloDefined(data) => Some(Command::DefineSlo(data.clone())),
        Event::SloStateRecorded(_) => None,
    }
}
