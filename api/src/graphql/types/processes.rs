//! Processes: how far each is.
//!
//! Does not know what a process does.

use async_graphql::{Context, Object, Result, SimpleObject};

use crate::{
    graphql::{
        context,
        scalars::{Moment, Position},
    },
    rest::processes,
};

/// A process: something that follows the log, and does what must come of each event it follows.
#[derive(SimpleObject)]
pub struct Process {
    /// Its name.
    name: String,
    /// What it is for.
    purpose: String,
    /// The types of the events it follows.
    follows: Vec<String>,
    /// Everything up to here has been dealt with.
    position: Position,
    /// How many events of the log come after that.
    lag_events: Position,
    /// Why it does not go on; null while it does.
    parked: Option<ParkedProcess>,
}

/// That a process cannot go on.
#[derive(SimpleObject)]
pub struct ParkedProcess {
    /// The event it cannot deal with.
    position: Position,
    /// Why.
    because: String,
    /// Since when.
    since: Moment,
}

impl From<processes::ProcessStatus> for Process {
    fn from(status: processes::ProcessStatus) -> Process {
        Process {
            name: status.name.to_owned(),
            purpose: status.purpose.to_owned(),
            follows: status.follows.iter().map(ToString::to_string).collect(),
            position: Position(status.position),
            lag_events: Position(status.lag_events),
            parked: status.parked.map(|parked| ParkedProcess {
                position: Position(parked.position),
                because: parked.because,
                since: Moment(parked.since),
            }),
        }
    }
}

/// Processes.
#[derive(Default)]
pub struct ProcessQueries;

#[Object]
impl ProcessQueries {
    /// How far each process is, and which are parked.
    async fn processes(&self, context: &Context<'_>) -> Result<Vec<Process>> {
        let asker = context::admitted(context)?;
        let found = processes::statuses(asker.app()).await?;
        Ok(found.into_iter().map(Process::from).collect())
    }
}
