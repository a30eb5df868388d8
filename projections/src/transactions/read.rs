//! The rows of transactions, and the reads over them.
//!
//! Does not know how rows came about.

use chrono::{DateTime, Utc};
use domain::values::Hash;
use sqlx::{PgPool, Postgres, QueryBuilder};

use crate::{
    blocks::Block,
    columns::{address, converted, hash, named, parsed, signed, unsigned},
    page::{Cursor, Order, PageError, PageOf, PageRequest, Ranked, part},
    read::ReadError,
};

use super::{
    BLOCK_LIST, Filter, MEMPOOL_LIST, MempoolSummary, Transaction, TransactionState, by_position,
};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    hash: Vec<u8>,
    sender: Vec<u8>,
    nonce: i64,
    recipient: Option<Vec<u8>>,
    kind: String,
    amount: Option<String>,
    fee: String,
    bytes: i32,
    replaces: Option<Vec<u8>>,
    accepted_at: DateTime<Utc>,
    position: i64,
    height: Option<i64>,
    place: Option<i32>,
    block_hash: Option<Vec<u8>>,
    code: Option<i32>,
    failure: Option<String>,
    final_at: Option<DateTime<Utc>>,
    reason: Option<String>,
    replaced_by: Option<Vec<u8>>,
    rate: Option<String>,
    /// How many nonces are missing before it; none when it does not wait.
    missing: Option<i64>,
}

impl Stored {
    fn state(&self) -> TransactionState {
        match (self.code, self.missing) {
            (Some(0), _) => TransactionState::Final,
            (Some(_), _) => TransactionState::Failed,
            (None, Some(0)) => TransactionState::Pending,
            (None, Some(_)) => TransactionState::Queued,
            (None, None) if self.reason.is_some() => TransactionState::Evicted,
            (None, None) if self.replaced_by.is_some() => TransactionState::Replaced,
            (None, None) => TransactionState::Superseded,
        }
    }
}

impl TryFrom<Stored> for Transaction {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Transaction, sqlx::Error> {
        let some_hash = |column: Option<Vec<u8>>| column.as_deref().map(hash).transpose();
        Ok(Transaction {
            state: row.state(),
            hash: hash(&row.hash)?,
            sender: address(&row.sender)?,
            nonce: converted(unsigned(row.nonce))?,
            recipient: row.recipient.as_deref().map(address).transpose()?,
            kind: row.kind,
            amount: row.amount.as_deref().map(parsed).transpose()?,
            fee: parsed(&row.fee)?,
            bytes: converted(row.bytes)?,
            evicted_because: row.reason.as_deref().map(named).transpose()?,
            failure: row.failure,
            code: row.code.map(converted).transpose()?,
            height: row.height.map(|height| converted(unsigned(height))).transpose()?,
            place: row.place.map(converted).transpose()?,
            block_hash: some_hash(row.block_hash)?,
            replaces: some_hash(row.replaces)?,
            replaced_by: some_hash(row.replaced_by)?,
            accepted_at: row.accepted_at.into(),
            final_at: row.final_at.map(Into::into),
            position: unsigned(row.position),
        })
    }
}

/// What every statement here selects. What waits is pending when as many of its sender's wait
/// before it as there are nonces from the executed ones up to it.
const SELECT: &str = "select a.hash, a.sender, a.nonce, a.recipient, a.kind, a.amount::text, \
    a.fee::text, a.bytes, a.replaces, a.accepted_at, a.position, i.height, i.place, \
    i.block_hash, i.code, i.failure, i.final_at, e.reason, w.rate::text, \
    (select r.hash from read.accepted r where r.replaces = a.hash limit 1) as replaced_by, \
    case when w.hash is not null then a.nonce - coalesce(s.nonce, 0) - \
      (select count(*) from read.waiting b where b.sender = a.sender and b.nonce < a.nonce) end \
      as missing \
    from read.accepted a \
    left join read.included i on i.hash = a.hash \
    left join read.evicted e on e.hash = a.hash and e.position > a.position \
    left join read.waiting w on w.sender = a.sender and w.nonce = a.nonce and w.hash = a.hash \
    left join read.senders s on s.sender = a.sender";

async fn fetch(
    mut sql: QueryBuilder<Postgres>,
    pool: &PgPool,
) -> Result<Vec<Transaction>, sqlx::Error> {
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    rows.into_iter().map(Transaction::try_from).collect()
}

/// The transaction with this hash.
pub async fn get(pool: &PgPool, hash: Hash) -> Result<Option<Transaction>, ReadError> {
    Ok(by_hashes(pool, &[hash]).await?.pop())
}

