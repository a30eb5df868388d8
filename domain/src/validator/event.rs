//! What can have happened to a validator.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use super::fact::{
    CommissionSet, DelegationAdded, ExitInitiated, PerformanceRecorded, ProfileUpdated,
    RegistrationFailed, RegistrationRequested, ReputationChanged, StakeBonded, StakeReleased,
    UnbondingStarted, UndelegationStarted, ValidatorActivated, ValidatorDeregistered,
    ValidatorExited, ValidatorJailed, ValidatorRegistered, ValidatorSlashed, ValidatorTombstoned,
    ValidatorUnjailed,
};
use crate::aggregate;

/// A fact about a validator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorEvent))]
pub enum Event {
    /// A key became a validator.
    #[serde(rename = "validator-registered.v1")]
    ValidatorRegistered(Box<ValidatorRegistered>),
    /// Somebody asked for a registration, to be carried out as one thing.
    #[serde(rename = "registration-requested.v1")]
    RegistrationRequested(Box<RegistrationRequested>),
    /// A registration that was asked for cannot be completed, and is undone.
    #[serde(rename = "registration-failed.v1")]
    RegistrationFailed(RegistrationFailed),
    /// Its registration was undone.
    #[serde(rename = "validator-deregistered.v1")]
    ValidatorDeregistered(ValidatorDeregistered),
    /// It may be chosen for the set.
    #[serde(rename = "validator-activated.v1")]
    ValidatorActivated(ValidatorActivated),
    /// Its profile was replaced.
    #[serde(rename = "profile-updated.v1")]
    ProfileUpdated(ProfileUpdated),
    /// Its commission moved.
    #[serde(rename = "commission-set.v1")]
    CommissionSet(CommissionSet),
    /// Its own bond grew.
    #[serde(rename = "stake-bonded.v1")]
    StakeBonded(StakeBonded),
    /// A part of its own bond began to unbond.
    #[serde(rename = "unbonding-started.v1")]
    UnbondingStarted(UnbondingStarted),
    /// Somebody staked on it.
    #[serde(rename = "delegation-added.v1")]
    DelegationAdded(DelegationAdded),
    /// A delegation, or a part of it, began to unbond.
    #[serde(rename = "undelegation-started.v1")]
    UndelegationStarted(UndelegationStarted),
    /// Unbonding stake matured and went back to its owner.
    #[serde(rename = "stake-released.v1")]
    StakeReleased(StakeReleased),
    /// An epoch's duties were counted.
    #[serde(rename = "performance-recorded.v1")]
    PerformanceRecorded(PerformanceRecorded),
    /// Its reputation changed.
    #[serde(rename = "reputation-changed.v1")]
    ReputationChanged(ReputationChanged),
    /// It was jailed.
    #[serde(rename = "validator-jailed.v1")]
    ValidatorJailed(ValidatorJailed),
    /// It left jail.
    #[serde(rename = "validator-unjailed.v1")]
    ValidatorUnjailed(ValidatorUnjailed),
    /// An offence was punished; jail or tombstone follows as an event of its own.
    #[serde(rename = "validator-slashed.v1")]
    ValidatorSlashed(Box<ValidatorSlashed>),
    /// It never comes back.
    #[serde(rename = "validator-tombstoned.v1")]
    ValidatorTombstoned(ValidatorTombstoned),
    /// It began to leave; the unbonding of its bond follows as an event of its own.
    #[serde(rename = "exit-initiated.v1")]
    ExitInitiated(ExitInitiated),
    /// It left in good order.
    #[serde(rename = "validator-exited.v1")]
    ValidatorExited(ValidatorExited),
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "validator-registered.v1",
        "registration-requested.v1",
        "registration-failed.v1",
        "validator-deregistered.v1",
        "validator-activated.v1",
        "profile-updated.v1",
        "commission-set.v1",
        "stake-bonded.v1",
        "unbonding-started.v1",
        "delegation-added.v1",
        "undelegation-started.v1",
        "stake-released.v1",
        "performance-recorded.v1",
        "reputation-changed.v1",
        "validator-jailed.v1",
        "validator-unjailed.v1",
        "validator-slashed.v1",
        "validator-tombstoned.v1",
        "exit-initiated.v1",
        "validator-exited.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::ValidatorRegistered(_) => "validator-registered.v1",
            Event::RegistrationRequested(_) => "registration-requested.v1",
            Event::RegistrationFailed(_) => "registration-failed.v1",
            Event::ValidatorDeregistered(_) => "validator-deregistered.v1",
            Event::ValidatorActivated(_) => "validator-activated.v1",
            Event::ProfileUpdated(_) => "profile-updated.v1",
            Event::CommissionSet(_) => "commission-set.v1",
            Event::StakeBonded(_) => "stake-bonded.v1",
            Event::UnbondingStarted(_) => "unbonding-started.v1",
            Event::DelegationAdded(_) => "delegation-added.v1",
            Event::UndelegationStarted(_) => "undelegation-started.v1",
            Event::StakeReleased(_) => "stake-released.v1",
            Event::PerformanceRecorded(_) => "performance-recorded.v1",
            Event::ReputationChanged(_) => "reputation-changed.v1",
            Event::ValidatorJailed(_) => "validator-jailed.v1",
            Event::ValidatorUnjailed(_) => "validator-unjailed.v1",
            Event::ValidatorSlashed(_) => "validator-slashed.v1",
            Event::ValidatorTombstoned(_) => "validator-tombstoned.v1",
            Event::ExitInitiated(_) => "exit-initiated.v1",
            Event::ValidatorExited(_) => "validator-exited.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::ValidatorRegistered(data) => data.serialize(serializer),
            Event::RegistrationRequested(data) => data.serialize(serializer),
            Event::RegistrationFailed(data) => data.serialize(serializer),
            Event::ValidatorDeregistered(data) => data.serialize(serializer),
            Event::ValidatorActivated(data) => data.serialize(serializer),
            Event::ProfileUpdated(data) => data.serialize(serializer),
            Event::CommissionSet(data) => data.serialize(serializer),
            Event::StakeBonded(data) => data.serialize(serializer),
            Event::UnbondingStarted(data) => data.serialize(serializer),
            Event::DelegationAdded(data) => data.serialize(serializer),
            Event::UndelegationStarted(data) => data.serialize(serializer),
            Event::StakeReleased(data) => data.serialize(serializer),
            Event::PerformanceRecorded(data) => data.serialize(serializer),
            Event::ReputationChanged(data) => data.serialize(serializer),
            Event::ValidatorJailed(data) => data.serialize(serializer),
            Event::ValidatorUnjailed(data) => data.serialize(serializer),
            Event::ValidatorSlashed(data) => data.serialize(serializer),
            Event::ValidatorTombstoned(data) => data.serialize(serializer),
            Event::ExitInitiated(data) => data.serialize(serializer),
            Event::ValidatorExited(data) => data.serialize(serializer),
        }
    }
}
