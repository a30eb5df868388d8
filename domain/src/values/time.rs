//! The moment something was decided: UTC with microseconds, handed in.
//!
//! Does not know what time it is.

use std::{fmt, str::FromStr};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{ValueError, from_text};

/// 0001-01-01T00:00:00.000000Z in microseconds.
const FIRST_MICROS: i64 = -62_135_596_800_000_000;
/// 9999-12-31T23:59:59.999999Z in microseconds.
const LAST_MICROS: i64 = 253_402_300_799_999_999;
/// Microseconds in a second.
const SECOND_MICROS: i64 = 1_000_000;
/// Seconds in a day.
const DAY_SECONDS: i64 = 86_400;
/// The characters of the one form in which moments are written.
const FORM: &[u8; 27] = b"0000-00-00T00:00:00.000000Z";

const MOMENT_RULE: &str =
    "a moment is RFC 3339 within the years 0001 to 9999, such as 2026-01-31T09:00:00.000000Z";

/// A point in time in UTC, in microseconds, within the years 0001 to 9999. Written as RFC 3339 with
/// exactly six digits of fraction and `Z`; finer fractions are cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[cfg_attr(
    feature = "schema",
    derive(utoipa::ToSchema),
    schema(value_type = String, format = DateTime, example = "2026-01-31T09:00:00.000000Z")
)]
pub struct Moment(i64);

impl Moment {
    /// 1970-01-01T00:00:00.000000Z.
    pub const EPOCH: Moment = Moment(0);

    /// From microseconds since 1970; what lies outside the years 0001 to 9999 becomes the nearest
    /// moment that can be written.
    pub fn from_micros(micros: i64) -> Moment {
        Moment(micros.clamp(FIRST_MICROS, LAST_MICROS))
    }

    /// Microseconds since 1970.
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// `seconds` later, at most the last moment that can be written.
    pub fn plus_seconds(self, seconds: u64) -> Moment {
        let micros = i64::try_from(seconds).unwrap_or(i64::MAX).saturating_mul(SECOND_MICROS);
        Moment::from_micros(self.0.saturating_add(micros))
    }

    /// `millis` milliseconds later, at most the last moment that can be written.
    pub fn plus_millis(self, millis: u64) -> Moment {
        let micros = i64::try_from(millis).unwrap_or(i64::MAX).saturating_mul(1_000);
        Moment::from_micros(self.0.saturating_add(micros))
    }

    /// The days since 1970 and the microseconds of the day.
    fn parts(self) -> (i64, i64) {
        let day_micros = DAY_SECONDS * SECOND_MICROS;
        (self.0.div_euclid(day_micros), self.0.rem_euclid(day_micros))
    }
}

/// Year, month and day of the day `days` after 1970-01-01 in the proleptic Gregorian calendar, by
/// counting 400-year eras from 0000-03-01.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year_of_era = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

/// Writes `number` right-aligned into `digits`, which holds zeros.
fn write_digits(digits: &mut [u8], number: i64) {
    let mut rest = number;
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

impl fmt::Display for Moment {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (days, micros) = self.parts();
        let (year, month, day) = civil(days);
        let seconds = micros / SECOND_MICROS;
        let mut form = *FORM;
        write_digits(&mut form[0..4], year);
        write_digits(&mut form[5..7], month);
        write_digits(&mut form[8..10], day);
        write_digits(&mut form[11..13], seconds / 3_600);
        write_digits(&mut form[14..16], seconds / 60 % 60);
        write_digits(&mut form[17..19], seconds % 60);
        write_digits(&mut form[20..26], micros % SECOND_MICROS);
        f.write_str(std::str::from_utf8(&form).map_err(|_| fmt::Error)?)
    }
}

impl FromStr for Moment {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<Moment, ValueError> {
        let fault = || ValueError::new(MOMENT_RULE, text);
        let parsed = DateTime::parse_from_rfc3339(text).map_err(|_| fault())?;
        let micros = parsed.timestamp_micros();
        if !(FIRST_MICROS..=LAST_MICROS).contains(&micros) {
            return Err(fault());
        }
        Ok(Moment(micros))
    }
}

impl From<DateTime<Utc>> for Moment {
    fn from(time: DateTime<Utc>) -> Moment {
        Moment::from_micros(time.timestamp_micros())
    }
}

impl From<Moment> for DateTime<Utc> {
    fn from(moment: Moment) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(moment.0)
            .expect("every moment lies within the years 0001 to 9999")
    }
}

impl Serialize for Moment {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Moment {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Moment, D::Error> {
        from_text(deserializer, "a moment as RFC 3339")
    }
}
