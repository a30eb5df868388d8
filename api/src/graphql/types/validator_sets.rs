//! Validator sets, epoch by epoch.
//!
//! Does not know how a set is chosen.

use async_graphql::{Context, ID, Object, Result};
use domain::validator_set::ValidatorSet as Aggregate;
use projections::{Subject, validator_sets};

use super::{activity::SortOrder, chains::Chain, validators::Validator};
use crate::{
    graphql::{
        context, node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Address, AsOf, ChainId, Epoch, Hash, Moment, Position, Power, PublicKey},
    },
    rest::reply::read_problem,
};

/// The validator set of an epoch.
pub struct ValidatorSet(pub validator_sets::ValidatorSet);

/// The validator set of an epoch.
#[Object]
impl ValidatorSet {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("ValidatorSet", format!("{}:{}", self.0.chain_id, self.0.epoch))
    }

    /// The chain's name.
    async fn chain_id(&self) -> ChainId {
        ChainId(self.0.chain_id.clone())
    }

    /// The chain, when it is known here.
    async fn chain(&self, context: &Context<'_>) -> Result<Option<Chain>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.chain_id.clone()).await?.map(Chain))
    }

    /// The epoch the set is for.
    async fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch)
    }

    /// What a header names the set by.
    async fn set_hash(&self) -> Hash {
        Hash(self.0.set_hash)
    }

    /// The power of all members.
    async fn total_power(&self) -> Power {
        Power(self.0.total_power)
    }

    /// How many members it has.
    async fn size(&self) -> Position {
        Position(self.0.members.into())
    }

    /// Who was not in the set before.
    async fn joined(&self) -> Vec<Address> {
        self.0.joined.iter().copied().map(Address).collect()
    }

    /// Who is no longer in the set.
    async fn left(&self) -> Vec<Address> {
        self.0.left.iter().copied().map(Address).collect()
    }

    /// When it was chosen.
    async fn rotated_at(&self) -> Moment {
        Moment(self.0.rotated_at)
    }

    /// The version of its stream after it.
    async fn version(&self) -> Position {
        Position(self.0.version)
    }

    /// The position of the event that chose it.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// Its members in CometBFT's order.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn members(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<Member>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::asker(context)?;
        asker.reach(&[validator_sets::NAME]).await?;
        let pool = &asker.app().pool;
        let found = validator_sets::members(pool, &self.0.chain_id, self.0.epoch, &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Member))
    }
}

/// A member of a set.
pub struct Member(validator_sets::Member);

/// A member of a set.
#[Object(name = "ValidatorSetMember")]
impl Member {
    /// Its place in CometBFT's order, from 1.
    async fn place(&self) -> u32 {
        self.0.place
    }

    /// Its address.
    async fn address(&self) -> Address {
        Address(self.0.address)
    }

    /// Its voting power.
    async fn power(&self) -> Power {
        Power(self.0.power)
    }

    /// Its consensus key.
    async fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key)
    }

    /// The validator, when it is registered here.
    async fn validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.address).await?.map(Validator))
    }
}

/// Validator sets.
#[derive(Default)]
pub struct ValidatorSetQueries;

#[Object]
impl ValidatorSetQueries {
    /// The set of an epoch, the newest one when none is named; null when there is none.
    async fn validator_set(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        epoch: Option<Epoch>,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<ValidatorSet>> {
        let when = When { min_position, as_of };
        let subject = Subject::of::<Aggregate>(&chain_id.0);
        let about = About::enter(context, &[validator_sets::NAME], when, subject).await?;
        let pool = about.pool();
        let found = match epoch {
            Some(epoch) => validator_sets::get(pool, &chain_id.0, epoch.0).await,
            None => validator_sets::current(pool, &chain_id.0).await,
        };
        Ok(found.map_err(read_problem)?.map(ValidatorSet))
    }

    /// The sets of a chain, epoch by epoch.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn validator_sets(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<ValidatorSet>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[validator_sets::NAME], min_position).await?;
        let pool = &asker.app().pool;
        let found = validator_sets::list(pool, &chain_id.0, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, ValidatorSet))
    }
}
