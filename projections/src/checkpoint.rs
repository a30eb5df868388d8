//! Where each projection stands and which of its keys are parked: two tables, and the statements on
//! them.
//!
//! Does not know what projections do, nor when. Whoever holds the locked row is the only one to
//! move it.

use std::collections::HashMap;

use domain::values::Moment;
use serde::Serialize;
use sqlx::{PgConnection, PgExecutor, PgPool};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::columns;

/// The longest error text that is kept, in characters.
const ERROR_CHARS_MAX: usize = 500;

/// Names a projection's progress.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Id {
    pub name: &'static str,
    pub version: i32,
}

/// A locked checkpoint.
#[derive(Debug)]
pub(crate) struct Checkpoint {
    pub position: u64,
    pub incarnation: Uuid,
    /// How many keys are parked.
    pub parked: u64,
}

/// A checkpoint as anyone sees it.
#[derive(Debug)]
pub(crate) struct Progress {
    pub name: String,
    pub version: i32,
    pub position: u64,
    pub events_per_s: u64,
    pub last_error: Option<String>,
    pub last_error_at: Option<Moment>,
    pub stalled_because: Option<String>,
    pub parked: u64,
}

/// A key whose events wait for repair.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Parked {
    /// The projection.
    pub name: String,
    /// The key: a stream, or `chain-<id>` for all streams of a chain.
    pub key: String,
    /// The first event that was not applied; all later ones of the key wait behind it.
    #[serde(serialize_with = "columns::decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// Why it could not be applied.
    pub error: String,
    /// Since when it waits.
    pub parked_at: Moment,
}

/// Makes the checkpoint when there is none, and says where it stands.
pub(crate) async fn open(
    pool: &PgPool,
    id: Id,
    incarnation: Uuid,
) -> Result<(u64, Uuid), sqlx::Error> {
    sqlx::query!(
        "insert into projection_checkpoints (name, version, incarnation) values ($1, $2, $3)
         on conflict on constraint projection_checkpoints_name do nothing",
        id.name,
        id.version,
        incarnation,
    )
    .execute(pool)
    .await?;
    found(pool, id).await?.ok_or(sqlx::Error::RowNotFound)
}

/// Locks the checkpoint until the transaction ends; none when there is none.
///
/// The transaction's commit does not wait for the disk: after a crash of the database the
/// checkpoint and the effect are both older, together, and the same events are applied again.
pub(crate) async fn lock(tx: &mut PgConnection, id: Id) -> Result<Option<Checkpoint>, sqlx::Error> {
    let row = sqlx::query!(
        r#"select c.position, c.incarnation,
                  (select count(*) from projection_parked p
                    where p.name = c.name and p.version = c.version) as "parked!",
                  set_config('synchronous_commit', 'off', true) as "commits!"
             from projection_checkpoints c
            where c.name = $1 and c.version = $2 for update of c"#,
        id.name,
        id.version,
    )
    .fetch_optional(tx)
    .await?;
    Ok(row.map(|row| Checkpoint {
        position: columns::unsigned(row.position),
        incarnation: row.incarnation,
        parked: columns::unsigned(row.parked),
    }))
}

