//! What can be asked of the feed.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::{aggregate::Aggregate as _, chain::Chain};
use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;

use crate::{
    columns::{signed, unsigned},
    page::{Order, PageOf, PageRequest},
    read::ReadError,
};

use super::{Activity, Filter, activity_by};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    position: i64,
    at: DateTime<Utc>,
    stream: String,
    version: i64,
    category: String,
    subject: String,
    event_type: String,
    actor: String,
    correlation: Uuid,
    summary: String,
}

impl From<Stored> for Activity {
    fn from(row: Stored) -> Activity {
        Activity {
            position: unsigned(row.position),
            at: row.at.into(),
            stream: row.stream,
            version: unsigned(row.version),
            category: row.category,
            subject: row.subject,
            event_type: row.event_type,
            actor: row.actor,
            correlation: row.correlation,
            summary: row.summary,
        }
    }
}

/// What happened at a position.
pub async fn get(pool: &PgPool, position: u64) -> Result<Option<Activity>, ReadError> {
    Ok(by_keys(pool, &[position]).await?.pop())
}

/// What happened at these positions, as far as they exist, in no particular order.
pub async fn by_keys(pool: &PgPool, positions: &[u64]) -> Result<Vec<Activity>, ReadError> {
    let keys: Result<Vec<i64>, sqlx::Error> = positions.iter().map(|p| signed(*p)).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select position as "position!", at as "at!", stream as "stream!", version as "version!",
                  category as "category!", subject as "subject!", event_type as "event_type!",
                  actor as "actor!", correlation as "correlation!", summary as "summary!"
             from read.activity where position = any ($1)"#,
        &keys?,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Activity::from).collect())
}

/// A page of what passes the filter.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Activity>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select position, at, stream, version, category, subject, event_type, actor, correlation, \
                summary from read.activity where true",
    );
    let texts = [
        (" and category = ", &filter.category),
        (" and stream = ", &filter.stream),
        (" and subject = ", &filter.subject),
        (" and event_type = ", &filter.event_type),
        (" and actor = ", &filter.actor),
    ];
    for (condition, wanted) in texts {
        if let Some(wanted) = wanted {
            sql.push(condition).push_bind(wanted.clone());
        }
    }
    if let Some(stream) = &filter.stream {
        // Streams have no index of their own: the subject's finds them.
        sql.push(" and subject = ").push_bind(subject_of(stream).to_owned());
    }
    if let Some(correlation) = filter.correlation {
        sql.push(" and correlation = ").push_bind(correlation);
    }
    activity_by(order).end(&mut sql, page)?;
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Activity::from).collect();
    Ok(page.page(rows, |row: &Activity| row.cursor(order)))
}

/// What a stream's events happen to: what stands after its category, and for a chain without the
/// epoch.
fn subject_of(stream: &str) -> &str {
    match stream.split_once('-') {
        Some((Chain::CATEGORY, id)) => id.rsplit_once('-').map_or(id, |(chain, _epoch)| chain),
        Some((_, id)) => id,
        None => stream,
    }
}
