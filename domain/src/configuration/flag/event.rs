//! What can have happened to a flag.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    configuration::Subject,
    values::{Bps, Label, Reason},
};

/// A fact about a flag.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = FlagEvent))]
pub enum Event {
    /// The flag exists, and is off for everybody.
    #[serde(rename = "flag-created.v1")]
    FlagCreated(FlagCreated),
    /// The flag is on for these.
    #[serde(rename = "flag-changed.v1")]
    FlagChanged(FlagChanged),
    /// The flag is off for everybody.
    #[serde(rename = "flag-killed.v1")]
    FlagKilled(FlagKilled),
}

/// The flag exists, and is off for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FlagCreated {
    /// What it switches.
    pub description: Label,
}

/// The flag is on for these.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FlagChanged {
    /// For which part of all.
    pub bps: Bps,
    /// And for whom in any case, in the order of names.
    pub targets: Vec<Subject>,
}

/// The flag is off for everybody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct FlagKilled {
    /// Why.
    pub reason: Reason,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] =
        &["flag-created.v1", "flag-changed.v1", "flag-killed.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::FlagCreated(_) => "flag-created.v1",
            Event::FlagChanged(_) => "flag-changed.v1",
            Event::FlagKilled(_) => "flag-killed.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::FlagCreated(data) => data.serialize(serializer),
            Event::FlagChanged(data) => data.serialize(serializer),
            Event::FlagKilled(data) => data.serialize(serializer),
        }
    }
}
