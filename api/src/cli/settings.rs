//! Every setting as a flag, made from the list of settings: none can be forgotten.
//!
//! Does not know what a setting means.

use std::sync::LazyLock;

use clap::{Arg, ArgMatches, Command};

use crate::config::SETTINGS;

/// The flags' names, in the order of the settings.
static NAMES: LazyLock<Vec<String>> =
    LazyLock::new(|| SETTINGS.iter().map(|setting| setting.flag()).collect());

/// Adds a flag for each setting.
pub fn with_flags(command: Command) -> Command {
    command.args(SETTINGS.iter().zip(NAMES.iter()).map(|(setting, name)| {
        let default = setting.default.map(|default| format!(" [default: {}]", default()));
        let help = format!(
            "{}{} [env: {}]",
            setting.what,
            default.unwrap_or_default(),
            setting.alias.map_or_else(|| setting.environment(), str::to_owned),
        );
        Arg::new(setting.key)
            .long(name.as_str())
            .global(true)
            .hide_short_help(true)
            .value_name("VALUE")
            .help(help)
            .help_heading("Settings")
    }))
}

/// The flags that were given. They are global: the innermost verb knows them all.
pub fn flags(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let mut innermost = matches;
    while let Some((_, inner)) = innermost.subcommand() {
        innermost = inner;
    }
    let given = |key: &str| innermost.get_one::<String>(key).cloned();
    SETTINGS.iter().filter_map(|setting| Some((setting.key, given(setting.key)?))).collect()
}
