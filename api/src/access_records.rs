//! Access records: who came in, and who was refused; when, from where, with which outcome.
//!
//! Telemetry with a retention: written after the answer, so up to a second of it may be lost in a
//! crash, and up to a minute of how often a key was used again for the same thing. That sessions
//! began and ended is in the log.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use ::projections::{Numbered, Order, PageError, PageOf, PageRequest, ReadError, decimal};
use chrono::{DateTime, Utc};
use commands::Commands;
use domain::values::Moment;
use event_store::StoreError;
use serde::Serialize;
use sqlx::{PgPool, Postgres, QueryBuilder};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use utoipa::ToSchema;

/// How often records are written, in milliseconds.
const WRITTEN_EVERY_MS: u64 = 1_000;
/// For how long further uses of a key for the same thing are gathered, in milliseconds: validators
/// show theirs many times a second.
const REPEATS_MS: u64 = 60_000;
/// How many wait to be written at most; more are counted and not kept.
const WAITING_MAX: usize = 16_384;
/// How often old ones are forgotten, in seconds.
const SWEPT_EVERY_S: u64 = 3_600;

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = AccessOutcome)]
pub enum Outcome {
    /// They came in.
    Allowed,
    /// They were refused.
    Refused,
}

impl Outcome {
    /// Both.
    pub const ALL: [Outcome; 2] = [Outcome::Allowed, Outcome::Refused];

    /// Its name.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Allowed => "allowed",
            Outcome::Refused => "refused",
        }
    }
}

/// Something that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Access {
    /// From where.
    pub address: String,
    /// The API key that was shown.
    pub api_key: Option<String>,
    /// What was asked for.
    pub operation: &'static str,
    /// What became of it.
    pub outcome: Outcome,
    /// Who; none for who did not prove to be anybody.
    pub principal: Option<String>,
    /// Why it was refused.
    pub problem: Option<&'static str>,
}

impl Access {
    /// Whether somebody used a key, and was let in.
    fn is_use(&self) -> bool {
        self.outcome == Outcome::Allowed && self.api_key.is_some()
    }
}

/// The same thing, asked for once or several times: a refusal or a sign-in within a second, another
/// use of a key within a minute.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct AccessRecord {
    /// Its number: later ones have higher ones.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub id: u64,
    /// When first.
    pub first_at: Moment,
    /// When last.
    pub last_at: Moment,
    /// How often.
    pub count: u32,
    /// Who; null for who did not prove to be anybody.
    pub principal: Option<String>,
    /// The API key that was shown, by its public half.
    pub api_key: Option<String>,
    /// From where.
    #[schema(example = "192.0.2.7")]
    pub address: String,
    /// What was asked for: an `operationId` of this document.
    #[schema(example = "login")]
    pub operation: String,
    /// What became of it: `allowed` or `refused`.
    pub outcome: String,
    /// Why it was refused: the last part of a problem's type.
    #[schema(example = "not-permitted")]
    pub problem: Option<String>,
}

/// From where, as it is recorded.
pub fn place(address: Option<IpAddr>) -> String {
    address.map_or_else(|| "nowhere".to_owned(), |address| address.to_string())
}

/// Who keeps records.
#[derive(Debug)]
pub struct Recorder {
    waiting: mpsc::Sender<(Access, DateTime<Utc>)>,
    lost: AtomicU64,
}

impl Recorder {
    /// Writes into this database until the server closes, and keeps what is not older than this,
    /// and whatever is of those on whom a legal hold lies.
    pub fn start(
        pool: PgPool,
        kept: Duration,
        commands: Commands,
        closing: CancellationToken,
    ) -> Recorder {
        let (waiting, written) = mpsc::channel(WAITING_MAX);
        tokio::spawn(write(pool, written, (kept, commands), closing));
        Recorder { waiting, lost: AtomicU64::new(0) }
    }

    /// Records something, after the answer.
    pub fn record(&self, access: Access) {
        if self.waiting.try_send((access, Utc::now())).is_err() {
            let lost = self.lost.fetch_add(1, Ordering::Relaxed) + 1;
            if lost.is_power_of_two() {
                tracing::warn!(lost, "access records are lost: the database takes none");
            }
        }
    }
}

type Times = (DateTime<Utc>, DateTime<Utc>, i32);

