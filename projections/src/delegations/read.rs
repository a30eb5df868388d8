//! What can be asked about stakes.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::values::{Address, Amount, Epoch};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, parsed, signed, unsigned},
    page::{PageError, PageOf, PageRequest, grouped, part},
    read::ReadError,
};

use super::{Bond, Delegation, Filter, Unbonding, save::delegator};

#[derive(Debug)]
struct StoredBond {
    validator: Vec<u8>,
    chain_id: String,
    bond: String,
    delegated: String,
    stake: String,
    power: i64,
    updated_at: DateTime<Utc>,
    position: i64,
}

impl TryFrom<StoredBond> for Bond {
    type Error = sqlx::Error;

    fn try_from(row: StoredBond) -> Result<Bond, sqlx::Error> {
        Ok(Bond {
            validator: address(&row.validator)?,
            chain_id: parsed(&row.chain_id)?,
            bond: parsed(&row.bond)?,
            delegated: parsed(&row.delegated)?,
            stake: parsed(&row.stake)?,
            power: converted(unsigned(row.power))?,
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredDelegation {
    validator: Vec<u8>,
    delegator: Vec<u8>,
    delegation: String,
    since: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    position: i64,
}

impl TryFrom<StoredDelegation> for Delegation {
    type Error = sqlx::Error;

    fn try_from(row: StoredDelegation) -> Result<Delegation, sqlx::Error> {
        Ok(Delegation {
            validator: address(&row.validator)?,
            delegator: address(&row.delegator)?,
            delegation: parsed(&row.delegation)?,
            since: row.since.into(),
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredUnbonding {
    validator: Vec<u8>,
    matures: i64,
    started: i64,
    delegator: Vec<u8>,
    amount: String,
    updated_at: DateTime<Utc>,
    position: i64,
}

impl TryFrom<StoredUnbonding> for Unbonding {
    type Error = sqlx::Error;

    fn try_from(row: StoredUnbonding) -> Result<Unbonding, sqlx::Error> {
        Ok(Unbonding {
            validator: address(&row.validator)?,
            delegator: delegator(&row.delegator)?,
            started: converted(unsigned(row.started))?,
            matures: converted(unsigned(row.matures))?,
            amount: parsed(&row.amount)?,
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        })
    }
}

/// A validator's bond.
pub async fn bond(pool: &PgPool, validator: Address) -> Result<Option<Bond>, ReadError> {
    Ok(bonds_by_keys(pool, &[validator]).await?.pop())
}

/// The bonds of these validators, as far as they exist, in no particular order.
pub async fn bonds_by_keys(pool: &PgPool, validators: &[Address]) -> Result<Vec<Bond>, ReadError> {
    let keys: Vec<&[u8]> = validators.iter().map(|v| v.as_bytes().as_slice()).collect();
    let rows = sqlx::query_as!(
        StoredBond,
        r#"select validator as "validator!", chain_id as "chain_id!", bond::text as "bond!",
                  delegated::text as "delegated!", stake::text as "stake!", power as "power!",
                  updated_at as "updated_at!", position as "position!"
             from read.bonds where validator = any ($1)"#,
        &keys as &[&[u8]],
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Bond::try_from).collect::<Result<_, _>>()?)
}

/// What somebody has staked on a validator.
pub async fn get(
    pool: &PgPool,
    validator: Address,
    delegator: Address,
) -> Result<Option<Delegation>, ReadError> {
    let row = sqlx::query_as!(
        StoredDelegation,
        r#"select validator as "validator!", delegator as "delegator!",
                  delegation::text as "delegation!", since as "since!",
                  updated_at as "updated_at!", position as "position!"
             from read.delegations where validator = $1 and delegator = $2"#,
        validator.as_bytes().as_slice(),
        delegator.as_bytes().as_slice(),
    )
    .fetch_optional(pool)
    .await?;
    Ok(row.map(Delegation::try_from).transpose()?)
}

/// A page of the delegations of a validator or of a delegator.
pub async fn list(
    pool: &PgPool,
    filter: Filter,
    page: &PageRequest,
) -> Result<PageOf<Delegation>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select validator, delegator, delegation::text, since, updated_at, position \
           from read.delegations where ",
    );
    match filter {
        Filter::Validator(validator) => {
            sql.push("validator = ").push_bind(validator.as_bytes().to_vec());
            if let Some(cursor) = page.after() {
                let [delegation, delegator] = cursor.key(filter.list())?;
                sql.push(" and (delegation, delegator) < (");
                sql.push_bind(part::<Amount>(delegation)?.to_string()).push("::numeric, ");
                sql.push_bind(bytes(delegator)?).push(")");
            }
            sql.push(" order by read.delegations.delegation desc, delegator desc");
        }
        Filter::Delegator(delegator) => {
            sql.push("delegator = ").push_bind(delegator.as_bytes().to_vec());
            if let Some(cursor) = page.after() {
                let [validator] = cursor.key(filter.list())?;
                sql.push(" and validator > ").push_bind(bytes(validator)?);
            }
            sql.push(" order by validator");
        }
    }
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<StoredDelegation> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Delegation::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(filter)))
}

/// The first page of each of these validators' delegations; those without any are left out.
pub async fn first_of_many(
    pool: &PgPool,
    validators: &[Address],
    page: &PageRequest,
) -> Result<Vec<(Address, PageOf<Delegation>)>, ReadError> {
    let keys: Vec<&[u8]> = validators.iter().map(|v| v.as_bytes().as_slice()).collect();
    let rows = sqlx::query_as!(
        StoredDelegation,
        r#"select d.validator as "validator!", d.delegator as "delegator!",
                  d.delegation::text as "delegation!", d.since as "since!",
                  d.updated_at as "updated_at!", d.position as "position!"
             from unnest($1::bytea[]) with ordinality k (validator, nth),
                  lateral (select * from read.delegations d where d.validator = k.validator
                            order by d.delegation desc, d.delegator desc limit $2) d
            order by k.nth, d.delegation desc, d.delegator desc"#,
        &keys as &[&[u8]],
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(Delegation::try_from).collect::<Result<Vec<_>, _>>()?;
    let cursor = |row: &Delegation| row.cursor(Filter::Validator(row.validator));
    Ok(grouped(page, rows, |row| row.validator, cursor))
}

/// A page of what is on its way out, of a validator or of a delegator, by maturity.
pub async fn unbondings(
    pool: &PgPool,
    filter: Filter,
    page: &PageRequest,
) -> Result<PageOf<Unbonding>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select validator, matures, started, delegator, amount::text, updated_at, position \
           from read.unbondings where ",
    );
    let last = match filter {
        Filter::Validator(validator) => {
            sql.push("validator = ").push_bind(validator.as_bytes().to_vec());
            "delegator"
        }
        Filter::Delegator(delegator) => {
            // As in the index: nobody's entries are not a delegator's.
            sql.push("delegator <> '' and delegator = ").push_bind(delegator.as_bytes().to_vec());
            "validator"
        }
    };
    if let Some(cursor) = page.after() {
        let [matures, started, other] = cursor.key(filter.unbondings())?;
        sql.push(" and (matures, started, ").push(last).push(") > (");
        sql.push_bind(signed(part::<Epoch>(matures)?.value())?).push(", ");
        sql.push_bind(signed(part::<Epoch>(started)?.value())?).push(", ");
        let other = if other.is_empty() { Vec::new() } else { bytes(other)? };
        sql.push_bind(other).push(")");
    }
    sql.push(" order by matures, started, ").push(last).push(" limit ").push_bind(page.limit());
    let rows: Vec<StoredUnbonding> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Unbonding::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(filter)))
}

fn bytes(text: &str) -> Result<Vec<u8>, PageError> {
    Ok(part::<Address>(text)?.as_bytes().to_vec())
}
