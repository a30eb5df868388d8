//! `node0 admin`: who is who, what is in force and what is not well, for whoever has the database.
//!
//! Does not ask for a token: it acts under its own name beside a server, or without one.

mod flags;
mod keys;
mod processes;
mod roles;
mod sessions;
mod settings;
mod users;
mod watched;

use clap::Subcommand;
use commands::{Actor, Commands, CommandsOptions, Handled, RequestContext, Role};
use domain::{
    identity::principal::{Command, Principal},
    values::PrincipalId,
};
use event_store::EventStore;
use serde::Serialize;
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::{ACTOR, Failure, terminal::Terminal};
use crate::{
    config::Config,
    database::{Database, Use},
    identity::Identities,
    mail::Mail,
    problem::{Kind, Problem},
    serve,
};

/// Connections that one verb needs.
const CONNECTIONS_MAX: u32 = 2;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Persons and services
    #[command(subcommand)]
    Users(users::Verb),
    /// Roles, and who holds them
    #[command(subcommand)]
    Roles(roles::Verb),
    /// API keys, signing keys and the master key
    #[command(subcommand)]
    Keys(keys::Verb),
    /// Sessions
    #[command(subcommand)]
    Sessions(sessions::Verb),
    /// Settings: what is in force, and what is proposed
    #[command(subcommand)]
    Settings(settings::Verb),
    /// Feature flags
    #[command(subcommand)]
    Flags(flags::Verb),
    /// Alerts
    #[command(subcommand)]
    Alerts(watched::Alerts),
    /// Nodes
    #[command(subcommand)]
    Peers(watched::Peers),
    /// Processes
    #[command(subcommand)]
    Processes(processes::Verb),
    /// Read models
    #[command(subcommand)]
    Projections(super::projections::Verb),
}

/// What every verb works with.
struct Desk {
    identities: Identities,
    commands: Commands,
    /// Where read models are.
    pool: PgPool,
    actor: Actor,
}

pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    if let Verb::Projections(verb) = verb {
        return super::projections::run(verb, config).await;
    }
    let database = Database::open(config, "admin", Use::Shared).await?;
    let done = perform(verb, config, &database).await;
    database.close(Use::Shared).await?;
    done
}

async fn perform(verb: Verb, config: &Config, database: &Database) -> Result<(), Failure> {
    database.migrate().await?;
    let pool = PgPoolOptions::new().max_connections(CONNECTIONS_MAX).connect(database.url());
    let pool = pool.await.map_err(Failure::unreachable)?;
    let store = EventStore::open(database.log()).await?;
    let commands = Commands::new(store.clone(), CommandsOptions::default());
    let vault = serve::vault(config, database).map_err(Failure::refused)?;
    // Whoever sits here hands links over by themselves.
    let mail = Mail::new(None, None, "").map_err(Failure::refused)?;
    let algorithm = config.token_algorithm;
    let identities =
        Identities::open(pool.clone(), commands.clone(), vault, algorithm, mail, None).await;
    let identities = identities.map_err(Failure::refused)?;
    let actor = Actor::new(ACTOR, Role::SuperAdmin);
    let desk = Desk { identities, commands, pool: pool.clone(), actor };
    let done = match verb {
        Verb::Users(verb) => users::run(verb, &desk).await,
        Verb::Roles(verb) => roles::run(verb, &desk).await,
        Verb::Keys(verb) => keys::run(verb, &desk).await,
        Verb::Sessions(verb) => sessions::run(verb, &desk).await,
        Verb::Settings(verb) => settings::run(verb, &desk).await,
        Verb::Flags(verb) => flags::run(verb, &desk).await,
        Verb::Alerts(verb) => watched::alerts(verb, &desk).await,
        Verb::Peers(verb) => watched::peers(verb, &desk).await,
        Verb::Processes(verb) => processes::run(verb, &desk).await,
        // Dealt with before a desk was set up.
        Verb::Projections(_) => Ok(()),
    };
    pool.close().await;
    store.close().await;
    done
}

impl Desk {
    /// Does a command, and says so.
    async fn execute<A: Handled<Refusal: std::fmt::Display>>(
        &self,
        id: A::Id,
        command: A::Command,
        (done, json): (String, bool),
    ) -> Result<(), Failure> {
        let context = RequestContext::new(self.actor.clone());
        let outcome = self.commands.execute::<A>(id, command, context).await;
        let outcome = outcome.map_err(Failure::of_command)?;
        let changed = outcome.position.is_some();
        let object = json!({ "changed": changed, "stream": outcome.stream.as_str() });
        let sentence = |paint: super::terminal::Paint| match changed {
            true => paint.good(&done),
            false => "nothing was to be done: it is so already".to_owned(),
        };
        Terminal::new(json).say(sentence, &object)
    }

    /// The same of a principal.
    async fn principal(
        &self,
        id: PrincipalId,
        command: Command,
        done: &str,
        json: bool,
    ) -> Result<(), Failure> {
        let done = format!("{id} {done}");
        self.execute::<Principal>(id, command, (done, json)).await
    }
}

/// The same for what is told as a problem.
fn told(problem: Problem) -> Failure {
    let away = matches!(problem.kind(), Kind::DatabaseUnavailable | Kind::OutcomeUnknown);
    let words = problem.detail().to_owned();
    if away { Failure::unreachable(words) } else { Failure::refused(words) }
}

/// Writes a table with its headings, or an object a line.
fn table<T: Serialize, const N: usize>(
    terminal: Terminal,
    headings: [&str; N],
    rows: &[T],
    cells: impl Fn(&T) -> [String; N],
) -> Result<(), Failure> {
    if terminal.json {
        return rows.iter().try_for_each(|row| terminal.say(|_| String::new(), row));
    }
    let texts: Vec<[String; N]> = rows.iter().map(cells).collect();
    let mut widths = headings.map(|heading| heading.chars().count());
    for row in &texts {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: Vec<&str>| {
        let padded = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}"));
        padded.collect::<Vec<_>>().join("  ").trim_end().to_owned()
    };
    terminal.line(&terminal.paint().strong(&line(headings.to_vec())))?;
    texts.iter().try_for_each(|row| terminal.line(&line(row.iter().map(String::as_str).collect())))
}
