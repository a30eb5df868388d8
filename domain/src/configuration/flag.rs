//! One feature flag: for which part of those who ask it is on.
//!
//! Does not know who asks, nor what the flag switches.
//!
//! The story. A flag is created and is off for everybody. A rollout switches it on for those it
//! names, and for so many basis points of all others: each subject has a place among 10,000 that
//! depends on the flag's key and on the subject alone ([`bucket`]), so that every process gives the
//! same answer, and a greater rollout only adds subjects. A flag that is killed is off for
//! everybody at once; created anew, it begins with nobody.

mod command;
mod event;
mod refusal;

use std::collections::BTreeSet;

use sha2::{Digest, Sha256};

pub use command::Command;
pub use event::{Event, FlagChanged, FlagCreated, FlagKilled};
pub use refusal::Refusal;

use super::{Key, Subject};
use crate::{aggregate::Aggregate, values::Bps};

/// The most subjects a rollout names.
pub const TARGETS_MAX: usize = 500;
/// How many places there are.
const PLACES: u64 = 10_000;

/// What a decision must know beyond the flag's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The key the stream is named by.
    pub key: Key,
}

/// A flag as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Flag {
    /// Nobody created it.
    #[default]
    Unknown,
    /// It is rolled out so far.
    Alive(Rollout),
    /// It is off for everybody.
    Killed,
}

/// How far a flag is rolled out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rollout {
    /// To which part of all.
    pub bps: Bps,
    /// And to whom in any case.
    pub targets: BTreeSet<Subject>,
}

/// The place of a subject among 10,000: the first eight bytes, big end first, of the SHA-256 of
/// `node0/flag/v1`, the key and the subject, each followed by a line feed, modulo 10,000.
pub fn bucket(key: &Key, subject: &Subject) -> u16 {
    let digest = Sha256::digest(format!("node0/flag/v1\n{key}\n{subject}\n").as_bytes());
    let first = digest.iter().take(8).fold(0_u64, |sum, byte| (sum << 8) | u64::from(*byte));
    u16::try_from(first % PLACES).expect("there are 10,000 places")
}

impl Flag {
    /// Whether the flag is on for a subject. One that does not exist is off.
    pub fn is_on(&self, key: &Key, subject: &Subject) -> bool {
        match self {
            Flag::Unknown | Flag::Killed => false,
            Flag::Alive(rollout) => {
                rollout.targets.contains(subject) || bucket(key, subject) < rollout.bps.value()
            }
        }
    }

    fn create(&self, command: FlagCreated, known: &Known) -> Result<Vec<Event>, Refusal> {
        match self {
            Flag::Unknown | Flag::Killed => Ok(vec![Event::FlagCreated(command)]),
            Flag::Alive(_) => Err(Refusal::FlagKnown { key: known.key.clone() }),
        }
    }

    fn set_rollout(
        &self,
        bps: Bps,
        targets: &[Subject],
        known: &Known,
    ) -> Result<Vec<Event>, Refusal> {
        let key = || known.key.clone();
        let rollout = match self {
            Flag::Unknown => return Err(Refusal::FlagUnknown { key: key() }),
            Flag::Killed => return Err(Refusal::FlagKilled { key: key() }),
            Flag::Alive(rollout) => rollout,
        };
        let wanted: BTreeSet<Subject> = targets.iter().cloned().collect();
        if wanted.len() > TARGETS_MAX {
            return Err(Refusal::TargetsTooMany { found: wanted.len(), maximum: TARGETS_MAX });
        }
        if rollout.bps == bps && rollout.targets == wanted {
            return Ok(Vec::new());
        }
        let targets = wanted.into_iter().collect();
        Ok(vec![Event::FlagChanged(FlagChanged { bps, targets })])
    }

    fn kill(&self, killed: FlagKilled, known: &Known) -> Result<Vec<Event>, Refusal> {
        match self {
            Flag::Unknown => Err(Refusal::FlagUnknown { key: known.key.clone() }),
            Flag::Killed => Ok(Vec::new()),
            Flag::Alive(_) => Ok(vec![Event::FlagKilled(killed)]),
        }
    }
}

impl Aggregate for Flag {
    const CATEGORY: &'static str = "flag";
    type Id = Key;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::CreateFlag { description } => {
                self.create(FlagCreated { description: description.clone() }, known)
            }
            Command::SetRollout { bps, targets } => self.set_rollout(*bps, targets, known),
            Command::Kill { reason } => self.kill(FlagKilled { reason: reason.clone() }, known),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::FlagCreated(_) => Flag::Alive(Rollout::default()),
            Event::FlagChanged(data) => Flag::Alive(Rollout {
                bps: data.bps,
                targets: data.targets.iter().cloned().collect(),
            }),
            Event::FlagKilled(_) => Flag::Killed,
        };
    }
}
