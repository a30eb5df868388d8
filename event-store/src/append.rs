//! Append: one appender a process, group commit, gapless positions.
//!
//! Knows nothing of why a request was made; decides nothing but order.

use sqlx::types::Uuid;
use tokio::sync::watch;

use crate::error::{AppendError, StoreError};
use crate::event::{CommandDigest, CommandId, Metadata, NewEvent, StreamName};
use crate::store::{EventStore, StoreOptions};

/// Events of one request.
pub const REQUEST_EVENTS_MAX: usize = 1_000;
/// Record bytes of one request.
pub const REQUEST_BYTES_MAX: usize = 8 * 1024 * 1024;

/// All events of one command for one stream: stored together or not at all.
#[derive(Clone, Debug)]
pub struct AppendRequest {
    /// Names this request for ever: a second one with this id is answered like the first.
    pub command: CommandId,
    /// What the id stands for: the same id with another digest is refused.
    pub digest: CommandDigest,
    /// Whose history grows.
    pub stream: StreamName,
    /// The version the stream must have now; 0 = the stream must not exist.
    pub expected_version: u64,
    /// 1 to [`REQUEST_EVENTS_MAX`] events.
    pub events: Vec<NewEvent>,
    /// Who and why.
    pub metadata: Metadata,
}

/// What an append left behind. The same for the first answer and for every repetition of the command.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Whose history grew.
    pub stream: StreamName,
    /// The position of the last event of the request.
    pub last_position: u64,
    /// The version of the last event of the request.
    pub last_version: u64,
    /// The ids of all events of the request, in order.
    pub event_ids: Vec<Uuid>,
    /// True when this command had been stored before: then nothing was appended now.
    pub repeated: bool,
}

impl EventStore {
    /// Returns after the commit is durable. Cancel-safe: dropping the future does not cancel the append.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        let _ = request;
        Err(AppendError::Unavailable(StoreError::Closed))
    }

    /// Hands over many requests in order; they share a transaction where they fit. A later one may expect
    /// the version that an earlier one of the same stream leaves behind; if the earlier fails, it conflicts.
    pub async fn append_all(
        &self,
        requests: Vec<AppendRequest>,
    ) -> Vec<Result<Appended, AppendError>> {
        requests.iter().map(|_| Err(AppendError::Unavailable(StoreError::Closed))).collect()
    }

    /// What a command id left behind, with its digest; None when it is unknown.
    pub async fn find_command(
        &self,
        command: CommandId,
    ) -> Result<Option<(CommandDigest, Appended)>, StoreError> {
        let _ = command;
        Ok(None)
    }
}

pub(crate) struct Appender;
pub(crate) struct AppenderHandle;
impl Appender {
    pub(crate) fn start(
        _: &StoreOptions,
        _: Uuid,
        _: watch::Sender<u64>,
    ) -> Result<AppenderHandle, StoreError> {
        Ok(AppenderHandle)
    }
}
impl AppenderHandle {
    pub(crate) async fn close(&self) {}
}
