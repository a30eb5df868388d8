//! The command line: what can be asked of the program, and with which exit code it answers.
//!
//! Does not know how anything is done: each verb calls the room that does it.

mod admin;
mod archive;
mod backup;
mod configuration;
mod contract;
mod events;
mod export;
mod genesis;
pub(crate) mod import;
mod manual;
mod projections;
mod receipt;
mod replay;
mod seal;
mod settings;
pub mod terminal;
pub(crate) mod validator;
mod verify;
mod witness;

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use commands::CommandError;

use crate::{
    config::{Config, Sources},
    database::{Database, DatabaseError, Use},
    demo, serve, telemetry, tls,
};
use terminal::Terminal;

/// The name of who acts on the command line, as it stands in events.
pub const ACTOR: &str = "operator";

/// The variable that holds a token, where none is in a file.
const TOKEN_VARIABLE: &str = "NODE0_TOKEN";

/// The token in a file; else the one that the environment holds, if any.
fn token(file: Option<&Path>) -> Result<Option<String>, Failure> {
    let Some(path) = file else { return Ok(std::env::var(TOKEN_VARIABLE).ok()) };
    let text = std::fs::read_to_string(path).map_err(|fault| {
        Failure::usage(format!("The token file {} cannot be read: {fault}", path.display()))
    })?;
    Ok(Some(text.trim().to_owned()))
}

/// The system of record of a validator network: an event log with commands and queries over it.
#[derive(Debug, Parser)]
#[command(name = "node0", version, propagate_version = true, max_term_width = 100)]
struct Arguments {
    /// Read settings from this file instead of ./node0.toml
    #[arg(long, global = true, value_name = "FILE", help_heading = "Settings")]
    config: Option<PathBuf>,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Serve the HTTP API and keep the read models up to date, until SIGTERM or Ctrl-C
    Serve(serve::Arguments),
    /// Show everything at work: serve, start a chain, import signed headers
    Demo(demo::Arguments),
    /// Bring the database's tables up to date
    Migrate {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Check a CometBFT genesis document, or start a chain from it
    #[command(subcommand)]
    Genesis(genesis::Verb),
    /// Take in what others have signed
    #[command(subcommand)]
    Import(import::Verb),
    /// A validator: its key, its registration, and itself at work
    #[command(subcommand)]
    Validator(validator::Verb),
    /// Look at the event log
    #[command(subcommand)]
    Events(events::Verb),
    /// Decide history once more by the rules of this program, and list what would be otherwise
    Replay(replay::Arguments),
    /// Verify a published log, offline or from its address, or an export of it, by signatures alone
    Verify(verify::Arguments),
    /// Export events of a published log as CloudEvents, CSV or Parquet, with what proves them
    Export(export::Arguments),
    /// Verify a receipt (.tlog-proof): that exactly this record is in a log
    Receipt(receipt::Arguments),
    /// The keys that sign the published log
    #[command(subcommand)]
    Seal(seal::Verb),
    /// Copy the log with its contents into a place, and the keys into a file of their own
    Backup(backup::Backup),
    /// Put a log back, out of a backup or of what was published, and keys out of their file
    Restore(backup::Restore),
    /// Move old events out of the database, to where the log is published
    Archive(archive::Arguments),
    /// Witness other people's logs: cosign the checkpoints of those that have only grown
    Witness(witness::Arguments),
    /// Look at the read models, or build them anew
    #[command(subcommand)]
    Projections(projections::Verb),
    /// Who is who, what is in force, and what is not well
    #[command(subcommand)]
    Admin(admin::Verb),
    /// The settings in force
    #[command(subcommand)]
    Config(configuration::Verb),
    /// Print the OpenAPI document of the REST API
    Openapi,
    /// Print the GraphQL schema
    Schema,
    /// Print the API as a collection for Postman, Bruno or Insomnia
    Collection,
    /// Print what makes a shell complete commands: source it, or put it where the shell looks
    Completions {
        /// Which shell
        shell: clap_complete::Shell,
    },
    /// Print the manual page of the program, or of one of its commands
    Man {
        /// Which command, e.g. `events tail`
        command: Vec<String>,
    },
}

/// How the program ends when it does not end well.
#[derive(Debug)]
pub struct Failure {
    exit: Exit,
    message: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Exit {
    /// Standard output was closed by whoever read it: nothing to complain about.
    Unheard,
    Refused,
    Usage,
    Unreachable,
}

impl Failure {
    /// Refused, or found wrong: exit code 1.
    pub fn refused(message: impl ToString) -> Failure {
        Failure { exit: Exit::Refused, message: message.to_string() }
    }

    /// Called in a wrong way: exit code 2.
    pub fn usage(message: impl ToString) -> Failure {
        Failure { exit: Exit::Usage, message: message.to_string() }
    }

