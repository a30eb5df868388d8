//! What can be asked about validator sets.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::values::{Address, ChainId, Epoch};
use sqlx::{PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, hash, parsed, public_key, signed, unsigned},
    page::{Order, PageOf, PageRequest},
    read::ReadError,
};

use super::{MEMBERS, Member, ValidatorSet, sets_by};

#[derive(Debug, sqlx::FromRow)]
struct Stored {
    chain_id: String,
    epoch: i64,
    set_hash: Vec<u8>,
    total_power: i64,
    members: i64,
    joined: Vec<Vec<u8>>,
    left: Vec<Vec<u8>>,
    rotated_at: DateTime<Utc>,
    version: i64,
    position: i64,
}

impl TryFrom<Stored> for ValidatorSet {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<ValidatorSet, sqlx::Error> {
        let addresses = |column: Vec<Vec<u8>>| -> Result<Vec<Address>, sqlx::Error> {
            column.iter().map(|bytes| address(bytes)).collect()
        };
        Ok(ValidatorSet {
            chain_id: parsed(&row.chain_id)?,
            epoch: converted(unsigned(row.epoch))?,
            set_hash: hash(&row.set_hash)?,
            total_power: converted(unsigned(row.total_power))?,
            members: converted(row.members)?,
            joined: addresses(row.joined)?,
            left: addresses(row.left)?,
            rotated_at: row.rotated_at.into(),
            version: unsigned(row.version),
            position: unsigned(row.position),
        })
    }
}

#[derive(Debug, sqlx::FromRow)]
struct StoredMember {
    place: i64,
    address: Vec<u8>,
    power: i64,
    public_key: Vec<u8>,
}

impl TryFrom<StoredMember> for Member {
    type Error = sqlx::Error;

    fn try_from(row: StoredMember) -> Result<Member, sqlx::Error> {
        Ok(Member {
            place: converted(row.place)?,
            address: address(&row.address)?,
            power: converted(unsigned(row.power))?,
            public_key: public_key(&row.public_key)?,
        })
    }
}

/// The set of an epoch.
pub async fn get(
    pool: &PgPool,
    chain: &ChainId,
    epoch: Epoch,
) -> Result<Option<ValidatorSet>, ReadError> {
    Ok(by_keys(pool, &[(chain.clone(), epoch)]).await?.pop())
}

/// The sets of these epochs, as far as they exist, in no particular order.
pub async fn by_keys(
    pool: &PgPool,
    keys: &[(ChainId, Epoch)],
) -> Result<Vec<ValidatorSet>, ReadError> {
    let chains: Vec<&str> = keys.iter().map(|(chain, _)| chain.as_str()).collect();
    let epochs: Result<Vec<i64>, sqlx::Error> =
        keys.iter().map(|(_, epoch)| signed(epoch.value())).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select s.chain_id as "chain_id!", s.epoch as "epoch!", s.set_hash as "set_hash!",
                  s.total_power as "total_power!", s.members as "members!", s.joined as "joined!",
                  s."left" as "left!", s.rotated_at as "rotated_at!", s.version as "version!",
                  s.position as "position!"
             from unnest($1::text[], $2::bigint[]) k (chain_id, epoch)
             join read.validator_sets s on s.chain_id = k.chain_id and s.epoch = k.epoch"#,
        &chains as &[&str],
        &epochs?,
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(ValidatorSet::try_from).collect::<Result<_, _>>()?)
}

/// The set of the last epoch that has one.
pub async fn current(pool: &PgPool, chain: &ChainId) -> Result<Option<ValidatorSet>, ReadError> {
    Ok(current_of(pool, std::slice::from_ref(chain)).await?.pop())
}

/// The same for many chains, in no particular order.
pub async fn current_of(pool: &PgPool, chains: &[ChainId]) -> Result<Vec<ValidatorSet>, ReadError> {
    let chains: Vec<&str> = chains.iter().map(ChainId::as_str).collect();
    let rows = sqlx::query_as!(
        Stored,
        r#"select s.chain_id as "chain_id!", s.epoch as "epoch!", s.set_hash as "set_hash!",
                  s.total_power as "total_power!", s.members as "members!", s.joined as "joined!",
                  s."left" as "left!", s.rotated_at as "rotated_at!", s.version as "version!",
                  s.position as "position!"
             from unnest($1::text[]) k (chain_id),
                  lateral (select * from read.validator_sets s where s.chain_id = k.chain_id
                            order by s.epoch desc limit 1) s"#,
        &chains as &[&str],
    )
    .fetch_all(pool)
    .await?;
    Ok(rows.into_iter().map(ValidatorSet::try_from).collect::<Result<_, _>>()?)
}

/// A page of a chain's sets, by epoch.
pub async fn list(
    pool: &PgPool,
    chain: &ChainId,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<ValidatorSet>, ReadError> {
    let mut sql = QueryBuilder::new(
        r#"select chain_id, epoch, set_hash, total_power, members, joined, "left", rotated_at,
                  version, position from read.validator_sets where chain_id = "#,
    );
    sql.push_bind(chain.as_str());
    sets_by(order).end(&mut sql, page)?;
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(ValidatorSet::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}

/// A page of a set's members, in CometBFT's order.
pub async fn members(
    pool: &PgPool,
    chain: &ChainId,
    epoch: Epoch,
    page: &PageRequest,
) -> Result<PageOf<Member>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select place, address, power, public_key from read.validator_set_members where chain_id = ",
    );
    sql.push_bind(chain.as_str()).push(" and epoch = ").push_bind(signed(epoch.value())?);
    MEMBERS.end(&mut sql, page)?;
    let rows: Vec<StoredMember> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Member::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, Member::cursor))
}
