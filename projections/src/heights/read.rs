//! The rows of heights, and the reads over them.
//!
//! Does not know how rows came about.

use chrono::{DateTime, Utc};
use domain::values::{ChainId, Height};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, hash, named, parsed, signed, unsigned},
    page::{Order, PageOf, PageRequest, part},
    read::ReadError,
};

use super::{
    Duties, EquivocationFound, HeightAgreed, HeightInFull, RoundHeld, VoteGiven, list_name,
};

#[derive(Debug, sqlx::FromRow)]
pub(super) struct StoredHeight {
    pub chain_id: String,
    pub height: i64,
    pub validators: i32,
    pub total_power: i64,
    pub validators_hash: Vec<u8>,
    pub round: i32,
    pub started_at: DateTime<Utc>,
    pub block_hash: Option<Vec<u8>>,
    pub committed_round: Option<i32>,
    pub committed_at: Option<DateTime<Utc>>,
    pub took_ms: Option<i64>,
}

#[derive(Debug, sqlx::FromRow)]
pub(super) struct StoredRound {
    pub chain_id: String,
    pub height: i64,
    pub round: i32,
    pub proposer: Vec<u8>,
    pub started_at: DateTime<Utc>,
    pub block_hash: Option<Vec<u8>>,
    pub proposed_at: Option<DateTime<Utc>>,
    pub polka: bool,
    pub failed: Option<String>,
}

fn round(round: i32) -> Result<domain::values::Round, sqlx::Error> {
    converted(converted::<u32, _>(round)?)
}

impl TryFrom<StoredHeight> for HeightAgreed {
    type Error = sqlx::Error;

    fn try_from(row: StoredHeight) -> Result<HeightAgreed, sqlx::Error> {
        Ok(HeightAgreed {
            chain_id: parsed(&row.chain_id)?,
            height: converted(unsigned(row.height))?,
            validators: converted(row.validators)?,
            total_power: converted(unsigned(row.total_power))?,
            validators_hash: hash(&row.validators_hash)?,
            round: round(row.round)?,
            started_at: row.started_at.into(),
            block_hash: row.block_hash.as_deref().map(hash).transpose()?,
            committed_round: row.committed_round.map(round).transpose()?,
            committed_at: row.committed_at.map(Into::into),
            took_ms: row.took_ms.map(unsigned),
        })
    }
}

impl TryFrom<StoredRound> for RoundHeld {
    type Error = sqlx::Error;

    fn try_from(row: StoredRound) -> Result<RoundHeld, sqlx::Error> {
        Ok(RoundHeld {
            round: round(row.round)?,
            proposer: address(&row.proposer)?,
            started_at: row.started_at.into(),
            block_hash: row.block_hash.as_deref().map(hash).transpose()?,
            proposed_at: row.proposed_at.map(Into::into),
            polka: row.polka,
            failed: row.failed.as_deref().map(named).transpose()?,
        })
    }
}

const SELECT: &str = "select chain_id, height, validators, total_power, validators_hash, round, \
    started_at, block_hash, committed_round, committed_at, took_ms from read.heights \
    where chain_id = ";

/// A height with everything that was said at it.
pub async fn get(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Option<HeightInFull>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push_bind(chain.as_str()).push(" and height = ").push_bind(signed(height.value())?);
    let row: Option<StoredHeight> = sql.build_query_as().fetch_optional(pool).await?;
    let Some(row) = row else { return Ok(None) };
    Ok(Some(HeightInFull {
        height: row.try_into()?,
        rounds: rounds(pool, chain, height).await?,
        votes: votes(pool, chain, height).await?,
        equivocations: equivocations(pool, chain, height).await?,
    }))
}

