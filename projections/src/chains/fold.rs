//! How chains' events become rows.
//!
//! Does not verify: what is recorded was verified before.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    chain::{
        self, BlockApplied, ChainStream, EpochOpened, Event as Happened, ForkDetected,
        ForkResolved, GenesisInitialised, HeaderObserved, Kind, ObservationStarted,
    },
    parameters::{self, Change},
    values::ChainId,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, name, signed},
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::{NAME, read::Stored};

/// The projection of chains.
#[derive(Clone, Copy, Debug)]
pub struct Chains;

impl Projection for Chains {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[chain::Chain::CATEGORY]
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
            sqlx::query!("truncate chains_v1.chains, chains_v1.forks").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut ids: Vec<&ChainId> = chunk.chains().map(|(_, stream, _)| &stream.chain).collect();
    ids.sort_unstable();
    ids.dedup();
    let keys: Vec<String> = ids.iter().map(ToString::to_string).collect();
    let rows = Stored::load(&keys, tx).await?;
    let mut rows: BTreeMap<_, _> =
        rows.into_iter().map(|row| (row.chain_id.clone(), row)).collect();
    for (event, stream, happened) in chunk.chains() {
        fold(&mut rows, event, stream, happened)?;
    }
    save(&rows.into_values().collect::<Vec<_>>(), tx).await?;
    save_forks(chunk, tx).await
}

fn fold(
    rows: &mut BTreeMap<String, Stored>,
    event: &Event,
    stream: &ChainStream,
    happened: &Happened,
) -> Result<(), ApplyError> {
    let id = stream.chain.as_str();
    match happened {
        Happened::GenesisInitialised(data) => {
            rows.insert(id.to_owned(), initialised(event, stream, data)?);
            return Ok(());
        }
        Happened::ObservationStarted(data) => {
            rows.insert(id.to_owned(), started(event, stream, data)?);
            return Ok(());
        }
        Happened::HeaderObserved(_)
        | Happened::HeaderRejected(_)
        | Happened::ForkDetected(_)
        | Happened::ForkResolved(_)
        | Happened::EpochClosed(_)
        | Happened::EpochOpened(_)
        | Happened::BlockApplied(_)
        | Happened::ChainHalted(_)
        | Happened::StateSnapshotCreated(_)
        | Happened::StatePruned(_)
        | Happened::ParametersScheduled(_) => {}
    }
    let row = rows.get_mut(id);
    let row = row.ok_or_else(|| ApplyError::refused(event, "the chain has not begun"))?;
    match happened {
        Happened::GenesisInitialised(_)
        | Happened::ObservationStarted(_)
        | Happened::ChainHalted(_)
        | Happened::StateSnapshotCreated(_)
        | Happened::StatePruned(_) => {}
        Happened::BlockApplied(data) => row.applied(data)?,
        Happened::ParametersScheduled(change) => row.governed(event, change)?,
        Happened::HeaderObserved(data) => row.extended(data)?,
        Happened::HeaderRejected(_) => row.headers_rejected += 1,
        Happened::ForkDetected(data) => row.forked(event, data)?,
        Happened::ForkResolved(data) => row.resolved(data),
        Happened::EpochClosed(_) => row.closed |= row.stream == event.stream.as_str(),
        Happened::EpochOpened(data) => row.opened(event, stream, data)?,
    }
    // Events of an epoch before the one opened last say nothing about its stream's version.
    if row.stream == event.stream.as_str() {
        row.version = signed(event.version)?;
    }
    row.updated_at = event.at.into();
    row.position = signed(event.position)?;
    Ok(())
}

/// A chain of which only its beginning is known.
fn begun(event: &Event, stream: &ChainStream, kind: Kind) -> Result<Stored, sqlx::Error> {
    let at: DateTime<Utc> = event.at.into();
    Ok(Stored {
        chain_id: stream.chain.to_string(),
        kind: name(&kind)?,
        stream: event.stream.to_string(),
        version: signed(event.version)?,
        epoch: signed(stream.epoch.value())?,
        started_at: at,
        updated_at: at,
        position: signed(event.position)?,
        ..Stored::default()
    })
}

