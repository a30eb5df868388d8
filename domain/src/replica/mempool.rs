//! What waits of all senders: the transactions, how many, and who would have to go first.
//!
//! Does not know balances: whether a block may hold a transaction, its execution says.

use std::collections::{BTreeSet, HashMap};

use crate::{
    transaction::{self, Event, FeeRate, Transaction},
    values::{Address, Hash, Nonce},
};

/// The transactions that wait, by what they pay for each byte.
#[derive(Clone, Debug, Default)]
pub struct Mempool {
    by_rate: BTreeSet<(FeeRate, Hash)>,
    by_place: HashMap<(Address, Nonce), Hash>,
    waiting: HashMap<Hash, Transaction>,
    /// What went without being executed while the next block is agreed on, and while the one before
    /// it was: a block that was found valid before may hold it and become final.
    gone: [HashMap<Hash, Transaction>; 2],
    count_max: u32,
}

impl Mempool {
    /// With room for so many.
    pub fn new(count_max: u32) -> Mempool {
        Mempool { count_max, ..Mempool::default() }
    }

    /// Takes in what happened to an account.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::TransactionAccepted(accepted) => {
                if let Some(replaced) = &accepted.replaces {
                    self.goes(replaced);
                }
                self.comes(&accepted.transaction);
            }
            Event::TransactionEvicted(evicted) => self.goes(&evicted.hash),
            Event::ReservationMade(_) | Event::ReservationReleased(_) => {}
        }
    }

    fn comes(&mut self, transaction: &Transaction) {
        let hash = transaction.hash();
        if let Some(held) = self.by_place.insert(place(transaction), hash) {
            self.removed(&held);
        }
        self.by_place.insert(place(transaction), hash);
        self.by_rate.insert((transaction.fee_rate(), hash));
        self.waiting.insert(hash, transaction.clone());
        self.gone.iter_mut().for_each(|gone| drop(gone.remove(&hash)));
    }

    fn goes(&mut self, hash: &Hash) {
        if let Some(transaction) = self.removed(hash) {
            self.gone[0].insert(*hash, transaction);
        }
    }

    fn removed(&mut self, hash: &Hash) -> Option<Transaction> {
        let transaction = self.waiting.remove(hash)?;
        self.by_rate.remove(&(transaction.fee_rate(), *hash));
        self.by_place.remove(&place(&transaction));
        Some(transaction)
    }

    /// A block was applied that held these: neither they nor others with their nonces wait longer.
    pub fn executed(&mut self, hashes: impl IntoIterator<Item = Hash>) {
        for hash in hashes {
            let left = || self.gone.iter().find_map(|gone| gone.get(&hash));
            let place = self.waiting.get(&hash).or_else(left).map(place);
            let held = place.and_then(|place| self.by_place.get(&place).copied());
            self.removed(&held.unwrap_or(hash));
        }
        self.gone[1] = std::mem::take(&mut self.gone[0]);
    }

    /// A transaction that waits.
    pub fn waiting(&self, hash: &Hash) -> Option<&Transaction> {
        self.waiting.get(hash)
    }

    /// A transaction that waits, or has gone a moment ago.
    pub fn known(&self, hash: &Hash) -> Option<&Transaction> {
        self.waiting(hash).or_else(|| self.gone.iter().find_map(|gone| gone.get(hash)))
    }

    /// All that waits, in no order.
    pub fn all(&self) -> impl Iterator<Item = &Transaction> {
        self.waiting.values()
    }

    /// All that a decision must know of it.
    pub fn summary(&self) -> transaction::Mempool {
        let transactions = u32::try_from(self.waiting.len()).unwrap_or(u32::MAX);
        transaction::Mempool {
            fee_per_byte_min: self.by_rate.first().map_or(FeeRate::ZERO, |(rate, _)| *rate),
            full: transactions >= self.count_max,
            transactions,
        }
    }
}

fn place(transaction: &Transaction) -> (Address, Nonce) {
    (transaction.sender(), transaction.envelope().nonce)
}
