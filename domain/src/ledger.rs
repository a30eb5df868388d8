//! The state that blocks change: balances, nonces, stakes and anchors, under one root.
//!
//! Does not know consensus, and verifies no signature: a block comes here when it is agreed upon,
//! or to see what it would come to. It keeps no history: a clone costs a few counters and stays as
//! it is, so a block that may never be final is executed on one.
//!
//! The story. A ledger begins with a genesis document and executes one block after the other
//! ([`Ledger::execute`]). In each block, in this order: at an epoch's first height stake whose
//! `unbonding_epochs` are over returns to its owners; equivocation burns stake by the table of
//! [`Offence`](crate::validator::Offence), once for each validator; the transactions are executed
//! in their order; their fees go to the proposer. A transaction in a block succeeds, or it fails
//! for a typed [`Failure`]: it then changes nothing but still pays its fee and uses its nonce. One
//! that cannot even do that makes the whole block invalid ([`BlockFault`]), and nothing changes.
//! No unit is made or lost: balances + bonds + delegations + unbonding + burned = the supply at
//! genesis.
//!
//! The bytes. The state is a set of [`Entry`]s in a [`Trie`]: each stands under [`Key::hash`], with
//! its canonical JSON as the value; one that holds nothing is left out. The root of the trie is the
//! state root, which the header of the next block names as its application hash. What a block came
//! to ([`Execution::bytes`]) is canonical JSON, too. Its receipts have a root of their own:
//! CometBFT's `last_results_hash`, with the receipt's JSON as the result's data.

mod entry;
mod execute;
mod execution;
mod fault;
mod follow;
mod payload;
mod receipt;
mod snapshot;
mod work;

pub use entry::{Account, Anchor, Burned, Delegation, Entry, Key, Unbonding, ValidatorStake};
pub use execute::{BlockContext, Equivocation};
pub use execution::{Burn, Execution, Release};
pub use fault::BlockFault;
pub use follow::Unfollowed;
pub use receipt::{Failure, Receipt};
pub use snapshot::Unusable;

use std::{collections::BTreeMap, sync::Arc};

use crate::{
    parameters::{Change, Parameters, Schedule},
    trie::{Proof, Trie},
    validator::Stake,
    values::{Address, Amount, ChainId, Hash, Height},
};

/// The state after a block, or at genesis. Cheap to clone; equal when the states are.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    burned: Amount,
    constants: Arc<Constants>,
    height: Option<Height>,
    /// Which parameters hold when.
    schedule: Arc<Schedule>,
    /// What the trie says of stakes, where it can be enumerated.
    stakes: Arc<BTreeMap<Address, Arc<Staked>>>,
    trie: Trie,
}

/// What never changes.
#[derive(Debug, PartialEq)]
struct Constants {
    chain_id: ChainId,
    initial_height: Height,
    supply: Amount,
}

/// What is at stake with a validator.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Staked {
    /// Its own bond, what others delegated, and what is on its way out of both.
    pub stake: Stake,
    /// Whether it equivocated: nothing can be staked with it any more.
    pub tombstoned: bool,
}

impl Staked {
    /// Whether there is nothing to remember.
    fn is_nothing(&self) -> bool {
        !self.tombstoned && self.stake == Stake::default()
    }
}

/// Where the whole supply is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Totals {
    /// The sum of all balances.
    pub balances: Amount,
    /// The sum of all validators' own bonds.
    pub bonds: Amount,
    /// What was burned.
    pub burned: Amount,
    /// The sum of all delegations.
    pub delegations: Amount,
    /// The sum of all that is on its way out.
    pub unbonding: Amount,
}

impl Totals {
    /// All of it; none when it does not fit, which it does in every ledger that conserves its
    /// supply.
    pub fn sum(self) -> Option<Amount> {
        let staked = self.bonds.plus(self.delegations)?.plus(self.unbonding)?;
        self.balances.plus(staked)?.plus(self.burned)
    }
}

impl Ledger {
    /// The chain.
    pub fn chain_id(&self) -> &ChainId {
        &self.constants.chain_id
    }

    /// The protocol parameters by which it executes the next block.
    pub fn parameters(&self) -> &Parameters {
        self.schedule.at_height(self.coming_height())
    }

