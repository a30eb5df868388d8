//! Reads gathered: however many nodes ask, one statement for each kind of row.
//!
//! Does not know which nodes ask.

use std::{collections::HashMap, hash::Hash as Hashable, sync::Arc};

use async_graphql::dataloader::Loader;
use domain::values::{Address, ChainId, Epoch, Hash, Height};
use projections::{
    PageOf, PageRequest, blocks, chains, delegations, headers, reputation_history,
    slashing_history, transactions, validator_sets, validators,
};

use super::context::View;
use crate::{problem::Problem, rest::reply::read_problem, server::App};

/// The rows of one request.
pub struct Rows {
    app: App,
    view: Arc<View>,
}

impl Rows {
    /// Read from this surface's pool.
    pub fn new(app: App, view: Arc<View>) -> Rows {
        Rows { app, view }
    }
}

/// The newest validator set of a chain.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct CurrentSet(pub ChainId);

/// The first so many delegations of a validator.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstDelegations(pub Address, pub u32);

/// The first so many penalties of a validator.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstSlashings(pub Address, pub u32);

/// The first so many changes of a validator's reputation.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct FirstReputations(pub Address, pub u32);

/// A block by its hash; the hash alone is a header's.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct BlockHash(pub Hash);

/// A transaction by its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct TransactionHash(pub Hash);

/// What the sender of a transaction signed, by the position of its acceptance and its hash.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Signed(pub u64, pub Hash);

impl Loader<BlockHash> for Rows {
    type Value = blocks::Block;
    type Error = Problem;

    async fn load(&self, keys: &[BlockHash]) -> Result<HashMap<BlockHash, Self::Value>, Problem> {
        self.view.reach(&[blocks::NAME]).await?;
        let hashes: Vec<Hash> = keys.iter().map(|key| key.0).collect();
        let rows = blocks::by_hashes(&self.app.pool, &hashes).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (BlockHash(row.hash), row)).collect())
    }
}

impl Loader<TransactionHash> for Rows {
    type Value = transactions::Transaction;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[TransactionHash],
    ) -> Result<HashMap<TransactionHash, Self::Value>, Problem> {
        self.view.reach(&[transactions::NAME]).await?;
        let hashes: Vec<Hash> = keys.iter().map(|key| key.0).collect();
        let rows = transactions::by_hashes(&self.app.pool, &hashes).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (TransactionHash(row.hash), row)).collect())
    }
}

impl Loader<Signed> for Rows {
    type Value = domain::transaction::Transaction;
    type Error = Problem;

    async fn load(&self, keys: &[Signed]) -> Result<HashMap<Signed, Self::Value>, Problem> {
        let positions: Vec<u64> = keys.iter().map(|key| key.0).collect();
        let whole = self.app.whole_transactions(&positions).await?;
        let whole: HashMap<Hash, _> = whole.into_iter().map(|t| (t.hash(), t)).collect();
        let of = |key: &Signed| Some((*key, whole.get(&key.1)?.clone()));
        Ok(keys.iter().filter_map(of).collect())
    }
}

impl Loader<Address> for Rows {
    type Value = validators::Validator;
    type Error = Problem;

    async fn load(&self, keys: &[Address]) -> Result<HashMap<Address, Self::Value>, Problem> {
        self.view.reach(&[validators::NAME]).await?;
        let rows = validators::by_keys(&self.app.pool, keys).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (row.address, row)).collect())
    }
}

impl Loader<ChainId> for Rows {
    type Value = chains::Chain;
    type Error = Problem;

    async fn load(&self, keys: &[ChainId]) -> Result<HashMap<ChainId, Self::Value>, Problem> {
        self.view.reach(&[chains::NAME]).await?;
        let rows = chains::by_keys(&self.app.pool, keys).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (row.chain_id.clone(), row)).collect())
    }
}

impl Loader<(ChainId, Height)> for Rows {
    type Value = headers::Header;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[(ChainId, Height)],
    ) -> Result<HashMap<(ChainId, Height), Self::Value>, Problem> {
        self.view.reach(&[headers::NAME]).await?;
        let rows = headers::by_keys(&self.app.pool, keys).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| ((row.chain_id.clone(), row.height), row)).collect())
    }
}

/// Headers by hash are asked for one by one: by a node's id or by a client that has a hash.
impl Loader<Hash> for Rows {
    type Value = headers::Header;
    type Error = Problem;

