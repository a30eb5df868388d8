//! Rows: how events come out of the database, and out of the archive what is missing there.
//!
//! Does not know who reads, nor how much of it is wanted at once.

use std::collections::HashSet;

use bytes::{Buf, Bytes};
use futures::TryStreamExt;
use sqlx::pool::PoolConnection;
use sqlx::{PgConnection, Postgres};

use super::{Filter, PAGE_EVENTS_MAX, Page, as_bigint, from_bigint};
use crate::archive::Cold;
use crate::error::{RecordError, StoreError};
use crate::event::{StoredEvent, StreamName, Tail};
use crate::store::EventStore;

impl EventStore {
    /// All events after one position up to another.
    pub(super) async fn scan(
        &self,
        connection: &mut PoolConnection<Postgres>,
        after: u64,
        to: u64,
    ) -> Result<Vec<StoredEvent>, StoreError> {
        let stored = copied(connection, after, to).await?;
        let archived_to = stored.first().map_or(to, |first| first.position - 1);
        if archived_to <= after {
            return Ok(stored);
        }
        let mut events = self.inner.cold.range(connection, after, archived_to).await?;
        events.extend(stored);
        Ok(events)
    }

    /// A page of named streams: by the index on (stream, version) or by position, as the database
    /// sees fit.
    pub(super) async fn read_streams(
        &self,
        connection: &mut PgConnection,
        (after, head): (u64, u64),
        filter: &Filter,
        limit: usize,
    ) -> Result<Page, StoreError> {
        let names: Vec<&str> = filter.streams.iter().map(StreamName::as_str).collect();
        let rows: Vec<(i64, Option<Vec<u8>>)> = sqlx::query_as(
            "(select e.position, e.record from events e
               where e.stream_no = any (array(select s.no from streams s where s.stream = any ($1)))
                 and e.position > $2 and e.position <= $3
               order by e.position limit $4)
             union all
             (select p.position, null from archived_streams a, unnest(a.positions) p (position)
               where a.stream_no = any (array(select s.no from streams s where s.stream = any ($1)))
                 and a.positions[cardinality(a.positions)] > $2
                 and p.position > $2 and p.position <= $3
               order by p.position limit $4)
             order by position limit $4",
        )
        .bind(names)
        .bind(as_bigint(after))
        .bind(as_bigint(head))
        .bind(as_bigint(limit as u64))
        .fetch_all(&mut *connection)
        .await?;
        let is_full = rows.len() == limit;
        let archived = rows.iter().filter(|(_, record)| record.is_none());
        let archived: Vec<u64> = archived.map(|(position, _)| from_bigint(*position)).collect();
        let mut archived = self.inner.cold.at(connection, &archived).await?.into_iter();
        let mut page = Page::empty(after);
        for (position, record) in rows {
            let position = from_bigint(position);
            let event = match record {
                Some(record) => stored_event(position, record.into())?,
                None => archived.next().ok_or_else(|| missing(position))?,
            };
            page.scanned_to = event.position;
            if filter.matches(&event) {
                page.events.push(event);
            }
        }
        if !is_full {
            page.scanned_to = head.max(after);
        }
        Ok(page)
    }
}

/// A connection on which a COPY is under way. Given up half-way it is closed: the rest of the rows
/// would be taken for the answer to whatever the next user of the connection asks.
struct Copying<'c> {
    connection: &'c mut PoolConnection<Postgres>,
    is_over: bool,
}

impl Drop for Copying<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.connection.close_on_drop();
        }
    }
}

/// The events after one position up to another that are in the table, which is all but some of the
/// first: by binary COPY, so that the records are slices of what the socket brought, and nothing is
/// decoded that is not needed.
async fn copied(
    connection: &mut PoolConnection<Postgres>,
    after: u64,
    to: u64,
) -> Result<Vec<StoredEvent>, StoreError> {
    if to <= after {
        return Ok(Vec::new());
    }
    let mut copying = Copying { connection, is_over: false };
    let statement = format!(
        "copy (select position, record from events where position > {after} and position <= {to} \
         order by position) to stdout (format binary)"
    );
    let mut rows = copying.connection.copy_out_raw(&statement).await?;
    let expected = usize::try_from(to - after).unwrap_or(usize::MAX);
    let mut events: Vec<StoredEvent> = Vec::with_capacity(expected.min(PAGE_EVENTS_MAX));
    let mut next = None;
    while let Some(chunk) = rows.try_next().await? {
        let Some((position, record)) = copied_row(chunk) else { continue };
        // Gapless positions: what is missing is lost, and must not be skipped in silence.
        if let Some(next) = next.replace(position + 1)
            && next != position
        {
            return Err(missing(next));
        }
        events.push(stored_event(position, record)?);
    }
    drop(rows);
    copying.is_over = true;
    match next {
        Some(next) if next <= to => Err(missing(next)),
        Some(_) | None => Ok(events),
    }
}

/// The events at these positions, wherever they are, those in the table first; those that are
/// nowhere are left out.
pub(crate) async fn stored_at(
    connection: &mut PgConnection,
    cold: &Cold,
    positions: &[i64],
) -> Result<Vec<StoredEvent>, StoreError> {
    let rows: Vec<(i64, Vec<u8>)> = sqlx::query_as(
        "select position, record from events where position = any ($1) order by position",
    )
    .bind(positions)
    .fetch_all(&mut *connection)
    .await?;
    let mut events = Vec::with_capacity(positions.len());
    for (position, record) in rows {
        events.push(stored_event(from_bigint(position), record.into())?);
    }
    if events.len() < positions.len() {
        let there: HashSet<u64> = events.iter().map(|event| event.position).collect();
        let mut rest: Vec<u64> = positions.iter().copied().map(from_bigint).collect();
        rest.retain(|position| !there.contains(position));
        rest.sort_unstable();
        events.extend(cold.at(connection, &rest).await?);
    }
    Ok(events)
}

pub(crate) fn missing(position: u64) -> StoreError {
    let reason = RecordError::Malformed("there is no such event".to_owned());
    StoreError::Unreadable { position, reason }
}

/// One message of a binary COPY: a row of two fields, the first one behind the format's header.
/// None for the trailer.
fn copied_row(mut chunk: Bytes) -> Option<(u64, Bytes)> {
    const SIGNATURE: &[u8] = b"PGCOPY\n\xff\r\n\0";
    const HEADER_BYTES: usize = SIGNATURE.len() + 8;
    const FIELDS: usize = 2 + (4 + 8) + 4;
    if chunk.starts_with(SIGNATURE) && chunk.len() >= HEADER_BYTES {
        chunk.advance(HEADER_BYTES);
    }
    if chunk.len() < FIELDS || chunk.get_i16() != 2 || chunk.get_i32() != 8 {
        return None;
    }
    let position = from_bigint(chunk.get_i64());
    let length = usize::try_from(chunk.get_i32()).ok()?;
    (chunk.len() >= length).then(|| (position, chunk.split_to(length)))
}

/// An event from its columns: stream and version stand in the record.
pub(crate) fn stored_event(position: u64, record: Bytes) -> Result<StoredEvent, StoreError> {
    let unreadable = |reason| StoreError::Unreadable { position, reason };
    let tail = Tail::of(&record)
        .ok_or_else(|| unreadable(RecordError::Malformed("its end is no record's".to_owned())))?;
    let stream = StreamName::new(tail.stream).map_err(unreadable)?;
    let version = tail.version;
    Ok(StoredEvent { position, stream, version, record })
}
