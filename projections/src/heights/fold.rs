//! How heights, rounds and votes become rows.
//!
//! Does not judge votes: those that do not count are no events.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use domain::{
    aggregate::Aggregate as _,
    consensus::{
        BlockCommitted, Conflict, ConsensusHeight, Event as Happened, HeightStarted, HeightStream,
        ProposalAccepted, RoundStarted,
    },
    values::Address,
    vote::{Vote, VoteType},
};
use futures::future::{BoxFuture, FutureExt as _};
use sqlx::PgConnection;

use crate::{
    columns::{column, name, signed},
    event::{Chunk, Event, Fact},
    projection::{ApplyError, Projection},
};

use super::{
    NAME,
    read::{StoredHeight, StoredRound},
};

/// The projection of heights.
#[derive(Clone, Copy, Debug)]
pub struct Heights;

impl Projection for Heights {
    fn name(&self) -> &'static str {
        NAME
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        &[ConsensusHeight::CATEGORY]
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
            sqlx::query!(
                "truncate heights_v1.heights, heights_v1.rounds, heights_v1.votes,
                          heights_v1.equivocations"
            )
            .execute(tx)
            .await?;
            Ok(())
        }
        .boxed()
    }
}

/// Chain and height.
type Key = (String, i64);

/// What a chunk makes of heights.
#[derive(Default)]
struct Fold<'a> {
    heights: BTreeMap<Key, StoredHeight>,
    rounds: BTreeMap<(Key, i32), StoredRound>,
    votes: Vec<(Key, &'a Event, &'a Vote)>,
    equivocations: Vec<(Key, &'a Event, i32, Address, &'static str)>,
}

async fn apply(chunk: &Chunk<'_>, tx: &mut PgConnection) -> Result<(), ApplyError> {
    let happened: Vec<(&Event, &HeightStream, &Happened)> = chunk
        .facts()
        .filter_map(|(event, fact)| match fact {
            Fact::Height(stream, happened) => Some((event, stream, happened)),
            Fact::Validator(..)
            | Fact::ValidatorSet(..)
            | Fact::Chain(..)
            | Fact::Account(..)
            | Fact::Block(..)
            | Fact::Configuration(_)
            | Fact::Monitoring(_)
            | Fact::Network(_) => None,
        })
        .collect();
    let mut fold = load(&happened, tx).await?;
    for (event, stream, happened) in happened {
        let key = key(stream)?;
        fold.take(key, event, happened)?;
    }
    fold.save(tx).await
}

fn key(stream: &HeightStream) -> Result<Key, sqlx::Error> {
    Ok((stream.chain.to_string(), signed(stream.height.value())?))
}

fn small(event: &Event, number: u32) -> Result<i32, ApplyError> {
    i32::try_from(number).map_err(|_| ApplyError::refused(event, "a number has no column"))
}

/// The rows that are there already, of the heights that a chunk is about.
async fn load<'a>(
    happened: &[(&Event, &HeightStream, &Happened)],
    tx: &mut PgConnection,
) -> Result<Fold<'a>, ApplyError> {
    let mut keys: Vec<Key> =
        happened.iter().map(|(_, stream, _)| key(stream)).collect::<Result<_, _>>()?;
    keys.sort_unstable();
    keys.dedup();
    let chains = column(&keys, |(chain, _)| chain.as_str());
    let numbers = column(&keys, |(_, height)| *height);
    let heights = sqlx::query_as!(
        StoredHeight,
        "select h.chain_id, h.height, h.validators, h.total_power, h.validators_hash, h.round,
                h.started_at, h.block_hash, h.committed_round, h.committed_at, h.took_ms
           from unnest($1::text[], $2::bigint[]) k (chain_id, height)
           join heights_v1.heights h on h.chain_id = k.chain_id and h.height = k.height",
        &chains as &[&str],
        &numbers,
    )
    .fetch_all(&mut *tx)
    .await?;
    let rounds = sqlx::query_as!(
        StoredRound,
        "select r.chain_id, r.height, r.round, r.proposer, r.started_at, r.block_hash,
                r.proposed_at, r.polka, r.failed
           from unnest($1::text[], $2::bigint[]) k (chain_id, height)
           join heights_v1.rounds r on r.chain_id = k.chain_id and r.height = k.height",
        &chains as &[&str],
        &numbers,
    )
    .fetch_all(tx)
    .await?;
    let of_height = |row: StoredHeight| ((row.chain_id.clone(), row.height), row);
    let of_round = |row: StoredRound| (((row.chain_id.clone(), row.height), row.round), row);
    Ok(Fold {
        heights: heights.into_iter().map(of_height).collect(),
        rounds: rounds.into_iter().map(of_round).collect(),
        ..Fold::default()
    })
}

