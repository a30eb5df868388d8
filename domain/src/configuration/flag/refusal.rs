//! Why a command to a flag was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{aggregate, configuration::Key};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the flag {key} exists already")]
    FlagKnown { key: Key },
    #[error("there is no flag {key}")]
    FlagUnknown { key: Key },
    #[error("the flag {key} was killed; it may be created anew")]
    FlagKilled { key: Key },
    #[error("{found} targets are more than {maximum}")]
    TargetsTooMany { found: usize, maximum: usize },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::FlagKnown { .. } => "flag-known",
            Refusal::FlagUnknown { .. } => "flag-unknown",
            Refusal::FlagKilled { .. } => "flag-killed",
            Refusal::TargetsTooMany { .. } => "targets-too-many",
        }
    }
}
