//! The choice itself: a function of the set before, the candidates and the parameters alone.
//!
//! Does not know epochs. Whatever order candidates come in, the answer is the same.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet},
};

use super::Member;
use crate::{
    parameters::Parameters,
    values::{Address, Power},
};

/// CometBFT's order: by power, the greatest first, then by address.
fn rank(member: &Member) -> (Reverse<Power>, Address) {
    (Reverse(member.power), member.address)
}

/// The set after `before`, in CometBFT's order.
///
/// Wanted are the `validators_max` first candidates with power. Whoever is a member and a candidate
/// takes their new power at once. Of the churn, joins plus leaves, those who are no candidates any
/// more leave first, the most powerful first, but never the last member; then the wanted join, the
/// most powerful first, each taking the place of the weakest who is no longer wanted when the set
/// is full; then those leave who are too many. A first set, which replaces nobody, has no churn.
pub(super) fn rotated(
    before: &[Member],
    candidates: &[Member],
    parameters: &Parameters,
) -> Vec<Member> {
    let ranked = ranked(candidates);
    let size_max = usize::try_from(parameters.validators_max.max(1)).unwrap_or(usize::MAX);
    let wanted: Vec<Member> = ranked.iter().take(size_max).copied().collect();
    if before.is_empty() {
        return wanted;
    }
    let mut change = Change::from(before, &ranked, &wanted, parameters);
    change.dismiss_gone();
    change.admit_wanted(&wanted, size_max);
    change.dismiss_surplus(size_max);
    change.dismiss_gone();
    let mut members: Vec<Member> = change.set.into_values().collect();
    members.sort_unstable_by_key(rank);
    members
}

/// The candidates with power, each address once (with its greatest power), in order.
fn ranked(candidates: &[Member]) -> Vec<Member> {
    let mut ranked: Vec<Member> =
        candidates.iter().filter(|candidate| candidate.power > Power::ZERO).copied().collect();
    ranked.sort_unstable_by_key(rank);
    let mut seen = BTreeSet::new();
    ranked.retain(|candidate| seen.insert(candidate.address));
    ranked
}

/// A set in the course of change.
struct Change {
    set: BTreeMap<Address, Member>,
    /// Members who are no candidates any more; the one to leave next is last.
    gone: Vec<Address>,
    /// Members who are candidates and not wanted; the one to leave next, the weakest, is last.
    unwanted: Vec<Address>,
    /// Joins plus leaves that are left.
    churn: u32,
}

impl Change {
    fn from(
        before: &[Member],
        ranked: &[Member],
        wanted: &[Member],
        parameters: &Parameters,
    ) -> Change {
        let candidates: BTreeMap<Address, Member> =
            ranked.iter().map(|candidate| (candidate.address, *candidate)).collect();
        let wanted: BTreeSet<Address> = wanted.iter().map(|member| member.address).collect();
        let mut members: Vec<Member> = before
            .iter()
            .map(|member| candidates.get(&member.address).copied().unwrap_or(*member))
            .collect();
        members.sort_unstable_by_key(rank);
        let named = |keep: &dyn Fn(&Address) -> bool| -> Vec<Address> {
            members.iter().map(|member| member.address).filter(|address| keep(address)).collect()
        };
        let mut gone = named(&|address| !candidates.contains_key(address));
        gone.reverse();
        Change {
            gone,
            unwanted: named(&|address| {
                candidates.contains_key(address) && !wanted.contains(address)
            }),
            churn: parameters.churn_max(u32::try_from(before.len()).unwrap_or(u32::MAX)),
            set: members.into_iter().map(|member| (member.address, member)).collect(),
        }
    }

    fn dismiss_gone(&mut self) {
        while self.churn > 0 && self.set.len() > 1 {
            let Some(address) = self.gone.pop() else { return };
            self.set.remove(&address);
            self.churn -= 1;
        }
    }

    fn admit_wanted(&mut self, wanted: &[Member], size_max: usize) {
        for candidate in wanted {
            if self.set.contains_key(&candidate.address) {
                continue;
            }
            let full = self.set.len() >= size_max;
            let cost = if full { 2 } else { 1 };
            if self.churn < cost {
                return;
            }
            if full {
                // The last member stayed although it is gone: it gives way before anyone else.
                let Some(leaver) = self.gone.pop().or_else(|| self.unwanted.pop()) else { return };
                self.set.remove(&leaver);
            }
            self.set.insert(candidate.address, *candidate);
            self.churn -= cost;
        }
    }

    fn dismiss_surplus(&mut self, size_max: usize) {
        while self.churn > 0 && self.set.len() > size_max {
            let Some(address) = self.unwanted.pop() else { return };
            self.set.remove(&address);
            self.churn -= 1;
        }
    }
}
