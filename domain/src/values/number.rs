//! Heights, rounds, epochs and nonces.
//!
//! Does not know floats; whatever could overflow is checked.

use std::{fmt, num::ParseIntError, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ValueError, from_text};

/// The greatest height, epoch or power: 2^63 - 1, as in CometBFT's int64 and SQL's bigint.
pub(super) const SIGNED_MAX: u64 = i64::MAX as u64;

/// A plain decimal: digits only, no sign, no leading zero.
pub(super) fn decimal<T>(text: &str, rule: &'static str) -> Result<T, ValueError>
where
    T: FromStr<Err = ParseIntError>,
{
    let plain = !text.is_empty()
        && text.bytes().all(|b| b.is_ascii_digit())
        && (text.len() == 1 || !text.starts_with('0'));
    if !plain {
        return Err(ValueError::new(rule, text));
    }
    text.parse().map_err(|_| ValueError::new(rule, text))
}

/// The height of a block: 1 to 2^63 - 1. The state of genesis is "height 0" and has no `Height`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "1", pattern = "^[1-9][0-9]{0,18}$")
)]
pub struct Height(u64);

const HEIGHT_RULE: &str = "a height is a decimal string from \"1\" to \"9223372036854775807\"";

impl Height {
    /// The first height.
    pub const FIRST: Height = Height(1);

    /// Checks the range.
    pub fn new(height: u64) -> Result<Height, ValueError> {
        if height == 0 || height > SIGNED_MAX {
            return Err(ValueError::new(HEIGHT_RULE, &height.to_string()));
        }
        Ok(Height(height))
    }

    /// As a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The height after this one; none after the last there can be.
    pub fn next(self) -> Option<Height> {
        Height::new(self.0 + 1).ok()
    }

    /// The epoch it lies in when each epoch has `epoch_blocks` heights: height 1 opens epoch 0.
    pub fn epoch(self, epoch_blocks: u32) -> Epoch {
        Epoch((self.0 - 1) / u64::from(epoch_blocks.max(1)))
    }
}

impl FromStr for Height {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Height, ValueError> {
        Height::new(decimal(text, HEIGHT_RULE)?)
    }
}

impl TryFrom<u64> for Height {
    type Error = ValueError;
    fn try_from(height: u64) -> Result<Height, ValueError> {
        Height::new(height)
    }
}

impl fmt::Display for Height {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Height {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Height {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Height, D::Error> {
        from_text(deserializer, "a height as a decimal string such as \"1\"")
    }
}

/// A run of heights with one validator set, counted from 0; at most 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "0", pattern = "^(0|[1-9][0-9]{0,18})$")
)]
pub struct Epoch(u64);

const EPOCH_RULE: &str = "an epoch is a decimal string from \"0\" to \"9223372036854775807\"";

impl Epoch {
    /// The first epoch.
    pub const FIRST: Epoch = Epoch(0);

    /// Checks the range.
    pub fn new(epoch: u64) -> Result<Epoch, ValueError> {
        if epoch > SIGNED_MAX {
            return Err(ValueError::new(EPOCH_RULE, &epoch.to_string()));
        }
        Ok(Epoch(epoch))
    }

    /// As a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// `epochs` later; the last epoch there can be when that is beyond it.
    pub fn plus(self, epochs: u32) -> Epoch {
        Epoch(self.0.saturating_add(u64::from(epochs)).min(SIGNED_MAX))
    }

    /// The first height in it when each epoch has `epoch_blocks` heights; none beyond the last
    /// height.
    pub fn first_height(self, epoch_blocks: u32) -> Option<Height> {
        let before = self.0.checked_mul(u64::from(epoch_blocks))?;
        Height::new(before.checked_add(1)?).ok()
    }

    /// The last height in it when each epoch has `epoch_blocks` heights; none beyond the last
    /// height.
    pub fn last_height(self, epoch_blocks: u32) -> Option<Height> {
        let last = self.0.checked_add(1)?.checked_mul(u64::from(epoch_blocks))?;
        Height::new(last).ok()
    }
}

impl FromStr for Epoch {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Epoch, ValueError> {
        Epoch::new(decimal(text, EPOCH_RULE)?)
    }
}

impl TryFrom<u64> for Epoch {
    type Error = ValueError;
    fn try_from(epoch: u64) -> Result<Epoch, ValueError> {
        Epoch::new(epoch)
    }
}

impl fmt::Display for Epoch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Epoch {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Epoch {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Epoch, D::Error> {
        from_text(deserializer, "an epoch as a decimal string such as \"0\"")
    }
}

/// The place of a transaction among its sender's, counted from 0; at most 2^63 - 1. An account's
/// own nonce is that of its next transaction: how many were executed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "0", pattern = "^(0|[1-9][0-9]{0,18})$")
)]
pub struct Nonce(u64);

const NONCE_RULE: &str = "a nonce is a decimal string from \"0\" to \"9223372036854775807\"";

impl Nonce {
    /// That of an account's first transaction.
    pub const FIRST: Nonce = Nonce(0);

    /// Checks the range.
    pub fn new(nonce: u64) -> Result<Nonce, ValueError> {
        if nonce > SIGNED_MAX {
            return Err(ValueError::new(NONCE_RULE, &nonce.to_string()));
        }
        Ok(Nonce(nonce))
    }

    /// As a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The nonce after this one; the last there can be is its own next.
    pub fn next(self) -> Nonce {
        Nonce((self.0 + 1).min(SIGNED_MAX))
    }
}

impl FromStr for Nonce {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Nonce, ValueError> {
        Nonce::new(decimal(text, NONCE_RULE)?)
    }
}

impl TryFrom<u64> for Nonce {
    type Error = ValueError;
    fn try_from(nonce: u64) -> Result<Nonce, ValueError> {
        Nonce::new(nonce)
    }
}

impl fmt::Display for Nonce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Nonce {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Nonce {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Nonce, D::Error> {
        from_text(deserializer, "a nonce as a decimal string such as \"0\"")
    }
}

/// A round of one height, from 0 to 2^31 - 1; a JSON number.
#[derive(
    Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(try_from = "u32")]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = u32, example = 0, maximum = 2_147_483_647)
)]
pub struct Round(u32);

const ROUND_RULE: &str = "a round is a number from 0 to 2147483647";

impl Round {
    /// The first round of every height.
    pub const FIRST: Round = Round(0);

    /// The round after this one; none after the last there can be.
    pub fn next(self) -> Option<Round> {
        Round::try_from(self.0.checked_add(1)?).ok()
    }

    /// `rounds` later; the last round there can be when that is beyond it.
    pub fn plus(self, rounds: u32) -> Round {
        Round(self.0.saturating_add(rounds).min(i32::MAX.unsigned_abs()))
    }

    /// As a number.
    pub const fn value(self) -> u32 {
        self.0
    }
}

impl TryFrom<u32> for Round {
    type Error = ValueError;
    fn try_from(round: u32) -> Result<Round, ValueError> {
        if i32::try_from(round).is_err() {
            return Err(ValueError::new(ROUND_RULE, &round.to_string()));
        }
        Ok(Round(round))
    }
}

impl FromStr for Round {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Round, ValueError> {
        Round::try_from(decimal::<u32>(text, ROUND_RULE)?)
    }
}

impl fmt::Display for Round {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
