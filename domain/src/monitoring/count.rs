//! How many there were of something that is measured.
//!
//! Does not know of what.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::values::ValueError;

/// The greatest count: 2^53 - 1, as far as every reader counts.
const COUNT_MAX: u64 = (1 << 53) - 1;

const COUNT_RULE: &str = "a count is a decimal string from \"0\" to \"9007199254740991\"";

/// A measured number: a count, milliseconds, bytes. A decimal string in JSON.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "250", pattern = "^(0|[1-9][0-9]{0,14})$")
)]
pub struct Count(u64);

impl Count {
    /// Checks the range.
    pub fn new(count: u64) -> Result<Count, ValueError> {
        if count > COUNT_MAX {
            return Err(ValueError::new(COUNT_RULE, &count.to_string()));
        }
        Ok(Count(count))
    }

    /// As a number.
    pub const fn value(self) -> u64 {
        self.0
    }
}

impl FromStr for Count {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Count, ValueError> {
        let plain = !text.is_empty()
            && text.bytes().all(|b| b.is_ascii_digit())
            && (text.len() == 1 || !text.starts_with('0'));
        let fault = || ValueError::new(COUNT_RULE, text);
        if !plain {
            return Err(fault());
        }
        Count::new(text.parse().map_err(|_| fault())?)
    }
}

impl fmt::Display for Count {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Count {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Count {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Count, D::Error> {
        let text = String::deserialize(deserializer)?;
        text.parse().map_err(de::Error::custom)
    }
}
