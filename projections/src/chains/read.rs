//! What can be asked about chains and forks.
//!
//! Does not know who asks. Every list is one statement over an index.

use chrono::{DateTime, Utc};
use domain::{
    chain::Kind,
    parameters::Change,
    values::{ChainId, Height},
};
use serde::de::DeserializeOwned;
use sqlx::{PgConnection, PgPool, QueryBuilder};

use crate::{
    columns::{address, app_hash, converted, hash, named, parsed, unsigned},
    page::{Order, PageOf, PageRequest},
    past::Subject,
    read::ReadError,
};

use super::{Chain, Fork, Genesis, LIST, Observation, OpenFork, forks_by};

/// A row as the table holds it, amounts as text.
#[derive(Clone, Debug, Default, sqlx::FromRow)]
pub(super) struct Stored {
    pub chain_id: String,
    pub kind: String,
    pub stream: String,
    pub version: i64,
    pub epoch: i64,
    pub closed: bool,
    pub height: Option<i64>,
    pub hash: Option<Vec<u8>>,
    pub time: Option<DateTime<Utc>>,
    pub next_validators_hash: Option<Vec<u8>>,
    pub headers_observed: i64,
    pub headers_rejected: i64,
    pub anchor_height: Option<i64>,
    pub anchor_hash: Option<Vec<u8>>,
    pub epoch_headers: Option<i64>,
    pub trusting_period_s: Option<i64>,
    pub genesis_hash: Option<Vec<u8>>,
    pub genesis_time: Option<DateTime<Utc>>,
    pub initial_height: Option<i64>,
    pub accounts: Option<i64>,
    pub validators: Option<i64>,
    pub validators_hash: Option<Vec<u8>>,
    pub app_hash: Option<Vec<u8>>,
    pub bonded: Option<String>,
    pub supply: Option<String>,
    pub parameters: Option<String>,
    pub fork_height: Option<i64>,
    pub fork_recorded: Option<Vec<u8>>,
    pub fork_conflicting: Option<Vec<u8>>,
    pub fork_time: Option<DateTime<Utc>>,
    pub fork_next_validators_hash: Option<Vec<u8>>,
    pub fork_detected_at: Option<DateTime<Utc>>,
    pub started_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    pub position: i64,
    pub parameter_changes: Option<String>,
}

/// The columns of the list's statement.
const COLUMNS: &str = "chain_id, kind, stream, version, epoch, closed, height, hash, time, \
    next_validators_hash, headers_observed, headers_rejected, anchor_height, anchor_hash, \
    epoch_headers, trusting_period_s, genesis_hash, genesis_time, initial_height, accounts, \
    validators, validators_hash, app_hash, bonded::text, supply::text, parameters, fork_height, \
    fork_recorded, fork_conflicting, fork_time, fork_next_validators_hash, fork_detected_at, \
    started_at, updated_at, position, parameter_changes";

impl Stored {
    /// The rows of these chains, in no particular order.
    pub async fn load(
        chains: &[String],
        connection: &mut PgConnection,
    ) -> Result<Vec<Stored>, sqlx::Error> {
        sqlx::query_as!(
            Stored,
            r#"select chain_id as "chain_id!", kind as "kind!", stream as "stream!",
                      version as "version!", epoch as "epoch!", closed as "closed!", height, hash,
                      "time", next_validators_hash, headers_observed as "headers_observed!",
                      headers_rejected as "headers_rejected!", anchor_height, anchor_hash,
                      epoch_headers, trusting_period_s, genesis_hash, genesis_time, initial_height,
                      accounts, validators, validators_hash, app_hash, bonded::text, supply::text,
                      parameters, fork_height, fork_recorded, fork_conflicting, fork_time,
                      fork_next_validators_hash, fork_detected_at, started_at as "started_at!",
                      updated_at as "updated_at!", position as "position!", parameter_changes
                 from read.chains where chain_id = any ($1)"#,
            chains,
        )
        .fetch_all(connection)
        .await
    }

    fn observation(&self) -> Result<Option<Observation>, sqlx::Error> {
        let (Some(height), Some(anchor), Some(epoch_headers), Some(period)) =
            (self.anchor_height, &self.anchor_hash, self.epoch_headers, self.trusting_period_s)
        else {
            return Ok(None);
        };
        Ok(Some(Observation {
            anchor_height: converted(unsigned(height))?,
            anchor_hash: hash(anchor)?,
            epoch_headers: converted(epoch_headers)?,
            trusting_period_s: converted(period)?,
        }))
    }

    fn genesis(&self) -> Result<Option<Genesis>, sqlx::Error> {
        let Some(genesis_hash) = &self.genesis_hash else { return Ok(None) };
        let missing = || sqlx::Error::Decode("a genesis row is not whole".into());
        let parameters = self.parameters.as_deref().ok_or_else(missing)?;
        Ok(Some(Genesis {
            genesis_hash: hash(genesis_hash)?,
            genesis_time: self.genesis_time.ok_or_else(missing)?.into(),
            initial_height: converted(unsigned(self.initial_height.ok_or_else(missing)?))?,
            accounts: converted(self.accounts.ok_or_else(missing)?)?,
            validators: converted(self.validators.ok_or_else(missing)?)?,
            validators_hash: hash(self.validators_hash.as_deref().ok_or_else(missing)?)?,
            app_hash: app_hash(self.app_hash.as_deref().ok_or_else(missing)?)?,
            bonded: parsed(self.bonded.as_deref().ok_or_else(missing)?)?,
            supply: parsed(self.supply.as_deref().ok_or_else(missing)?)?,
            parameters: read(parameters)?,
        }))
    }

