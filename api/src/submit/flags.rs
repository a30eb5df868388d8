//! Feature flags: `/api/v1/flags`.
//!
//! Does not know what a flag switches.

use std::sync::LazyLock;

use commands::policy;
use domain::configuration::flag::{Command, Flag};

use super::{Collection, CommandSpec};

static COMMANDS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| super::specs(Command::NAMES, &Command::examples(), None, policy::flag));

impl Collection for Flag {
    const COLLECTION: &'static str = "flags";
    const ID_PARAMETER: &'static str = "key";

    fn commands() -> &'static [CommandSpec] {
        &COMMANDS
    }
}
