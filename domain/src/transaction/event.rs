//! What can have happened to an account.
//!
//! Does not know the moment: the record says when. What blocks executed is not among it.

use std::fmt;

use serde::{Deserialize, Serialize, Serializer};

use super::{Transaction, envelope::from_history};
use crate::{
    aggregate,
    values::{Amount, Hash, Height, Nonce, Reservation},
};

/// A fact about an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountEvent))]
pub enum Event {
    /// A transaction waits for a block.
    #[serde(rename = "transaction-accepted.v1")]
    TransactionAccepted(TransactionAccepted),
    /// A transaction waits no longer, and was not executed.
    #[serde(rename = "transaction-evicted.v1")]
    TransactionEvicted(TransactionEvicted),
    /// A part of the balance was set aside.
    #[serde(rename = "reservation-made.v1")]
    ReservationMade(ReservationMade),
    /// It is free again.
    #[serde(rename = "reservation-released.v1")]
    ReservationReleased(ReservationReleased),
}

/// Where an accepted transaction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Placement {
    /// Every nonce before it is taken: a block may hold it.
    Pending,
    /// Nonces before it are missing.
    Queued,
}

/// A transaction waits for a block.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransactionAccepted {
    /// The account's nonce in the ledger: what is below it was executed and waits no longer.
    pub account_nonce: Nonce,
    /// Its hash.
    pub hash: Hash,
    /// The last height executed before; none before the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub head: Option<Height>,
    /// Where it stands.
    pub placement: Placement,
    /// The hash of the transaction whose place it takes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replaces: Option<Hash>,
    /// The transaction.
    #[serde(deserialize_with = "from_history")]
    pub transaction: Transaction,
}

/// Why a transaction was taken out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Eviction {
    /// It waited longer than it may.
    Expired,
    /// There was no room, and others pay more.
    MempoolFull,
    /// A block executed another transaction with its nonce.
    NonceSuperseded,
}

impl fmt::Display for Eviction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Eviction::Expired => "it waited longer than it may",
            Eviction::MempoolFull => "there was no room, and others pay more",
            Eviction::NonceSuperseded => "a block executed another transaction with its nonce",
        })
    }
}

/// A transaction waits no longer, and was not executed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct TransactionEvicted {
    /// Its hash.
    pub hash: Hash,
    /// Its nonce: those after it are queued from now on.
    pub nonce: Nonce,
    /// Why.
    pub reason: Eviction,
}

/// A part of the balance was set aside.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReservationMade {
    /// How much.
    pub amount: Amount,
    /// For what.
    pub purpose: Reservation,
    /// All that is set aside.
    pub reserved: Amount,
}

/// A reservation ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReservationReleased {
    /// How much it was.
    pub amount: Amount,
    /// For what.
    pub purpose: Reservation,
    /// All that is still set aside.
    pub reserved: Amount,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "transaction-accepted.v1",
        "transaction-evicted.v1",
        "reservation-made.v1",
        "reservation-released.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::TransactionAccepted(_) => "transaction-accepted.v1",
            Event::TransactionEvicted(_) => "transaction-evicted.v1",
            Event::ReservationMade(_) => "reservation-made.v1",
            Event::ReservationReleased(_) => "reservation-released.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::TransactionAccepted(data) => data.serialize(serializer),
            Event::TransactionEvicted(data) => data.serialize(serializer),
            Event::ReservationMade(data) => data.serialize(serializer),
            Event::ReservationReleased(data) => data.serialize(serializer),
        }
    }
}
