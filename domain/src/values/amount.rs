//! Amounts, voting powers and fractions.
//!
//! Does not know floats; whatever could overflow is checked.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    ValueError, from_text,
    number::{SIGNED_MAX, decimal},
};

/// The greatest total power of a validator set, CometBFT's `MaxTotalVotingPower`: (2^63 - 1) / 8.
pub const POWER_TOTAL_MAX: u64 = SIGNED_MAX / 8;
/// What one whole is in basis points.
const BPS_WHOLE: u16 = 10_000;

/// Strictly more than two thirds, in integers.
pub fn is_quorum(part: u64, total: u64) -> bool {
    3 * u128::from(part) > 2 * u128::from(total)
}

/// A sum in base units: a u128, a decimal string in JSON. Only checked arithmetic.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "1000000", pattern = "^(0|[1-9][0-9]{0,38})$")
)]
pub struct Amount(u128);

const AMOUNT_RULE: &str =
    "an amount is a plain decimal string of base units from \"0\" to 2^128 - 1";

impl Amount {
    /// Nothing.
    pub const ZERO: Amount = Amount(0);

    /// Every u128 is an amount.
    pub const fn new(units: u128) -> Amount {
        Amount(units)
    }

    /// As a number of base units.
    pub const fn value(self) -> u128 {
        self.0
    }

    /// Whether it is nothing.
    pub const fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum; none when it does not fit.
    pub fn plus(self, other: Amount) -> Option<Amount> {
        self.0.checked_add(other.0).map(Amount)
    }

    /// The difference; none when `other` is greater.
    pub fn minus(self, other: Amount) -> Option<Amount> {
        self.0.checked_sub(other.0).map(Amount)
    }

    /// What is left after taking `other`, nothing when that is more than there is.
    pub fn less(self, other: Amount) -> Amount {
        Amount(self.0.saturating_sub(other.0))
    }

    /// The sum, or the greatest amount: for totals whose parts were bounded when they were decided.
    pub fn and(self, other: Amount) -> Amount {
        Amount(self.0.saturating_add(other.0))
    }

    /// The voting power this stake gives: whole multiples of `reduction`, at most 2^63 - 1.
    pub fn power(self, reduction: Amount) -> Power {
        let units = self.0 / reduction.0.max(1);
        Power(u64::try_from(units).map_or(SIGNED_MAX, |power| power.min(SIGNED_MAX)))
    }
}

impl FromStr for Amount {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Amount, ValueError> {
        decimal(text, AMOUNT_RULE).map(Amount)
    }
}

impl From<u128> for Amount {
    fn from(units: u128) -> Amount {
        Amount(units)
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Amount {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Amount {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Amount, D::Error> {
        from_text(deserializer, "an amount as a decimal string such as \"1000000\"")
    }
}

/// Voting power: bonded stake / `power_reduction`; at most 2^63 - 1.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, example = "10", pattern = "^(0|[1-9][0-9]{0,18})$")
)]
pub struct Power(u64);

const POWER_RULE: &str = "a voting power is a decimal string from \"0\" to \"9223372036854775807\"";

impl Power {
    /// No say at all.
    pub const ZERO: Power = Power(0);

    /// Checks the range.
    pub fn new(power: u64) -> Result<Power, ValueError> {
        if power > SIGNED_MAX {
            return Err(ValueError::new(POWER_RULE, &power.to_string()));
        }
        Ok(Power(power))
    }

    /// As a number.
    pub const fn value(self) -> u64 {
        self.0
    }

    /// The sum, or 2^63 - 1 when that is less; a set's total is bounded by [`POWER_TOTAL_MAX`].
    pub fn and(self, other: Power) -> Power {
        Power(self.0.saturating_add(other.0).min(SIGNED_MAX))
    }
}

impl FromStr for Power {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Power, ValueError> {
        Power::new(decimal(text, POWER_RULE)?)
    }
}

impl TryFrom<u64> for Power {
    type Error = ValueError;
    fn try_from(power: u64) -> Result<Power, ValueError> {
        Power::new(power)
    }
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl Serialize for Power {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Power {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Power, D::Error> {
        from_text(deserializer, "a voting power as a decimal string such as \"10\"")
    }
}

/// Basis points, 0 to 10_000: every fraction in the domain; a JSON number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = u16, example = 500, maximum = 10_000)
)]
pub struct Bps(u16);

const BPS_RULE: &str = "basis points are a number from 0 to 10000";

impl Bps {
    /// No part.
    pub const ZERO: Bps = Bps(0);
    /// The whole.
    pub const WHOLE: Bps = Bps(BPS_WHOLE);

    /// Checked when compiled: for constants. Panics above 10_000, at compile time.
    pub(crate) const fn constant(bps: u16) -> Bps {
        assert!(bps <= BPS_WHOLE, "a constant fraction is at most a whole");
        Bps(bps)
    }

    /// As a number.
    pub const fn value(self) -> u16 {
        self.0
    }

    /// This part of `amount`, rounded down; exact for every amount.
    pub fn of(self, amount: Amount) -> Amount {
        let (whole, rest) = (amount.0 / u128::from(BPS_WHOLE), amount.0 % u128::from(BPS_WHOLE));
        let bps = u128::from(self.0);
        Amount(whole * bps + rest * bps / u128::from(BPS_WHOLE))
    }

    /// How far apart two fractions are.
    pub fn distance(self, other: Bps) -> u16 {
        self.0.abs_diff(other.0)
    }
}

impl TryFrom<u16> for Bps {
    type Error = ValueError;
    fn try_from(bps: u16) -> Result<Bps, ValueError> {
        if bps > BPS_WHOLE {
            return Err(ValueError::new(BPS_RULE, &bps.to_string()));
        }
        Ok(Bps(bps))
    }
}

impl FromStr for Bps {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Bps, ValueError> {
        Bps::try_from(decimal::<u16>(text, BPS_RULE)?)
    }
}

impl fmt::Display for Bps {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Bps {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Bps, D::Error> {
        let found = u64::deserialize(deserializer)?;
        u16::try_from(found)
            .ok()
            .and_then(|bps| Bps::try_from(bps).ok())
            .ok_or_else(|| de::Error::custom(ValueError::new(BPS_RULE, &found.to_string())))
    }
}
