//! Objectives: what they say, how much of their error budget is left, and how urgent it is.
//!
//! Does not count anything.

use domain::{
    aggregate::Aggregate as _,
    monitoring::{
        SloId,
        slo::{Event as Happened, Slo as Aggregate, SloDefinition, SloStateRecorded, Urgency},
    },
    values::Moment,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Event, Fact, Monitored},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "slos";
/// How urgent an objective may be; `unknown` before anything was counted.
pub const STANDINGS: &[&str] = &["unknown", "none", "ticket", "page"];

/// An objective.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SloRow)]
pub struct Slo {
    /// Its name.
    pub slo: SloId,
    /// What it says.
    pub definition: SloDefinition,
    /// What was recorded last, since it was defined so; null before anything was counted.
    pub state: Option<SloStateRecorded>,
    /// When that was recorded.
    pub recorded_at: Option<Moment>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position of its last event.
    pub position: u64,
}

impl Row for Slo {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = SloId;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&SloId, &Happened)> {
        let Fact::Monitoring(Monitored::Slo(id, happened)) = fact else { return None };
        Some((id, happened))
    }

    fn after(
        before: Option<Slo>,
        event: &Event,
        id: &SloId,
        happened: &Happened,
    ) -> Result<Slo, &'static str> {
        let (slo, version) = (id.clone(), event.version);
        let (changed_at, position) = (event.at, event.position);
        match happened {
            Happened::SloDefined(data) => {
                let definition = data.clone();
                let (state, recorded_at) = (None, None);
                Ok(Slo { slo, definition, state, recorded_at, version, changed_at, position })
            }
            Happened::SloStateRecorded(data) => {
                let definition = before.ok_or("the objective was never defined")?.definition;
                let (state, recorded_at) = (Some(data.clone()), Some(event.at));
                Ok(Slo { slo, definition, state, recorded_at, version, changed_at, position })
            }
        }
    }

    fn standing(&self) -> &'static str {
        match self.state.as_ref().map(|state| state.urgency) {
            None => "unknown",
            Some(Urgency::None) => "none",
            Some(Urgency::Ticket) => "ticket",
            Some(Urgency::Page) => "page",
        }
    }

    fn since(&self) -> u64 {
        self.position
    }
}
