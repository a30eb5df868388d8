//! A setting's value: JSON of one form, that every reader reads alike, and without secrets.
//!
//! Does not know a schema.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::values::ValueError;

/// The largest document in bytes.
pub const DOCUMENT_BYTES_MAX: usize = 16_384;
/// The deepest document, in objects and arrays within one another.
pub const DEPTH_MAX: usize = 16;
/// The greatest number that every JSON reader keeps: 2^53 - 1.
const NUMBER_MAX: u64 = (1 << 53) - 1;

const DEPTH_RULE: &str = "a value is at most 16 deep";
const BYTES_RULE: &str = "a value is at most 16384 bytes of JSON";
const NUMBER_RULE: &str = "a number is whole and within -(2^53 - 1) to 2^53 - 1";
const NAME_RULE: &str = "a member is named by 1 to 64 characters of A-Z a-z 0-9 . _ -";

/// The longest name of a member in characters.
const NAME_CHARS_MAX: usize = 64;
/// Texts under names that hold one of these are taken for secrets.
const SECRET_WORDS: &[&str] =
    &["api_key", "credential", "passphrase", "password", "private_key", "secret", "token"];
/// How a key in PEM begins.
const PEM_BEGIN: &str = "-----BEGIN ";

/// A JSON value: no floats, no numbers beyond 2^53 - 1, members in the order of their names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Value")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SettingValue))]
pub struct Document(Value);

impl Document {
    /// As JSON.
    pub fn value(&self) -> &Value {
        &self.0
    }

    /// Where the document holds what looks like a secret, as a JSON pointer (RFC 6901): a text
    /// under a telling name, or a key in PEM. `name` is that of the whole.
    pub fn secret(&self, name: &str) -> Option<String> {
        secret_in(&self.0, name, String::new())
    }
}

impl fmt::Display for Document {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl TryFrom<Value> for Document {
    type Error = ValueError;
    fn try_from(value: Value) -> Result<Document, ValueError> {
        let value = ordered(value, 0)?;
        let bytes = value.to_string().len();
        if bytes > DOCUMENT_BYTES_MAX {
            return Err(ValueError::new(BYTES_RULE, &format!("{bytes} bytes")));
        }
        Ok(Document(value))
    }
}

/// The same value with its members in order, when it keeps the rules.
fn ordered(value: Value, depth: usize) -> Result<Value, ValueError> {
    if depth > DEPTH_MAX {
        return Err(ValueError::new(DEPTH_RULE, &format!("{depth}")));
    }
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => Ok(value),
        Value::Number(number) => {
            let magnitude = number.as_u64().or_else(|| number.as_i64().map(i64::unsigned_abs));
            if magnitude.is_some_and(|magnitude| magnitude <= NUMBER_MAX) {
                return Ok(Value::Number(number));
            }
            Err(ValueError::new(NUMBER_RULE, &number.to_string()))
        }
        Value::Array(items) => {
            let items = items.into_iter().map(|item| ordered(item, depth + 1));
            items.collect::<Result<Vec<_>, _>>().map(Value::Array)
        }
        Value::Object(members) => {
            let mut members: Vec<(String, Value)> = members.into_iter().collect();
            members.sort_by(|(one, _), (other, _)| one.cmp(other));
            let mut kept = Map::new();
            for (name, member) in members {
                if !is_name(&name) {
                    return Err(ValueError::new(NAME_RULE, &name));
                }
                kept.insert(name, ordered(member, depth + 1)?);
            }
            Ok(Value::Object(kept))
        }
    }
}

fn is_name(name: &str) -> bool {
    (1..=NAME_CHARS_MAX).contains(&name.len())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b))
}

fn secret_in(value: &Value, name: &str, pointer: String) -> Option<String> {
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => None,
        Value::String(text) => {
            let name = name.to_ascii_lowercase().replace('-', "_");
            let telling = SECRET_WORDS.iter().any(|word| name.contains(word));
            (telling && !text.is_empty() || text.contains(PEM_BEGIN)).then_some(pointer)
        }
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.find_map(|(index, item)| secret_in(item, name, format!("{pointer}/{index}")))
        }
        Value::Object(members) => {
            let mut members = members.iter();
            members.find_map(|(name, member)| secret_in(member, name, format!("{pointer}/{name}")))
        }
    }
}
