//! What can be asked of a rule.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, RuleDefinition};
use crate::values::Reason;

/// A command to a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RuleCommand))]
pub enum Command {
    /// Says what a rule is, for the first time or anew.
    DefineRule(RuleDefinition),
    /// Takes the rule in use.
    EnableRule {},
    /// Takes the rule out of use.
    DisableRule {
        /// Why.
        reason: Reason,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["define-rule", "enable-rule", "disable-rule"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::DefineRule(_) => "define-rule",
            Command::EnableRule {} => "enable-rule",
            Command::DisableRule { .. } => "disable-rule",
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
        Event::RuleDefined(data) => Command::DefineRule(data.clone()),
        Event::RuleEnabled(_) => Command::EnableRule {},
        Event::RuleDisabled(data) => Command::DisableRule { reason: data.reason.clone() },
    })
}
