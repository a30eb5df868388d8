//! How flags become rows.
//!
//! Does not know who asks for a flag.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    configuration::{
        Key,
        flag::{Event as Happened, Flag as Aggregate},
    },
    values::Bps,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::{
    Flag, FlagStanding, NAME,
    read::{SELECT, Stored},
};

/// The projection of flags.
#[derive(Clone, Copy, Debug)]
pub struct Flags;

impl Projection for Flags {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Aggregate::CATEGORY]
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        apply(chunk, tx).boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async {
            sqlx::query("truncate flags_v1.flags").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let happened: Vec<(&Event, &Key, &Happened)> = chunk.flags().collect();
    if happened.is_empty() {
        return Ok(());
    }
    let mut flags = load(&happened, tx).await?;
    for (event, key, happened) in happened {
        take(&mut flags, event, key, happened)?;
    }
    save(&flags.into_values().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

async fn load(
    happened: &[(&Event, &Key, &Happened)],
    tx: &mut PgConnection,
) -> Result<BTreeMap<Key, Flag>, sqlx::Error> {
    let keys = column(happened, |(_, key, _)| key.to_string());
    let statement = sqlx::AssertSqlSafe(format!("{SELECT} where key = any($1)"));
    let rows: Vec<Stored> = sqlx::query_as(statement).bind(keys).fetch_all(tx).await?;
    let flag = |row: Stored| Flag::try_from(row).map(|flag| (flag.key.clone(), flag));
    rows.into_iter().map(flag).collect()
}

fn take(
    flags: &mut BTreeMap<Key, Flag>,
    event: &Event,
    key: &Key,
    happened: &Happened,
) -> Result<(), ApplyError> {
    match happened {
        Happened::FlagCreated(data) => {
            let flag = Flag {
                key: key.clone(),
                description: data.description.clone(),
                standing: FlagStanding::Alive,
                bps: Bps::ZERO,
                targets: Vec::new(),
                reason: None,
                version: event.version,
                created_at: event.at,
                changed_at: event.at,
            };
            flags.insert(key.clone(), flag);
        }
        Happened::FlagChanged(data) => {
            let flag = changed(flags, event, key)?;
            (flag.bps, flag.targets) = (data.bps, data.targets.clone());
        }
        Happened::FlagKilled(data) => {
            let flag = changed(flags, event, key)?;
            (flag.standing, flag.reason) = (FlagStanding::Killed, Some(data.reason.clone()));
            (flag.bps, flag.targets) = (Bps::ZERO, Vec::new());
        }
    }
    Ok(())
}

/// The flag that an event changes, at the event's version and time.
fn changed<'f>(
    flags: &'f mut BTreeMap<Key, Flag>,
    event: &Event,
    key: &Key,
) -> Result<&'f mut Flag, ApplyError> {
    let flag = flags.get_mut(key);
    let flag = flag.ok_or_else(|| ApplyError::refused(event, "the flag was never created"))?;
    (flag.version, flag.changed_at) = (event.version, event.at);
    Ok(flag)
}

async fn save(rows: &[Flag], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let versions = rows.iter().map(|row| signed(row.version));
    // A subject holds no line feed, so that many stand in one text: arrays of arrays do not unnest.
    let targets = |row: &Flag| {
        let names: Vec<&str> = row.targets.iter().map(|target| target.as_str()).collect();
        names.join("\n")
    };
    sqlx::query(
        "insert into flags_v1.flags (
             key, description, standing, bps, targets, reason, version, created_at, changed_at)
         select key, description, standing, bps, string_to_array(targets, E'\\n'), reason, version,
                created_at, changed_at
           from unnest(
             $1::text[], $2::text[], $3::text[], $4::integer[], $5::text[], $6::text[],
             $7::bigint[], $8::timestamptz[], $9::timestamptz[])
           as rows (key, description, standing, bps, targets, reason, version, created_at,
                    changed_at)
         on conflict (key) do update
            set description = excluded.description, standing = excluded.standing,
                bps = excluded.bps, targets = excluded.targets, reason = excluded.reason,
                version = excluded.version, created_at = excluded.created_at,
                changed_at = excluded.changed_at",
    )
    .bind(column(rows, |row| row.key.to_string()))
    .bind(column(rows, |row| row.description.to_string()))
    .bind(column(rows, |row| row.standing.as_str()))
    .bind(column(rows, |row| i32::from(row.bps.value())))
    .bind(column(rows, targets))
    .bind(column(rows, |row| row.reason.as_ref().map(ToString::to_string)))
    .bind(versions.collect::<Result<Vec<_>, _>>()?)
    .bind(column(rows, |row| DateTime::<Utc>::from(row.created_at)))
    .bind(column(rows, |row| DateTime::<Utc>::from(row.changed_at)))
    .execute(tx)
    .await?;
    Ok(())
}