    async fn load(&self, keys: &[Hash]) -> Result<HashMap<Hash, Self::Value>, Problem> {
        self.view.reach(&[headers::NAME]).await?;
        let mut found = HashMap::with_capacity(keys.len());
        for hash in keys {
            let rows = headers::by_hash(&self.app.pool, *hash).await.map_err(read_problem)?;
            found.extend(rows.into_iter().next().map(|row| (*hash, row)));
        }
        Ok(found)
    }
}

impl Loader<(ChainId, Epoch)> for Rows {
    type Value = validator_sets::ValidatorSet;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[(ChainId, Epoch)],
    ) -> Result<HashMap<(ChainId, Epoch), Self::Value>, Problem> {
        self.view.reach(&[validator_sets::NAME]).await?;
        let rows = validator_sets::by_keys(&self.app.pool, keys).await.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| ((row.chain_id.clone(), row.epoch), row)).collect())
    }
}

impl Loader<CurrentSet> for Rows {
    type Value = validator_sets::ValidatorSet;
    type Error = Problem;

    async fn load(&self, keys: &[CurrentSet]) -> Result<HashMap<CurrentSet, Self::Value>, Problem> {
        self.view.reach(&[validator_sets::NAME]).await?;
        let chains: Vec<ChainId> = keys.iter().map(|key| key.0.clone()).collect();
        let rows = validator_sets::current_of(&self.app.pool, &chains).await;
        let rows = rows.map_err(read_problem)?;
        Ok(rows.into_iter().map(|row| (CurrentSet(row.chain_id.clone()), row)).collect())
    }
}

/// The keys by how many rows they want: one statement for each, as a rule one.
fn by_first<K>(keys: &[K], of: impl Fn(&K) -> (Address, u32)) -> HashMap<u32, Vec<Address>> {
    let mut sorted: HashMap<u32, Vec<Address>> = HashMap::new();
    for (address, first) in keys.iter().map(of) {
        sorted.entry(first).or_default().push(address);
    }
    sorted
}

fn page(first: u32) -> Result<PageRequest, Problem> {
    PageRequest::new(first, None).map_err(Problem::internal)
}

fn keyed<K: Hashable + Eq, T>(
    rows: Vec<(Address, PageOf<T>)>,
    key: impl Fn(Address) -> K,
) -> impl Iterator<Item = (K, PageOf<T>)> {
    rows.into_iter().map(move |(address, page)| (key(address), page))
}

impl Loader<FirstDelegations> for Rows {
    type Value = PageOf<delegations::Delegation>;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[FirstDelegations],
    ) -> Result<HashMap<FirstDelegations, Self::Value>, Problem> {
        self.view.reach(&[delegations::NAME]).await?;
        let mut found = HashMap::with_capacity(keys.len());
        for (first, of) in by_first(keys, |key| (key.0, key.1)) {
            let rows = delegations::first_of_many(&self.app.pool, &of, &page(first)?).await;
            let rows = rows.map_err(read_problem)?;
            found.extend(keyed(rows, |address| FirstDelegations(address, first)));
        }
        Ok(found)
    }
}

impl Loader<FirstSlashings> for Rows {
    type Value = PageOf<slashing_history::Slashing>;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[FirstSlashings],
    ) -> Result<HashMap<FirstSlashings, Self::Value>, Problem> {
        self.view.reach(&[slashing_history::NAME]).await?;
        let mut found = HashMap::with_capacity(keys.len());
        for (first, of) in by_first(keys, |key| (key.0, key.1)) {
            let rows = slashing_history::first_of_many(&self.app.pool, &of, &page(first)?).await;
            let rows = rows.map_err(read_problem)?;
            found.extend(keyed(rows, |address| FirstSlashings(address, first)));
        }
        Ok(found)
    }
}

impl Loader<FirstReputations> for Rows {
    type Value = PageOf<reputation_history::Reputation>;
    type Error = Problem;

    async fn load(
        &self,
        keys: &[FirstReputations],
    ) -> Result<HashMap<FirstReputations, Self::Value>, Problem> {
        self.view.reach(&[reputation_history::NAME]).await?;
        let mut found = HashMap::with_capacity(keys.len());
        for (first, of) in by_first(keys, |key| (key.0, key.1)) {
            let rows = reputation_history::first_of_many(&self.app.pool, &of, &page(first)?).await;
            let rows = rows.map_err(read_problem)?;
            found.extend(keyed(rows, |address| FirstReputations(address, first)));
        }
        Ok(found)
    }
}
