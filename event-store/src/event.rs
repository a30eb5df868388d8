//! The record: what one event is, byte for byte, before and after it is stored.
//!
//! Knows nothing of positions until the log has given one.

use std::borrow::{Borrow, Cow};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use bytes::Bytes;
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use uuid::Uuid;

use crate::canonical;
use crate::error::RecordError;

/// The record format written into every event as `v`.
pub const RECORD_FORMAT: &str = "node0.event/1";
/// The largest record in bytes: the entry limit of the C2SP tlog-tiles format.
pub const RECORD_BYTES_MAX: usize = 65_535;
/// The longest stream name in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 200;
/// The longest event type name in bytes.
pub const EVENT_TYPE_BYTES_MAX: usize = 100;

/// `<category>-<id>`: printable ASCII without spaces, quotes and backslashes, 3 to
/// [`STREAM_NAME_BYTES_MAX`] bytes, with a dash that is neither first nor last. The category is
/// what stands before the first dash.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

impl StreamName {
    /// Parses a whole name.
    pub fn new(name: impl AsRef<str> + Into<Arc<str>>) -> Result<StreamName, RecordError> {
        match stream_name_fault(name.as_ref()) {
            None => Ok(StreamName(name.into())),
            Some(reason) => {
                Err(RecordError::BadStreamName { name: name.as_ref().to_owned(), reason })
            }
        }
    }

    /// Puts a category and an id together.
    pub fn of(category: &str, id: impl fmt::Display) -> Result<StreamName, RecordError> {
        let name = format!("{category}-{id}");
        if category.is_empty() || category.contains('-') {
            let reason = "a category is not empty and has no dash";
            return Err(RecordError::BadStreamName { name, reason });
        }
        StreamName::new(name)
    }

    /// The whole name.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// What stands before the first dash.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or("", |(category, _)| category)
    }

    /// What stands after the first dash.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }
}

fn stream_name_fault(name: &str) -> Option<&'static str> {
    if !(3..=STREAM_NAME_BYTES_MAX).contains(&name.len()) {
        return Some("it must have 3 to 200 bytes");
    }
    // No quote and no backslash: a name then reads the same inside and outside of JSON.
    if !name.bytes().all(|byte| byte.is_ascii_graphic() && byte != b'"' && byte != b'\\') {
        return Some("only printable ASCII without spaces, quotes and backslashes");
    }
    match name.split_once('-') {
        Some((category, id)) if !category.is_empty() && !id.is_empty() => None,
        Some(_) | None => Some("it must be a category, a dash and an id"),
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl FromStr for StreamName {
    type Err = RecordError;

    fn from_str(name: &str) -> Result<StreamName, RecordError> {
        StreamName::new(name)
    }
}

impl Borrow<str> for StreamName {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Names one request for ever: the first 16 bytes of SHA-256 over actor and idempotency key, or a
/// fresh UUIDv7 when the client gave no key. Stored with the first event of the request, unique in
/// the log.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct CommandId(pub Uuid);

impl CommandId {
    /// A new one, for a request that nobody will repeat.
    pub fn fresh() -> CommandId {
        CommandId(Uuid::now_v7())
    }

    /// The one that this actor's key always gives.
    pub fn from_key(actor: &str, key: &str) -> CommandId {
        CommandId(first_half(&[actor, key]))
    }
}

impl fmt::Display for CommandId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(&self.0, f)
    }
}

/// The first 16 bytes of SHA-256 over the request's content (stream, command): the same id with
/// another digest is a refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CommandDigest(pub Uuid);

impl CommandDigest {
    /// That of a request that was put back from its records ([`crate::import`]), which do not hold
    /// it: its id stands for whatever was asked.
    pub const UNKNOWN: CommandDigest = CommandDigest(Uuid::nil());

    /// Whether a stored request with this digest is the one that asks with another.
    pub fn admits(self, asked: CommandDigest) -> bool {
        self == asked || self == CommandDigest::UNKNOWN
    }

    /// Over the stream and the command's text.
    pub fn of(stream: &StreamName, command: &str) -> CommandDigest {
        CommandDigest(first_half(&[stream.as_str(), command]))
    }
}

/// Each part is preceded by its length, so that no two lists of parts read alike.
fn first_half(parts: &[&str]) -> Uuid {
    let mut hasher = Sha256::new();
    for part in parts {
        hasher.update((part.len() as u64).to_be_bytes());
        hasher.update(part.as_bytes());
    }
    let hash = hasher.finalize();
    let mut half = [0; 16];
    half.copy_from_slice(&hash[..16]);
    Uuid::from_bytes(half)
}

/// An event to be appended: its stored type name and its data in canonical (RFC 8785) form.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    event_type: Cow<'static, str>,
    data: String,
}

impl NewEvent {
    /// Canonicalises `data`; refuses floats and integers beyond 2^53-1 anywhere in it.
    pub fn new(
        event_type: impl Into<Cow<'static, str>>,
        data: &impl Serialize,
    ) -> Result<NewEvent, RecordError> {
        let event_type = event_type.into();
        if !is_event_type(&event_type) {
            return Err(RecordError::BadEventType { name: event_type.into_owned() });
        }
        Ok(NewEvent { event_type, data: canonical::to_string(data)? })
    }

