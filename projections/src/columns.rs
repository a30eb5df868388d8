//! How domain values stand in columns: unsigned numbers as `bigint`, amounts as `numeric(39, 0)` by
//! way of text, addresses, hashes and keys as `bytea`.
//!
//! Does not know any table.

use std::str::FromStr;

use domain::values::{Address, AppHash, Bps, Hash, PublicKey};
use serde::{
    Deserialize, Serialize, Serializer,
    de::{IntoDeserializer as _, value},
};

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

/// A hash of a `bytea` column.
pub(crate) fn hash(column: &[u8]) -> Result<Hash, sqlx::Error> {
    bytes(column).map(Hash::from_bytes)
}

/// An application hash of a `bytea` column.
pub(crate) fn app_hash(column: &[u8]) -> Result<AppHash, sqlx::Error> {
    AppHash::from_bytes(column.to_vec()).map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// A key of a `bytea` column.
pub(crate) fn public_key(column: &[u8]) -> Result<PublicKey, sqlx::Error> {
    let key = PublicKey::from_bytes(bytes(column)?);
    key.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// Basis points of an `integer` column.
pub(crate) fn bps(column: i32) -> Result<Bps, sqlx::Error> {
    converted(converted::<u16, _>(column)?)
}

/// A value without members by the name it is written with.
pub(crate) fn named<T: for<'de> Deserialize<'de>>(name: &str) -> Result<T, sqlx::Error> {
    let read: Result<T, value::Error> = T::deserialize(name.into_deserializer());
    read.map_err(|error| sqlx::Error::Decode(Box::new(error)))
}

/// The name that a value without members is written with.
pub(crate) fn name(value: &impl Serialize) -> Result<String, sqlx::Error> {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(name)) => Ok(name),
        Ok(other) => Err(sqlx::Error::Encode(format!("{other} is no name").into())),
        Err(error) => Err(sqlx::Error::Encode(Box::new(error))),
    }
}

/// One column of many rows, as a statement takes it.
pub(crate) fn column<'r, R, T>(rows: &'r [R], of: impl Fn(&'r R) -> T) -> Vec<T> {
    rows.iter().map(of).collect()
}

/// Writes a u64 as a decimal string, as everywhere in the interface.
pub fn decimal<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(number)
}

/// The same for one that may be missing.
pub(crate) fn optional_decimal<S: Serializer>(
    number: &Option<u64>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match number {
        Some(number) => serializer.collect_str(number),
        None => serializer.serialize_none(),
    }
}

/// A u64 that is written as a decimal string, and read from one.
pub(crate) mod decimal_text {
    use serde::{Deserialize as _, Deserializer, Serializer, de};

    pub(crate) fn serialize<S: Serializer>(number: &u64, serializer: S) -> Result<S::Ok, S::Error> {
        super::decimal(number, serializer)
    }

    pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(de::Error::custom)
    }
}
