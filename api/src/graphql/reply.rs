//! Replies in the form of GraphQL: data, and errors with their problem in `extensions`.
//!
//! Does not know on which way they go out.

use async_graphql::{PathSegment, Pos, Response as Answer, ServerError, Value as GraphQlValue};
use serde::Serialize;
use serde_json::{Map, Value};

use crate::problem::{Kind, Problem};

/// The body of one reply. Without `data` the request was not executed.
#[derive(Serialize)]
pub struct Reply {
    /// What went wrong.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<Fault>,
    #[serde(skip_serializing_if = "Option::is_none")]
    /// What was found.
    pub data: Option<GraphQlValue>,
}

/// One error, with the members of its problem in `extensions`.
#[derive(Serialize)]
pub struct Fault {
    message: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    locations: Vec<Pos>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    path: Vec<PathSegment>,
    extensions: Map<String, Value>,
    /// Whether the same request may succeed later by itself.
    #[serde(skip)]
    pub is_retryable: bool,
}

impl Reply {
    /// To a request that was executed, or refused by the library.
    pub fn of(answer: Answer, id: &str) -> Reply {
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

    /// Of a subscription's event. Says whether that was its end: the root field itself failed.
    pub fn of_event(answer: Answer, id: &str) -> (Reply, bool) {
        let is_end = answer.data == GraphQlValue::Null
            && !answer.errors.is_empty()
            && answer.errors.iter().all(|error| error.path.len() <= 1);
        (Reply::of(answer, id), is_end)
    }

    /// To a request that is not executed.
    pub fn refused(problem: &Problem, id: &str) -> Reply {
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
