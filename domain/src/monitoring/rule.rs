//! One rule: which measure is too high or too low, and for how long before anybody is told.
//!
//! Does not measure: [`RuleDefinition::verdict`] judges what it is told.
//!
//! The story. A rule is a draft until it is enabled; only an enabled one raises alerts. It may be
//! defined anew at any time, and disabled with a reason.

mod command;
mod event;
mod refusal;

pub use command::Command;
pub use event::{Comparison, Event, RuleDefinition, RuleDisabled, RuleEnabled, Signal};
pub use refusal::Refusal;

use super::{Count, RuleId};
use crate::{aggregate::Aggregate, values::Moment};

/// The longest a measure may be out of bounds before somebody is told, in seconds: one day.
pub const FOR_S_MAX: u32 = 86_400;

/// What a decision must know beyond the rule's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The rule the stream is named by.
    pub id: RuleId,
}

/// A rule as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct AlertRule {
    /// What it says; none before it was defined.
    pub definition: Option<RuleDefinition>,
    /// Whether it is a draft, in use, or out of use.
    pub standing: Standing,
}

/// Whether a rule is in use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Standing {
    /// Never yet.
    #[default]
    Draft,
    /// It is.
    Enabled,
    /// Not any more.
    Disabled,
}

/// What a rule makes of a sample.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// All is well.
    Quiet,
    /// Out of bounds, not for long enough yet.
    Pending {
        /// Since when.
        since: Moment,
    },
    /// Out of bounds for long enough.
    Firing {
        /// Since when.
        since: Moment,
    },
}

impl RuleDefinition {
    /// Judges a sample taken at `now`, when the samples before it have been out of bounds without a
    /// break since `since`.
    pub fn verdict(&self, sample: Count, since: Option<Moment>, now: Moment) -> Verdict {
        let out_of_bounds = match self.comparison {
            Comparison::Above => sample > self.threshold,
            Comparison::Below => sample < self.threshold,
        };
        if !out_of_bounds {
            return Verdict::Quiet;
        }
        let since = since.map_or(now, |since| since.min(now));
        if since.plus_seconds(u64::from(self.for_s)) <= now {
            Verdict::Firing { since }
        } else {
            Verdict::Pending { since }
        }
    }
}

impl AlertRule {
    fn defined(&self, known: &Known) -> Result<(), Refusal> {
        match self.definition {
            Some(_) => Ok(()),
            None => Err(Refusal::RuleUnknown { rule: known.id.clone() }),
        }
    }

    fn define(&self, definition: &RuleDefinition) -> Result<Vec<Event>, Refusal> {
        let for_s = definition.for_s;
        if for_s > FOR_S_MAX {
            return Err(Refusal::WaitTooLong { for_s, maximum: FOR_S_MAX });
        }
        if self.definition.as_ref() == Some(definition) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::RuleDefined(definition.clone())])
    }
}

impl Aggregate for AlertRule {
    const CATEGORY: &'static str = "alert_rule";
    type Id = RuleId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::DefineRule(definition) => self.define(definition),
            Command::EnableRule {} => {
                self.defined(known)?;
                match self.standing {
                    Standing::Enabled => Ok(Vec::new()),
                    Standing::Draft | Standing::Disabled => {
                        Ok(vec![Event::RuleEnabled(RuleEnabled {})])
                    }
                }
            }
            Command::DisableRule { reason } => {
                self.defined(known)?;
                match self.standing {
                    Standing::Disabled => Ok(Vec::new()),
                    Standing::Draft => Err(Refusal::NotEnabled { rule: known.id.clone() }),
                    Standing::Enabled => {
                        let reason = reason.clone();
                        Ok(vec![Event::RuleDisabled(RuleDisabled { reason })])
                    }
                }
            }
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::RuleDefined(data) => self.definition = Some(data.clone()),
            Event::RuleEnabled(_) => self.standing = Standing::Enabled,
            Event::RuleDisabled(_) => self.standing = Standing::Disabled,
        }
    }
}
