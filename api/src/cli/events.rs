//! `node0 events`: the log as it stands, and as it grows.
//!
//! Does not know what the events mean: records are shown as they were written.

mod check;

use clap::{Args, Subcommand};
use event_store::{EventStore, Filter, StoredEvent, StreamName};
use futures::StreamExt;
use serde::Serialize;
use serde_json::value::RawValue;
use uuid::Uuid;

use super::{
    Failure,
    terminal::{Paint, Terminal},
};
use crate::{
    config::Config,
    database::{Database, Use},
    shutdown::Shutdown,
};

/// How many events `tail` shows when it is not told.
const TAIL_EVENTS: usize = 20;
/// The most events `tail` goes back.
const TAIL_EVENTS_MAX: u64 = 100_000;
/// Events read at once.
const PAGE_EVENTS: usize = 1_000;
/// The positions that `tail` looks at first, for each event it should show.
const LOOK_BACK: u64 = 4;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Show the newest events, and with --follow those that come
    Tail {
        #[command(flatten)]
        wanted: Wanted,
        /// How many of the newest events to show
        #[arg(short = 'n', long, value_name = "COUNT", default_value_t = TAIL_EVENTS as u64,
              value_parser = clap::value_parser!(u64).range(0..=TAIL_EVENTS_MAX))]
        lines: u64,
        /// Go on with the events that come, until Ctrl-C
        #[arg(short, long)]
        follow: bool,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Whether this program can read every event, by type and version: before an upgrade
    Check {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show one event by its position, or all events of a stream
    Show {
        /// A position, e.g. 42, or a stream, e.g. chain-private-0
        what: String,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

/// Which events are wanted; all of them when nothing is said.
#[derive(Debug, Args)]
pub struct Wanted {
    /// Only this stream (may be repeated)
    #[arg(long, value_name = "NAME")]
    stream: Vec<String>,
    /// Only streams of this category, e.g. validator (may be repeated)
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
    /// Only this type, e.g. header-observed.v1 (may be repeated)
    #[arg(long = "type", value_name = "NAME")]
    event_type: Vec<String>,
    /// Only what belongs to this story, by its correlation id
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
}

pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let database = Database::open(config, "events", Use::Shared).await?;
    // Whoever checks is not the one who upgrades.
    if !matches!(verb, Verb::Check { .. }) {
        database.migrate().await?;
    }
    let store = EventStore::open(database.log()).await?;
    let done = match verb {
        Verb::Check { json } => tokio::select! {
            done = check::check(&store, Terminal::new(json)) => done,
            _ = shutdown.asked() => Ok(()),
        },
        Verb::Show { what, json } => show(&store, &what, Terminal::new(json)).await,
        Verb::Tail { wanted, lines, follow, json } => {
            let terminal = Terminal::new(json);
            tokio::select! {
                done = tail(&store, wanted, lines, follow, terminal) => done,
                _ = shutdown.asked() => Ok(()),
            }
        }
    };
    store.close().await;
    tokio::select! {
        closed = database.close(Use::Shared) => closed?,
        _ = shutdown.asked() => {}
    }
    done
}

async fn show(store: &EventStore, what: &str, terminal: Terminal) -> Result<(), Failure> {
    if let Ok(position) = what.parse::<u64>() {
        let page = match position.checked_sub(1) {
            Some(before) => store.read_all(before, &Filter::all(), 1).await?,
            None => return Err(Failure::refused("positions begin with 1")),
        };
        let found = page.events.first().filter(|event| event.position == position);
        let missing = || Failure::refused(format!("there is no event at position {position}"));
        return print(found.ok_or_else(missing)?, Length::Whole, terminal);
    }
    let stream = StreamName::new(what).map_err(Failure::usage)?;
    let mut from = 1;
    loop {
        let events = store.read_stream(&stream, from, PAGE_EVENTS).await?;
        for event in &events {
            print(event, Length::Whole, terminal)?;
        }
        match events.last() {
            Some(last) => from = last.version + 1,
            None if from == 1 => {
                return Err(Failure::refused(format!("there is no stream {stream}")));
            }
            None => return Ok(()),
        }
    }
}

async fn tail(
    store: &EventStore,
    wanted: Wanted,
    lines: u64,
    follow: bool,
    terminal: Terminal,
) -> Result<(), Failure> {
    let mut streams = Vec::new();
    for name in &wanted.stream {
        streams.push(StreamName::new(name.as_str()).map_err(Failure::usage)?);
    }
    let filter = Filter {
        categories: wanted.category,
        streams,
        event_types: wanted.event_type,
        correlation: wanted.correlation,
    };
    let head = store.head().await?.position;
    for event in newest(store, &filter, head, lines).await? {
        print(&event, Length::Line, terminal)?;
    }
    if !follow {
        return Ok(());
    }
    let mut pages = std::pin::pin!(store.follow(head, filter));
    while let Some(page) = pages.next().await {
        for event in &page?.events {
            print(event, Length::Line, terminal)?;
        }
    }
    Ok(())
}

/// The newest events that are wanted, oldest first: looks further and further back until there are
/// enough.
async fn newest(
    store: &EventStore,
    filter: &Filter,
    head: u64,
    lines: u64,
) -> Result<Vec<StoredEvent>, Failure> {
    let count = usize::try_from(lines).unwrap_or(usize::MAX);
    let mut reach = lines.saturating_mul(LOOK_BACK);
    loop {
        let begin = head.saturating_sub(reach);
        let mut found = std::collections::VecDeque::new();
        let mut after = begin;
        while after < head && count > 0 {
            let page = store.read_all(after, filter, PAGE_EVENTS).await?;
            for event in page.events.into_iter().filter(|event| event.position <= head) {
                if found.len() == count {
                    found.pop_front();
                }
                found.push_back(event);
            }
            if page.scanned_to <= after {
                break;
            }
            after = page.scanned_to;
        }
        if found.len() == count || begin == 0 {
            return Ok(found.into());
        }
        reach = reach.saturating_mul(LOOK_BACK);
    }
}

/// How much of an event a person sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Length {
    Line,
    Whole,
}

/// An event for machines: the record is the stored bytes.
#[derive(Serialize)]
struct Line<'a> {
    position: String,
    record: &'a RawValue,
}

fn print(event: &StoredEvent, length: Length, terminal: Terminal) -> Result<(), Failure> {
    let record: &RawValue = serde_json::from_slice(&event.record).map_err(Failure::refused)?;
    let fields = event.parse().map_err(Failure::refused)?;
    let line = Line { position: event.position.to_string(), record };
    let sentence = |paint: Paint| {
        let head = format!(
            "{:>8}  {}  {}  {} {}",
            event.position,
            paint.faint(&fields.at.format("%Y-%m-%d %H:%M:%S%.3f").to_string()),
            paint.strong(fields.event_type),
            fields.stream,
            paint.faint(&format!("v{} by {}", fields.version, fields.actor)),
        );
        match length {
            Length::Line => head,
            Length::Whole => format!("{head}\n{}", indented(record)),
        }
    };
    terminal.say(sentence, &line)
}

fn indented(record: &RawValue) -> String {
    let value = serde_json::from_str::<serde_json::Value>(record.get());
    // What is stored is JSON; should it not be, it is shown as it is.
    value.map_or_else(|_| record.get().to_owned(), |value| format!("{value:#}"))
}