fn initialised(
    event: &Event,
    stream: &ChainStream,
    data: &GenesisInitialised,
) -> Result<Stored, ApplyError> {
    let parameters = serde_json::to_string(&data.parameters)
        .map_err(|error| ApplyError::refused(event, error))?;
    Ok(Stored {
        genesis_hash: Some(data.genesis_hash.as_bytes().to_vec()),
        genesis_time: Some(data.genesis_time.into()),
        initial_height: Some(signed(data.initial_height.value())?),
        accounts: Some(data.accounts.into()),
        validators: Some(signed(data.validators.len() as u64)?),
        validators_hash: Some(data.validators_hash.as_bytes().to_vec()),
        app_hash: Some(data.app_hash.as_bytes().to_vec()),
        bonded: Some(data.bonded.to_string()),
        supply: Some(data.supply.to_string()),
        parameters: Some(parameters),
        next_validators_hash: Some(data.validators_hash.as_bytes().to_vec()),
        ..begun(event, stream, Kind::Native)?
    })
}

fn started(
    event: &Event,
    stream: &ChainStream,
    data: &ObservationStarted,
) -> Result<Stored, ApplyError> {
    Ok(Stored {
        anchor_height: Some(signed(data.height.value())?),
        anchor_hash: Some(data.hash.as_bytes().to_vec()),
        epoch_headers: Some(data.epoch_headers.into()),
        trusting_period_s: Some(data.trusting_period_s.into()),
        ..begun(event, stream, Kind::Observed)?
    })
}

impl Stored {
    fn extended(&mut self, data: &HeaderObserved) -> Result<(), sqlx::Error> {
        self.height = Some(signed(data.height.value())?);
        self.hash = Some(data.hash.as_bytes().to_vec());
        self.time = Some(data.time.into());
        self.next_validators_hash = Some(data.next_validators_hash.as_bytes().to_vec());
        self.headers_observed += 1;
        Ok(())
    }

    fn applied(&mut self, data: &BlockApplied) -> Result<(), sqlx::Error> {
        self.height = Some(signed(data.height.value())?);
        self.hash = Some(data.hash.as_bytes().to_vec());
        self.time = Some(data.time.into());
        self.next_validators_hash = Some(data.next_validators_hash.as_bytes().to_vec());
        Ok(())
    }

    fn governed(&mut self, event: &Event, change: &Change) -> Result<(), ApplyError> {
        let mut changes = self.parameter_changes()?;
        parameters::put(&mut changes, change.clone());
        let changes =
            serde_json::to_string(&changes).map_err(|error| ApplyError::refused(event, error))?;
        self.parameter_changes = Some(changes);
        Ok(())
    }

    /// Remembers of the other header what the head needs should it be kept.
    fn forked(&mut self, event: &Event, data: &ForkDetected) -> Result<(), ApplyError> {
        let other = data.conflicting_header.parse();
        let other = other.map_err(|fault| ApplyError::refused(event, fault))?;
        self.fork_height = Some(signed(data.height.value())?);
        self.fork_recorded = Some(data.recorded.as_bytes().to_vec());
        self.fork_conflicting = Some(data.conflicting.as_bytes().to_vec());
        self.fork_time = Some(other.time().into());
        self.fork_next_validators_hash = Some(other.next_validators_hash().as_bytes().to_vec());
        self.fork_detected_at = Some(event.at.into());
        Ok(())
    }

    fn resolved(&mut self, data: &ForkResolved) {
        let height = self.fork_height.take();
        let conflicting = self.fork_conflicting.take();
        let time = self.fork_time.take();
        let next_validators_hash = self.fork_next_validators_hash.take();
        self.fork_recorded = None;
        self.fork_detected_at = None;
        if conflicting.as_deref() == Some(data.kept.as_bytes()) {
            self.height = height;
            self.hash = conflicting;
            self.time = time;
            self.next_validators_hash = next_validators_hash;
        }
    }

