//! By which events headers are known as they were.
//!
//! While a chain has no fork, a header is what was observed once. Forks make other ones of those
//! after them: then all of the chain counts.

use domain::values::{ChainId, Hash, Height};
use sqlx::PgPool;

use crate::{past::Subject, read::ReadError};

use super::{
    Header,
    read::{by_hash, get},
};

/// The history of a chain's header of this height.
pub async fn history(pool: &PgPool, chain: &ChainId, height: Height) -> Result<Subject, ReadError> {
    match has_forks(pool, chain).await? {
        true => Ok(Subject::of_chain(chain.clone())),
        false => {
            let found = get(pool, chain, height).await?;
            Ok(Subject::unknown().found_at(found.iter().map(position).collect()))
        }
    }
}

/// The history of the headers with this hash.
pub async fn history_of_hash(pool: &PgPool, hash: Hash) -> Result<Subject, ReadError> {
    let found = by_hash(pool, hash).await?;
    let mut subject = Subject::unknown();
    for header in found {
        subject = match has_forks(pool, &header.chain_id).await? {
            true => subject.and_chain(header.chain_id),
            false => subject.found_at(vec![position(&header)]),
        };
    }
    Ok(subject)
}

fn position(header: &Header) -> u64 {
    header.position
}

async fn has_forks(pool: &PgPool, chain: &ChainId) -> Result<bool, sqlx::Error> {
    sqlx::query_scalar(
        "select exists (select from read.headers where chain_id = $1 and state <> 'recorded')",
    )
    .bind(chain.as_str())
    .fetch_one(pool)
    .await
}
