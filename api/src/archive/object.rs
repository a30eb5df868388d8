//! Object: what is in one object of the archive, and what is said beside it.
//!
//! Does not know where it is kept.

use std::io::{Read as _, Write as _};

use bytes::Bytes;
use event_store::{StoredEvent, archive::BLOCK_EVENTS};
use evidence::{Hash, Tree, bundle, record_hash};
use flate2::{Compression, read::MultiGzDecoder, write::GzEncoder};
use serde::{Deserialize, Serialize};

/// Where objects are, below the place where the log is published.
pub const FOLDER: &str = "archive";
/// How an object's name ends.
pub(super) const PACKED: &str = "gz";
/// How the name of its manifest does.
pub(super) const TOLD: &str = "json";
/// What a manifest is.
const FORMAT: &str = "node0.archive/1";
/// The longest block, in bytes: a bundle of the longest entries.
const BLOCK_BYTES_MAX: u64 = BLOCK_EVENTS * (2 + bundle::ENTRY_BYTES_MAX as u64);

/// What an object is, in a file beside it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Manifest {
    /// The form that it has.
    pub format: String,
    /// The position of its first event.
    pub first: u64,
    /// The position of its last event.
    pub last: u64,
    /// The root (RFC 6962) of its events, in base64.
    pub root: String,
    /// Where its members begin, and where the last one ends, in bytes.
    pub offsets: Vec<u64>,
}

/// Events as an object has them.
pub(super) struct Packed {
    pub(super) bytes: Bytes,
    pub(super) offsets: Vec<u64>,
    /// The hashes of its events.
    pub(super) leaves: Vec<Hash>,
    pub(super) root: Hash,
    /// How large they were.
    pub(super) record_bytes: u64,
}

/// Packs events, which are whole blocks.
pub(super) fn pack(events: &[StoredEvent]) -> Result<Packed, String> {
    let (mut bytes, mut offsets) = (Vec::new(), vec![0]);
    let block_events = usize::try_from(BLOCK_EVENTS).unwrap_or(usize::MAX);
    for block in events.chunks(block_events) {
        let records = block.iter().map(|event| &event.record[..]);
        let bundle = bundle::write(records).map_err(|fault| fault.to_string())?;
        let mut member = GzEncoder::new(bytes, Compression::default());
        member.write_all(&bundle).map_err(|error| error.to_string())?;
        bytes = member.finish().map_err(|error| error.to_string())?;
        offsets.push(bytes.len() as u64);
    }
    let leaves: Vec<Hash> = events.iter().map(|event| record_hash(&event.record)).collect();
    let record_bytes = events.iter().map(|event| event.record.len() as u64).sum();
    let root = Tree::of(&leaves).root();
    Ok(Packed { bytes: bytes.into(), offsets, leaves, root, record_bytes })
}

/// What a member holds.
pub(super) fn gunzip(member: &[u8]) -> Result<Bytes, String> {
    let mut block = Vec::new();
    let mut rest = MultiGzDecoder::new(member).take(BLOCK_BYTES_MAX + 1);
    rest.read_to_end(&mut block).map_err(|error| error.to_string())?;
    if block.len() as u64 > BLOCK_BYTES_MAX {
        return Err(format!("a block of it has more than {BLOCK_BYTES_MAX} bytes"));
    }
    Ok(block.into())
}

/// Where the object of these positions is, or what is said of it.
pub(super) fn path(first: u64, last: u64, ending: &str) -> String {
    format!("{FOLDER}/{first:012}-{last:012}.{ending}")
}

pub(super) fn manifest(first: u64, last: u64, packed: &Packed) -> Manifest {
    Manifest {
        format: FORMAT.to_owned(),
        first,
        last,
        root: packed.root.to_string(),
        offsets: packed.offsets.clone(),
    }
}
