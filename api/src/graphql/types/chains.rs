//! Chains.
//!
//! Does not know how a head is verified.

use async_graphql::{Context, Enum, ID, Json, Object, Result, SimpleObject};
use domain::{chain::Kind, parameters::Change};
use projections::chains;

use super::{headers::Header, validator_sets::ValidatorSet};
use crate::{
    graphql::{
        context::{self, Asker},
        node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Amount, AsOf, ChainId, Epoch, Hash, Height, Moment, Position},
    },
    rest::reply::read_problem,
};

/// Whether a chain is executed or observed here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Kind")]
pub enum ChainKind {
    /// Our own.
    Native,
    /// A foreign one.
    Observed,
}

/// A chain as it is now.
pub struct Chain(pub chains::Chain);

/// How a foreign chain is observed.
#[derive(SimpleObject)]
pub struct Observation {
    /// The height at which it began.
    anchor_height: Height,
    /// The hash of the header that was trusted then.
    anchor_hash: Hash,
    /// How many heights go into one stream.
    epoch_headers: Position,
    /// For how many seconds after its time a header can be relied on.
    trusting_period_s: Position,
}

/// What the genesis document of our own chain said.
#[derive(SimpleObject)]
pub struct Genesis {
    /// The hash of the document's bytes.
    genesis_hash: Hash,
    /// The chain's official beginning.
    genesis_time: Moment,
    /// Its first height.
    initial_height: Height,
    /// How many accounts it has.
    accounts: Position,
    /// How many validators it has.
    validators: Position,
    /// What the first header names their set by.
    validators_hash: Hash,
    /// The application's state before the first block, in upper hex.
    app_hash: String,
    /// The sum of all bonds.
    bonded: Amount,
    /// Balances + bonds.
    supply: Amount,
    /// The protocol parameters it begins with.
    parameters: Json<serde_json::Value>,
}

/// Protocol parameters that hold from an epoch's first height on.
#[derive(SimpleObject)]
pub struct ParameterChange {
    /// The first epoch in which they hold.
    epoch: Epoch,
    /// All parameters, the unchanged ones too.
    parameters: Json<serde_json::Value>,
}

/// A fork that must be resolved.
#[derive(SimpleObject)]
pub struct OpenFork {
    /// The height.
    height: Height,
    /// The hash of the header that is recorded.
    recorded: Hash,
    /// The hash of the other one.
    conflicting: Hash,
    /// When it was detected.
    detected_at: Moment,
}

