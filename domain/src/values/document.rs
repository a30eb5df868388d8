//! What transactions carry besides money: memos, and what names an anchored document.
//!
//! Does not know the document, nor whether the digest is its.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{
    ValueError, from_text,
    text::{is_line, kept},
};

/// The longest memo in bytes.
pub const MEMO_BYTES_MAX: usize = 256;
/// The longest label in characters.
pub const LABEL_CHARS_MAX: usize = 140;
/// The longest name of an algorithm in characters.
const ALGORITHM_CHARS_MAX: usize = 32;
/// The longest digest in bytes.
const DIGEST_BYTES_MAX: usize = 64;

const MEMO_RULE: &str = "a memo is 1 to 256 bytes of UTF-8 without control characters";
const LABEL_RULE: &str =
    "a label is 1 to 140 characters without control characters or spaces at its ends";
const ALGORITHM_RULE: &str = "an algorithm is named by 1 to 32 characters of a-z 0-9 -";
const DIGEST_RULE: &str = "a digest is 1 to 64 bytes as hex digits";

/// What a sender remarks on a transaction.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "invoice 2026-0117",
        min_length = 1,
        max_length = 256,
        pattern = "^[^\\x00-\\x1f\\x7f-\\x9f]+$"
    )
)]
pub struct Memo(String);

impl Memo {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Memo {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Memo, ValueError> {
        let keeps =
            (1..=MEMO_BYTES_MAX).contains(&text.len()) && !text.chars().any(char::is_control);
        kept(text, keeps, MEMO_RULE).map(Memo)
    }
}

impl FromStr for Memo {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Memo, ValueError> {
        Memo::try_from(text.to_owned())
    }
}

impl fmt::Display for Memo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a sender calls an anchored document.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "tender 2026-17, annex B",
        max_length = 140,
        pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*\
                   [^\\s\\x00-\\x1f\\x7f-\\x9f])?$"
    )
)]
pub struct Label(String);

impl Label {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Label {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Label, ValueError> {
        let keeps = is_line(&text, LABEL_CHARS_MAX);
        kept(text, keeps, LABEL_RULE).map(Label)
    }
}

impl FromStr for Label {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Label, ValueError> {
        Label::try_from(text.to_owned())
    }
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// By what a document was digested.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "sha-256", pattern = "^[a-z0-9-]{1,32}$")
)]
pub struct Algorithm(String);

impl Algorithm {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Algorithm {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Algorithm, ValueError> {
        let keeps = (1..=ALGORITHM_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
        kept(text, keeps, ALGORITHM_RULE).map(Algorithm)
    }
}

impl FromStr for Algorithm {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Algorithm, ValueError> {
        Algorithm::try_from(text.to_owned())
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What stands for a document: up to 64 bytes, upper hex.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        value_type = String,
        example = "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
        pattern = "^([0-9A-Fa-f]{2}){1,64}$"
    )
)]
pub struct Digest(Vec<u8>);

impl Digest {
    /// Checks the length.
    pub fn from_bytes(bytes: Vec<u8>) -> Result<Digest, ValueError> {
        if bytes.is_empty() || bytes.len() > DIGEST_BYTES_MAX {
            return Err(ValueError::new(DIGEST_RULE, &format!("{} bytes", bytes.len())));
        }
        Ok(Digest(bytes))
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl FromStr for Digest {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Digest, ValueError> {
        let bytes = hex::decode(text).map_err(|_| ValueError::new(DIGEST_RULE, text))?;
        Digest::from_bytes(bytes)
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&hex::encode_upper(&self.0))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

impl Serialize for Digest {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&hex::encode_upper(&self.0))
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Digest, D::Error> {
        from_text(deserializer, "a digest as hex digits")
    }
}
