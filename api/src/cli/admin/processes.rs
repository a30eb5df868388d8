//! `node0 admin processes`: how far each process is, and letting a parked one try again.
//!
//! Does not run any.

use clap::Subcommand;
use commands::Process;
use serde_json::json;

use super::{Desk, table};
use crate::cli::{Failure, terminal::Terminal};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List every process: how far it is, and why it does not go on
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Let a parked process try again
    Resume {
        /// Which, as `list` shows it
        #[arg(value_parser = process)]
        name: Process,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

fn process(name: &str) -> Result<Process, String> {
    Process::named(name).ok_or_else(|| {
        let names: Vec<&str> = Process::ALL.iter().map(|process| process.name()).collect();
        format!("there are {}", names.join(", "))
    })
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    let store = desk.commands.store();
    match verb {
        Verb::List { json } => {
            let head = store.head().await?.position;
            let mut rows = Vec::new();
            for process in Process::ALL {
                let checkpoint = store.checkpoint(process.name()).await?;
                rows.push(json!({
                    "name": process.name(),
                    "position": checkpoint.position.to_string(),
                    "lag_events": head.saturating_sub(checkpoint.position).to_string(),
                    "parked": checkpoint.parked.map(|parked| parked.because),
                }));
            }
            table(Terminal::new(json), ["PROCESS", "POSITION", "LAG", "PARKED"], &rows, |row| {
                let cell = |name: &str| row[name].as_str().unwrap_or("-").to_owned();
                [cell("name"), cell("position"), cell("lag_events"), cell("parked")]
            })
        }
        Verb::Resume { name, json } => {
            if !store.unpark(name.name()).await? {
                return Err(Failure::refused(format!("{} is not parked", name.name())));
            }
            let object = json!({"name": name.name(), "resumed": true});
            let sentence = format!("{} tries again", name.name());
            Terminal::new(json).say(|paint| paint.good(&sentence), &object)
        }
    }
}
