//! Headers of observed chains.
//!
//! Does not hold their protobuf: the event at a header's position does.

use async_graphql::{Context, Enum, ID, InputObject, Object, Result};
use domain::chain::Verification;
use projections::headers::{self, Filter, HeaderState as State};

use super::{activity::SortOrder, chains::Chain, validators::Validator};
use crate::{
    graphql::{
        context::{self, Asker},
        node,
        pages::{self, Page},
        past::{About, When},
        scalars::{Address, AsOf, ChainId, Epoch, Hash, Height, Moment, Position, Power},
    },
    problem::Problem,
    rest::reply::read_problem,
};

/// What a header is to its chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "State")]
pub enum HeaderState {
    /// The chain's header of this height.
    Recorded,
    /// The other header of an open fork.
    Conflicting,
    /// It lost a fork, or follows one that did.
    Abandoned,
}

/// How a header came to be trusted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Enum)]
#[graphql(remote = "Verification")]
pub enum HeaderVerification {
    /// Somebody trusts it.
    Anchor,
    /// It is the very next after a trusted one.
    Sequential,
    /// More than a third of a trusted one's set signed it, too.
    Skipping,
}

/// A header.
pub struct Header(pub headers::Header);

/// A header.
#[Object]
impl Header {
    /// Names this node for ever.
    pub async fn id(&self) -> ID {
        node::id("Header", self.0.hash)
    }

    /// The chain's name.
    async fn chain_id(&self) -> ChainId {
        ChainId(self.0.chain_id.clone())
    }

    /// The chain.
    async fn chain(&self, context: &Context<'_>) -> Result<Option<Chain>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.chain_id.clone()).await?.map(Chain))
    }

    /// Its height.
    async fn height(&self) -> Height {
        Height(self.0.height)
    }

    /// Its hash.
    async fn hash(&self) -> Hash {
        Hash(self.0.hash)
    }

    /// What it is to its chain.
    async fn state(&self) -> HeaderState {
        self.0.state.into()
    }

    /// Its time, microseconds.
    async fn time(&self) -> Moment {
        Moment(self.0.time)
    }

    /// What its time has below a microsecond, in nanoseconds.
    async fn time_nanos(&self) -> u16 {
        self.0.time_nanos
    }

    /// Who proposed the block.
    async fn proposer(&self) -> Address {
        Address(self.0.proposer)
    }

    /// Who proposed the block, when it is a validator registered here.
    async fn proposer_validator(&self, context: &Context<'_>) -> Result<Option<Validator>> {
        let rows = context::asker(context)?.rows();
        Ok(rows.load_one(self.0.proposer).await?.map(Validator))
    }

    /// The round in which it was committed.
    async fn round(&self) -> u32 {
        self.0.round.value()
    }

    /// The application's state before this block, in upper hex.
    async fn app_hash(&self) -> String {
        self.0.app_hash.to_string()
    }

    /// The root of the block's transactions.
    async fn data_hash(&self) -> Option<Hash> {
        self.0.data_hash.map(Hash)
    }

    /// The hash of the block before.
    async fn last_block_hash(&self) -> Option<Hash> {
        self.0.last_block_hash.map(Hash)
    }

    /// The hash of the set that signed this header.
    async fn validators_hash(&self) -> Hash {
        Hash(self.0.validators_hash)
    }

    /// The hash of the set that signs the next header.
    async fn next_validators_hash(&self) -> Hash {
        Hash(self.0.next_validators_hash)
    }

    /// The power that signed; null when it is only known from a fork.
    async fn signed_power(&self) -> Option<Power> {
        self.0.signed_power.map(Power)
    }

    /// The power of the whole set.
    async fn total_power(&self) -> Power {
        Power(self.0.total_power)
    }

    /// How it came to be trusted; null when it is only known from a fork.
    async fn verification(&self) -> Option<HeaderVerification> {
        self.0.verification.map(Into::into)
    }

    /// The epoch whose stream holds it.
    async fn epoch(&self) -> Epoch {
        Epoch(self.0.epoch)
    }

    /// The position of the event that holds it.
    async fn position(&self) -> Position {
        Position(self.0.position)
    }

    /// When it was recorded.
    async fn observed_at(&self) -> Moment {
        Moment(self.0.observed_at)
    }
}

/// Which headers of a chain are wanted; absent members let everything through.
#[derive(Default, InputObject)]
pub struct HeaderFilter {
    /// That are this to the chain.
    state: Option<HeaderState>,
    /// Proposed by this validator.
    proposer: Option<Address>,
    /// From this height on.
    from_height: Option<Height>,
    /// Up to this height.
    to_height: Option<Height>,
}

/// What a header is called.
enum Named {
    Hash(domain::values::Hash),
    Height(domain::values::ChainId, domain::values::Height),
}

/// Headers.
#[derive(Default)]
pub struct HeaderQueries;

#[Object]
impl HeaderQueries {
    /// The header with this hash, or of this chain and height; null when there is none.
    async fn header(
        &self,
        context: &Context<'_>,
        hash: Option<Hash>,
        chain_id: Option<ChainId>,
        height: Option<Height>,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<Header>> {
        let when = When { min_position, as_of };
        let named = match (hash, chain_id, height) {
            (Some(hash), None, None) => Named::Hash(hash.0),
            (None, Some(chain), Some(height)) => Named::Height(chain.0, height.0),
            _ => {
                let detail = "give a hash, or a chainId and a height";
                return Err(Problem::invalid_parameter("hash", detail).into());
            }
        };
        let known = async |asker: &Asker| {
            let pool = &asker.app().pool;
            let known = match &named {
                Named::Hash(hash) => headers::history_of_hash(pool, *hash).await,
                Named::Height(chain, height) => headers::history(pool, chain, *height).await,
            };
            Ok(Some(known.map_err(read_problem)?))
        };
        let about = About::enter_what_is(context, &[headers::NAME], when, known).await?;
        let (rows, pool) = (about.asker().rows(), about.pool());
        let found = match named {
            Named::Hash(hash) if about.is_now() => rows.load_one(hash).await?,
            Named::Hash(hash) => {
                headers::by_hash(pool, hash).await.map_err(read_problem)?.into_iter().next()
            }
            Named::Height(chain, height) if about.is_now() => {
                rows.load_one((chain, height)).await?
            }
            Named::Height(chain, height) => {
                headers::get(pool, &chain, height).await.map_err(read_problem)?
            }
        };
        Ok(found.map(Header))
    }

    /// The headers of a chain, by height.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    #[expect(clippy::too_many_arguments, reason = "they are the field's arguments in the schema")]
    async fn headers(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        filter: Option<HeaderFilter>,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Header>> {
        let page = pages::request(first, after.as_deref())?;
        let wanted = filter.unwrap_or_default();
        let filter = Filter {
            chain_id: chain_id.0,
            state: wanted.state.map(Into::into),
            proposer: wanted.proposer.map(|address| address.0),
            from_height: wanted.from_height.map(|height| height.0),
            to_height: wanted.to_height.map(|height| height.0),
        };
        let asker = context::enter(context, &[headers::NAME], min_position).await?;
        let found = headers::list(&asker.app().pool, &filter, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, Header))
    }
}
