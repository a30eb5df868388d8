//! What can be followed: the log, and what read models make of it.
//!
//! Does not know on which way events travel. Each field resumes after a position and ends with a
//! problem; what it tells of a read model, that read model shows already.

mod changes;
mod now;

use std::future::ready;

use async_graphql::{Context, Result, Subscription};
use domain::{
    aggregate::Aggregate as _,
    chain::{Chain, ChainStream},
    configuration::{flag::Flag as FlagAggregate, setting::Setting as SettingAggregate},
    consensus::ConsensusHeight as ConsensusHeightAggregate,
    identity::principal::Principal,
    monitoring::{alert::Alert as AlertAggregate, slo::Slo as SloAggregate},
    network::peer::Peer as PeerAggregate,
    transaction::Account,
    validator::Validator as ValidatorAggregate,
    values::Hash,
};
use event_store::{Filter, RecordError, StoreError, StoredEvent, StreamName};
use futures::{Stream, StreamExt, TryStreamExt as _, stream::BoxStream};
use projections::{
    alerts, blocks, flags, headers, heights, peers, settings, slos, transactions, validators,
};
use serde::Deserialize;

use changes::{
    AlertChange, AppliedBlock, FlagChange, HeightChange, ObservedHeader, PeerChange,
    PrincipalChange, SettingChange, SloChange, TransactionChange, ValidatorChange,
};

use super::{
    context::{self, Asker},
    loaders::{BlockHash, TransactionHash},
    scalars::{Address, ChainId, Position},
    types::{
        blocks::Block, events::Event, headers::Header, transactions::Transaction,
        validators::Validator,
    },
};
use crate::{live::Feed, problem::Problem};

/// The stored name of what a header is recorded by.
const HEADER_OBSERVED: &str = "header-observed.v1";
/// The stored name of what a block is executed by.
const BLOCK_APPLIED: &str = "block-applied.v1";
/// The stored names of what happens to a transaction before it is final.
const SENT: &[&str] = &["transaction-accepted.v1", "transaction-evicted.v1"];
/// Names in one list of a filter.
const FILTER_NAMES_MAX: usize = 32;

/// Everything that can be followed.
#[derive(Default)]
pub struct Subscription;

#[Subscription]
impl Subscription {
    /// The log as it goes on: what is stored after a position, then what comes. Without a position
    /// it begins at the end. Absent lists let everything through.
    async fn events(
        &self,
        context: &Context<'_>,
        after: Option<Position>,
        categories: Option<Vec<String>>,
        types: Option<Vec<String>>,
        stream: Option<String>,
        correlation: Option<String>,
    ) -> Result<impl Stream<Item = Result<Event, Problem>>> {
        let wrong = |name: &str, error: String| Problem::invalid_parameter(name, error);
        let stream = stream.map(StreamName::new).transpose();
        let correlation = correlation.map(|id| id.parse::<uuid::Uuid>()).transpose();
        let filter = Filter {
            categories: few("categories", categories)?,
            streams: stream.map_err(|e| wrong("stream", e.to_string()))?.into_iter().collect(),
            event_types: few("types", types)?,
            correlation: correlation.map_err(|e| wrong("correlation", e.to_string()))?,
        };
        let (_, stored) = follow(context, after, filter).await?;
        Ok(stored.map(|stored| Event::of(&stored?)))
    }

