//! Read: one stream, or everything in order.
//!
//! Knows nothing of what events mean: filters look at names, not at data.

mod rows;

use std::ops::Range;

use bytes::BytesMut;
use chrono::{DateTime, Utc};
use sqlx::FromRow;
use uuid::Uuid;

pub(crate) use self::rows::{missing, stored_at, stored_event};
use crate::error::StoreError;
use crate::event::{StoredEvent, StreamName, Tail, correlation_of};
use crate::recent::Written;
use crate::store::{EventStore, Head};

/// The most events one page brings.
pub const PAGE_EVENTS_MAX: usize = 10_000;
/// How many events are held at once while each is shown.
const EACH_EVENTS: usize = 1_000;
/// How many positions one filtered read looks through at most before it answers how far it came.
pub const SCAN_EVENTS_MAX: u64 = 20_000;
/// How many positions are fetched at once while filtering.
const SCAN_STEP_EVENTS: u64 = 2_000;

/// What a reader wants to see; empty fields mean everything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub struct Filter {
    /// Only streams of these categories.
    pub categories: Vec<String>,
    /// Only these streams.
    pub streams: Vec<StreamName>,
    /// Only events of these types.
    pub event_types: Vec<String>,
    /// Only what belongs to this story.
    pub correlation: Option<Uuid>,
}

impl Filter {
    /// Everything.
    pub fn all() -> Filter {
        Filter::default()
    }

    /// True when nothing is left out.
    pub fn is_all(&self) -> bool {
        self.categories.is_empty()
            && self.streams.is_empty()
            && self.event_types.is_empty()
            && self.correlation.is_none()
    }

    /// Whether an event passes.
    pub fn matches(&self, event: &StoredEvent) -> bool {
        (self.categories.is_empty()
            || self.categories.iter().any(|category| category == event.stream.category()))
            && (self.streams.is_empty() || self.streams.contains(&event.stream))
            && (self.event_types.is_empty() || self.has_type(event))
            && self.correlation.is_none_or(|wanted| is_correlated(event, wanted))
    }

    fn has_type(&self, event: &StoredEvent) -> bool {
        Tail::of(&event.record)
            .is_some_and(|tail| self.event_types.iter().any(|wanted| wanted == tail.event_type))
    }
}

fn is_correlated(event: &StoredEvent, wanted: Uuid) -> bool {
    let mut text = Uuid::encode_buffer();
    let wanted = wanted.hyphenated().encode_lower(&mut text);
    correlation_of(&event.record).is_some_and(|found| found == wanted.as_bytes())
}

/// A piece of the log: the matching events, and how far the reader has scanned (which may be
/// further).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// In the order of their positions.
    pub events: Vec<StoredEvent>,
    /// Everything up to here has been looked at: the next read starts after it.
    pub scanned_to: u64,
}

impl EventStore {
    /// Up to `limit` events of a stream, from `from_version` on. Empty when the stream does not
    /// exist.
    pub async fn read_stream(
        &self,
        stream: &StreamName,
        from_version: u64,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let limit = limit.min(PAGE_EVENTS_MAX);
        let rows: Vec<StreamRow> = sqlx::query_as(
            "select h.incarnation, e.position, e.version, e.record,
                    (select a.last_version from archived_streams a
                      where a.stream_no = (select s.no from streams s where s.stream = $1)
                      order by a.last_version desc limit 1) as floor
               from head h left join lateral (
                    select e.position, e.version, e.record from events e
                     where e.stream_no = (select s.no from streams s where s.stream = $1)
                       and e.version >= $2
                     order by e.version limit $3) e on true
              order by e.version",
        )
        .bind(stream.as_str())
        .bind(as_bigint(from_version))
        .bind(as_bigint(limit as u64))
        .fetch_all(self.reads())
        .await?;
        let floor = rows.first().and_then(|row| row.floor).map(from_bigint);
        let mut events = match floor {
            Some(floor) if from_version <= floor => {
                self.archived_of(stream, from_version..floor + 1, limit).await?
            }
            Some(_) | None => Vec::with_capacity(rows.len()),
        };
        for row in rows {
            self.expect_incarnation(row.incarnation)?;
            if let (Some(position), Some(version), Some(record)) =
                (row.position, row.version, row.record)
            {
                let (position, version) = (from_bigint(position), from_bigint(version));
                let stream = stream.clone();
                events.push(StoredEvent { position, stream, version, record: record.into() });
            }
        }
        events.truncate(limit);
        self.keep_within(&mut events);
        Ok(events)
    }