/// A chain as it is now.
#[Object]
impl Chain {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("Chain", &self.0.chain_id)
    }

    /// The chain's name.
    async fn chain_id(&self) -> ChainId {
        ChainId(self.0.chain_id.clone())
    }

    /// Whether it is executed or observed here.
    async fn kind(&self) -> ChainKind {
        self.0.kind.into()
    }

    /// The stream of the epoch opened last.
    async fn stream(&self) -> &str {
        &self.0.stream
    }

    /// The version of that stream.
    async fn version(&self) -> Position {
        Position(self.0.version)
    }

    /// The epoch opened last.
    async fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch)
    }

    /// Whether that epoch's books are closed.
    async fn closed(&self) -> bool {
        self.0.closed
    }

    /// The head's height; null before the first recorded header.
    async fn height(&self) -> Option<Height> {
        self.0.height.map(Height)
    }

    /// The head's hash.
    async fn hash(&self) -> Option<Hash> {
        self.0.hash.map(Hash)
    }

    /// The head's time.
    async fn time(&self) -> Option<Moment> {
        self.0.time.map(Moment)
    }

    /// The head; null before the first recorded header.
    async fn head(&self, context: &Context<'_>) -> Result<Option<Header>> {
        let Some(height) = self.0.height else { return Ok(None) };
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one((self.0.chain_id.clone(), height)).await?.map(Header))
    }

    /// The newest validator set that was chosen here; null for foreign chains.
    async fn validator_set(&self, context: &Context<'_>) -> Result<Option<ValidatorSet>> {
        let rows = context::asker(context)?.rows();
        let key = super::super::loaders::CurrentSet(self.0.chain_id.clone());
        Ok(rows.load_one(key).await?.map(ValidatorSet))
    }

    /// The hash of the set that signs the header after the head.
    async fn next_validators_hash(&self) -> Option<Hash> {
        self.0.next_validators_hash.map(Hash)
    }

    /// How many headers were verified and recorded.
    async fn headers_observed(&self) -> Position {
        Position(self.0.headers_observed)
    }

    /// How many headers failed verification.
    async fn headers_rejected(&self) -> Position {
        Position(self.0.headers_rejected)
    }

    /// How a foreign chain is observed; null for our own.
    async fn observation(&self) -> Option<Observation> {
        self.0.observation.as_ref().map(|row| Observation {
            anchor_height: Height(row.anchor_height),
            anchor_hash: Hash(row.anchor_hash),
            epoch_headers: Position(row.epoch_headers.into()),
            trusting_period_s: Position(row.trusting_period_s.into()),
        })
    }

    /// What the genesis document of our own chain said; null for foreign ones.
    async fn genesis(&self) -> Result<Option<Genesis>> {
        let Some(row) = &self.0.genesis else { return Ok(None) };
        Ok(Some(Genesis {
            genesis_hash: Hash(row.genesis_hash),
            genesis_time: Moment(row.genesis_time),
            initial_height: Height(row.initial_height),
            accounts: Position(row.accounts.into()),
            validators: Position(row.validators.into()),
            validators_hash: Hash(row.validators_hash),
            app_hash: row.app_hash.to_string(),
            bonded: Amount(row.bonded),
            supply: Amount(row.supply),
            parameters: Json(serde_json::to_value(&row.parameters)?),
        }))
    }

    /// Other protocol parameters than those of genesis, each from an epoch's first height on.
    async fn parameter_changes(&self) -> Result<Vec<ParameterChange>> {
        let change = |row: &Change| -> Result<ParameterChange> {
            let parameters = Json(serde_json::to_value(&row.parameters)?);
            Ok(ParameterChange { epoch: Epoch(row.epoch), parameters })
        };
        self.0.parameter_changes.iter().map(change).collect()
    }

    /// The fork that must be resolved; null when there is none.
    async fn fork(&self) -> Option<OpenFork> {
        self.0.fork.as_ref().map(|row| OpenFork {
            height: Height(row.height),
            recorded: Hash(row.recorded),
            conflicting: Hash(row.conflicting),
            detected_at: Moment(row.detected_at),
        })
    }

    /// When it was first heard of.
    async fn started_at(&self) -> Moment {
        Moment(self.0.started_at)
    }

    /// When the newest event of the chain happened.
    async fn updated_at(&self) -> Moment {
        Moment(self.0.updated_at)
    }

    /// The position of that event.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }
}

/// Chains.
#[derive(Default)]
pub struct ChainQueries;

#[Object]
impl ChainQueries {
    /// The chain of this name; null when there is none.
    async fn chain(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Chain>> {
        let when = When { min_position, as_of };
        let known = async |asker: &Asker| {
            let known = chains::history(&asker.app().pool, &chain_id.0).await;
            Ok(Some(known.map_err(read_problem)?))
        };
        let about = About::enter_what_is(context, &[chains::NAME], when, known).await?;
        let found = match about.is_now() {
            true => about.asker().rows().load_one(chain_id.0).await?,
            false => chains::get(about.pool(), &chain_id.0).await.map_err(read_problem)?,
        };
        Ok(found.map(Chain))
    }

    /// Chains, by their names.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn chains(
        &self,
        context: &Context<'_>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Chain>> {
        let page = pages::request(first, after.as_deref())?;
        let asker = context::enter(context, &[chains::NAME], min_position).await?;
        let found = chains::list(&asker.app().pool, &page).await.map_err(read_problem)?;
        Ok(pages::connection(found, &page, Chain))
    }
}
