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

use sqlx::{FromRow, PgPool};
use uuid::Uuid;

pub(crate) use self::appender::Appender;
use self::batch::Pending;
pub use self::lineage::Lineage;
use self::lineage::Lineages;
pub(crate) use self::queue::AppenderHandle;
use crate::archive::Cold;
use crate::error::{AppendError, StoreError};
use crate::event::{CommandDigest, CommandId, Metadata, NewEvent, StoredEvent, StreamName};
use crate::read::{as_bigint, from_bigint, stored_at, stored_event};
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
        let cold = &self.inner.cold;
        let found = find_command_in(self.pool(), cold, self.incarnation(), command).await?;
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
    cold: &Cold,
    incarnation: Uuid,
    command: CommandId,
) -> Result<Option<(CommandDigest, Appended)>, StoreError> {
    let mut connection = pool.acquire().await?;
    let rows: Vec<CommandRow> = sqlx::query_as(
        "select h.incarnation, coalesce(c.digest, a.digest) as digest, e.position, e.record,
                a.position as archived, a.events
           from head h
           left join events c on c.command = $1
           left join archived_requests a on a.command = $1
           left join lateral (
                select e.position, e.record from events e
                 where e.position >= c.position
                   and e.position < coalesce(
                       (select n.position from events n
                         where n.position > c.position and n.command is not null
                         order by n.position limit 1), 9223372036854775807)
                 order by e.position limit $2) e on true
          order by e.position",
    )
    .bind(command.0)
    .bind(as_bigint(REQUEST_EVENTS_MAX as u64))
    .fetch_all(&mut *connection)
    .await?;
    let Some(first) = rows.first() else { return Ok(None) };
    if first.incarnation != incarnation {
        let (expected, actual) = (incarnation, first.incarnation);
        return Err(StoreError::Incarnation { expected, actual });
    }
    let Some(digest) = first.digest.map(CommandDigest) else { return Ok(None) };
    let events = match (first.archived, first.events) {
        (Some(position), Some(events)) => {
            let positions: Vec<i64> = (position..position + events).collect();
            let mut events = stored_at(&mut connection, cold, &positions).await?;
            events.sort_unstable_by_key(|event| event.position);
            events
        }
        _ => rows.into_iter().filter_map(CommandRow::event).collect::<Result<_, _>>()?,
    };
    Ok(appended(&events)?.map(|appended| (digest, appended)))
}

/// What a command left behind, by its events.
fn appended(events: &[StoredEvent]) -> Result<Option<Appended>, StoreError> {
    let Some(last) = events.last() else { return Ok(None) };
    let id = |event: &StoredEvent| {
        let unreadable = |reason| StoreError::Unreadable { position: event.position, reason };
        event.parse().map_err(unreadable).map(|record| record.id)
    };
    Ok(Some(Appended {
        stream: last.stream.clone(),
        last_position: last.position,
        last_version: last.version,
        event_ids: events.iter().map(id).collect::<Result<_, _>>()?,
        repeated: true,
    }))
}

/// An event of a command, or where its events are in the archive; neither when it is unknown.
#[derive(FromRow)]
struct CommandRow {
    incarnation: Uuid,
    digest: Option<Uuid>,
    position: Option<i64>,
    record: Option<Vec<u8>>,
    archived: Option<i64>,
    events: Option<i64>,
}

impl CommandRow {
    fn event(self) -> Option<Result<StoredEvent, StoreError>> {
        let (position, record) = self.position.zip(self.record)?;
        Some(stored_event(from_bigint(position), record.into()))
    }
}
