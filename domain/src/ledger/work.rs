//! A block's changes while it is executed: nothing of the ledger is touched until all of it is
//! done.
//!
//! Does not know transactions.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::{
    Account, Anchor, Burn, Burned, Delegation, Entry, Equivocation, Ledger, Release, Staked,
    Unbonding, ValidatorStake,
};
use crate::{
    validator::{self, Offence},
    values::{Address, Amount, Epoch, Hash},
};

/// What a block has changed so far.
pub(super) struct Work<'l> {
    accounts: HashMap<Address, Touched>,
    anchors: BTreeMap<Hash, Anchor>,
    burned: Amount,
    ledger: &'l Ledger,
    stakes: BTreeMap<Address, Staked>,
}

/// An account as it was and as it is.
struct Touched {
    before: Account,
    now: Account,
}

/// What is to be taken over into a ledger.
pub(super) struct Done {
    pub burned: Amount,
    pub changed: Vec<Entry>,
    pub stakes: BTreeMap<Address, Staked>,
}

impl<'l> Work<'l> {
    /// Nothing is changed yet.
    pub fn new(ledger: &'l Ledger) -> Work<'l> {
        Work {
            accounts: HashMap::new(),
            anchors: BTreeMap::new(),
            burned: ledger.burned,
            ledger,
            stakes: BTreeMap::new(),
        }
    }

    /// An account as it is now.
    pub fn account(&mut self, address: Address) -> &mut Account {
        let ledger = self.ledger;
        let touched = self.accounts.entry(address).or_insert_with(|| {
            let before = ledger.account(address);
            Touched { before, now: before }
        });
        &mut touched.now
    }

    /// Gives to an account. The supply fits, so every sum of its parts does.
    pub fn give(&mut self, address: Address, amount: Amount) {
        let account = self.account(address);
        account.balance = account.balance.and(amount);
    }

    /// What is at stake with a validator now; none when nothing ever was.
    pub fn staked(&self, validator: Address) -> Option<&Staked> {
        self.stakes.get(&validator).or_else(|| self.ledger.staked(validator))
    }

    /// The same, to be changed.
    pub fn staked_mut(&mut self, validator: Address) -> &mut Staked {
        let ledger = self.ledger;
        self.stakes
            .entry(validator)
            .or_insert_with(|| ledger.staked(validator).cloned().unwrap_or_default())
    }

    /// The anchor that a transaction made, as it is now.
    pub fn anchor(&self, transaction: Hash) -> Option<Anchor> {
        let made = self.anchors.get(&transaction).cloned();
        made.or_else(|| self.ledger.anchor(transaction))
    }

    /// Adds an anchor, or changes it.
    pub fn set_anchor(&mut self, anchor: Anchor) {
        self.anchors.insert(anchor.transaction, anchor);
    }

    /// Returns what has matured by an epoch to its owners.
    pub fn release(&mut self, epoch: Epoch) -> Vec<Release> {
        let mut releases = Vec::new();
        for (validator, staked) in self.ledger.stakes() {
            let matured: Vec<_> = staked
                .stake
                .unbonding
                .iter()
                .take_while(|(entry, _)| entry.matures <= epoch)
                .map(|(entry, amount)| (*entry, *amount))
                .collect();
            for (entry, amount) in matured {
                self.staked_mut(validator).stake.unbonding.remove(&entry);
                let owner = entry.delegator.unwrap_or(validator);
                self.give(owner, amount);
                releases.push(Release { amount, owner, validator });
            }
        }
        releases
    }

    /// Burns for an equivocation; a validator is punished for it once and for all.
    pub fn burn(&mut self, offence: &Equivocation, offence_epoch: Epoch) -> Option<Burn> {
        let staked = self.staked_mut(offence.validator);
        if staked.tombstoned {
            return None;
        }
        let penalty = Offence::Equivocation.penalty();
        let (left, burned) = staked.stake.after(penalty, offence_epoch);
        *staked = Staked { stake: left, tombstoned: true };
        self.burned = self.burned.and(burned.total());
        Some(Burn {
            bond: burned.bond,
            delegated: burned.delegated,
            evidence: offence.evidence,
            height: offence.height,
            unbonding: burned.unbonding,
            validator: offence.validator,
        })
    }

    /// Every entry that is not what it was, in the order of keys.
    pub fn done(self) -> Done {
        let mut changed = Vec::with_capacity(self.accounts.len() + self.anchors.len());
        let accounts = self.accounts.into_values();
        let accounts = accounts.filter(|touched| touched.now != touched.before);
        changed.extend(accounts.map(|touched| Entry::Account(touched.now)));
        for (validator, staked) in &self.stakes {
            let nothing = Staked::default();
            let before = self.ledger.staked(*validator).unwrap_or(&nothing);
            changed.extend(differences(*validator, before, staked));
        }
        changed.extend(self.anchors.into_values().map(|anchor| Entry::Anchor(Box::new(anchor))));
        if self.burned != self.ledger.burned {
            changed.push(Entry::Burned(Burned { amount: self.burned }));
        }
        changed.sort_by_cached_key(Entry::key);
        Done { burned: self.burned, changed, stakes: self.stakes }
    }
}

impl Ledger {
    /// Takes over what a block has changed.
    pub(super) fn take(&mut self, done: &Done) {
        self.trie.update(done.changed.iter().map(Entry::change));
        self.burned = done.burned;
        if done.stakes.is_empty() {
            return;
        }
        let stakes = Arc::make_mut(&mut self.stakes);
        for (validator, staked) in &done.stakes {
            if staked.is_nothing() {
                stakes.remove(validator);
            } else {
                stakes.insert(*validator, Arc::new(staked.clone()));
            }
        }
    }
}

/// The entries of a validator's stake that are not what they were.
pub(super) fn differences(validator: Address, before: &Staked, now: &Staked) -> Vec<Entry> {
    let summary = |staked: &Staked| ValidatorStake {
        address: validator,
        bond: staked.stake.bond,
        delegated: staked.stake.delegated,
        tombstoned: staked.tombstoned,
    };
    let mut changed = Vec::new();
    if summary(before) != summary(now) {
        changed.push(Entry::Validator(summary(now)));
    }
    let delegations = amounts_changed(&before.stake.delegations, &now.stake.delegations);
    changed.extend(
        delegations.into_iter().map(|(delegator, amount)| {
            Entry::Delegation(Delegation { amount, delegator, validator })
        }),
    );
    let unbonding = amounts_changed(&before.stake.unbonding, &now.stake.unbonding);
    changed.extend(unbonding.into_iter().map(|(entry, amount)| {
        let validator::Unbonding { matures, started, delegator } = entry;
        Entry::Unbonding(Unbonding { amount, delegator, matures, started, validator })
    }));
    changed
}

/// The amounts that are not what they were; nothing for those that are gone.
fn amounts_changed<K: Copy + Ord>(
    before: &BTreeMap<K, Amount>,
    now: &BTreeMap<K, Amount>,
) -> Vec<(K, Amount)> {
    let set = now.iter().filter(|(key, amount)| before.get(key) != Some(amount));
    let gone = before.keys().filter(|key| !now.contains_key(key));
    let set = set.map(|(key, amount)| (*key, *amount));
    set.chain(gone.map(|key| (*key, Amount::ZERO))).collect()
}
