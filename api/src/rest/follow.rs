//! The log as it goes on, as server-sent events: catch-up, then live.
//!
//! Does not know what events mean: their records are sent as they were written.

use std::{collections::VecDeque, sync::Arc};

use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderName, HeaderValue, request::Parts},
    response::Response,
};
use bytes::Bytes;
use domain::replica;
use event_store::Filter;
use futures::stream;
use serde_json::json;
use tokio::time::Interval;
use uuid::Uuid;

use super::events::filter_of;
use crate::{
    conditions::POSITION,
    door::Visit,
    live::{self, Feed, Pace, Pass, Piece, Place, sse},
    params::Params,
    problem::Problem,
    server::App,
};

/// Where a client that lost its stream was: wins over `after`, which stands in the address still.
const LAST_EVENT_ID: HeaderName = HeaderName::from_static("last-event-id");

/// `GET /api/v1/events/stream`.
pub async fn follow(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = filter_of(&mut params);
    begin(&app, &parts, params, filter).await
}

/// `GET /api/v1/consensus/stream`: what a validator must follow.
pub async fn follow_consensus(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let event_types = replica::FOLLOWED.iter().map(ToString::to_string).collect();
    let filter = Filter { event_types, ..Filter::default() };
    begin(&app, &parts, Params::of(parts.uri.query()), filter).await
}

async fn begin(
    app: &App,
    parts: &Parts,
    mut params: Params,
    filter: Filter,
) -> Result<Response, Problem> {
    let after = params.position("after");
    let incarnation = params.take::<Uuid>("incarnation");
    let resumed = last_event_id(&parts.headers);
    if resumed.is_err() {
        params.fault("Last-Event-ID", "must be a position: a whole number from 0");
    }
    params.finish()?;
    let visit = Visit::within(&parts.extensions)?;
    live::expect_incarnation(app, incarnation)?;
    let place = app.places.take()?;
    let after = resumed.ok().flatten().or(after);
    let filter = Arc::new(filter);
    let feed = Feed::open(app, after, Filter::clone(&filter)).await?;
    let start = feed.position();
    let pass = Pass::new(app, &parts.headers, visit.caller.clone());
    let following = Following::new(app, visit, (feed, filter), pass, place);
    let mut response = sse::reply(stream::unfold(following, Following::step));
    response.headers_mut().insert(POSITION, HeaderValue::from(start));
    Ok(response)
}

fn last_event_id(headers: &HeaderMap) -> Result<Option<u64>, ()> {
    let Some(value) = headers.get(LAST_EVENT_ID) else { return Ok(None) };
    // A client that has seen no id yet may say so by an empty one.
    match value.to_str().map_err(drop)? {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(drop),
    }
}

enum Stage {
    Beginning,
    Going,
    Ended,
}

/// One client's stream.
struct Following {
    stage: Stage,
    feed: Feed,
    filter: Arc<Filter>,
    /// Read, and not yet handed over.
    waiting: VecDeque<Piece>,
    /// Where a client that has everything handed over goes on.
    handed: u64,
    /// How far the log went when it began, until everything up to there is handed over.
    catches_up: Option<u64>,
    pass: Pass,
    pace: Pace,
    heartbeat: Interval,
    app: App,
    request: Visit,
    _place: Place,
}

impl Following {
    fn new(
        app: &App,
        visit: &Visit,
        (feed, filter): (Feed, Arc<Filter>),
        pass: Pass,
        place: Place,
    ) -> Following {
        Following {
            stage: Stage::Beginning,
            handed: feed.position(),
            catches_up: Some(feed.head()).filter(|head| *head > feed.position()),
            feed,
            filter,
            waiting: VecDeque::new(),
            app: app.clone(),
            pass,
            pace: Pace::new(&app.limits.live),
            heartbeat: live::beats(app.limits.live.heartbeat()),
            request: visit.clone(),
            _place: place,
        }
    }

    /// The next piece, when the connection has room for it.
    async fn step(mut self) -> Option<(Bytes, Following)> {
        let piece = match self.stage {
            Stage::Beginning => {
                self.stage = Stage::Going;
                self.beginning()
            }
            Stage::Going => match self.piece().await {
                Ok(piece) => piece,
                Err(problem) => {
                    self.stage = Stage::Ended;
                    self.end(&problem)
                }
            },
            Stage::Ended => return None,
        };
        self.pace.given();
        Some((piece, self))
    }

    /// Says where the stream begins, and in which log.
    fn beginning(&self) -> Bytes {
        let position = self.feed.position();
        let incarnation = self.app.store.incarnation().to_string();
        let start = json!({
            "position": position.to_string(), "incarnation": incarnation,
            "head": self.feed.head().to_string(),
        });
        let mut piece = format!("retry: {}\n", sse::RETRY_MS).into_bytes();
        sse::frame(&mut piece, Some("start"), Some(position), &[start.to_string().as_bytes()]);
        piece.into()
    }

    async fn piece(&mut self) -> Result<Bytes, Problem> {
        self.pace.asked()?;
        loop {
            if let Some(problem) = self.feed.is_over() {
                return Err(problem);
            }
            self.pass.renew().await?;
            if let Some(piece) = self.waiting.pop_front() {
                self.handed = piece.last;
                self.heartbeat.reset();
                return Ok(piece.bytes);
            }
            // Who waits for the end of what was there is told at once.
            if self.catches_up.take_if(|head| *head <= self.feed.position()).is_some() {
                return Ok(self.beat());
            }
            let after = self.feed.position();
            tokio::select! {
                biased;
                _ = self.heartbeat.tick() => return Ok(self.beat()),
                page = self.feed.next() => {
                    let page = page?;
                    let pieces = self.app.frames.of(after, &page, &self.filter);
                    self.waiting.extend(pieces.iter().cloned());
                }
            }
        }
    }

    /// A sign of life. Says how far was looked: who filters much does not begin from far behind.
    fn beat(&mut self) -> Bytes {
        // Nothing waits now, see `piece`.
        self.handed = self.feed.position();
        format!(":\nid: {}\n\n", self.handed).into()
    }

    /// Says why it ends and where: events that still waited come after that position.
    fn end(&self, problem: &Problem) -> Bytes {
        problem.log(&self.request.id);
        let members = serde_json::Value::Object(problem.members(&self.request.id)).to_string();
        let mut piece = Vec::new();
        sse::frame(&mut piece, Some("end"), Some(self.handed), &[members.as_bytes()]);
        piece.into()
    }
}
