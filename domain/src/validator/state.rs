//! What a validator's history adds up to.
//!
//! Does not know how it came about: only events change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Application, Offence, Penalty};
use crate::values::{
    Address, Amount, Bps, ChainId, Contact, Epoch, Hash, Height, Moment, Moniker, Operator, Power,
    PublicKey, Reservation, Website,
};

/// A validator as its history tells it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Validator {
    pub(super) application: Option<Arc<Application>>,
    pub(super) record: Option<Arc<Record>>,
}

impl Validator {
    /// What is known of it; none before the first registration.
    pub fn record(&self) -> Option<&Record> {
        self.record.as_deref()
    }

    /// The newest registration that was asked for as one thing; none when there was none.
    pub fn application(&self) -> Option<&Application> {
        self.application.as_deref()
    }

    /// What it is.
    pub fn standing(&self) -> StandingName {
        self.record().map_or(StandingName::Unregistered, |record| record.standing.name())
    }
}

/// Everything known of a registered validator.
#[derive(Clone, Debug, PartialEq)]
pub struct Record {
    /// Its address.
    pub address: Address,
    /// The chain it validates.
    pub chain_id: ChainId,
    /// Its commission, and how far it has moved.
    pub commission: Commission,
    /// Whether it has ever been active.
    pub ever_active: bool,
    /// The evidence that was used against it.
    pub evidence: BTreeSet<Hash>,
    /// The last epoch whose duties were counted.
    pub last_performance: Option<Epoch>,
    /// The offences it was punished for, and at which heights.
    pub offences: BTreeSet<(Offence, Height)>,
    /// Who runs it.
    pub operator: Operator,
    /// What it shows of itself.
    pub profile: Profile,
    /// Its consensus key.
    pub public_key: PublicKey,
    /// Before this epoch it cannot be activated.
    pub quarantined_until: Epoch,
    /// Its reputation.
    pub reputation: u32,
    /// The stake that was set aside for its registration.
    pub reservation: Option<Reservation>,
    /// Its stake.
    pub stake: Stake,
    /// What it is.
    pub standing: Standing,
}

/// What a validator shows of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// How its people can be reached.
    pub contact: Option<Contact>,
    /// The name it shows.
    pub moniker: Moniker,
    /// Where it introduces itself.
    pub website: Option<Website>,
}

/// A commission, and where it stood when the epoch began in which it last moved.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Commission {
    /// As it stands.
    pub current: Bps,
    /// As it stood before its first move in `epoch`.
    pub base: Bps,
    /// The epoch in which it last moved.
    pub epoch: Epoch,
}

impl Commission {
    /// From where moves are measured in `epoch`.
    pub fn base_in(self, epoch: Epoch) -> Bps {
        if self.epoch == epoch { self.base } else { self.current }
    }
}

/// What a validator is, with what belongs to it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Standing {
    /// Registered, not yet to be chosen.
    Registered,
    /// May be chosen for the set.
    Active,
    /// Out of the set for a while.
    Jailed {
        /// Before this moment it cannot come back.
        until: Moment,
        /// Whether an offence was punished: then it comes back as registered only.
        slashed: bool,
    },
    /// An offence was punished, and what follows is about to be said.
    Slashed,
    /// On its way out.
    Exiting {
        /// The epoch from which the exit can be completed.
        matures: Epoch,
    },
    /// Left in good order.
    Exited,
    /// Never comes back.
    Tombstoned,
}

impl Standing {
    /// Its name.
    pub const fn name(self) -> StandingName {
        match self {
            Standing::Registered => StandingName::Registered,
            Standing::Active => StandingName::Active,
            Standing::Jailed { .. } => StandingName::Jailed,
            Standing::Slashed => StandingName::Slashed,
            Standing::Exiting { .. } => StandingName::Exiting,
            Standing::Exited => StandingName::Exited,
            Standing::Tombstoned => StandingName::Tombstoned,
        }
    }
}

/// The name of a standing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum StandingName {
    /// Nobody has registered.
    Unregistered,
    /// Registered, not yet to be chosen.
    Registered,
    /// May be chosen for the set.
    Active,
    /// Out of the set for a while.
    Jailed,
    /// An offence was punished.
    Slashed,
    /// On its way out.
    Exiting,
    /// Left in good order.
    Exited,
    /// Never comes back.
    Tombstoned,
}

impl StandingName {
    /// Those that are not on their way out, and not gone.
    pub const STAYING: &'static [StandingName] =
        &[StandingName::Registered, StandingName::Active, StandingName::Jailed];