    /// A validator, each time something happens to it.
    async fn validator_changed(
        &self,
        context: &Context<'_>,
        address: Address,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<ValidatorChange, Problem>>> {
        let stream = StreamName::of(ValidatorAggregate::CATEGORY, address.0);
        let streams = vec![stream.map_err(Problem::internal)?];
        let filter = Filter { streams, ..Filter::all() };
        let (asker, stored) = follow(context, after, filter).await?;
        Ok(stored.then(move |stored| {
            let asker = asker.clone();
            async move {
                let stored = stored?;
                let position = stored.position;
                let event_type = stored.parse().map_err(unreadable(position))?.event_type.into();
                asker.catch_up(&[validators::NAME], position).await?;
                let row = asker.rows().load_one(address.0).await?;
                let position = Position(position);
                Ok(ValidatorChange { position, event_type, validator: row.map(Validator) })
            }
        }))
    }

    /// The blocks of our own chain, as they are executed: then their transactions are final.
    async fn block_applied(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<AppliedBlock, Problem>>> {
        let (asker, stored) = follow_chain(context, after, chain_id, BLOCK_APPLIED).await?;
        Ok(stored.then(move |stored| {
            let asker = asker.clone();
            async move {
                let stored = stored?;
                let (position, hash) = (stored.position, named_hash(&stored)?);
                asker.catch_up(&[blocks::NAME, transactions::NAME], position).await?;
                let row = asker.rows().load_one(BlockHash(hash)).await?;
                Ok(AppliedBlock { position: Position(position), block: row.map(Block::from) })
            }
        }))
    }

    /// The transactions of a sender, each time one is accepted or taken out. (That they are final
    /// is told with their block.)
    async fn transaction_changed(
        &self,
        context: &Context<'_>,
        sender: Address,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<TransactionChange, Problem>>> {
        let stream = StreamName::of(Account::CATEGORY, sender.0).map_err(Problem::internal)?;
        let event_types = SENT.iter().map(ToString::to_string).collect();
        let filter = Filter { streams: vec![stream], event_types, ..Filter::all() };
        let (asker, stored) = follow(context, after, filter).await?;
        Ok(stored.then(move |stored| {
            let asker = asker.clone();
            async move {
                let stored = stored?;
                let (position, hash) = (stored.position, named_hash(&stored)?);
                let event_type = stored.parse().map_err(unreadable(position))?.event_type.into();
                asker.catch_up(&[transactions::NAME], position).await?;
                let row = asker.rows().load_one(TransactionHash(hash)).await?;
                let (position, transaction) = (Position(position), row.map(Transaction::from));
                Ok(TransactionChange { position, event_type, transaction })
            }
        }))
    }

    /// The headers of an observed chain, as they are verified and recorded.
    async fn header_observed(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<ObservedHeader, Problem>>> {
        let (asker, stored) = follow_chain(context, after, chain_id, HEADER_OBSERVED).await?;
        Ok(stored.then(move |stored| {
            let asker = asker.clone();
            async move {
                let stored = stored?;
                let (position, hash) = (stored.position, named_hash(&stored)?);
                asker.catch_up(&[headers::NAME], position).await?;
                let row = asker.rows().load_one(hash).await?;
                Ok(ObservedHeader { position: Position(position), header: row.map(Header) })
            }
        }))
    }

    /// Alerts, or one of them, each time something happens to it.
    async fn alert_changed(
        &self,
        context: &Context<'_>,
        alert: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<AlertChange, Problem>>> {
        let of = (AlertAggregate::CATEGORY, alert);
        let changes =
            changes(context, after, of, &[alerts::NAME], now::row::<alerts::Alert>).await?;
        let told = |(Happened { position, event_type, .. }, alert)| AlertChange {
            position,
            event_type,
            alert,
        };
        Ok(changes.map_ok(told))
    }

    /// Objectives, or one of them, each time something happens to it.
    async fn slo_changed(
        &self,
        context: &Context<'_>,
        slo: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<SloChange, Problem>>> {
        let of = (SloAggregate::CATEGORY, slo);
        let changes = changes(context, after, of, &[slos::NAME], now::row::<slos::Slo>).await?;
        let told =
            |(Happened { position, event_type, .. }, slo)| SloChange { position, event_type, slo };
        Ok(changes.map_ok(told))
    }

    /// Settings, or one of them, each time something happens to it.
    async fn setting_changed(
        &self,
        context: &Context<'_>,
        key: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<SettingChange, Problem>>> {
        let of = (SettingAggregate::CATEGORY, key);
        let changes = changes(context, after, of, &[settings::NAME], now::setting).await?;
        let told = |(Happened { position, event_type, .. }, setting)| SettingChange {
            position,
            event_type,
            setting,
        };
        Ok(changes.map_ok(told))
    }

    /// Feature flags, or one of them, each time something happens to it.
    async fn flag_changed(
        &self,
        context: &Context<'_>,
        key: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<FlagChange, Problem>>> {
        let of = (FlagAggregate::CATEGORY, key);
        let changes = changes(context, after, of, &[flags::NAME], now::flag).await?;
        let told = |(Happened { position, event_type, .. }, flag)| FlagChange {
            position,
            event_type,
            flag,
        };
        Ok(changes.map_ok(told))
    }

    /// Nodes, or one of them, each time something happens to it.
    async fn peer_changed(
        &self,
        context: &Context<'_>,
        peer: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<PeerChange, Problem>>> {
        let of = (PeerAggregate::CATEGORY, peer);
        let changes = changes(context, after, of, &[peers::NAME], now::row::<peers::Peer>).await?;
        let told = |(Happened { position, event_type, .. }, peer)| PeerChange {
            position,
            event_type,
            peer,
        };
        Ok(changes.map_ok(told))
    }

    /// Persons and services, or one of them, each time something happens to it.
    async fn principal_changed(
        &self,
        context: &Context<'_>,
        principal: Option<String>,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<PrincipalChange, Problem>>> {
        let of = (Principal::CATEGORY, principal);
        let changes = changes(context, after, of, &[], now::principal).await?;
        let told = |(Happened { position, event_type, .. }, principal)| PrincipalChange {
            position,
            event_type,
            principal,
        };
        Ok(changes.map_ok(told))
    }

    /// Heights of our own chain, or one of them, each time something is said at it.
    async fn height_changed(
        &self,
        context: &Context<'_>,
        #[graphql(desc = "A chain and one of its heights, such as node0-local-1.")] height: Option<
            String,
        >,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<HeightChange, Problem>>> {
        let of = (ConsensusHeightAggregate::CATEGORY, height);
        let changes = changes(context, after, of, &[heights::NAME], now::height).await?;
        let told = |(Happened { position, event_type, .. }, height)| HeightChange {
            position,
            event_type,
            height,
        };
        Ok(changes.map_ok(told))
    }
}

/// What happened to one of its kind.
struct Happened {
    /// The id of its stream.
    id: String,
    position: Position,
    event_type: String,
}

impl Happened {
    fn of(stored: &StoredEvent) -> Result<Happened, Problem> {
        let record = stored.parse().map_err(unreadable(stored.position))?;
        let (id, event_type) = (stored.stream.id().to_owned(), record.event_type.to_owned());
        Ok(Happened { id, position: Position(stored.position), event_type })
    }
}

/// What happens to all of a category or to one of them, each with what it is about as it is now,
/// once the read models it is read from show it.
async fn changes<T, Now, Looked>(
    context: &Context<'_>,
    after: Option<Position>,
    (category, id): (&str, Option<String>),
    models: &'static [&'static str],
    now: Now,
) -> Result<BoxStream<'static, Result<(Happened, Option<T>), Problem>>, Problem>
where
    Now: Fn(Asker, String) -> Looked + Copy + Send + 'static,
    Looked: Future<Output = Result<Option<T>, Problem>> + Send,
{
    let (asker, stored) = follow(context, after, of_category(category, id)?).await?;
    Ok(stored
        .then(move |stored| {
            let asker = asker.clone();
            async move {
                let happened = Happened::of(&stored?)?;
                // What the log itself is asked for is there already.
                if !models.is_empty() {
                    asker.catch_up(models, happened.position.0).await?;
                }
                let seen = now(asker, happened.id.clone()).await?;
                Ok((happened, seen))
            }
        })
        .boxed())
}

/// What happens to all of a category, or to one of them.
fn of_category(category: &str, id: Option<String>) -> Result<Filter, Problem> {
    let Some(id) = id else {
        return Ok(Filter { categories: vec![category.to_owned()], ..Filter::all() });
    };
    let stream = StreamName::of(category, &id);
    let stream = stream.map_err(|error| Problem::invalid_parameter("id", error.to_string()))?;
    Ok(Filter { streams: vec![stream], ..Filter::all() })
}

/// What is read of an event about a header, a block or a transaction.
#[derive(Deserialize)]
struct Named {
    hash: Hash,
}

/// The hash of what an event is about.
fn named_hash(stored: &StoredEvent) -> Result<Hash, Problem> {
    let record = stored.parse().map_err(unreadable(stored.position))?;
    let named: Named = serde_json::from_str(record.data.get()).map_err(Problem::internal)?;
    Ok(named.hash)
}

/// What happens to a chain, of one type.
async fn follow_chain(
    context: &Context<'_>,
    after: Option<Position>,
    chain: ChainId,
    event_type: &str,
) -> Result<(Asker, BoxStream<'static, Result<StoredEvent, Problem>>), Problem> {
    let filter = Filter {
        categories: vec![Chain::CATEGORY.to_owned()],
        event_types: vec![event_type.to_owned()],
        ..Filter::all()
    };
    let (asker, stored) = follow(context, after, filter).await?;
    let of_chain = move |stored: &Result<StoredEvent, Problem>| {
        ready(stored.as_ref().map_or(true, |stored| is_of(stored, &chain)))
    };
    Ok((asker, stored.filter(of_chain).boxed()))
}

/// The events that pass, for as long as the subscription holds its place.
async fn follow(
    context: &Context<'_>,
    after: Option<Position>,
    filter: Filter,
) -> Result<(Asker, BoxStream<'static, Result<StoredEvent, Problem>>), Problem> {
    let (asker, place) = context::subscribed(context)?;
    let feed = Feed::open(asker.app(), after.map(|position| position.0), filter).await?;
    let held = feed.events().map(move |event| {
        let _held = &place;
        event
    });
    Ok((asker, held.boxed()))
}

fn is_of(stored: &StoredEvent, chain: &ChainId) -> bool {
    stored.stream.id().parse::<ChainStream>().is_ok_and(|stream| stream.chain == chain.0)
}

fn unreadable(position: u64) -> impl Fn(RecordError) -> Problem {
    move |reason| Problem::from(StoreError::Unreadable { position, reason })
}

fn few(name: &'static str, names: Option<Vec<String>>) -> Result<Vec<String>, Problem> {
    let names = names.unwrap_or_default();
    if names.len() > FILTER_NAMES_MAX {
        let detail = format!("has at most {FILTER_NAMES_MAX} names, not {}", names.len());
        return Err(Problem::invalid_parameter(name, detail));
    }
    Ok(names)
}
