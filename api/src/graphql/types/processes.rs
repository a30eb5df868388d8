//! Processes: how far each is, and what came of each event.
//!
//! Does not know what a process does.

use async_graphql::{Context, Object, Result, SimpleObject};
use projections::process_runs;

use super::activity::SortOrder;
use crate::{
    graphql::{
        context,
        pages::{self, Page},
        scalars::{AsOf, Moment, Position},
    },
    problem::Problem,
    rest::{processes, reply::read_problem},
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

/// What a process did because of one event.
#[derive(SimpleObject)]
pub struct ProcessRun {
    /// The process.
    process: String,
    /// The id of the event that called for it.
    cause: String,
    /// What all events of the same story share.
    correlation: String,
    /// When the first step was done.
    started_at: Moment,
    /// The position of the first step.
    started_position: Position,
    /// When the newest step was done.
    last_at: Moment,
    /// How many steps there are.
    steps_count: Position,
    /// The first hundred of them, in order.
    steps: Vec<ProcessStep>,
}

/// An event that a process caused.
#[derive(SimpleObject)]
pub struct ProcessStep {
    /// Its position in the log.
    position: Position,
    /// What happened.
    #[graphql(name = "type")]
    event_type: String,
    /// To what.
    stream: String,
    /// The version of that stream.
    version: Position,
    /// When.
    at: Moment,
}

impl From<process_runs::ProcessRun> for ProcessRun {
    fn from(run: process_runs::ProcessRun) -> ProcessRun {
        ProcessRun {
            process: run.process,
            cause: run.cause.to_string(),
            correlation: run.correlation.to_string(),
            started_at: Moment(run.started_at),
            started_position: Position(run.started_position),
            last_at: Moment(run.last_at),
            steps_count: Position(run.steps_count),
            steps: run.steps.into_iter().map(ProcessStep::from).collect(),
        }
    }
}

impl From<process_runs::ProcessStep> for ProcessStep {
    fn from(step: process_runs::ProcessStep) -> ProcessStep {
        ProcessStep {
            position: Position(step.position),
            event_type: step.event_type,
            stream: step.stream,
            version: Position(step.version),
            at: Moment(step.at),
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

    /// What a process did because of an event; null when it did nothing.
    async fn process_run(
        &self,
        context: &Context<'_>,
        process: String,
        cause: String,
        min_position: Option<Position>,
        as_of: Option<AsOf>,
    ) -> Result<Option<ProcessRun>> {
        let name = processes::named(&process)?.name();
        let cause = cause
            .parse()
            .map_err(|fault: uuid::Error| Problem::invalid_parameter("cause", fault.to_string()))?;
        let models = &[process_runs::NAME];
        let found = match as_of {
            None => {
                let asker = context::enter(context, models, min_position).await?;
                process_runs::get(&asker.app().pool, name, cause).await
            }
            Some(AsOf(point)) => {
                let app = context::admitted(context)?.app();
                let position = app.position_of(point).await?;
                context::enter(context, models, Some(Position(position))).await?.note(position);
                process_runs::get_as_of(&app.pool, name, cause, position).await
            }
        };
        Ok(found.map_err(read_problem)?.map(ProcessRun::from))
    }

    /// What a process did, event by event that called for it, by the first step.
    #[graphql(complexity = "pages::complexity(first, child_complexity)")]
    async fn process_runs(
        &self,
        context: &Context<'_>,
        process: String,
        #[graphql(default_with = "SortOrder::Newest")] sort: SortOrder,
        first: Option<i32>,
        after: Option<String>,
        min_position: Option<Position>,
    ) -> Result<Page<ProcessRun>> {
        let page = pages::request(first, after.as_deref())?;
        let name = processes::named(&process)?.name();
        let asker = context::enter(context, &[process_runs::NAME], min_position).await?;
        let found = process_runs::list(&asker.app().pool, name, sort.into(), &page).await;
        Ok(pages::connection(found.map_err(read_problem)?, &page, ProcessRun::from))
    }
}
