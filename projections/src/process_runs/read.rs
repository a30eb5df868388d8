//! The rows of runs, and the reads over them.
//!
//! Does not know how rows came about.

use std::collections::HashMap;

use chrono::{DateTime, Utc};
use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;

use crate::{
    columns::{signed, unsigned},
    page::{Order, PageOf, PageRequest, part},
    read::ReadError,
};

use super::{ProcessRun, ProcessStep, STEPS_SHOWN_MAX, list_name};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    process: String,
    cause: Uuid,
    correlation: Uuid,
    started_at: DateTime<Utc>,
    started_position: i64,
    last_at: DateTime<Utc>,
    steps: i64,
}

#[derive(Debug, sqlx::FromRow)]
struct StoredStep {
    cause: Uuid,
    position: i64,
    #[sqlx(rename = "type")]
    event_type: String,
    stream: String,
    version: i64,
    at: DateTime<Utc>,
}

impl Stored {
    fn with(self, steps: Vec<ProcessStep>) -> ProcessRun {
        ProcessRun {
            process: self.process,
            cause: self.cause,
            correlation: self.correlation,
            started_at: self.started_at.into(),
            started_position: unsigned(self.started_position),
            last_at: self.last_at.into(),
            steps_count: unsigned(self.steps),
            steps,
        }
    }
}

impl From<StoredStep> for ProcessStep {
    fn from(row: StoredStep) -> ProcessStep {
        ProcessStep {
            position: unsigned(row.position),
            event_type: row.event_type,
            stream: row.stream,
            version: unsigned(row.version),
            at: row.at.into(),
        }
    }
}

const SELECT: &str = "select process, cause, correlation, started_at, started_position, last_at, \
    steps from read.process_runs where process = ";

/// What a process did because of an event.
pub async fn get(
    pool: &PgPool,
    process: &str,
    cause: Uuid,
) -> Result<Option<ProcessRun>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push_bind(process).push(" and cause = ").push_bind(cause);
    let row: Option<Stored> = sql.build_query_as().fetch_optional(pool).await?;
    let rows = row.into_iter().collect();
    Ok(with_steps(pool, process, rows, i64::MAX).await?.pop())
}

/// The same as of a position: every step is kept, so that a run as it was is its first steps.
pub async fn get_as_of(
    pool: &PgPool,
    process: &str,
    cause: Uuid,
    position: u64,
) -> Result<Option<ProcessRun>, ReadError> {
    let until = signed(position)?;
    let row: Option<Stored> = sqlx::query_as(
        "select r.process, r.cause, r.correlation, r.started_at, r.started_position, \
                s.last_at, s.steps \
           from read.process_runs r cross join lateral ( \
                select count(*) as steps, \
                       (array_agg(at order by position desc))[1] as last_at \
                  from read.process_steps \
                 where process = r.process and cause = r.cause and position <= $3) s \
          where r.process = $1 and r.cause = $2 and r.started_position <= $3",
    )
    .bind(process)
    .bind(cause)
    .bind(until)
    .fetch_optional(pool)
    .await?;
    let rows = row.into_iter().collect();
    Ok(with_steps(pool, process, rows, until).await?.pop())
}

/// A page of what a process did, by the first step: newest is the latest.
pub async fn list(
    pool: &PgPool,
    process: &str,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<ProcessRun>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push_bind(process);
    if let Some(cursor) = page.after() {
        let [position] = cursor.key(list_name(order))?;
        sql.push(" and started_position").push(order.comparison());
        sql.push_bind(signed(part::<u64>(position)?)?);
    }
    sql.push(" order by started_position").push(order.direction());
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = with_steps(pool, process, rows, i64::MAX).await?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// Runs with the first of their steps up to a position, by one statement for all of them.
async fn with_steps(
    pool: &PgPool,
    process: &str,
    runs: Vec<Stored>,
    until: i64,
) -> Result<Vec<ProcessRun>, sqlx::Error> {
    let causes: Vec<Uuid> = runs.iter().map(|run| run.cause).collect();
    let shown = signed(STEPS_SHOWN_MAX as u64)?;
    let found: Vec<StoredStep> = sqlx::query_as(
        "select s.cause, s.position, s.type, s.stream, s.version, s.at \
         from unnest($2::uuid[]) asked (cause) cross join lateral ( \
             select * from read.process_steps of_run \
              where of_run.process = $1 and of_run.cause = asked.cause \
                and of_run.position <= $4 \
              order by of_run.position limit $3) s \
         order by s.position",
    )
    .bind(process)
    .bind(&causes)
    .bind(shown)
    .bind(until)
    .fetch_all(pool)
    .await?;
    let mut steps: HashMap<Uuid, Vec<ProcessStep>> = HashMap::new();
    for step in found {
        steps.entry(step.cause).or_default().push(step.into());
    }
    let with = |run: Stored| {
        let steps = steps.remove(&run.cause).unwrap_or_default();
        run.with(steps)
    };
    Ok(runs.into_iter().map(with).collect())
}
