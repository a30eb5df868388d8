//! Who has staked on whom.
//!
//! Does not know rewards: there are none yet.

use async_graphql::{Context, Object, Result};
use domain::values;
use projections::delegations::{self, Filter};

use super::validators::Validator;
use crate::{
    graphql::{
        context,
        loaders::FirstDelegations,
        pages::{self, Page},
        scalars::{Address, Amount, Moment, Position},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// What somebody has staked on a validator.
pub struct Delegation(delegations::Delegation);

impl Delegation {
    /// A page of a validator's delegations; first pages of many validators are read together.
    pub async fn of_validator(
        context: &Context<'_>,
        address: values::Address,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<Delegation>, Problem> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::asker(context)?;
        let found = match page.after() {
            None => asker.rows().load_one(FirstDelegations(address, page.first())).await?,
            Some(_) => {
                asker.reach(&[delegations::NAME]).await?;
                let filter = Filter::Validator(address);
                let found = delegations::list(&asker.app().pool, filter, &page).await;
                Some(found.map_err(read_problem)?)
            }
        };
        Ok(pages::connection(found.unwrap_or_else(pages::nothing), &page, Delegation))
    }
}

/// What somebody has staked on a validator.
#[Object]
impl Delegation {
    /// On whom.
    async fn validator_address(&self) -> Address {
        Address(self.0.validator)
    }

    /// On whom.
    async fn validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.validator).await?.map(Validator))
    }

    /// Who.
    async fn delegator(&self) -> Address {
        Address(self.0.delegator)
    }

    /// How much.
    async fn amount(&self) -> Amount {
        Amount(self.0.delegation)
    }

    /// When the first stake came that is still a part of it.
    async fn since(&self) -> Moment {
        Moment(self.0.since)
    }

    /// When it changed last.
    async fn updated_at(&self) -> Moment {
        Moment(self.0.updated_at)
    }

    /// The position of the event that changed it last.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }
}

/// Delegations.
#[derive(Default)]
pub struct DelegationQueries;

#[Object]
impl DelegationQueries {
    /// What a delegator has staked, validator by validator.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn delegations(
        &self,
        context: &Context<'_>,
        delegator: Address,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Delegation>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[delegations::NAME], min_position).await?;
        let filter = Filter::Delegator(delegator.0);
        let found = delegations::list(&asker.app().pool, filter, &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Delegation))
    }
}
