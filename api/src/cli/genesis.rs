//! `node0 genesis`: checks a genesis document, or starts a chain from it.
//!
//! Does not know the rules: the domain checks and decides.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use commands::{Actor, Commands, CommandsOptions, RequestContext, Role};
use domain::{
    chain::{Chain, ChainStream, Command},
    genesis::{self, Finding, Report},
};
use event_store::EventStore;
use serde_json::json;

use super::{ACTOR, Failure, terminal::Terminal};
use crate::{
    config::Config,
    database::{Database, Use},
};

/// The largest genesis document that is read, in bytes.
const DOCUMENT_BYTES_MAX: u64 = 256 << 20;

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check a document: every fault with its place; exit code 1 when there are any
    Check {
        /// The genesis document
        file: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
    /// Start a chain from a document
    Init {
        /// The genesis document
        file: PathBuf,
        /// One JSON object a line
        #[arg(long)]
        json: bool,
    },
}

pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    match verb {
        Verb::Check { file, json } => check(&file, Terminal::new(json)),
        Verb::Init { file, json } => init(&file, config, Terminal::new(json)).await,
    }
}

fn check(file: &Path, terminal: Terminal) -> Result<(), Failure> {
    let document = read(file)?;
    let report = genesis::check(&document);
    tell(file, &report, terminal)?;
    verdict(file, &report)
}

async fn init(file: &Path, config: &Config, terminal: Terminal) -> Result<(), Failure> {
    let document = read(file)?;
    let report = genesis::check(&document);
    let checked = verdict(file, &report);
    if checked.is_err() {
        tell(file, &report, terminal)?;
        return checked;
    }
    let name = file.display();
    let begins = report.genesis.as_ref().map(|found| (found, found.ours.as_ref()));
    let stream = match begins {
        Some((found, Ok(ours))) => ChainStream {
            chain: found.chain_id.clone(),
            epoch: found.initial_height.epoch(ours.parameters.epoch_blocks),
        },
        Some((_, Err(why))) => {
            return Err(Failure::refused(format!("{name} cannot begin a chain here: {why}")));
        }
        None => return Err(Failure::refused(format!("{name} begins no chain"))),
    };
    let document = String::from_utf8(document)
        .map_err(|_| Failure::refused(format!("{name} is not UTF-8")))?;
    let database = Database::open(config, "genesis init", Use::Shared).await?;
    let begun = begin(&database, stream, document, terminal).await;
    database.close(Use::Shared).await?;
    begun
}

async fn begin(
    database: &Database,
    id: ChainStream,
    document: String,
    terminal: Terminal,
) -> Result<(), Failure> {
    database.migrate().await?;
    let store = EventStore::open(database.log()).await?;
    let commands = Commands::new(store.clone(), CommandsOptions::default());
    let chain = id.chain.clone();
    let context = RequestContext::new(Actor::new(ACTOR, Role::SuperAdmin));
    let command = Command::InitialiseGenesis { document };
    let answer = commands.execute::<Chain>(id, command, context).await;
    store.close().await;
    let outcome = answer.map_err(Failure::of_command)?;
    let position = outcome.position.map(|position| position.to_string());
    let object = json!({
        "chain": chain.to_string(),
        "stream": outcome.stream.to_string(),
        "version": outcome.version.to_string(),
        "position": position,
    });
    let sentence = |paint: super::terminal::Paint| match &position {
        Some(position) => {
            let done = paint.good("started");
            format!("{done} chain {chain} ({} at position {position})", outcome.stream)
        }
        None => format!("chain {chain} had been started from this document before"),
    };
    terminal.say(sentence, &object)
}

fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let name = file.display();
    let bytes = std::fs::metadata(file).and_then(|found| {
        if found.len() > DOCUMENT_BYTES_MAX { Ok(None) } else { std::fs::read(file).map(Some) }
    });
    match bytes {
        Ok(Some(bytes)) => Ok(bytes),
        Ok(None) => {
            let max = DOCUMENT_BYTES_MAX >> 20;
            Err(Failure::refused(format!("{name} is larger than {max} MiB")))
        }
        Err(error) => Err(Failure::unreachable(format!("Cannot read {name}: {error}"))),
    }
}

fn verdict(file: &Path, report: &Report) -> Result<(), Failure> {
    match report.faults_count {
        0 => Ok(()),
        1 => Err(Failure::refused(format!("{} has 1 fault", file.display()))),
        count => Err(Failure::refused(format!("{} has {count} faults", file.display()))),
    }
}

fn tell(file: &Path, report: &Report, terminal: Terminal) -> Result<(), Failure> {
    if terminal.json {
        return terminal.say(|_| String::new(), &object(file, report));
    }
    let paint = terminal.paint();
    let place = |finding: &Finding| match finding.pointer.as_str() {
        "" => "the whole document".to_owned(),
        pointer => pointer.to_owned(),
    };
    for fault in &report.faults {
        let word = paint.bad("fault  ");
        terminal.line(&format!("{word} {}: {}", paint.strong(&place(fault)), fault.sentence))?;
    }
    for warning in &report.warnings {
        let word = paint.warning("warning");
        terminal.line(&format!(
            "{word} {}: {}",
            paint.strong(&place(warning)),
            warning.sentence
        ))?;
    }
    let listed = report.faults.len();
    if report.faults_count > listed {
        terminal.line(&format!("... and {} more faults", report.faults_count - listed))?;
    }
    if let Some(found) = &report.genesis {
        let good = paint.good("good");
        let chain =
            format!("{good}    chain {} from height {}", found.chain_id, found.initial_height);
        terminal.line(&format!("{chain}, {}, hash {}", found.time, found.hash))?;
        if let Err(why) = &found.ours {
            terminal.line(&format!("        it cannot begin a chain here: {why}"))?;
        }
    }
    Ok(())
}

fn object(file: &Path, report: &Report) -> serde_json::Value {
    let genesis = report.genesis.as_ref();
    json!({
        "file": file.display().to_string(),
        "good": report.faults_count == 0,
        "hash": report.hash.to_string(),
        "chain_id": genesis.map(|found| found.chain_id.to_string()),
        "initial_height": genesis.map(|found| found.initial_height.to_string()),
        "time": genesis.map(|found| found.time.to_string()),
        "begins_a_chain_here": genesis.is_some_and(|found| found.ours.is_ok()),
        "faults_count": report.faults_count,
        "faults": report.faults,
        "warnings": report.warnings,
    })
}
