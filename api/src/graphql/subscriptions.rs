//! What can be followed: the log, and what read models make of it.
//!
//! Does not know on which way events travel. Each field resumes after a position and ends with a
//! problem; what it tells of a read model, that read model shows already.

use std::future::ready;

use async_graphql::{Context, Result, SimpleObject, Subscription};
use domain::{
    aggregate::Aggregate as _,
    chain::{Chain, ChainStream},
    validator::Validator as ValidatorAggregate,
};
use event_store::{Filter, RecordError, StoreError, StoredEvent, StreamName};
use futures::{Stream, StreamExt, stream::BoxStream};
use projections::{headers, validators};
use serde::Deserialize;

use super::{
    context::{self, Asker},
    scalars::{Address, ChainId, Position},
    types::{events::Event, headers::Header, validators::Validator},
};
use crate::{live::Feed, problem::Problem};

/// The stored name of what a header is recorded by.
const HEADER_OBSERVED: &str = "header-observed.v1";
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

    /// The headers of an observed chain, as they are verified and recorded.
    async fn header_observed(
        &self,
        context: &Context<'_>,
        chain_id: ChainId,
        after: Option<Position>,
    ) -> Result<impl Stream<Item = Result<ObservedHeader, Problem>>> {
        let filter = Filter {
            categories: vec![Chain::CATEGORY.to_owned()],
            event_types: vec![HEADER_OBSERVED.to_owned()],
            ..Filter::all()
        };
        let (asker, stored) = follow(context, after, filter).await?;
        let of_chain = move |stored: &Result<StoredEvent, Problem>| {
            ready(stored.as_ref().map_or(true, |stored| is_of(stored, &chain_id)))
        };
        Ok(stored.filter(of_chain).then(move |stored| {
            let asker = asker.clone();
            async move {
                let stored = stored?;
                let position = stored.position;
                let record = stored.parse().map_err(unreadable(position))?;
                let observed: Observed =
                    serde_json::from_str(record.data.get()).map_err(Problem::internal)?;
                asker.catch_up(&[headers::NAME], position).await?;
                let row = asker.rows().load_one(observed.hash).await?;
                Ok(ObservedHeader { position: Position(position), header: row.map(Header) })
            }
        }))
    }
}

/// What is read of a header's event.
#[derive(Deserialize)]
struct Observed {
    hash: domain::values::Hash,
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