    /// Something that is needed cannot be reached: exit code 3.
    pub fn unreachable(message: impl ToString) -> Failure {
        Failure { exit: Exit::Unreachable, message: message.to_string() }
    }

    /// A command that failed: only what cannot be reached is exit code 3.
    fn of_command<R: std::fmt::Display>(error: CommandError<R>) -> Failure {
        match error {
            CommandError::Unavailable(_) | CommandError::Unknown { .. } => {
                Failure::unreachable(error)
            }
            CommandError::Refused(_)
            | CommandError::Stale { .. }
            | CommandError::Conflict { .. }
            | CommandError::KeyReused
            | CommandError::Forbidden { .. }
            | CommandError::NotOwn { .. }
            | CommandError::Invalid(_) => Failure::refused(error),
        }
    }

    pub(crate) fn unheard() -> Failure {
        Failure { exit: Exit::Unheard, message: String::new() }
    }

    fn code(&self) -> u8 {
        match self.exit {
            Exit::Unheard => 0,
            Exit::Refused => 1,
            Exit::Usage => 2,
            Exit::Unreachable => 3,
        }
    }
}

impl From<DatabaseError> for Failure {
    fn from(error: DatabaseError) -> Failure {
        Failure::unreachable(error)
    }
}

impl From<event_store::StoreError> for Failure {
    fn from(error: event_store::StoreError) -> Failure {
        Failure::unreachable(error)
    }
}

/// Reads the command line, does what it says, and returns the exit code.
pub fn main() -> ExitCode {
    let matches = settings::with_flags(Arguments::command()).get_matches();
    let flags = settings::flags(&matches);
    let arguments = Arguments::from_arg_matches(&matches).unwrap_or_else(|error| error.exit());
    match run(arguments, flags) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            if !failure.message.is_empty() {
                terminal::complain(&failure.message);
            }
            ExitCode::from(failure.code())
        }
    }
}

fn run(arguments: Arguments, flags: Vec<(&'static str, String)>) -> Result<(), Failure> {
    tls::choose_library();
    let sources = Sources::of_process(arguments.config, flags);
    let config = Config::read(&sources).map_err(|faults| {
        let faults: Vec<String> = faults.iter().map(|fault| format!("  {fault}")).collect();
        Failure::usage(format!("The configuration is wrong:\n{}", faults.join("\n")))
    })?;
    let serves = matches!(arguments.verb, Verb::Serve(_) | Verb::Witness(_));
    let filter = config.log_filter(serves);
    telemetry::start_logging(config.log_format, filter, terminal::colours_on_stderr())
        .map_err(Failure::usage)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.map_err(Failure::unreachable)?;
    runtime.block_on(perform(arguments.verb, &config))
}

async fn perform(verb: Verb, config: &Config) -> Result<(), Failure> {
    match verb {
        Verb::Serve(arguments) => serve::run(config, &arguments).await,
        Verb::Demo(arguments) => demo::run(config, &arguments).await,
        Verb::Migrate { json } => migrate(config, Terminal::new(json)).await,
        Verb::Genesis(verb) => genesis::run(verb, config).await,
        Verb::Import(verb) => import::run(verb, config).await,
        Verb::Validator(verb) => validator::run(verb).await,
        Verb::Events(verb) => events::run(verb, config).await,
        Verb::Replay(arguments) => replay::run(&arguments, config).await,
        Verb::Verify(arguments) => verify::run(&arguments).await,
        Verb::Export(arguments) => export::run(&arguments).await,
        Verb::Receipt(arguments) => receipt::run(&arguments),
        Verb::Seal(verb) => seal::run(verb, config),
        Verb::Backup(arguments) => backup::make(&arguments, config).await,
        Verb::Restore(arguments) => backup::restore(&arguments, config).await,
        Verb::Archive(arguments) => archive::run(&arguments, config).await,
        Verb::Witness(arguments) => witness::run(&arguments, config).await,
        Verb::Projections(verb) => projections::run(verb, config).await,
        Verb::Admin(verb) => admin::run(verb, config).await,
        Verb::Config(verb) => configuration::run(verb, config),
        Verb::Openapi => contract::openapi(),
        Verb::Schema => contract::schema(),
        Verb::Collection => contract::collection(),
        Verb::Completions { shell } => manual::completions(shell),
        Verb::Man { command } => manual::page(&command),
    }
}

async fn migrate(config: &Config, terminal: Terminal) -> Result<(), Failure> {
    let database = Database::open(config, "migrate", Use::Shared).await?;
    let applied = database.migrate().await?;
    database.close(Use::Shared).await?;
    for one in &applied {
        let object = serde_json::json!({ "version": one.version, "name": one.name });
        terminal.say(|_| format!("applied {:04} {}", one.version, one.name), &object)?;
    }
    if applied.is_empty() && !terminal.json {
        terminal.line("the tables are up to date")?;
    }
    Ok(())
}
