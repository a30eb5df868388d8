//! What an audit has found, as all servers know it: one row of the database.
//!
//! Does not look for anything.

use std::time::Duration;

use chrono::{DateTime, Utc};
use domain::values::Moment;
use projections::{Comparison, RowDifference};
use serde::{Deserialize, Serialize};
use sqlx::{PgPool, types::Json};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::graphql::Component;

/// The continuous audit: history read again, and what is not as it should be.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Audit {
    /// Since when history is read again from the beginning; null while nothing is audited.
    pub begun_at: Option<Moment>,
    /// Up to this position all read models are folded anew.
    #[schema(example = "1042")]
    pub position: String,
    /// So many events are compared with what is published of them.
    #[schema(example = "1042")]
    pub log_size: String,
    /// When read models were compared last.
    pub compared_at: Option<Moment>,
    /// What each of them was found to be.
    pub read_models: Vec<AuditedReadModel>,
    /// What is not as it should be; the first one of each read model, and of the log.
    pub differences: Vec<AuditDifference>,
    /// Why it does not go on; null while it does.
    pub error: Option<String>,
}

impl Component for Audit {
    const SCHEMA: &'static str = "Audit";
}

/// A read model, compared with what the log makes of it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditedReadModel {
    /// Its name.
    #[schema(example = "validators")]
    pub name: String,
    /// As of which position it was the same; null when it was not.
    pub position: Option<String>,
    /// How many rows it had.
    pub rows: Option<String>,
    /// The sum of the hashes of its rows, in whatever order they are.
    pub checksum: Option<String>,
    /// Why it was not compared; null when it was.
    pub not_compared: Option<String>,
}

impl AuditedReadModel {
    /// What came of a comparison.
    pub(super) fn of(name: &str, compared: Comparison) -> AuditedReadModel {
        let name = name.to_owned();
        let (position, rows, checksum, not_compared) = match compared {
            Comparison::Equal(contents) => {
                let number = |number: u64| Some(number.to_string());
                (number(contents.position), number(contents.rows), Some(contents.checksum), None)
            }
            Comparison::Differs(_) => (None, None, None, None),
            Comparison::Not(because) => (None, None, None, Some(because)),
        };
        AuditedReadModel { name, position, rows, checksum, not_compared }
    }
}

/// Something that is not as it should be.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
pub struct AuditDifference {
    /// What it is.
    pub sentence: String,
    /// When it was seen first.
    pub found_at: Moment,
    /// The event that it is about, if it is one.
    pub position: Option<String>,
    /// The row that it is about, if it is one of a read model.
    pub row: Option<RowDifference>,
}

impl AuditDifference {
    /// Something about the log.
    pub(super) fn of_log(position: Option<u64>, sentence: String) -> AuditDifference {
        let (found_at, position) = (Utc::now().into(), position.map(|number| number.to_string()));
        AuditDifference { sentence, found_at, position, row: None }
    }

    /// A row that is not what the log makes of it.
    pub(super) fn of_row(row: RowDifference) -> AuditDifference {
        AuditDifference { row: Some(row.clone()), ..AuditDifference::of_log(None, row.sentence()) }
    }
}

#[derive(sqlx::FromRow)]
struct Row {
    begun_at: Option<DateTime<Utc>>,
    position: i64,
    log_size: i64,
    compared_at: Option<DateTime<Utc>>,
    read_models: Json<Vec<AuditedReadModel>>,
    differences: Json<Vec<AuditDifference>>,
    error: Option<String>,
}

/// How far it is, and what was found.
pub async fn read(tables: &PgPool) -> Result<Audit, sqlx::Error> {
    let row: Row = sqlx::query_as(
        "select begun_at, position, log_size, compared_at, read_models, differences, error
           from audit",
    )
    .fetch_one(tables)
    .await?;
    Ok(Audit {
        begun_at: row.begun_at.map(Into::into),
        position: row.position.to_string(),
        log_size: row.log_size.to_string(),
        compared_at: row.compared_at.map(Into::into),
        read_models: row.read_models.0,
        differences: row.differences.0,
        error: row.error,
    })
}

/// How many differences there are, and what the first one is; none where nothing is audited.
pub async fn first_difference(
    tables: &PgPool,
) -> Result<Option<(u64, Option<String>)>, sqlx::Error> {
    let found: Option<(i32, Option<String>)> = sqlx::query_as(
        "select jsonb_array_length(differences), differences -> 0 ->> 'sentence'
           from audit where begun_at is not null",
    )
    .fetch_optional(tables)
    .await?;
    Ok(found.map(|(count, first)| (u64::from(count.unsigned_abs()), first)))
}

/// Whether what was read again of this log is not too old to go on from.
pub(super) async fn goes_on(
    tables: &PgPool,
    incarnation: Uuid,
    anew: Duration,
) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select coalesce(incarnation = $1
                and begun_at > clock_timestamp() - $2 * interval '1 second', false)
           from audit",
    )
    .bind(incarnation)
    .bind(anew.as_secs_f64())
    .fetch_one(tables)
    .await
}

/// History is read again from the beginning. What was found stays until it is compared again.
pub(super) async fn begin(tables: &PgPool, incarnation: Uuid) -> Result<(), sqlx::Error> {
    sqlx::query(
        "update audit set begun_at = clock_timestamp(), incarnation = $1, position = 0, log_size = 0",
    )
    .bind(incarnation)
    .execute(tables)
    .await?;
    Ok(())
}

/// All read models are folded anew up to here.
pub(super) async fn is_at(tables: &PgPool, position: u64) -> Result<(), sqlx::Error> {
    tell(tables, "update audit set position = $1", position).await
}

/// So many events are compared with what is published.
pub(super) async fn log_is_at(tables: &PgPool, size: u64) -> Result<(), sqlx::Error> {
    tell(tables, "update audit set log_size = $1", size).await
}

async fn tell(tables: &PgPool, how: &'static str, number: u64) -> Result<(), sqlx::Error> {
    let number = i64::try_from(number).unwrap_or(i64::MAX);
    sqlx::query(how).bind(number).execute(tables).await?;
    Ok(())
}

/// It does not go on, for this reason.
pub(super) async fn stalled(tables: &PgPool, because: &str) -> Result<(), sqlx::Error> {
    sqlx::query("update audit set error = $1").bind(because).execute(tables).await?;
    Ok(())
}

/// What was compared, and what was found by it; those of the differences that are new. Where read
/// models were not compared, what was found of them before stays.
pub(super) async fn compared(
    tables: &PgPool,
    read_models: Option<Vec<AuditedReadModel>>,
    mut found: Vec<AuditDifference>,
) -> Result<Vec<AuditDifference>, sqlx::Error> {
    let before = read(tables).await?.differences;
    if read_models.is_none() {
        let of_others = |one: &&AuditDifference| {
            one.row.is_some() && found.iter().all(|new| new.sentence != one.sentence)
        };
        let stay: Vec<AuditDifference> = before.iter().filter(of_others).cloned().collect();
        found.extend(stay);
    }
    let mut new = Vec::new();
    for one in &mut found {
        match before.iter().find(|seen| seen.sentence == one.sentence) {
            Some(seen) => one.found_at = seen.found_at,
            None => new.push(one.clone()),
        }
    }
    sqlx::query(
        "update audit
            set compared_at = case when $1 is null then compared_at else clock_timestamp() end,
                read_models = coalesce($1, read_models), differences = $2, error = null",
    )
    .bind(read_models.map(Json))
    .bind(Json(found))
    .execute(tables)
    .await?;
    Ok(new)
}
