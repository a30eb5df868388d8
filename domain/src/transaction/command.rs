//! What can be asked of an account.
//!
//! Does not know who may ask: a transaction speaks for itself by its signature.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, Eviction, Transaction};
use crate::values::{Amount, Hash, Reservation};

/// A command to an account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountCommand))]
pub enum Command {
    /// Submits a transaction of the account's own.
    Submit {
        /// The transaction.
        transaction: Transaction,
    },
    /// Takes a waiting transaction out of the queue.
    Evict {
        /// Which.
        hash: Hash,
        /// Why.
        reason: Eviction,
    },
    /// Sets a part of the balance aside.
    Reserve {
        /// How much.
        amount: Amount,
        /// For what; one reservation for each purpose.
        purpose: Reservation,
    },
    /// Ends a reservation.
    Release {
        /// For what it was.
        purpose: Reservation,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["submit", "evict", "reserve", "release"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Submit { .. } => "submit",
            Command::Evict { .. } => "evict",
            Command::Reserve { .. } => "reserve",
            Command::Release { .. } => "release",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        serde_json::from_str(include_str!("examples.json"))
            .expect("the examples are part of the program, and a test reads them")
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`].
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::TransactionAccepted(data) => {
            Command::Submit { transaction: data.transaction.clone() }
        }
        Event::TransactionEvicted(data) => Command::Evict { hash: data.hash, reason: data.reason },
        Event::ReservationMade(data) => {
            Command::Reserve { amount: data.amount, purpose: data.purpose.clone() }
        }
        Event::ReservationReleased(data) => Command::Release { purpose: data.purpose.clone() },
    })
}
