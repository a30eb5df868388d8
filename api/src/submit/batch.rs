//! Many commands in one request: `POST /api/v1/batches`, one result per item, in order.
//!
//! Items are independent: one that fails does not keep the others from being done. Those of one
//! stream are decided in the order given, and stored together where they fit.

use std::sync::Arc;

use axum::{
    extract::{Request, State},
    http::{HeaderValue, header},
    response::Response,
};
use commands::{Actor, Outcome, RequestContext};
use domain::{
    validator::{self, Validator},
    values::Address,
};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, value::RawValue};

use super::{
    Collection, Reply,
    every::{self, Posted},
    known,
};
use crate::{
    auth, body, conditions,
    door::Visit,
    params,
    problem::{Fault, Problem},
    server::App,
};

/// The most items of one batch.
pub const BATCH_ITEMS_MAX: usize = 1_000;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Batch<'a> {
    #[serde(borrow)]
    items: Vec<Item<'a>>,
}

/// One command of a batch: what the path, the headers and the body of a request of its own would
/// say.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Item<'a> {
    collection: String,
    id: Option<String>,
    command: String,
    #[serde(borrow)]
    body: Option<&'a RawValue>,
    idempotency_key: Option<String>,
    expected_version: Option<u64>,
}

/// What became of the items.
#[derive(Serialize)]
struct Results<'a> {
    items: Vec<Done<'a>>,
}

/// What became of one item: the reply or the problem a request of its own would have got.
#[derive(Serialize)]
struct Done<'a> {
    status: u16,
    #[serde(skip_serializing_if = "Option::is_none")]
    reply: Option<Reply<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    problem: Option<Map<String, Value>>,
}

type Ready = (Address, validator::Command, RequestContext);

/// `POST /api/v1/batches`.
pub async fn batch(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, content) = request.into_parts();
    let visit = Visit::within(&parts.extensions)?;
    let actor = visit.caller.as_ref().ok_or_else(|| Problem::internal("no caller"))?;
    let bytes = body::read(&parts.headers, content, app.body_bytes_max()).await?;
    body::require_json(&parts.headers, &bytes)?;
    let batch: Batch<'_> = match serde_json::from_slice(&bytes) {
        Ok(batch) => batch,
        Err(error) => {
            body::parse(&bytes)?;
            return Err(Problem::invalid_body(vec![Fault::at("", error.to_string())]));
        }
    };
    if batch.items.is_empty() || batch.items.len() > BATCH_ITEMS_MAX {
        let detail = format!("has 1 to {BATCH_ITEMS_MAX} items, not {}", batch.items.len());
        return Err(Problem::invalid_body(vec![Fault::at("/items", detail)]));
    }
    let outcomes = execute(&app, visit, actor, batch.items).await;
    Ok(reply(&app, visit, &outcomes))
}

/// Does the items in order. Neighbours that are validators' are handed over together.
async fn execute(
    app: &App,
    visit: &Visit,
    actor: &Actor,
    items: Vec<Item<'_>>,
) -> Vec<Result<Outcome, Problem>> {
    let mut outcomes: Vec<Option<Result<Outcome, Problem>>> = Vec::with_capacity(items.len());
    let mut waiting: Vec<(usize, Ready)> = Vec::new();
    for item in items {
        let place = outcomes.len();
        if item.collection == Validator::COLLECTION {
            match validators_command(visit, actor, &item) {
                Ok(ready) => {
                    waiting.push((place, ready));
                    outcomes.push(None);
                }
                Err(problem) => outcomes.push(Some(Err(problem))),
            }
            continue;
        }
        hand_over(app, &mut waiting, &mut outcomes).await;
        outcomes.push(Some(other(app, visit, actor, &item).await));
    }
    hand_over(app, &mut waiting, &mut outcomes).await;
    let lost = || Err(Problem::internal("an item of a batch was not answered"));
    outcomes.into_iter().map(|outcome| outcome.unwrap_or_else(lost)).collect()
}

async fn hand_over(
    app: &App,
    waiting: &mut Vec<(usize, Ready)>,
    outcomes: &mut [Option<Result<Outcome, Problem>>],
) {
    let (places, items): (Vec<usize>, Vec<Ready>) = waiting.drain(..).unzip();
    let answers = app.commands.execute_all::<Validator>(items).await;
    for (place, answer) in places.into_iter().zip(answers) {
        outcomes[place] = Some(answer.map_err(Problem::of_command));
    }
}

async fn other(
    app: &App,
    visit: &Visit,
    actor: &Actor,
    item: &Item<'_>,
) -> Result<Outcome, Problem> {
    let Some(entry) = every::named(&item.collection) else {
        let known: Vec<&str> = every::COLLECTIONS.iter().map(|entry| entry.collection).collect();
        let detail = format!("{:?} is none of {}", item.collection, known.join(", "));
        return Err(Problem::invalid_body(vec![Fault::at("/collection", detail)]));
    };
    let spec = entry.command(&item.command)?;
    auth::require(Some(actor), spec.permission)?;
    let body = item.body.map_or("{}", RawValue::get).as_bytes();
    let posted = Posted { spec, id: item.id.as_deref(), body };
    (entry.run)(app, posted, context(visit, actor, item)?).await
}

fn validators_command(visit: &Visit, actor: &Actor, item: &Item<'_>) -> Result<Ready, Problem> {
    let spec = known::<Validator>(&item.command, |_| true)?;
    auth::require(Some(actor), spec.permission)?;
    let command = Validator::parse(spec, item.body.map_or("{}", RawValue::get).as_bytes())?;
    let address = super::validators::address(&command, item.id.as_deref())?;
    Ok((address, command, context(visit, actor, item)?))
}

fn context(visit: &Visit, actor: &Actor, item: &Item<'_>) -> Result<RequestContext, Problem> {
    let key = item.idempotency_key.as_deref();
    if key.is_some_and(|key| !conditions::is_key(key)) {
        let detail = "must be 1 to 128 visible ASCII characters";
        return Err(Problem::invalid_body(vec![Fault::at("/idempotency_key", detail)]));
    }
    Ok(RequestContext {
        idempotency_key: key.map(Arc::from),
        expected_version: item.expected_version,
        ..super::context(visit, actor)
    })
}

/// The position of the last event of all; none when nothing was appended.
pub(super) fn last_position(outcomes: &[Result<Outcome, Problem>]) -> Option<u64> {
    outcomes.iter().filter_map(|outcome| outcome.as_ref().ok()?.position).max()
}

/// One result for each, in order.
pub(super) fn reply(app: &App, visit: &Visit, outcomes: &[Result<Outcome, Problem>]) -> Response {
    let done = |outcome: &'_ Result<Outcome, Problem>| match outcome {
        Ok(_) => (200, None),
        Err(problem) => {
            problem.log(&visit.id);
            (problem.kind().status().as_u16(), Some(problem.members(&visit.id)))
        }
    };
    let items = outcomes
        .iter()
        .map(|outcome| {
            let (status, problem) = done(outcome);
            let reply = outcome.as_ref().ok().map(|outcome| Reply::of(outcome, None));
            Done { status, reply, problem }
        })
        .collect();
    let mut response = super::json_reply(app, &Results { items }, last_position(outcomes));
    let is_away = |outcome: &Result<Outcome, Problem>| {
        outcome.as_ref().is_err_and(|problem| problem.kind().is_retryable())
    };
    if outcomes.iter().any(is_away) {
        let retry_after = HeaderValue::from(crate::problem::RETRY_AFTER_S);
        response.headers_mut().insert(header::RETRY_AFTER, retry_after);
    }
    response
}
