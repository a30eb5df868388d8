//! GraphQL over HTTP, as the specification of that name asks.
//!
//! Does not know the schema's types.

use async_graphql::{
    PathSegment, Pos, Request, Response as Answer, ServerError, Value as GraphQlValue, Variables,
    parser::types::OperationType,
};
use axum::{
    body::Body,
    extract::{Request as HttpRequest, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::context::Asker;
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

/// `GET /graphql?query=...`: queries only.
pub async fn get(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let form = accept::choose(&parts.headers, OFFERED)?;
    let visit = visit(&parts.extensions)?;
    let mut params = Params::of(parts.uri.query());
    let given = from_params(&mut params);
    if let Err(problem) = params.finish() {
        return Ok(refusal(&problem, &visit.id, form));
    }
    let answer = match given.and_then(|given| prepare(&app, given, true)) {
        Ok(request) => run(&app, request, visit).await,
        Err(problem) if problem.kind() == Kind::MethodNotAllowed => return Err(problem),
        Err(problem) => return Ok(refusal(&problem, &visit.id, form)),
    };
    Ok(single(answer, visit, form))
}

/// `POST /graphql` with one request, or an array of them.
pub async fn post(State(app): State<App>, request: HttpRequest) -> Result<Response, Problem> {
    let (parts, content) = request.into_parts();
    let form = accept::choose(&parts.headers, OFFERED)?;
    let visit = visit(&parts.extensions)?;
    let bytes = body::read(&parts.headers, content, app.limits.body_bytes_max).await?;
    require_json(&parts.headers)?;
    let given = match body::parse(&bytes) {
        Ok(value) => value,
        Err(problem) => return Ok(refusal(&problem, &visit.id, form)),
    };
    if let Value::Array(items) = given {
        return batch(&app, items, visit, form).await;
    }
    match from_value(given).and_then(|given| prepare(&app, given, false)) {
        Ok(request) => Ok(single(run(&app, request, visit).await, visit, form)),
        Err(problem) => Ok(refusal(&problem, &visit.id, form)),
    }
}

fn visit(extensions: &axum::http::Extensions) -> Result<&Visit, Problem> {
    extensions.get::<Visit>().ok_or_else(|| Problem::internal("a request without a visit"))
}

fn require_json(headers: &HeaderMap) -> Result<(), Problem> {
    // Other than commands, a GraphQL request always has a body, which must say what it is.
    body::require_json(headers, b"{}")
}

/// The parameters of one request, with their types checked.
struct Given {
    query: String,
    operation_name: Option<String>,
    variables: Value,
    extensions: Value,
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Kind::Malformed, detail)
}

fn from_value(value: Value) -> Result<Given, Problem> {
    let Value::Object(mut members) = value else {
        return Err(malformed("a GraphQL request is a JSON object, or an array of them"));
    };
    let query = match members.remove("query") {
        Some(Value::String(query)) => query,
        Some(_) => return Err(malformed("query must be a string")),
        None => return Err(malformed("query is missing")),
    };
    let operation_name = match members.remove("operationName") {
        None | Some(Value::Null) => None,
        Some(Value::String(name)) => Some(name),
        Some(_) => return Err(malformed("operationName must be a string or null")),
    };
    let variables = members.remove("variables").unwrap_or_default();
    let extensions = members.remove("extensions").unwrap_or_default();
    checked(Given { query, operation_name, variables, extensions })
}

fn checked(given: Given) -> Result<Given, Problem> {
    if !given.variables.is_object() && !given.variables.is_null() {
        return Err(malformed("variables must be an object or null"));
    }
    if !given.extensions.is_object() && !given.extensions.is_null() {
        return Err(malformed("extensions must be an object or null"));
    }
    Ok(given)
}

fn from_params(params: &mut Params) -> Result<Given, Problem> {
    let query = params.text("query");
    let operation_name = params.text("operationName").filter(|name| !name.is_empty());
    let mut json = |name, wrong| match params.text(name).filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(&text).map_err(|_| malformed(wrong)),
    };
    let variables = json("variables", "variables must be JSON")?;
    let extensions = json("extensions", "extensions must be JSON")?;
    let query = query.ok_or_else(|| malformed("the parameter query is missing"))?;
    checked(Given { query, operation_name, variables, extensions })
}

