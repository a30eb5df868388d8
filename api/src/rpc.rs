//! CometBFT's RPC, as far as its light clients and CosmJS read a chain: `POST /rpc` as JSON-RPC
//! 2.0, `GET /rpc/{method}` with the parameters in the query.
//!
//! Does not broadcast, search or subscribe: those have paths of our own. What is told is the record
//! of our own chain; its shapes are those of CometBFT 0.38.

mod arguments;
mod methods;
pub mod shapes;

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use crate::{
    body,
    params::PathParams,
    problem::{Kind, Problem},
    server::App,
};
use arguments::Arguments;

pub use methods::Method;

/// Calls in one request; they are answered one after the other.
pub const RPC_CALLS_MAX: usize = 20;

/// JSON-RPC 2.0, section 5.1.
const PARSE_ERROR: i32 = -32_700;
const INVALID_REQUEST: i32 = -32_600;
const METHOD_NOT_FOUND: i32 = -32_601;
const INVALID_PARAMS: i32 = -32_602;
const INTERNAL_ERROR: i32 = -32_603;

/// `POST /rpc`: one call, or an array of them. What is wrong with a call stands in its answer.
pub async fn post(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let body = body::read(&parts.headers, body, app.body_bytes_max()).await?;
    body::require_json(&parts.headers, &body)?;
    let answer = match serde_json::from_slice::<Value>(&body) {
        Err(error) => failed(&Value::Null, PARSE_ERROR, "Parse error", &error.to_string()),
        Ok(Value::Array(calls)) if !(1..=RPC_CALLS_MAX).contains(&calls.len()) => {
            let detail = format!("{} calls at once, instead of 1 to {RPC_CALLS_MAX}", calls.len());
            failed(&Value::Null, INVALID_REQUEST, "Invalid Request", &detail)
        }
        Ok(Value::Array(calls)) => {
            let answers = stream::iter(&calls).then(|call| answer(&app, call));
            Value::Array(answers.collect().await)
        }
        Ok(call) => answer(&app, &call).await,
    };
    Ok(Json(answer).into_response())
}

/// `GET /rpc/{method}`: the parameters stand in the query, with or without quotation marks. What is
/// wrong is a problem.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let arguments = Arguments::of_query(request.uri().query().unwrap_or_default());
    let method = path.text("method");
    let known = Method::named(method).ok_or_else(|| Problem::not_found("RPC method", method))?;
    let result = methods::answer(&app, known, arguments).await?;
    Ok(Json(json!({"jsonrpc": "2.0", "id": -1, "result": result})).into_response())
}

async fn answer(app: &App, call: &Value) -> Value {
    let id = call.get("id").cloned().unwrap_or_default();
    let Some(method) = call.get("method").and_then(Value::as_str) else {
        return failed(&id, INVALID_REQUEST, "Invalid Request", "the call names no method");
    };
    let params = call.get("params").cloned().unwrap_or_default();
    let arguments = match Arguments::of_params(params) {
        Ok(arguments) => arguments,
        Err(problem) => return failed(&id, INVALID_PARAMS, "Invalid params", problem.detail()),
    };
    let Some(known) = Method::named(method) else {
        let all = Method::ALL.map(Method::as_str).join(", ");
        let detail = format!("there is no {method:?} here; there are {all}");
        return failed(&id, METHOD_NOT_FOUND, "Method not found", &detail);
    };
    match methods::answer(app, known, arguments).await {
        Ok(result) => json!({"jsonrpc": "2.0", "id": id, "result": result}),
        Err(problem) => failed_by(&id, &problem),
    }
}

fn failed_by(id: &Value, problem: &Problem) -> Value {
    problem.log("rpc");
    if problem.kind() != Kind::InvalidParameter {
        return failed(id, INTERNAL_ERROR, "Internal error", problem.detail());
    }
    let members = problem.members("rpc");
    let faults = members.get("errors").and_then(Value::as_array).into_iter().flatten();
    let said = faults.filter_map(|fault| {
        Some(format!("{} {}", fault["parameter"].as_str()?, fault["detail"].as_str()?))
    });
    let said: Vec<String> = said.collect();
    failed(id, INVALID_PARAMS, "Invalid params", &said.join("; "))
}

fn failed(id: &Value, code: i32, message: &str, data: &str) -> Value {
    let error = json!({"code": code, "message": message, "data": data});
    json!({"jsonrpc": "2.0", "id": id, "error": error})
}
