//! `node0 witness`: a witness with a key and a memory of its own.
//!
//! Needs neither a database nor a log of ours.

use std::path::PathBuf;

use clap::Args;
use evidence::{KeyFault, Role, VerifierKey};
use serde_json::json;
use tokio::net::TcpListener;

use super::{Failure, terminal::Terminal};
use crate::{
    config::Config,
    seal::keys::{self, KeysError},
    shutdown::Shutdown,
    witness::Witness,
};

#[derive(Debug, Args)]
pub struct Arguments {
    /// A log to witness, by its key; may be given several times
    #[arg(long = "of", value_name = "VKEY", required = true)]
    of: Vec<String>,
    /// Where it keeps its key and what it has cosigned
    #[arg(long, value_name = "FOLDER")]
    folder: PathBuf,
    /// Its name, such as witness.example/w1, for the key that is made at the first start
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: &Arguments, config: &Config) -> Result<(), Failure> {
    let logs: Result<Vec<VerifierKey>, _> = arguments.of.iter().map(|key| key.parse()).collect();
    let logs = logs.map_err(|fault| Failure::usage(format!("A key of a log is none: {fault}")))?;
    if let Some(other) = logs.iter().find(|key| key.role() != Role::Log) {
        return Err(Failure::usage(format!("{other} is a witness's key, not a log's")));
    }
    let key = keys::of_witness(&arguments.folder, arguments.name.clone());
    let key = key.map_err(|error| match error {
        KeysError::Nameless(_) => Failure::usage(format!("{error}: --name says what it is called")),
        KeysError::Malformed(KeyFault::Name) => Failure::usage(error),
        KeysError::Malformed(_)
        | KeysError::Count { .. }
        | KeysError::OfWitness(_)
        | KeysError::OfLog(_)
        | KeysError::Names { .. } => Failure::refused(error),
        KeysError::File { .. } => Failure::unreachable(error),
    })?;
    let public = key.public().to_string();
    let witness = Witness::open(key, logs, &arguments.folder).map_err(Failure::unreachable)?;
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let listen = config.listen;
    let listener = TcpListener::bind(listen).await.map_err(|error| {
        Failure::unreachable(format!("Cannot listen on {listen}: {error}. Choose --listen."))
    })?;
    let address = listener.local_addr().map_err(Failure::unreachable)?;
    let address = format!("http://{address}");
    Terminal::new(arguments.json).say(
        |paint| format!("{} witnesses at {}", public, paint.strong(&address)),
        &json!({ "address": address, "key": public }),
    )?;
    axum::serve(listener, witness.router())
        .with_graceful_shutdown(async move {
            shutdown.asked().await;
        })
        .await
        .map_err(Failure::unreachable)
}
