//! What processes did: for each event that called for something, the steps that came of it.
//!
//! Does not know what a process is for, nor whether more will come: a step is an event that a
//! process caused, whatever it says.

mod fold;
mod read;

pub use fold::ProcessRuns;
pub use read::{get, get_as_of, list};

use domain::values::Moment;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{
    columns::decimal,
    page::{Cursor, Order},
};

/// The projection's name.
pub const NAME: &str = "process_runs";
/// How many steps of a run are shown at most: its first.
pub const STEPS_SHOWN_MAX: usize = 100;

/// What a process did because of one event.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProcessRun {
    /// The process.
    #[schema(example = "block-finality")]
    pub process: String,
    /// The id of the event that called for it.
    #[schema(value_type = String, format = "uuid")]
    pub cause: Uuid,
    /// What all events of the same story share.
    #[schema(value_type = String, format = "uuid")]
    pub correlation: Uuid,
    /// When the first step was done.
    pub started_at: Moment,
    /// The position of the first step.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub started_position: u64,
    /// When the newest step was done.
    pub last_at: Moment,
    /// How many steps there are.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "3")]
    pub steps_count: u64,
    /// The first hundred of them, in order.
    pub steps: Vec<ProcessStep>,
}

/// An event that a process caused.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct ProcessStep {
    /// Its position in the log.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// What happened.
    #[serde(rename = "type")]
    #[schema(example = "block-finalized.v1")]
    pub event_type: String,
    /// To what.
    pub stream: String,
    /// The version of that stream.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "1")]
    pub version: u64,
    /// When.
    pub at: Moment,
}

const fn list_name(order: Order) -> &'static str {
    match order {
        Order::Newest => "process_runs/newest",
        Order::Oldest => "process_runs/oldest",
    }
}

impl ProcessRun {
    /// Where this row stands in a list of this order: newest is whose first step is the latest.
    pub fn cursor(&self, order: Order) -> Cursor {
        Cursor::new(list_name(order), vec![self.started_position.to_string()])
    }
}
