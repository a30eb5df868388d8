//! `node0 projections`: how the read models are, and building one anew.
//!
//! Does not know what they hold.

use std::time::{Duration, Instant};

use clap::Subcommand;
use event_store::EventStore;
use projections::{ProjectionStatus, Projections, ProjectionsOptions, RepairError};

use super::{
    Failure,
    terminal::{Paint, Terminal},
};
use crate::{
    config::Config,
    database::{Database, Use},
};

/// How long one wait for a rebuilt read model lasts before it is mentioned, in milliseconds.
const MENTION_EVERY_MS: u64 = 2_000;
/// For how long a rebuild that does not move at all is waited for.
const STANDSTILL_MAX: Duration = Duration::from_secs(60);

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List every read model: its position, how far it is behind, and what is wrong
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Empty a read model and replay the log into it
    Rebuild {
        /// Its name, as `list` shows it
        name: String,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let database = Database::open(config, "projections", Use::Shared).await?;
    let done = perform(verb, &database).await;
    database.close(Use::Shared).await?;
    done
}

async fn perform(verb: Verb, database: &Database) -> Result<(), Failure> {
    database.migrate().await?;
    let store = EventStore::open(database.log()).await?;
    let rebuilds = matches!(verb, Verb::Rebuild { .. });
    // A server that runs this database replays by itself; two at once would only wait for each
    // other.
    let options =
        ProjectionsOptions { run: rebuilds && !database.is_attached(), ..Default::default() };
    let projections = Projections::start(store.clone(), store.pool().clone(), options);
    let done = match verb {
        Verb::List { json } => list(&projections, Terminal::new(json)).await,
        Verb::Rebuild { name, json } => {
            rebuild(&store, &projections, &name, Terminal::new(json)).await
        }
    };
    projections.stop().await;
    store.close().await;
    done
}

async fn list(projections: &Projections, terminal: Terminal) -> Result<(), Failure> {
    for status in projections.status().await {
        terminal.say(|paint| sentence(&status, paint), &status)?;
    }
    Ok(())
}

async fn rebuild(
    store: &EventStore,
    projections: &Projections,
    name: &str,
    terminal: Terminal,
) -> Result<(), Failure> {
    projections.rebuild(name).await.map_err(|error| match error {
        RepairError::Database(_) | RepairError::Log(_) => Failure::unreachable(error),
        RepairError::UnknownProjection(_)
        | RepairError::OtherLog(_)
        | RepairError::NotParked { .. } => Failure::refused(error),
    })?;
    let head = store.head().await?.position;
    let (mut reached, mut moved) = (0, Instant::now());
    while let Err(behind) = projections.wait_for(&[name], head, MENTION_EVERY_MS).await {
        if behind.reflected > reached {
            (reached, moved) = (behind.reflected, Instant::now());
        }
        if moved.elapsed() > STANDSTILL_MAX {
            return Err(Failure::unreachable(format!("{behind}, and it does not move")));
        }
        if terminal.is_watched() {
            eprintln!("{behind}");
        }
    }
    let object = serde_json::json!({ "name": name, "position": head.to_string() });
    terminal.say(|paint| format!("{} {name} up to {head}", paint.good("rebuilt")), &object)
}

fn sentence(status: &ProjectionStatus, paint: Paint) -> String {
    let name = paint.strong(&format!("{:20}", status.name));
    let lag = match (status.lag_events, status.position) {
        (0, position) => paint.good(&format!("up to date at {position}")),
        (lag, position) => paint.warning(&format!("{lag} behind, at {position}")),
    };
    let parked = match status.parked {
        0 => String::new(),
        parked => paint.bad(&format!(", {parked} keys parked")),
    };
    let stalled = status.stalled_because.as_deref();
    let stalled = stalled.map(|why| paint.bad(&format!(", stalled: {why}"))).unwrap_or_default();
    format!("{name} v{}  {lag}{parked}{stalled}", status.version)
}
