//! The rows of anchors, and the reads over them.
//!
//! Does not know how rows came about.

use chrono::{DateTime, Utc};
use domain::values::{Digest, Hash, Height};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, hash, parsed, signed, unsigned},
    page::{Order, PageOf, PageRequest, part},
    read::ReadError,
};

use super::{Anchor, Filter, list_name};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    transaction: Vec<u8>,
    digest: Vec<u8>,
    algorithm: String,
    label: String,
    owner: Vec<u8>,
    height: i64,
    time: DateTime<Utc>,
    revoked: Option<i64>,
}

impl TryFrom<Stored> for Anchor {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Anchor, sqlx::Error> {
        let digest = Digest::from_bytes(row.digest);
        let revoked = row.revoked.map(|height| converted(unsigned(height)));
        Ok(Anchor {
            transaction: hash(&row.transaction)?,
            digest: digest.map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?,
            algorithm: parsed(&row.algorithm)?,
            label: converted(row.label)?,
            owner: address(&row.owner)?,
            height: converted(unsigned(row.height))?,
            time: row.time.into(),
            revoked: revoked.transpose()?,
        })
    }
}

const SELECT: &str = "select transaction, digest, algorithm, label, owner, height, time, revoked \
    from read.anchors where ";

/// The anchor that a transaction made.
pub async fn get(pool: &PgPool, transaction: Hash) -> Result<Option<Anchor>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push("transaction = ").push_bind(transaction.as_bytes().to_vec());
    let row: Option<Stored> = sql.build_query_as().fetch_optional(pool).await?;
    Ok(row.map(Anchor::try_from).transpose()?)
}

/// The first anchor of a document: the earliest proof that it was known.
pub async fn by_digest(pool: &PgPool, digest: &Digest) -> Result<Option<Anchor>, ReadError> {
    let filter = Filter { digest: Some(digest.clone()), owner: None };
    let page = PageRequest::new(1, None)?;
    Ok(list(pool, &filter, Order::Oldest, &page).await?.items.pop())
}

/// A page of the anchors that pass the filter, by height: newest is the greatest first.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Anchor>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push("true");
    if let Some(digest) = &filter.digest {
        sql.push(" and digest = ").push_bind(digest.as_bytes().to_vec());
    }
    if let Some(owner) = filter.owner {
        sql.push(" and owner = ").push_bind(owner.as_bytes().to_vec());
    }
    if let Some(cursor) = page.after() {
        let [height, transaction] = cursor.key(list_name(order))?;
        sql.push(" and (height, transaction)").push(order.comparison()).push("(");
        sql.push_bind(signed(part::<Height>(height)?.value())?).push(", ");
        sql.push_bind(part::<Hash>(transaction)?.as_bytes().to_vec()).push(")");
    }
    let direction = order.direction();
    sql.push(" order by height").push(direction).push(", transaction").push(direction);
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Anchor::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}
