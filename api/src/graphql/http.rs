//! GraphQL over HTTP, as the specification of that name asks.
//!
//! Does not know the schema's types.

use async_graphql::{Request, Response as Answer};
use axum::{
    body::Body,
    extract::{Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::Value;

use super::{
    context::Asker,
    reply::Reply,
    request::{Way, from_params, from_value, prepare},
    ws,
};
use crate::{
    accept, body,
    conditions::POSITION,
    door::Visit,
    params::Params,
    problem::{Kind, Problem},
    server::App,
};

const RESPONSE_JSON: &str = "application/graphql-response+json";
const JSON: &str = "application/json";
const FORM_JSON: &str = "application/json; charset=utf-8";
const FORM_RESPONSE_JSON: &str = "application/graphql-response+json; charset=utf-8";
/// What replies can be, the one for clients that do not say first.
const OFFERED: &[&str] = &[JSON, RESPONSE_JSON];

/// `GET /graphql?query=...`: queries only; or a WebSocket, which takes everything.
pub async fn get(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    if ws::is_asked_for(&parts.headers) {
        return ws::upgrade(app, parts).await;
    }
    let form = accept::choose(&parts.headers, OFFERED)?;
    let visit = Visit::within(&parts.extensions)?;
    let mut params = Params::of(parts.uri.query());
    let given = from_params(&mut params);
    if let Err(problem) = params.finish() {
        return Ok(refusal(&problem, &visit.id, form));
    }
    let answer = match given.and_then(|given| prepare(&app, given, Way::Get)) {
        Ok((request, _)) => run(&app, request, visit).await,
        Err(problem) if problem.kind() == Kind::MethodNotAllowed => return Err(problem),
        Err(problem) => return Ok(refusal(&problem, &visit.id, form)),
    };
    Ok(single(answer, visit, form))
}

/// `POST /graphql` with one request, or an array of them.
pub async fn post(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    let form = accept::choose(&parts.headers, OFFERED)?;
    let visit = Visit::within(&parts.extensions)?;
    let bytes = body::read(&parts.headers, content, app.body_bytes_max()).await?;
    require_json(&parts.headers)?;
    let given = match body::parse(&bytes) {
        Ok(value) => value,
        Err(problem) => return Ok(refusal(&problem, &visit.id, form)),
    };
    if let Value::Array(items) = given {
        return batch(&app, items, visit, form).await;
    }
    match from_value(given).and_then(|given| prepare(&app, given, Way::Post)) {
        Ok((request, _)) => Ok(single(run(&app, request, visit).await, visit, form)),
        Err(problem) => Ok(refusal(&problem, &visit.id, form)),
    }
}

pub(super) fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    // Other than commands, a GraphQL request always has a body, which must say what it is.
    body::require_json(headers, b"{}")
}

/// The answer, and the least position that any of its reads reflects.
async fn run(app: &App, request: Request, visit: &Visit) -> (Answer, Option<u64>) {
    let asker = Asker::within(visit.correlation, app.clone(), visit.caller.clone(), visit.address);
    let answer = app.schema.execute(request.data(asker.clone())).await;
    (answer, asker.reflected())
}

async fn batch(
    app: &App,
    items: Vec<Value>,
    visit: &Visit,
    form: &'static str,
) -> Result<Response, Problem> {
    let max = app.limits.graphql.batch_max;
    if items.is_empty() || items.len() > max {
        let detail = format!("a batch has 1 to {max} requests, not {}", items.len());
        let problem =
            Problem::new(Kind::QueryLimit, detail).with("limit", "batch").with("max", max);
        return Ok(refusal(&problem, &visit.id, form));
    }
    let mut replies = Vec::with_capacity(items.len());
    for item in items {
        let prepared = from_value(item).and_then(|given| prepare(app, given, Way::Post));
        replies.push(match prepared {
            Ok((request, _)) => Reply::of(run(app, request, visit).await.0, &visit.id),
            Err(problem) => Reply::refused(&problem, &visit.id),
        });
    }
    Ok(respond(StatusCode::OK, &replies, form))
}

fn single(
    (answer, position): (Answer, Option<u64>),
    visit: &Visit,
    form: &'static str,
) -> Response {
    let reply = Reply::of(answer, &visit.id);
    // The older media type promises 200 for every well-formed request; the newer one tells a
    // request that could not be executed from one that was.
    let refused = reply.data.is_none() && form == RESPONSE_JSON;
    let status = if refused { StatusCode::BAD_REQUEST } else { StatusCode::OK };
    let mut response = respond(status, &reply, form);
    if reply.errors.iter().any(|error| error.is_retryable) {
        let seconds = HeaderValue::from(crate::problem::RETRY_AFTER_S);
        response.headers_mut().insert(header::RETRY_AFTER, seconds);
    }
    let position = position.map(|position| (POSITION, HeaderValue::from(position)));
    response.headers_mut().extend(position);
    response
}

/// A request that is not executed at all. The older media type still promises 200 for what is a
/// well-formed request with a bad document.
fn refusal(problem: &Problem, id: &str, form: &'static str) -> Response {
    let is_well_formed = matches!(problem.kind(), Kind::InvalidQuery | Kind::QueryLimit);
    let status = match is_well_formed && form == JSON {
        true => StatusCode::OK,
        false => problem.kind().status(),
    };
    respond(status, &Reply::refused(problem, id), form)
}

fn respond(status: StatusCode, body: &impl Serialize, form: &'static str) -> Response {
    let bytes = serde_json::to_vec(body).expect("a reply has string keys");
    let mut response = Response::new(Body::from(bytes));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    let form = if form == JSON { FORM_JSON } else { FORM_RESPONSE_JSON };
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
