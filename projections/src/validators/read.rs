//! What can be asked about validators.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::{
    validator::StandingName,
    values::{Address, Power},
};
use sqlx::{PgConnection, PgPool, QueryBuilder};

use crate::{
    columns::{address, converted, parsed, unsigned},
    page::{PageOf, PageRequest, part},
    read::ReadError,
};

use super::{Filter, Sort, Validator};

/// A row as the table holds it, amounts as text.
#[derive(Clone, Debug, sqlx::FromRow)]
pub(super) struct Stored {
    pub address: Vec<u8>,
    pub chain_id: String,
    pub operator: String,
    pub public_key: Vec<u8>,
    pub moniker: String,
    pub website: Option<String>,
    pub contact: Option<String>,
    pub commission_bps: i32,
    pub standing: String,
    pub bond: String,
    pub delegated: String,
    pub stake: String,
    pub power: i64,
    pub reputation: i64,
    pub jail_reason: Option<String>,
    pub jailed_until: Option<DateTime<Utc>>,
    pub quarantined_until: i64,
    pub exit_matures: Option<i64>,
    pub slashes: i64,
    pub burned: String,
    pub last_performance: Option<i64>,
    pub proposed: Option<i64>,
    pub signed: Option<i64>,
    pub missed: Option<i64>,
    pub reservation: Option<String>,
    pub registered_at: DateTime<Utc>,
    pub registered_position: i64,
    pub version: i64,
    pub updated_at: DateTime<Utc>,
    pub position: i64,
}

/// The columns of a list's statement.
const COLUMNS: &str = "address, chain_id, operator, public_key, moniker, website, contact, \
    commission_bps, standing, bond::text, delegated::text, stake::text, power, reputation, \
    jail_reason, jailed_until, quarantined_until, exit_matures, slashes, burned::text, \
    last_performance, proposed, signed, missed, reservation, registered_at, registered_position, \
    version, updated_at, position";

impl Stored {
    /// The rows with these addresses, in no particular order.
    pub async fn load(
        addresses: &[Vec<u8>],
        connection: &mut PgConnection,
    ) -> Result<Vec<Stored>, sqlx::Error> {
        sqlx::query_as!(
            Stored,
            r#"select address as "address!", chain_id as "chain_id!", operator as "operator!",
                      public_key as "public_key!", moniker as "moniker!", website, contact,
                      commission_bps as "commission_bps!", standing as "standing!",
                      bond::text as "bond!", delegated::text as "delegated!",
                      stake::text as "stake!", power as "power!", reputation as "reputation!",
                      jail_reason, jailed_until, quarantined_until as "quarantined_until!",
                      exit_matures, slashes as "slashes!", burned::text as "burned!",
                      last_performance, proposed, signed, missed, reservation,
                      registered_at as "registered_at!",
                      registered_position as "registered_position!", version as "version!",
                      updated_at as "updated_at!", position as "position!"
                 from read.validators where address = any ($1)"#,
            addresses,
        )
        .fetch_all(connection)
        .await
    }
}

impl TryFrom<Stored> for Validator {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Validator, sqlx::Error> {
        let epoch = |number: i64| converted(unsigned(number));
        let count = |number: i64| converted(number);
        Ok(Validator {
            address: address(&row.address)?,
            chain_id: parsed(&row.chain_id)?,
            operator: parsed(&row.operator)?,
            public_key: crate::columns::public_key(&row.public_key)?,
            moniker: parsed(&row.moniker)?,
            website: row.website.as_deref().map(parsed).transpose()?,
            contact: row.contact.as_deref().map(parsed).transpose()?,
            commission_bps: crate::columns::bps(row.commission_bps)?,
            standing: standing(&row.standing)?,
            bond: parsed(&row.bond)?,
            delegated: parsed(&row.delegated)?,
            stake: parsed(&row.stake)?,
            power: converted(unsigned(row.power))?,
            reputation: converted(row.reputation)?,
            jail_reason: row.jail_reason.as_deref().map(parsed).transpose()?,
            jailed_until: row.jailed_until.map(Into::into),
            quarantined_until: converted(unsigned(row.quarantined_until))?,
            exit_matures: row.exit_matures.map(epoch).transpose()?,
            slashes: converted(row.slashes)?,
            burned: parsed(&row.burned)?,
            last_performance: row.last_performance.map(epoch).transpose()?,
            proposed: row.proposed.map(count).transpose()?,
            signed: row.signed.map(count).transpose()?,
            missed: row.missed.map(count).transpose()?,
            reservation: row.reservation.as_deref().map(parsed).transpose()?,
            registered_at: row.registered_at.into(),
            registered_position: unsigned(row.registered_position),
            version: unsigned(row.version),
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        })
    }
}

