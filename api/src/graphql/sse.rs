//! GraphQL over server-sent events, in the mode of distinct connections of the graphql-sse
//! protocol: one request, `next` for each result, `complete` at the end.
//!
//! Does not know the schema's types.

use async_graphql::{Response as Answer, parser::types::OperationType};
use axum::{
    extract::{Request as HttpRequest, State},
    http::HeaderMap,
    response::Response,
};
use bytes::Bytes;
use futures::{
    StreamExt,
    stream::{self, BoxStream},
};
use tokio::time::Interval;

use super::{
    context::Asker,
    http::require_json,
    reply::Reply,
    request::{Given, Way, from_params, from_value, prepare},
};
use crate::{
    accept, body,
    door::Visit,
    live::{Pace, Pass, beats, sse},
    params::Params,
    problem::{Kind, Problem},
    server::App,
};

/// `GET /graphql/stream?query=...`: queries and subscriptions.
pub async fn get(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    accept::require(&parts.headers, &[sse::MEDIA_TYPE])?;
    let mut params = Params::of(parts.uri.query());
    let given = from_params(&mut params);
    params.finish()?;
    stream(&app, Visit::within(&parts.extensions)?, &parts.headers, given?, Way::StreamGet)
}

/// `POST /graphql/stream`.
pub async fn post(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    accept::require(&parts.headers, &[sse::MEDIA_TYPE])?;
    let bytes = body::read(&parts.headers, content, app.body_bytes_max()).await?;
    require_json(&parts.headers)?;
    let given = from_value(body::parse(&bytes)?)?;
    stream(&app, Visit::within(&parts.extensions)?, &parts.headers, given, Way::StreamPost)
}

/// The reply that goes on. What is wrong with the document is told in it, as the protocol asks;
/// what is wrong with the request is a problem.
fn stream(
    app: &App,
    visit: &Visit,
    headers: &HeaderMap,
    given: Given,
    way: Way,
) -> Result<Response, Problem> {
    let answers = match prepare(app, given, way) {
        Ok((request, kind)) => {
            let request =
                request.data(Asker::new(app.clone(), visit.caller.clone(), visit.address));
            let answers = app.schema.execute_stream(request);
            Source::Answers { answers, is_live: kind == OperationType::Subscription }
        }
        Err(problem) if is_told(&problem) => Source::Refused(problem),
        Err(problem) => return Err(problem),
    };
    let pass = Pass::new(app, headers, visit.caller.clone());
    let told = Told::new(app, visit, answers, pass);
    Ok(sse::reply(stream::unfold(told, Told::step)))
}

fn is_told(problem: &Problem) -> bool {
    matches!(problem.kind(), Kind::InvalidQuery | Kind::QueryLimit)
}

enum Source {
    /// What the schema answers.
    Answers { answers: BoxStream<'static, Answer>, is_live: bool },
    /// It was not asked.
    Refused(Problem),
    /// The last result is out.
    Exhausted,
    /// So is the word that nothing follows.
    Completed,
}

/// One request's results.
struct Told {
    source: Source,
    pass: Pass,
    pace: Pace,
    heartbeat: Interval,
    request: Visit,
}

impl Told {
    fn new(app: &App, visit: &Visit, source: Source, pass: Pass) -> Told {
        let heartbeat = beats(app.limits.live.heartbeat());
        let pace = Pace::new(&app.limits.live);
        Told { source, pass, pace, heartbeat, request: visit.clone() }
    }

    /// The next piece, when the connection has room for it.
    async fn step(mut self) -> Option<(Bytes, Told)> {
        if let Err(problem) = self.may_go_on().await {
            self.source = Source::Refused(problem);
        }
        let piece = self.piece().await?;
        self.pace.given();
        Some((piece.into(), self))
    }

    async fn may_go_on(&mut self) -> Result<(), Problem> {
        match self.source {
            Source::Answers { .. } => {
                self.pace.asked()?;
                self.pass.renew().await
            }
            Source::Refused(_) | Source::Exhausted | Source::Completed => Ok(()),
        }
    }

    async fn piece(&mut self) -> Option<Vec<u8>> {
        match &mut self.source {
            Source::Answers { answers, is_live } => tokio::select! {
                biased;
                _ = self.heartbeat.tick() => Some(sse::HEARTBEAT.to_vec()),
                answer = answers.next() => match answer {
                    Some(answer) => {
                        let (reply, is_end) = Reply::of_event(answer, &self.request.id);
                        if is_end && *is_live {
                            self.source = Source::Exhausted;
                        }
                        self.heartbeat.reset();
                        Some(next(&reply))
                    }
                    None => Some(self.complete()),
                },
            },
            Source::Refused(problem) => {
                problem.log(&self.request.id);
                let reply = Reply::refused(problem, &self.request.id);
                self.source = Source::Exhausted;
                Some(next(&reply))
            }
            Source::Exhausted => Some(self.complete()),
            Source::Completed => None,
        }
    }

    fn complete(&mut self) -> Vec<u8> {
        self.source = Source::Completed;
        let mut piece = Vec::new();
        sse::frame(&mut piece, Some("complete"), None, &[]);
        piece
    }
}

fn next(reply: &Reply) -> Vec<u8> {
    let data = serde_json::to_vec(reply).expect("a reply has string keys");
    let mut piece = Vec::with_capacity(data.len() + 32);
    sse::frame(&mut piece, Some("next"), None, &[&data]);
    piece
}
