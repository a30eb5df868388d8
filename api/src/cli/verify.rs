//! `node0 verify`: whether a published log is what it has signed, and its records are whole.
//!
//! Needs neither a database nor a server of ours: the formats are those of the C2SP.

mod resumed;

use std::path::{Path, PathBuf};

use clap::Args;
use evidence::{CHECKPOINT, Checkpoint, Failure as Unverified, Keys, Nobody, Report, Source};
use serde::Serialize;
use serde_json::json;

use super::{
    Failure,
    terminal::{Paint, Terminal},
    token,
};
use crate::{
    audit::{Decided, Records, Semantics},
    export,
};
use resumed::Resumed;

#[derive(Debug, Args)]
pub struct Arguments {
    /// The log: a folder, or the address below which it is served; or the folder of an export
    #[arg(value_name = "LOG")]
    source: String,
    /// A verifier key of the log, or of somebody who cosigns it; may be given several times
    #[arg(long = "key", value_name = "VKEY", required = true)]
    keys: Vec<String>,
    /// The checkpoint to verify; the log's own when none is named
    #[arg(long, value_name = "FILE")]
    checkpoint: Option<PathBuf>,
    /// An older checkpoint that the log must go on from; may be given several times
    #[arg(long, value_name = "FILE")]
    older: Vec<PathBuf>,
    /// How many of those who cosign must have, at least
    #[arg(long, value_name = "COUNT", default_value_t = 0)]
    cosigned: usize,
    /// Decide again what can be decided: signatures, sets, commits, blocks with their state roots,
    /// the supply. Needs the contents that events name: a backup has them, and an address
    #[arg(long, conflicts_with_all = ["foreign", "resume"])]
    semantics: bool,
    /// Go on where this file says that it stood, and keep there how far it is
    #[arg(long, value_name = "FILE", conflicts_with = "foreign")]
    resume: Option<PathBuf>,
    /// The log is not one of ours: its entries are bytes, and nothing is asked of what they say
    #[arg(long)]
    foreign: bool,
    /// The file with the token for an address that asks for one; else the variable NODE0_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

pub async fn run(arguments: &Arguments) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let keys = keys(&arguments.keys)?;
    let folder = Path::new(&arguments.source);
    if export::is_export(folder) {
        return verify_export(folder, &keys, arguments, terminal);
    }
    let token = token(arguments.token_file.as_deref())?;
    let source = Source::of(&arguments.source, token.as_deref()).map_err(Failure::usage)?;
    let checkpoint = match &arguments.checkpoint {
        Some(file) => read(file)?,
        None => match source.get(CHECKPOINT).await.map_err(Failure::unreachable)? {
            Some(bytes) => bytes.into(),
            None => {
                let log = &arguments.source;
                return Err(Failure::unreachable(format!("There is no checkpoint in {log}")));
            }
        },
    };
    match verified(&source, &checkpoint, &keys, arguments, terminal).await {
        Ok((report, records, decided)) => {
            let (records, decided) = (records.as_ref(), decided.as_ref());
            let object = Verified { verified: true, report: &report, records, decided };
            terminal.say(|paint| sentence(&report, records, decided, paint), &object)
        }
        Err(Wrong::Found(found)) => refused(arguments, terminal, &found),
        Err(Wrong::Ends(failure)) => Err(failure),
    }
}

/// Whether an export is what it says.
fn verify_export(
    folder: &Path,
    keys: &Keys,
    arguments: &Arguments,
    terminal: Terminal,
) -> Result<(), Failure> {
    let found = export::verify(folder, keys).and_then(|verified| {
        is_cosigned(&verified.cosigned_by, arguments.cosigned).map(|()| verified)
    });
    match found {
        Ok(verified) => {
            let mut object = serde_json::to_value(&verified).map_err(Failure::refused)?;
            object["verified"] = true.into();
            let export::Verified { events, size, origin, files, root, signed_by, .. } = verified;
            let said = |paint: Paint| {
                let (verified, signed_by) = (paint.good("verified"), signed_by.join(", "));
                format!(
                    "{verified} {events} events, in {files} files, of the {size} of {origin}: \
                     their root is {root}, signed by {signed_by}"
                )
            };
            terminal.say(said, &object)
        }
        Err(found) => refused(arguments, terminal, &found),
    }
}

/// Says what is wrong.
fn refused(arguments: &Arguments, terminal: Terminal, found: &str) -> Result<(), Failure> {
    if terminal.json {
        terminal.say(|_| String::new(), &json!({ "verified": false, "found": found }))?;
    }
    Err(Failure::refused(format!("{} is not verified: {found}", arguments.source)))
}