    pub fn parameter_changes(&self) -> Result<Vec<Change>, sqlx::Error> {
        self.parameter_changes.as_deref().map_or(Ok(Vec::new()), read)
    }

    fn fork(&self) -> Result<Option<OpenFork>, sqlx::Error> {
        let (Some(height), Some(recorded), Some(conflicting), Some(at)) =
            (self.fork_height, &self.fork_recorded, &self.fork_conflicting, self.fork_detected_at)
        else {
            return Ok(None);
        };
        Ok(Some(OpenFork {
            height: converted(unsigned(height))?,
            recorded: hash(recorded)?,
            conflicting: hash(conflicting)?,
            detected_at: at.into(),
        }))
    }
}

fn read<T: DeserializeOwned>(json: &str) -> Result<T, sqlx::Error> {
    serde_json::from_str(json).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

impl TryFrom<Stored> for Chain {
    type Error = sqlx::Error;

    fn try_from(row: Stored) -> Result<Chain, sqlx::Error> {
        let height = |number: i64| converted::<Height, _>(unsigned(number));
        Ok(Chain {
            observation: row.observation()?,
            genesis: row.genesis()?,
            fork: row.fork()?,
            parameter_changes: row.parameter_changes()?,
            chain_id: parsed(&row.chain_id)?,
            kind: named(&row.kind)?,
            stream: row.stream,
            version: unsigned(row.version),
            epoch: converted(unsigned(row.epoch))?,
            closed: row.closed,
            height: row.height.map(height).transpose()?,
            hash: row.hash.as_deref().map(hash).transpose()?,
            time: row.time.map(Into::into),
            next_validators_hash: row.next_validators_hash.as_deref().map(hash).transpose()?,
            headers_observed: unsigned(row.headers_observed),
            headers_rejected: unsigned(row.headers_rejected),
            started_at: row.started_at.into(),
            updated_at: row.updated_at.into(),
            position: unsigned(row.position),
        })
    }
}

/// A fork as the table holds it.
#[derive(Debug, sqlx::FromRow)]
struct StoredFork {
    position: i64,
    chain_id: String,
    height: i64,
    recorded: Vec<u8>,
    conflicting: Vec<u8>,
    culprits: Vec<u8>,
    detected_at: DateTime<Utc>,
    kept: Option<Vec<u8>>,
    reason: Option<String>,
    resolved_at: Option<DateTime<Utc>>,
}

impl TryFrom<StoredFork> for Fork {
    type Error = sqlx::Error;

    fn try_from(row: StoredFork) -> Result<Fork, sqlx::Error> {
        Ok(Fork {
            position: unsigned(row.position),
            chain_id: parsed(&row.chain_id)?,
            height: converted(unsigned(row.height))?,
            recorded: hash(&row.recorded)?,
            conflicting: hash(&row.conflicting)?,
            culprits: row.culprits.chunks(20).map(address).collect::<Result<_, _>>()?,
            detected_at: row.detected_at.into(),
            kept: row.kept.as_deref().map(hash).transpose()?,
            reason: row.reason.as_deref().map(parsed).transpose()?,
            resolved_at: row.resolved_at.map(Into::into),
        })
    }
}

/// The chain with this id.
pub async fn get(pool: &PgPool, chain: &ChainId) -> Result<Option<Chain>, ReadError> {
    Ok(by_keys(pool, std::slice::from_ref(chain)).await?.pop())
}

/// The history of the chain with this id.
pub async fn history(pool: &PgPool, chain: &ChainId) -> Result<Subject, ReadError> {
    Ok(match get(pool, chain).await?.map(|known| known.kind) {
        Some(Kind::Native) => Subject::of_own_chain(chain.clone()),
        Some(Kind::Observed) => Subject::of_chain(chain.clone()),
        None => Subject::unknown(),
    })
}

/// The chains with these ids, as far as they exist, in no particular order.
pub async fn by_keys(pool: &PgPool, chains: &[ChainId]) -> Result<Vec<Chain>, ReadError> {
    let keys: Vec<String> = chains.iter().map(ToString::to_string).collect();
    let rows = Stored::load(&keys, &mut *pool.acquire().await?).await?;
    Ok(rows.into_iter().map(Chain::try_from).collect::<Result<_, _>>()?)
}

/// A page of all chains, by id.
pub async fn list(pool: &PgPool, page: &PageRequest) -> Result<PageOf<Chain>, ReadError> {
    let mut sql = QueryBuilder::new("select ");
    sql.push(COLUMNS).push(" from read.chains where true");
    if let Some(cursor) = page.after() {
        let [chain] = cursor.key(LIST)?;
        sql.push(" and chain_id > ").push_bind(chain.to_owned());
    }
    sql.push(" order by chain_id limit ").push_bind(page.limit());
    let rows: Vec<Stored> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Chain::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, Chain::cursor))
}

/// A page of a chain's forks, open and resolved.
pub async fn forks(
    pool: &PgPool,
    chain: &ChainId,
    order: Order,
    page: &PageRequest,
) -> Result<PageOf<Fork>, ReadError> {
    let mut sql = QueryBuilder::new(
        "select position, chain_id, height, recorded, conflicting, culprits, detected_at, kept, \
                reason, resolved_at from read.forks where chain_id = ",
    );
    sql.push_bind(chain.as_str());
    forks_by(order).end(&mut sql, page)?;
    let rows: Vec<StoredFork> = sql.build_query_as().fetch_all(pool).await?;
    let rows = rows.into_iter().map(Fork::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(page.page(rows, |row| row.cursor(order)))
}
