//! How headers become rows, and what forks make of them.
//!
//! Does not verify: what is recorded was verified before.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    chain::{
        Chain, ChainStream, Event as Happened, ForkDetected, ForkResolved, HeaderObserved,
        HeaderRejected,
    },
    values::Power,
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, name, named, signed},
    event::{Chunk, Event},
    projection::{ApplyError, Projection},
};

use super::{HeaderState, NAME, read::Stored};

/// The projection of headers.
#[derive(Clone, Copy, Debug)]
pub struct Headers;

impl Projection for Headers {
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
            sqlx::query!("truncate headers_v1.headers, headers_v1.rejections").execute(tx).await?;
            Ok(())
        }
        .boxed()
    }
}

/// Chain, height, hash.
type Key = (String, i64, Vec<u8>);

/// What a chunk makes of headers.
#[derive(Default)]
struct Fold<'a> {
    /// The state of headers that are new, or that a resolved fork may touch.
    states: BTreeMap<Key, HeaderState>,
    /// Headers that are new.
    rows: BTreeMap<Key, Stored>,
    /// Headers of earlier chunks whose state changed.
    changed: BTreeMap<Key, HeaderState>,
    rejected: Vec<(&'a Event, &'a ChainStream, &'a HeaderRejected)>,
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let mut fold = Fold { states: load(chunk, tx).await?, ..Fold::default() };
    for (event, stream, happened) in chunk.chains() {
        match happened {
            Happened::HeaderObserved(data) => fold.add(observed(event, stream, data)?)?,
            Happened::HeaderRejected(data) => fold.rejected.push((event, stream, data)),
            Happened::ForkDetected(data) => fold.add(conflicting(event, stream, data)?)?,
            Happened::ForkResolved(data) => fold.resolve(event, stream, data)?,
            Happened::GenesisInitialised(_)
            | Happened::ObservationStarted(_)
            | Happened::EpochClosed(_)
            | Happened::EpochOpened(_)
            | Happened::BlockApplied(_)
            | Happened::ChainHalted(_)
            | Happened::StateSnapshotCreated(_)
            | Happened::StatePruned(_)
            | Happened::ParametersScheduled(_) => {}
        }
    }
    if !fold.rows.is_empty() {
        save(&fold.rows.into_values().collect::<Vec<_>>(), tx).await?;
    }
    if !fold.changed.is_empty() {
        save_states(&fold.changed, tx).await?;
    }
    if !fold.rejected.is_empty() {
        save_rejected(&fold.rejected, tx).await?;
    }
    Ok(())
}

/// The states of the headers that resolved forks of this chunk may touch: from a fork's height on.
async fn load(
    chunk: &Chunk<'_>,
    tx: &mut PgConnection,
) -> Result<BTreeMap<Key, HeaderState>, ApplyError> {
    let mut heights: BTreeMap<&str, i64> = BTreeMap::new();
    for (_, stream, happened) in chunk.chains() {
        if let Happened::ForkResolved(data) = happened {
            let height = signed(data.height.value())?;
            let least = heights.entry(stream.chain.as_str()).or_insert(height);
            *least = height.min(*least);
        }
    }
    if heights.is_empty() {
        return Ok(BTreeMap::new());
    }
    let rows = sqlx::query!(
        "select h.chain_id, h.height, h.hash, h.state
           from unnest($1::text[], $2::bigint[]) f (chain_id, height)
           join headers_v1.headers h on h.chain_id = f.chain_id and h.height >= f.height",
        &heights.keys().copied().collect::<Vec<_>>() as &[&str],
        &heights.values().copied().collect::<Vec<_>>(),
    )
    .fetch_all(tx)
    .await?;
    let states = rows
        .into_iter()
        .map(|row| Ok(((row.chain_id, row.height, row.hash), named::<HeaderState>(&row.state)?)));
    Ok(states.collect::<Result<_, sqlx::Error>>()?)
}

