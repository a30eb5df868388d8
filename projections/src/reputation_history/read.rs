//! What can be asked about reputations and duties.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::values::Address;
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, named, unsigned},
    page::{Order, PageOf, PageRequest, grouped},
    read::ReadError,
};

use super::{Performance, Reputation, performances_by, reputations_by};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    position: i64,
    at: DateTime<Utc>,
    address: Vec<u8>,
    cause: String,
    epoch: i64,
    from: Option<i64>,
    to: i64,
}

impl TryFrom<Stored> for Reputation {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Reputation, sqlx::Error> {
        Ok(Reputation {
            position: unsigned(row.position),
            at: row.at.into(),
            address: address(&row.address)?,
            cause: named(&row.cause)?,
            epoch: converted(unsigned(row.epoch))?,
            from: row.from.map(converted).transpose()?,
            to: converted(row.to)?,
        })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredPerformance {
    address: Vec<u8>,
    epoch: i64,
    proposed: i64,
    signed: i64,
    missed: i64,
    downtime: bool,
    at: DateTime<Utc>,
    position: i64,
}

impl TryFrom<StoredPerformance> for Performance {
    type Error = sqlx::Error;

    fn try_from(row: StoredPerformance) -> Result<Performance, sqlx::Error> {
        Ok(Performance {
            address: address(&row.address)?,
            epoch: converted(unsigned(row.epoch))?,
            proposed: converted(row.proposed)?,
            signed: converted(row.signed)?,
            missed: converted(row.missed)?,
            downtime: row.downtime,
            at: row.at.into(),
            position: unsigned(row.position),
        })
    }
}

/// A page of reputation changes, of one validator or of all.
pub async fn list(
    pool: &PgPool,
    validator: Option<Address>,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Reputation>, ReadError> {
    let mut sql = QueryBuilder::new(
        r#"select position, at, address, cause, epoch, "from", "to" from read.reputation_history
            where true"#,
    );
    if let Some(address) = validator {
        sql.push(" and address = ").push_bind(address.as_bytes().to_vec());
    }
    reputations_by(order).end(&mut sql, page)?;
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Reputation::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// The newest changes of each of these validators; those without any are left out.
pub async fn first_of_many(
    pool: &PgPool,
    validators: &[Address],
    page: &PageRequest,
) -> Result<Vec<(Address, PageOf<Reputation>)>, ReadError> {
    let keys: Vec<&[u8]> = validators.iter().map(|v| v.as_bytes().as_slice()).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select r.position as "position!", r.at as "at!", r.address as "address!",
                  r.cause as "cause!", r.epoch as "epoch!", r."from", r."to" as "to!"
             from unnest($1::bytea[]) with ordinality k (address, nth),
                  lateral (select * from read.reputation_history r where r.address = k.address
                            order by r.position desc limit $2) r
            order by k.nth, r.position desc"#,
        &keys as &[&[u8]],
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(Reputation::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(grouped(page, rows, |row| row.address, |row| row.cursor(Order::Newest)))
}

/// A page of a validator's duties, by epoch.
pub async fn performances(
    pool: &PgPool,
    validator: Address,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Performance>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select address, epoch, proposed, signed, missed, downtime, at, position \
           from read.performances where address = ",
    );
    sql.push_bind(validator.as_bytes().to_vec());
    performances_by(order).end(&mut sql, page)?;
    let rows: Vec<StoredPerformance> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Performance::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}
