//! The names of rules, alerts and objectives.
//!
//! Does not know which there are.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::values::ValueError;

/// The longest name in characters.
const NAME_CHARS_MAX: usize = 64;

const RULE_RULE: &str = "a rule is named by 1 to 64 characters of a-z 0-9 _ -";
const ALERT_RULE: &str = "an alert is named by 1 to 64 characters of a-z 0-9 _ -";
const SLO_RULE: &str = "an objective is named by 1 to 64 characters of a-z 0-9 _ -";

/// Keeps `text` when it is a name.
fn named(text: String, rule: &'static str) -> Result<String, ValueError> {
    let keeps = (1..=NAME_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b"_-".contains(&b));
    if keeps { Ok(text) } else { Err(ValueError::new(rule, &text)) }
}

/// A rule.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "projection-lag", pattern = "^[a-z0-9_-]{1,64}$")
)]
pub struct RuleId(String);

impl RuleId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RuleId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<RuleId, ValueError> {
        named(text, RULE_RULE).map(RuleId)
    }
}

impl FromStr for RuleId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<RuleId, ValueError> {
        RuleId::try_from(text.to_owned())
    }
}

impl fmt::Display for RuleId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An alert: by what it is told from others, such as the fingerprint of its labels.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "1a30ba71cca2921f", pattern = "^[a-z0-9_-]{1,64}$")
)]
pub struct AlertId(String);

impl AlertId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for AlertId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<AlertId, ValueError> {
        named(text, ALERT_RULE).map(AlertId)
    }
}

impl FromStr for AlertId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<AlertId, ValueError> {
        AlertId::try_from(text.to_owned())
    }
}

impl fmt::Display for AlertId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An objective.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "availability", pattern = "^[a-z0-9_-]{1,64}$")
)]
pub struct SloId(String);

impl SloId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SloId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<SloId, ValueError> {
        named(text, SLO_RULE).map(SloId)
    }
}

impl FromStr for SloId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<SloId, ValueError> {
        SloId::try_from(text.to_owned())
    }
}

impl fmt::Display for SloId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
