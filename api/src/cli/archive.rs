//! `node0 archive`: moves old events out of the database.
//!
//! Does not move anything: [`crate::archive`] does.

use clap::Args;
use event_store::archive::BLOCK_EVENTS;

use super::{Failure, terminal::Terminal};
use crate::{
    archive::{self, ArchiveError, Archived, Moved, OBJECT_EVENTS, Waits},
    config::Config,
    database::{Database, Use},
    serve,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// So many events in an object of the archive, or fewer where they are large: a multiple of
    /// 256. Nothing is moved before so many are sealed
    #[arg(long, value_name = "EVENTS", default_value_t = OBJECT_EVENTS, value_parser = events)]
    object_events: u64,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

fn events(text: &str) -> Result<u64, String> {
    let events = text.parse().ok().filter(|events: &u64| {
        (BLOCK_EVENTS..=OBJECT_EVENTS).contains(events) && events.is_multiple_of(BLOCK_EVENTS)
    });
    events
        .ok_or_else(|| format!("a multiple of {BLOCK_EVENTS} is expected, {OBJECT_EVENTS} at most"))
}

impl From<ArchiveError> for Failure {
    fn from(error: ArchiveError) -> Failure {
        match error {
            ArchiveError::Unsealed(_)
            | ArchiveError::Unsigned { .. }
            | ArchiveError::Differs(_)
            | ArchiveError::Lost(_)
            | ArchiveError::Unwritten { .. }
            | ArchiveError::Unpacked(..)
            | ArchiveError::Unverified(_) => Failure::refused(error),
            ArchiveError::Storage(_) | ArchiveError::Database(_) => Failure::unreachable(error),
        }
    }
}

/// One pass, beside a server or without one.
pub async fn run(arguments: &Arguments, config: &Config) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let database = Database::open(config, "archive", Use::Shared).await?;
    let done = pass(arguments, config, &database, terminal).await;
    database.close(Use::Shared).await?;
    done
}

async fn pass(
    arguments: &Arguments,
    config: &Config,
    database: &Database,
    terminal: Terminal,
) -> Result<(), Failure> {
    let (published, keys) = serve::published(config, database).map_err(Failure::usage)?;
    let bar = terminal.bar(0, "events");
    let progress = |position| bar.set_position(position);
    let how = (&config.retention, arguments.object_events);
    let done = archive::archive(database.url(), (&published, &keys), how, progress).await;
    bar.finish_and_clear();
    let done = done?;
    terminal.say(|_| sentences(&done), &done)
}

fn sentences(Archived { moved, removed, archived_to, waits }: &Archived) -> String {
    let mut said: Vec<String> = moved.iter().map(moved_sentence).collect();
    if *removed > 0 {
        said.push(format!(
            "{removed} events left the table; those up to {archived_to} are in the archive"
        ));
    }
    said.push(match waits {
        Waits::Events { until } => {
            format!("the next object ends at position {until}: the log is not so long")
        }
        Waits::Seal { until } => {
            format!("the next object ends at position {until}: that is not published yet")
        }
        Waits::Retention { position, category, until } => format!(
            "the next object has the event at position {position}, of a stream of the category \
             {category}, which stays in the database until {}",
            until.format("%Y-%m-%d %H:%M UTC")
        ),
    });
    said.join("\n")
}

fn moved_sentence(Moved { path, first, last, root, record_bytes, bytes }: &Moved) -> String {
    format!(
        "{path}: the events {first} to {last}, {record_bytes} bytes in {bytes}; their root is {root}"
    )
}
