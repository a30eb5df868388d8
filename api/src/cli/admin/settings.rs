//! `node0 admin settings`: what may be set, what is in force, and what is proposed.
//!
//! Does not approve what is another's: where a key asks for four eyes, a person must.

use clap::Subcommand;
use commands::settings;
use domain::{
    configuration::{
        Document, Key,
        setting::{Command, Setting},
    },
    values::Reason,
};
use serde_json::{Value, json};

use super::{Desk, table};
use crate::cli::{Failure, terminal::Terminal};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List every key: the version and the value in force, and the proposal that is open
    List {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show a key with its JSON Schema
    Show {
        /// Which
        key: Key,
    },
    /// Propose a value
    Propose {
        /// Of which key
        key: Key,
        /// The value, in JSON
        #[arg(value_parser = document)]
        value: Document,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Approve a proposal, where the key does not ask for somebody else than its proposer
    Approve {
        /// Of which key
        key: Key,
        /// Its number
        proposal: u32,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Reject a proposal, or take it back
    Reject {
        /// Of which key
        key: Key,
        /// Its number
        proposal: u32,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Put an earlier version in force again; 0 is the default
    Rollback {
        /// Of which key
        key: Key,
        /// Which version
        #[arg(value_name = "VERSION")]
        to: u32,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

fn document(text: &str) -> Result<Document, String> {
    let value: Value = serde_json::from_str(text).map_err(|error| format!("no JSON: {error}"))?;
    Document::try_from(value).map_err(|error| error.to_string())
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    let (key, command, done, json) = match verb {
        Verb::List { json } => return list(desk, Terminal::new(json)).await,
        Verb::Show { key } => return show(desk, &key).await,
        Verb::Propose { key, value, reason, json } => {
            (key, Command::Propose { reason, value }, "the value is proposed", json)
        }
        Verb::Approve { key, proposal, json } => {
            (key, Command::Approve { proposal }, "the proposal is approved", json)
        }
        Verb::Reject { key, proposal, reason, json } => {
            (key, Command::Reject { proposal, reason }, "the proposal is off", json)
        }
        Verb::Rollback { key, to, reason, json } => {
            (key, Command::Rollback { reason, version: to }, "the version is in force again", json)
        }
    };
    desk.execute::<Setting>(key, command, (done.to_owned(), json)).await
}

/// What the log says of every key.
async fn list(desk: &Desk, terminal: Terminal) -> Result<(), Failure> {
    let mut rows = Vec::new();
    for key in settings::all() {
        rows.push(told(desk, &key.key).await?);
    }
    let text = |value: &Value| match value.as_str() {
        Some(text) => text.to_owned(),
        None if value.is_null() => "-".to_owned(),
        None => value.to_string(),
    };
    table(terminal, ["KEY", "VERSION", "VALUE", "PROPOSAL"], &rows, |row| {
        ["key", "in_force", "value", "proposal"].map(|name| text(&row[name]))
    })
}

async fn told(desk: &Desk, key: &Key) -> Result<Value, Failure> {
    let found = desk.commands.aggregate::<Setting>(key).await?;
    let setting = found.map(|(setting, _)| setting).unwrap_or_default();
    let open = setting.proposal.as_ref();
    Ok(json!({
        "key": key,
        "in_force": setting.current,
        "value": setting.value(),
        "proposal": open.map(|open| open.number),
        "proposed": open.map(|open| &open.value),
        "approved": open.is_some_and(|open| open.approved),
    }))
}

async fn show(desk: &Desk, key: &Key) -> Result<(), Failure> {
    let known = settings::find(key).ok_or_else(|| {
        let names: Vec<&str> = settings::all().iter().map(|key| key.key.as_str()).collect();
        Failure::refused(format!("there is no setting {key}; there are {}", names.join(", ")))
    })?;
    let mut told = told(desk, key).await?;
    told["title"] = json!(known.title);
    told["four_eyes"] = json!(known.four_eyes);
    told["schema"] = known.schema.clone();
    let text = serde_json::to_string_pretty(&told).map_err(Failure::refused)?;
    Terminal::new(false).line(&text)
}