/// The rounds of a height, in order. A proposal that came before its round began is not one yet.
async fn rounds(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Vec<RoundHeld>, ReadError> {
    let rows = sqlx::query_as!(
        StoredRound,
        r#"select chain_id as "chain_id!", height as "height!", round as "round!",
                  proposer as "proposer!", started_at as "started_at!", block_hash, proposed_at,
                  polka as "polka!", failed
             from read.rounds
            where chain_id = $1 and height = $2 and length(proposer) > 0 order by round"#,
        chain.as_str(),
        signed(height.value())?,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(RoundHeld::try_from).collect::<Result<_, _>>()?)
}

/// The votes of a height, by round, type and validator.
async fn votes(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Vec<VoteGiven>, ReadError> {
    let rows = sqlx::query!(
        r#"select round as "round!", kind as "kind!", validator as "validator!", block_hash,
                  signed_at as "signed_at!", recorded_at as "recorded_at!"
             from read.votes where chain_id = $1 and height = $2
            order by round, kind desc, validator"#,
        chain.as_str(),
        signed(height.value())?,
    )
    .fetch_all(pool)
    .await?;
    let votes = rows.into_iter().map(|row| {
        Ok(VoteGiven {
            round: round(row.round)?,
            kind: named(&row.kind)?,
            validator: address(&row.validator)?,
            block_hash: row.block_hash.as_deref().map(hash).transpose()?,
            signed_at: row.signed_at.into(),
            recorded_at: row.recorded_at.into(),
        })
    });
    Ok(votes.collect::<Result<_, sqlx::Error>>()?)
}

async fn equivocations(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Vec<EquivocationFound>, ReadError> {
    let rows = sqlx::query!(
        r#"select position as "position!", round as "round!", validator as "validator!",
                  kind as "kind!", detected_at as "detected_at!"
             from read.equivocations where chain_id = $1 and height = $2 order by position"#,
        chain.as_str(),
        signed(height.value())?,
    )
    .fetch_all(pool)
    .await?;
    let found = rows.into_iter().map(|row| {
        Ok(EquivocationFound {
            position: unsigned(row.position),
            round: round(row.round)?,
            validator: address(&row.validator)?,
            kind: row.kind,
            detected_at: row.detected_at.into(),
        })
    });
    Ok(found.collect::<Result<_, sqlx::Error>>()?)
}

/// A page of a chain's heights: newest is the greatest first.
pub async fn list(
    pool: &PgPool,
    chain: &ChainId,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<HeightAgreed>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push_bind(chain.as_str());
    if let Some(cursor) = page.after() {
        let [height] = cursor.key(list_name(order))?;
        sql.push(" and height").push(order.comparison());
        sql.push_bind(signed(part::<Height>(height)?.value())?);
    }
    sql.push(" order by height").push(order.direction());
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<StoredHeight> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(HeightAgreed::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// How the validators of a chain did their duties at its newest agreed heights.
pub async fn leaderboard(
    pool: &PgPool,
    chain: &ChainId,
    last: u32,
) -> Result<Vec<Duties>, ReadError> {
    let rows = sqlx::query!(
        r#"with agreed as (
             select height, block_hash, committed_round from read.heights
              where chain_id = $1 and committed_at is not null
              order by height desc limit $2),
           seen as (
             select validator, min(height) as since from (
               select v.validator, v.height from agreed a
                 join read.votes v on v.chain_id = $1 and v.height = a.height
               union all
               select r.proposer, r.height from agreed a
                 join read.rounds r on r.chain_id = $1 and r.height = a.height
                where length(r.proposer) > 0) s (validator, height)
              group by validator)
           select s.validator as "validator!",
                  (select count(*) from agreed a where a.height >= s.since) as "heights!",
                  (select count(*) from agreed a
                     join read.votes v on v.chain_id = $1 and v.height = a.height
                      and v.round = a.committed_round and v.kind = 'precommit'
                      and v.validator = s.validator and v.block_hash = a.block_hash) as "signed!",
                  (select count(*) from agreed a
                     join read.rounds r on r.chain_id = $1 and r.height = a.height
                      and r.round = a.committed_round and r.proposer = s.validator)
                    as "proposed!",
                  (select count(*) from agreed a
                     join read.rounds r on r.chain_id = $1 and r.height = a.height
                      and r.proposer = s.validator and r.failed is not null) as "failed!",
                  (select count(*) from agreed a
                     join read.equivocations e on e.chain_id = $1 and e.height = a.height
                      and e.validator = s.validator) as "equivocations!"
             from seen s order by 3 desc, 4 desc, 1 limit 100"#,
        chain.as_str(),
        i64::from(last),
    )
    .fetch_all(pool)
    .await?;
    let duties = rows.into_iter().map(|row| {
        let heights = converted(row.heights)?;
        let signed = converted(row.signed)?;
        Ok(Duties {
            validator: address(&row.validator)?,
            heights,
            signed,
            missed: heights.saturating_sub(signed),
            proposed: converted(row.proposed)?,
            failed_rounds: converted(row.failed)?,
            equivocations: converted(row.equivocations)?,
        })
    });
    Ok(duties.collect::<Result<_, sqlx::Error>>()?)
}
