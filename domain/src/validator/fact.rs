//! What each event of a validator carries.
//!
//! Does not know the moment: the record says when. Events carry the numbers that follow from them,
//! so that whoever folds them computes nothing.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::{Offence, Registration, StandingName};
use crate::values::{
    Address, Amount, Bps, ChainId, Contact, Epoch, Hash, Height, Moment, Moniker, Operator, Power,
    PublicKey, Reason, Reservation, Website, key_from_history,
};

/// A key became a validator, or one that had left became one again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorRegistered {
    /// Its address.
    pub address: Address,
    /// Its own bond.
    pub bond: Amount,
    /// The chain it will validate.
    pub chain_id: ChainId,
    /// Its share of what its delegators earn.
    pub commission_bps: Bps,
    /// How its people can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The epoch in which it registered.
    pub epoch: Epoch,
    /// The name it shows.
    pub moniker: Moniker,
    /// Who runs it.
    pub operator: Operator,
    /// The voting power its stake gives.
    pub power: Power,
    /// Its consensus key.
    #[serde(deserialize_with = "key_from_history")]
    pub public_key: PublicKey,
    /// The reputation it begins with: after an earlier exit never more than it had.
    pub reputation: u32,
    /// The stake that was set aside for this registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Reservation>,
    /// Its stake: the bond, and delegations left from before an earlier exit.
    pub stake: Amount,
    /// Where it introduces itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<Website>,
}

/// Somebody asked for a registration, to be carried out as one thing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RegistrationRequested {
    /// The epoch in which it was asked for.
    pub epoch: Epoch,
    /// What was asked for; its reservation is what the bond is set aside for.
    pub registration: Registration,
}

/// A step of a registration that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum RegistrationStep {
    /// The bond is set aside in the account of the same address.
    Reserve,
    /// The key is registered.
    Register,
    /// It may be chosen for the set.
    Activate,
}

impl fmt::Display for RegistrationStep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            RegistrationStep::Reserve => "reserve",
            RegistrationStep::Register => "register",
            RegistrationStep::Activate => "activate",
        })
    }
}

/// A registration that was asked for cannot be completed, and is undone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RegistrationFailed {
    /// Why not.
    pub because: Reason,
    /// What the bond was to be set aside for.
    pub reservation: Reservation,
    /// The step that was refused.
    pub step: RegistrationStep,
}

/// The registration of a request that failed was undone: nobody is registered here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorDeregistered {
    /// The bond that went back: it was never at stake.
    pub bond: Amount,
    /// The epoch in which it was undone.
    pub epoch: Epoch,
    /// The voting power its stake gives.
    pub power: Power,
    /// Its stake: what others had delegated.
    pub stake: Amount,
}

/// It may be chosen for the set.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorActivated {
    /// The epoch in which it was activated.
    pub epoch: Epoch,
    /// The voting power its stake gives.
    pub power: Power,
}

/// Its profile was replaced; an absent member was removed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ProfileUpdated {
    /// How its people can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The name it shows.
    pub moniker: Moniker,
    /// Where it introduces itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<Website>,
}

/// Its commission moved.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct CommissionSet {
    /// The new commission.
    pub commission_bps: Bps,
    /// The epoch in which it moved.
    pub epoch: Epoch,
    /// The commission before.
    pub previous_bps: Bps,
}

/// Its own bond grew.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StakeBonded {
    /// By how much.
    pub amount: Amount,
    /// Its own bond after it.
    pub bond: Amount,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Its stake after it.
    pub stake: Amount,
}

/// A part of its own bond began to unbond.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UnbondingStarted {
    /// How much.
    pub amount: Amount,
    /// Its own bond after it.
    pub bond: Amount,
    /// The epoch in which it began.
    pub epoch: Epoch,
    /// The epoch in which it is released.
    pub matures: Epoch,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Its stake after it.
    pub stake: Amount,
}

/// Somebody staked on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct DelegationAdded {
    /// How much.
    pub amount: Amount,
    /// The delegator's stake on it after it.
    pub delegation: Amount,
    /// Whose stake it is.
    pub delegator: Address,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Its stake after it.
    pub stake: Amount,
}

