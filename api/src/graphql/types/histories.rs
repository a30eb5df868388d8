//! What validators were punished for, and how their reputations changed.
//!
//! Does not know what became of them.

use async_graphql::{Context, Enum, Object, Result};
use domain::{validator::Offence as Offending, values};
use projections::{
    Order,
    reputation_history::{self, Cause},
    slashing_history::{self, Filter},
};

use super::{activity::SortOrder, validators::Validator};
use crate::{
    graphql::{
        context,
        loaders::{FirstReputations, FirstSlashings},
        pages::{self, Page},
        scalars::{Address, Amount, Epoch, Hash, Height, Moment, Position, Power},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// What a validator did.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Offending")]
pub enum Offence {
    /// Signed two different things at one height and round.
    Equivocation,
    /// Its key is in other hands.
    KeyCompromise,
    /// Kept others' transactions or votes out.
    Censorship,
    /// Missed its duties.
    Downtime,
}

/// Why a reputation is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Cause")]
pub enum ReputationCause {
    /// What it registered with.
    Registration,
    /// An epoch's duties.
    Performance,
    /// An equivocation.
    Equivocation,
    /// A compromised key.
    KeyCompromise,
    /// Censorship.
    Censorship,
    /// Downtime.
    Downtime,
}

/// A punished offence.
pub struct Slashing(slashing_history::Slashing);

impl Slashing {
    /// A page of a validator's penalties; first pages of many validators are read together.
    pub async fn of_validator(
        context: &Context<'_>,
        address: values::Address,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<Slashing>, Problem> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::asker(context)?;
        let found = match page.after() {
            None => asker.rows().load_one(FirstSlashings(address, page.first())).await?,
            Some(_) => {
                asker.reach(&[slashing_history::NAME]).await?;
                let filter = Filter { address: Some(address), offence: None };
                let pool = &asker.app().pool;
                let found = slashing_history::list(pool, &filter, Order::Newest, &page).await;
                Some(found.map_err(read_problem)?)
            }
        };
        Ok(pages::connection(found.unwrap_or_else(pages::nothing), &page, Slashing))
    }
}

/// A punished offence.
#[Object]
impl Slashing {
    /// The position of the event.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// When it was punished.
    async fn at(&self) -> Moment {
        Moment(self.0.at)
    }

    /// The validator's address.
    async fn address(&self) -> Address {
        Address(self.0.address)
    }

    /// The validator.
    async fn validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.address).await?.map(Validator))
    }

    /// What it did.
    async fn offence(&self) -> Offence {
        self.0.offence.into()
    }

    /// The height at which it happened.
    async fn height(&self) -> Height {
        Height(self.0.height)
    }

    /// The epoch in which it was punished.
    async fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch)
    }

    /// The hash of the evidence.
    async fn evidence(&self) -> Hash {
        Hash(self.0.evidence)
    }

    /// Everything that was burned.
    async fn burned(&self) -> Amount {
        Amount(self.0.burned)
    }

    /// Its stake after it.
    async fn stake(&self) -> Amount {
        Amount(self.0.stake)
    }

    /// The voting power its stake gives after it.
    async fn power(&self) -> Power {
        Power(self.0.power)
    }

    /// Before this epoch it cannot be activated.
    async fn quarantined_until(&self) -> Epoch {
        Epoch(self.0.quarantined_until)
    }

    /// Who asked for it.
    async fn actor(&self) -> &str {
        &self.0.actor
    }
}

/// A change of a reputation.
pub struct ReputationChange(reputation_history::Reputation);

impl ReputationChange {
    /// A page of a validator's changes; first pages of many validators are read together.
    pub async fn of_validator(
        context: &Context<'_>,
        address: values::Address,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<ReputationChange>, Problem> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::asker(context)?;
        let found = match page.after() {
            None => asker.rows().load_one(FirstReputations(address, page.first())).await?,
            Some(_) => {
                asker.reach(&[reputation_history::NAME]).await?;
                let (pool, of) = (&asker.app().pool, Some(address));
                let found = reputation_history::list(pool, of, Order::Newest, &page).await;
                Some(found.map_err(read_problem)?)
            }
        };
        Ok(pages::connection(found.unwrap_or_else(pages::nothing), &page, ReputationChange))
    }
}

/// A change of a reputation.
#[Object]
impl ReputationChange {
    /// The position of the event.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// When it changed.
    async fn at(&self) -> Moment {
        Moment(self.0.at)
    }

    /// Why.
    async fn cause(&self) -> ReputationCause {
        self.0.cause.into()
    }

    /// The epoch it is about.
    async fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch)
    }

    /// What it was; null for a registration.
    async fn from(&self) -> Option<Position> {
        self.0.from.map(|from| Position(from.into()))
    }

    /// What it became.
    async fn to(&self) -> Position {
        Position(self.0.to.into())
    }
}

/// Penalties.
#[derive(Default)]
pub struct HistoryQueries;

#[Object]
impl HistoryQueries {
    /// What was punished.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments in the schema")]
    async fn slashings(
        &self,
        context: &Context<'_>,
        address: Option<Address>,
        offence: Option<Offence>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Slashing>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[slashing_history::NAME], min_position).await?;
        let (address, offence) = (address.map(|address| address.0), offence.map(Into::into));
        let filter = Filter { address, offence };
        let found = slashing_history::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Slashing))
    }
}
