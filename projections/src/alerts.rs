//! Alerts: what is there, since when, and who looks after it.
//!
//! Does not know who is told.

use domain::{
    aggregate::Aggregate as _,
    monitoring::{
        AlertId, Severity,
        alert::{Alert as Aggregate, Event as Happened, Source},
    },
    values::{Label, Moment, PrincipalId, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Event, Fact, Monitored},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "alerts";
/// What an alert may be.
pub const STANDINGS: &[&str] = &["pending", "firing", "acknowledged", "resolved"];

/// An alert, as its last occurrence is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertRow)]
pub struct Alert {
    /// By what it is told from others.
    pub alert: AlertId,
    /// Which occurrence it is, from 1.
    pub occurrence: u32,
    /// What it is now.
    pub standing: AlertState,
    /// How bad it is.
    pub severity: Severity,
    /// Who raised it.
    pub source: Source,
    /// What it is about.
    pub summary: Label,
    /// When the occurrence began.
    pub begun_at: Moment,
    /// When it was there; null while it may only come.
    pub fired_at: Option<Moment>,
    /// Who looks after it.
    pub acknowledged_by: Option<PrincipalId>,
    /// Since when.
    pub acknowledged_at: Option<Moment>,
    /// What they said.
    pub note: Option<Reason>,
    /// When it was over.
    pub resolved_at: Option<Moment>,
    /// Why.
    pub resolution: Option<Reason>,
    /// The last silence: nobody is told until it ends.
    pub silence: Option<Silence>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position at which the occurrence began.
    pub position: u64,
}

/// Nobody is told of an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AlertSilence)]
pub struct Silence {
    /// Until when.
    pub until: Moment,
    /// Why.
    pub reason: Reason,
    /// Who did it; null for the program itself.
    pub by: Option<PrincipalId>,
}

/// What an alert is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum AlertState {
    /// It may come.
    Pending,
    /// It is there.
    Firing,
    /// It is there, and somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl Row for Alert {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = AlertId;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&AlertId, &Happened)> {
        let Fact::Monitoring(Monitored::Alert(id, happened)) = fact else { return None };
        Some((id, happened))
    }

    fn after(
        before: Option<Alert>,
        event: &Event,
        id: &AlertId,
        happened: &Happened,
    ) -> Result<Alert, &'static str> {
        let never = "the alert never was";
        let mut row = match happened {
            Happened::AlertPending(data) => {
                let told = (data.severity, &data.source, &data.summary);
                Alert::raised(before, event, (id, data.occurrence), told)
            }
            Happened::AlertFired(data) => {
                let told = (data.severity, &data.source, &data.summary);
                let row = Alert::raised(before, event, (id, data.occurrence), told);
                let fired_at = row.fired_at.or(Some(event.at));
                Alert { standing: AlertState::Firing, fired_at, ..row }
            }
            Happened::AlertAcknowledged(data) => Alert {
                standing: AlertState::Acknowledged,
                acknowledged_by: Some(data.acknowledged_by.clone()),
                acknowledged_at: Some(event.at),
                note: data.note.clone(),
                ..before.ok_or(never)?
            },
            Happened::AlertSilenced(data) => Alert {
                silence: Some(Silence {
                    until: data.until,
                    reason: data.reason.clone(),
                    by: data.silenced_by.clone(),
                }),
                ..before.ok_or(never)?
            },
            Happened::AlertResolved(data) => Alert {
                standing: AlertState::Resolved,
                resolved_at: Some(event.at),
                resolution: data.reason.clone(),
                ..before.ok_or(never)?
            },
        };
        (row.version, row.changed_at) = (event.version, event.at);
        Ok(row)
    }

    fn standing(&self) -> &'static str {
        match self.standing {
            AlertState::Pending => "pending",
            AlertState::Firing => "firing",
            AlertState::Acknowledged => "acknowledged",
            AlertState::Resolved => "resolved",
        }
    }

    fn class(&self) -> Option<String> {
        Some(self.severity.to_string())
    }

    fn since(&self) -> u64 {
        self.position
    }
}

impl Alert {
    /// The row of an alert that may come, or is worse or better than before.
    fn raised(
        before: Option<Alert>,
        event: &Event,
        (id, occurrence): (&AlertId, u32),
        (severity, source, summary): (Severity, &Source, &Label),
    ) -> Alert {
        let (silence, same) = match before {
            Some(row) if row.occurrence == occurrence => (None, Some(row)),
            Some(row) => (row.silence, None),
            None => (None, None),
        };
        let row = same.unwrap_or_else(|| Alert {
            alert: id.clone(),
            occurrence,
            standing: AlertState::Pending,
            severity,
            source: source.clone(),
            summary: summary.clone(),
            begun_at: event.at,
            fired_at: None,
            acknowledged_by: None,
            acknowledged_at: None,
            note: None,
            resolved_at: None,
            resolution: None,
            silence,
            version: 0,
            changed_at: event.at,
            position: event.position,
        });
        Alert { severity, source: source.clone(), summary: summary.clone(), ..row }
    }
}
