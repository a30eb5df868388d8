//! Validators.
//!
//! Does not know how a validator came to be what it is: its history is in `histories`.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use domain::validator::{StandingName, Validator as Aggregate};
use projections::{
    Subject,
    validators::{self, Filter, Sort},
};

use super::{
    chains::Chain,
    delegations::Delegation,
    histories::{ReputationChange, Slashing},
};
use crate::{
    graphql::{
        context, node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Address, Amount, AsOf, ChainId, Epoch, Moment, Position, Power, PublicKey},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// What a validator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "StandingName")]
pub enum Standing {
    /// Nobody has registered.
    Unregistered,
    /// Known, not yet chosen from.
    Registered,
    /// May be chosen for the set.
    Active,
    /// Out of the set for a while.
    Jailed,
    /// Punished, in quarantine.
    Slashed,
    /// Leaving.
    Exiting,
    /// Left in good order.
    Exited,
    /// Never comes back.
    Tombstoned,
}

/// In which order validators are listed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Sort")]
pub enum ValidatorSort {
    /// By power, the greatest first.
    Power,
    /// By reputation, the greatest first.
    Reputation,
    /// By moniker.
    Moniker,
    /// By registration, the newest first.
    Newest,
    /// By address.
    Address,
}

/// Which validators are wanted; absent members let everything through.
#[derive(Default, InputObject)]
pub struct ValidatorFilter {
    /// Of this chain.
    chain_id: Option<ChainId>,
    /// That are this now.
    standing: Option<Standing>,
    /// Of this operator.
    operator: Option<String>,
}

impl ValidatorFilter {
    fn read(self) -> Result<Filter, Problem> {
        let operator = self.operator.map(|text| text.parse()).transpose();
        Ok(Filter {
            chain_id: self.chain_id.map(|chain| chain.0),
            standing: self.standing.map(Into::into),
            operator: operator.map_err(|error: domain::values::ValueError| {
                Problem::invalid_parameter("operator", error.to_string())
            })?,
        })
    }
}

/// A validator as it is now.
pub struct Validator(pub validators::Validator);

/// A validator as it is now.
#[Object]
impl Validator {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("Validator", self.0.address)
    }

    /// Its address.
    async fn address(&self) -> Address {
        Address(self.0.address)
    }

    /// The chain it validates.
    async fn chain_id(&self) -> ChainId {
        ChainId(self.0.chain_id.clone())
    }

    /// The chain it validates, when it is known here.
    async fn chain(&self, context: &Context<'_>) -> Result<Option<Chain>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.chain_id.clone()).await?.map(Chain))
    }

    /// Who runs it.
    async fn operator(&self) -> String {
        self.0.operator.to_string()
    }

    /// Its consensus key.
    async fn public_key(&self) -> PublicKey {
        PublicKey(self.0.public_key)
    }

    /// The name it shows.
    async fn moniker(&self) -> String {
        self.0.moniker.to_string()
    }

    /// Where it introduces itself.
    async fn website(&self) -> Option<String> {
        self.0.website.as_ref().map(ToString::to_string)
    }

    /// How its people can be reached.
    async fn contact(&self) -> Option<String> {
        self.0.contact.as_ref().map(ToString::to_string)
    }

    /// Its share of what its delegators earn, in basis points.
    async fn commission_bps(&self) -> u16 {
        self.0.commission_bps.value()
    }

    /// What it is.
    async fn standing(&self) -> Standing {
        self.0.standing.into()
    }

    /// Its own bond.
    async fn bond(&self) -> Amount {
        Amount(self.0.bond)
    }

    /// The sum of all delegations.
    async fn delegated(&self) -> Amount {
        Amount(self.0.delegated)
    }

    /// Own bond + delegations.
    async fn stake(&self) -> Amount {
        Amount(self.0.stake)
    }

    /// The voting power its stake gives.
    async fn power(&self) -> Power {
        Power(self.0.power)
    }

    /// Its reputation.
    async fn reputation(&self) -> Position {
        Position(u64::from(self.0.reputation))
    }

    /// Why it is in jail; null when it is not.
    async fn jail_reason(&self) -> Option<String> {
        self.0.jail_reason.as_ref().map(ToString::to_string)
    }

    /// Before this moment it cannot come back from jail; null when it is not there.
    async fn jailed_until(&self) -> Option<Moment> {
        self.0.jailed_until.map(Moment)
    }

    /// Before this epoch it cannot be activated.
    async fn quarantined_until(&self) -> Epoch {
        Epoch(self.0.quarantined_until)
    }

    /// The epoch from which its exit can be completed; null when it is not exiting.
    async fn exit_matures(&self) -> Option<Epoch> {
        self.0.exit_matures.map(Epoch)
    }

    /// How many offences were punished.
    async fn slashes(&self) -> Position {
        Position(u64::from(self.0.slashes))
    }

    /// Everything that was burned for them.
    async fn burned(&self) -> Amount {
        Amount(self.0.burned)
    }

    /// The last epoch whose duties were counted.
    async fn last_performance(&self) -> Option<Epoch> {
        self.0.last_performance.map(Epoch)
    }

    /// Blocks it proposed in that epoch.
    async fn proposed(&self) -> Option<Position> {
        self.0.proposed.map(|count| Position(u64::from(count)))
    }

    /// Heights it signed in that epoch.
    async fn signed(&self) -> Option<Position> {
        self.0.signed.map(|count| Position(u64::from(count)))
    }

    /// Heights it should have signed in that epoch and did not.
    async fn missed(&self) -> Option<Position> {
        self.0.missed.map(|count| Position(u64::from(count)))
    }

    /// When it registered, the last time if it did so more than once.
    async fn registered_at(&self) -> Moment {
        Moment(self.0.registered_at)
    }

    /// The version of its stream: what `If-Match` of a command compares with.
    async fn version(&self) -> Position {
        Position(self.0.version)
    }

    /// When the newest event of its stream happened.
    async fn updated_at(&self) -> Moment {
        Moment(self.0.updated_at)
    }

    /// The position of that event.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// Who staked how much on it, the greatest delegation first.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn delegations(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<Delegation>> {
        Ok(Delegation::of_validator(context, self.0.address, first, after).await?)
    }

    /// What it was punished for, the newest first.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn slashings(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<Slashing>> {
        Ok(Slashing::of_validator(context, self.0.address, first, after).await?)
    }

    /// How its reputation changed, the newest first.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn reputation_history(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
    ) -> Result<Page<ReputationChange>> {
        Ok(ReputationChange::of_validator(context, self.0.address, first, after).await?)
    }
}

/// Validators.
#[derive(Default)]
pub struct ValidatorQueries;

#[Object]
impl ValidatorQueries {
    /// The validator with this address; null when there is none.
    async fn validator(
        &self,
        context: &Context<'_>,
        address: Address,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Validator>> {
        let when = When { min_position, as_of };
        let subject = Subject::of::<Aggregate>(&address.0);
        let about = About::enter(context, &[validators::NAME], when, subject).await?;
        let found = match about.is_now() {
            true => about.asker().rows().load_one(address.0).await?,
            false => validators::get(about.pool(), address.0).await.map_err(read_problem)?,
        };
        Ok(found.map(Validator))
    }

    /// The validators that pass the filter, in this order.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn validators(
        &self,
        context: &Context<'_>,
        filter: Option<ValidatorFilter>,
        #[graphql(default_with = "ValidatorSort::Power")] sort: ValidatorSort,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Validator>> {
        let page = pages::request(first, after.as_deref())?;
        let filter = filter.unwrap_or_default().read()?;
        let asker = context::enter(context, &[validators::NAME], min_position).await?;
        let found = validators::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Validator))
    }
}
