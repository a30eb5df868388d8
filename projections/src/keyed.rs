//! Read models with one row for each aggregate of a kind: the row as JSON, beside the columns it is
//! searched by.
//!
//! Does not know any row. What has more than some ten thousand rows, or is summed up, has tables of
//! its own form instead.

use std::{collections::BTreeMap, marker::PhantomData, sync::Arc};

use futures::future::{BoxFuture, FutureExt as _};
use serde::{Serialize, de::DeserializeOwned};
use sqlx::{AssertSqlSafe, PgConnection, PgPool, QueryBuilder, types::Json};

use crate::{
    columns::{column, signed},
    event::{Chunk, Event, Fact},
    page::{Cursor, Numbered, Order, PageOf, PageRequest, every},
    projection::{ApplyError, Projection},
    read::ReadError,
};

/// A row of such a read model.
pub trait Row: Clone + Serialize + DeserializeOwned + Send + Sync + Unpin + 'static {
    /// The projection's name; its table is `<name>_v1.rows`, its view `read.<name>`.
    const NAME: &'static str;
    /// The category of its streams: the id of a stream is the id of its row.
    const CATEGORY: &'static str;
    /// What its aggregates are named by.
    type Id: Send + Sync + 'static;
    /// What can happen to one.
    type Happened: Sync + 'static;

    /// What happened to one of its aggregates, when it did.
    fn happened(fact: &Fact) -> Option<(&Self::Id, &Self::Happened)>;

    /// The row after an event; the sentence says why there can be none.
    fn after(
        before: Option<Self>,
        event: &Event,
        id: &Self::Id,
        happened: &Self::Happened,
    ) -> Result<Self, &'static str>;

    /// What it is now: one of few words.
    fn standing(&self) -> &'static str;

    /// What else it is searched by.
    fn class(&self) -> Option<String> {
        None
    }

    /// The position that lists of what happened last are sorted by.
    fn since(&self) -> u64;
}

/// The projection of such a read model.
pub(crate) fn projection<R: Row>() -> Arc<dyn Projection> {
    Arc::new(Keyed::<R>(PhantomData))
}

struct Keyed<R>(PhantomData<fn() -> R>);

impl<R: Row> Projection for Keyed<R> {
    fn name(&self) -> &'static str {
        R::NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        const { &[R::CATEGORY] }
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply::<R>(chunk, tx).boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            let statement = AssertSqlSafe(format!("truncate {}_v1.rows", R::NAME));
            sqlx::query(statement).execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn apply<R: Row>(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let of = |(event, fact)| R::happened(fact).map(|(id, happened)| (event, id, happened));
    let happened: Vec<(&Event, &R::Id, &R::Happened)> = chunk.facts().filter_map(of).collect();
    if happened.is_empty() {
        return Ok(());
    }
    let ids = column(&happened, |(event, _, _)| event.stream.id());
    let statement =
        AssertSqlSafe(format!("select id, row from {}_v1.rows where id = any($1)", R::NAME));
    let stored: Vec<(String, Json<R>)> =
        sqlx::query_as(statement).bind(ids).fetch_all(&mut *tx).await?;
    let mut rows: BTreeMap<String, R> =
        stored.into_iter().map(|(id, Json(row))| (id, row)).collect();
    for (event, id, happened) in happened {
        let key = event.stream.id();
        let after = R::after(rows.remove(key), event, id, happened);
        let row = after.map_err(|why| ApplyError::refused(event, why))?;
        rows.insert(key.to_owned(), row);
    }
    save(&rows.into_iter().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

async fn save<R: Row>(rows: &[(String, R)], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let since = rows.iter().map(|(_, row)| signed(row.since()));
    let statement = format!(
        "insert into {}_v1.rows (id, standing, class, since, row)
         select * from unnest($1::text[], $2::text[], $3::text[], $4::bigint[], $5::jsonb[])
         on conflict (id) do update
            set standing = excluded.standing, class = excluded.class, since = excluded.since,
                row = excluded.row",
        R::NAME
    );
    sqlx::query(AssertSqlSafe(statement))
        .bind(column(rows, |(id, _)| id.as_str()))
        .bind(column(rows, |(_, row)| row.standing()))
        .bind(column(rows, |(_, row)| row.class()))
        .bind(since.collect::<Result<Vec<_>, _>>()?)
        .bind(column(rows, |(_, row)| Json(row)))
        .execute(tx)
        .await?;
    Ok(())
}

/// Which rows are wanted; an absent member lets everything through.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Filter {
    /// That are this now.
    pub standing: Option<&'static str>,
    /// Of this class.
    pub class: Option<String>,
}

/// The row of an id.
pub async fn get<R: Row>(pool: &PgPool, id: &str) -> Result<Option<R>, ReadError> {
    let statement = AssertSqlSafe(format!("select row from read.{} where id = $1", R::NAME));
    let row: Option<(Json<R>,)> = sqlx::query_as(statement).bind(id).fetch_optional(pool).await?;
    Ok(row.map(|(Json(row),)| row))
}

/// A page of the rows that pass the filter, by id.
pub async fn list<R: Row>(
    pool: &PgPool,
    filter: &Filter,
    page: &PageRequest,
) -> Result<PageOf<R>, ReadError> {
    let mut sql = wanted::<R>(filter);
    if let Some(cursor) = page.after() {
        let [id] = cursor.key(R::NAME)?;
        sql.push(" and id > ").push_bind(id);
    }
    sql.push(" order by id limit ").push_bind(page.limit());
    let rows: Vec<(String, Json<R>)> = sql.build_query_as().fetch_all(pool).await?;
    let page = page.page(rows, |(id, _)| Cursor::new(R::NAME, vec![id.clone()]));
    Ok(page.map(|(_, Json(row))| row))
}

/// Every row that passes the filter, by id.
pub async fn all<R: Row>(pool: &PgPool, filter: &Filter) -> Result<Vec<R>, ReadError> {
    every(|page| async move { list(pool, filter, &page).await }).await
}

/// A page of the rows that pass the filter, the newest or the oldest first.
pub async fn latest<R: Row>(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<R>, ReadError> {
    let mut sql = wanted::<R>(filter);
    let numbered = Numbered { list: R::NAME, column: "since", order };
    numbered.end(&mut sql, page)?;
    let rows: Vec<(String, Json<R>)> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(|(_, Json(row))| row).collect();
    Ok(page.page(rows, |row: &R| numbered.cursor(row.since())))
}

fn wanted<R: Row>(filter: &Filter) -> QueryBuilder<sqlx::Postgres> {
    let mut sql = QueryBuilder::new(format!("select id, row from read.{} where true", R::NAME));
    if let Some(standing) = filter.standing {
        sql.push(" and standing = ").push_bind(standing);
    }
    if let Some(class) = &filter.class {
        sql.push(" and class = ").push_bind(class.clone());
    }
    sql
}
