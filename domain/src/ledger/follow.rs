//! How a ledger follows what somebody else executed: it takes over the entries that changed.
//!
//! Does not execute, and does not trust: the state root of the result must be the one that is said.

use std::{collections::BTreeMap, sync::Arc};

use super::{Entry, Execution, Ledger, Staked};
use crate::{
    validator::Unbonding,
    values::{Address, Hash, Height},
};

/// Why a ledger does not follow.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Unfollowed {
    #[error("it is what the block of height {found} came to; the next is {expected:?}")]
    HeightNotNext { expected: Option<Height>, found: Height },
    #[error("the state's root would be {computed}, not {said}")]
    RootMismatch { computed: Hash, said: Hash },
}

impl Ledger {
    /// The ledger after the next block, of which this is what it came to.
    pub fn after(&self, execution: &Execution) -> Result<Ledger, Unfollowed> {
        let (expected, found) = (self.next_height(), execution.height);
        if expected != Some(found) {
            return Err(Unfollowed::HeightNotNext { expected, found });
        }
        let mut after = self.clone();
        after.height = Some(found);
        after.trie.update(execution.changed.iter().map(Entry::change));
        let (computed, said) = (after.root(), execution.state_root);
        if computed != said {
            return Err(Unfollowed::RootMismatch { computed, said });
        }
        for entry in &execution.changed {
            if let Entry::Burned(said) = entry {
                after.burned = said.amount;
            }
            place(Arc::make_mut(&mut after.stakes), entry);
        }
        Ok(after)
    }
}

/// Puts what an entry says of a stake to the validator's other stake.
pub(super) fn place(stakes: &mut BTreeMap<Address, Arc<Staked>>, entry: &Entry) {
    let validator = match entry {
        Entry::Validator(said) => said.address,
        Entry::Delegation(said) => said.validator,
        Entry::Unbonding(said) => said.validator,
        Entry::Account(_) | Entry::Anchor(_) | Entry::Burned(_) => return,
    };
    let staked = Arc::make_mut(stakes.entry(validator).or_default());
    match entry {
        Entry::Validator(said) => {
            staked.stake.bond = said.bond;
            staked.tombstoned = said.tombstoned;
        }
        Entry::Delegation(said) => staked.stake.set_delegation(said.delegator, said.amount),
        Entry::Unbonding(said) => {
            let super::Unbonding { matures, started, delegator, amount, .. } = *said;
            let leaving = Unbonding { matures, started, delegator };
            staked.stake.unbonding.remove(&leaving);
            if !amount.is_zero() {
                staked.stake.add_unbonding(leaving, amount);
            }
        }
        Entry::Account(_) | Entry::Anchor(_) | Entry::Burned(_) => {}
    }
    if staked.is_nothing() {
        stakes.remove(&validator);
    }
}
