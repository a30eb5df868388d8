//! A verification that goes on where it stood: what was verified is kept in a file, with what the
//! records before must be compared with.
//!
//! Whoever can write that file can keep records from being judged; the root that is signed comes
//! out of it all the same, or nothing is verified.

use std::{
    fs::{self, File},
    io::{self, BufRead as _, BufReader, BufWriter, Write as _},
    path::{Path, PathBuf},
};

use event_store::history::History;
use evidence::{Checkpoint, Report, Source, Standing};
use serde::{Deserialize, Serialize};

use super::{Failure, Wrong};
use crate::audit::Records;

/// The form of the file.
const FORMAT: &str = "node0.verified/1";
/// After how many entries it is kept.
const KEPT_ENTRIES: u64 = 1 << 20;

/// How a verification stood.
pub struct Resumed<'f> {
    file: Option<&'f Path>,
    origin: String,
    standing: Standing,
    records: Records,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Head {
    format: String,
    origin: String,
    standing: Standing,
}

impl<'f> Resumed<'f> {
    /// What a file says of a log; its beginning where there is none yet.
    pub fn of(file: Option<&'f Path>, origin: &str) -> Result<Resumed<'f>, Failure> {
        let (standing, records) = (Standing::default(), Records::default());
        let begun = Resumed { file, origin: origin.to_owned(), standing, records };
        let Some(path) = file else { return Ok(begun) };
        let (head, history) = match read(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(begun),
            found => found.map_err(|error| {
                let path = path.display();
                Failure::usage(format!("{path} is not what a verification has kept: {error}"))
            })?,
        };
        if head.format != FORMAT || head.origin != origin {
            let (path, other) = (path.display(), head.origin);
            return Err(Failure::usage(format!("{path} is of {other}, and the log is {origin}")));
        }
        Ok(Resumed { standing: head.standing, records: Records::from(history), ..begun })
    }

    /// Verifies the rest, and keeps how far it is.
    pub async fn verify(
        mut self,
        source: &Source,
        now: &Checkpoint,
        older: &[Checkpoint],
        progress: impl Fn(u64),
    ) -> Result<(Report, Records), Wrong> {
        let from = self.standing.clone();
        let (mut at, mut failed) = (from.entries, None);
        let stands = |standing: &Standing, records: &Records| {
            progress(standing.entries);
            let (Some(file), None) = (self.file, &failed) else { return };
            // The last one is kept as well: a full bundle, or what comes before one that is not.
            let is_last = now.size - standing.entries < evidence::WIDTH;
            if standing.entries - at >= KEPT_ENTRIES || is_last {
                at = standing.entries;
                failed = keep(file, &self.origin, standing, records).err();
            }
        };
        let judge = (&mut self.records, from);
        let report = evidence::verify_on(source, now, older, judge, stands).await?;
        if let (Some(file), Some(error)) = (self.file, failed) {
            let file = file.display();
            return Err(Wrong::Ends(Failure::unreachable(format!("{file}: {error}"))));
        }
        Ok((report, self.records))
    }
}

fn read(path: &Path) -> io::Result<(Head, History)> {
    let mut from = BufReader::new(File::open(path)?);
    let mut line = Vec::new();
    from.read_until(b'\n', &mut line)?;
    Ok((serde_json::from_slice(&line)?, History::read(&mut from)?))
}

/// Whole, or as it was.
fn keep(path: &Path, origin: &str, standing: &Standing, records: &Records) -> io::Result<()> {
    let beside: PathBuf = path.with_extension("new");
    let mut to = BufWriter::new(File::create(&beside)?);
    let (format, origin) = (FORMAT.to_owned(), origin.to_owned());
    serde_json::to_writer(&mut to, &Head { format, origin, standing: standing.clone() })?;
    to.write_all(b"\n")?;
    records.history().write(&mut to)?;
    to.into_inner()?.sync_all()?;
    fs::rename(&beside, path)
}
