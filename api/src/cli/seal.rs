//! `node0 seal`: the keys that sign the published log, made, shown and replaced.
//!
//! Does not sign: a server does, from its next start on with these keys.

use clap::Subcommand;
use evidence::{Role, SignerKey};
use serde_json::json;

use super::{Failure, terminal::Terminal};
use crate::{
    cluster::{DataFolder, OsUser},
    config::Config,
    seal::keys,
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Make a key and show it, for the setting seal_key: where there is no data folder
    New {
        /// The name of the log, such as node0.example/log
        name: String,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Show by what the log's checkpoints are verified: the public keys of the data folder
    Keys {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Make a new key in the data folder; it and those before it sign from the next start on
    Rotate {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Forget all keys of the data folder but the newest: they sign no more from the next start on
    Retire {
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    match verb {
        Verb::New { name, json } => {
            let key = SignerKey::generate(Role::Log, &name).map_err(Failure::usage)?;
            let (secret, public) = (key.secret(), key.public().to_string());
            Terminal::new(json).say(
                |paint| {
                    format!("{}\nIts checkpoints are verified by {public}", paint.strong(&secret))
                },
                &json!({ "secret": secret, "key": public }),
            )
        }
        Verb::Keys { json } => show(config, json, keys::of_folder),
        Verb::Rotate { json } => show(config, json, keys::rotate),
        Verb::Retire { json } => show(config, json, keys::retire),
    }
}

/// Does something with the keys of the data folder, and shows those that are there then.
fn show(
    config: &Config,
    json: bool,
    act: impl FnOnce(&std::path::Path) -> Result<Vec<SignerKey>, keys::KeysError>,
) -> Result<(), Failure> {
    let user = OsUser::find(&config.postgres_user).map_err(Failure::unreachable)?;
    let folder = DataFolder::open(config.data.as_deref(), user).map_err(Failure::unreachable)?;
    let keys = act(folder.root()).map_err(Failure::refused)?;
    let keys: Vec<String> = keys.iter().map(|key| key.public().to_string()).collect();
    Terminal::new(json).say(|_| keys.join("\n"), &json!({ "keys": keys }))
}