impl<'a> Fold<'a> {
    fn take(
        &mut self,
        key: Key,
        event: &'a Event,
        happened: &'a Happened,
    ) -> Result<(), ApplyError> {
        match happened {
            Happened::HeightStarted(data) => self.start(key, event, data)?,
            Happened::RoundStarted(data) => self.start_round(key, event, data)?,
            Happened::ProposalAccepted(data) => self.propose(key, event, data)?,
            Happened::VoteCast(vote) => self.votes.push((key, event, vote)),
            Happened::PolkaReached(data) => {
                self.round(key, event, data.round.value())?.polka = true
            }
            Happened::BlockCommitted(data) => self.commit(&key, event, data)?,
            Happened::RoundFailed(data) => {
                self.round(key, event, data.round.value())?.failed = Some(name(&data.reason)?);
            }
            Happened::EquivocationDetected(data) => {
                let what = match &data.messages {
                    Conflict::Proposals { .. } => "proposal",
                    Conflict::Votes { first, .. } => kind(first.kind),
                };
                let round = small(event, data.round.value())?;
                self.equivocations.push((key, event, round, data.validator, what));
            }
            Happened::EvidenceAccepted(data) => {
                let round = small(event, data.round.value())?;
                self.equivocations.push((key, event, round, data.validator, kind(data.kind)));
            }
            Happened::VotesRefused(_) => {}
        }
        Ok(())
    }

    fn height(&mut self, key: &Key, event: &Event) -> Result<&mut StoredHeight, ApplyError> {
        let height = self.heights.get_mut(key);
        height.ok_or_else(|| ApplyError::refused(event, "the height did not start"))
    }

    /// The round; a proposal or a vote may come before it begins, and then it is not there.
    fn round(
        &mut self,
        key: Key,
        event: &Event,
        round: u32,
    ) -> Result<&mut StoredRound, ApplyError> {
        let round = small(event, round)?;
        let started_at = event.at.into();
        Ok(self.rounds.entry((key.clone(), round)).or_insert_with(|| StoredRound {
            chain_id: key.0,
            height: key.1,
            round,
            proposer: Vec::new(),
            started_at,
            block_hash: None,
            proposed_at: None,
            polka: false,
            failed: None,
        }))
    }

    fn start(&mut self, key: Key, event: &Event, data: &HeightStarted) -> Result<(), ApplyError> {
        let validators = u32::try_from(data.members.len()).unwrap_or(u32::MAX);
        let row = StoredHeight {
            chain_id: key.0.clone(),
            height: key.1,
            validators: small(event, validators)?,
            total_power: signed(data.total_power.value())?,
            validators_hash: data.validators_hash.as_bytes().to_vec(),
            round: 0,
            started_at: event.at.into(),
            block_hash: None,
            committed_round: None,
            committed_at: None,
            took_ms: None,
        };
        self.heights.insert(key, row);
        Ok(())
    }

    fn start_round(
        &mut self,
        key: Key,
        event: &Event,
        data: &RoundStarted,
    ) -> Result<(), ApplyError> {
        self.height(&key, event)?.round = small(event, data.round.value())?;
        let round = self.round(key, event, data.round.value())?;
        round.proposer = data.proposer.as_bytes().to_vec();
        round.started_at = event.at.into();
        Ok(())
    }

    fn propose(
        &mut self,
        key: Key,
        event: &Event,
        data: &ProposalAccepted,
    ) -> Result<(), ApplyError> {
        let round = self.round(key, event, data.round.value())?;
        round.proposer = data.proposer.as_bytes().to_vec();
        round.block_hash = Some(data.block_id.hash.as_bytes().to_vec());
        round.proposed_at = Some(event.at.into());
        Ok(())
    }

    fn commit(
        &mut self,
        key: &Key,
        event: &Event,
        data: &BlockCommitted,
    ) -> Result<(), ApplyError> {
        let committed_at: DateTime<Utc> = event.at.into();
        let height = self.height(key, event)?;
        height.block_hash = Some(data.block_id.hash.as_bytes().to_vec());
        height.committed_round = Some(small(event, data.round.value())?);
        height.committed_at = Some(committed_at);
        height.took_ms = Some((committed_at - height.started_at).num_milliseconds().max(0));
        Ok(())
    }

    async fn save(self, tx: &mut PgConnection) -> Result<(), ApplyError> {
        save_heights(&self.heights.into_values().collect::<Vec<_>>(), tx).await?;
        save_rounds(&self.rounds.into_values().collect::<Vec<_>>(), tx).await?;
        save_votes(&self.votes, tx).await?;
        save_equivocations(&self.equivocations, tx).await?;
        Ok(())
    }
}

const fn kind(kind: VoteType) -> &'static str {
    match kind {
        VoteType::Prevote => "prevote",
        VoteType::Precommit => "precommit",
    }
}

