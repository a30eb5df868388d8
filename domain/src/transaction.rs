//! From a signed wish to its place in the queue: transactions, and each sender's account of those
//! that wait.
//!
//! Does not execute anything and does not know balances: [`crate::ledger`] does, and what a
//! decision must know of it is handed in. What a block executed is not written here again.
//!
//! The story. A sender signs an [`Envelope`]: which chain, which [`Nonce`], what is to be done
//! ([`Payload`]) and what it may cost. With the signature it is a [`Transaction`], named by the
//! hash of its bytes. Submitted, it waits in its sender's stream, `account-<address>`: pending when
//! every nonce before it is taken, queued when some are missing. Another transaction with the same
//! nonce takes its place only for a fee a tenth higher. It leaves when a block executes it (the
//! next event of the stream shows the account's new nonce) or when it is evicted. What waits must
//! be covered by the balance, together with what is reserved, such as the bond of a registration
//! under way.
//!
//! The bytes. A transaction is the RFC 8785 (JCS) JSON of its members; [`Transaction::hash`] is the
//! SHA-256 of these bytes. The sender signs the same without `signature`. Values have one form
//! each (hex in upper case, numbers as plain decimal strings), and it is this form that is signed,
//! whichever was submitted. Signatures are judged by ZIP 215, for which many at once are judged as
//! each alone ([`crate::signatures`]): validators must never differ about one.

mod command;
mod decide;
mod envelope;
mod event;
mod fee_rate;
mod payload;
mod refusal;
#[cfg(feature = "schema")]
mod schema;
mod state;

pub use crate::values::MEMO_BYTES_MAX;
pub use command::Command;
pub use envelope::{Envelope, TRANSACTION_BYTES_MAX, Transaction, Unreadable, verify_all};
pub use event::{
    Event, Eviction, Placement, ReservationMade, ReservationReleased, TransactionAccepted,
    TransactionEvicted,
};
pub use fee_rate::FeeRate;
pub use payload::Payload;
pub use refusal::Refusal;
pub use state::{Account, Waiting};

use crate::{
    aggregate::Aggregate,
    parameters::Parameters,
    values::{Address, Amount, ChainId, Height, Moment, Nonce},
};

/// How far a queued transaction's nonce may be ahead of the next one that is missing.
pub const NONCES_AHEAD_MAX: u64 = 1_000;
/// By how much a replacement's fee must be higher at least: one in so many.
pub const REPLACEMENT_FEE_ONE_IN: u128 = 10;
/// How many more than may wait are let in when they pay more than the lowest: one in so many. As
/// many of the lowest go at the next block.
pub const MEMPOOL_EXCESS_ONE_IN: u32 = 100;
/// The most reservations of one account.
pub const RESERVATIONS_MAX: usize = 100;

/// What a decision must know beyond the account's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The address the stream is named by.
    pub address: Address,
    /// The account's balance in the ledger.
    pub balance: Amount,
    /// The chain that executes; none before its genesis.
    pub chain_id: Option<ChainId>,
    /// The last height that was executed; none before the first.
    pub head: Option<Height>,
    /// What waits of all senders.
    pub mempool: Mempool,
    /// The account's nonce in the ledger.
    pub nonce: Nonce,
    /// When it is decided.
    pub now: Moment,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The nonce of the transaction that is to be evicted, when a block executed another with it.
    pub superseded: Option<Nonce>,
}

/// What waits of all senders.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Mempool {
    /// The highest fee rate among those that have to go: the lowest there is, unless more wait than
    /// may.
    pub fee_per_byte_due: FeeRate,
    /// The lowest fee rate among what waits.
    pub fee_per_byte_min: FeeRate,
    /// Whether there is no room for more.
    pub full: bool,
    /// How many transactions wait.
    pub transactions: u32,
}

/// The last height whose block may hold a transaction: by its own word, or because it has then
/// waited `mempool_ttl_blocks` since the head at which it was accepted.
pub fn last_height(head: Option<Height>, own: Option<Height>, ttl_blocks: u32) -> u64 {
    let patience = head.map_or(0, Height::value).saturating_add(u64::from(ttl_blocks));
    own.map_or(patience, |own| own.value().min(patience))
}

impl Mempool {
    /// Nothing waits, and there is room.
    pub const EMPTY: Mempool = Mempool {
        fee_per_byte_due: FeeRate::ZERO,
        fee_per_byte_min: FeeRate::ZERO,
        full: false,
        transactions: 0,
    };
}

impl Aggregate for Account {
    const CATEGORY: &'static str = "account";
    type Id = Address;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        state::evolve(self, event);
    }
}