/// The transactions with these hashes, as far as they were accepted, in no particular order.
pub async fn by_hashes(pool: &PgPool, hashes: &[Hash]) -> Result<Vec<Transaction>, ReadError> {
    let hashes: Vec<Vec<u8>> = hashes.iter().map(|hash| hash.as_bytes().to_vec()).collect();
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" where a.hash = any (").push_bind(hashes).push(")");
    Ok(fetch(sql, pool).await?)
}

/// A page of the transactions that pass the filter, in the order in which they were accepted.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Transaction>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" where true");
    if let Some(account) = filter.account {
        // Each side by its own index, and no further than the page; found first, as an array.
        sql.push(" and a.position = any (array(");
        for (side, ends) in [("sender", " union all "), ("recipient", "))")] {
            sql.push("(select a.position from read.accepted a where a.").push(side).push(" = ");
            sql.push_bind(account.as_bytes().to_vec());
            push_kind(&mut sql, filter);
            by_position(order).end(&mut sql, page)?;
            sql.push(")").push(ends);
        }
    }
    if let Some(sender) = filter.sender {
        sql.push(" and a.sender = ").push_bind(sender.as_bytes().to_vec());
    }
    push_kind(&mut sql, filter);
    by_position(order).end(&mut sql, page)?;
    Ok(page.page(fetch(sql, pool).await?, |row| row.cursor(order)))
}

fn push_kind(sql: &mut QueryBuilder<Postgres>, filter: &Filter) {
    if let Some(kind) = &filter.kind {
        sql.push(" and a.kind = ").push_bind(kind.clone());
    }
}

/// A page of the transactions of an executed block, in its order.
pub async fn of_block(
    pool: &PgPool,
    block: &Block,
    page: &PageRequest,
) -> Result<PageOf<Transaction>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    sql.push(" where i.height = ").push_bind(signed(block.height.value())?);
    sql.push(" and i.block_hash = ").push_bind(block.hash.as_bytes().to_vec());
    if let Some(cursor) = page.after() {
        let [place] = cursor.key(BLOCK_LIST)?;
        sql.push(" and i.place > ").push_bind(part::<i32>(place)?);
    }
    sql.push(" order by i.place limit ").push_bind(page.limit());
    Ok(page.page(fetch(sql, pool).await?, Transaction::place_cursor))
}

const RATES: Ranked = Ranked { table: "read.waiting", number: "rate", key: "hash" };

/// A page of what waits: who pays most for each byte comes first, and of one rate the lower hash.
/// (A block holds each sender's in the order of their nonces.)
pub async fn mempool(pool: &PgPool, page: &PageRequest) -> Result<PageOf<Transaction>, ReadError> {
    let mut sql = QueryBuilder::new(SELECT);
    // Which ones is found first, and no further than the page.
    sql.push(" where w.hash = any (array(");
    if let Some(cursor) = page.after() {
        let [rate, hash] = cursor.key(MEMPOOL_LIST)?;
        let (rate, hash) = (decimal(rate)?, part::<Hash>(hash)?);
        RATES.push_after(&mut sql, (&rate, hash.as_bytes()), page);
    } else {
        sql.push("select hash from read.waiting order by rate desc, hash limit ");
        sql.push_bind(page.limit());
    }
    sql.push("))");
    sql.push(" order by w.rate desc, w.hash limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(|row| {
        let rate = row.rate.clone().unwrap_or_default();
        Ok((rate, Transaction::try_from(row)?))
    });
    let rows: Vec<(String, Transaction)> = rows.collect::<Result<_, sqlx::Error>>()?;
    let at = |(rate, row): &(String, Transaction)| {
        Cursor::new(MEMPOOL_LIST, vec![rate.clone(), row.hash.to_string()])
    };
    Ok(page.page(rows, at).map(|(_, row)| row))
}

/// A rate of a cursor: digits, perhaps with a point among them.
fn decimal(text: &str) -> Result<String, PageError> {
    let (whole, rest) = text.split_once('.').unwrap_or((text, "0"));
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    if digits(whole) && digits(rest) { Ok(text.to_owned()) } else { Err(PageError::Malformed) }
}

/// What waits, in numbers.
pub async fn summary(pool: &PgPool) -> Result<MempoolSummary, ReadError> {
    let row = sqlx::query!(
        r#"select count(*) as "transactions!", coalesce(sum(bytes), 0) as "bytes!",
                  count(distinct sender) as "senders!", min(accepted_at) as oldest_at
             from read.waiting"#,
    )
    .fetch_one(pool)
    .await?;
    Ok(MempoolSummary {
        transactions: unsigned(row.transactions),
        bytes: unsigned(row.bytes),
        senders: unsigned(row.senders),
        oldest_at: row.oldest_at.map(Into::into),
    })
}
