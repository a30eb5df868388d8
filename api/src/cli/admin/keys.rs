//! `node0 admin keys`: API keys, the keys that sign access tokens, and the master key.
//!
//! Does not show a key but the one it has just issued.

use chrono::Utc;
use clap::Subcommand;
use domain::{
    identity::principal::Command,
    values::{ApiKeyId, Label, Moment, PermissionName, PrincipalId, Reason},
};
use serde_json::json;

use super::{Desk, table, told, users};
use crate::{
    cli::{Failure, terminal::Terminal},
    serve::DAY_S,
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the API keys of somebody, or of everybody
    List {
        /// Only of this one
        id: Option<PrincipalId>,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Issue an API key; prints it this once
    Issue {
        /// Whose
        id: PrincipalId,
        /// What it is called
        #[arg(long)]
        label: Label,
        /// What it is limited to, e.g. event:read (may be repeated)
        #[arg(long, required = true)]
        scope: Vec<PermissionName>,
        /// For how many days it is good
        #[arg(long, default_value_t = 90, value_parser = clap::value_parser!(u64).range(1..=366))]
        days: u64,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// End an API key
    Revoke {
        /// Whose
        id: PrincipalId,
        /// Which, by its public half
        key: ApiKeyId,
        /// Why
        #[arg(long)]
        reason: Reason,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Let another key sign access tokens, in a few seconds; those signed before stay good
    Rotate {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Seal everything under NODE0_MASTER_KEY that is sealed under NODE0_OTHER_MASTER_KEY
    Reseal {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, desk: &Desk) -> Result<(), Failure> {
    match verb {
        Verb::List { id, json } => list(id, desk, Terminal::new(json)).await,
        Verb::Issue { id, label, scope, days, json } => {
            let expires_at = Moment::from(Utc::now()).plus_seconds(days * DAY_S);
            let issued =
                desk.identities.issue_api_key(&id, label, scope, expires_at, desk.actor.clone());
            let issued = issued.await.map_err(told)?;
            let object = json!({ "key": issued.key, "token": issued.token });
            let sentence = |paint: crate::cli::terminal::Paint| {
                format!("issued {}, shown this once: {}", issued.key, paint.strong(&issued.token))
            };
            Terminal::new(json).say(sentence, &object)
        }
        Verb::Revoke { id, key, reason, json } => {
            let done = format!("has no key {key} any more");
            desk.principal(id, Command::RevokeApiKey { key, reason }, &done, json).await
        }
        Verb::Rotate { json } => {
            desk.identities.rotate_signing_key().await.map_err(told)?;
            let words = "another key signs in a few seconds";
            Terminal::new(json).say(|paint| paint.good(words), &json!({ "rotated": true }))
        }
        Verb::Reseal { json } => {
            let resealed = desk.identities.reseal().await.map_err(Failure::unreachable)?;
            let words = format!("{resealed} secrets were sealed anew");
            Terminal::new(json).say(|paint| paint.good(&words), &json!({ "resealed": resealed }))
        }
    }
}

async fn list(id: Option<PrincipalId>, desk: &Desk, terminal: Terminal) -> Result<(), Failure> {
    let rows = users::of_each(desk, id, async |id| desk.identities.api_keys(id).await).await?;
    table(terminal, ["PRINCIPAL", "KEY", "ENDS", "SCOPES"], &rows, |row| {
        let scopes: Vec<&str> = row.it.scopes.iter().map(PermissionName::as_str).collect();
        let (principal, key) = (row.principal.to_string(), row.it.key.to_string());
        [principal, key, row.it.expires_at.to_string(), scopes.join(" ")]
    })
}