    fn opened(
        &mut self,
        event: &Event,
        stream: &ChainStream,
        data: &EpochOpened,
    ) -> Result<(), sqlx::Error> {
        self.stream = event.stream.to_string();
        self.epoch = signed(stream.epoch.value())?;
        self.closed = false;
        self.height = Some(signed(data.carried.height().value())?);
        self.hash = Some(data.carried.hash().as_bytes().to_vec());
        self.time = Some(data.carried.time().into());
        self.next_validators_hash = Some(data.carried.next_validators_hash().as_bytes().to_vec());
        Ok(())
    }
}

async fn save(rows: &[Stored], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into chains_v1.chains (
             chain_id, kind, stream, version, epoch, closed, height, hash, "time",
             next_validators_hash, headers_observed, headers_rejected, anchor_height, anchor_hash,
             epoch_headers, trusting_period_s, genesis_hash, genesis_time, initial_height, accounts,
             validators, validators_hash, app_hash, bonded, supply, parameters, fork_height,
             fork_recorded, fork_conflicting, fork_time, fork_next_validators_hash,
             fork_detected_at, started_at, updated_at, position, parameter_changes)
         select * from unnest(
             $1::text[], $2::text[], $3::text[], $4::bigint[], $5::bigint[], $6::boolean[],
             $7::bigint[], $8::bytea[], $9::timestamptz[], $10::bytea[], $11::bigint[],
             $12::bigint[], $13::bigint[], $14::bytea[], $15::bigint[], $16::bigint[], $17::bytea[],
             $18::timestamptz[], $19::bigint[], $20::bigint[], $21::bigint[], $22::bytea[],
             $23::bytea[], $24::text[]::numeric[], $25::text[]::numeric[], $26::text[],
             $27::bigint[], $28::bytea[], $29::bytea[], $30::timestamptz[], $31::bytea[],
             $32::timestamptz[], $33::timestamptz[], $34::timestamptz[], $35::bigint[], $36::text[])
         on conflict on constraint chains_chain_id do update set
             kind = excluded.kind, stream = excluded.stream, version = excluded.version,
             epoch = excluded.epoch, closed = excluded.closed, height = excluded.height,
             hash = excluded.hash, "time" = excluded."time",
             next_validators_hash = excluded.next_validators_hash,
             headers_observed = excluded.headers_observed,
             headers_rejected = excluded.headers_rejected, anchor_height = excluded.anchor_height,
             anchor_hash = excluded.anchor_hash, epoch_headers = excluded.epoch_headers,
             trusting_period_s = excluded.trusting_period_s, genesis_hash = excluded.genesis_hash,
             genesis_time = excluded.genesis_time, initial_height = excluded.initial_height,
             accounts = excluded.accounts, validators = excluded.validators,
             validators_hash = excluded.validators_hash, app_hash = excluded.app_hash,
             bonded = excluded.bonded, supply = excluded.supply, parameters = excluded.parameters,
             fork_height = excluded.fork_height, fork_recorded = excluded.fork_recorded,
             fork_conflicting = excluded.fork_conflicting, fork_time = excluded.fork_time,
             fork_next_validators_hash = excluded.fork_next_validators_hash,
             fork_detected_at = excluded.fork_detected_at, started_at = excluded.started_at,
             updated_at = excluded.updated_at, position = excluded.position,
             parameter_changes = excluded.parameter_changes"#,
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.kind.as_str()) as &[&str],
        &column(rows, |row| row.stream.as_str()) as &[&str],
        &column(rows, |row| row.version),
        &column(rows, |row| row.epoch),
        &column(rows, |row| row.closed),
        &column(rows, |row| row.height) as &[Option<i64>],
        &column(rows, |row| row.hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.time) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.next_validators_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.headers_observed),
        &column(rows, |row| row.headers_rejected),
        &column(rows, |row| row.anchor_height) as &[Option<i64>],
        &column(rows, |row| row.anchor_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.epoch_headers) as &[Option<i64>],
        &column(rows, |row| row.trusting_period_s) as &[Option<i64>],
        &column(rows, |row| row.genesis_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.genesis_time) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.initial_height) as &[Option<i64>],
        &column(rows, |row| row.accounts) as &[Option<i64>],
        &column(rows, |row| row.validators) as &[Option<i64>],
        &column(rows, |row| row.validators_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.app_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.bonded.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.supply.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.parameters.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.fork_height) as &[Option<i64>],
        &column(rows, |row| row.fork_recorded.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.fork_conflicting.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.fork_time) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.fork_next_validators_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.fork_detected_at) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.started_at),
        &column(rows, |row| row.updated_at),
        &column(rows, |row| row.position),
        &column(rows, |row| row.parameter_changes.as_deref()) as &[Option<&str>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

/// Adds the chunk's forks, then writes down how forks of this or earlier chunks were resolved: a
/// chain has at most one open fork, so a resolution belongs to the last fork of its chain before
/// it.
async fn save_forks(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let (mut detected, mut resolved) = (Vec::new(), Vec::new());
    for (event, stream, happened) in chunk.chains() {
        match happened {
            Happened::ForkDetected(data) => detected.push((event, stream, &**data)),
            Happened::ForkResolved(data) => resolved.push((event, stream, data)),
            Happened::GenesisInitialised(_)
            | Happened::ObservationStarted(_)
            | Happened::HeaderObserved(_)
            | Happened::HeaderRejected(_)
            | Happened::EpochClosed(_)
            | Happened::EpochOpened(_)
            | Happened::BlockApplied(_)
            | Happened::ChainHalted(_)
            | Happened::StateSnapshotCreated(_)
            | Happened::StatePruned(_)
            | Happened::ParametersScheduled(_) => {}
        }
    }
    if !detected.is_empty() {
        save_detected(&detected, tx).await?;
    }
    if !resolved.is_empty() {
        save_resolved(&resolved, tx).await?;
    }
    Ok(())
}

/// An event of a chain, as a chunk shows it.
type Told<'a, T> = (&'a Event, &'a ChainStream, &'a T);

