//! Import: signed headers of a foreign chain, from files, verified and recorded one after the
//! other.
//!
//! Does not know the light client's rules, nor how progress is shown.

use commands::{Actor, CommandError, Commands, RequestContext};
use domain::{
    chain::{Chain, Refusal},
    light::{self, LightBlock},
    values::{ChainId, Hash, Height},
};
use event_store::StoreError;
use serde::Serialize;
use thiserror::Error;
use uuid::Uuid;

/// The largest file of headers in bytes.
pub const IMPORT_FILE_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// For how many seconds an archive's header can be relied on: a hundred years. Whoever imports an
/// archive from its beginning trusts the anchor, not the age of the headers.
pub const ARCHIVE_TRUSTING_PERIOD_S: u32 = 3_153_600_000;

/// How headers are imported.
#[derive(Clone, Debug)]
pub struct ImportOptions {
    /// The chain whose headers are expected.
    pub chain: ChainId,
    /// How many heights go into one stream.
    pub epoch_headers: u32,
    /// For how many seconds after its time a header can be relied on.
    pub trusting_period_s: u32,
    /// The hash that the first header must have, when the chain is not known yet.
    pub trust_hash: Option<Hash>,
}

/// What an import did.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct ImportSummary {
    /// Headers looked at.
    pub read: u64,
    /// Headers verified and recorded now.
    pub recorded: u64,
    /// Headers that had been recorded before.
    pub known: u64,
    /// Where it stopped, if it did.
    pub stopped: Option<Stopped>,
}

/// Why an import stopped. Everything before stands.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Stopped {
    /// The height of the header.
    pub height: Height,
    /// Its hash.
    pub hash: Hash,
    /// Why it was not recorded.
    pub reason: String,
}

/// Why a file could not be imported at all.
#[derive(Debug, Error)]
pub enum ImportError {
    /// The file cannot be read.
    #[error("{file} cannot be read: {source}")]
    File {
        /// The file.
        file: String,
        /// The system's words.
        source: std::io::Error,
    },
    /// The file is larger than can be held.
    #[error("{file} has {bytes} bytes, more than {IMPORT_FILE_BYTES_MAX}: split it")]
    TooLarge {
        /// The file.
        file: String,
        /// Its size.
        bytes: u64,
    },
    /// The file does not hold signed headers.
    #[error("{file} does not hold signed headers: {fault}")]
    Parse {
        /// The file.
        file: String,
        /// Where and why.
        fault: light::ParseFault,
    },
    /// The log is away.
    #[error(transparent)]
    Store(StoreError),
}

/// Reads a file of signed headers: a JSON array, or one JSON document a line.
pub fn read_file(file: &str) -> Result<Vec<LightBlock>, ImportError> {
    let unreadable = |source| ImportError::File { file: file.to_owned(), source };
    let bytes = std::fs::metadata(file).map_err(unreadable)?.len();
    if bytes > IMPORT_FILE_BYTES_MAX {
        return Err(ImportError::TooLarge { file: file.to_owned(), bytes });
    }
    let text = std::fs::read_to_string(file).map_err(unreadable)?;
    light::parse(&text).map_err(|fault| ImportError::Parse { file: file.to_owned(), fault })
}

/// Verifies and records headers in the order given; `seen` is called after each. Stops at the first
/// that is not recorded; what stands before it stays. Headers recorded before change nothing, so an
/// import that was cut off is simply run again.
pub async fn headers(
    commands: &Commands,
    actor: &Actor,
    options: &ImportOptions,
    blocks: Vec<LightBlock>,
    mut seen: impl FnMut(&ImportSummary),
) -> Result<ImportSummary, ImportError> {
    let correlation = Uuid::now_v7();
    let mut summary = ImportSummary::default();
    let newest = commands.newest_stream(&options.chain).await.map_err(ImportError::Store)?;
    let mut begun =
        commands.aggregate::<Chain>(&newest).await.map_err(ImportError::Store)?.is_some();
    for block in blocks {
        let (height, hash) = (block.signed_header.height(), block.signed_header.hash());
        let context = RequestContext { correlation, ..RequestContext::new(actor.clone()) };
        let answer = if begun {
            commands.observe_header(&options.chain, block, context).await
        } else if let Some(reason) = anchor_fault(options, &block) {
            summary.stopped = Some(Stopped { height, hash, reason });
            return Ok(summary);
        } else {
            let (headers, period) = (options.epoch_headers, options.trusting_period_s);
            commands.start_observation(block, headers, period, context).await
        };
        begun = true;
        summary.read += 1;
        match answer {
            Ok(outcome) if outcome.events.is_empty() => summary.known += 1,
            Ok(outcome) => match rejection(&outcome) {
                None => summary.recorded += 1,
                Some(reason) => summary.stopped = Some(Stopped { height, hash, reason }),
            },
            Err(error) => {
                let reason = refusal(error)?;
                summary.stopped = Some(Stopped { height, hash, reason });
            }
        }
        seen(&summary);
        if summary.stopped.is_some() {
            break;
        }
    }
    Ok(summary)
}

/// Why a header may not become the anchor of this import.
fn anchor_fault(options: &ImportOptions, block: &LightBlock) -> Option<String> {
    let header = &block.signed_header;
    if *header.chain_id() != options.chain {
        return Some(format!("it is of chain {}, not {}", header.chain_id(), options.chain));
    }
    let trusted = options.trust_hash.filter(|trusted| *trusted != header.hash())?;
    Some(format!("the trusted hash is {trusted}, this header's is {}", header.hash()))
}

/// The reason in a recorded rejection.
fn rejection(outcome: &commands::Outcome) -> Option<String> {
    let rejected = outcome.events.iter().find(|event| event.event_type == "header-rejected.v1")?;
    let data: serde_json::Value = serde_json::from_str(rejected.data.get()).ok()?;
    data["reason"].as_str().map(str::to_owned)
}

/// The words of a refusal; an outage is not one.
fn refusal(error: CommandError<Refusal>) -> Result<String, ImportError> {
    match error {
        CommandError::Unavailable(error) => Err(ImportError::Store(error)),
        CommandError::Refused(_)
        | CommandError::Stale { .. }
        | CommandError::Conflict { .. }
        | CommandError::KeyReused
        | CommandError::Forbidden { .. }
        | CommandError::NotOwn { .. }
        | CommandError::Invalid(_)
        | CommandError::Unknown { .. } => Ok(error.to_string()),
    }
}
