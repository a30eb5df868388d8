//! What can be followed: the log, and what read models make of it.
//!
//! Does not know on which way events travel. Each field resumes after a position and ends with a
//! problem; what it tells of a read model, that read model shows already.

use std::future::ready;

use async_graphql::{Context, Result, SimpleObject, Subscription};
use domain::{
    aggregate::Aggregate as _,
    chain::{Chain, ChainStream},
    transaction::Account,
    validator::Validator as ValidatorAggregate,
    values::Hash,
};
use event_store::{Filter, RecordError, StoreError, StoredEvent, StreamName};
use futures::{Stream, StreamExt, stream::BoxStream};
use projections::{blocks, headers, transactions, validators};
use serde::Deserialize;

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

/// Something happened to a validator.
#[derive(SimpleObject)]
pub struct ValidatorChange {
    /// The position of the event: follow `after` it to go on.
    position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    event_type: String,
    /// The validator as it is now, the change included.
    validator: Option<Validator>,
}

/// A header was verified and recorded.
#[derive(SimpleObject)]
pub struct ObservedHeader {
    /// The position of the event: follow `after` it to go on.
    position: Position,
    /// The header as it is now.
    header: Option<Header>,
}

/// A block of our own chain was executed.
#[derive(SimpleObject)]
pub struct AppliedBlock {
    /// The position of the event: follow `after` it to go on.
    position: Position,
    /// The block as it is now.
    block: Option<Block>,
}

/// Something happened to a transaction before it was final.
#[derive(SimpleObject)]
pub struct TransactionChange {
    /// The position of the event: follow `after` it to go on.
    position: Position,
    /// The stored name of what happened.
    #[graphql(name = "type")]
    event_type: String,
    /// The transaction as it is now, the change included.
    transaction: Option<Transaction>,
}

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
