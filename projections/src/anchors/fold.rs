//! How anchors become rows: of each the newest entry stands.
//!
//! Does not judge who may anchor or revoke.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    chain::Chain,
    ledger::{Anchor, Entry},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, signed},
    event::Chunk,
    projection::{ApplyError, Projection},
};

use super::NAME;

/// The projection of anchors.
#[derive(Clone, Copy, Debug)]
pub struct Anchors;

impl Projection for Anchors {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[Chain::CATEGORY]
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
            sqlx::query!("truncate anchors_v1.anchors").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut anchors: BTreeMap<[u8; 32], &Anchor> = BTreeMap::new();
    for (event, ..) in chunk.chains().filter(|(event, ..)| event.attachment.is_some()) {
        for entry in event.attached()?.entries() {
            if let Entry::Anchor(anchor) = entry {
                anchors.insert(*anchor.transaction.as_bytes(), anchor);
            }
        }
    }
    if anchors.is_empty() {
        return Ok(());
    }
    save(&anchors.into_values().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

async fn save(rows: &[&Anchor], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let heights = rows.iter().map(|row| signed(row.height.value()));
    let revoked = rows.iter().map(|row| row.revoked.map(|at| signed(at.value())).transpose());
    sqlx::query!(
        r#"insert into anchors_v1.anchors (
             transaction, digest, algorithm, label, owner, height, "time", revoked)
         select * from unnest(
             $1::bytea[], $2::bytea[], $3::text[], $4::text[], $5::bytea[], $6::bigint[],
             $7::timestamptz[], $8::bigint[])
         on conflict (transaction) do update set revoked = excluded.revoked"#,
        &column(rows, |row| row.transaction.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |row| row.digest.as_bytes()) as &[&[u8]],
        &column(rows, |row| row.algorithm.to_string()),
        &column(rows, |row| row.label.to_string()),
        &column(rows, |row| row.owner.as_bytes().as_slice()) as &[&[u8]],
        &heights.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |row| DateTime::<Utc>::from(row.time)),
        &revoked.collect::<Result<Vec<_>, _>>()? as &[Option<i64>],
    )
    .execute(tx)
    .await?;
    Ok(())
}
