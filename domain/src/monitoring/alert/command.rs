//! What can be asked of an alert.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Event, Source};
use crate::{
    monitoring::Severity,
    values::{Label, Moment, Reason},
};

/// A command to an alert.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AlertCommand))]
pub enum Command {
    /// Raises the alert, or says that it may come.
    Fire {
        /// Whether it is not there yet.
        #[serde(default)]
        pending: bool,
        /// How bad it is.
        severity: Severity,
        /// Who raises it.
        source: Source,
        /// What it is about.
        summary: Label,
    },
    /// Says that somebody looks after it.
    Acknowledge {
        /// What they say.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        note: Option<Reason>,
    },
    /// Tells nobody for a while.
    Silence {
        /// Why.
        reason: Reason,
        /// Until when.
        until: Moment,
    },
    /// Says that it is over.
    Resolve {
        /// Why.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        reason: Option<Reason>,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["fire", "acknowledge", "silence", "resolve"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Fire { .. } => "fire",
            Command::Acknowledge { .. } => "acknowledge",
            Command::Silence { .. } => "silence",
            Command::Resolve { .. } => "resolve",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        serde_json::from_str(include_str!("examples.json"))
            .expect("the examples are part of the program, and a test reads them")
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`].
pub(super) fn asked(facts: &[Event]) -> Option<Command> {
    Some(match facts.first()? {
        Event::AlertPending(data) => Command::Fire {
            pending: true,
            severity: data.severity,
            source: data.source.clone(),
            summary: data.summary.clone(),
        },
        Event::AlertFired(data) => Command::Fire {
            pending: false,
            severity: data.severity,
            source: data.source.clone(),
            summary: data.summary.clone(),
        },
        Event::AlertAcknowledged(data) => Command::Acknowledge { note: data.note.clone() },
        Event::AlertSilenced(data) => {
            Command::Silence { reason: data.reason.clone(), until: data.until }
        }
        Event::AlertResolved(data) => Command::Resolve { reason: data.reason.clone() },
    })
}
