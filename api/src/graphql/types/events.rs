//! The log itself.
//!
//! Does not know what events mean: their data is shown as it was written.

use async_graphql::{
    Context, Json, Object, Result, SimpleObject,
    connection::{Connection, Edge},
};
use domain::values;
use event_store::{Filter, StoreError, StoredEvent, StreamName};
use serde_json::Value;

use crate::{
    graphql::{
        context,
        pages::{self, Page},
        scalars::{Moment, Position},
    },
    problem::Problem,
    rest::events::first_of,
};

/// An event of the log.
#[derive(SimpleObject)]
pub struct Event {
    /// Its place in the log: 1, 2, 3, ... without gaps.
    position: Position,
    /// Its id, a UUIDv7.
    event_id: String,
    /// Its stream.
    stream: String,
    /// Its version in the stream: 1, 2, 3, ...
    version: Position,
    /// Its stored name with its version.
    #[graphql(name = "type")]
    event_type: String,
    /// What happened.
    data: Json<Value>,
    /// Who asked.
    actor: String,
    /// The request it was stored under.
    command: String,
    /// The event that caused the request.
    causation: Option<String>,
    /// The story it belongs to.
    correlation: String,
    /// Why, in the actor's words.
    reason: Option<String>,
    /// When it was decided.
    at: Moment,
}

impl Event {
    /// As it is shown.
    pub fn of(stored: &StoredEvent) -> Result<Event, Problem> {
        let position = stored.position;
        let unreadable = |reason| Problem::from(StoreError::Unreadable { position, reason });
        let record = stored.parse().map_err(unreadable)?;
        let data = serde_json::from_str(record.data.get()).map_err(Problem::internal)?;
        Ok(Event {
            position: Position(position),
            event_id: record.id.to_string(),
            stream: record.stream.to_owned(),
            version: Position(stored.version),
            event_type: record.event_type.to_owned(),
            data: Json(data),
            actor: record.actor,
            command: record.command.to_string(),
            causation: record.causation.map(|id| id.to_string()),
            correlation: record.correlation.to_string(),
            reason: record.reason,
            at: Moment(values::Moment::from(record.at)),
        })
    }
}

/// Which events are wanted; absent members let everything through.
#[derive(Default, async_graphql::InputObject)]
pub struct EventFilter {
    /// Of this category of streams, e.g. `validator`.
    category: Option<String>,
    /// Of this stream.
    stream: Option<String>,
    /// Of this stored name, e.g. `validator-jailed.v1`.
    #[graphql(name = "type")]
    event_type: Option<String>,
    /// Of this story.
    correlation: Option<String>,
}

impl EventFilter {
    fn read(self) -> Result<Filter, Problem> {
        let wrong = |name: &str, error: String| Problem::invalid_parameter(name, error);
        let stream = self.stream.map(StreamName::new).transpose();
        let correlation = self.correlation.map(|id| id.parse::<uuid::Uuid>()).transpose();
        Ok(Filter {
            categories: self.category.into_iter().collect(),
            streams: stream.map_err(|e| wrong("stream", e.to_string()))?.into_iter().collect(),
            event_types: self.event_type.into_iter().collect(),
            correlation: correlation.map_err(|e| wrong("correlation", e.to_string()))?,
        })
    }
}

/// Where a piece of the log begins: positions and versions serve as cursors.
fn start(after: Option<&str>) -> Result<u64, Problem> {
    after.unwrap_or("0").parse().map_err(|_| {
        Problem::invalid_parameter("after", "must be a position, or a version within a stream")
    })
}

/// Events of the log.
#[derive(Default)]
pub struct EventQueries;

#[Object]
impl EventQueries {
    /// The event at a position; null beyond the end of the log.
    async fn event(
        &self,
        context: &Context<'_>,
        position: Position,
        min_position: Option<Position>,
    ) -> Result<Option<Event>> {
        let (asker, _) = context::enter_log(context, min_position).await?;
        let Some(before) = position.0.checked_sub(1) else { return Ok(None) };
        let page = asker.app().log().read_all(before, &Filter::all(), 1).await;
        let page = page.map_err(Problem::from)?;
        Ok(page.events.first().map(Event::of).transpose()?)
    }

    /// Events in the order of the log.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn events(
        &self,
        context: &Context<'_>,
        filter: Option<EventFilter>,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Event>> {
        let first = first_of(first.map(i64::from))?;
        let from = start(after.as_deref())?;
        let filter = filter.unwrap_or_default().read()?;
        let (asker, head) = context::enter_log(context, min_position).await?;
        let page = asker.app().log().read_all(from, &filter, first).await.map_err(Problem::from)?;
        let mut connection = Connection::new(from > 0, page.scanned_to < head);
        for stored in &page.events {
            connection.edges.push(Edge::new(stored.position.to_string(), Event::of(stored)?));
        }
        Ok(connection)
    }

    /// The events of one stream in their order.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn stream(
        &self,
        context: &Context<'_>,
        name: String,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<Event>> {
        let first = first_of(first.map(i64::from))?;
        let from = start(after.as_deref())?;
        let stream = StreamName::new(name)
            .map_err(|error| Problem::invalid_parameter("name", error.to_string()))?;
        let (asker, _) = context::enter_log(context, min_position).await?;
        let next = from.saturating_add(1);
        let events = asker.app().log().read_stream(&stream, next, first + 1).await;
        let events = events.map_err(Problem::from)?;
        let mut connection = Connection::new(from > 0, events.len() > first);
        for stored in events.iter().take(first) {
            connection.edges.push(Edge::new(stored.version.to_string(), Event::of(stored)?));
        }
        Ok(connection)
    }
}