async fn save_heights(rows: &[StoredHeight], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into heights_v1.heights (
             chain_id, height, validators, total_power, validators_hash, round, started_at,
             block_hash, committed_round, committed_at, took_ms)
         select * from unnest(
             $1::text[], $2::bigint[], $3::integer[], $4::bigint[], $5::bytea[], $6::integer[],
             $7::timestamptz[], $8::bytea[], $9::integer[], $10::timestamptz[], $11::bigint[])
         on conflict (chain_id, height) do update set
             round = excluded.round, block_hash = excluded.block_hash,
             committed_round = excluded.committed_round, committed_at = excluded.committed_at,
             took_ms = excluded.took_ms",
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.height),
        &column(rows, |row| row.validators),
        &column(rows, |row| row.total_power),
        &column(rows, |row| row.validators_hash.as_slice()) as &[&[u8]],
        &column(rows, |row| row.round),
        &column(rows, |row| row.started_at),
        &column(rows, |row| row.block_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.committed_round) as &[Option<i32>],
        &column(rows, |row| row.committed_at) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.took_ms) as &[Option<i64>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_rounds(rows: &[StoredRound], tx: &mut PgConnection) -> Result<(), sqlx::Error> {
    sqlx::query!(
        "insert into heights_v1.rounds (
             chain_id, height, round, proposer, started_at, block_hash, proposed_at, polka, failed)
         select * from unnest(
             $1::text[], $2::bigint[], $3::integer[], $4::bytea[], $5::timestamptz[], $6::bytea[],
             $7::timestamptz[], $8::boolean[], $9::text[])
         on conflict (chain_id, height, round) do update set
             proposer = excluded.proposer, started_at = excluded.started_at,
             block_hash = excluded.block_hash, proposed_at = excluded.proposed_at,
             polka = excluded.polka, failed = excluded.failed",
        &column(rows, |row| row.chain_id.as_str()) as &[&str],
        &column(rows, |row| row.height),
        &column(rows, |row| row.round),
        &column(rows, |row| row.proposer.as_slice()) as &[&[u8]],
        &column(rows, |row| row.started_at),
        &column(rows, |row| row.block_hash.as_deref()) as &[Option<&[u8]>],
        &column(rows, |row| row.proposed_at) as &[Option<DateTime<Utc>>],
        &column(rows, |row| row.polka),
        &column(rows, |row| row.failed.as_deref()) as &[Option<&str>],
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_votes(
    rows: &[(Key, &Event, &Vote)],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let rounds = rows.iter().map(|(_, event, vote)| small(event, vote.round.value()));
    let blocks = column(rows, |(_, _, vote)| vote.block_id.map(|id| id.hash.as_bytes().to_vec()));
    sqlx::query!(
        "insert into heights_v1.votes (
             chain_id, height, round, kind, validator, block_hash, signed_at, recorded_at)
         select * from unnest(
             $1::text[], $2::bigint[], $3::integer[], $4::text[], $5::bytea[], $6::bytea[],
             $7::timestamptz[], $8::timestamptz[])",
        &column(rows, |((chain, _), _, _)| chain.as_str()) as &[&str],
        &column(rows, |((_, height), _, _)| *height),
        &rounds.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |(_, _, vote)| kind(vote.kind)) as &[&str],
        &column(rows, |(_, _, vote)| vote.validator.as_bytes().as_slice()) as &[&[u8]],
        &blocks as &[Option<Vec<u8>>],
        &column(rows, |(_, _, vote)| DateTime::<Utc>::from(vote.timestamp)),
        &column(rows, |(_, event, _)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}

async fn save_equivocations(
    rows: &[(Key, &Event, i32, Address, &'static str)],
    tx: &mut PgConnection,
) -> Result<(), ApplyError> {
    if rows.is_empty() {
        return Ok(());
    }
    let positions = rows.iter().map(|(_, event, ..)| signed(event.position));
    sqlx::query!(
        "insert into heights_v1.equivocations (
             position, chain_id, height, round, validator, kind, detected_at)
         select * from unnest(
             $1::bigint[], $2::text[], $3::bigint[], $4::integer[], $5::bytea[], $6::text[],
             $7::timestamptz[])",
        &positions.collect::<Result<Vec<_>, _>>()?,
        &column(rows, |((chain, _), ..)| chain.as_str()) as &[&str],
        &column(rows, |((_, height), ..)| *height),
        &column(rows, |(_, _, round, ..)| *round),
        &column(rows, |(_, _, _, who, _)| who.as_bytes().as_slice()) as &[&[u8]],
        &column(rows, |(.., what)| *what) as &[&str],
        &column(rows, |(_, event, ..)| DateTime::<Utc>::from(event.at)),
    )
    .execute(tx)
    .await?;
    Ok(())
}
