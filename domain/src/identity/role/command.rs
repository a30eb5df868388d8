//! What can be asked of a role.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::Event;
use crate::values::{Label, PermissionName};

/// A command to a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RoleCommand))]
pub enum Command {
    /// Says what a role gives, for the first time or anew.
    Define {
        /// What it is for.
        description: Label,
        /// What its holders may do.
        permissions: Vec<PermissionName>,
    },
    /// Takes a role away that nobody holds.
    Retire {},
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["define", "retire"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Define { .. } => "define",
            Command::Retire {} => "retire",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        vec![
            json!({
                "command": "define", "description": "jails and frees validators",
                "permissions": ["validator:jail", "validator:read"],
            }),
            json!({"command": "retire"}),
        ]
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`].
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::RoleDefined(data) => Command::Define {
            description: data.description.clone(),
            permissions: data.permissions.clone(),
        },
        Event::RoleRetired(_) => Command::Retire {},
    })
}
