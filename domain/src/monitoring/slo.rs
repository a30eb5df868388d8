//! One objective: how much may go wrong, how much of that is used up, and how fast.
//!
//! Does not count: how much was asked and how much of it went wrong is handed in, by window.
//!
//! The story. An objective says which part must go well over a number of days; what is left is the
//! error budget. Counts come again and again; an event follows only when the urgency changes, or
//! when the budget that is left moves to another tenth. Counts themselves are no events.
//!
//! The rule is that of Google's SRE workbook (chapter 5, multiwindow, multi-burn-rate alerts): a
//! burn rate of 1 uses the budget up exactly at the end of its days. It is urgent when the rate is
//! above a limit over a long window and over a twelfth of it as well, so that it begins late enough
//! to matter and ends soon after it is over ([`TIERS`]). All of it in integers.

mod burn;
mod command;
mod event;
mod refusal;

pub use burn::{Assessment, TIERS, Tier, WINDOWS_S, assess};
pub use command::Command;
pub use event::{Event, Indicator, SloDefinition, SloStateRecorded, Urgency, Window};
pub use refusal::Refusal;

use super::SloId;
use crate::{aggregate::Aggregate, values::Bps};

/// The fewest days of an objective: more than the longest window of [`TIERS`].
pub const DAYS_MIN: u16 = 7;
/// The most days of an objective.
pub const DAYS_MAX: u16 = 90;

/// What a decision must know beyond the objective's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The objective the stream is named by.
    pub id: SloId,
}

/// An objective as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Slo {
    /// What it says; none before it was defined.
    pub definition: Option<SloDefinition>,
    /// What was recorded last, since it was defined so.
    pub state: Option<SloStateRecorded>,
}

impl Slo {
    fn define(&self, definition: &SloDefinition) -> Result<Vec<Event>, Refusal> {
        let (days, objective) = (definition.days, definition.objective_bps);
        if !(DAYS_MIN..=DAYS_MAX).contains(&days) {
            return Err(Refusal::DaysOutside { days, maximum: DAYS_MAX, minimum: DAYS_MIN });
        }
        if objective == Bps::ZERO || objective == Bps::WHOLE {
            return Err(Refusal::ObjectiveWithoutBudget { objective });
        }
        if self.definition.as_ref() == Some(definition) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SloDefined(definition.clone())])
    }

    fn record(&self, windows: &[Window], known: &Known) -> Result<Vec<Event>, Refusal> {
        let unknown = || Refusal::SloUnknown { slo: known.id.clone() };
        let definition = self.definition.as_ref().ok_or_else(unknown)?;
        let assessment = assess(definition, windows)?;
        let now = SloStateRecorded {
            budget_left_bps: assessment.budget_left,
            burn_milli: assessment.burn_milli,
            urgency: assessment.urgency,
        };
        let tenth = |state: &SloStateRecorded| state.budget_left_bps.value().div_ceil(1_000);
        let same = |before: &SloStateRecorded| {
            before.urgency == now.urgency && tenth(before) == tenth(&now)
        };
        if self.state.as_ref().is_some_and(same) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::SloStateRecorded(now)])
    }
}

impl Aggregate for Slo {
    const CATEGORY: &'static str = "slo";
    type Id = SloId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        match command {
            Command::DefineSlo(definition) => self.define(definition),
            Command::RecordSloState { windows } => self.record(windows, known),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        match event {
            Event::SloDefined(data) => {
                (self.definition, self.state) = (Some(data.clone()), None);
            }
            Event::SloStateRecorded(data) => self.state = Some(data.clone()),
        }
    }
}
