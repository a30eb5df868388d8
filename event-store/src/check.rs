//! Check: read every event of a log and say what is wrong with it.
//!
//! Knows no appender and trusts no index: it would find what a broken appender left behind. Holds
//! the version of every stream and the id of every command while it runs, about 100 bytes an event.

use std::collections::{HashMap, HashSet};

use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{canonical, error::StoreError, event::Record};

/// Events read at once.
const CHECK_PAGE_EVENTS: i64 = 5_000;
/// The most faults that are listed; all are counted.
pub const FAULTS_MAX: usize = 100;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogFault {
    /// The position at which it was noticed.
    pub position: u64,
    /// What is wrong there.
    pub sentence: String,
}

/// What a check found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LogReport {
    /// Events read.
    pub events: u64,
    /// Streams that have events.
    pub streams: u64,
    /// Commands that left events behind.
    pub commands: u64,
    /// The first [`FAULTS_MAX`] faults, in the order of their positions.
    pub faults: Vec<LogFault>,
    /// How many faults there are.
    pub faults_count: u64,
}

impl LogReport {
    /// Whether every promise that can be read off the rows is kept.
    pub fn is_sound(&self) -> bool {
        self.faults_count == 0
    }

    fn fault(&mut self, position: u64, sentence: impl Into<String>) {
        self.faults_count += 1;
        if self.faults.len() < FAULTS_MAX {
            self.faults.push(LogFault { position, sentence: sentence.into() });
        }
    }
}

/// Reads the whole log: positions without a gap up to the head, versions without a gap in every
/// stream, each command once and its events together, records in RFC 8785 form that say what their
/// columns say.
pub async fn check_log(pool: &PgPool) -> Result<LogReport, StoreError> {
    let mut check = Check::default();
    loop {
        let rows = sqlx::query(
            "select e.position, e.version, e.stream_no, s.stream, e.command, e.record
               from events e left join streams s on s.no = e.stream_no
              where e.position > $1 order by e.position limit $2",
        )
        .bind(check.last)
        .bind(CHECK_PAGE_EVENTS)
        .fetch_all(pool)
        .await?;
        if rows.is_empty() {
            break;
        }
        for row in &rows {
            check.row(&Stored::read(row)?);
        }
    }
    let head: i64 = sqlx::query("select position from head").fetch_one(pool).await?.try_get(0)?;
    if head != check.last {
        let sentence = format!("the head says {head}, the last event is at {}", check.last);
        check.report.fault(check.last.unsigned_abs(), sentence);
    }
    check.report.streams = check.versions.len() as u64;
    check.report.commands = check.commands.len() as u64;
    Ok(check.report)
}

/// A row as it stands, nothing believed.
struct Stored {
    position: i64,
    version: i64,
    stream_no: i64,
    stream: Option<String>,
    command: Option<Uuid>,
    record: Vec<u8>,
}

impl Stored {
    fn read(row: &PgRow) -> Result<Stored, StoreError> {
        Ok(Stored {
            position: row.try_get(0)?,
            version: row.try_get(1)?,
            stream_no: row.try_get(2)?,
            stream: row.try_get(3)?,
            command: row.try_get(4)?,
            record: row.try_get(5)?,
        })
    }
}

#[derive(Default)]
struct Check {
    report: LogReport,
    last: i64,
    versions: HashMap<i64, i64>,
    commands: HashSet<Uuid>,
    /// The command and the stream of the event before: what follows it without a command is its
    /// own.
    current: Option<(Uuid, i64)>,
}

impl Check {
    fn row(&mut self, row: &Stored) {
        let position = row.position.unsigned_abs();
        self.report.events += 1;
        if row.position != self.last + 1 {
            let sentence = format!("positions {} to {} are missing", self.last + 1, position - 1);
            self.report.fault(position, sentence);
        }
        self.last = row.position;
        let version = self.versions.entry(row.stream_no).or_default();
        if row.version != *version + 1 {
            let sentence =
                format!("stream {} goes from version {version} to {}", row.stream_no, row.version);
            self.report.fault(position, sentence);
        }
        *version = row.version;
        self.command(row, position);
        self.record(row, position);
    }

    fn command(&mut self, row: &Stored, position: u64) {
        match (row.command, self.current) {
            (Some(command), _) => {
                if !self.commands.insert(command) {
                    self.report.fault(position, format!("command {command} stands here again"));
                }
                self.current = Some((command, row.stream_no));
            }
            (None, Some((_, stream_no))) if stream_no == row.stream_no => {}
            (None, _) => {
                self.current = None;
                self.report.fault(position, "the event belongs to no command");
            }
        }
    }

    fn record(&mut self, row: &Stored, position: u64) {
        let record = match Record::parse(&row.record) {
            Ok(record) => record,
            Err(error) => return self.report.fault(position, error.to_string()),
        };
        match canonical::canonicalise(row.record.clone()) {
            Ok(text) if text.as_bytes() == row.record => {}
            Ok(_) => self.report.fault(position, "the record is not in RFC 8785 form"),
            Err(error) => self.report.fault(position, error.to_string()),
        }
        if Some(record.stream) != row.stream.as_deref() {
            let named = row.stream.as_deref().unwrap_or("a stream without a name");
            let sentence = format!("the record is of {}, its row of {named}", record.stream);
            self.report.fault(position, sentence);
        }
        if record.version != row.version.to_string() {
            let sentence =
                format!("the record is version {}, its row {}", record.version, row.version);
            self.report.fault(position, sentence);
        }
        if self.current.is_some_and(|(command, _)| command != record.command) {
            let sentence = format!("the record is of command {}, its row is not", record.command);
            self.report.fault(position, sentence);
        }
    }
}
