//! One alert: it may come, it is there, somebody looks after it, it is over.
//!
//! Does not know who is told. What was measured stands in its summary.
//!
//! The story. Pending -> firing -> acknowledged -> resolved. The same alert may come again: it is
//! then its next occurrence. While it is silenced nobody is told, but what happens is recorded all
//! the same. A rule of our own raises an alert only while it is enabled; others raise theirs
//! themselves, such as an Alertmanager.

mod command;
mod event;
mod refusal;

use std::fmt;

use serde::Serialize;

pub use command::Command;
pub use event::{
    AlertAcknowledged, AlertFired, AlertPending, AlertResolved, AlertSilenced, Event, Source,
};
pub use refusal::Refusal;

use super::{AlertId, Severity};
use crate::{
    aggregate::Aggregate,
    values::{Label, Moment, PrincipalId, Reason},
};

/// The longest a silence may last, in seconds: thirty days.
pub const SILENCE_S_MAX: u64 = 30 * 86_400;

/// What a decision must know beyond the alert's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who asks; none for the program itself.
    pub actor: Option<PrincipalId>,
    /// The alert the stream is named by.
    pub id: AlertId,
    /// When it is decided.
    pub now: Moment,
    /// Whether the rule that the command names is enabled.
    pub rule_enabled: bool,
}

/// An alert as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Alert {
    /// Which occurrence it is, from 1; 0 before the first.
    pub occurrence: u32,
    /// How bad it is; none before the first occurrence.
    pub severity: Option<Severity>,
    /// Until when nobody is told.
    pub silenced_until: Option<Moment>,
    /// What it is.
    pub standing: Standing,
}

/// What an alert is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertStanding))]
pub enum Standing {
    /// It never was.
    #[default]
    Unknown,
    /// It may come.
    Pending,
    /// It is there.
    Firing,
    /// It is there, and somebody looks after it.
    Acknowledged,
    /// It is over.
    Resolved,
}

impl fmt::Display for Standing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Standing::Unknown => "unknown",
            Standing::Pending => "pending",
            Standing::Firing => "firing",
            Standing::Acknowledged => "acknowledged",
            Standing::Resolved => "resolved",
        })
    }
}

/// An alert as its source tells it.
struct Raised<'a> {
    pending: bool,
    severity: Severity,
    source: &'a Source,
    summary: &'a Label,
}

impl Alert {
    /// Whether nobody is told at a moment.
    pub fn is_silenced_at(&self, now: Moment) -> bool {
        self.silenced_until.is_some_and(|until| now < until)
    }

    fn is_open(&self) -> bool {
        match self.standing {
            Standing::Unknown | Standing::Resolved => false,
            Standing::Pending | Standing::Firing | Standing::Acknowledged => true,
        }
    }

    fn forbids(&self, command: &'static str) -> Refusal {
        Refusal::StandingForbids { command, standing: self.standing }
    }

    fn fire(&self, raised: &Raised<'_>, known: &Known) -> Result<Vec<Event>, Refusal> {
        match raised.source {
            Source::Rule { rule } if !known.rule_enabled => {
                return Err(Refusal::RuleNotEnabled { rule: rule.clone() });
            }
            Source::Rule { .. } | Source::Alertmanager {} | Source::Program {} => {}
        }
        let occurrence =
            if self.is_open() { self.occurrence } else { self.occurrence.saturating_add(1) };
        let same = self.severity == Some(raised.severity);
        let (severity, source) = (raised.severity, raised.source.clone());
        let summary = raised.summary.clone();
        match (self.standing, raised.pending) {
            (Standing::Pending, true) if same => Ok(Vec::new()),
            // What is there does not become less by being measured again.
            (Standing::Firing | Standing::Acknowledged, true) => Ok(Vec::new()),
            (Standing::Firing | Standing::Acknowledged, false) if same => Ok(Vec::new()),
            (Standing::Unknown | Standing::Pending | Standing::Resolved, true) => {
                Ok(vec![Event::AlertPending(AlertPending {
                    occurrence,
                    severity,
                    source,
                    summary,
                })])
            }
            (
                Standing::Unknown
                | Standing::Pending
                | Standing::Firing
                | Standing::Acknowledged
                | Standing::Resolved,
                false,
            ) => {
                let silenced = self.is_silenced_at(known.now);
                let fired = AlertFired { occurrence, severity, silenced, source, summary };
                Ok(vec![Event::AlertFired(fired)])
            }
        }
    }

    fn acknowledge(&self, note: Option<&Reason>, known: &Known) -> Result<Vec<Event>, Refusal> {
        let by = known.actor.clone().ok_or(Refusal::NobodyAcknowledges)?;
        match self.standing {
            Standing::Firing => {
                let (note, occurrence) = (note.cloned(), self.occurrence);
                let acknowledged = AlertAcknowledged { acknowledged_by: by, note, occurrence };
                Ok(vec![Event::AlertAcknowledged(acknowledged)])
            }
            Standing::Acknowledged => Ok(Vec::new()),
            Standing::Unknown | Standing::Pending | Standing::Resolved => {
                Err(self.forbids("be acknowledged"))
            }
        }
    }

    fn silence(
        &self,
        reason: &Reason,
        until: Moment,
        known: &Known,
    ) -> Result<Vec<Event>, Refusal> {
        if self.standing == Standing::Unknown {
            return Err(self.forbids("be silenced"));
        }
        let (latest, now) = (known.now.plus_seconds(SILENCE_S_MAX), known.now);
        if until <= now || until > latest {
            return Err(Refusal::SilenceOutside { latest, now, until });
        }
        if self.silenced_until == Some(until) {
            return Ok(Vec::new());
        }
        let (reason, silenced_by) = (reason.clone(), known.actor.clone());
        Ok(vec![Event::AlertSilenced(AlertSilenced { reason, silenced_by, until })])
    }

    fn resolve(&self, reason: Option<&Reason>) -> Result<Vec<Event>, Refusal> {
        match self.standing {
            Standing::Pending | Standing::Firing | Standing::Acknowledged => {
                let (occurrence, reason) = (self.occurrence, reason.cloned());
                Ok(vec![Event::AlertResolved(AlertResolved { occurrence, reason })])
            }
            Standing::Resolved => Ok(Vec::new()),
            Standing::Unknown => Err(self.forbids("be resolved")),
        }
    }
}

impl Aggregate for Alert {
    const CATEGORY: &'static str = "alert";
    type Id = AlertId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::Fire { pending, severity, source, summary } => {
                let (pending, severity) = (*pending, *severity);
                self.fire(&Raised { pending, severity, source, summary }, known)
            }
            Command::Acknowledge { note } => self.acknowledge(note.as_ref(), known),
            Command::Silence { reason, until } => self.silence(reason, *until, known),
            Command::Resolve { reason } => self.resolve(reason.as_ref()),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::AlertPending(data) => {
                (self.occurrence, self.severity) = (data.occurrence, Some(data.severity));
                self.standing = Standing::Pending;
            }
            Event::AlertFired(data) => {
                (self.occurrence, self.severity) = (data.occurrence, Some(data.severity));
                self.standing = Standing::Firing;
            }
            Event::AlertAcknowledged(_) => self.standing = Standing::Acknowledged,
            Event::AlertSilenced(data) => self.silenced_until = Some(data.until),
            Event::AlertResolved(_) => self.standing = Standing::Resolved,
        }
    }
}
