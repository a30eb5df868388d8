//! Every fault a client can meet, as RFC 9457 problem+json.
//!
//! Does not know which request it answers: the door adds the request id when it writes the reply.

mod kind;

use std::borrow::Cow;

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use commands::{CommandError, Permission};
use domain::aggregate::Refusal;
use event_store::StoreError;
use serde::Serialize;
use serde_json::{Map, Value, json};

pub use kind::Kind;

/// The media type of every fault outside GraphQL.
pub const MEDIA_TYPE: &str = "application/problem+json";

/// The seconds after which a client may try again when something is away or behind.
pub const RETRY_AFTER_S: u32 = 1;

/// One fault: its documented kind, a sentence for this occurrence, and typed members.
#[derive(Clone, Debug)]
pub struct Problem {
    kind: Kind,
    detail: Cow<'static, str>,
    more: Option<Box<More>>,
}

/// What only some problems carry; boxed so that results stay small.
#[derive(Clone, Debug, Default)]
struct More {
    members: Map<String, Value>,
    headers: Vec<(HeaderName, HeaderValue)>,
    /// What really happened, for the log and never for the client.
    cause: Option<String>,
}

/// One invalid field of a body or one invalid parameter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Fault {
    /// JSON pointer into the body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pointer: Option<String>,
    /// Name of the query or path parameter, or of the header.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameter: Option<String>,
    /// What is wrong, in words.
    pub detail: String,
}

impl Fault {
    /// A fault of a body at a JSON pointer.
    pub fn at(pointer: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault { pointer: Some(pointer.into()), parameter: None, detail: detail.into() }
    }

    /// A fault of a parameter or header.
    pub fn of(parameter: impl Into<String>, detail: impl Into<String>) -> Fault {
        Fault { pointer: None, parameter: Some(parameter.into()), detail: detail.into() }
    }
}

impl Problem {
    /// A problem of this kind with its sentence.
    pub fn new(kind: Kind, detail: impl Into<Cow<'static, str>>) -> Problem {
        Problem { kind, detail: detail.into(), more: None }
    }

    /// Its kind.
    pub fn kind(&self) -> Kind {
        self.kind
    }

    /// The sentence for this occurrence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// What really happened, for the log.
    pub fn cause(&self) -> Option<&str> {
        self.more.as_ref().and_then(|more| more.cause.as_deref())
    }

    /// The same with one more member.
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Problem {
        self.more().members.insert(name.to_owned(), value.into());
        self
    }

    /// The same with a header on the reply.
    pub fn with_header(mut self, name: HeaderName, value: HeaderValue) -> Problem {
        self.more().headers.push((name, value));
        self
    }

    /// Logs what really happened, once, where the problem becomes a reply.
    pub fn log(&self, request: &str) {
        let problem = self.kind.slug();
        match (self.cause(), self.kind == Kind::Internal) {
            (Some(cause), true) => tracing::error!(request, cause, "an internal fault"),
            (Some(cause), false) => tracing::warn!(request, problem, cause),
            (None, _) => {}
        }
    }

    pub(crate) fn caused_by(mut self, cause: impl ToString) -> Problem {
        self.more().cause = Some(cause.to_string());
        self
    }

    fn more(&mut self) -> &mut More {
        self.more.get_or_insert_default()
    }

    /// Invalid parameters or headers, all of them.
    pub fn invalid_parameters(faults: Vec<Fault>) -> Problem {
        Problem::new(Kind::InvalidParameter, summary(&faults)).with("errors", json!(faults))
    }

    /// One invalid parameter or header.
    pub fn invalid_parameter(name: &str, detail: impl Into<String>) -> Problem {
        Problem::invalid_parameters(vec![Fault::of(name, detail)])
    }

    /// Invalid fields of a body, all of them.
    pub fn invalid_body(faults: Vec<Fault>) -> Problem {
        Problem::new(Kind::InvalidBody, summary(&faults)).with("errors", json!(faults))
    }

    /// Nothing by that name.
    pub fn not_found(what: &str, id: impl std::fmt::Display) -> Problem {
        Problem::new(Kind::NotFound, format!("there is no {what} {id}"))
    }

    /// The database is away.
    pub fn database_unavailable(cause: impl ToString) -> Problem {
        Problem::new(
            Kind::DatabaseUnavailable,
            "the database cannot be reached at the moment; nothing was changed, try again",
        )
        .caused_by(cause)
    }

    /// A bug of ours: says nothing to the client, all to the log.
    pub fn internal(cause: impl ToString) -> Problem {
        Problem::new(Kind::Internal, "the server met a fault of its own, which it has logged")
            .caused_by(cause)
    }

    /// Somebody who may do this to what is their own tries it on what is another's.
    pub fn not_own(permission: Permission) -> Problem {
        let detail = format!("you have {} for your own validator only", permission.as_str());
        Problem::new(Kind::NotPermitted, detail).with("permission", permission.as_str())
    }

    /// Why a command came to nothing.
    pub fn of_command<R: Refusal>(error: CommandError<R>) -> Problem {
        match error {
            CommandError::Refused(refusal) => Problem::refused(&refusal),
            CommandError::Stale { expected, current } => Problem::new(
                Kind::StaleVersion,
                format!("expected version {expected}, but the stream is at version {current}"),
            )
            .with("expected_version", expected)
            .with("current_version", current),
            CommandError::Conflict { attempts } => Problem::new(
                Kind::Conflict,
                format!("others kept changing the stream: gave up after {attempts} attempts"),
            )
            .with("attempts", attempts),
            CommandError::KeyReused => Problem::new(
                Kind::KeyReused,
                "this Idempotency-Key was used before for another request",
            ),
            CommandError::Forbidden { permission } => {
                Problem::new(Kind::NotPermitted, format!("this needs {}", permission.as_str()))
                    .with("permission", permission.as_str())
            }
            CommandError::NotOwn { permission } => Problem::not_own(permission),
            CommandError::Invalid(reason) => {
                Problem::invalid_body(vec![Fault::at("", reason.to_string())])
            }
            CommandError::Unavailable(error) => Problem::from(error),
            CommandError::Unknown { command } => Problem::new(
                Kind::OutcomeUnknown,
                "the connection to the database was lost while storing: \
                 repeat the request with the same Idempotency-Key to learn what became of it",
            )
            .with("command", command.to_string()),
        }
    }

