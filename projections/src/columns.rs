//! How domain values stand in columns: unsigned numbers as `bigint`, amounts as `numeric(39, 0)` by way
//! of text, addresses, hashes and keys as `bytea`.
//!
//! Does not know any table.

use std::str::FromStr;

use domain::values::Address;
use serde::Serializer;

/// A number for a `bigint` column; refused when it does not fit.
pub(crate) fn signed(number: u64) -> Result<i64, sqlx::Error> {
    i64::try_from(number).map_err(|error| sqlx::Error::Encode(Box::new(error)))
}

/// A number of a `bigint` column that a constraint keeps from being negative.
pub(crate) fn unsigned(number: i64) -> u64 {
    number.unsigned_abs()
}

/// A value written as text or number in a column that this program filled.
pub(crate) fn parsed<T>(text: &str) -> Result<T, sqlx::Error>
where
    T: FromStr<Err: std::error::Error + Send + Sync + 'static>,
{
    text.parse().map_err(|error: T::Err| sqlx::Error::Decode(Box::new(error)))
}

/// A value made from another that a column can hold.
pub(crate) fn converted<T, F>(from: F) -> Result<T, sqlx::Error>
where
    T: TryFrom<F, Error: std::error::Error + Send + Sync + 'static>,
{
    T::try_from(from).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The bytes of a column of fixed length.
pub(crate) fn bytes<const N: usize>(column: &[u8]) -> Result<[u8; N], sqlx::Error> {
    column.try_into().map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// An address of a `bytea` column.
pub(crate) fn address(column: &[u8]) -> Result<Address, sqlx::Error> {
    bytes(column).map(Address::from_bytes)
}

/// Writes a u64 as a decimal string, as everywhere in the interface.
pub(crate) fn decimal<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}
