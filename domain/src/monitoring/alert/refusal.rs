//! Why a command to an alert was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::Standing;
use crate::{aggregate, monitoring::RuleId, values::Moment};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("an alert that is {standing} cannot {command}")]
    StandingForbids { command: &'static str, standing: Standing },
    #[error("the rule {rule} is not enabled")]
    RuleNotEnabled { rule: RuleId },
    #[error("somebody must look after it: the program cannot")]
    NobodyAcknowledges,
    #[error("{until} is not after {now} and at most {latest}")]
    SilenceOutside { latest: Moment, now: Moment, until: Moment },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::StandingForbids { .. } => "standing-forbids",
            Refusal::RuleNotEnabled { .. } => "rule-not-enabled",
            Refusal::NobodyAcknowledges => "nobody-acknowledges",
            Refusal::SilenceOutside { .. } => "silence-outside",
        }
    }
}