    fn refused(refusal: &impl Refusal) -> Problem {
        let value = serde_json::to_value(refusal).unwrap_or_else(|_| json!(refusal.code()));
        let errors = value.get("faults").and_then(Value::as_array).map(|found| {
            // A document's findings, in the form that invalid fields have everywhere.
            let error =
                |fault: &Value| json!({"pointer": fault["pointer"], "detail": fault["sentence"]});
            Value::Array(found.iter().map(error).collect())
        });
        let problem = Problem::new(Kind::Refused, refusal.to_string()).with("refusal", value);
        match errors {
            Some(errors) => problem.with("errors", errors),
            None => problem,
        }
    }

    /// The members, as they stand in a body or in a GraphQL error's `extensions`.
    pub fn members(&self, instance: &str) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("type".into(), self.kind.uri().into());
        members.insert("title".into(), self.kind.title().into());
        members.insert("status".into(), self.kind.status().as_u16().into());
        members.insert("detail".into(), self.detail.as_ref().into());
        members.insert("instance".into(), instance.into());
        if let Some(more) = &self.more {
            members.extend(more.members.iter().map(|(name, value)| (name.clone(), value.clone())));
        }
        members
    }

    /// The whole reply to the request `instance`.
    pub fn reply(&self, instance: &str) -> Response {
        let body =
            serde_json::to_vec(&self.members(instance)).expect("a map with string keys serialises");
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.kind.status();
        self.write_headers(&mut response);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        response
    }

    /// The headers that belong to this problem, whatever the body's form.
    pub fn write_headers(&self, response: &mut Response) {
        let headers = response.headers_mut();
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if self.kind.is_retryable() {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(RETRY_AFTER_S));
        }
        if self.kind == Kind::NotAuthenticated {
            let challenge = HeaderValue::from_static("Bearer realm=\"node0\"");
            headers.insert(header::WWW_AUTHENTICATE, challenge);
        }
        if let Some(more) = &self.more {
            headers.extend(more.headers.iter().cloned());
        }
    }

    /// The problem for a reply that a library wrote in its own words.
    pub fn of_status(status: StatusCode, detail: String) -> Problem {
        let kind = match status {
            StatusCode::UNAUTHORIZED => Kind::NotAuthenticated,
            StatusCode::FORBIDDEN => Kind::NotPermitted,
            StatusCode::NOT_FOUND => Kind::NotFound,
            StatusCode::METHOD_NOT_ALLOWED => Kind::MethodNotAllowed,
            StatusCode::NOT_ACCEPTABLE => Kind::NotAcceptable,
            StatusCode::PAYLOAD_TOO_LARGE => Kind::BodyTooLarge,
            StatusCode::UNSUPPORTED_MEDIA_TYPE => Kind::UnsupportedMediaType,
            StatusCode::UNPROCESSABLE_ENTITY => Kind::InvalidBody,
            StatusCode::SERVICE_UNAVAILABLE => Kind::Overloaded,
            other if other.is_client_error() => Kind::Malformed,
            other => return Problem::internal(format!("a reply {other}: {detail}")),
        };
        Problem::new(kind, detail)
    }
}

/// The sentence for this occurrence: what a GraphQL error has as its message.
impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.detail)
    }
}

/// PostgreSQL's code for a text that it cannot hold (its manual, appendix A).
const NO_TEXT: &str = "22021";

fn summary(faults: &[Fault]) -> String {
    let words = |fault: &Fault| match (&fault.pointer, &fault.parameter) {
        (Some(pointer), _) if pointer.is_empty() => fault.detail.clone(),
        (Some(place), _) | (None, Some(place)) => format!("{place}: {}", fault.detail),
        (None, None) => fault.detail.clone(),
    };
    match faults {
        [] => "invalid".to_owned(),
        [one] => words(one),
        [first, rest @ ..] => format!("{}; and {} more, see errors", words(first), rest.len()),
    }
}

/// The reply is written by the door, which knows the request id.
impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = self.kind.status();
        response.extensions_mut().insert(self);
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Problem {
        match error {
            StoreError::Closed => {
                Problem::new(Kind::Draining, "the server is shutting down").caused_by(error)
            }
            StoreError::Archive { ref path, .. } => {
                let detail = format!("{path} in the archive cannot be read");
                Problem::new(Kind::StorageUnavailable, detail).caused_by(error)
            }
            error if error.is_unavailable() => Problem::database_unavailable(error),
            StoreError::Incarnation { .. } => Problem::database_unavailable(error),
            StoreError::Database { ref code, .. } if code == NO_TEXT => {
                let detail = "a text in the request holds U+0000, which nothing here holds";
                Problem::new(Kind::Malformed, detail).caused_by(error)
            }
            StoreError::Unreachable(_)
            | StoreError::Timeout { .. }
            | StoreError::Database { .. }
            | StoreError::Settings(_)
            | StoreError::Unreadable { .. } => Problem::internal(error),
        }
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Problem {
        Problem::from(StoreError::from(error))
    }
}
