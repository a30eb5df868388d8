//! What can have happened to a rule.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    monitoring::{Count, Severity},
    values::{Label, Reason, Website},
};

/// A fact about a rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RuleEvent))]
pub enum Event {
    /// It says this from now on.
    #[serde(rename = "rule-defined.v1")]
    RuleDefined(RuleDefinition),
    /// It is in use.
    #[serde(rename = "rule-enabled.v1")]
    RuleEnabled(RuleEnabled),
    /// It is not in use any more.
    #[serde(rename = "rule-disabled.v1")]
    RuleDisabled(RuleDisabled),
}

/// What is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Signal {
    /// Differences between history and read models.
    AuditDivergences,
    /// The part of the power that is connected, in basis points.
    ConnectedPowerBps,
    /// The part of the disk that is used, in basis points.
    DiskUsedBps,
    /// Equivocations not punished yet.
    Equivocations,
    /// How far finality is behind, in milliseconds.
    FinalityLagMs,
    /// How far the slowest read model is behind, in milliseconds.
    ProjectionLagMs,
    /// The part of the commands that are refused, in basis points.
    RefusalRateBps,
    /// How far the slowest replica is behind, in milliseconds.
    ReplicationLagMs,
    /// Processes that cannot go on.
    StuckProcesses,
}

/// On which side of the threshold it is bad.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum Comparison {
    /// Above it.
    Above,
    /// Below it.
    Below,
}

/// What a rule says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleDefinition {
    /// On which side of the threshold it is bad.
    pub comparison: Comparison,
    /// For how many seconds without a break before somebody is told.
    pub for_s: u32,
    /// Where it is written what to do.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<Website>,
    /// How bad it is.
    pub severity: Severity,
    /// What is measured.
    pub signal: Signal,
    /// The last measure that is still good.
    pub threshold: Count,
    /// What it is called.
    pub title: Label,
}

/// It is in use.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleEnabled {}

/// It is not in use any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RuleDisabled {
    /// Why.
    pub reason: Reason,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] =
        &["rule-defined.v1", "rule-enabled.v1", "rule-disabled.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::RuleDefined(_) => "rule-defined.v1",
            Event::RuleEnabled(_) => "rule-enabled.v1",
            Event::RuleDisabled(_) => "rule-disabled.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::RuleDefined(data) => data.serialize(serializer),
            Event::RuleEnabled(data) => data.serialize(serializer),
            Event::RuleDisabled(data) => data.serialize(serializer),
        }
    }
}