    /// Which protocol parameters hold when.
    pub fn schedule(&self) -> &Schedule {
        &self.schedule
    }

    /// Other parameters hold from an epoch on.
    pub fn set_parameters(&mut self, change: Change) {
        Arc::make_mut(&mut self.schedule).set(change);
    }

    /// The same state under the parameters of another ledger of the chain, which may have learned
    /// of changes meanwhile.
    pub fn under(self, other: &Ledger) -> Ledger {
        Ledger { schedule: other.schedule.clone(), ..self }
    }

    /// All there is, wherever it is.
    pub fn supply(&self) -> Amount {
        self.constants.supply
    }

    /// The last height that was executed; none at genesis.
    pub fn height(&self) -> Option<Height> {
        self.height
    }

    /// The height of the next block; none after the last there can be.
    pub fn next_height(&self) -> Option<Height> {
        match self.height {
            Some(height) => height.next(),
            None => Some(self.constants.initial_height),
        }
    }

    /// The height of the next block; the last there can be when there is none.
    pub fn coming_height(&self) -> Height {
        self.next_height().or(self.height).unwrap_or(self.constants.initial_height)
    }

    /// What commits to the whole state.
    pub fn root(&self) -> Hash {
        self.trie.root()
    }

    /// An account; with nothing when it never had anything.
    pub fn account(&self, address: Address) -> Account {
        let empty = Account { address, balance: Amount::ZERO, nonce: Default::default() };
        match self.entry(&Key::Account(address)) {
            Some(Entry::Account(account)) => account,
            Some(
                Entry::Validator(_)
                | Entry::Delegation(_)
                | Entry::Unbonding(_)
                | Entry::Anchor(_)
                | Entry::Burned(_),
            )
            | None => empty,
        }
    }

    /// The anchor that a transaction made.
    pub fn anchor(&self, transaction: Hash) -> Option<Anchor> {
        match self.entry(&Key::Anchor(transaction)) {
            Some(Entry::Anchor(anchor)) => Some(*anchor),
            Some(
                Entry::Account(_)
                | Entry::Validator(_)
                | Entry::Delegation(_)
                | Entry::Unbonding(_)
                | Entry::Burned(_),
            )
            | None => None,
        }
    }

    /// What is at stake with a validator.
    pub fn staked(&self, validator: Address) -> Option<&Staked> {
        self.stakes.get(&validator).map(|staked| &**staked)
    }

    /// What is at stake with every validator, in the order of their addresses.
    pub fn stakes(&self) -> impl Iterator<Item = (Address, &Staked)> {
        self.stakes.iter().map(|(address, staked)| (*address, &**staked))
    }

    /// What was burned.
    pub fn burned(&self) -> Amount {
        self.burned
    }

    /// What the state holds under a key.
    pub fn entry(&self, key: &Key) -> Option<Entry> {
        self.trie.get(&key.hash()).map(entry::read)
    }

    /// The proof of what the state holds under a key, or that it holds nothing: for
    /// [`Key::hash`] and [`Entry::bytes`] under [`Ledger::root`].
    pub fn prove(&self, key: &Key) -> Proof {
        self.trie.prove(&key.hash())
    }

    /// All entries, in the order of their keys' hashes.
    pub fn entries(&self) -> impl Iterator<Item = Entry> {
        self.trie.iter().map(|(_, value)| entry::read(value))
    }

    /// Counts the whole supply anew, entry by entry.
    pub fn totals(&self) -> Totals {
        let mut totals = Totals::default();
        for entry in self.entries() {
            let (total, amount) = match &entry {
                Entry::Account(account) => (&mut totals.balances, account.balance),
                Entry::Validator(stake) => (&mut totals.bonds, stake.bond),
                Entry::Delegation(delegation) => (&mut totals.delegations, delegation.amount),
                Entry::Unbonding(unbonding) => (&mut totals.unbonding, unbonding.amount),
                Entry::Burned(burned) => (&mut totals.burned, burned.amount),
                Entry::Anchor(_) => continue,
            };
            *total = total.and(amount);
        }
        totals
    }
}
