//! Texts with a rule: names of chains and people, reasons, addresses on the web.
//!
//! Does not know encodings: a text is kept as it was given, and refused rather than repaired.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::ValueError;

/// The longest chain id in characters, as in CometBFT.
const CHAIN_ID_CHARS_MAX: usize = 50;
/// The longest moniker in characters.
const MONIKER_CHARS_MAX: usize = 70;
/// The longest website or contact in characters.
const PROFILE_CHARS_MAX: usize = 140;
/// The longest reason in characters.
pub const REASON_CHARS_MAX: usize = 280;
/// The longest id of something kept elsewhere in characters.
const REFERENCE_CHARS_MAX: usize = 100;

const CHAIN_ID_RULE: &str = "a chain id is 1 to 50 characters of A-Z a-z 0-9 . _ -";
const MONIKER_RULE: &str =
    "a moniker is 1 to 70 characters without control characters or spaces at its ends";
const WEBSITE_RULE: &str =
    "a website is at most 140 visible ASCII characters and begins with https:// or http://";
const CONTACT_RULE: &str =
    "a contact is 1 to 140 characters without control characters or spaces at its ends";
const REASON_RULE: &str =
    "a reason is 1 to 280 characters without control characters or spaces at its ends";
const OPERATOR_RULE: &str = "an operator is 1 to 100 visible ASCII characters";
const RESERVATION_RULE: &str = "a reservation is 1 to 100 visible ASCII characters";

/// Whether `text` has 1 to `chars_max` characters, no control characters, and no spaces at its
/// ends.
pub(super) fn is_line(text: &str, chars_max: usize) -> bool {
    !text.is_empty()
        && text.len() <= chars_max * 4
        && text.chars().count() <= chars_max
        && text.trim() == text
        && !text.chars().any(char::is_control)
}

/// Whether `text` has 1 to `chars_max` visible ASCII characters.
fn is_token(text: &str, chars_max: usize) -> bool {
    !text.is_empty() && text.len() <= chars_max && text.bytes().all(|b| b.is_ascii_graphic())
}

/// Keeps `text` when it keeps the rule.
pub(super) fn kept(text: String, keeps: bool, rule: &'static str) -> Result<String, ValueError> {
    if keeps { Ok(text) } else { Err(ValueError::new(rule, &text)) }
}

/// The name of a chain; never changes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "node0-local", pattern = "^[A-Za-z0-9._-]{1,50}$")
)]
pub struct ChainId(String);

impl ChainId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ChainId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<ChainId, ValueError> {
        let keeps = (1..=CHAIN_ID_CHARS_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-".contains(&b));
        kept(text, keeps, CHAIN_ID_RULE).map(ChainId)
    }
}

impl FromStr for ChainId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<ChainId, ValueError> {
        ChainId::try_from(text.to_owned())
    }
}

impl fmt::Display for ChainId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name a validator shows.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "North Star",
        max_length = 70,
        pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*\
                   [^\\s\\x00-\\x1f\\x7f-\\x9f])?$"
    )
)]
pub struct Moniker(String);

impl Moniker {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Moniker {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Moniker, ValueError> {
        let keeps = is_line(&text, MONIKER_CHARS_MAX);
        kept(text, keeps, MONIKER_RULE).map(Moniker)
    }
}

impl FromStr for Moniker {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Moniker, ValueError> {
        Moniker::try_from(text.to_owned())
    }
}

impl fmt::Display for Moniker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a validator introduces itself: an absolute http or https address.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "https://north.example",
        max_length = 140,
        pattern = "^https?://[A-Za-z0-9][!-~]*$"
    )
)]
pub struct Website(String);

impl Website {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Website {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Website, ValueError> {
        let host = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let keeps = is_token(&text, PROFILE_CHARS_MAX)
            && host.is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_alphanumeric()));
        kept(text, keeps, WEBSITE_RULE).map(Website)
    }
}

impl FromStr for Website {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Website, ValueError> {
        Website::try_from(text.to_owned())
    }
}

impl fmt::Display for Website {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a validator's people can be reached.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "ops@north.example",
        max_length = 140,
        pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*\
                   [^\\s\\x00-\\x1f\\x7f-\\x9f])?$"
    )
)]
pub struct Contact(String);

impl Contact {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Contact {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Contact, ValueError> {
        let keeps = is_line(&text, PROFILE_CHARS_MAX);
        kept(text, keeps, CONTACT_RULE).map(Contact)
    }
}

impl FromStr for Contact {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Contact, ValueError> {
        Contact::try_from(text.to_owned())
    }
}

impl fmt::Display for Contact {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Why somebody did something, in their words.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(
        example = "missed its duties",
        max_length = 280,
        pattern = "^[^\\s\\x00-\\x1f\\x7f-\\x9f]([^\\x00-\\x1f\\x7f-\\x9f]*\
                   [^\\s\\x00-\\x1f\\x7f-\\x9f])?$"
    )
)]
pub struct Reason(String);

impl Reason {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reason {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Reason, ValueError> {
        let keeps = is_line(&text, REASON_CHARS_MAX);
        kept(text, keeps, REASON_RULE).map(Reason)
    }
}

impl FromStr for Reason {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Reason, ValueError> {
        Reason::try_from(text.to_owned())
    }
}

impl fmt::Display for Reason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Who runs a validator: the id of a principal or of an organisation.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "principal-north", pattern = "^[!-~]{1,100}$")
)]
pub struct Operator(String);

impl Operator {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Operator {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Operator, ValueError> {
        let keeps = is_token(&text, REFERENCE_CHARS_MAX);
        kept(text, keeps, OPERATOR_RULE).map(Operator)
    }
}

impl FromStr for Operator {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Operator, ValueError> {
        Operator::try_from(text.to_owned())
    }
}

impl fmt::Display for Operator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Names the stake that was set aside for a registration.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "reservation-1", pattern = "^[!-~]{1,100}$")
)]
pub struct Reservation(String);

impl Reservation {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Reservation {
    type Error = ValueError;
    fn try_from(text: String) -> Result<Reservation, ValueError> {
        let keeps = is_token(&text, REFERENCE_CHARS_MAX);
        kept(text, keeps, RESERVATION_RULE).map(Reservation)
    }
}

impl FromStr for Reservation {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Reservation, ValueError> {
        Reservation::try_from(text.to_owned())
    }
}

impl fmt::Display for Reservation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
