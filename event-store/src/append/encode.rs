//! Encode: a request becomes the exact bytes of its records, before it waits for its turn.
//!
//! Runs in the caller's task, so that the one appender does nothing per byte. Knows no position:
//! the record does not hold one.

use std::fmt::Write;
use std::sync::{Mutex, PoisonError};

use chrono::{DateTime, Datelike, Timelike, Utc};
use uuid::Uuid;

use super::{AppendRequest, REQUEST_BYTES_MAX, REQUEST_EVENTS_MAX};
use crate::error::RecordError;
use crate::event::{Metadata, NewEvent, RECORD_BYTES_MAX, RECORD_FORMAT, StreamName};
use crate::recent::Committed;

/// The fields of a record around `data` and the names, rounded up.
const FRAME_BYTES: usize = 320;

/// A request whose records are final.
#[derive(Debug)]
pub(super) struct Encoded {
    pub command: Uuid,
    pub digest: Uuid,
    pub stream: StreamName,
    pub expected: u64,
    pub ids: Vec<Uuid>,
    bytes: Vec<u8>,
    ends: Vec<usize>,
}

impl Encoded {
    pub(super) fn new(request: AppendRequest) -> Result<Encoded, RecordError> {
        let count = request.events.len();
        if !(1..=REQUEST_EVENTS_MAX).contains(&count) {
            return Err(RecordError::BadCount { count, max: REQUEST_EVENTS_MAX });
        }
        let AppendRequest { command, digest, stream, expected_version: expected, .. } = request;
        let before = before_data(&request.metadata, command.0)?;
        let data: usize = request.events.iter().map(|event| event.data().len()).sum();
        let mut encoded = Encoded {
            command: command.0,
            digest: digest.0,
            stream,
            expected,
            ids: Vec::with_capacity(count),
            bytes: Vec::with_capacity(data + count * (before.len() + FRAME_BYTES)),
            ends: Vec::with_capacity(count),
        };
        for event in &request.events {
            encoded.push(&before, event, request.metadata.reason.as_deref())?;
        }
        Ok(encoded)
    }

    pub(super) fn count(&self) -> usize {
        self.ids.len()
    }

    pub(super) fn bytes(&self) -> usize {
        self.bytes.len()
    }

    /// The version the stream has once this request is stored.
    pub(super) fn last_version(&self) -> u64 {
        self.expected + self.ids.len() as u64
    }

    pub(super) fn records(&self) -> impl Iterator<Item = &[u8]> {
        let mut start = 0;
        self.ends.iter().map(move |end| {
            let record = &self.bytes[start..*end];
            start = *end;
            record
        })
    }

    /// What it is once it is committed, from this position on. Its records are here no more.
    pub(super) fn committed(&mut self, first: u64) -> Committed {
        Committed {
            first,
            stream: self.stream.clone(),
            before: self.expected,
            bytes: std::mem::take(&mut self.bytes).into(),
            ends: std::mem::take(&mut self.ends),
        }
    }

    /// Writes one record; the keys stand in the order of RFC 8785.
    fn push(
        &mut self,
        before: &str,
        event: &NewEvent,
        reason: Option<&str>,
    ) -> Result<(), RecordError> {
        let start = self.bytes.len();
        let id = next_id();
        let version = self.expected + self.ids.len() as u64 + 1;
        self.text(before);
        self.text(event.data());
        self.text(",\"id\":\"");
        self.uuid(id);
        if let Some(reason) = reason {
            self.text("\",\"reason\":");
            self.text(&quoted(reason));
            self.text(",\"stream\":\"");
        } else {
            self.text("\",\"stream\":\"");
        }
        let stream = self.stream.clone();
        self.text(stream.as_str());
        self.text("\",\"type\":\"");
        self.text(event.event_type());
        self.text("\",\"v\":\"");
        self.text(RECORD_FORMAT);
        self.text("\",\"version\":\"");
        self.text(&version.to_string());
        self.text("\"}");
        self.ids.push(id);
        self.ends.push(self.bytes.len());
        let bytes = self.bytes.len() - start;
        if bytes > RECORD_BYTES_MAX {
            return Err(RecordError::TooLarge { bytes, max: RECORD_BYTES_MAX });
        }
        if self.bytes.len() > REQUEST_BYTES_MAX {
            let bytes = self.bytes.len();
            return Err(RecordError::TooLarge { bytes, max: REQUEST_BYTES_MAX });
        }
        Ok(())
    }

