//! `node0 backup` and `node0 restore`: the log with its contents, and apart from it the keys.
//!
//! Does not copy anything: [`crate::backup`] does.

use std::path::PathBuf;

use clap::Args;
use evidence::{Keys, Storage};
use serde_json::json;
use sqlx::{PgPool, postgres::PgPoolOptions};

use super::{Failure, terminal::Terminal, verify};
use crate::{
    backup::{self, BackupError, Kept, Made, RestoreError, Restored},
    config::Config,
    database::{Database, Use},
    serve,
};

/// Connections of one verb.
const CONNECTIONS_MAX: u32 = 2;
/// Positions without content that are named.
const NAMED_MAX: usize = 5;

#[derive(Debug, Args)]
pub struct Backup {
    /// Where the log goes, with its contents: a folder or s3://bucket/folder; what is there already
    /// of the same log is not written again
    #[arg(long, value_name = "PLACE", required_unless_present = "keys")]
    to: Option<String>,
    /// The file that the keys go into, in place of what it was; keep it apart from the log
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
pub struct Restore {
    /// A backup, or what was published of the log: a folder or s3://bucket/folder
    #[arg(long, value_name = "PLACE", requires = "key", required_unless_present = "keys")]
    from_bundle: Option<String>,
    /// A verifier key of the log; may be given several times
    #[arg(long, value_name = "VKEY")]
    key: Vec<String>,
    /// The file that keeps what a server wrote where events were lost, and nobody signed; without
    /// it nothing is put back then
    #[arg(long, value_name = "FILE", requires = "from_bundle")]
    set_aside: Option<PathBuf>,
    /// The file with the keys
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

impl From<BackupError> for Failure {
    fn from(error: BackupError) -> Failure {
        match error {
            BackupError::Unsealed(_)
            | BackupError::Unsigned { .. }
            | BackupError::OtherLog(_)
            | BackupError::Missing { .. }
            | BackupError::Unverified(_) => Failure::refused(error),
            BackupError::Source(_) | BackupError::Storage(_) | BackupError::Database(_) => {
                Failure::unreachable(error)
            }
        }
    }
}

impl From<RestoreError> for Failure {
    fn from(error: RestoreError) -> Failure {
        match error {
            RestoreError::Source(_)
            | RestoreError::Storage(_)
            | RestoreError::Log(_)
            | RestoreError::Database(_) => Failure::unreachable(error),
            RestoreError::NoBundle(_)
            | RestoreError::Unsigned { .. }
            | RestoreError::Unverified(_)
            | RestoreError::Shorter { .. }
            | RestoreError::OtherLog(_)
            | RestoreError::File { .. }
            | RestoreError::Content { .. }
            | RestoreError::Import(_)
            | RestoreError::Blob(_)
            | RestoreError::ReadModel(_) => Failure::refused(error),
        }
    }
}

/// Makes a backup, beside a server or without one.
pub async fn make(arguments: &Backup, config: &Config) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let database = Database::open(config, "backup", Use::Shared).await?;
    let done = made(arguments, config, &database, terminal).await;
    database.close(Use::Shared).await?;
    done
}

async fn made(
    arguments: &Backup,
    config: &Config,
    database: &Database,
    terminal: Terminal,
) -> Result<(), Failure> {
    let pool = pool(database).await?;
    if let Some(place) = &arguments.to {
        let (published, keys) = serve::published(config, database).map_err(Failure::usage)?;
        let place = Storage::open(place).map_err(Failure::unreachable)?;
        let bar = terminal.bar(0, "events");
        let progress = |events| bar.set_position(events);
        let made = backup::make(&pool, (&published, &keys), &place, progress).await;
        bar.finish_and_clear();
        let made = made?;
        terminal.say(|_| bundle_sentence(&made, &place), &made)?;
    }
    if let Some(file) = &arguments.keys {
        let keys = backup::write_keys(&pool, file).await.map_err(Failure::unreachable)?;
        terminal.say(
            |_| {
                format!(
                    "{keys} keys are in {}, sealed under the master key, which is not: keep it as \
                     well. Keep both apart from the log, and no older file: whoever is erased \
                     from now on is in this one still",
                    file.display()
                )
            },
            &json!({ "keys": keys, "file": file }),
        )?;
    }
    pool.close().await;
    Ok(())
}

fn bundle_sentence(made: &Made, place: &Storage) -> String {
    let Made { manifest, pieces_written, contents_written, unpublished } = made;
    let mut said = format!(
        "{} events of {} are in {place} with {} contents, verified: their root is {}. Written now: \
         {pieces_written} pieces and {contents_written} contents",
        manifest.events, manifest.origin, manifest.contents, manifest.root
    );
    if *unpublished > 0 {
        said.push_str(&format!("; {unpublished} events were not published yet and are not in it"));
    }
    said
}

/// Puts a log and keys back. No server may be at work.
pub async fn restore(arguments: &Restore, config: &Config) -> Result<(), Failure> {
    let terminal = Terminal::new(arguments.json);
    let keys = match arguments.from_bundle.is_some() {
        true => verify::keys(&arguments.key)?,
        false => Keys::default(),
    };
    let database = Database::open(config, "restore", Use::Own).await?;
    database.migrate().await?;
    let done = restored(arguments, &keys, &database, terminal).await;
    database.close(Use::Own).await?;
    done
}

async fn restored(
    arguments: &Restore,
    keys: &Keys,
    database: &Database,
    terminal: Terminal,
) -> Result<(), Failure> {
    if let Some(place) = &arguments.from_bundle {
        let place = Storage::open(place).map_err(Failure::unreachable)?;
        let bar = terminal.bar(0, "events");
        let progress = |at, all| {
            bar.set_length(all);
            bar.set_position(at);
        };
        let aside = arguments.set_aside.as_deref();
        let restored = backup::restore(&database.log(), (&place, keys), aside, progress).await;
        bar.finish_and_clear();
        let restored = restored?;
        terminal.say(|paint| log_sentence(&restored, paint), &restored)?;
    }
    if let Some(file) = &arguments.keys {
        let pool = pool(database).await?;
        let kept = backup::restore_keys(&database.log(), &pool, file).await;
        pool.close().await;
        let kept = kept.map_err(Failure::refused)?;
        let Kept { keys, erased } = kept;
        terminal.say(
            |_| format!("{keys} keys are back; {erased} of persons who are erased are not"),
            &kept,
        )?;
    }
    Ok(())
}

fn log_sentence(restored: &Restored, paint: super::terminal::Paint) -> String {
    let Restored { origin, events, root, events_before, set_aside, contents, without_content } =
        restored;
    let added = events - events_before;
    let mut said = format!(
        "{}: {added} of the {events} events of {origin} were put back, {events_before} were there; \
         their root is {root}. {contents} contents are back",
        paint.good("restored")
    );
    if *set_aside > 0 {
        said.push_str(&format!("; {set_aside} events stood where others had stood, and are aside"));
    }
    if !without_content.is_empty() {
        let count = without_content.len();
        let some: Vec<String> =
            without_content.iter().take(NAMED_MAX).map(ToString::to_string).collect();
        said.push_str(&format!(
            "; {count} events name content that is not in the bundle, the first at {}: restore a \
             backup that has it as well",
            some.join(", ")
        ));
    }
    said
}

async fn pool(database: &Database) -> Result<PgPool, Failure> {
    let options = PgPoolOptions::new().max_connections(CONNECTIONS_MAX);
    options.connect(database.url()).await.map_err(Failure::unreachable)
}
