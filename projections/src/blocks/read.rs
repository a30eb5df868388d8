//! The rows of blocks, and the reads over them.
//!
//! Does not know how rows came about.

use chrono::{DateTime, Utc};
use domain::values::{ChainId, Hash, Height};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, app_hash, converted, hash, named, parsed, signed, unsigned},
    page::{Order, PageOf, PageRequest, part},
    read::ReadError,
};

use super::{Block, Filter, Finality, list_name};

/// How many blocks a finality is told of at most.
pub const FINALITY_BLOCKS_MAX: u32 = 1_000;

#[derive(Debug, sqlx::FromRow)]
pub(super) struct Stored {
    pub hash: Vec<u8>,
    pub chain_id: String,
    pub height: i64,
    pub state: String,
    pub time: DateTime<Utc>,
    pub proposer: Vec<u8>,
    pub transactions: i32,
    pub evidence: i32,
    pub body: Vec<u8>,
    pub body_bytes: i32,
    pub app_hash: Vec<u8>,
    pub last_block_hash: Option<Vec<u8>>,
    pub validators_hash: Vec<u8>,
    pub next_validators_hash: Vec<u8>,
    pub proposed_at: DateTime<Utc>,
    pub faults: serde_json::Value,
    pub round: Option<i32>,
    pub signed_power: Option<i64>,
    pub total_power: Option<i64>,
    pub finalized_at: Option<DateTime<Utc>>,
    pub state_root: Option<Vec<u8>>,
    pub receipts_root: Option<Vec<u8>>,
    pub failed: Option<i32>,
    pub fees: Option<String>,
    pub applied_at: Option<DateTime<Utc>>,
    pub position: i64,
}

impl TryFrom<Stored> for Block {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Block, sqlx::Error> {
        let some_hash = |column: Option<Vec<u8>>| column.as_deref().map(hash).transpose();
        let power = |power: Option<i64>| power.map(|p| converted(unsigned(p))).transpose();
        let faults = serde_json::from_value(row.faults);
        let round = row.round.map(converted::<u32, _>).transpose()?;
        Ok(Block {
            hash: hash(&row.hash)?,
            chain_id: parsed(&row.chain_id)?,
            height: converted(unsigned(row.height))?,
            state: named(&row.state)?,
            time: row.time.into(),
            proposer: address(&row.proposer)?,
            transactions: converted(row.transactions)?,
            evidence: converted(row.evidence)?,
            body: hash(&row.body)?,
            body_bytes: converted(row.body_bytes)?,
            app_hash: app_hash(&row.app_hash)?,
            last_block_hash: some_hash(row.last_block_hash)?,
            validators_hash: hash(&row.validators_hash)?,
            next_validators_hash: hash(&row.next_validators_hash)?,
            proposed_at: row.proposed_at.into(),
            faults: faults.map_err(|fault| sqlx::Error::Decode(Box::new(fault)))?,
            round: round.map(converted).transpose()?,
            signed_power: power(row.signed_power)?,
            total_power: power(row.total_power)?,
            finalized_at: row.finalized_at.map(Into::into),
            state_root: some_hash(row.state_root)?,
            receipts_root: some_hash(row.receipts_root)?,
            failed: row.failed.map(converted).transpose()?,
            fees: row.fees.as_deref().map(parsed).transpose()?,
            applied_at: row.applied_at.map(Into::into),
            position: unsigned(row.position),
        })
    }
}

/// What every statement here selects.
const SELECT: &str = "select hash, chain_id, height, state, time, proposer, transactions, \
    evidence, body, body_bytes, app_hash, last_block_hash, validators_hash, \
    next_validators_hash, proposed_at, faults, round, signed_power, total_power, finalized_at, \
    state_root, receipts_root, failed, fees::text, applied_at, position from read.blocks where ";

/// The block with this hash.
pub async fn get(pool: &PgPool, hash: Hash) -> Result<Option<Block>, ReadError> {
    Ok(by_hashes(pool, &[hash]).await?.pop())
}

/// The blocks with these hashes, as far as they are recorded, in no particular order.
pub async fn by_hashes(pool: &PgPool, hashes: &[Hash]) -> Result<Vec<Block>, ReadError> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    let mut sql = QueryBuilder::new(SELECT);
    sql.push("hash = any (").push_bind(hashes).push(")");
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    Ok(rows.into_iter().map(Block::try_from).collect::<Result<_, _>>()?)
}

/// The final block of a height.
pub async fn at(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Option<Block>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push("state = 'final' and chain_id = ").push_bind(chain.as_str());
    sql.push(" and height = ").push_bind(signed(height.value())?);
    let row: Option<Stored> = sql.build_query_as().fetch_optional(pool).await?;
    Ok(row.map(Block::try_from).transpose()?)
}

/// A page of the blocks that pass the filter, by chain and height: newest is the greatest first.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Block>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push("true");
    if let Some(chain) = &filter.chain_id {
        sql.push(" and chain_id = ").push_bind(chain.as_str());
    }
    if let Some(state) = filter.state {
        sql.push(" and state = ").push_bind(state.as_str());
    }
    if let Some(proposer) = filter.proposer {
        sql.push(" and proposer = ").push_bind(proposer.as_bytes().to_vec());
    }
    if let Some(cursor) = page.after() {
        let [chain, height, hash] = cursor.key(list_name(order))?;
        sql.push(" and (chain_id, height, hash)").push(order.comparison()).push("(");
        sql.push_bind(part::<ChainId>(chain)?.to_string()).push(", ");
        sql.push_bind(signed(part::<Height>(height)?.value())?).push(", ");
        sql.push_bind(part::<Hash>(hash)?.as_bytes().to_vec()).push(")");
    }
    let direction = order.direction();
    sql.push(" order by chain_id").push(direction).push(", height").push(direction);
    sql.push(", hash").push(direction).push(" limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Block::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// How long the newest executed blocks of a chain took, at most [`FINALITY_BLOCKS_MAX`] of them.
pub async fn finality(pool: &PgPool, chain: &ChainId, last: u32) -> Result<Finality, ReadError> {
    let row = sqlx::query!(
        r#"with newest as (
             select height, transactions, applied_at,
                    extract(epoch from applied_at - proposed_at)::float8 * 1000 as took
               from read.blocks
              where chain_id = $1 and state = 'final' and applied_at is not null
              order by height desc limit $2)
           select count(*) as "blocks!", max(height) as height,
                  percentile_cont(0.5) within group (order by took) as p50,
                  percentile_cont(0.95) within group (order by took) as p95,
                  percentile_cont(0.99) within group (order by took) as p99,
                  coalesce(sum(transactions), 0) as "transactions!",
                  sum(transactions) / nullif(extract(epoch from max(applied_at) - min(applied_at)),
                      0)::float8 as rate
             from newest"#,
        chain.as_str(),
        i64::from(last.min(FINALITY_BLOCKS_MAX)),
    )
    .fetch_one(pool)
    .await?;
    Ok(Finality {
        blocks: converted(row.blocks)?,
        height: row.height.map(|height| converted(unsigned(height))).transpose()?,
        p50_ms: row.p50,
        p95_ms: row.p95,
        p99_ms: row.p99,
        transactions: unsigned(row.transactions),
        transactions_per_s: row.rate,
    })
}
