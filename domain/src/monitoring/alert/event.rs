//! What can have happened to an alert.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    monitoring::{RuleId, Severity},
    values::{Label, Moment, PrincipalId, Reason},
};

/// A fact about an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertEvent))]
pub enum Event {
    /// It may come.
    #[serde(rename = "alert-pending.v1")]
    AlertPending(AlertPending),
    /// It is there, or is worse or better than before.
    #[serde(rename = "alert-fired.v1")]
    AlertFired(AlertFired),
    /// Somebody looks after it.
    #[serde(rename = "alert-acknowledged.v1")]
    AlertAcknowledged(AlertAcknowledged),
    /// Nobody is told for a while.
    #[serde(rename = "alert-silenced.v1")]
    AlertSilenced(AlertSilenced),
    /// It is over.
    #[serde(rename = "alert-resolved.v1")]
    AlertResolved(AlertResolved),
}

/// Who raised it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertSource))]
pub enum Source {
    /// An Alertmanager.
    Alertmanager {},
    /// The program itself, such as a process that cannot go on.
    Program {},
    /// A rule of our own.
    Rule {
        /// Which.
        rule: RuleId,
    },
}

/// It may come.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertPending {
    /// Which occurrence, from 1.
    pub occurrence: u32,
    /// How bad it would be.
    pub severity: Severity,
    /// Who raised it.
    pub source: Source,
    /// What it is about.
    pub summary: Label,
}

/// It is there, or is worse or better than before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertFired {
    /// Which occurrence, from 1.
    pub occurrence: u32,
    /// How bad it is.
    pub severity: Severity,
    /// Whether nobody is told.
    pub silenced: bool,
    /// Who raised it.
    pub source: Source,
    /// What it is about.
    pub summary: Label,
}

/// Somebody looks after it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertAcknowledged {
    /// Who.
    pub acknowledged_by: PrincipalId,
    /// What they say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub note: Option<Reason>,
    /// Which occurrence.
    pub occurrence: u32,
}

/// Nobody is told for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertSilenced {
    /// Why.
    pub reason: Reason,
    /// Who did it; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub silenced_by: Option<PrincipalId>,
    /// Until when.
    pub until: Moment,
}

/// It is over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct AlertResolved {
    /// Which occurrence.
    pub occurrence: u32,
    /// Why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "alert-pending.v1",
        "alert-fired.v1",
        "alert-acknowledged.v1",
        "alert-silenced.v1",
        "alert-resolved.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::AlertPending(_) => "alert-pending.v1",
            Event::AlertFired(_) => "alert-fired.v1",
            Event::AlertAcknowledged(_) => "alert-acknowledged.v1",
            Event::AlertSilenced(_) => "alert-silenced.v1",
            Event::AlertResolved(_) => "alert-resolved.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::AlertPending(data) => data.serialize(serializer),
            Event::AlertFired(data) => data.serialize(serializer),
            Event::AlertAcknowledged(data) => data.serialize(serializer),
            Event::AlertSilenced(data) => data.serialize(serializer),
            Event::AlertResolved(data) => data.serialize(serializer),
        }
    }
}
