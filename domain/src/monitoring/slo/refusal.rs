//! Why a command to an objective was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{
    aggregate,
    monitoring::{Count, SloId},
    values::Bps,
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("there is no objective {slo}")]
    SloUnknown { slo: SloId },
    #[error("{days} days are not {minimum} to {maximum}")]
    DaysOutside { days: u16, maximum: u16, minimum: u16 },
    #[error("an objective of {objective} basis points leaves nothing to burn, or everything")]
    ObjectiveWithoutBudget { objective: Bps },
    #[error("{bad} of {total} cannot have gone wrong in {window_s} s")]
    CountsImpossible { bad: Count, total: Count, window_s: u32 },
    #[error("the window of {window_s} s is missing")]
    WindowMissing { window_s: u32 },
    #[error("the window of {window_s} s is not needed, or is there twice")]
    WindowUnexpected { window_s: u32 },
    #[error("in {long_s} s there was less than in the {short_s} s at their end")]
    WindowsContradict { long_s: u32, short_s: u32 },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::SloUnknown { .. } => "slo-unknown",
            Refusal::DaysOutside { .. } => "days-outside",
            Refusal::ObjectiveWithoutBudget { .. } => "objective-without-budget",
            Refusal::CountsImpossible { .. } => "counts-impossible",
            Refusal::WindowMissing { .. } => "window-missing",
            Refusal::WindowUnexpected { .. } => "window-unexpected",
            Refusal::WindowsContradict { .. } => "windows-contradict",
        }
    }
}
