//! Who may validate: one validator's registration, stake, reputation, jail, penalties and exit.
//!
//! Does not know the other validators, nor the chain: what it must know of them is handed in.
//!
//! The story. A key registers by proving itself over the chain's id and its own address
//! ([`registration_bytes`]), with a bond of its own. Once its reputation suffices it is activated
//! and may be chosen at the next rotation. Others delegate to it; stake = own bond + delegations,
//! and what leaves waits `unbonding_epochs`, so that misbehaviour can still be punished. It may be
//! jailed and come back; an offence burns stake and reputation by a fixed table ([`Offence`]),
//! once; equivocation ends it for ever. Who leaves in good order may register anew.
//!
//! A registration can also be asked for as one thing ([`Application`]): its bond is set aside in
//! the account of the same address, the key is registered and activated, or all of it is undone.

mod application;
mod command;
mod decide;
mod event;
mod evolve;
mod fact;
mod leave;
mod offence;
mod penalty;
mod refusal;
mod state;

pub use application::{Application, ApplicationStatus};
pub use command::{Command, Registration};
pub use event::Event;
pub use fact::{
    CommissionSet, DelegationAdded, ExitInitiated, PerformanceRecorded, ProfileUpdated,
    RegistrationFailed, RegistrationRequested, RegistrationStep, ReputationCause,
    ReputationChanged, StakeBonded, StakeReleased, UnbondingStarted, UndelegationStarted,
    ValidatorActivated, ValidatorDeregistered, ValidatorExited, ValidatorJailed,
    ValidatorRegistered, ValidatorSlashed, ValidatorTombstoned, ValidatorUnjailed,
};
pub use offence::{Offence, Penalty};
pub use refusal::Refusal;
pub use state::{Commission, Profile, Record, Stake, Standing, StandingName, Unbonding, Validator};

use crate::{
    aggregate::Aggregate,
    parameters::Parameters,
    values::{Address, ChainId, Epoch, Moment},
};

/// By how much a commission may move within one epoch, in basis points.
pub const COMMISSION_STEP_BPS_MAX: u16 = 100;
/// The most delegators of one validator.
pub const DELEGATORS_MAX: usize = 10_000;
/// The most entries one `complete-unbonding` releases; ask again for the rest.
pub const RELEASES_MAX: usize = 100;
/// The reputation gained by an epoch without a missed duty.
pub const REPUTATION_GAIN_MAX: i64 = 100;
/// The reputation lost by an epoch in which every duty was missed.
pub const REPUTATION_LOSS_MAX: i64 = 200;

/// What a decision must know beyond the validator's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The address the stream is named by.
    pub address: Address,
    /// When it is decided.
    pub now: Moment,
    /// The protocol parameters in force.
    pub parameters: Parameters,
    /// The epoch the chain is in.
    pub epoch: Epoch,
    /// Active validators in the set.
    pub active: u32,
    /// Joins and leaves already used this epoch.
    pub joined: u32,
}

/// The bytes a key signs (strictly, [`crate::values::PublicKey::verify_strict`]) to prove itself:
/// `node0/validator-registration/v1`, the chain id and the address in upper hex, each followed by a
/// line feed.
pub fn registration_bytes(chain_id: &ChainId, address: Address) -> Vec<u8> {
    format!("node0/validator-registration/v1\n{chain_id}\n{address}\n").into_bytes()
}

impl Aggregate for Validator {
    const CATEGORY: &'static str = "validator";
    type Id = Address;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        evolve::evolve(self, event);
    }
}
