//! `node0 admin flags`: what is switched on, and for whom.
//!
//! Does not know what a flag switches.

use clap::Subcommand;
use domain::{
    configuration::{
        Key, Subject,
        flag::{Command, Flag},
    },
    values::{Bps, Label, Reason},
};
use projections::{flags, page::every};

use super::{Desk, table};
use crate::cli::{Failure, terminal::Terminal};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List all flags, as the read model shows them
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Create a flag; it is off for everybody
    Create {
        /// Its name
        key: Key,
        /// What it switches
        #[arg(long)]
        description: Label,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Switch it on for a part of all, and for some by name
    Rollout {
        /// Which
        key: Key,
        /// For which part of all, in basis points
        #[arg(long, default_value_t = 0)]
        bps: u16,
        /// For whom in any case (may be repeated)
        #[arg(long)]
        target: Vec<Subject>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Switch it off for everybody at once
    Kill {
        /// Which
        key: Key,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    let (key, command, done, json) = match verb {
        Verb::List { json } => return list(desk, Terminal::new(json)).await,
        Verb::Create { key, description, json } => {
            (key, Command::CreateFlag { description }, "is there", json)
        }
        Verb::Rollout { key, bps, target, json } => {
            let bps = Bps::try_from(bps).map_err(|error| Failure::usage(error.to_string()))?;
            (key, Command::SetRollout { bps, targets: target }, "is rolled out", json)
        }
        Verb::Kill { key, reason, json } => {
            (key, Command::Kill { reason }, "is off for everybody", json)
        }
    };
    let done = format!("{key} {done}");
    desk.execute::<Flag>(key, command, (done, json)).await
}

async fn list(desk: &Desk, terminal: Terminal) -> Result<(), Failure> {
    let (pool, all) = (&desk.pool, flags::Filter::default());
    let found = every(|page| async move { flags::list(pool, all, &page).await }).await;
    let found = found.map_err(Failure::unreachable)?;
    table(terminal, ["FLAG", "STANDING", "BPS", "TARGETS"], &found, |flag| {
        let targets: Vec<&str> = flag.targets.iter().map(Subject::as_str).collect();
        let standing = flag.standing.as_str().to_owned();
        [flag.key.to_string(), standing, flag.bps.value().to_string(), targets.join(" ")]
    })
}
