//! Who acts, by which right, and by which of the things that were issued to them.
//!
//! Does not know people: an id names nobody, and what could is sealed ([`super::Sealed`]).

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{Address, ValueError, text::kept};

/// The longest id of a principal, a session or a key in characters.
const ID_CHARS_MAX: usize = 64;
/// How the ids of validators' services begin; the validator's address follows, in lower case.
const VALIDATOR_PREFIX: &str = "validator-";
/// The longest name of a role in characters.
const ROLE_CHARS_MAX: usize = 32;
/// The longest name of a permission in characters.
const PERMISSION_CHARS_MAX: usize = 64;

const PRINCIPAL_RULE: &str = "a principal is named by 1 to 64 characters of a-z 0-9 -";
const SESSION_RULE: &str = "a session is named by 1 to 64 characters of a-z 0-9 -";
const API_KEY_RULE: &str = "an API key is named by 1 to 64 characters of a-z 0-9 -";
const ROLE_RULE: &str = "a role is named by 1 to 32 characters of a-z 0-9 _ and begins with a-z";
const PERMISSION_RULE: &str =
    "a permission is <context>:<action>, both of a-z and _, at most 64 characters together";

/// Whether `text` is an id.
fn is_id(text: &str) -> bool {
    (1..=ID_CHARS_MAX).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
}

/// Whether `text` names a role.
fn is_role(text: &str) -> bool {
    text.len() <= ROLE_CHARS_MAX
        && text.starts_with(|first: char| first.is_ascii_lowercase())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
}

/// Whether `text` names a permission.
fn is_permission(text: &str) -> bool {
    let is_word =
        |word: &str| !word.is_empty() && word.bytes().all(|b| b.is_ascii_lowercase() || b == b'_');
    text.len() <= PERMISSION_CHARS_MAX
        && text.split_once(':').is_some_and(|(context, action)| is_word(context) && is_word(action))
}

/// A user or a service. Says nothing about who that is.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "principal-north", pattern = "^[a-z0-9-]{1,64}$")
)]
pub struct PrincipalId(String);

impl PrincipalId {
    /// The service of a validator.
    pub fn of_validator(address: Address) -> PrincipalId {
        PrincipalId(format!("{VALIDATOR_PREFIX}{address}").to_ascii_lowercase())
    }

    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whose service it is; none when it is no validator's.
    pub fn validator(&self) -> Option<Address> {
        self.0.strip_prefix(VALIDATOR_PREFIX)?.to_ascii_uppercase().parse().ok()
    }
}

impl TryFrom<String> for PrincipalId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<PrincipalId, ValueError> {
        let keeps = is_id(&text);
        kept(text, keeps, PRINCIPAL_RULE).map(PrincipalId)
    }
}

impl FromStr for PrincipalId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<PrincipalId, ValueError> {
        PrincipalId::try_from(text.to_owned())
    }
}

impl fmt::Display for PrincipalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A session: one login and every refresh of it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "session-1", pattern = "^[a-z0-9-]{1,64}$")
)]
pub struct SessionId(String);

impl SessionId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for SessionId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<SessionId, ValueError> {
        let keeps = is_id(&text);
        kept(text, keeps, SESSION_RULE).map(SessionId)
    }
}

impl FromStr for SessionId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<SessionId, ValueError> {
        SessionId::try_from(text.to_owned())
    }
}

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// An API key, by its public half.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "key-1", pattern = "^[a-z0-9-]{1,64}$")
)]
pub struct ApiKeyId(String);

impl ApiKeyId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ApiKeyId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<ApiKeyId, ValueError> {
        let keeps = is_id(&text);
        kept(text, keeps, API_KEY_RULE).map(ApiKeyId)
    }
}

impl FromStr for ApiKeyId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<ApiKeyId, ValueError> {
        ApiKeyId::try_from(text.to_owned())
    }
}

impl fmt::Display for ApiKeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a role, such as `super_admin`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "operator", pattern = "^[a-z][a-z0-9_]{0,31}$")
)]
pub struct RoleName(String);

impl RoleName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for RoleName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<RoleName, ValueError> {
        let keeps = is_role(&text);
        kept(text, keeps, ROLE_RULE).map(RoleName)
    }
}

impl FromStr for RoleName {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<RoleName, ValueError> {
        RoleName::try_from(text.to_owned())
    }
}

impl fmt::Display for RoleName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The name of a permission: `<context>:<action>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "validator:jail", max_length = 64, pattern = "^[a-z_]+:[a-z_]+$")
)]
pub struct PermissionName(String);

impl PermissionName {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PermissionName {
    type Error = ValueError;
    fn try_from(text: String) -> Result<PermissionName, ValueError> {
        let keeps = is_permission(&text);
        kept(text, keeps, PERMISSION_RULE).map(PermissionName)
    }
}

impl FromStr for PermissionName {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<PermissionName, ValueError> {
        PermissionName::try_from(text.to_owned())
    }
}

impl fmt::Display for PermissionName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