/// Reads the name of a standing.
fn standing(name: &str) -> Result<StandingName, sqlx::Error> {
    crate::columns::named(name)
}

/// The validator with this address.
pub async fn get(pool: &PgPool, address: Address) -> Result<Option<Validator>, ReadError> {
    Ok(by_keys(pool, &[address]).await?.pop())
}

/// The validators with these addresses, as far as they exist, in no particular order.
pub async fn by_keys(pool: &PgPool, addresses: &[Address]) -> Result<Vec<Validator>, ReadError> {
    let keys: Vec<Vec<u8>> = addresses.iter().map(|address| address.as_bytes().to_vec()).collect();
    let rows = Stored::load(&keys, &mut *pool.acquire().await?).await?;
    Ok(rows.into_iter().map(Validator::try_from).collect::<Result<_, _>>()?)
}

/// The validators of this name, at most twenty.
pub async fn by_moniker(pool: &PgPool, moniker: &str) -> Result<Vec<Validator>, ReadError> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS).push(" from read.validators where moniker = ").push_bind(moniker);
    sql.push(" order by address limit 20");
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    Ok(rows.into_iter().map(Validator::try_from).collect::<Result<_, _>>()?)
}

/// A page of the validators that pass the filter, in this order.
pub async fn list(
    pool: &PgPool,
    filter: &Filter,
    sort: Sort,
    page: &PageRequest,
) -> Result<PageOf<Validator>, ReadError> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS).push(" from read.validators where true");
    if let Some(chain) = &filter.chain_id {
        sql.push(" and chain_id = ").push_bind(chain.as_str());
    }
    if let Some(standing) = filter.standing {
        sql.push(" and standing = ").push_bind(standing.as_str());
    }
    if let Some(operator) = &filter.operator {
        sql.push(" and operator = ").push_bind(operator.to_string());
    }
    let after = page.after();
    let list = sort.list();
    match sort {
        Sort::Power => {
            if let Some([power, address]) = after.map(|cursor| cursor.key(list)).transpose()? {
                let power: Power = part(power)?;
                sql.push(" and (power, address) < (")
                    .push_bind(crate::columns::signed(power.value())?);
                sql.push(", ").push_bind(part::<Address>(address)?.as_bytes().to_vec()).push(")");
            }
            sql.push(" order by power desc, address desc");
        }
        Sort::Reputation => {
            if let Some([reputation, address]) = after.map(|cursor| cursor.key(list)).transpose()? {
                sql.push(" and (reputation, address) < (").push_bind(part::<i64>(reputation)?);
                sql.push(", ").push_bind(part::<Address>(address)?.as_bytes().to_vec()).push(")");
            }
            sql.push(" order by reputation desc, address desc");
        }
        Sort::Moniker => {
            if let Some([moniker, address]) = after.map(|cursor| cursor.key(list)).transpose()? {
                sql.push(" and (moniker, address) > (").push_bind(moniker.to_owned());
                sql.push(", ").push_bind(part::<Address>(address)?.as_bytes().to_vec()).push(")");
            }
            sql.push(" order by moniker, address");
        }
        Sort::Newest => {
            if let Some([position]) = after.map(|cursor| cursor.key(list)).transpose()? {
                sql.push(" and registered_position < ").push_bind(part::<i64>(position)?);
            }
            sql.push(" order by registered_position desc");
        }
        Sort::Address => {
            if let Some([address]) = after.map(|cursor| cursor.key(list)).transpose()? {
                sql.push(" and address > ")
                    .push_bind(part::<Address>(address)?.as_bytes().to_vec());
            }
            sql.push(" order by address");
        }
    }
    sql.push(" limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Validator::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(sort)))
}
