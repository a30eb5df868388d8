//! The tables of stakes: loading what a chunk touches, and writing what it changed.
//!
//! Does not know what events do.

use std::collections::BTreeSet;

use chrono::{DateTime, Utc};
use domain::values::Address;
use sqlx::PgConnection;

use crate::columns::{address, column, converted, parsed, signed, unsigned};

use super::fold::{BondHeld, Entry, Held, Pair, Stakes, Touched};

pub(super) async fn reset(tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "truncate delegations_v1.bonds, delegations_v1.delegations, delegations_v1.unbondings"
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// What the tables hold of what a chunk touches.
pub(super) async fn load(touched: &Touched, tx: &mut PgConnection) -> Result<Stakes, sqlx::Error> {
    let mut stakes = Stakes::default();
    load_bonds(touched, &mut stakes, tx).await?;
    let slashed = keys(&touched.slashed);
    if !(slashed.is_empty() && touched.pairs.is_empty()) {
        load_delegations(touched, &slashed, &mut stakes, tx).await?;
    }
    if !(slashed.is_empty() && touched.entries.is_empty()) {
        load_unbondings(touched, &slashed, &mut stakes, tx).await?;
    }
    Ok(stakes)
}

fn keys(addresses: &BTreeSet<Address>) -> Vec<&[u8]> {
    addresses.iter().map(|address| address.as_bytes().as_slice()).collect()
}

async fn load_bonds(
    touched: &Touched,
    stakes: &mut Stakes,
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let rows = sqlx::query!(
        r#"select validator, chain_id, bond::text as "bond!", delegated::text as "delegated!",
                  stake::text as "stake!", power, updated_at, position
             from delegations_v1.bonds where validator = any ($1)"#,
        &keys(&touched.validators) as &[&[u8]],
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let held = BondHeld {
            chain_id: row.chain_id,
            bond: parsed(&row.bond)?,
            delegated: parsed(&row.delegated)?,
            stake: parsed(&row.stake)?,
            power: converted(unsigned(row.power))?,
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        };
        stakes.bonds.insert(address(&row.validator)?, held);
    }
    Ok(())
}

async fn load_delegations(
    touched: &Touched,
    slashed: &[&[u8]],
    stakes: &mut Stakes,
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let pairs: Vec<&Pair> = touched.pairs.iter().collect();
    let rows = sqlx::query!(
        r#"select d.validator as "validator!", d.delegator as "delegator!",
                  d.delegation::text as "delegation!", d.since as "since!",
                  d.updated_at as "updated_at!", d.position as "position!"
             from delegations_v1.delegations d where d.validator = any ($1)
           union all
           select d.validator, d.delegator, d.delegation::text, d.since, d.updated_at, d.position
             from unnest($2::bytea[], $3::bytea[]) p (validator, delegator)
             join delegations_v1.delegations d
               on d.validator = p.validator and d.delegator = p.delegator
            where p.validator <> all ($1)"#,
        slashed as &[&[u8]],
        &column(&pairs, |pair| pair.0.as_bytes().as_slice()) as &[&[u8]],
        &column(&pairs, |pair| pair.1.as_bytes().as_slice()) as &[&[u8]],
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let held = Held {
            amount: parsed(&row.delegation)?,
            since: row.since.into(),
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
            is_stored: true,
            is_changed: false,
        };
        stakes.delegations.insert((address(&row.validator)?, address(&row.delegator)?), held);
    }
    Ok(())
}

async fn load_unbondings(
    touched: &Touched,
    slashed: &[&[u8]],
    stakes: &mut Stakes,
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let entries: Vec<&Entry> = touched.entries.iter().collect();
    let rows = sqlx::query!(
        r#"select u.validator as "validator!", u.matures as "matures!", u.started as "started!",
                  u.delegator as "delegator!", u.amount::text as "amount!",
                  u.updated_at as "updated_at!", u.position as "position!"
             from delegations_v1.unbondings u where u.validator = any ($1)
           union all
           select u.validator, u.matures, u.started, u.delegator, u.amount::text, u.updated_at,
                  u.position
             from unnest($2::bytea[], $3::bigint[], $4::bigint[], $5::bytea[])
                      e (validator, matures, started, delegator)
             join delegations_v1.unbondings u
               on u.validator = e.validator and u.matures = e.matures
              and u.started = e.started and u.delegator = e.delegator
            where e.validator <> all ($1)"#,
        slashed as &[&[u8]],
        &column(&entries, |entry| entry.validator.as_bytes().as_slice()) as &[&[u8]],
        &epochs(&entries, |entry| entry.matures.value())?,
        &epochs(&entries, |entry| entry.started.value())?,
        &column(&entries, |entry| owner(entry)) as &[&[u8]],
    )
    .fetch_all(tx)
    .await?;
    for row in rows {
        let entry = Entry {
            validator: address(&row.validator)?,
            matures: converted(unsigned(row.matures))?,
            started: converted(unsigned(row.started))?,
            delegator: delegator(&row.delegator)?,
        };
        let held = Held {
            amount: parsed(&row.amount)?,
            since: row.updated_at.into(),
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
            is_stored: true,
            is_changed: false,
        };
        stakes.unbondings.insert(entry, held);
    }
    Ok(())
}

/// Whose entry it is, as the table has it: nobody's bytes for the validator's own.
fn owner(entry: &Entry) -> &[u8] {
    entry.delegator.as_ref().map_or(&[], |delegator| delegator.as_bytes().as_slice())
}

/// The same read back.
pub(super) fn delegator(column: &[u8]) -> Result<Option<Address>, sqlx::Error> {
    if column.is_empty() { Ok(None) } else { address(column).map(Some) }
}

fn epochs(entries: &[&Entry], of: impl Fn(&Entry) -> u64) -> Result<Vec<i64>, sqlx::Error> {
    entries.iter().map(|entry| signed(of(entry))).collect()
}

/// Writes what changed.
pub(super) async fn save(stakes: &Stakes, tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    save_bonds(&stakes.bonds.iter().collect::<Vec<_>>(), tx).await?;
    let (kept, gone) = changes(&stakes.delegations);
    if !kept.is_empty() {
        save_delegations(&kept, tx).await?;
    }
    if !gone.is_empty() {
        delete_delegations(&gone, tx).await?;
    }
    let (kept, gone) = changes(&stakes.unbondings);
    if !kept.is_empty() {
        save_unbondings(&kept, tx).await?;
    }
    if !gone.is_empty() {
        delete_unbondings(&gone, tx).await?;
    }
    Ok(())
}

/// What must be written, and what must go.
fn changes<K>(held: &std::collections::BTreeMap<K, Held>) -> (Vec<(&K, &Held)>, Vec<&K>) {
    let changed = || held.iter().filter(|(_, held)| held.is_changed);
    let kept = changed().filter(|(_, held)| !held.amount.is_zero()).collect();
    let gone = changed().filter(|(_, held)| held.amount.is_zero() && held.is_stored);
    (kept, gone.map(|(key, _)| key).collect())
}

async fn save_bonds(
    bonds: &[(&Address, &BondHeld)],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&BondHeld) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        bonds.iter().map(|(_, held)| signed(of(held))).collect()
    };
    sqlx::query!(
        "insert into delegations_v1.bonds
             (validator, chain_id, bond, delegated, stake, power, updated_at, position)
         select * from unnest($1::bytea[], $2::text[], $3::text[]::numeric[],
                              $4::text[]::numeric[], $5::text[]::numeric[], $6::bigint[],
                              $7::timestamptz[], $8::bigint[])
         on conflict on constraint bonds_validator do update set
             chain_id = excluded.chain_id, bond = excluded.bond, delegated = excluded.delegated,
             stake = excluded.stake, power = excluded.power, updated_at = excluded.updated_at,
             position = excluded.position",
        &column(bonds, |(validator, _)| validator.as_bytes().as_slice()) as &[&[u8]],
        &column(bonds, |(_, held)| held.chain_id.as_str()) as &[&str],
        &column(bonds, |(_, held)| held.bond.to_string()),
        &column(bonds, |(_, held)| held.delegated.to_string()),
        &column(bonds, |(_, held)| held.stake.to_string()),
        &numbers(|held| held.power.value())?,
        &column(bonds, |(_, held)| DateTime::<Utc>::from(held.updated_at)),
        &numbers(|held| held.position)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

fn positions<K>(kept: &[(&K, &Held)]) -> Result<Vec<i64>, sqlx::Error> {
    kept.iter().map(|(_, held)| signed(held.position)).collect()
}

async fn save_delegations(
    kept: &[(&Pair, &Held)],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into delegations_v1.delegations
             (validator, delegator, delegation, since, updated_at, position)
         select * from unnest($1::bytea[], $2::bytea[], $3::text[]::numeric[], $4::timestamptz[],
                              $5::timestamptz[], $6::bigint[])
         on conflict on constraint delegations_pair do update set
             delegation = excluded.delegation, since = excluded.since,
             updated_at = excluded.updated_at, position = excluded.position",
        &column(kept, |(pair, _)| pair.0.as_bytes().as_slice()) as &[&[u8]],
        &column(kept, |(pair, _)| pair.1.as_bytes().as_slice()) as &[&[u8]],
        &column(kept, |(_, held)| held.amount.to_string()),
        &column(kept, |(_, held)| DateTime::<Utc>::from(held.since)),
        &column(kept, |(_, held)| DateTime::<Utc>::from(held.updated_at)),
        &positions(kept)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn delete_delegations(gone: &[&Pair], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from delegations_v1.delegations d
          using unnest($1::bytea[], $2::bytea[]) g (validator, delegator)
          where d.validator = g.validator and d.delegator = g.delegator",
        &column(gone, |pair| pair.0.as_bytes().as_slice()) as &[&[u8]],
        &column(gone, |pair| pair.1.as_bytes().as_slice()) as &[&[u8]],
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_unbondings(
    kept: &[(&Entry, &Held)],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let entries: Vec<&Entry> = kept.iter().map(|(entry, _)| *entry).collect();
    sqlx::query!(
        "insert into delegations_v1.unbondings
             (validator, matures, started, delegator, amount, updated_at, position)
         select * from unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[],
                              $5::text[]::numeric[], $6::timestamptz[], $7::bigint[])
         on conflict on constraint unbondings_entry do update set
             amount = excluded.amount, updated_at = excluded.updated_at,
             position = excluded.position",
        &column(&entries, |entry| entry.validator.as_bytes().as_slice()) as &[&[u8]],
        &epochs(&entries, |entry| entry.matures.value())?,
        &epochs(&entries, |entry| entry.started.value())?,
        &column(&entries, |entry| owner(entry)) as &[&[u8]],
        &column(kept, |(_, held)| held.amount.to_string()),
        &column(kept, |(_, held)| DateTime::<Utc>::from(held.updated_at)),
        &positions(kept)?,
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn delete_unbondings(gone: &[&Entry], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "delete from delegations_v1.unbondings u
          using unnest($1::bytea[], $2::bigint[], $3::bigint[], $4::bytea[])
                    g (validator, matures, started, delegator)
          where u.validator = g.validator and u.matures = g.matures
            and u.started = g.started and u.delegator = g.delegator",
        &column(gone, |entry| entry.validator.as_bytes().as_slice()) as &[&[u8]],
        &epochs(gone, |entry| entry.matures.value())?,
        &epochs(gone, |entry| entry.started.value())?,
        &column(gone, |entry| owner(entry)) as &[&[u8]],
    )
    .execute(tx)
    .await?;
    Ok(())
}
