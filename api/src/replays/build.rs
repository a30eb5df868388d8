//! Who builds replays, and takes away what is over: each server what no other one holds.
//!
//! Does not answer anybody.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use event_store::EventStore;
use projections::{Projections, ProjectionsOptions};
use sqlx::PgPool;
use tokio::{sync::Notify, time::sleep};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use super::beside_of;
use crate::beside::{self, BesideError};

/// How often a server looks for something to do, in milliseconds.
const LOOK_MS: u64 = 1_000;
/// How often it is told how far a replay is, in milliseconds.
const TELL_MS: u64 = 1_000;
/// For how long a replay is held without a word of who holds it, in seconds.
const LEASE_S: f64 = 15.0;
/// Connections by which one replay is built.
const CONNECTIONS_MAX: u32 = 8;

/// One that is held.
struct Held {
    id: Uuid,
    until: u64,
    projections: Vec<String>,
    is_over: bool,
}

/// What builds.
pub struct Builder {
    store: EventStore,
    tables: PgPool,
    holder: Uuid,
    look: Arc<Notify>,
}

impl Builder {
    /// Builds replays of this log; it is told when there is a new one.
    pub fn new(store: EventStore, tables: PgPool, look: Arc<Notify>) -> Builder {
        Builder { store, tables, holder: Uuid::now_v7(), look }
    }

    /// One after the other, until it is cancelled.
    pub async fn run(self, closing: CancellationToken) {
        let mut said = None;
        while !closing.is_cancelled() {
            let done = match self.take().await {
                Ok(Some(held)) => self.work(&held, &closing).await.map(|()| true),
                Ok(None) => Ok(false),
                Err(error) => Err(error.into()),
            };
            let pause = match done {
                Ok(true) => continue,
                Ok(false) => {
                    said = None;
                    LOOK_MS
                }
                Err(error) => {
                    // It comes back each time: said once.
                    let text = error.to_string();
                    if said.as_ref() != Some(&text) {
                        warn!(error = text, "a replay is tried again in a moment");
                        said = Some(text);
                    }
                    LOOK_MS
                }
            };
            tokio::select! {
                () = closing.cancelled() => {}
                () = self.look.notified() => {}
                () = sleep(Duration::from_millis(pause)) => {}
            }
        }
    }

    /// Takes one that nobody holds and something is to be done for: what is over comes first.
    async fn take(&self) -> Result<Option<Held>, sqlx::Error> {
        let row: Option<(Uuid, i64, Vec<String>, bool)> = sqlx::query_as(
            "update replays
                set holder = $1, leased_until = clock_timestamp() + $2 * interval '1 second'
              where id = (
                    select id from replays
                     where (leased_until is null or leased_until < clock_timestamp())
                       and (state <> 'ready' or expires_at < clock_timestamp())
                     order by state = 'building' and expires_at > clock_timestamp(), id
                     limit 1 for update skip locked)
          returning id, until, projections,
                    state = 'cancelled' or expires_at < clock_timestamp()",
        )
        .bind(self.holder)
        .bind(LEASE_S)
        .fetch_optional(&self.tables)
        .await?;
        Ok(row.map(|(id, until, projections, is_over)| Held {
            id,
            until: until.unsigned_abs(),
            projections,
            is_over,
        }))
    }

    async fn work(&self, held: &Held, closing: &CancellationToken) -> Result<(), BesideError> {
        let done = match held.is_over {
            true => self.remove(held).await,
            false => self.build(held, closing).await,
        };
        // Whatever came of it, others may take it on: after a failure not at once.
        let error = done.as_ref().err().map(ToString::to_string);
        sqlx::query(
            "update replays
                set holder = null, error = coalesce($3, error),
                    leased_until = clock_timestamp() + $4 * interval '1 second'
              where id = $1 and holder = $2",
        )
        .bind(held.id)
        .bind(self.holder)
        .bind(&error)
        .bind(if error.is_some() { LEASE_S / 3.0 } else { 0.0 })
        .execute(&self.tables)
        .await?;
        done
    }

    async fn remove(&self, held: &Held) -> Result<(), BesideError> {
        beside::drop(&self.tables, &beside_of(held.id)).await?;
        sqlx::query("delete from replays where id = $1")
            .bind(held.id)
            .execute(&self.tables)
            .await?;
        info!(replay = %held.id, "removed a replay");
        Ok(())
    }

    async fn build(&self, held: &Held, closing: &CancellationToken) -> Result<(), BesideError> {
        let pool = beside::open(&self.tables, &beside_of(held.id)).await?;
        let pool = beside::pool(pool, CONNECTIONS_MAX);
        let these = projections::named(&held.projections);
        let options = ProjectionsOptions { until: held.until, ..ProjectionsOptions::default() };
        let folding = Projections::start_these(these, self.store.clone(), pool.clone(), options);
        let told = self.follow(held, &folding, closing).await;
        folding.stop().await;
        pool.close().await;
        told
    }

    /// Tells how far it is, until it is there, or nobody wants it any more.
    async fn follow(
        &self,
        held: &Held,
        folding: &Projections,
        closing: &CancellationToken,
    ) -> Result<(), BesideError> {
        let names: Vec<&str> = folding.names().collect();
        let begun = Instant::now();
        loop {
            let reached = folding.wait_for(&names, held.until, TELL_MS);
            let Some(reached) = closing.run_until_cancelled(reached).await else { return Ok(()) };
            if self.tell(held, folding, reached.is_ok()).await? {
                return Ok(());
            }
            if reached.is_ok() {
                let seconds = begun.elapsed().as_secs_f64();
                info!(replay = %held.id, until = held.until, seconds, "built a replay");
                return Ok(());
            }
        }
    }

    /// Writes down how far it is, and holds it on; true when it is to be built no more.
    async fn tell(
        &self,
        held: &Held,
        folding: &Projections,
        is_there: bool,
    ) -> Result<bool, BesideError> {
        let statuses = folding.status().await;
        let position = statuses.iter().map(|status| status.position).min().unwrap_or(0);
        let behind = statuses.iter().filter(|status| status.position < held.until);
        let rate = behind.map(|status| status.events_per_second).min().unwrap_or(0);
        let error = statuses.iter().find(|status| status.state.is_stalled());
        let error = error.and_then(|status| {
            Some(format!("{}: {}", status.name, status.stalled_because.as_deref()?))
        });
        let parked: u64 = statuses.iter().map(|status| status.parked).sum();
        let signed = |number: u64| i64::try_from(number).unwrap_or(i64::MAX);
        let done = sqlx::query(
            "update replays
                set position = $3, events_per_s = $4, parked = $5, error = $6,
                    state = case when $7 then 'ready' else state end,
                    finished_at = case when $7 then clock_timestamp() end,
                    leased_until = clock_timestamp() + $8 * interval '1 second'
              where id = $1 and holder = $2 and state = 'building'
                and expires_at > clock_timestamp()",
        )
        .bind(held.id)
        .bind(self.holder)
        .bind(signed(position))
        .bind(signed(rate))
        .bind(signed(parked))
        .bind(error)
        .bind(is_there)
        .bind(LEASE_S)
        .execute(&self.tables)
        .await?;
        Ok(done.rows_affected() == 0)
    }
}
