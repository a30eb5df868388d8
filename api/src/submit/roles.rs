//! Roles that are defined here: `/api/v1/roles`.
//!
//! Does not know those that are built in.

use std::sync::LazyLock;

use commands::policy;
use domain::identity::role::{Command, RoleDefinition};

use super::{Collection, CommandSpec};

static COMMANDS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| super::specs(Command::NAMES, &Command::examples(), None, policy::role));

impl Collection for RoleDefinition {
    const COLLECTION: &'static str = "roles";
    const ID_PARAMETER: &'static str = "role";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