async fn save_detected(
    forks: &[Told<'_, ForkDetected>],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&Told<'_, ForkDetected>) -> u64| -> Result<Vec<i64>, sqlx::Error> {
        forks.iter().map(|fork| signed(of(fork))).collect()
    };
    let culprits = column(forks, |(_, _, data)| {
        data.culprits.iter().flat_map(|culprit| culprit.as_bytes().to_vec()).collect::<Vec<u8>>()
    });
    sqlx::query!(
        "insert into chains_v1.forks
             (position, chain_id, height, recorded, conflicting, culprits, detected_at)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[],
                              $6::bytea[], $7::timestamptz[])",
        &numbers(|(event, _, _)| event.position)?,
        &column(forks, |(_, stream, _)| stream.chain.as_str()) as &[&str],
        &numbers(|(_, _, data)| data.height.value())?,
        &column(forks, |(_, _, data)| data.recorded.as_bytes().as_slice()) as &[&[u8]],
        &column(forks, |(_, _, data)| data.conflicting.as_bytes().as_slice()) as &[&[u8]],
        &culprits,
        &column(forks, |(event, _, _)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_resolved(
    resolutions: &[Told<'_, ForkResolved>],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let positions: Result<Vec<i64>, sqlx::Error> =
        resolutions.iter().map(|(event, _, _)| signed(event.position)).collect();
    sqlx::query!(
        "update chains_v1.forks f set kept = r.kept, reason = r.reason, resolved_at = r.at
           from unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::timestamptz[])
                    r (chain_id, position, kept, reason, at)
          where f.position = (select max(before.position) from chains_v1.forks before
                               where before.chain_id = r.chain_id and before.position < r.position)",
        &column(resolutions, |(_, stream, _)| stream.chain.as_str()) as &[&str],
        &positions?,
        &column(resolutions, |(_, _, data)| data.kept.as_bytes().as_slice()) as &[&[u8]],
        &column(resolutions, |(_, _, data)| data.reason.to_string()),
        &column(resolutions, |(event, _, _)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}