    /// Takes an event that serialises as `{"type": ..., "data": ...}`: what serde writes for an
    /// enum with `tag = "type", content = "data"`.
    pub fn tagged(event: &impl Serialize) -> Result<NewEvent, RecordError> {
        #[derive(Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Tagged<'a> {
            #[serde(rename = "type", borrow)]
            event_type: Cow<'a, str>,
            #[serde(borrow)]
            data: &'a RawValue,
        }
        let whole = canonical::to_string(event)?;
        let tagged: Tagged<'_> = serde_json::from_str(&whole)
            .map_err(|error| RecordError::Malformed(format!("no type and data: {error}")))?;
        if !is_event_type(&tagged.event_type) {
            return Err(RecordError::BadEventType { name: tagged.event_type.into_owned() });
        }
        let event_type = Cow::Owned(tagged.event_type.into_owned());
        Ok(NewEvent { event_type, data: tagged.data.get().to_owned() })
    }

    /// The stored type name, e.g. `validator-registered.v1`.
    pub fn event_type(&self) -> &str {
        &self.event_type
    }

    /// The data: JSON in canonical form.
    pub fn data(&self) -> &str {
        &self.data
    }
}

/// `lower-case-words.v<number>`.
fn is_event_type(name: &str) -> bool {
    let Some((words, version)) = name.rsplit_once(".v") else { return false };
    let word = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    name.len() <= EVENT_TYPE_BYTES_MAX
        && !words.is_empty()
        && words.bytes().all(|byte| word(byte) || byte == b'-' || byte == b'_')
        && !version.is_empty()
        && version.bytes().all(|byte| byte.is_ascii_digit())
}

/// Who and why: what every event of one request shares.
#[derive(Clone, Debug)]
pub struct Metadata {
    /// Who asked, e.g. `principal-0190...` or `system`.
    pub actor: Arc<str>,
    /// The event that caused this request, when one did.
    pub causation: Option<Uuid>,
    /// Everything that belongs to one story shares it.
    pub correlation: Uuid,
    /// Why, in the actor's words.
    pub reason: Option<Arc<str>>,
    /// When it was decided; written with microseconds.
    pub at: DateTime<Utc>,
}

/// An event as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredEvent {
    /// 1, 2, 3, ... without gaps, in the order of commit.
    pub position: u64,
    /// Whose history it belongs to.
    pub stream: StreamName,
    /// 1, 2, 3, ... within the stream.
    pub version: u64,
    /// The exact bytes written: RFC 8785 JSON.
    pub record: Bytes,
}

impl StoredEvent {
    /// Reads the record's fields without copying `data`.
    pub fn parse(&self) -> Result<Record<'_>, RecordError> {
        Record::parse(&self.record)
    }
}

/// The fields of a record.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record<'a> {
    /// [`RECORD_FORMAT`].
    pub v: &'a str,
    /// The event's own id: a UUIDv7.
    pub id: Uuid,
    /// The stored type name, e.g. `validator-registered.v1`.
    #[serde(rename = "type")]
    pub event_type: &'a str,
    /// What happened.
    #[serde(borrow)]
    pub data: &'a RawValue,
    /// Who asked.
    pub actor: String,
    /// The request that this event answers.
    pub command: Uuid,
    /// The event that caused the request.
    pub causation: Option<Uuid>,
    /// Everything that belongs to one story shares it.
    pub correlation: Uuid,
    /// Why, in the actor's words.
    #[serde(default)]
    pub reason: Option<String>,
    /// When it was decided.
    pub at: DateTime<Utc>,
    /// Whose history it belongs to.
    pub stream: &'a str,
    /// A decimal string, as every 64-bit number in a record is.
    pub version: String,
}

impl<'a> Record<'a> {
    /// Reads the fields of a record, whatever stored it.
    pub fn parse(bytes: &'a [u8]) -> Result<Record<'a>, RecordError> {
        let record: Record<'a> = serde_json::from_slice(bytes)
            .map_err(|error| RecordError::Malformed(error.to_string()))?;
        if record.v != RECORD_FORMAT {
            return Err(RecordError::Malformed(format!("the format is {:?}", record.v)));
        }
        Ok(record)
    }
}

/// The last four fields of a record, found from its end: RFC 8785 sorts keys, names hold no quotes,
/// and so the stream, the type and the version are known without reading the rest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Tail<'a> {
    pub stream: &'a str,
    pub event_type: &'a str,
    pub version: u64,
}

impl<'a> Tail<'a> {
    pub(crate) fn of(record: &'a [u8]) -> Option<Tail<'a>> {
        let rest = record.strip_suffix(b"\"}")?;
        let (rest, version) = last_string(rest)?;
        let rest = rest.strip_suffix(b"\"v\":\"node0.event/1\",\"version\":")?;
        let (rest, event_type) = last_string(rest.strip_suffix(b"\",")?)?;
        let (rest, stream) = last_string(rest.strip_suffix(b",\"type\":")?.strip_suffix(b"\"")?)?;
        rest.strip_suffix(b"\"stream\":")?;
        Some(Tail { stream, event_type, version: version.parse().ok()? })
    }
}

/// Splits off the string that ends here; its closing quote has been taken away already.
fn last_string(text: &[u8]) -> Option<(&[u8], &str)> {
    let quote = text.iter().rposition(|byte| *byte == b'"')?;
    Some((&text[..quote], std::str::from_utf8(&text[quote + 1..]).ok()?))
}

/// The record's correlation as text. Keys before it are fixed and a quote inside a string is
/// escaped, so the first match is the field.
pub(crate) fn correlation_of(record: &[u8]) -> Option<&[u8]> {
    const KEY: &[u8] = b",\"correlation\":\"";
    const UUID_TEXT_BYTES: usize = 36;
    let start = record.windows(KEY.len()).position(|window| window == KEY)? + KEY.len();
    record.get(start..start + UUID_TEXT_BYTES)
}