/// Moves the locked checkpoint.
pub(crate) async fn save(
    tx: &mut PgConnection,
    id: Id,
    position: u64,
    events_per_s: u64,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update projection_checkpoints
            set position = $3, events_per_s = $4, moved_at = clock_timestamp(), stalled_because = null
          where name = $1 and version = $2",
        id.name,
        id.version,
        columns::signed(position)?,
        columns::signed(events_per_s)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Sets the locked checkpoint back to the beginning of this log, and forgets what was parked.
/// Somebody asked for it and is told when it is done: this commit does wait for the disk.
pub(crate) async fn reset(
    tx: &mut PgConnection,
    id: Id,
    incarnation: Uuid,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update projection_checkpoints
            set position = 0, incarnation = $3, events_per_s = 0, moved_at = clock_timestamp(),
                last_error = null, last_error_at = null, stalled_because = null
          where name = $1 and version = $2
      returning set_config('synchronous_commit', 'on', true)",
        id.name,
        id.version,
        incarnation,
    )
    .fetch_optional(&mut *tx)
    .await?;
    sqlx::query!(
        "delete from projection_parked where name = $1 and version = $2",
        id.name,
        id.version
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Writes down what went wrong, and whether it keeps the projection from moving.
pub(crate) async fn note(
    pool: &PgPool,
    id: Id,
    error: &str,
    stalled_because: Option<&str>,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "update projection_checkpoints
            set last_error = $3, last_error_at = clock_timestamp(), stalled_because = $4
          where name = $1 and version = $2",
        id.name,
        id.version,
        shortened(error),
        stalled_because.map(shortened),
    )
    .execute(pool)
    .await?;
    Ok(())
}

/// The parked keys, each with the first position that waits.
pub(crate) async fn parked_keys(
    tx: &mut PgConnection,
    id: Id,
) -> Result<HashMap<String, u64>, sqlx::Error> {
    let rows = sqlx::query!(
        "select key, position from projection_parked where name = $1 and version = $2",
        id.name,
        id.version,
    )
    .fetch_all(tx)
    .await?;
    Ok(rows.into_iter().map(|row| (row.key, columns::unsigned(row.position))).collect())
}

/// Parks a key, or moves a parked one.
pub(crate) async fn park(
    tx: &mut PgConnection,
    id: Id,
    key: &str,
    position: u64,
    error: &str,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into projection_parked (name, version, key, position, error)
         values ($1, $2, $3, $4, $5)
         on conflict on constraint projection_parked_key
         do update set position = excluded.position, error = excluded.error",
        id.name,
        id.version,
        key,
        columns::signed(position)?,
        shortened(error),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Frees a key that has caught up.
pub(crate) async fn unpark(tx: &mut PgConnection, id: Id, key: &str) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from projection_parked where name = $1 and version = $2 and key = $3",
        id.name,
        id.version,
        key,
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Where every projection of this database stands.
pub(crate) async fn all(pool: &PgPool) -> Result<Vec<Progress>, sqlx::Error> {
    let rows = sqlx::query!(
        r#"select c.name, c.version, c.position, c.events_per_s, c.last_error, c.last_error_at,
                  c.stalled_because,
                  (select count(*) from projection_parked p
                    where p.name = c.name and p.version = c.version) as "parked!"
             from projection_checkpoints c order by c.name, c.version"#
    )
    .fetch_all(pool)
    .await?;
    let progress = rows.into_iter().map(|row| Progress {
        name: row.name,
        version: row.version,
        position: columns::unsigned(row.position),
        events_per_s: columns::unsigned(row.events_per_s),
        last_error: row.last_error,
        last_error_at: row.last_error_at.map(Moment::from),
        stalled_because: row.stalled_because,
        parked: columns::unsigned(row.parked),
    });
    Ok(progress.collect())
}

/// Where one projection stands; none before it has begun.
pub(crate) async fn position(pool: &PgPool, id: Id) -> Result<Option<u64>, sqlx::Error> {
    Ok(found(pool, id).await?.map(|(position, _)| position))
}

/// The same, and of which log.
pub(crate) async fn found(
    database: impl PgExecutor<'_>,
    id: Id,
) -> Result<Option<(u64, Uuid)>, sqlx::Error> {
    let row = sqlx::query!(
        "select position, incarnation from projection_checkpoints where name = $1 and version = $2",
        id.name,
        id.version,
    )
    .fetch_optional(database)
    .await?;
    Ok(row.map(|row| (columns::unsigned(row.position), row.incarnation)))
}

/// Where some projections stand, each as name, version and position.
pub(crate) async fn positions(
    pool: &PgPool,
    names: &[String],
) -> Result<Vec<(String, i32, u64)>, sqlx::Error> {
    let rows = sqlx::query!(
        "select name, version, position from projection_checkpoints where name = any ($1)",
        names,
    )
    .fetch_all(pool)
    .await?;
    let found = rows.into_iter();
    Ok(found.map(|row| (row.name, row.version, columns::unsigned(row.position))).collect())
}

/// The first parked keys of a projection, in order of their names.
pub(crate) async fn parked(pool: &PgPool, id: Id, max: i64) -> Result<Vec<Parked>, sqlx::Error> {
    let rows = sqlx::query!(
        "select key, position, error, parked_at from projection_parked
          where name = $1 and version = $2 order by key limit $3",
        id.name,
        id.version,
        max,
    )
    .fetch_all(pool)
    .await?;
    let parked = rows.into_iter().map(|row| Parked {
        name: id.name.to_owned(),
        key: row.key,
        position: columns::unsigned(row.position),
        error: row.error,
        parked_at: row.parked_at.into(),
    });
    Ok(parked.collect())
}

fn shortened(text: &str) -> String {
    text.chars().take(ERROR_CHARS_MAX).collect()
}
