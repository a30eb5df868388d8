//! What waits of all senders: how much, and who would have to go first.
//!
//! Does not know nonces: whether a block may hold a transaction is its account's to say.

use std::collections::{BTreeSet, HashMap};

use domain::{
    transaction::{self, Event, FeeRate},
    values::Hash,
};

/// The transactions that wait, by what they pay for each byte.
#[derive(Default)]
pub(super) struct Mempool {
    by_rate: BTreeSet<(FeeRate, Hash)>,
    rates: HashMap<Hash, FeeRate>,
    count_max: u32,
}

impl Mempool {
    /// With room for so many.
    pub(super) fn new(count_max: u32) -> Mempool {
        Mempool { count_max, ..Mempool::default() }
    }

    /// Takes in what happened to an account.
    pub(super) fn fold(&mut self, event: &Event) {
        match event {
            Event::TransactionAccepted(accepted) => {
                if let Some(replaced) = &accepted.replaces {
                    self.remove(replaced);
                }
                let rate = accepted.transaction.fee_rate();
                self.by_rate.insert((rate, accepted.hash));
                self.rates.insert(accepted.hash, rate);
            }
            Event::TransactionEvicted(evicted) => self.remove(&evicted.hash),
            Event::ReservationMade(_) | Event::ReservationReleased(_) => {}
        }
    }

    /// It was executed, or waits no longer for another reason.
    pub(super) fn remove(&mut self, hash: &Hash) {
        if let Some(rate) = self.rates.remove(hash) {
            self.by_rate.remove(&(rate, *hash));
        }
    }

    /// All that a decision must know of it.
    pub(super) fn summary(&self) -> transaction::Mempool {
        let transactions = u32::try_from(self.rates.len()).unwrap_or(u32::MAX);
        transaction::Mempool {
            fee_per_byte_min: self.by_rate.first().map_or(FeeRate::ZERO, |(rate, _)| *rate),
            full: transactions >= self.count_max,
            transactions,
        }
    }
}
