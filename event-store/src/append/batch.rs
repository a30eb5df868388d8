//! Batch: the requests that share one transaction, and the shapes in which the database takes them.
//!
//! Knows no connection and no outcome.

use std::collections::HashMap;

use bytes::{BufMut, Bytes, BytesMut};
use tokio::sync::oneshot;
use uuid::Uuid;

use super::encode::Encoded;
use super::{Appended, Lineage};
use crate::error::AppendError;
use crate::read::as_bigint;

/// The size of one message of a COPY: the server reads a message whole before it works on it, so
/// that smaller ones let both sides work at once.
const COPY_MESSAGE_BYTES: usize = 64 * 1024;
/// A row without its record: field count, six lengths, three numbers, two ids.
const ROW_FRAME_BYTES: usize = 2 + 6 * 4 + 3 * 8 + 2 * 16;

/// A request whose caller waits for the answer.
#[derive(Debug)]
pub(super) struct Pending {
    pub request: Encoded,
    /// What it rests on.
    pub lineage: Lineage,
    pub reply: oneshot::Sender<Result<Appended, AppendError>>,
    /// How often it has come back from a transaction that failed for a reason of its own.
    pub attempts: u8,
    /// What it takes of the queue until it is answered.
    pub weight: usize,
}

impl Pending {
    /// What the caller is told when the first event of the request stands at `first`.
    pub(super) fn appended(&mut self, first: u64) -> Appended {
        let event_ids = std::mem::take(&mut self.request.ids);
        Appended {
            stream: self.request.stream.clone(),
            last_position: first + event_ids.len() as u64 - 1,
            last_version: self.request.expected + event_ids.len() as u64,
            event_ids,
            repeated: false,
        }
    }
}

/// A request with the number of its stream.
#[derive(Debug)]
pub(super) struct Member {
    pub pending: Pending,
    pub stream_no: i64,
}

/// Requests that are stored together or not at all.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub members: Vec<Member>,
    pub events: usize,
    pub bytes: usize,
}

/// One row a column.
#[derive(Default)]
pub(super) struct Columns<'a> {
    pub streams: Vec<i64>,
    pub versions: Vec<i64>,
    pub commands: Vec<Option<Uuid>>,
    pub digests: Vec<Option<Uuid>>,
    pub records: Vec<&'a [u8]>,
}

/// One request a column, and for each event the number of its request, from 1.
#[derive(Default)]
pub(super) struct Requests {
    /// Each stream once.
    pub streams: Vec<i64>,
    pub commands: Vec<Uuid>,
    pub digests: Vec<Uuid>,
    /// Which of the streams, from 1.
    pub slots: Vec<i32>,
    /// Which of the lineages, from 1.
    pub lineages: Vec<i32>,
    pub expected: Vec<i64>,
    pub counts: Vec<i32>,
    pub of_event: Vec<i32>,
}

impl Batch {
    pub(super) fn push(&mut self, pending: Pending, stream_no: i64) {
        self.events += pending.request.count();
        self.bytes += pending.request.bytes();
        self.members.push(Member { pending, stream_no });
    }

    /// True when a request of this size still fits; the first one always does.
    pub(super) fn has_room(&self, request: &Encoded, events_max: usize, bytes_max: usize) -> bool {
        self.members.is_empty()
            || (self.events + request.count() <= events_max
                && self.bytes + request.bytes() <= bytes_max)
    }

    pub(super) fn into_pending(self) -> impl DoubleEndedIterator<Item = Pending> {
        self.members.into_iter().map(|member| member.pending)
    }

    pub(super) fn columns(&self) -> Columns<'_> {
        let mut columns = Columns::default();
        for Member { pending, stream_no } in &self.members {
            let request = &pending.request;
            for (nth, record) in request.records().enumerate() {
                columns.streams.push(*stream_no);
                columns.versions.push(as_bigint(request.expected + 1 + nth as u64));
                columns.commands.push((nth == 0).then_some(request.command));
                columns.digests.push((nth == 0).then_some(request.digest));
                columns.records.push(record);
            }
        }
        columns
    }

    pub(super) fn requests(&self) -> Requests {
        let mut requests = Requests::default();
        let mut slot_of: HashMap<i64, i32> = HashMap::new();
        let mut lineage_of: HashMap<usize, i32> = HashMap::new();
        for (nth, Member { pending, stream_no }) in (1..).zip(&self.members) {
            let request = &pending.request;
            let slot = *slot_of.entry(*stream_no).or_insert_with(|| {
                requests.streams.push(*stream_no);
                as_integer(requests.streams.len())
            });
            requests.slots.push(slot);
            let following = as_integer(lineage_of.len() + 1);
            requests.lineages.push(*lineage_of.entry(pending.lineage.key()).or_insert(following));
            requests.commands.push(request.command);
            requests.digests.push(request.digest);
            requests.expected.push(as_bigint(request.expected));
            requests.counts.push(as_integer(request.count()));
            requests.of_event.extend(std::iter::repeat_n(nth, request.count()));
        }
        requests
    }

    /// The rows in the binary format of COPY, the first at position `first`, cut into messages.
    pub(super) fn copy_messages(&self, first: u64) -> Vec<Bytes> {
        const HEADER: &[u8] = b"PGCOPY\n\xff\r\n\0\0\0\0\0\0\0\0\0";
        const TRAILER: i16 = -1;
        let size = self.bytes + self.events * ROW_FRAME_BYTES + HEADER.len() + 2;
        let mut rows = BytesMut::with_capacity(size);
        let mut messages = Vec::with_capacity(size / COPY_MESSAGE_BYTES + 1);
        rows.put_slice(HEADER);
        let mut position = as_bigint(first);
        for Member { pending, stream_no } in &self.members {
            let request = &pending.request;
            let mut version = as_bigint(request.expected);
            for (nth, record) in request.records().enumerate() {
                version += 1;
                rows.put_i16(6);
                put_number(&mut rows, position);
                put_number(&mut rows, *stream_no);
                put_number(&mut rows, version);
                put_id(&mut rows, (nth == 0).then_some(request.command));
                put_id(&mut rows, (nth == 0).then_some(request.digest));
                put_bytes(&mut rows, record);
                position += 1;
                if rows.len() >= COPY_MESSAGE_BYTES {
                    messages.push(rows.split().freeze());
                }
            }
        }
        rows.put_i16(TRAILER);
        messages.push(rows.freeze());
        messages
    }
}

/// Counts within one batch.
fn as_integer(count: usize) -> i32 {
    i32::try_from(count).expect("a batch has at most some thousand events")
}

fn put_number(rows: &mut BytesMut, number: i64) {
    rows.put_i32(8);
    rows.put_i64(number);
}

fn put_id(rows: &mut BytesMut, id: Option<Uuid>) {
    const NULL: i32 = -1;
    match id {
        None => rows.put_i32(NULL),
        Some(id) => put_bytes(rows, id.as_bytes()),
    }
}

fn put_bytes(rows: &mut BytesMut, bytes: &[u8]) {
    // A record is at most 65,535 bytes, an id 16.
    rows.put_i32(i32::try_from(bytes.len()).expect("a field of a row is far below 2 GiB"));
    rows.put_slice(bytes);
}
