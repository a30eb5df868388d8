//! Hashes, and what applications put in their place.
//!
//! Does not know what is hashed.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::{Digest, Sha256};

use super::{ValueError, from_text};

/// Bytes of a SHA-256 hash.
const HASH_BYTES: usize = 32;
/// The longest application hash in bytes: applications choose what they put there.
const APP_HASH_BYTES_MAX: usize = 64;
/// The digits of upper hex.
const HEX_DIGITS: &[u8; 16] = b"0123456789ABCDEF";

const HASH_RULE: &str = "a hash is 32 bytes as 64 hex digits";
const APP_HASH_RULE: &str = "an application hash is at most 64 bytes as hex digits";

/// Reads exactly `N` bytes of hex, either case.
pub(super) fn hex_bytes<const N: usize>(
    text: &str,
    rule: &'static str,
) -> Result<[u8; N], ValueError> {
    let mut bytes = [0; N];
    hex::decode_to_slice(text, &mut bytes).map_err(|_| ValueError::new(rule, text))?;
    Ok(bytes)
}

/// Room for the digits of the longest value.
pub(super) type Digits = [u8; 2 * APP_HASH_BYTES_MAX];

/// Upper hex.
pub(super) fn hex_digits<'d>(bytes: &[u8], digits: &'d mut Digits) -> &'d str {
    for (pair, byte) in digits.chunks_exact_mut(2).zip(bytes) {
        pair[0] = HEX_DIGITS[usize::from(byte >> 4)];
        pair[1] = HEX_DIGITS[usize::from(byte & 15)];
    }
    let length = (2 * bytes.len()).min(digits.len());
    std::str::from_utf8(&digits[..length]).expect("hex digits are ASCII")
}

/// A SHA-256 hash, 32 bytes, upper hex.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        example = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        pattern = "^[0-9A-Fa-f]{64}$"
    )
)]
pub struct Hash([u8; HASH_BYTES]);

impl Hash {
    /// Every 32 bytes are a hash.
    pub const fn from_bytes(bytes: [u8; HASH_BYTES]) -> Hash {
        Hash(bytes)
    }

    /// The hash of `bytes`.
    pub fn of(bytes: &[u8]) -> Hash {
        Hash(Sha256::digest(bytes).into())
    }

    /// The 32 bytes.
    pub const fn as_bytes(&self) -> &[u8; HASH_BYTES] {
        &self.0
    }
}

impl FromStr for Hash {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Hash, ValueError> {
        hex_bytes(text, HASH_RULE).map(Hash)
    }
}

impl fmt::Display for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl fmt::Debug for Hash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Hash({self})")
    }
}

impl Serialize for Hash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl<'de> Deserialize<'de> for Hash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Hash, D::Error> {
        from_text(deserializer, "a SHA-256 hash as 64 hex digits")
    }
}

/// What an application put into a header as its state: up to 64 bytes of its own choice, upper hex,
/// empty before the first block of some chains.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "A0DE13083B6EE8B7", pattern = "^([0-9A-Fa-f]{2}){0,64}$")
)]
pub struct AppHash(Vec<u8>);

impl AppHash {
    /// Checks the length.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<AppHash, ValueError> {
        if bytes.len() > APP_HASH_BYTES_MAX {
            return Err(ValueError::new(APP_HASH_RULE, &format!("{} bytes", bytes.len())));
        }
        Ok(AppHash(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for AppHash {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<AppHash, ValueError> {
        let bytes = hex::decode(text).map_err(|_| ValueError::new(APP_HASH_RULE, text))?;
        AppHash::from_bytes(bytes)
    }
}

impl fmt::Display for AppHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl fmt::Debug for AppHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AppHash({self})")
    }
}

impl Serialize for AppHash {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(hex_digits(&self.0, &mut [0; _]))
    }
}

impl<'de> Deserialize<'de> for AppHash {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<AppHash, D::Error> {
        from_text(deserializer, "an application hash as hex digits")
    }
}