/// What is said of a log that is verified.
#[derive(Serialize)]
struct Verified<'r> {
    verified: bool,
    #[serde(flatten)]
    report: &'r Report,
    /// None for a log of others.
    records: Option<&'r Said>,
    /// None where nothing was to be decided again.
    #[serde(skip_serializing_if = "Option::is_none")]
    decided: Option<&'r Decided>,
}

/// What the records of a log of ours say.
#[derive(Serialize)]
struct Said {
    streams: u64,
    commands: u64,
}

/// Why there is no report.
enum Wrong {
    /// This is wrong with the log.
    Found(String),
    /// It could not be looked at.
    Ends(Failure),
}

async fn verified(
    source: &Source,
    checkpoint: &[u8],
    keys: &Keys,
    arguments: &Arguments,
    terminal: Terminal,
) -> Result<(Report, Option<Said>, Option<Decided>), Wrong> {
    let open = |name: &str, bytes: &[u8]| {
        Checkpoint::open(bytes, keys).map_err(|fault| Wrong::Found(format!("{name}: {fault}")))
    };
    let now = open("the checkpoint", checkpoint)?;
    is_cosigned(&now.cosigned_by, arguments.cosigned).map_err(Wrong::Found)?;
    let mut older = Vec::with_capacity(arguments.older.len());
    for file in &arguments.older {
        let bytes = read(file).map_err(Wrong::Ends)?;
        older.push(open(&file.display().to_string(), &bytes)?);
    }
    let bar = terminal.bar(now.size, "entries");
    let progress = |entries| bar.set_position(entries);
    let said =
        |records: &Records| Said { streams: records.streams(), commands: records.commands() };
    let verified = if arguments.foreign {
        let report = evidence::verify(source, &now, &older, &mut Nobody, progress).await;
        report.map(|report| (report, None, None)).map_err(Wrong::from)
    } else if arguments.semantics {
        let mut semantics = Semantics::of(source.clone());
        let report = evidence::verify(source, &now, &older, &mut semantics, progress).await;
        report.map_err(Wrong::from).and_then(|report| {
            let (records, decided) = semantics.finished().map_err(Wrong::Found)?;
            Ok((report, Some(said(&records)), Some(decided)))
        })
    } else {
        let resumed = Resumed::of(arguments.resume.as_deref(), &now.origin).map_err(Wrong::Ends)?;
        let verified = resumed.verify(source, &now, &older, progress).await;
        verified.map(|(report, records)| (report, Some(said(&records)), None))
    };
    bar.finish_and_clear();
    verified
}

impl From<Unverified> for Wrong {
    fn from(failure: Unverified) -> Wrong {
        match failure {
            Unverified::Found(found) => Wrong::Found(found.to_string()),
            Unverified::Unread(error) => Wrong::Ends(Failure::unreachable(error)),
        }
    }
}

/// The keys that were given.
pub(super) fn keys(given: &[String]) -> Result<Keys, Failure> {
    Keys::parse(given).map_err(|error| Failure::usage(format!("A key is no verifier key: {error}")))
}

/// Whether as many have cosigned as must have.
pub(super) fn is_cosigned(cosigned_by: &[String], least: usize) -> Result<(), String> {
    match cosigned_by.len() {
        count if count >= least => Ok(()),
        count => Err(format!("{count} of the given witnesses have cosigned it, and {least} must")),
    }
}

pub(super) fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    std::fs::read(file)
        .map_err(|error| Failure::unreachable(format!("Cannot read {}: {error}", file.display())))
}

fn sentence(
    report: &Report,
    records: Option<&Said>,
    decided: Option<&Decided>,
    paint: Paint,
) -> String {
    let Report { origin, entries, entry_bytes, tiles, root, signed_by, cosigned_by, older } =
        report;
    let mut said = format!(
        "{} {entries} entries ({entry_bytes} bytes) of {origin} in {tiles} tiles: their root is \
         {root}, signed by {}",
        paint.good("verified"),
        signed_by.join(", ")
    );
    if let Some(Said { streams, commands }) = records {
        said.push_str(&format!("; they are {streams} streams and {commands} commands, whole"));
    }
    if let Some(Decided { transactions, said: words, blocks, headers, headers_undecided, supply }) =
        decided
    {
        said.push_str(&format!(
            "; decided again: {transactions} transactions, {words} words at heights, {blocks} \
             blocks executed, {headers} headers of others ({headers_undecided} more whose set is \
             not in the log)"
        ));
        if let Some(supply) = supply {
            said.push_str(&format!(", a supply of {supply}"));
        }
    }
    if !cosigned_by.is_empty() {
        said.push_str(&format!(", cosigned by {}", cosigned_by.join(", ")));
    }
    if !older.is_empty() {
        let sizes: Vec<String> = older.iter().map(ToString::to_string).collect();
        said.push_str(&format!("; it goes on from {} entries", sizes.join(", ")));
    }
    said
}
