//! What can have happened to an objective.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    monitoring::Count,
    values::{Bps, Label},
};

/// A fact about an objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloEvent))]
pub enum Event {
    /// It says this from now on, and begins anew.
    #[serde(rename = "slo-defined.v1")]
    SloDefined(SloDefinition),
    /// The urgency changed, or the budget that is left moved to another tenth.
    #[serde(rename = "slo-state-recorded.v1")]
    SloStateRecorded(SloStateRecorded),
}

/// What must go well.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloIndicator))]
pub enum Indicator {
    /// Requests are answered, and not with a fault of ours.
    Availability {},
    /// Blocks become final in time.
    Finality {
        /// In how many milliseconds.
        within_ms: u32,
    },
    /// Requests are answered in time.
    Latency {
        /// In how many milliseconds.
        within_ms: u32,
    },
    /// Read models are up to date.
    ProjectionLag {
        /// To how many milliseconds.
        within_ms: u32,
    },
}

/// How urgent it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloUrgency))]
pub enum Urgency {
    /// Not at all.
    None,
    /// By day.
    Ticket,
    /// Now.
    Page,
}

/// What an objective says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SloDefinition {
    /// Over how many days, 7 to 90.
    pub days: u16,
    /// What must go well.
    pub indicator: Indicator,
    /// Which part of it: more than nothing, less than all.
    pub objective_bps: Bps,
    /// What it is called.
    pub title: Label,
}

/// What was counted over a window that ends now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SloWindow))]
pub struct Window {
    /// How much went wrong.
    pub bad: Count,
    /// How much there was.
    pub total: Count,
    /// How long the window is, in seconds.
    pub window_s: u32,
}

/// The urgency changed, or the budget that is left moved to another tenth.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SloStateRecorded {
    /// Which part of the error budget is left.
    pub budget_left_bps: Bps,
    /// The burn rate over the last hour in thousandths: at 1,000 the budget lasts its days.
    pub burn_milli: u32,
    /// How urgent it is.
    pub urgency: Urgency,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &["slo-defined.v1", "slo-state-recorded.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::SloDefined(_) => "slo-defined.v1",
            Event::SloStateRecorded(_) => "slo-state-recorded.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::SloDefined(data) => data.serialize(serializer),
            Event::SloStateRecorded(data) => data.serialize(serializer),
        }
    }
}
