//! What can be asked about headers and rejections.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::values::{ChainId, Hash, Height};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, app_hash, converted, hash, named, parsed, signed, unsigned},
    page::{Order, PageOf, PageRequest, part},
    read::ReadError,
};

use super::{Filter, Header, Rejection, list_name, rejections_by};

/// A row as the table holds it.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Stored {
    pub chain_id: String,
    pub height: i64,
    pub hash: Vec<u8>,
    pub state: String,
    pub time: DateTime<Utc>,
    pub time_nanos: i16,
    pub proposer: Vec<u8>,
    pub round: i32,
    pub app_hash: Vec<u8>,
    pub data_hash: Option<Vec<u8>>,
    pub last_block_hash: Option<Vec<u8>>,
    pub validators_hash: Vec<u8>,
    pub next_validators_hash: Vec<u8>,
    pub signed_power: Option<i64>,
    pub total_power: i64,
    pub verification: Option<String>,
    pub epoch: i64,
    pub position: i64,
    pub observed_at: DateTime<Utc>,
}

impl TryFrom<Stored> for Header {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Header, sqlx::Error> {
        Ok(Header {
            chain_id: parsed(&row.chain_id)?,
            height: converted(unsigned(row.height))?,
            hash: hash(&row.hash)?,
            state: named(&row.state)?,
            time: row.time.into(),
            time_nanos: converted(row.time_nanos)?,
            proposer: address(&row.proposer)?,
            round: converted(converted::<u32, _>(row.round)?)?,
            app_hash: app_hash(&row.app_hash)?,
            data_hash: row.data_hash.as_deref().map(hash).transpose()?,
            last_block_hash: row.last_block_hash.as_deref().map(hash).transpose()?,
            validators_hash: hash(&row.validators_hash)?,
            next_validators_hash: hash(&row.next_validators_hash)?,
            signed_power: row.signed_power.map(|p| converted(unsigned(p))).transpose()?,
            total_power: converted(unsigned(row.total_power))?,
            verification: row.verification.as_deref().map(named).transpose()?,
            epoch: converted(unsigned(row.epoch))?,
            position: unsigned(row.position),
            observed_at: row.observed_at.into(),
        })
    }
}

/// The columns of a list's statement.
const COLUMNS: &str = "chain_id, height, hash, state, time, time_nanos, proposer, round, app_hash, \
    data_hash, last_block_hash, validators_hash, next_validators_hash, signed_power, total_power, \
    verification, epoch, position, observed_at";

/// The recorded header of a height.
pub async fn get(
    pool: &PgPool,
    chain: &ChainId,
    height: Height,
) -> Result<Option<Header>, ReadError> {
    Ok(by_keys(pool, &[(chain.clone(), height)]).await?.pop())
}

/// The recorded headers of these heights, as far as they exist, in no particular order.
pub async fn by_keys(pool: &PgPool, keys: &[(ChainId, Height)]) -> Result<Vec<Header>, ReadError> {
    let chains: Vec<&str> = keys.iter().map(|(chain, _)| chain.as_str()).collect();
    let heights: Result<Vec<i64>, sqlx::Error> =
        keys.iter().map(|(_, height)| signed(height.value())).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select h.chain_id as "chain_id!", h.height as "height!", h.hash as "hash!",
                  h.state as "state!", h."time" as "time!", h.time_nanos as "time_nanos!",
                  h.proposer as "proposer!", h.round as "round!", h.app_hash as "app_hash!",
                  h.data_hash, h.last_block_hash, h.validators_hash as "validators_hash!",
                  h.next_validators_hash as "next_validators_hash!", h.signed_power,
                  h.total_power as "total_power!", h.verification, h.epoch as "epoch!",
                  h.position as "position!", h.observed_at as "observed_at!"
             from unnest($1::text[], $2::bigint[]) k (chain_id, height)
             join read.headers h on h.chain_id = k.chain_id and h.height = k.height
            where h.state = 'recorded'"#,
        &chains as &[&str],
        &heights?,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Header::try_from).collect::<Result<_, _>>()?)
}

/// The headers with this hash, whatever their chain and state: as a rule one.
pub async fn by_hash(pool: &PgPool, hash: Hash) -> Result<Vec<Header>, ReadError> {
    let rows = sqlx::query_as!(
        Stored,
        r#"select chain_id as "chain_id!", height as "height!", hash as "hash!", state as "state!",
                  "time" as "time!", time_nanos as "time_nanos!", proposer as "proposer!",
                  round as "round!", app_hash as "app_hash!", data_hash, last_block_hash,
                  validators_hash as "validators_hash!",
                  next_validators_hash as "next_validators_hash!", signed_power,
                  total_power as "total_power!", verification, epoch as "epoch!",
                  position as "position!", observed_at as "observed_at!"
             from read.headers where hash = $1 order by chain_id limit 10"#,
        hash.as_bytes().as_slice(),
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(Header::try_from).collect::<Result<_, _>>()?)
}

/// A page of the headers that pass the filter, by height: newest is the greatest first.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Header>, ReadError> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS).push(" from read.headers where chain_id = ");
    sql.push_bind(filter.chain_id.as_str());
    if let Some(state) = filter.state {
        sql.push(" and state = ").push_bind(state.as_str());
    }
    if let Some(proposer) = filter.proposer {
        sql.push(" and proposer = ").push_bind(proposer.as_bytes().to_vec());
    }
    if let Some(height) = filter.from_height {
        sql.push(" and height >= ").push_bind(signed(height.value())?);
    }
    if let Some(height) = filter.to_height {
        sql.push(" and height <= ").push_bind(signed(height.value())?);
    }
    if let Some(cursor) = page.after() {
        let [height, hash] = cursor.key(list_name(order))?;
        sql.push(" and (height, hash)").push(order.comparison()).push("(");
        sql.push_bind(signed(part::<Height>(height)?.value())?).push(", ");
        sql.push_bind(part::<Hash>(hash)?.as_bytes().to_vec()).push(")");
    }
    let direction = order.direction();
    sql.push(" order by height").push(direction).push(", hash").push(direction);
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Header::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

#[derive(Debug, sqlx::FromRow)]
struct StoredRejection {
    position: i64,
    chain_id: String,
    height: i64,
    hash: Vec<u8>,
    signed_header_hash: Vec<u8>,
    code: String,
    reason: String,
    rejected_at: DateTime<Utc>,
}

impl TryFrom<StoredRejection> for Rejection {
    type Error = sqlx::Error;

    fn try_from(row: StoredRejection) -> Result<Rejection, sqlx::Error> {
        Ok(Rejection {
            position: unsigned(row.position),
            chain_id: parsed(&row.chain_id)?,
            height: converted(unsigned(row.height))?,
            hash: hash(&row.hash)?,
            signed_header_hash: hash(&row.signed_header_hash)?,
            code: row.code,
            reason: row.reason,
            rejected_at: row.rejected_at.into(),
        })
    }
}

/// A page of a chain's headers that failed verification.
pub async fn rejections(
    pool: &PgPool,
    chain: &ChainId,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Rejection>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select position, chain_id, height, hash, signed_header_hash, code, reason, rejected_at \
           from read.rejections where chain_id = ",
    );
    sql.push_bind(chain.as_str());
    rejections_by(order).end(&mut sql, page)?;
    let rows: Vec<StoredRejection> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Rejection::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}
