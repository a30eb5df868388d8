//! The names and addresses of peers.
//!
//! Does not know whether anybody listens there.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{ValueError, text::kept};

/// The longest id of a peer in characters.
const PEER_CHARS_MAX: usize = 64;
/// The longest address of a peer in characters: a host name of 253, a colon and a port.
const PEER_ADDRESS_CHARS_MAX: usize = 259;

const PEER_RULE: &str = "a peer is named by 1 to 64 characters of A-Z a-z 0-9";
const PEER_ADDRESS_RULE: &str =
    "a peer's address is <host>:<port>, a name or an IP address (IPv6 in brackets) and 1 to 65535";

/// Whether `text` names a peer.
fn is_peer(text: &str) -> bool {
    (1..=PEER_CHARS_MAX).contains(&text.len()) && text.bytes().all(|b| b.is_ascii_alphanumeric())
}

/// Whether `text` is a host and a port.
fn is_host_and_port(text: &str) -> bool {
    let Some((host, port)) = text.rsplit_once(':') else { return false };
    let digits = !port.is_empty() && port.bytes().all(|b| b.is_ascii_digit());
    let port = digits && !port.starts_with('0') && port.parse::<u16>().is_ok();
    let in_brackets = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    let host = match in_brackets {
        Some(v6) => v6.contains(':') && v6.bytes().all(|b| b.is_ascii_hexdigit() || b == b':'),
        None => {
            !host.is_empty()
                && host.bytes().all(|b| b.is_ascii_alphanumeric() || b".-".contains(&b))
        }
    };
    text.len() <= PEER_ADDRESS_CHARS_MAX && host && port
}

/// A node, by the id of its key.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "b600306cfa76723fdec395e53a9b3d9fdb78b1e2", pattern = "^[A-Za-z0-9]{1,64}$")
)]
pub struct PeerId(String);

impl PeerId {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PeerId {
    type Error = ValueError;
    fn try_from(text: String) -> Result<PeerId, ValueError> {
        let keeps = is_peer(&text);
        kept(text, keeps, PEER_RULE).map(PeerId)
    }
}

impl FromStr for PeerId {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<PeerId, ValueError> {
        PeerId::try_from(text.to_owned())
    }
}

impl fmt::Display for PeerId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Where a node listens: host and port.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(example = "node.north.example:26656")
)]
pub struct PeerAddress(String);

impl PeerAddress {
    /// As text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for PeerAddress {
    type Error = ValueError;
    fn try_from(text: String) -> Result<PeerAddress, ValueError> {
        let keeps = is_host_and_port(&text);
        kept(text, keeps, PEER_ADDRESS_RULE).map(PeerAddress)
    }
}

impl FromStr for PeerAddress {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<PeerAddress, ValueError> {
        PeerAddress::try_from(text.to_owned())
    }
}

impl fmt::Display for PeerAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}