impl Fold<'_> {
    fn add(&mut self, row: Stored) -> Result<(), sqlx::Error> {
        let key = (row.chain_id.clone(), row.height, row.hash.clone());
        self.states.insert(key.clone(), named(&row.state)?);
        // What this chunk made of it before is overtaken.
        self.changed.remove(&key);
        self.rows.insert(key, row);
        Ok(())
    }

    fn set(&mut self, key: &Key, state: HeaderState) {
        self.states.insert(key.clone(), state);
        match self.rows.get_mut(key) {
            Some(row) => row.state = state.as_str().to_owned(),
            None => {
                self.changed.insert(key.clone(), state);
            }
        }
    }

    /// The kept header is the chain's. If it was not the recorded one, so is nothing that was
    /// recorded from its height on.
    fn resolve(
        &mut self,
        event: &Event,
        stream: &ChainStream,
        data: &ForkResolved,
    ) -> Result<(), ApplyError> {
        let chain = stream.chain.to_string();
        let height = signed(data.height.value())?;
        let kept = (chain.clone(), height, data.kept.as_bytes().to_vec());
        let abandoned = (chain.clone(), height, data.abandoned.as_bytes().to_vec());
        if !self.states.contains_key(&kept) {
            return Err(ApplyError::refused(event, "the kept header is unknown"));
        }
        if self.states.get(&abandoned) == Some(&HeaderState::Recorded) {
            let later = self.states.range((chain.clone(), height, Vec::new())..);
            let later = later.take_while(|((of, _, _), _)| *of == chain);
            let lost = later.filter(|(_, state)| **state == HeaderState::Recorded);
            for key in lost.map(|(key, _)| key.clone()).collect::<Vec<_>>() {
                self.set(&key, HeaderState::Abandoned);
            }
        }
        self.set(&abandoned, HeaderState::Abandoned);
        self.set(&kept, HeaderState::Recorded);
        Ok(())
    }
}

fn observed(
    event: &Event,
    stream: &ChainStream,
    data: &HeaderObserved,
) -> Result<Stored, ApplyError> {
    Ok(Stored {
        chain_id: stream.chain.to_string(),
        height: signed(data.height.value())?,
        hash: data.hash.as_bytes().to_vec(),
        state: HeaderState::Recorded.as_str().to_owned(),
        time: data.time.into(),
        time_nanos: nanos(event, data.time_nanos)?,
        proposer: data.proposer.as_bytes().to_vec(),
        round: round(event, data.round.value())?,
        app_hash: data.app_hash.as_bytes().to_vec(),
        data_hash: data.data_hash.map(|hash| hash.as_bytes().to_vec()),
        last_block_hash: data.last_block_hash.map(|hash| hash.as_bytes().to_vec()),
        validators_hash: data.validators_hash.as_bytes().to_vec(),
        next_validators_hash: data.next_validators_hash.as_bytes().to_vec(),
        signed_power: Some(signed(data.signed_power.value())?),
        total_power: signed(data.total_power.value())?,
        verification: Some(name(&data.verification)?),
        epoch: signed(stream.epoch.value())?,
        position: signed(event.position)?,
        observed_at: event.at.into(),
    })
}

/// The header of a fork that is not recorded.
fn conflicting(
    event: &Event,
    stream: &ChainStream,
    data: &ForkDetected,
) -> Result<Stored, ApplyError> {
    let header = data.conflicting_header.parse();
    let header = header.map_err(|fault| ApplyError::refused(event, fault))?;
    let total = Power::new(data.conflicting_set.total_power());
    let total = total.map_err(|fault| ApplyError::refused(event, fault))?;
    Ok(Stored {
        chain_id: stream.chain.to_string(),
        height: signed(data.height.value())?,
        hash: data.conflicting.as_bytes().to_vec(),
        state: HeaderState::Conflicting.as_str().to_owned(),
        time: header.time().into(),
        time_nanos: nanos(event, header.time_nanos())?,
        proposer: header.proposer().as_bytes().to_vec(),
        round: round(event, header.round().value())?,
        app_hash: header.app_hash().as_bytes().to_vec(),
        data_hash: header.data_hash().map(|hash| hash.as_bytes().to_vec()),
        last_block_hash: header.last_block_hash().map(|hash| hash.as_bytes().to_vec()),
        validators_hash: header.validators_hash().as_bytes().to_vec(),
        next_validators_hash: header.next_validators_hash().as_bytes().to_vec(),
        signed_power: None,
        total_power: signed(total.value())?,
        verification: None,
        epoch: signed(stream.epoch.value())?,
        position: signed(event.position)?,
        observed_at: event.at.into(),
    })
}

