//! What can be asked of a validator.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{Event, Offence, RegistrationStep};
use crate::values::{
    Address, Amount, Bps, ChainId, Contact, Epoch, Hash, Height, Moniker, Operator, PublicKey,
    Reason, Reservation, Signature, Website,
};

/// A registration: a key, what it puts down, and what it shows of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Registration {
    /// The stake put down, at least `bond_min`.
    pub bond: Amount,
    /// The chain it will validate.
    pub chain_id: ChainId,
    /// Its share of what its delegators earn.
    pub commission_bps: Bps,
    /// How its people can be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact: Option<Contact>,
    /// The name it shows.
    pub moniker: Moniker,
    /// Who runs it.
    pub operator: Operator,
    /// The key's signature over [`super::registration_bytes`].
    pub proof: Signature,
    /// Its consensus key; the address follows from it.
    pub public_key: PublicKey,
    /// The stake that was set aside for this registration.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reservation: Option<Reservation>,
    /// Where it introduces itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub website: Option<Website>,
}

/// A command to a validator.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = ValidatorCommand))]
pub enum Command {
    /// Registers a key as a validator.
    Register(Box<Registration>),
    /// Asks for all of it: the bond set aside in the account of the same address, the key
    /// registered and activated, or all of it undone.
    RequestRegistration(Box<Registration>),
    /// Says that a registration that was asked for cannot be completed, and is undone.
    FailRegistration {
        /// Why not.
        because: Reason,
        /// The step that was refused.
        step: RegistrationStep,
    },
    /// Undoes the registration of a request that failed.
    Deregister {},
    /// Lets a registered validator be chosen for the set.
    Activate {},
    /// Replaces the profile; an absent member is removed.
    UpdateProfile {
        /// How its people can be reached.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        contact: Option<Contact>,
        /// The name it shows.
        moniker: Moniker,
        /// Where it introduces itself.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        website: Option<Website>,
    },
    /// Moves the commission, by at most 100 basis points within an epoch.
    SetCommission {
        /// The new commission.
        commission_bps: Bps,
    },
    /// Adds to the validator's own bond.
    Bond {
        /// How much.
        amount: Amount,
    },
    /// Takes from the validator's own bond; it is released after `unbonding_epochs`.
    Unbond {
        /// How much; at least `bond_min` must stay.
        amount: Amount,
    },
    /// Stakes on the validator.
    Delegate {
        /// How much.
        amount: Amount,
        /// Whose stake it is.
        delegator: Address,
    },
    /// Takes a delegation back; it is released after `unbonding_epochs`.
    Undelegate {
        /// How much.
        amount: Amount,
        /// Whose stake it is.
        delegator: Address,
    },
    /// Releases what has matured by an epoch, at most 100 entries at a time.
    CompleteUnbonding {
        /// An epoch that has begun.
        epoch: Epoch,
    },
    /// Records how the validator did its duties in an epoch, once.
    RecordPerformance {
        /// The epoch.
        epoch: Epoch,
        /// Heights it should have signed and did not.
        missed: u32,
        /// Blocks it proposed.
        proposed: u32,
        /// Heights it signed.
        signed: u32,
    },
    /// Takes an active validator out of the set for `jail_s` seconds at least.
    Jail {
        /// Why.
        reason: Reason,
    },
    /// Lets a jailed validator back: to be active again, or, after a penalty, to be activated anew.
    Unjail {},
    /// Punishes an offence, once.
    Slash {
        /// The hash of the evidence.
        evidence: Hash,
        /// The height at which it happened.
        height: Height,
        /// What it did.
        offence: Offence,
    },
    /// Leaves the set and begins to unbond the whole bond.
    InitiateExit {},
    /// Ends the exit after the bond has matured, and releases it.
    CompleteExit {},
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &[
        "register",
        "request-registration",
        "fail-registration",
        "deregister",
        "activate",
        "update-profile",
        "set-commission",
        "bond",
        "unbond",
        "delegate",
        "undelegate",
        "complete-unbonding",
        "record-performance",
        "jail",
        "unjail",
        "slash",
        "initiate-exit",
        "complete-exit",
    ];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Register(_) => "register",
            Command::RequestRegistration(_) => "request-registration",
            Command::FailRegistration { .. } => "fail-registration",
            Command::Deregister {} => "deregister",
            Command::Activate {} => "activate",
            Command::UpdateProfile { .. } => "update-profile",
            Command::SetCommission { .. } => "set-commission",
            Command::Bond { .. } => "bond",
            Command::Unbond { .. } => "unbond",
            Command::Delegate { .. } => "delegate",
            Command::Undelegate { .. } => "undelegate",
            Command::CompleteUnbonding { .. } => "complete-unbonding",
            Command::RecordPerformance { .. } => "record-performance",
            Command::Jail { .. } => "jail",
            Command::Unjail {} => "unjail",
            Command::Slash { .. } => "slash",
            Command::InitiateExit {} => "initiate-exit",
            Command::CompleteExit {} => "complete-exit",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        const DELEGATOR: &str = "D5B865BA26FDF5285105626B708E8556809737F7";
        const EVIDENCE: &str = "2DB9FCEAFCFB2CF9AE8898AB1198CAA1804513EE7729303968F45D59D8799889";
        let registration = |command: &str| {
            json!({
                "command": command, "bond": "5000000", "chain_id": "node0-local",
                "commission_bps": 500, "contact": "ops@north.example", "moniker": "North Star",
                "operator": "principal-north", "proof": EXAMPLE_PROOF, "public_key": EXAMPLE_KEY,
                "reservation": "reservation-1", "website": "https://north.example",
            })
        };
        vec![
            registration("register"),
            registration("request-registration"),
            json!({"command": "fail-registration", "because": "the set is full", "step": "activate"}),
            json!({"command": "deregister"}),
            json!({"command": "activate"}),
            json!({"command": "update-profile", "moniker": "North Star II"}),
            json!({"command": "set-commission", "commission_bps": 550}),
            json!({"command": "bond", "amount": "1000000"}),
            json!({"command": "unbond", "amount": "1000000"}),
            json!({"command": "delegate", "amount": "2000000", "delegator": DELEGATOR}),
            json!({"command": "undelegate", "amount": "2000000", "delegator": DELEGATOR}),
            json!({"command": "complete-unbonding", "epoch": "320"}),
            json!({
                "command": "record-performance", "epoch": "0", "missed": 1, "proposed": 8,
                "signed": 31,
            }),
            json!({"command": "jail", "reason": "missed its duties"}),
            json!({"command": "unjail"}),
            json!({
                "command": "slash", "evidence": EVIDENCE, "height": "12", "offence": "downtime",
            }),
            json!({"command": "initiate-exit"}),
            json!({"command": "complete-exit"}),
        ]
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// The public half of the Ed25519 key whose seed is 32 bytes of 7.
const EXAMPLE_KEY: &str = "6kpsY+KcUgq+9VB7Ey7F+ZVHdq6+vnuSQh7qaRRG0iw=";
/// Its signature over the registration bytes of the chain `node0-local`.
const EXAMPLE_PROOF: &str =
    "jpexMVZIHEiD1RhaF0n48BTSoBa6DGfH2QRhwqrLJxOOGA6HH40YKHzE1SIRtBgEwCeai9Oio9xeOYNm8tcICw==";

/// See [`crate::aggregate::Aggregate::asked`]. The proof of a key that was registered is not in the
/// fact.
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    let exited = facts.iter().any(|fact| matches!(fact, Event::ValidatorExited(_)));
    Some(match facts.first()? {
        _ if exited => Command::CompleteExit {},
        Event::RegistrationRequested(data) => {
            Command::RequestRegistration(Box::new(data.registration.clone()))
        }
        Event::RegistrationFailed(data) => {
            Command::FailRegistration { because: data.because.clone(), step: data.step }
        }
        Event::ValidatorDeregistered(_) => Command::Deregister {},
        Event::ValidatorActivated(_) => Command::Activate {},
        Event::ProfileUpdated(data) => Command::UpdateProfile {
            contact: data.contact.clone(),
            moniker: data.moniker.clone(),
            website: data.website.clone(),
        },
        Event::CommissionSet(data) => {
            Command::SetCommission { commission_bps: data.commission_bps }
        }
        Event::StakeBonded(data) => Command::Bond { amount: data.amount },
        Event::UnbondingStarted(data) => Command::Unbond { amount: data.amount },
        Event::DelegationAdded(data) => {
            Command::Delegate { amount: data.amount, delegator: data.delegator }
        }
        Event::UndelegationStarted(data) => {
            Command::Undelegate { amount: data.amount, delegator: data.delegator }
        }
        Event::StakeReleased(_) => Command::CompleteUnbonding { epoch: last_matured(facts)? },
        Event::PerformanceRecorded(data) => Command::RecordPerformance {
            epoch: data.epoch,
            missed: data.missed,
            proposed: data.proposed,
            signed: data.signed,
        },
        Event::ValidatorJailed(data) => Command::Jail { reason: data.reason.clone() },
        Event::ValidatorUnjailed(_) => Command::Unjail {},
        Event::ValidatorSlashed(data) => {
            Command::Slash { evidence: data.evidence, height: data.height, offence: data.offence }
        }
        Event::ExitInitiated(_) => Command::InitiateExit {},
        Event::ValidatorRegistered(_)
        | Event::ReputationChanged(_)
        | Event::ValidatorTombstoned(_)
        | Event::ValidatorExited(_) => return None,
    })
}

/// By when all that was released had matured.
fn last_matured(facts: &[Event]) -> Option<Epoch> {
    let mut last = None;
    for fact in facts {
        if let Event::StakeReleased(data) = fact {
            last = last.max(Some(data.matures));
        }
    }
    last
}
