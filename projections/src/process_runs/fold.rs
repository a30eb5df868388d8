//! How steps become rows.
//!
//! Does not judge what a process did.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _, block::Block, chain::Chain, configuration::setting::Setting,
    consensus::ConsensusHeight, transaction::Account, validator::Validator,
    validator_set::ValidatorSet,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{
    columns::{column, signed},
    event::{Chunk, Event, Fact},
    projection::{ApplyError, Projection},
};

use super::NAME;

/// How the actors of processes are named.
const ACTOR: &str = "process:";

/// The projection of what processes did.
#[derive(Clone, Copy, Debug)]
pub struct ProcessRuns;

impl Projection for ProcessRuns {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[
            Account::CATEGORY,
            Block::CATEGORY,
            Chain::CATEGORY,
            ConsensusHeight::CATEGORY,
            Setting::CATEGORY,
            Validator::CATEGORY,
            ValidatorSet::CATEGORY,
        ]
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
            sqlx::query!("truncate process_runs_v1.runs, process_runs_v1.steps")
                .execute(tx)
                .await?;
            Ok(())
        }
        .boxed()
    }
}

/// An event that a process caused.
struct Step<'a> {
    process: &'a str,
    cause: Uuid,
    event: &'a Event,
    fact: &'a Fact,
}

fn step<'a>((event, fact): (&'a Event, &'a Fact)) -> Option<Step<'a>> {
    let process = event.actor.strip_prefix(ACTOR)?;
    Some(Step { process, cause: event.causation?, event, fact })
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let steps: Vec<Step<'_>> = chunk.facts().filter_map(step).collect();
    if steps.is_empty() {
        return Ok(());
    }
    let mut runs: BTreeMap<_, Vec<&Step<'_>>> = BTreeMap::new();
    for step in &steps {
        runs.entry((step.process, step.cause)).or_default().push(step);
    }
    save_steps(&steps, tx).await?;
    save_runs(&runs.into_values().collect::<Vec<_>>(), tx).await?;
    Ok(())
}

async fn save_steps(rows: &[Step<'_>], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let positions = rows.iter().map(|row| signed(row.event.position));
    let versions = rows.iter().map(|row| signed(row.event.version));
    sqlx::query!(
        "insert into process_runs_v1.steps (process, cause, position, type, stream, version, at)
         select * from unnest(
             $1::text[], $2::uuid[], $3::bigint[], $4::text[], $5::text[], $6::bigint[],
             $7::timestamptz[])",
        &column(rows, |row| row.process) as &[&str],
        &column(rows, |row| row.cause),
        &positions.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |row| row.fact.name()) as &[&str],
        &column(rows, |row| row.event.stream.as_str()) as &[&str],
        &versions.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |row| DateTime::<Utc>::from(row.event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Each with its new steps, in order: there is one at least.
async fn save_runs(rows: &[Vec<&Step<'_>>], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    let firsts: Vec<&Step<'_>> = rows.iter().filter_map(|row| row.first().copied()).collect();
    let lasts: Vec<&Step<'_>> = rows.iter().filter_map(|row| row.last().copied()).collect();
    let started = firsts.iter().map(|row| signed(row.event.position));
    let counts = rows.iter().map(|row| signed(row.len() as u64));
    sqlx::query!(
        "insert into process_runs_v1.runs (
             process, cause, correlation, started_at, started_position, last_at, steps)
         select * from unnest(
             $1::text[], $2::uuid[], $3::uuid[], $4::timestamptz[], $5::bigint[],
             $6::timestamptz[], $7::bigint[])
         on conflict (process, cause) do update
            set last_at = excluded.last_at, steps = runs.steps + excluded.steps",
        &column(&firsts, |row| row.process) as &[&str],
        &column(&firsts, |row| row.cause),
        &column(&firsts, |row| row.event.correlation),
        &column(&firsts, |row| DateTime::<Utc>::from(row.event.at)),
        &started.collect::<Result<Vec<_>, _>>()?,
        &column(&lasts, |row| DateTime::<Utc>::from(row.event.at)),
        &counts.collect::<Result<Vec<_>, _>>()?,
    )
    .execute(tx)
    .await?;
    Ok(())
}
