//! Why a command to a rule was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{aggregate, monitoring::RuleId};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RuleRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("there is no rule {rule}")]
    RuleUnknown { rule: RuleId },
    #[error("the rule {rule} was never enabled")]
    NotEnabled { rule: RuleId },
    #[error("{for_s} s are longer than {maximum} s")]
    WaitTooLong { for_s: u32, maximum: u32 },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::RuleUnknown { .. } => "rule-unknown",
            Refusal::NotEnabled { .. } => "not-enabled",
            Refusal::WaitTooLong { .. } => "wait-too-long",
        }
    }
}
