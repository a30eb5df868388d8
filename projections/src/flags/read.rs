//! The rows of flags, and the reads over them.
//!
//! Does not know how rows came about.

use chrono::{DateTime, Utc};
use domain::configuration::{Key, Subject};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{bps, converted, named, parsed, unsigned},
    page::{PageOf, PageRequest, part},
    read::ReadError,
};

use super::{Flag, FlagStanding, LIST};

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Stored {
    key: String,
    description: String,
    standing: String,
    bps: i32,
    targets: Vec<String>,
    reason: Option<String>,
    version: i64,
    created_at: DateTime<Utc>,
    changed_at: DateTime<Utc>,
}

impl TryFrom<Stored> for Flag {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Flag, sqlx::Error> {
        let targets = row.targets.iter().map(|target| parsed::<Subject>(target));
        Ok(Flag {
            key: parsed(&row.key)?,
            description: converted(row.description)?,
            standing: named(&row.standing)?,
            bps: bps(row.bps)?,
            targets: targets.collect::<Result<_, _>>()?,
            reason: row.reason.map(converted).transpose()?,
            version: unsigned(row.version),
            created_at: row.created_at.into(),
            changed_at: row.changed_at.into(),
        })
    }
}

pub(super) const SELECT: &str = "select key, description, standing, bps, targets, reason, version, \
    created_at, changed_at from read.flags";

/// Which flags are wanted; an absent member lets everything through.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// That are this now.
    pub standing: Option<FlagStanding>,
}

/// The flag of a key.
pub async fn get(pool: &PgPool, key: &Key) -> Result<Option<Flag>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" where key = ").push_bind(key.as_str());
    let row: Option<Stored> = sql.build_query_as().fetch_optional(pool).await?;
    Ok(row.map(Flag::try_from).transpose()?)
}

/// A page of the flags that pass the filter, by key.
pub async fn list(
    pool: &PgPool,
    filter: Filter,
    page: &PageRequest,
) -> Result<PageOf<Flag>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" where true");
    if let Some(standing) = filter.standing {
        sql.push(" and standing = ").push_bind(standing.as_str());
    }
    if let Some(cursor) = page.after() {
        let [key] = cursor.key(LIST)?;
        sql.push(" and key > ").push_bind(part::<Key>(key)?.to_string());
    }
    sql.push(" order by key limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Flag::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, Flag::cursor))
}
