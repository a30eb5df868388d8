//! `node0 replay --decide`: history decided once more, by the rules of this program.
//!
//! Does not decide anything: [`commands::again`] does. Changes nothing.

use std::collections::BTreeMap;

use clap::Args;
use commands::again::{Again, Decision, Difference, Fact, Verdict};
use event_store::EventStore;
use serde::Serialize;

use super::{
    Failure,
    terminal::{Paint, Terminal},
};
use crate::{
    config::Config,
    database::{Database, Use},
    shutdown::Shutdown,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// Decide every request again, on the state that was there, and list each that would be decided
    /// otherwise
    #[arg(long, required = true)]
    decide: bool,
    /// Begin with what came after this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
    /// End with what began before this position, or at it; at the end of the log if absent
    #[arg(long, value_name = "POSITION")]
    until: Option<u64>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// What came of it all.
#[derive(Debug, Default, Serialize)]
struct Summary {
    /// How many requests there are.
    requests: u64,
    /// How many are decided as they were.
    same: u64,
    /// How many are not.
    differ: u64,
    /// How many could not be decided again, by the type of their first event.
    untold: BTreeMap<String, u64>,
}

pub async fn run(arguments: &Arguments, config: &Config) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let database = Database::open(config, "replay", Use::Shared).await?;
    let store = EventStore::open(database.log()).await?;
    let done = tokio::select! {
        done = decide(arguments, &store) => done,
        signal = shutdown.asked() => Err(Failure::refused(format!("{signal}: not all was decided"))),
    };
    store.close().await;
    database.close(Use::Shared).await?;
    done
}

async fn decide(arguments: &Arguments, store: &EventStore) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let head = store.head().await?.position;
    let until = arguments.until.unwrap_or(head).min(head);
    if arguments.after >= until {
        let detail = format!("there is nothing to decide after {} up to {until}", arguments.after);
        return Err(Failure::refused(detail));
    }
    let bar = terminal.bar(until, "events");
    let mut again = Again::begin(store.clone(), arguments.after, until);
    let mut summary = Summary::default();
    while let Some((position, verdict)) = again.next().await? {
        summary.requests += 1;
        bar.set_position(position);
        match verdict {
            Verdict::Same => summary.same += 1,
            Verdict::Untold(event_type) => *summary.untold.entry(event_type).or_default() += 1,
            Verdict::Differs(difference) => {
                summary.differ += 1;
                bar.suspend(|| terminal.say(|paint| sentence(&difference, paint), &difference))?;
            }
        }
    }
    bar.finish_and_clear();
    terminal.say(|paint| summary.sentence(paint), &summary)?;
    match summary.differ {
        0 => Ok(()),
        differ => Err(Failure::refused(format!("{differ} requests would be decided otherwise"))),
    }
}

fn sentence(difference: &Difference, paint: Paint) -> String {
    let Difference { position, stream, recorded, decided, .. } = difference;
    let names = |facts: &[Fact]| {
        let names: Vec<&str> = facts.iter().map(|fact| fact.event_type.as_str()).collect();
        if names.is_empty() { "nothing".to_owned() } else { names.join(", ") }
    };
    let then = names(recorded);
    let now = match decided {
        Decision::Refused { code, sentence } => format!("refused ({code}): {sentence}"),
        Decision::Facts(facts) => match first_difference(recorded, facts) {
            Some(path) if names(facts) == then => format!("the same, but with another {path}"),
            Some(_) | None => names(facts),
        },
    };
    format!("{}: {stream}, then {then}; now {now}", paint.strong(&position.to_string()))
}

/// Where facts of the same types differ first.
fn first_difference(then: &[Fact], now: &[Fact]) -> Option<String> {
    let (then, now) = then.iter().zip(now).find(|(then, now)| then != now)?;
    let members = then.data.as_object()?.iter();
    let other = members.clone().find(|(name, value)| now.data.get(name) != Some(value));
    Some(other.map_or_else(|| then.event_type.clone(), |(name, _)| name.clone()))
}

impl Summary {
    fn sentence(&self, paint: Paint) -> String {
        let Summary { requests, same, differ, untold } = self;
        let mut said = format!("{requests} requests: {same} are decided as they were");
        if *differ > 0 {
            said.push_str(&format!(", {} otherwise", paint.bad(&differ.to_string())));
        }
        if !untold.is_empty() {
            let each = untold.iter().map(|(name, count)| format!("{count} {name}"));
            let each: Vec<String> = each.collect();
            said.push_str(&format!(
                "; not decided again, for their events do not hold all that was asked: {}",
                each.join(", ")
            ));
        }
        said
    }
}
