//! `node0 events check`: whether this program can read every event of a log, before it takes the
//! place of another one.
//!
//! Changes nothing, not even tables: it is asked of a log that another version is at work on.

use std::collections::BTreeMap;

use event_store::{EventStore, Filter, StoredEvent};
use serde::Serialize;
use serde_json::json;

use super::{Failure, Terminal};
use crate::audit;

/// Events of one type.
#[derive(Default, Serialize)]
struct Type {
    events: u64,
    unreadable: u64,
    /// The first that cannot be read, and why.
    first_unreadable: Option<u64>,
    because: Option<String>,
}

/// Reads every event as this program would, and says of each type and version how many there are.
pub async fn check(store: &EventStore, terminal: Terminal) -> Result<(), Failure> {
    let head = store.head().await?.position;
    let bar = terminal.bar(head, "events");
    let mut types: BTreeMap<String, Type> = BTreeMap::new();
    let see = |event: StoredEvent| {
        let name = event.parse().map(|record| record.event_type.to_owned());
        let of = types.entry(name.unwrap_or_else(|_| "?".to_owned())).or_default();
        of.events += 1;
        if let Err(because) = audit::reads(&event.record) {
            of.unreadable += 1;
            of.first_unreadable.get_or_insert(event.position);
            of.because.get_or_insert(because);
        }
        bar.set_position(event.position);
    };
    store.each(&Filter::all(), see).await?;
    bar.finish_and_clear();
    for (name, of) in &types {
        let said = |paint: super::Paint| match (&of.because, of.first_unreadable) {
            (Some(because), Some(first)) => format!(
                "{} {name}: {} of {} cannot be read, the first at {first}: {because}",
                paint.bad("unreadable"),
                of.unreadable,
                of.events
            ),
            (_, _) => format!("{} {name}: {}", paint.good("readable"), of.events),
        };
        let mut object = json!(of);
        object["type"] = json!(name);
        terminal.say(said, &object)?;
    }
    let unreadable = types.values().filter(|of| of.unreadable > 0).count();
    match unreadable {
        _ if types.is_empty() => Err(Failure::refused("The log is empty: nothing was checked.")),
        0 => Ok(()),
        count => Err(Failure::refused(format!(
            "This program cannot read {count} of {} types of events: do not let it take the place \
             of the one that wrote them.",
            types.len()
        ))),
    }
}