fn nanos(event: &Event, nanos: u16) -> Result<i16, ApplyError> {
    i16::try_from(nanos).map_err(|_| ApplyError::refused(event, "more nanoseconds than there are"))
}

fn round(event: &Event, round: u32) -> Result<i32, ApplyError> {
    i32::try_from(round).map_err(|_| ApplyError::refused(event, "the round has no column"))
}

/// A header that a fork abandoned may be observed again: then it is recorded again.
async fn save(rows: &[Stored], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        r#"insert into headers_v1.headers (
             chain_id, height, hash, state, "time", time_nanos, proposer, round, app_hash,
             data_hash, last_block_hash, validators_hash, next_validators_hash, signed_power,
             total_power, verification, epoch, position, observed_at)
         select * from unnest(
             $1::text[], $2::bigint[], $3::bytea[], $4::text[], $5::timestamptz[], $6::smallint[],
             $7::bytea[], $8::integer[], $9::bytea[], $10::bytea[], $11::bytea[], $12::bytea[],
             $13::bytea[], $14::bigint[], $15::bigint[], $16::text[], $17::bigint[], $18::bigint[],
             $19::timestamptz[])
         on conflict on constraint headers_height do update set
             state = excluded.state, signed_power = excluded.signed_power,
             total_power = excluded.total_power, verification = excluded.verification,
             epoch = excluded.epoch, position = excluded.position,
             observed_at = excluded.observed_at"#,
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.height),
        &column(rows, |row| row.hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.state.as_str()) as &[&str],
        &column(rows, |row| row.time),
        &column(rows, |row| row.time_nanos),
        &column(rows, |row| row.proposer.as_slice()) as &[&[u8]],
        &column(rows, |row| row.round),
        &column(rows, |row| row.app_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.data_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.last_block_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.validators_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.next_validators_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.signed_power) as &[Option<i64>],
        &column(rows, |row| row.total_power),
        &column(rows, |row| row.verification.as_deref()) as &[Option<&str>],
        &column(rows, |row| row.epoch),
        &column(rows, |row| row.position),
        &column(rows, |row| row.observed_at),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_states(
    changed: &BTreeMap<Key, HeaderState>,
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let changed: Vec<(&Key, &HeaderState)> = changed.iter().collect();
    sqlx::query!(
        "update headers_v1.headers h set state = c.state
           from unnest($1::text[], $2::bigint[], $3::bytea[], $4::text[])
                    c (chain_id, height, hash, state)
          where h.chain_id = c.chain_id and h.height = c.height and h.hash = c.hash",
        &column(&changed, |((chain, _, _), _)| chain.as_str()) as &[&str],
        &column(&changed, |((_, height, _), _)| *height),
        &column(&changed, |((_, _, hash), _)| hash.as_slice()) as &[&[u8]],
        &column(&changed, |(_, state)| state.as_str()) as &[&str],
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_rejected(
    rejected: &[(&Event, &ChainStream, &HeaderRejected)],
    tx: &mut PgConnection,
) -> Result<(), sqlx::Error> {
    let numbers = |of: fn(&(&Event, &ChainStream, &HeaderRejected)) -> u64| {
        rejected.iter().map(|told| signed(of(told))).collect::<Result<Vec<i64>, sqlx::Error>>()
    };
    sqlx::query!(
        "insert into headers_v1.rejections
             (position, chain_id, height, hash, signed_header_hash, code, reason, rejected_at)
         select * from unnest($1::bigint[], $2::text[], $3::bigint[], $4::bytea[], $5::bytea[],
                              $6::text[], $7::text[], $8::timestamptz[])",
        &numbers(|(event, _, _)| event.position)?,
        &column(rejected, |(_, stream, _)| stream.chain.as_str()) as &[&str],
        &numbers(|(_, _, data)| data.height.value())?,
        &column(rejected, |(_, _, data)| data.hash.as_bytes().as_slice()) as &[&[u8]],
        &column(rejected, |(_, _, data)| data.signed_header_hash.as_bytes().as_slice())
            as &[&[u8]],
        &column(rejected, |(_, _, data)| data.fault.code()) as &[&str],
        &column(rejected, |(_, _, data)| data.reason.as_str()) as &[&str],
        &column(rejected, |(event, _, _)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}