/// A delegation, or a part of it, began to unbond.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct UndelegationStarted {
    /// How much.
    pub amount: Amount,
    /// The delegator's stake on it after it.
    pub delegation: Amount,
    /// Whose stake it is.
    pub delegator: Address,
    /// The epoch in which it began.
    pub epoch: Epoch,
    /// The epoch in which it is released.
    pub matures: Epoch,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Its stake after it.
    pub stake: Amount,
}

/// Unbonding stake matured and went back to its owner. What began to unbond in one epoch and
/// matures in one epoch is one entry for each owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct StakeReleased {
    /// How much: less than what began to unbond when an offence was punished meanwhile.
    pub amount: Amount,
    /// Whose stake it is; absent for the validator's own bond.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegator: Option<Address>,
    /// The epoch in which it was released.
    pub epoch: Epoch,
    /// The epoch in which it matured.
    pub matures: Epoch,
    /// The epoch in which it began to unbond.
    pub started: Epoch,
}

/// An epoch's duties were counted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PerformanceRecorded {
    /// Whether it missed more than `downtime_missed_max_bps` of its duties.
    pub downtime: bool,
    /// The epoch.
    pub epoch: Epoch,
    /// Heights it should have signed and did not.
    pub missed: u32,
    /// Blocks it proposed.
    pub proposed: u32,
    /// Heights it signed.
    pub signed: u32,
}

/// Why a reputation changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum ReputationCause {
    /// An epoch's duties.
    Performance,
    /// Equivocation.
    Equivocation,
    /// A compromised key.
    KeyCompromise,
    /// Censorship.
    Censorship,
    /// Downtime.
    Downtime,
}

impl From<Offence> for ReputationCause {
    fn from(offence: Offence) -> ReputationCause {
        match offence {
            Offence::Equivocation => ReputationCause::Equivocation,
            Offence::KeyCompromise => ReputationCause::KeyCompromise,
            Offence::Censorship => ReputationCause::Censorship,
            Offence::Downtime => ReputationCause::Downtime,
        }
    }
}

/// Its reputation changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ReputationChanged {
    /// Why.
    pub cause: ReputationCause,
    /// The epoch whose duties were counted, or in which the offence was punished.
    pub epoch: Epoch,
    /// Before.
    pub from: u32,
    /// After.
    pub to: u32,
}

/// It was jailed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorJailed {
    /// The epoch in which it was jailed.
    pub epoch: Epoch,
    /// Why.
    pub reason: Reason,
    /// Before this moment it cannot come back.
    pub until: Moment,
}

/// It left jail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorUnjailed {
    /// The epoch in which it left jail.
    pub epoch: Epoch,
    /// What it is now: active, or registered when an offence had been punished.
    pub standing: StandingName,
}

/// An offence was punished. The bond loses `bond_bps`; each delegation loses `delegated_bps` of
/// itself, rounded down; unbonding entries that began in `offence_epoch` or later lose the same as
/// the stake they came from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorSlashed {
    /// Its own bond after it.
    pub bond: Amount,
    /// The part of the own bond that was burned.
    pub bond_bps: Bps,
    /// Everything that was burned.
    pub burned: Amount,
    /// Burned of its own bond.
    pub burned_bond: Amount,
    /// Burned of delegations.
    pub burned_delegated: Amount,
    /// Burned of unbonding stake, its own and its delegators'.
    pub burned_unbonding: Amount,
    /// All delegations after it.
    pub delegated: Amount,
    /// The part of each delegation that was burned.
    pub delegated_bps: Bps,
    /// The epoch in which it was punished.
    pub epoch: Epoch,
    /// The hash of the evidence.
    pub evidence: Hash,
    /// The height at which it happened.
    pub height: Height,
    /// What it did.
    pub offence: Offence,
    /// The epoch in which it happened.
    pub offence_epoch: Epoch,
    /// The voting power its stake gives after it.
    pub power: Power,
    /// Before this epoch it cannot be activated.
    pub quarantined_until: Epoch,
    /// Its stake after it.
    pub stake: Amount,
}

/// It never comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorTombstoned {
    /// The epoch in which that was decided.
    pub epoch: Epoch,
    /// For what.
    pub offence: Offence,
}

/// It began to leave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ExitInitiated {
    /// The epoch in which it began.
    pub epoch: Epoch,
    /// The epoch from which the exit can be completed.
    pub matures: Epoch,
}

/// It left in good order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ValidatorExited {
    /// The epoch in which it left.
    pub epoch: Epoch,
}
