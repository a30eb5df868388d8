//! Append: one appender a process, group commit, gapless positions.
//!
//! Knows nothing of why a request was made; decides nothing but order.

mod appender;
mod batch;
mod encode;
mod flight;
mod inquiry;
mod landing;
mod lineage;
mod notify;
mod optimism;
mod queue;
mod resolve;
mod session;
mod streams;

use sqlx::PgPool;
use uuid::Uuid;

pub(crate) use self::appender::Appender;
use self::batch::Pending;
pub use self::lineage::Lineage;
use self::lineage::Lineages;
pub(crate) use self::queue::AppenderHandle;
use crate::error::{AppendError, StoreError};
use crate::event::{CommandDigest, CommandId, Metadata, NewEvent, StreamName};
use crate::read::{as_bigint, from_bigint, stored_event};
use crate::store::EventStore;

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

/// What an append left behind. The same for the first answer and for every repetition of the
/// command.
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
    /// Returns after the commit is durable. Cancel-safe: once handed over, dropping the future does
    /// not cancel the append; before that (while the queue is full) nothing has happened.
    pub async fn append(&self, request: AppendRequest) -> Result<Appended, AppendError> {
        self.inner.appender.append(request).await
    }

    /// Hands over many requests in order; they share a transaction where they fit. A later one may
    /// expect the version that an earlier one of the same stream leaves behind: the two are of one
    /// [`Lineage`].
    pub async fn append_all(
        &self,
        requests: Vec<AppendRequest>,
    ) -> Vec<Result<Appended, AppendError>> {
        let mut lineages = Lineages::default();
        self.inner.appender.append_all(requests, |request| lineages.of(request)).await
    }

    /// Hands over requests of one stream that rest on one another and on those handed over before
    /// in the same lineage, whose answers need not be there yet. They are handed over when the
    /// future is first polled, unless the queue is full.
    pub async fn append_lineage(
        &self,
        lineage: &Lineage,
        requests: Vec<AppendRequest>,
    ) -> Vec<Result<Appended, AppendError>> {
        self.inner.appender.append_all(requests, |_| lineage.clone()).await
    }

    /// What a command id left behind, with its digest; None when it is unknown. While a commit of
    /// this process is in doubt, "unknown" would be a guess about its commands, and is an error
    /// instead.
    pub async fn find_command(
        &self,
        command: CommandId,
    ) -> Result<Option<(CommandDigest, Appended)>, StoreError> {
        let found = find_command_in(self.pool(), self.incarnation(), command).await?;
        if found.is_none() && self.inner.appender.in_doubt.contains(command) {
            return Err(StoreError::Unreachable("its commit is still in doubt".into()));
        }
        Ok(found)
    }
}

/// A request's events stand together: from the one that carries the command up to the next that
/// carries one.
async fn find_command_in(
    pool: &PgPool,
    incarnation: Uuid,
    command: CommandId,
) -> Result<Option<(CommandDigest, Appended)>, StoreError> {
    let rows = sqlx::query!(
        "select h.incarnation, c.digest as \"digest?\", e.position as \"position?\",
                e.record as \"record?\"
           from head h
           left join events c on c.command = $1
           left join lateral (
                select e.position, e.record from events e
                 where e.position >= c.position
                   and e.position < coalesce(
                       (select n.position from events n
                         where n.position > c.position and n.command is not null
                         order by n.position limit 1), 9223372036854775807)
                 order by e.position limit $2) e on true
          order by e.position",
        command.0,
        as_bigint(REQUEST_EVENTS_MAX as u64),
    )
    .fetch_all(pool)
    .await?;
    let mut found: Option<(CommandDigest, Appended)> = None;
    for row in rows {
        if row.incarnation != incarnation {
            let (expected, actual) = (incarnation, row.incarnation);
            return Err(StoreError::Incarnation { expected, actual });
        }
        let (Some(digest), Some(position), Some(record)) = (row.digest, row.position, row.record)
        else {
            return Ok(None);
        };
        let event = stored_event(from_bigint(position), record.into())?;
        let unreadable = |reason| StoreError::Unreadable { position: event.position, reason };
        let id = event.parse().map_err(unreadable)?.id;
        let (_, appended) = found.get_or_insert_with(|| {
            let event_ids = Vec::new();
            let stream = event.stream.clone();
            let first =
                Appended { stream, last_position: 0, last_version: 0, event_ids, repeated: true };
            (CommandDigest(digest), first)
        });
        appended.last_position = event.position;
        appended.last_version = event.version;
        appended.event_ids.push(id);
    }
    Ok(found)
}
