//! Lines that several formats of the C2SP share: sizes and indexes in decimal, hashes in base64.
//!
//! Does not know what they are of.

use std::fmt;

use base64::prelude::{BASE64_STANDARD, Engine as _};
use tlog_tiles::Hash;

/// A number as these formats write it: in decimal, without a sign and without leading zeroes.
pub fn decimal(digits: &str) -> Option<u64> {
    let is_plain = digits == "0" || !digits.starts_with(['0', '+']);
    digits.parse().ok().filter(|_| is_plain)
}

/// Hashes, one a line; none when a line is no hash.
pub fn hashes<'l>(lines: impl Iterator<Item = &'l str>) -> Option<Vec<Hash>> {
    lines.map(|line| Hash::parse_hash(line).ok()).collect()
}

/// The same, written.
pub fn write_hashes(f: &mut fmt::Formatter<'_>, hashes: &[Hash]) -> fmt::Result {
    hashes.iter().try_for_each(|hash| writeln!(f, "{}", BASE64_STANDARD.encode(hash.0)))
}
