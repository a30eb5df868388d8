//! The log itself: events in order, one by its position, one stream.
//!
//! Does not know what events mean: their records are shown as they were written.

use axum::{
    extract::{Request, State},
    response::Response,
};
use event_store::{Filter, RecordError, StoredEvent, StreamName};
use projections::page::{FIRST_DEFAULT, FIRST_MAX};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;
use uuid::Uuid;

use super::reply::Asked;
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// An event of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct Event {
    /// Its place in the log: 1, 2, 3, ... without gaps.
    #[schema(value_type = String, example = "42")]
    pub position: String,
    /// The exact record as it was written.
    #[schema(value_type = EventRecord)]
    pub record: Box<RawValue>,
}

/// What a record holds (`node0.event/1`).
#[derive(Debug, Serialize, ToSchema)]
pub struct EventRecord {
    /// The record format.
    #[schema(example = "node0.event/1")]
    pub v: String,
    /// The event's id, a UUIDv7.
    #[schema(value_type = String, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub id: Uuid,
    /// Its stream.
    #[schema(example = "validator-D5B865BA26FDF5285105626B708E8556809737F7")]
    pub stream: String,
    /// Its version in the stream: 1, 2, 3, ...
    #[schema(example = "3")]
    pub version: String,
    /// Its stored name with its version.
    #[serde(rename = "type")]
    #[schema(example = "validator-jailed.v1")]
    pub event_type: String,
    /// What happened.
    #[schema(value_type = Object)]
    pub data: serde_json::Value,
    /// Who asked.
    pub actor: String,
    /// The request it was stored under.
    #[schema(value_type = String, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub command: Uuid,
    /// The event that caused the request.
    #[schema(value_type = Option<String>, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub causation: Option<Uuid>,
    /// The story it belongs to.
    #[schema(value_type = String, example = "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c")]
    pub correlation: Uuid,
    /// Why, in the actor's words.
    pub reason: Option<String>,
    /// When it was decided.
    #[schema(example = "2026-01-02T03:04:05.000006Z")]
    pub at: String,
}

/// A piece of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPage {
    /// The events, in order.
    pub items: Vec<Event>,
    /// How to go on.
    pub page: EventPageInfo,
}

/// How to go on after a piece of the log.
#[derive(Debug, Serialize, ToSchema)]
pub struct EventPageInfo {
    /// Ask with this as `after` for what follows. Always there: the log goes on.
    #[schema(example = "62")]
    pub next: String,
    /// Whether anything may follow now.
    pub has_next: bool,
}

/// `GET /api/v1/events`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let after = params.position("after").unwrap_or(0);
    let first = first(&mut params);
    let filter = filter_of(&mut params);
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    let page = app.log().read_all(after, &filter, first).await?;
    let has_next = page.scanned_to < asked.position();
    let next = page.scanned_to.to_string();
    asked.one(&EventPage { items: shown(page.events)?, page: EventPageInfo { next, has_next } })
}

/// `GET /api/v1/events/{position}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    crate::params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let position: u64 = path.get("position")?;
    let asked = Asked::of_log(&app, &parts).await?;
    let missing = || Problem::not_found("event at position", position);
    let before = position.checked_sub(1).ok_or_else(missing)?;
    let page = app.log().read_all(before, &Filter::all(), 1).await?;
    let event = shown(page.events)?.pop().ok_or_else(missing)?;
    asked.one(&event)
}

/// `GET /api/v1/streams/{stream}`.
pub async fn stream(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let stream: StreamName = path.get("stream")?;
    let mut params = Params::of(parts.uri.query());
    let after = params.position("after").unwrap_or(0);
    let first = first(&mut params);
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    let mut events = app.log().read_stream(&stream, after.saturating_add(1), first + 1).await?;
    if events.is_empty() && after == 0 {
        return Err(Problem::not_found("stream", stream));
    }
    let has_next = events.len() > first;
    events.truncate(first);
    let next = events.last().map_or(after, |event| event.version).to_string();
    asked.one(&EventPage { items: shown(events)?, page: EventPageInfo { next, has_next } })
}

/// Which events a query string asks for.
pub fn filter_of(params: &mut Params) -> Filter {
    Filter {
        categories: params.take::<String>("category").into_iter().collect(),
        streams: params.take::<StreamName>("stream").into_iter().collect(),
        event_types: params.take::<String>("type").into_iter().collect(),
        correlation: params.take::<Uuid>("correlation"),
    }
}

fn first(params: &mut Params) -> usize {
    match first_of(params.take("first")) {
        Ok(first) => first,
        Err(problem) => {
            params.fault("first", problem.detail().to_owned());
            1
        }
    }
}

/// How many events a page has.
pub fn first_of(first: Option<i64>) -> Result<usize, Problem> {
    let first = first.unwrap_or(i64::from(FIRST_DEFAULT));
    match usize::try_from(first) {
        Ok(count) if (1..=FIRST_MAX as usize).contains(&count) => Ok(count),
        Ok(_) | Err(_) => {
            let detail = format!("is 1 to {FIRST_MAX}, not {first}");
            Err(Problem::invalid_parameter("first", detail))
        }
    }
}

/// The events as they are shown.
pub fn shown(events: Vec<StoredEvent>) -> Result<Vec<Event>, Problem> {
    let one = |event: StoredEvent| {
        let record = String::from_utf8(event.record.to_vec()).ok();
        let record = record.and_then(|text| RawValue::from_string(text).ok());
        let unreadable = || {
            let position = event.position;
            let reason = RecordError::Malformed("it is no JSON".to_owned());
            Problem::from(event_store::StoreError::Unreadable { position, reason })
        };
        let position = event.position.to_string();
        Ok(Event { position, record: record.ok_or_else(unreadable)? })
    };
    events.into_iter().map(one).collect()
}