/// Parses the document and refuses what must not even be validated.
fn prepare(app: &App, given: Given, only_queries: bool) -> Result<Request, Problem> {
    let mut request = Request::new(given.query);
    if !given.variables.is_null() {
        request = request.variables(Variables::from_json(given.variables));
    }
    let wanted = given.operation_name;
    if let Some(name) = &wanted {
        request = request.operation_name(name.clone());
    }
    let document = request.parsed_query().map_err(|error| {
        let problem = Problem::new(Kind::InvalidQuery, error.message.clone());
        problem.with("locations", json!(error.locations))
    })?;
    app.limits.graphql.check(document)?;
    let mutates = document
        .operations
        .iter()
        .filter(|(name, _)| match &wanted {
            Some(wanted) => name.is_some_and(|name| name.as_str() == wanted),
            None => true,
        })
        .any(|(_, operation)| operation.node.ty == OperationType::Mutation);
    if only_queries && mutates {
        return Err(Problem::new(Kind::MethodNotAllowed, "GET is for queries: POST a mutation")
            .with_header(header::ALLOW, HeaderValue::from_static("POST")));
    }
    Ok(request)
}

/// The answer, and the least position that any of its reads reflects.
async fn run(app: &App, request: Request, visit: &Visit) -> (Answer, Option<u64>) {
    let asker = Asker::new(app.clone(), visit);
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
        let prepared = from_value(item).and_then(|given| prepare(app, given, false));
        replies.push(match prepared {
            Ok(request) => Reply::of(run(app, request, visit).await.0, &visit.id),
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

/// The body of one reply. Without `data` the request was not executed.
#[derive(Serialize)]
struct Reply {
    #[serde(skip_serializing_if = "Vec::is_empty")]
    errors: Vec<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    data: Option<GraphQlValue>,
}

/// One error, with the members of its problem in `extensions`.
#[derive(Serialize)]
struct Fault {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: Map<String, Value>,
    #[serde(skip)]
    is_retryable: bool,
}

impl Reply {
    fn of(answer: Answer, id: &str) -> Reply {
        // Errors without a path stand before any field was resolved.
        let is_refused = answer.data == GraphQlValue::Null
            && !answer.errors.is_empty()
            && answer.errors.iter().all(|error| error.path.is_empty());
        let data = (!is_refused).then_some(answer.data);
        Reply {
            errors: answer.errors.into_iter().map(|error| Fault::of(error, id)).collect(),
            data,
        }
    }

    fn refused(problem: &Problem, id: &str) -> Reply {
        let fault = Fault {
            message: problem.detail().to_owned(),
            locations: Vec::new(),
            path: Vec::new(),
            extensions: problem.members(id),
            is_retryable: problem.kind().is_retryable(),
        };
        Reply { errors: vec![fault], data: None }
    }
}

impl Fault {
    fn of(error: ServerError, id: &str) -> Fault {
        let ServerError { message, locations, path, .. } = &error;
        let problem = match error.source::<Problem>() {
            Some(problem) => problem.clone(),
            None => Problem::new(library_kind(message), message.clone()),
        };
        problem.log(id);
        Fault {
            message: message.clone(),
            locations: locations.clone(),
            path: path.clone(),
            extensions: problem.members(id),
            is_retryable: problem.kind().is_retryable(),
        }
    }
}

/// What the library refuses in its own words: a limit, or a document that does not fit the schema.
fn library_kind(message: &str) -> Kind {
    const LIMITS: &[&str] = &[
        "Query is too complex",
        "Query is nested too deep",
        "The number of directives",
        "The recursion depth",
    ];
    let is_limit = LIMITS.iter().any(|words| message.starts_with(words));
    if is_limit { Kind::QueryLimit } else { Kind::InvalidQuery }
}
