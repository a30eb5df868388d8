//! Why a command to a validator was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::{Offence, StandingName};
use crate::{
    aggregate,
    values::{Address, Amount, Bps, Epoch, Hash, Height, Moment, Reservation},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("validator {address} is registered already and is {standing}")]
    AlreadyRegistered { address: Address, standing: StandingName },
    #[error("no validator is registered at this address")]
    NotRegistered,
    #[error("the public key has the address {found}, not {expected}")]
    AddressMismatch { expected: Address, found: Address },
    #[error("a registration is under way already, with its bond set aside as {reservation}")]
    RegistrationPending { reservation: Reservation },
    #[error("no registration is under way")]
    NoRegistrationPending,
    #[error("no registration that was asked for failed: leave by initiate-exit")]
    NoRegistrationFailed,
    #[error("the proof is not the key's signature over this chain id and address {address}")]
    ProofInvalid { address: Address },
    #[error("a validator that is {standing} cannot {command}")]
    StandingForbids { command: &'static str, standing: StandingName },
    #[error("the amount is 0")]
    AmountZero,
    #[error("bond {bond} is less than {minimum} = bond_min")]
    BondBelowMinimum { bond: Amount, minimum: Amount },
    #[error("bond {bond} is less than {amount} = amount")]
    BondInsufficient { amount: Amount, bond: Amount },
    #[error("delegation {delegation} of {delegator} is less than {amount} = amount")]
    DelegationInsufficient { amount: Amount, delegation: Amount, delegator: Address },
    #[error("stake {stake} + {amount} would give more than {power_max} = the greatest power")]
    StakeTooLarge { amount: Amount, power_max: String, stake: Amount },
    #[error("the validator has {maximum} delegators, and no more can join")]
    DelegatorsExhausted { maximum: usize },
    #[error("reputation {reputation} is less than {minimum} = reputation_activate_min")]
    ReputationTooLow { minimum: u32, reputation: u32 },
    #[error("quarantined until epoch {until}; this is epoch {epoch}")]
    Quarantined { epoch: Epoch, until: Epoch },
    #[error("the set has {active} active validators of {maximum} = validators_max")]
    SetFull { active: u32, maximum: u32 },
    #[error("{used} joins and leaves of {maximum} are used up in this epoch")]
    ChurnExhausted { maximum: u32, used: u32 },
    #[error("commission may move from {base} by {step_max} within this epoch, not to {wanted}")]
    CommissionStepTooLarge { base: Bps, step_max: u16, wanted: Bps },
    #[error("nothing has matured by epoch {epoch}")]
    NothingMatured {
        epoch: Epoch,
        #[serde(skip_serializing_if = "Option::is_none")]
        next: Option<Epoch>,
    },
    #[error("epoch {epoch} has not begun; this is epoch {current}")]
    EpochInFuture { current: Epoch, epoch: Epoch },
    #[error("performance is recorded up to epoch {last}; epoch {epoch} is not after it")]
    PerformanceRecordedAlready { epoch: Epoch, last: Epoch },
    #[error(
        "{duties} duties and {proposed} proposals do not fit into {epoch_blocks} = epoch_blocks"
    )]
    PerformanceImplausible { duties: u64, epoch_blocks: u32, proposed: u32 },
    #[error("the validator has never been active")]
    NeverActive,
    #[error("in jail until {until}; it is {now}")]
    JailNotOver { now: Moment, until: Moment },
    #[error("{offence} at height {height}, or its evidence {evidence}, has been punished already")]
    OffencePunishedAlready { evidence: Hash, height: Height, offence: Offence },
    #[error("height {height} lies in epoch {epoch}, which has not begun; this is epoch {current}")]
    OffenceInFuture { current: Epoch, epoch: Epoch, height: Height },
    #[error("evidence from height {height} is {age_blocks} blocks old, more than {maximum}")]
    EvidenceExpired { age_blocks: u64, height: Height, maximum: u32 },
    #[error("the bond matures in epoch {matures}; this is epoch {epoch}")]
    StillUnbonding { epoch: Epoch, matures: Epoch },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::AlreadyRegistered { .. } => "already-registered",
            Refusal::NotRegistered => "not-registered",
            Refusal::AddressMismatch { .. } => "address-mismatch",
            Refusal::RegistrationPending { .. } => "registration-pending",
            Refusal::NoRegistrationPending => "no-registration-pending",
            Refusal::NoRegistrationFailed => "no-registration-failed",
            Refusal::ProofInvalid { .. } => "proof-invalid",
            Refusal::StandingForbids { .. } => "standing-forbids",
            Refusal::AmountZero => "amount-zero",
            Refusal::BondBelowMinimum { .. } => "bond-below-minimum",
            Refusal::BondInsufficient { .. } => "bond-insufficient",
            Refusal::DelegationInsufficient { .. } => "delegation-insufficient",
            Refusal::StakeTooLarge { .. } => "stake-too-large",
            Refusal::DelegatorsExhausted { .. } => "delegators-exhausted",
            Refusal::ReputationTooLow { .. } => "reputation-too-low",
            Refusal::Quarantined { .. } => "quarantined",
            Refusal::SetFull { .. } => "set-full",
            Refusal::ChurnExhausted { .. } => "churn-exhausted",
            Refusal::CommissionStepTooLarge { .. } => "commission-step-too-large",
            Refusal::NothingMatured { .. } => "nothing-matured",
            Refusal::EpochInFuture { .. } => "epoch-in-future",
            Refusal::PerformanceRecordedAlready { .. } => "performance-recorded-already",
            Refusal::PerformanceImplausible { .. } => "performance-implausible",
            Refusal::NeverActive => "never-active",
            Refusal::JailNotOver { .. } => "jail-not-over",
            Refusal::OffencePunishedAlready { .. } => "offence-punished-already",
            Refusal::OffenceInFuture { .. } => "offence-in-future",
            Refusal::EvidenceExpired { .. } => "evidence-expired",
            Refusal::StillUnbonding { .. } => "still-unbonding",
        }
    }
}
