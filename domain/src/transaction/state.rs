//! What an account's history adds up to: which of its transactions wait, and what is set aside.
//!
//! Does not judge: only events change it.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{Event, FeeRate, TransactionAccepted};
use crate::values::{Amount, Hash, Height, Nonce, Reservation};

/// An account as its history tells it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Account(Arc<Queue>);

/// What waits of one sender, in the order of nonces.
#[derive(Clone, Debug, Default, PartialEq)]
struct Queue {
    /// The newest nonce of the ledger that was seen.
    base: Nonce,
    /// What all that waits would cost.
    cost: Amount,
    /// The first nonce from `base` on that is missing.
    missing: Nonce,
    /// The nonces of what waits.
    nonces: HashMap<Hash, Nonce>,
    /// What is set aside.
    reservations: BTreeMap<Reservation, Amount>,
    waiting: BTreeMap<Nonce, Waiting>,
}

/// A transaction that waits.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Waiting {
    /// The fee and what the payload spends.
    pub cost: Amount,
    /// The last height at which it may be executed.
    pub expires_at_height: Option<Height>,
    /// What it pays for each byte.
    pub fee_rate: FeeRate,
    /// Its hash.
    pub hash: Hash,
    /// The last height executed when it was accepted.
    pub head: Option<Height>,
}

/// What waits, as seen with the ledger's nonce of today.
#[derive(Clone, Copy, Debug)]
pub(super) struct Outlook {
    /// What all that waits would cost.
    pub cost: Amount,
    /// How many wait.
    pub count: usize,
    /// The first nonce that is missing: the next to be pending.
    pub missing: Nonce,
    /// The nonce of the next transaction that can be executed.
    pub next: Nonce,
}

impl Account {
    /// What waits from a nonce on, in the order of nonces. What is below the account's nonce in the
    /// ledger was executed.
    pub fn waiting(&self, from: Nonce) -> impl Iterator<Item = (Nonce, &Waiting)> {
        self.0.waiting.range(from..).map(|(nonce, waiting)| (*nonce, waiting))
    }

    /// The transaction that waits at a nonce.
    pub fn waiting_at(&self, nonce: Nonce) -> Option<&Waiting> {
        self.0.waiting.get(&nonce)
    }

    /// The nonce of a transaction that waits.
    pub fn nonce_of(&self, hash: &Hash) -> Option<Nonce> {
        self.0.nonces.get(hash).copied()
    }

    /// What is set aside, by purpose.
    pub fn reservations(&self) -> &BTreeMap<Reservation, Amount> {
        &self.0.reservations
    }

    /// All that is set aside.
    pub fn reserved(&self) -> Amount {
        self.0.reservations.values().fold(Amount::ZERO, |sum, amount| sum.and(*amount))
    }

    /// What waits when the ledger is at `nonce`: whatever is below it was executed.
    pub(super) fn outlook(&self, nonce: Nonce) -> Outlook {
        let queue = &*self.0;
        let next = nonce.max(queue.base);
        let executed = queue.waiting.range(..next);
        let (count, cost) = executed.fold((0, Amount::ZERO), |(count, cost), (_, waiting)| {
            (count + 1, cost.and(waiting.cost))
        });
        Outlook {
            cost: queue.cost.less(cost),
            count: queue.waiting.len() - count,
            missing: queue.missing_from(next),
            next,
        }
    }
}

impl Queue {
    /// The first nonce from `next` on that is missing.
    fn missing_from(&self, next: Nonce) -> Nonce {
        if next <= self.missing {
            return self.missing;
        }
        let mut missing = next;
        for nonce in self.waiting.range(next..).map(|(nonce, _)| *nonce) {
            if nonce != missing {
                break;
            }
            missing = missing.next();
        }
        missing
    }

    fn accept(&mut self, data: &TransactionAccepted) {
        if data.account_nonce > self.base {
            let missing = self.missing_from(data.account_nonce);
            let kept = self.waiting.split_off(&data.account_nonce);
            let executed = std::mem::replace(&mut self.waiting, kept);
            for waiting in executed.into_values() {
                self.forget(&waiting);
            }
            (self.base, self.missing) = (data.account_nonce, missing);
        }
        let (nonce, waiting) = (data.transaction.envelope().nonce, waiting(data));
        self.nonces.insert(waiting.hash, nonce);
        self.cost = self.cost.and(waiting.cost);
        if let Some(replaced) = self.waiting.insert(nonce, waiting) {
            self.forget(&replaced);
        }
        if nonce == self.missing {
            // Whatever is queued behind it is pending from now on.
            self.missing = self.missing_from(nonce.next());
        }
    }

    fn evict(&mut self, nonce: Nonce) {
        let Some(evicted) = self.waiting.remove(&nonce) else { return };
        self.forget(&evicted);
        self.missing = self.missing.min(nonce);
    }

    fn forget(&mut self, waiting: &Waiting) {
        self.nonces.remove(&waiting.hash);
        self.cost = self.cost.less(waiting.cost);
    }
}

fn waiting(data: &TransactionAccepted) -> Waiting {
    let envelope = data.transaction.envelope();
    Waiting {
        cost: envelope.fee.and(envelope.payload.spends()),
        expires_at_height: envelope.expires_at_height,
        fee_rate: data.transaction.fee_rate(),
        hash: data.hash,
        head: data.head,
    }
}

/// Applies one event.
pub(super) fn evolve(account: &mut Account, event: &Event) {
    let queue = Arc::make_mut(&mut account.0);
    match event {
        Event::TransactionAccepted(data) => queue.accept(data),
        Event::TransactionEvicted(data) => queue.evict(data.nonce),
        Event::ReservationMade(data) => {
            queue.reservations.insert(data.purpose.clone(), data.amount);
        }
        Event::ReservationReleased(data) => {
            queue.reservations.remove(&data.purpose);
        }
    }
}
