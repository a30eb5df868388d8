//! Check: read every event of a log and say what is wrong with it.
//!
//! Knows no appender and trusts no index: it would find what a broken appender left behind. Holds
//! the version of every stream and the id of every command while it runs, about 100 bytes an event.

use futures::TryStreamExt as _;
use sqlx::{PgPool, Row, postgres::PgRow};
use uuid::Uuid;

use crate::{
    archive::{self, Archive},
    error::StoreError,
    history::{History, Line},
};

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
/// columns say. The same of what is archived, whose columns are in the archive's index.
pub async fn check_log(
    pool: &PgPool,
    archive: Option<&dyn Archive>,
) -> Result<LogReport, StoreError> {
    let mut check = Check::default();
    check.archived(pool, archive).await?;
    loop {
        let rows = sqlx::query(
            "select e.position, e.version, s.stream, e.command, e.record
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
    check.report.streams = check.history.streams();
    check.report.commands = check.history.commands();
    Ok(check.report)
}

/// A row as it stands, nothing believed.
struct Stored {
    position: i64,
    version: i64,
    stream: Option<String>,
    command: Option<Uuid>,
    record: Vec<u8>,
}

impl Stored {
    fn read(row: &PgRow) -> Result<Stored, StoreError> {
        Stored::of_index(row, row.try_get(4)?)
    }

    fn of_index(row: &PgRow, record: Vec<u8>) -> Result<Stored, StoreError> {
        Ok(Stored {
            position: row.try_get(0)?,
            version: row.try_get(1)?,
            stream: row.try_get(2)?,
            command: row.try_get(3)?,
            record,
        })
    }
}

#[derive(Default)]
struct Check {
    report: LogReport,
    last: i64,
    history: History,
}

impl Check {
    async fn archived(
        &mut self,
        pool: &PgPool,
        archive: Option<&dyn Archive>,
    ) -> Result<(), StoreError> {
        let mut index = sqlx::query(
            "select p.position, a.last_version - cardinality(a.positions) + p.nth, s.stream,
                    r.command
               from archived_streams a
              cross join unnest(a.positions) with ordinality p (position, nth)
               left join streams s on s.no = a.stream_no
               left join archived_requests r on r.position = p.position
              order by p.position",
        )
        .fetch(pool);
        for object in archive::all(&mut *pool.acquire().await?).await? {
            let archive = archive.ok_or_else(|| object.unread("nobody said where it is"))?;
            let records = archive.records(&object, 0..object.blocks()).await?;
            for (position, record) in object.positions().zip(records) {
                if position > object.removed() {
                    return Ok(());
                }
                match index.try_next().await? {
                    Some(row) => self.row(&Stored::of_index(&row, record.to_vec())?),
                    None => self.report.fault(position, "it is archived, and in no index"),
                }
            }
        }
        Ok(())
    }

    fn row(&mut self, row: &Stored) {
        let position = row.position.unsigned_abs();
        self.report.events += 1;
        if row.position != self.last + 1 {
            let sentence = format!("positions {} to {} are missing", self.last + 1, position - 1);
            self.report.fault(position, sentence);
        }
        self.last = row.position;
        let line = match Line::of(&row.record) {
            Ok((line, _)) => line,
            Err(error) => return self.report.fault(position, error.to_string()),
        };
        self.compare(row, &line, position);
        let report = &mut self.report;
        let command = line.command;
        let is_first = self.history.take(line, |sentence| report.fault(position, sentence));
        // A row names the command on the first event of a request alone.
        let expected = is_first.then_some(command);
        if row.command != expected {
            let named = |command: Option<Uuid>| match command {
                Some(command) => format!("command {command}"),
                None => "no command".to_owned(),
            };
            let sentence = format!("its row names {}, not {}", named(row.command), named(expected));
            self.report.fault(position, sentence);
        }
    }

    /// The columns of a row say what its record says.
    fn compare(&mut self, row: &Stored, line: &Line, position: u64) {
        if Some(&*line.stream) != row.stream.as_deref() {
            let named = row.stream.as_deref().unwrap_or("a stream without a name");
            let sentence = format!("the record is of {}, its row of {named}", line.stream);
            self.report.fault(position, sentence);
        }
        if u64::try_from(row.version) != Ok(line.version) {
            let sentence =
                format!("the record is version {}, its row {}", line.version, row.version);
            self.report.fault(position, sentence);
        }
    }
}
