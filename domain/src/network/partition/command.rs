//! What can be asked of a chain's partitions.
//!
//! Does not know who may ask.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::Event;
use crate::values::PeerId;

/// A command to a chain's partitions.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PartitionCommand))]
pub enum Command {
    /// Reports that the network is torn apart, or that the groups changed.
    ReportPartition {
        /// The groups of nodes that still see one another.
        groups: Vec<Vec<PeerId>>,
    },
    /// Reports that the network is whole again.
    HealPartition {},
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &["report-partition", "heal-partition"];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::ReportPartition { .. } => "report-partition",
            Command::HealPartition {} => "heal-partition",
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
        Event::PartitionDetected(data) => Command::ReportPartition {
            groups: data.groups.iter().map(|group| group.peers.clone()).collect(),
        },
        Event::PartitionHealed(_) => Command::HealPartition {},
    })
}
