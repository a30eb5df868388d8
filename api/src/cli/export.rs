//! `node0 export`: events of a published log as files, with what proves them.
//!
//! Needs no database of ours: whoever may read the log may export it.

use std::path::PathBuf;

use clap::Args;
use evidence::Source;
use serde_json::json;
use uuid::Uuid;

use super::{Failure, terminal::Terminal, token, verify};
use crate::export::{self, ExportError, Format, Manifest, Query};

#[derive(Debug, Args)]
pub struct Arguments {
    /// The log: a folder, or the address below which it is served
    #[arg(value_name = "LOG")]
    source: String,
    /// A verifier key of the log, or of somebody who cosigns it; may be given several times
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<String>,
    /// The folder that the files go into; an export that was interrupted goes on there
    #[arg(long, value_name = "FOLDER")]
    to: PathBuf,
    /// The form of the files
    #[arg(long, value_enum, default_value_t = Format::Ndjson)]
    format: Format,
    /// Only this stream (may be repeated)
    #[arg(long, value_name = "NAME")]
    stream: Vec<String>,
    /// Only streams of this category, e.g. validator (may be repeated)
    #[arg(long, value_name = "NAME")]
    category: Vec<String>,
    /// Only this type, e.g. header-observed.v1 (may be repeated)
    #[arg(long = "type", value_name = "NAME")]
    event_type: Vec<String>,
    /// Only what belongs to this story, by its correlation id
    #[arg(long, value_name = "ID")]
    correlation: Option<Uuid>,
    /// Only what stands after this position
    #[arg(long, value_name = "POSITION", default_value_t = 0)]
    after: u64,
    /// Only what stands up to this position
    #[arg(long, value_name = "POSITION")]
    until: Option<u64>,
    /// The file with the token for an address that asks for one; else the variable NODE0_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl From<ExportError> for Failure {
    fn from(error: ExportError) -> Failure {
        match error {
            ExportError::Unverified(evidence::Failure::Unread(error)) => {
                Failure::unreachable(error)
            }
            ExportError::Unpublished | ExportError::File { .. } => Failure::unreachable(error),
            ExportError::Other(_) => Failure::usage(error),
            ExportError::Unsigned(_) | ExportError::Unverified(_) | ExportError::Form { .. } => {
                Failure::refused(error)
            }
        }
    }
}

pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let keys = verify::keys(&arguments.keys)?;
    let token = token(arguments.token_file.as_deref())?;
    let source = Source::of(&arguments.source, token.as_deref()).map_err(Failure::usage)?;
    let query = Query {
        format: arguments.format,
        streams: arguments.stream.clone(),
        categories: arguments.category.clone(),
        types: arguments.event_type.clone(),
        correlation: arguments.correlation,
        after: arguments.after,
        until: arguments.until,
    };
    let bar = terminal.bar(0, "entries");
    let progress = |at, all| {
        bar.set_length(all);
        bar.set_position(at);
    };
    let manifest = export::export(&source, &keys, query, &arguments.to, progress).await;
    bar.finish_and_clear();
    let Manifest { origin, size, root, events, parts, receipts, .. } = manifest?;
    let place = arguments.to.display();
    let files = parts.len() + receipts.len();
    terminal.say(
        |paint| {
            let exported = paint.good("exported");
            let proofs = match receipts.is_empty() {
                true => "they prove themselves by the root that is signed",
                false => "each has a receipt",
            };
            format!(
                "{exported} {events} of the {size} events of {origin} into {files} files in \
                 {place}: {proofs}. `node0 verify {place} --key ...` verifies them"
            )
        },
        &json!({
            "origin": origin, "size": size, "root": root, "events": events, "files": files,
            "receipts": !receipts.is_empty(),
        }),
    )
}
