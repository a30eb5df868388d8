//! One GraphQL request: its parameters checked, its document parsed and within the limits.
//!
//! Does not know how a request came, except which kinds of operations that way admits.

use async_graphql::{
    Request, Variables,
    parser::types::{
        ExecutableDocument, OperationDefinition, OperationType, Selection, SelectionSet,
    },
};
use axum::http::{HeaderValue, header};
use serde_json::{Value, json};

use crate::{
    params::Params,
    problem::{Kind, Problem},
    server::App,
};

/// The parameters of one request, with their types checked.
pub struct Given {
    query: Option<String>,
    operation_name: Option<String>,
    variables: Value,
    extensions: Value,
}

fn malformed(detail: &'static str) -> Problem {
    Problem::new(Kind::Malformed, detail)
}

pub fn from_value(value: Value) -> Result<Given, Problem> {
    let Value::Object(mut members) = value else {
        return Err(malformed("a GraphQL request is a JSON object, or an array of them"));
    };
    let query = match members.remove("query") {
        Some(Value::String(query)) => Some(query),
        Some(Value::Null) | None => None,
        Some(_) => return Err(malformed("query must be a string")),
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
    if given.query.is_none() && given.extensions["persistedQuery"].is_null() {
        return Err(malformed("query is missing"));
    }
    Ok(given)
}

pub fn from_params(params: &mut Params) -> Result<Given, Problem> {
    let query = params.text("query");
    let operation_name = params.text("operationName").filter(|name| !name.is_empty());
    let mut json = |name, wrong| match params.text(name).filter(|text| !text.is_empty()) {
        None => Ok(Value::Null),
        Some(text) => serde_json::from_str(&text).map_err(|_| malformed(wrong)),
    };
    let variables = json("variables", "variables must be JSON");
    let extensions = json("extensions", "extensions must be JSON");
    checked(Given { query, operation_name, variables: variables?, extensions: extensions? })
}

/// How a request came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// `GET /graphql`.
    Get,
    /// `POST /graphql`.
    Post,
    /// `GET /graphql/stream`.
    StreamGet,
    /// `POST /graphql/stream`.
    StreamPost,
    /// A WebSocket.
    Socket,
}

/// Parses the document and refuses what must not even be validated; says what kind of operation it
/// asks for.
pub fn prepare(app: &App, given: Given, way: Way) -> Result<(Request, OperationType), Problem> {
    let document = app.documents.meant(given.query, &given.extensions)?;
    let mut request = Request::new(document);
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
    let operation = chosen(document, wanted.as_deref());
    let kind = operation.map_or(OperationType::Query, |operation| operation.ty);
    way.admit(kind)?;
    if app.replayed.is_some() && kind != OperationType::Query {
        return Err(Problem::new(Kind::InvalidQuery, "a replay is only asked: it takes queries"));
    }
    if kind == OperationType::Subscription
        && let Some(operation) = operation
    {
        let fields = root_fields(document, &operation.selection_set.node);
        if fields != 1 {
            let detail = format!("a subscription has one field at its root, not {fields}");
            return Err(Problem::new(Kind::InvalidQuery, detail));
        }
    }
    Ok((request, kind))
}

/// The operation that is to be executed; none when the document does not say which.
fn chosen<'d>(
    document: &'d ExecutableDocument,
    wanted: Option<&str>,
) -> Option<&'d OperationDefinition> {
    let mut named = document.operations.iter().filter(|(name, _)| match wanted {
        Some(wanted) => name.is_some_and(|name| name.as_str() == wanted),
        None => true,
    });
    let (_, operation) = named.next()?;
    named.next().is_none().then_some(&operation.node)
}

/// How many fields a selection has at its root. Fragments that spread themselves were refused
/// before.
fn root_fields(document: &ExecutableDocument, set: &SelectionSet) -> usize {
    let of = |selection: &Selection| match selection {
        Selection::Field(_) => 1,
        Selection::InlineFragment(fragment) => {
            root_fields(document, &fragment.node.selection_set.node)
        }
        Selection::FragmentSpread(spread) => {
            let fragment = document.fragments.get(&spread.node.fragment_name.node);
            fragment.map_or(0, |found| root_fields(document, &found.node.selection_set.node))
        }
    };
    set.items.iter().map(|selection| of(&selection.node)).fold(0, usize::saturating_add)
}

impl Way {
    fn admit(self, kind: OperationType) -> Result<(), Problem> {
        match (self, kind) {
            (Way::Get | Way::StreamGet, OperationType::Mutation) => {
                let detail = "GET is for queries: POST a mutation";
                Err(Problem::new(Kind::MethodNotAllowed, detail)
                    .with_header(header::ALLOW, HeaderValue::from_static("POST")))
            }
            (Way::Get | Way::Post, OperationType::Subscription) => {
                let detail = "subscribe over a WebSocket at /graphql, or over /graphql/stream";
                Err(Problem::new(Kind::InvalidQuery, detail))
            }
            (Way::Get | Way::StreamGet, OperationType::Query | OperationType::Subscription)
            | (Way::Post, OperationType::Query | OperationType::Mutation)
            | (Way::StreamPost | Way::Socket, _) => Ok(()),
        }
    }
}