async fn write(
    pool: PgPool,
    mut waiting: mpsc::Receiver<(Access, DateTime<Utc>)>,
    (kept, commands): (Duration, Commands),
    closing: CancellationToken,
) {
    let mut sweep = tokio::time::interval(Duration::from_secs(SWEPT_EVERY_S));
    let mut gathered: HashMap<Access, Times> = HashMap::new();
    let mut written: HashMap<Access, Instant> = HashMap::new();
    let mut closed = false;
    while !closed {
        tokio::select! {
            () = closing.cancelled() => closed = true,
            () = tokio::time::sleep(Duration::from_millis(WRITTEN_EVERY_MS)) => {}
            _ = sweep.tick() => {
                if let Err(error) = forget(&pool, kept, &commands).await {
                    tracing::debug!(%error, "old access records are still there");
                }
            }
        }
        while gathered.len() < WAITING_MAX
            && let Ok((access, at)) = waiting.try_recv()
        {
            let times = gathered.entry(access).or_insert((at, at, 0));
            *times = (times.0.min(at), times.1.max(at), times.2.saturating_add(1));
        }
        written.retain(|_, at| at.elapsed() < Duration::from_millis(REPEATS_MS));
        let repeats = |access: &Access| access.is_use() && written.contains_key(access);
        let due = |access: &Access| closed || !repeats(access);
        let due: HashMap<Access, Times> = gathered.extract_if(|access, _| due(access)).collect();
        match insert(&pool, &due).await {
            Ok(()) => written.extend(due.into_keys().map(|access| (access, Instant::now()))),
            // They are written when the database is back.
            Err(error) => {
                tracing::debug!(%error, "access records wait");
                gathered.extend(due);
            }
        }
    }
}

async fn insert(pool: &PgPool, gathered: &HashMap<Access, Times>) -> Result<(), sqlx::Error> {
    let mut rows: Vec<(&Access, &Times)> = gathered.iter().collect();
    rows.sort_unstable_by_key(|(_, times)| times.0);
    for some in rows.chunks(1_000) {
        let mut sql = QueryBuilder::<Postgres>::new(
            "insert into access_records (first_at, last_at, count, principal, api_key, address, \
             operation, outcome, problem) ",
        );
        sql.push_values(some, |mut row, (access, (first, last, count))| {
            row.push_bind(*first).push_bind(*last).push_bind(*count);
            row.push_bind(access.principal.as_deref()).push_bind(access.api_key.as_deref());
            row.push_bind(&access.address).push_bind(access.operation);
            row.push_bind(access.outcome.as_str()).push_bind(access.problem);
        });
        sql.build().execute(pool).await?;
    }
    Ok(())
}

/// Forgets what is old, but for those who are under a legal hold: as the log says now.
async fn forget(pool: &PgPool, kept: Duration, commands: &Commands) -> Result<(), StoreError> {
    commands.refresh_directory().await?;
    let held: Vec<String> = {
        let directory = commands.directory();
        let held = directory.identities().filter(|(_, identity)| identity.held);
        held.map(|(id, _)| id.to_string()).collect()
    };
    sqlx::query(
        "delete from access_records
          where last_at < now() - make_interval(secs => $1)
            and (principal is null or principal <> all ($2))",
    )
    .bind(kept.as_secs_f64())
    .bind(held)
    .execute(pool)
    .await?;
    Ok(())
}

/// Which records are wanted; all when nothing is said.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    /// Only of this principal.
    pub principal: Option<String>,
    /// Only from this address.
    pub address: Option<String>,
    /// Only of this operation.
    pub operation: Option<String>,
    /// Only with this outcome.
    pub outcome: Option<Outcome>,
}

/// A page of records, the newest first.
pub async fn list(
    pool: &PgPool,
    wanted: &Wanted,
    page: &PageRequest,
) -> Result<PageOf<AccessRecord>, ReadError> {
    let list = Numbered { list: "access_records", column: "id", order: Order::Newest };
    let mut sql = QueryBuilder::<Postgres>::new(
        "select id, first_at, last_at, count, principal, api_key, address, operation, outcome, \
         problem from access_records where true",
    );
    for (column, value) in [
        (" and principal = ", wanted.principal.as_deref()),
        (" and address = ", wanted.address.as_deref()),
        (" and operation = ", wanted.operation.as_deref()),
        (" and outcome = ", wanted.outcome.map(Outcome::as_str)),
    ] {
        if let Some(value) = value {
            sql.push(column).push_bind(value.to_owned());
        }
    }
    list.end(&mut sql, page).map_err(|error: PageError| ReadError::Page(error))?;
    let rows: Vec<Row> = sql.build_query_as().fetch_all(pool).await.map_err(ReadError::Database)?;
    let records = rows.into_iter().map(Row::record).collect();
    Ok(page.page(records, |record: &AccessRecord| list.cursor(record.id)))
}

#[derive(sqlx::FromRow)]
struct Row {
    id: i64,
    first_at: DateTime<Utc>,
    last_at: DateTime<Utc>,
    count: i32,
    principal: Option<String>,
    api_key: Option<String>,
    address: String,
    operation: String,
    outcome: String,
    problem: Option<String>,
}

impl Row {
    fn record(self) -> AccessRecord {
        AccessRecord {
            id: self.id.unsigned_abs(),
            first_at: self.first_at.into(),
            last_at: self.last_at.into(),
            count: self.count.unsigned_abs(),
            principal: self.principal,
            api_key: self.api_key,
            address: self.address,
            operation: self.operation,
            outcome: self.outcome,
            problem: self.problem,
        }
    }
}
