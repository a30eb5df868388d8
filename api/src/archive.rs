//! Archive: old events are moved from the database to the place where the log is published.
//!
//! An object is gzip (RFC 1952): a member for each block of 256 events, which holds the bundle of
//! entries that the log publishes of them (tlog-tiles, "Log entries"). So `gunzip` gives the
//! bundles one after the other, and a block is read without those before it. Beside each object is
//! what it is, with the root of its events.

mod object;
mod removal;

use std::{ops::Range, sync::OnceLock};

use bytes::Bytes;
use event_store::{
    Archive, StoreError,
    archive::{BLOCK_EVENTS, Object},
};
use evidence::{Storage, bundle};
use futures::{FutureExt as _, future::BoxFuture};

pub use object::{FOLDER, Manifest};
pub use removal::{ArchiveError, Archived, Moved, OBJECT_EVENTS, Waits, archive};

/// The objects at a place, which is opened when the first one is read.
#[derive(Debug)]
pub struct Kept {
    place: String,
    storage: OnceLock<Storage>,
}

impl Kept {
    /// Those below this folder or bucket.
    pub fn at(place: String) -> Kept {
        Kept { place, storage: OnceLock::new() }
    }
}

impl Archive for Kept {
    fn records<'a>(
        &'a self,
        object: &'a Object,
        blocks: Range<usize>,
    ) -> BoxFuture<'a, Result<Vec<Bytes>, StoreError>> {
        async move {
            let unread = |because: &dyn std::fmt::Display| object.unread(because);
            let storage = match self.storage.get() {
                Some(storage) => storage,
                None => {
                    let opened = Storage::open(&self.place).map_err(|error| unread(&error))?;
                    self.storage.get_or_init(|| opened)
                }
            };
            let members: Vec<Range<u64>> = object.bytes(blocks).collect();
            let (Some(first), Some(last)) = (members.first(), members.last()) else {
                return Ok(Vec::new());
            };
            let (start, end) = (first.start, last.end);
            let bytes = storage.get_range(object.path(), start..end).await;
            let bytes = bytes.map_err(|error| unread(&error))?;
            let bytes = bytes.ok_or_else(|| unread(&format!("it is not in {storage}")))?;
            let read =
                move || records(&bytes, members.iter().map(|m| m.start - start..m.end - start));
            // Beside everything else: it is work for a processor.
            let read = tokio::task::spawn_blocking(read).await.map_err(|error| unread(&error))?;
            read.map_err(|error| unread(&error))
        }
        .boxed()
    }
}

/// The records of the members that are at these places.
fn records(bytes: &Bytes, members: impl Iterator<Item = Range<u64>>) -> Result<Vec<Bytes>, String> {
    let mut records = Vec::new();
    for member in members {
        let place = usize::try_from(member.start).ok().zip(usize::try_from(member.end).ok());
        let member = place.and_then(|(start, end)| bytes.get(start..end));
        let block = object::gunzip(member.ok_or("it ends before its end")?)?;
        let entries = bundle::read(&block, BLOCK_EVENTS).map_err(|fault| fault.to_string())?;
        records.extend(entries.iter().map(|entry| block.slice_ref(entry)));
    }
    Ok(records)
}
