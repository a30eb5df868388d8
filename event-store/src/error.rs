//! What can go wrong between a caller and the log.
//!
//! Knows neither HTTP nor retries: whoever asked decides what an error means to them.

use std::sync::Arc;

use uuid::Uuid;

use crate::event::{CommandId, StreamName};

/// Why something cannot be a record, or is none.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The data has no canonical form: a float, an integer beyond 2^53-1, a key twice.
    #[error("{} {reason}", place(pointer))]
    NotCanonical {
        /// JSON pointer to the value within the data; empty for the data itself.
        pointer: String,
        /// What is wrong with it.
        reason: String,
    },
    /// One record is larger than the log can hold.
    #[error("the record is {bytes} bytes, at most {max} are allowed")]
    TooLarge {
        /// Its size.
        bytes: usize,
        /// [`crate::event::RECORD_BYTES_MAX`] or [`crate::append::REQUEST_BYTES_MAX`].
        max: usize,
    },
    /// Not a name for a stream.
    #[error("{name:?} is no stream name: {reason}")]
    BadStreamName {
        /// What was given.
        name: String,
        /// The rule it breaks.
        reason: &'static str,
    },
    /// Not a name for an event type.
    #[error("{name:?} is no event type: it must look like thing-happened.v1")]
    BadEventType {
        /// What was given.
        name: String,
    },
    /// A request without events, or with more than one transaction takes.
    #[error("a request has 1 to {max} events, not {count}")]
    BadCount {
        /// How many were given.
        count: usize,
        /// [`crate::append::REQUEST_EVENTS_MAX`].
        max: usize,
    },
    /// Bytes that are no record.
    #[error("not a record: {0}")]
    Malformed(String),
}

fn place(pointer: &str) -> &str {
    if pointer.is_empty() { "the data" } else { pointer }
}

/// Why the log, or a part of it, cannot be read or reached.
#[derive(Clone, Debug, thiserror::Error)]
pub enum StoreError {
    /// The settings cannot work.
    #[error("{0}")]
    Settings(String),
    /// The database is away, starting, shutting down or out of connections.
    #[error("the database cannot be reached: {0}")]
    Unreachable(Arc<str>),
    /// The database answered with an error.
    #[error("the database refused (SQLSTATE {code}): {message}")]
    Database {
        /// Its SQLSTATE.
        code: String,
        /// The constraint that was broken, when one was.
        constraint: Option<String>,
        /// Its words.
        message: Arc<str>,
    },
    /// The log is not the one this process opened: it was restored, or another was put in its
    /// place.
    #[error("the log is incarnation {actual}, this process opened {expected}")]
    Incarnation {
        /// The one this process opened.
        expected: Uuid,
        /// The one that is there now.
        actual: Uuid,
    },
    /// No answer in time.
    #[error("no answer within {waited_ms} ms")]
    Timeout {
        /// How long was waited.
        waited_ms: u64,
    },
    /// Events are in the archive, and it cannot be read.
    #[error("{path} in the archive cannot be read: {because}")]
    Archive {
        /// Which object of it.
        path: String,
        /// Why not.
        because: Arc<str>,
    },
    /// The log was closed by this process.
    #[error("the log is closed")]
    Closed,
    /// A stored record cannot be read.
    #[error("the event at position {position} cannot be read: {reason}")]
    Unreadable {
        /// Where it stands.
        position: u64,
        /// What is wrong with it.
        reason: RecordError,
    },
}

impl StoreError {
    /// True when the same call may succeed later without anyone changing anything.
    pub fn is_unavailable(&self) -> bool {
        match self {
            StoreError::Unreachable(_)
            | StoreError::Timeout { .. }
            | StoreError::Archive { .. }
            | StoreError::Closed => true,
            StoreError::Database { code, .. } => is_passing(code),
            StoreError::Settings(_)
            | StoreError::Incarnation { .. }
            | StoreError::Unreadable { .. } => false,
        }
    }
}

/// SQLSTATE classes that pass by themselves or when an operator makes room: connection, transaction
/// rollback, resources, lock not available, operator intervention, system error; and a server that
/// is read-only because another has become the primary.
fn is_passing(code: &str) -> bool {
    matches!(code.get(..2), Some("08" | "40" | "53" | "55" | "57" | "58")) || code == "25006"
}

impl From<sqlx::Error> for StoreError {
    #[expect(clippy::wildcard_enum_match_arm, reason = "the enum is sqlx's, and open")]
    fn from(error: sqlx::Error) -> Self {
        match error {
            sqlx::Error::Database(inner) => {
                let code = inner.code().unwrap_or_default().into_owned();
                if matches!(code.get(..2), Some("08" | "57")) {
                    return StoreError::Unreachable(inner.message().into());
                }
                StoreError::Database {
                    code,
                    constraint: inner.constraint().map(str::to_owned),
                    message: inner.message().into(),
                }
            }
            sqlx::Error::PoolTimedOut => {
                StoreError::Unreachable("no connection became free in time".into())
            }
            sqlx::Error::PoolClosed => StoreError::Closed,
            sqlx::Error::Configuration(reason) => StoreError::Settings(reason.to_string()),
            // All else is the wire or the driver.
            other => StoreError::Unreachable(other.to_string().into()),
        }
    }
}

impl From<tokio_postgres::Error> for StoreError {
    fn from(error: tokio_postgres::Error) -> Self {
        match error.as_db_error() {
            Some(inner) => {
                let code = inner.code().code().to_owned();
                if matches!(code.get(..2), Some("08" | "57")) {
                    return StoreError::Unreachable(inner.message().into());
                }
                StoreError::Database {
                    code,
                    constraint: inner.constraint().map(str::to_owned),
                    message: inner.message().into(),
                }
            }
            None => StoreError::Unreachable(reasons(&error).into()),
        }
    }
}

/// The error and what caused it: the driver's own words say only "error connecting to server".
fn reasons(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        text.push_str(": ");
        text.push_str(&inner.to_string());
        cause = inner.source();
    }
    text
}

/// Why a request was not appended.
#[derive(Clone, Debug, thiserror::Error)]
pub enum AppendError {
    /// The stream is not at the expected version.
    #[error("{stream} is at version {actual}, not {expected}")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// The version that was expected.
        expected: u64,
        /// The version it has.
        actual: u64,
    },
    /// The command id was used before with other content.
    #[error("command {command} was used before with other content")]
    CommandReused {
        /// The id.
        command: CommandId,
    },
    /// The request can never be stored.
    #[error(transparent)]
    Invalid(#[from] RecordError),
    /// The log cannot be reached or is shutting down; nothing was stored.
    #[error("nothing was stored: {0}")]
    Unavailable(StoreError),
    /// The connection was lost at commit and the outcome could not be learned within
    /// `resolve_ms_max`: ask by command id ([`crate::EventStore::find_command`]).
    #[error("the outcome of command {command} is unknown: the connection was lost at commit")]
    Unknown {
        /// The id to ask by.
        command: CommandId,
    },
}
