//! What can be asked about penalties.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::values::Address;
use sqlx::{PgPool, QueryBuilder};
use uuid::Uuid;

use crate::{
    columns::{address, bps, converted, hash, name, named, parsed, unsigned},
    page::{Order, PageOf, PageRequest, grouped},
    read::ReadError,
};

use super::{Filter, Slashing, slashings_by};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    position: i64,
    at: DateTime<Utc>,
    address: Vec<u8>,
    offence: String,
    height: i64,
    epoch: i64,
    offence_epoch: i64,
    evidence: Vec<u8>,
    bond_bps: i32,
    delegated_bps: i32,
    burned: String,
    burned_bond: String,
    burned_delegated: String,
    burned_unbonding: String,
    bond: String,
    delegated: String,
    stake: String,
    power: i64,
    quarantined_until: i64,
    actor: String,
    correlation: Uuid,
}

impl TryFrom<Stored> for Slashing {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Slashing, sqlx::Error> {
        Ok(Slashing {
            position: unsigned(row.position),
            at: row.at.into(),
            address: address(&row.address)?,
            offence: named(&row.offence)?,
            height: converted(unsigned(row.height))?,
            epoch: converted(unsigned(row.epoch))?,
            offence_epoch: converted(unsigned(row.offence_epoch))?,
            evidence: hash(&row.evidence)?,
            bond_bps: bps(row.bond_bps)?,
            delegated_bps: bps(row.delegated_bps)?,
            burned: parsed(&row.burned)?,
            burned_bond: parsed(&row.burned_bond)?,
            burned_delegated: parsed(&row.burned_delegated)?,
            burned_unbonding: parsed(&row.burned_unbonding)?,
            bond: parsed(&row.bond)?,
            delegated: parsed(&row.delegated)?,
            stake: parsed(&row.stake)?,
            power: converted(unsigned(row.power))?,
            quarantined_until: converted(unsigned(row.quarantined_until))?,
            actor: row.actor,
            correlation: row.correlation,
        })
    }
}

/// A page of the penalties that pass the filter.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Slashing>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select position, at, address, offence, height, epoch, offence_epoch, evidence, bond_bps, \
                delegated_bps, burned::text, burned_bond::text, burned_delegated::text, \
                burned_unbonding::text, bond::text, delegated::text, stake::text, power, \
                quarantined_until, actor, correlation \
           from read.slashing_history where true",
    );
    if let Some(address) = filter.address {
        sql.push(" and address = ").push_bind(address.as_bytes().to_vec());
    }
    if let Some(offence) = filter.offence {
        sql.push(" and offence = ").push_bind(name(&offence)?);
    }
    slashings_by(order).end(&mut sql, page)?;
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Slashing::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// The newest penalties of each of these validators; those without any are left out.
pub async fn first_of_many(
    pool: &PgPool,
    validators: &[Address],
    page: &PageRequest,
) -> Result<Vec<(Address, PageOf<Slashing>)>, ReadError> {
    let keys: Vec<&[u8]> = validators.iter().map(|v| v.as_bytes().as_slice()).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select s.position as "position!", s.at as "at!", s.address as "address!",
                  s.offence as "offence!", s.height as "height!", s.epoch as "epoch!",
                  s.offence_epoch as "offence_epoch!", s.evidence as "evidence!",
                  s.bond_bps as "bond_bps!", s.delegated_bps as "delegated_bps!",
                  s.burned::text as "burned!", s.burned_bond::text as "burned_bond!",
                  s.burned_delegated::text as "burned_delegated!",
                  s.burned_unbonding::text as "burned_unbonding!", s.bond::text as "bond!",
                  s.delegated::text as "delegated!", s.stake::text as "stake!",
                  s.power as "power!", s.quarantined_until as "quarantined_until!",
                  s.actor as "actor!", s.correlation as "correlation!"
             from unnest($1::bytea[]) with ordinality k (address, nth),
                  lateral (select * from read.slashing_history s where s.address = k.address
                            order by s.position desc limit $2) s
            order by k.nth, s.position desc"#,
        &keys as &[&[u8]],
        page.limit(),
    )
    .fetch_all(pool)
    .await?;
    let rows = rows.into_iter().map(Slashing::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(grouped(page, rows, |row| row.address, |row| row.cursor(Order::Newest)))
}
