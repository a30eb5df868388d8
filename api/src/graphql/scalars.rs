//! The scalars of the schema: the domain's values, parsed by the domain's rules.
//!
//! Does not know any rule itself.

use std::{fmt::Display, str::FromStr};

use async_graphql::scalar;
use domain::values;
use serde::{Deserialize, Serialize};

use crate::past;

/// 20 bytes in upper hex.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Address(pub values::Address);
scalar!(Address, "Address", "A validator's or account's address: 20 bytes in upper hex.");

/// Base units.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Amount(pub values::Amount);
scalar!(Amount, "Amount", "A sum in base units: a decimal string of an unsigned 128-bit number.");

/// A chain's name.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct ChainId(pub values::ChainId);
scalar!(ChainId, "ChainId", "A chain's name: 1 to 50 of A-Z a-z 0-9 . _ -");

/// What stands for a document.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Digest(pub values::Digest);
scalar!(Digest, "Digest", "A document's digest: 1 to 64 bytes in hex.");

/// A run of heights with one validator set.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Epoch(pub values::Epoch);
scalar!(Epoch, "Epoch", "An epoch: a decimal string, counted from 0.");

/// SHA-256.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Hash(pub values::Hash);
scalar!(Hash, "Hash", "A SHA-256 hash: 32 bytes in upper hex.");

/// A block's height.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Height(pub values::Height);
scalar!(Height, "Height", "A height: a decimal string, counted from 1.");

/// A moment in UTC.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Moment(pub values::Moment);
scalar!(Moment, "Moment", "A moment in UTC: RFC 3339 with six fraction digits and Z.");

/// A voting power.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Power(pub values::Power);
scalar!(Power, "Power", "A voting power: a decimal string.");

/// An Ed25519 key.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PublicKey(pub values::PublicKey);
scalar!(PublicKey, "PublicKey", "An Ed25519 public key: 32 bytes in base64.");

/// Whatever JSON there is.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Anything(pub serde_json::Value);
scalar!(Anything, "JSON", "Any JSON value.");

/// A place in the log, a version, a count.
#[derive(Clone, Copy, Debug)]
pub struct Position(pub u64);
scalar!(Position, "Position", "A position in the log, a version or a count: a decimal string.");

impl Serialize for Position {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

/// Also reads JSON numbers: a client may hand back what a command's reply gave it.
impl<'de> Deserialize<'de> for Position {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Position, D::Error> {
        given(deserializer).map(Position)
    }
}

/// A point of the past.
#[derive(Clone, Copy, Debug)]
pub struct AsOf(pub past::AsOf);
scalar!(
    AsOf,
    "AsOf",
    "A point of the past: a position in the log (a decimal string), or a moment (RFC 3339)."
);

impl Serialize for AsOf {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for AsOf {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<AsOf, D::Error> {
        given(deserializer).map(AsOf)
    }
}

/// What is written as a text, or as a JSON number.
fn given<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: serde::Deserializer<'de>,
    T: FromStr<Err: Display>,
{
    #[derive(Deserialize)]
    #[serde(untagged)]
    enum Given {
        Number(u64),
        Text(String),
    }
    let text = match Given::deserialize(deserializer)? {
        Given::Number(number) => number.to_string(),
        Given::Text(text) => text,
    };
    text.parse().map_err(serde::de::Error::custom)
}
