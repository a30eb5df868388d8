//! `node0 completions` and `node0 man`: what shells and people read of the command line itself.
//!
//! Does not know any command: it is told by the same description that reads the command line.

use std::io::{Write, stdout};

use clap::{Command, CommandFactory};
use clap_complete::Shell;

use super::{Arguments, Failure, settings, terminal::Terminal};

fn command() -> Command {
    let mut command = settings::with_flags(Arguments::command());
    command.build();
    command
}

/// What makes a shell complete commands.
pub fn completions(shell: Shell) -> Result<(), Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut command(), "node0", &mut script);
    written(&script)
}

/// The manual page of the program, or of one of its commands, in the form of man(7).
pub fn page(names: &[String]) -> Result<(), Failure> {
    let mut command = command();
    for name in names {
        let found = command.find_subcommand(name).cloned();
        command = found.ok_or_else(|| {
            let known: Vec<&str> = command.get_subcommands().map(Command::get_name).collect();
            let known = known.join(", ");
            Failure::usage(format!("there is no command {name:?} there; there are {known}"))
        })?;
    }
    let mut text = Vec::new();
    clap_mangen::Man::new(command).render(&mut text).map_err(Failure::refused)?;
    written(&text)
}

/// Writes what is text already, with the line that ends it.
fn written(text: &[u8]) -> Result<(), Failure> {
    match std::str::from_utf8(text) {
        Ok(text) => Terminal::new(false).line(text.trim_end()),
        Err(_) => stdout().write_all(text).map_err(Failure::unreachable),
    }
}
