//! `node0 import`: takes in what others have signed.
//!
//! Does not verify: the domain does. Shows how far it is, and what was refused.

use clap::{Args, Subcommand};
use commands::{Actor, Commands, CommandsOptions, Role};
use domain::{
    chain::EPOCH_HEADERS_DEFAULT,
    light::LightBlock,
    values::{ChainId, Hash},
};
use event_store::EventStore;
use serde_json::json;

use super::{
    ACTOR, Failure,
    terminal::{Paint, Terminal},
};
use crate::{
    config::Config,
    database::{Database, Use},
    import::{self, ARCHIVE_TRUSTING_PERIOD_S, ImportError, ImportOptions, ImportSummary},
};

#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Verify and record signed headers of a foreign CometBFT chain; safe to run again
    Headers(Headers),
}

/// Which headers, and how far they are trusted.
#[derive(Debug, Args)]
pub struct Headers {
    /// The chain whose headers they are
    #[arg(long)]
    chain: ChainId,
    /// Files of signed headers with their validator sets: JSON arrays, or one document a line
    #[arg(required = true, value_name = "FILE")]
    files: Vec<String>,
    /// The hash the first header must have when the chain is new here [default: trust it as it is]
    #[arg(long, value_name = "HASH")]
    trust_hash: Option<Hash>,
    /// For how many seconds after its time a header can be relied on [default: an archive's]
    #[arg(long, value_name = "SECONDS", default_value_t = ARCHIVE_TRUSTING_PERIOD_S,
          hide_default_value = true)]
    trusting_period: u32,
    /// How many heights go into one stream
    #[arg(long, value_name = "HEIGHTS", default_value_t = EPOCH_HEADERS_DEFAULT)]
    epoch_headers: u32,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl From<ImportError> for Failure {
    fn from(error: ImportError) -> Failure {
        match error {
            ImportError::Store(error) => Failure::unreachable(error),
            ImportError::File { .. } | ImportError::TooLarge { .. } | ImportError::Parse { .. } => {
                Failure::refused(error)
            }
        }
    }
}

pub async fn run(verb: Verb, config: &Config) -> Result<(), Failure> {
    let Verb::Headers(arguments) = verb;
    // Every file is read before anything is recorded: a wrong name costs nothing.
    let mut blocks = Vec::new();
    for file in &arguments.files {
        blocks.extend(import::read_file(file)?);
    }
    let database = Database::open(config, "import headers", Use::Shared).await?;
    let imported = open_and_import(&database, &arguments, blocks).await;
    database.close(Use::Shared).await?;
    imported
}

async fn open_and_import(
    database: &Database,
    arguments: &Headers,
    blocks: Vec<LightBlock>,
) -> Result<(), Failure> {
    database.migrate().await?;
    let store = EventStore::open(database.log()).await?;
    let commands = Commands::new(store.clone(), CommandsOptions::default());
    let options = ImportOptions {
        chain: arguments.chain.clone(),
        epoch_headers: arguments.epoch_headers,
        trusting_period_s: arguments.trusting_period,
        trust_hash: arguments.trust_hash,
    };
    let imported = with_progress(&commands, &options, blocks, Terminal::new(arguments.json)).await;
    store.close().await;
    imported
}

/// Imports with a progress bar where somebody is looking, and sums up. A header that was not
/// recorded makes the import a failure.
pub(crate) async fn with_progress(
    commands: &Commands,
    options: &ImportOptions,
    blocks: Vec<LightBlock>,
    terminal: Terminal,
) -> Result<(), Failure> {
    let actor = Actor::new(ACTOR, Role::SuperAdmin);
    let bar = terminal.bar(blocks.len() as u64, "headers");
    let summary = import::headers(commands, &actor, options, blocks, |summary| {
        bar.set_position(summary.read)
    })
    .await;
    bar.finish_and_clear();
    let summary = summary?;
    let object = json!({ "chain": options.chain, "summary": summary });
    terminal.say(|paint| sentence(&options.chain, &summary, paint), &object)?;
    match summary.stopped {
        None => Ok(()),
        Some(stopped) => Err(Failure::refused(format!(
            "stopped at height {}: {}. Everything before it stands; put it right and run this again.",
            stopped.height, stopped.reason
        ))),
    }
}

fn sentence(chain: &ChainId, summary: &ImportSummary, paint: Paint) -> String {
    let recorded = paint.good(&format!("{} verified and recorded", summary.recorded));
    let mut text = format!("{chain}: {} headers read, {recorded}", summary.read);
    if summary.known > 0 {
        text += &format!(", {} recorded before", summary.known);
    }
    if summary.stopped.is_some() {
        text += &format!(", {}", paint.bad("1 refused"));
    }
    text
}
