//! Settings and feature flags: `/api/v1/settings`, `/api/v1/flags`.
//!
//! Does not know what a setting sets, nor what a flag switches.

use std::sync::LazyLock;

use commands::policy;
use domain::configuration::{
    flag::{self, Flag},
    setting::{self, Setting},
};

use super::{Collection, CommandSpec, specs};

static OF_FLAGS: LazyLock<Vec<CommandSpec>> =
    LazyLock::new(|| specs(flag::Command::NAMES, &flag::Command::examples(), None, policy::flag));

static OF_SETTINGS: LazyLock<Vec<CommandSpec>> = LazyLock::new(|| {
    specs(setting::Command::NAMES, &setting::Command::examples(), None, policy::setting)
});

impl Collection for Flag {
    const COLLECTION: &'static str = "flags";
    const ID_PARAMETER: &'static str = "key";

    fn commands() -> &'static [CommandSpec] {
        &OF_FLAGS
    }
}

impl Collection for Setting {
    const COLLECTION: &'static str = "settings";
    const ID_PARAMETER: &'static str = "key";

    fn commands() -> &'static [CommandSpec] {
        &OF_SETTINGS
    }
}
