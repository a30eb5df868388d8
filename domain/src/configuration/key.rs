//! The names of settings and flags, and of those a flag is asked for.
//!
//! Does not know which there are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::values::ValueError;

/// The longest key in characters.
const KEY_CHARS_MAX: usize = 64;
/// The longest subject in characters.
const SUBJECT_CHARS_MAX: usize = 100;

const KEY_RULE: &str =
    "a key is words of a-z 0-9 _ that begin with a-z, joined by dots, 64 characters at most";
const SUBJECT_RULE: &str = "a subject is 1 to 100 visible ASCII characters";

/// Whether `text` is a key.
fn is_key(text: &str) -> bool {
    let is_word = |word: &str| {
        word.starts_with(|first: char| first.is_ascii_lowercase())
            && word.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    };
    text.len() <= KEY_CHARS_MAX && text.split('.').all(is_word)
}

/// Whether `text` is a subject.
fn is_subject(text: &str) -> bool {
    (1..=SUBJECT_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Keeps `text` when it keeps the rule.
fn kept(text: String, keeps: bool, rule: &'static str) -> Result<String, ValueError> {
    if keeps { Ok(text) } else { Err(ValueError::new(rule, &text)) }
}

/// The name of a setting or a flag, such as `protocol.parameters`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        as = ConfigurationKey,
        example = "server.rate_limits",
        max_length = 64,
        pattern = "^[a-z][a-z0-9_]*(\\.[a-z][a-z0-9_]*)*$"
    )
)]
pub struct Key(String);

impl Key {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Key {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Key, ValueError> {
        let keeps = is_key(&text);
        kept(text, keeps, KEY_RULE).map(Key)
    }
}

impl FromStr for Key {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Key, ValueError> {
        Key::try_from(text.to_owned())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// For whom a flag is asked: a principal, an address, a chain.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(as = FlagSubject, example = "principal-north", pattern = "^[!-~]{1,100}$")
)]
pub struct Subject(String);

impl Subject {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Subject {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Subject, ValueError> {
        let keeps = is_subject(&text);
        kept(text, keeps, SUBJECT_RULE).map(Subject)
    }
}

impl FromStr for Subject {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Subject, ValueError> {
        Subject::try_from(text.to_owned())
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