    /// As it is written.
    pub const fn as_str(self) -> &'static str {
        match self {
            StandingName::Unregistered => "unregistered",
            StandingName::Registered => "registered",
            StandingName::Active => "active",
            StandingName::Jailed => "jailed",
            StandingName::Slashed => "slashed",
            StandingName::Exiting => "exiting",
            StandingName::Exited => "exited",
            StandingName::Tombstoned => "tombstoned",
        }
    }
}

impl fmt::Display for StandingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Names stake that is on its way out: what began in one epoch and matures in one epoch is one
/// entry for each owner. Ordered by maturity.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Unbonding {
    /// The epoch in which it is released.
    pub matures: Epoch,
    /// The epoch in which it began.
    pub started: Epoch,
    /// Whose stake it is; none for the validator's own bond.
    pub delegator: Option<Address>,
}

/// A validator's stake: own bond + delegations, and what is on its way out of both.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Stake {
    /// Its own bond.
    pub bond: Amount,
    /// The sum of all delegations.
    pub delegated: Amount,
    /// Who has staked how much on it; nobody with nothing.
    pub delegations: BTreeMap<Address, Amount>,
    /// What is on its way out.
    pub unbonding: BTreeMap<Unbonding, Amount>,
}

/// What was burned.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Burned {
    pub bond: Amount,
    pub delegated: Amount,
    pub unbonding: Amount,
}

impl Burned {
    pub fn total(self) -> Amount {
        self.bond.and(self.delegated).and(self.unbonding)
    }
}

impl Stake {
    /// Own bond + delegations.
    pub fn total(&self) -> Amount {
        self.bond.and(self.delegated)
    }

    /// The voting power it gives.
    pub fn power(&self, reduction: Amount) -> Power {
        self.total().power(reduction)
    }

    /// What somebody has staked on it.
    pub fn delegation(&self, delegator: Address) -> Amount {
        self.delegations.get(&delegator).copied().unwrap_or(Amount::ZERO)
    }

    /// Sets what somebody has staked on it, and keeps the sum.
    pub(crate) fn set_delegation(&mut self, delegator: Address, delegation: Amount) {
        let before = if delegation.is_zero() {
            self.delegations.remove(&delegator)
        } else {
            self.delegations.insert(delegator, delegation)
        };
        let others = self.delegated.less(before.unwrap_or(Amount::ZERO));
        self.delegated = others.and(delegation);
    }

    /// Adds to what is on its way out.
    pub(crate) fn add_unbonding(&mut self, entry: Unbonding, amount: Amount) {
        let waiting = self.unbonding.entry(entry).or_default();
        *waiting = waiting.and(amount);
    }

    /// Takes a penalty from everything that was at stake in `offence_epoch`: the bond, each
    /// delegation, and what began to unbond in that epoch or later. Rounded down entry by entry.
    pub(super) fn burn(
        &mut self,
        bond_bps: Bps,
        delegated_bps: Bps,
        offence_epoch: Epoch,
    ) -> Burned {
        let mut burned = Burned { bond: bond_bps.of(self.bond), ..Burned::default() };
        self.bond = self.bond.less(burned.bond);
        for delegation in self.delegations.values_mut() {
            let part = delegated_bps.of(*delegation);
            *delegation = delegation.less(part);
            burned.delegated = burned.delegated.and(part);
        }
        self.delegated = self.delegated.less(burned.delegated);
        for (entry, waiting) in &mut self.unbonding {
            if entry.started < offence_epoch {
                continue;
            }
            let bps = if entry.delegator.is_some() { delegated_bps } else { bond_bps };
            let part = bps.of(*waiting);
            *waiting = waiting.less(part);
            burned.unbonding = burned.unbonding.and(part);
        }
        self.delegations.retain(|_, delegation| !delegation.is_zero());
        self.unbonding.retain(|_, waiting| !waiting.is_zero());
        burned
    }

    /// What a penalty would burn, and what would be left.
    pub(crate) fn after(&self, penalty: Penalty, offence_epoch: Epoch) -> (Stake, Burned) {
        let mut left = self.clone();
        let burned = left.burn(penalty.bond_bps, penalty.delegated_bps, offence_epoch);
        (left, burned)
    }

    /// The last epoch in which any of the validator's own bond is released.
    pub(super) fn own_matures(&self) -> Option<Epoch> {
        let own = self.unbonding.keys().filter(|entry| entry.delegator.is_none());
        own.map(|entry| entry.matures).max()
    }
}
