//! What a validator can be punished for, and how.
//!
//! Does not know how an offence is proved.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::Bps;

/// An offence.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Offence {
    /// Signed two different things at one height and round.
    Equivocation,
    /// Its key is in other hands.
    KeyCompromise,
    /// Kept others' transactions or votes out.
    Censorship,
    /// Missed its duties.
    Downtime,
}

/// What an offence costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Penalty {
    /// Burned of the validator's own bond, unbonding included.
    pub bond_bps: Bps,
    /// Burned of each delegation, unbonding included.
    pub delegated_bps: Bps,
    /// Taken from the reputation.
    pub reputation: u32,
    /// For how many epochs it cannot be activated.
    pub quarantine_epochs: u32,
    /// Whether it never comes back; otherwise it is jailed.
    pub tombstoned: bool,
}

impl Offence {
    /// Every offence.
    pub const ALL: [Offence; 4] =
        [Offence::Equivocation, Offence::KeyCompromise, Offence::Censorship, Offence::Downtime];

    /// Its name as it is stored.
    pub const fn as_str(self) -> &'static str {
        match self {
            Offence::Equivocation => "equivocation",
            Offence::KeyCompromise => "key-compromise",
            Offence::Censorship => "censorship",
            Offence::Downtime => "downtime",
        }
    }

    /// The table of penalties. "Stake burned" is burned of the bond and of every delegation alike,
    /// but for equivocation, which takes the whole bond and a twentieth of the delegations.
    pub const fn penalty(self) -> Penalty {
        match self {
            Offence::Equivocation => Penalty {
                bond_bps: Bps::constant(10_000),
                delegated_bps: Bps::constant(500),
                reputation: 5_000,
                quarantine_epochs: 4,
                tombstoned: true,
            },
            Offence::KeyCompromise => Penalty {
                bond_bps: Bps::constant(1_000),
                delegated_bps: Bps::constant(1_000),
                reputation: 500,
                quarantine_epochs: 1,
                tombstoned: false,
            },
            Offence::Censorship => Penalty {
                bond_bps: Bps::constant(3_000),
                delegated_bps: Bps::constant(3_000),
                reputation: 2_000,
                quarantine_epochs: 2,
                tombstoned: false,
            },
            Offence::Downtime => Penalty {
                bond_bps: Bps::constant(1),
                delegated_bps: Bps::constant(1),
                reputation: 100,
                quarantine_epochs: 0,
                tombstoned: false,
            },
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Offence::Equivocation => "equivocation",
            Offence::KeyCompromise => "key compromise",
            Offence::Censorship => "censorship",
            Offence::Downtime => "downtime",
        })
    }
}
