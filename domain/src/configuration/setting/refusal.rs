//! Why a command to a setting was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::SchemaFault;
use crate::{aggregate, configuration::Key};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SettingRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("there is no setting {key}")]
    KeyUnknown { key: Key },
    #[error("what stands at \"{pointer}\" looks like a secret; secrets are no settings")]
    SecretRefused { pointer: String },
    #[error("the key's schema has {count} things against the value")]
    SchemaViolated { count: usize, faults: Vec<SchemaFault> },
    #[error("version {version}, which is in force, has this value already")]
    NothingChanges { version: u32 },
    #[error("proposal {proposal} is open; it is applied or rejected first")]
    ProposalOpen { proposal: u32 },
    #[error("there is no open proposal {proposal}")]
    ProposalUnknown { proposal: u32 },
    #[error("somebody must approve proposal {proposal}")]
    ApproverMissing { proposal: u32 },
    #[error("somebody else than its proposer must approve proposal {proposal}")]
    OwnProposal { proposal: u32 },
    #[error("proposal {proposal} is not approved")]
    NotApproved { proposal: u32 },
    #[error("the proposal was compared with version {base}, and {version} is in force")]
    BaseMoved { base: u32, version: u32 },
    #[error("version {version} is not kept; the newest is {newest}")]
    VersionUnknown { newest: u32, version: u32 },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::KeyUnknown { .. } => "key-unknown",
            Refusal::SecretRefused { .. } => "secret-refused",
            Refusal::SchemaViolated { .. } => "schema-violated",
            Refusal::NothingChanges { .. } => "nothing-changes",
            Refusal::ProposalOpen { .. } => "proposal-open",
            Refusal::ProposalUnknown { .. } => "proposal-unknown",
            Refusal::ApproverMissing { .. } => "approver-missing",
            Refusal::OwnProposal { .. } => "own-proposal",
            Refusal::NotApproved { .. } => "not-approved",
            Refusal::BaseMoved { .. } => "base-moved",
            Refusal::VersionUnknown { .. } => "version-unknown",
        }
    }
}
