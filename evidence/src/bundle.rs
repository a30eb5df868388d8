//! Entry bundles: entries one after the other, each behind its length in two bytes, the greater
//! first (tlog-tiles, "Log entries").
//!
//! Does not know what an entry means.

/// The longest entry there can be, in bytes.
pub const ENTRY_BYTES_MAX: usize = u16::MAX as usize;

/// Why a bundle cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum BundleFault {
    #[error("entry {nth} of it ends after its end")]
    Cut { nth: usize },
    #[error("it has {found} entries, not {expected}")]
    Count { found: usize, expected: u64 },
    #[error("an entry of {bytes} bytes is longer than 65,535")]
    TooLong { bytes: usize },
}

/// The entries of a bundle that must have so many.
pub fn read(bytes: &[u8], expected: u64) -> Result<Vec<&[u8]>, BundleFault> {
    let (mut entries, mut rest) = (Vec::new(), bytes);
    while !rest.is_empty() {
        let cut = BundleFault::Cut { nth: entries.len() };
        let (length, after) = rest.split_first_chunk::<2>().ok_or(cut.clone())?;
        let (entry, after) =
            after.split_at_checked(u16::from_be_bytes(*length).into()).ok_or(cut)?;
        entries.push(entry);
        rest = after;
    }
    if u64::try_from(entries.len()) != Ok(expected) {
        return Err(BundleFault::Count { found: entries.len(), expected });
    }
    Ok(entries)
}

/// A bundle of these entries.
pub fn write<'e>(entries: impl IntoIterator<Item = &'e [u8]>) -> Result<Vec<u8>, BundleFault> {
    let mut bytes = Vec::new();
    entries.into_iter().try_for_each(|entry| append(&mut bytes, entry))?;
    Ok(bytes)
}

/// Adds an entry to a bundle.
pub fn append(bundle: &mut Vec<u8>, entry: &[u8]) -> Result<(), BundleFault> {
    let length = u16::try_from(entry.len());
    let length = length.map_err(|_| BundleFault::TooLong { bytes: entry.len() })?;
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
    Ok(())
}