    fn text(&mut self, text: &str) {
        self.bytes.extend_from_slice(text.as_bytes());
    }

    fn uuid(&mut self, id: Uuid) {
        let mut buffer = Uuid::encode_buffer();
        self.bytes.extend_from_slice(id.hyphenated().encode_lower(&mut buffer).as_bytes());
    }
}

/// A UUIDv7 above every one that this process has given out, also when the clock steps back. Within
/// one millisecond the random part counts up from where it began (RFC 9562, section 6.2, method 2),
/// which spares a system call an event.
fn next_id() -> Uuid {
    static LAST: Mutex<u128> = Mutex::new(0);
    // A panic elsewhere leaves the number whole.
    let mut last = LAST.lock().unwrap_or_else(PoisonError::into_inner);
    let now = u128::try_from(Utc::now().timestamp_millis()).unwrap_or(0);
    *last = id_after(*last, now);
    Uuid::from_u128(*last)
}

fn id_after(last: u128, now_millis: u128) -> u128 {
    const MILLIS_SHIFT: u32 = 80;
    const BELOW_MILLIS: u128 = (1 << MILLIS_SHIFT) - 1;
    const RANDOM: u128 = (1 << 62) - 1;
    let last_millis = last >> MILLIS_SHIFT;
    if last_millis >= now_millis && last & RANDOM < RANDOM {
        return last + 1;
    }
    let millis = now_millis.max(last_millis + 1);
    (millis << MILLIS_SHIFT) | (Uuid::now_v7().as_u128() & BELOW_MILLIS)
}

/// What all records of a request begin with, up to and with the key of `data`.
fn before_data(metadata: &Metadata, command: Uuid) -> Result<String, RecordError> {
    let mut text = String::with_capacity(FRAME_BYTES);
    text.push_str("{\"actor\":");
    text.push_str(&quoted(&metadata.actor));
    text.push_str(",\"at\":\"");
    moment(&mut text, metadata.at)?;
    text.push_str("\",\"causation\":");
    match metadata.causation {
        None => text.push_str("null"),
        Some(causation) => {
            text.push('"');
            uuid(&mut text, causation);
            text.push('"');
        }
    }
    text.push_str(",\"command\":\"");
    uuid(&mut text, command);
    text.push_str("\",\"correlation\":\"");
    uuid(&mut text, metadata.correlation);
    text.push_str("\",\"data\":");
    Ok(text)
}

/// serde_json escapes strings exactly as RFC 8785 asks.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("a string can always be written as JSON")
}

fn uuid(text: &mut String, id: Uuid) {
    text.push_str(id.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
}

/// RFC 3339 in UTC with exactly six digits of a second.
fn moment(text: &mut String, at: DateTime<Utc>) -> Result<(), RecordError> {
    if !(0..=9_999).contains(&at.year()) {
        let reason = format!("the year {} cannot be written in RFC 3339", at.year());
        return Err(RecordError::NotCanonical { pointer: "/at".to_owned(), reason });
    }
    // A leap second reads as the last microsecond before it.
    let micros = (at.nanosecond() / 1_000).min(999_999);
    write!(
        text,
        "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{micros:06}Z",
        at.year(),
        at.month(),
        at.day(),
        at.hour(),
        at.minute(),
        at.second(),
    )
    .expect("writing into a string cannot fail");
    Ok(())
}