    /// The first events of a stream, at most so many, of versions that are all archived.
    async fn archived_of(
        &self,
        stream: &StreamName,
        versions: Range<u64>,
        limit: usize,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let mut connection = self.reads().acquire().await?;
        let rows: Vec<(i64, Vec<i64>)> = sqlx::query_as(
            "select a.last_version, a.positions from archived_streams a
              where a.stream_no = (select s.no from streams s where s.stream = $1)
                and a.last_version >= $2
              order by a.last_version limit $3",
        )
        .bind(stream.as_str())
        .bind(as_bigint(versions.start))
        .bind(as_bigint(limit as u64))
        .fetch_all(&mut *connection)
        .await?;
        let of_row = |(last, positions): (i64, Vec<i64>)| {
            let first = from_bigint(last) + 1 - positions.len() as u64;
            (first..).zip(positions)
        };
        let wanted = rows.into_iter().flat_map(of_row);
        let wanted = wanted.filter(|(version, _)| versions.contains(version));
        let positions: Vec<u64> =
            wanted.map(|(_, position)| from_bigint(position)).take(limit).collect();
        self.inner.cold.at(&mut connection, &positions).await
    }

    /// Up to `limit` matching events after a position. Looks through at most [`SCAN_EVENTS_MAX`]
    /// positions: a page without events means the end only when `scanned_to` did not move.
    pub async fn read_all(
        &self,
        after: u64,
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let limit = limit.clamp(1, PAGE_EVENTS_MAX);
        let mut connection = self.reads().acquire().await?;
        let Head { position, incarnation } = head_of(&mut *connection).await?;
        self.expect_incarnation(incarnation)?;
        let head = self.ends(position);
        if !filter.streams.is_empty() {
            let range = (after, head);
            return self.read_streams(&mut connection, range, filter, limit).await;
        }
        if filter.is_all() {
            let to = head.min(after.saturating_add(limit as u64));
            let events = match self.written(after, to) {
                Some(written) => written.events().collect(),
                None => self.scan(&mut connection, after, to).await?,
            };
            return Ok(Page { events, scanned_to: to.max(after) });
        }
        let end = head.min(after.saturating_add(SCAN_EVENTS_MAX));
        let mut page = Page::empty(after);
        while page.scanned_to < end && page.events.len() < limit {
            let to = end.min(page.scanned_to + SCAN_STEP_EVENTS);
            let found = self.scan(&mut connection, page.scanned_to, to).await?;
            page.take_matching(found, filter, limit, to);
        }
        Ok(page)
    }

    /// Shows every matching event up to where the log is now, in its order, a page at a time.
    pub async fn each(
        &self,
        filter: &Filter,
        mut see: impl FnMut(StoredEvent) + Send,
    ) -> Result<(), StoreError> {
        let (mut after, head) = (0, self.head().await?.position);
        while after < head {
            let page = self.read_all(after, filter, EACH_EVENTS).await?;
            page.events.into_iter().filter(|event| event.position <= head).for_each(&mut see);
            if page.scanned_to == after {
                break;
            }
            after = page.scanned_to;
        }
        Ok(())
    }

    /// What is after one position up to another, without asking the database: when this process has
    /// appended all of it itself a moment ago.
    pub fn written(&self, after: u64, to: u64) -> Option<Written> {
        if self.is_replica() || self.ends(to) < to {
            return None;
        }
        self.inner.recent.between(after, to)
    }

    /// The events at these positions, in the order of the log; those that are not there are left
    /// out.
    pub async fn read_at(&self, positions: &[u64]) -> Result<Vec<StoredEvent>, StoreError> {
        let mut events = Vec::with_capacity(positions.len());
        for some in positions.chunks(PAGE_EVENTS_MAX) {
            let some: Vec<i64> = some.iter().copied().map(as_bigint).collect();
            let mut connection = self.reads().acquire().await?;
            events.extend(stored_at(&mut connection, &self.inner.cold, &some).await?);
        }
        self.keep_within(&mut events);
        events.sort_unstable_by_key(|event| event.position);
        Ok(events)
    }

    /// The last position of what had happened by a moment: the event after it happened later.
    /// Servers that append at the same time may tell the time a little differently.
    pub async fn position_at(&self, moment: DateTime<Utc>) -> Result<u64, StoreError> {
        let (mut by_then, mut later) = (0, self.head().await?.position + 1);
        while later - by_then > 1 {
            let middle = by_then + (later - by_then) / 2;
            let event = self.read_at(&[middle]).await?.pop().ok_or_else(|| missing(middle))?;
            let unreadable = |reason| StoreError::Unreadable { position: middle, reason };
            if event.parse().map_err(unreadable)?.at <= moment {
                by_then = middle;
            } else {
                later = middle;
            }
        }
        Ok(by_then)
    }

    /// Of the streams named `prefix` followed by a decimal number, the one with the greatest number
    /// that has events; none when there is none.
    pub async fn newest_numbered(&self, prefix: &str) -> Result<Option<StreamName>, StoreError> {
        // In "C" order the digits end before the colon.
        let newest: Option<String> = sqlx::query_scalar(
            "select s.stream from streams s
              where s.stream >= $1::text || '0' and s.stream < $1::text || ':'
                and substr(s.stream, length($1::text) + 1) ~ '^[0-9]+$'
                and (exists (select from events e where e.stream_no = s.no and e.position <= $2)
                     or exists (select from archived_streams a
                                 where a.stream_no = s.no and a.positions[1] <= $2))
              order by length(s.stream) desc, s.stream desc limit 1",
        )
        .bind(prefix)
        .bind(as_bigint(self.ends(u64::MAX)))
        .fetch_optional(self.reads())
        .await?;
        let unreadable = |reason| StoreError::Unreadable { position: 0, reason };
        newest.map(|name| StreamName::new(name).map_err(unreadable)).transpose()
    }

    /// The streams of a category, in the order of their names.
    pub async fn streams_of(&self, category: &str) -> Result<Vec<StreamName>, StoreError> {
        // In "C" order the dot comes next after the dash.
        let names = sqlx::query_scalar!(
            "select stream from streams
              where stream >= $1::text || '-' and stream < $1::text || '.' order by stream",
            category,
        )
        .fetch_all(self.reads())
        .await?;
        let unreadable = |reason| StoreError::Unreadable { position: 0, reason };
        names.into_iter().map(|name| StreamName::new(name).map_err(unreadable)).collect()
    }

    /// How far the log goes.
    pub async fn head(&self) -> Result<Head, StoreError> {
        let head = head_of(self.reads()).await?;
        self.expect_incarnation(head.incarnation)?;
        Ok(Head { position: self.ends(head.position), ..head })
    }
}

impl Page {
    /// One that holds nothing and ends where it begins.
    pub(crate) fn empty(after: u64) -> Page {
        Page { events: Vec::new(), scanned_to: after }
    }

    /// What it takes up in memory.
    pub(crate) fn bytes(&self) -> usize {
        let size = |event: &StoredEvent| event.stream.as_str().len() + event.record.len();
        self.events.iter().map(|event| size_of::<StoredEvent>() + size(event)).sum()
    }

    /// The same with its records in a piece of memory of their own: as they were read, each of them
    /// holds a whole buffer of a connection.
    pub(crate) fn compact(mut self) -> Page {
        let mut all = BytesMut::with_capacity(self.events.iter().map(|one| one.record.len()).sum());
        self.events.iter().for_each(|event| all.extend_from_slice(&event.record));
        let mut all = all.freeze();
        for event in &mut self.events {
            event.record = all.split_to(event.record.len());
        }
        self
    }

    /// Keeps what matches of a scan that ended at `to`, up to the limit.
    fn take_matching(&mut self, found: Vec<StoredEvent>, filter: &Filter, limit: usize, to: u64) {
        for event in found.into_iter().filter(|event| filter.matches(event)) {
            self.scanned_to = event.position;
            self.events.push(event);
            if self.events.len() == limit {
                return;
            }
        }
        self.scanned_to = to;
    }
}

/// An event of a stream if there is one, and where what is archived of the stream ends.
#[derive(FromRow)]
struct StreamRow {
    incarnation: Uuid,
    position: Option<i64>,
    version: Option<i64>,
    record: Option<Vec<u8>>,
    floor: Option<i64>,
}

pub(crate) async fn head_of(executor: impl sqlx::PgExecutor<'_>) -> Result<Head, StoreError> {
    let row = sqlx::query!("select position, incarnation from head").fetch_one(executor).await?;
    Ok(Head { position: from_bigint(row.position), incarnation: row.incarnation })
}

/// Positions and versions count from 0 and stay far below 2^63; a larger one a client names is as
/// good as the largest.
pub(crate) fn as_bigint(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What the database holds as a count is never negative (both begin at 1 and only grow).
pub(crate) fn from_bigint(number: i64) -> u64 {
    u64::try_from(number).unwrap_or(0)
}
