//! Processes: how far each is, what came of each event, and letting a parked one try again.
//!
//! Does not know what a process does.

use ::projections::{
    Order, decimal,
    process_runs::{self, NAME},
};
use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use commands::Process;
use domain::values::Moment;
use serde::Serialize;
use utoipa::ToSchema;
use uuid::Uuid;

use super::reply::{Asked, as_of, read_problem};
use crate::{
    params::{self, Params, PathParams},
    problem::{Kind, Problem},
    server::App,
};

/// A process: something that follows the log, and does what must come of each event it follows.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ProcessStatus {
    /// Its name.
    #[schema(example = "block-finality")]
    pub name: &'static str,
    /// What it is for.
    pub purpose: &'static str,
    /// The types of the events it follows.
    pub follows: &'static [&'static str],
    /// Everything up to here has been dealt with.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// How many events of the log come after that.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "0")]
    pub lag_events: u64,
    /// Why it does not go on; null while it does.
    pub parked: Option<ParkedProcess>,
}

/// That a process cannot go on.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ParkedProcess {
    /// The event it cannot deal with.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub position: u64,
    /// Why.
    pub because: String,
    /// Since when.
    pub since: Moment,
}

/// Every process.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProcessStatuses {
    /// One for each.
    pub items: Vec<ProcessStatus>,
}

/// How a process is.
pub async fn status(app: &App, process: Process) -> Result<ProcessStatus, Problem> {
    let checkpoint = app.store.checkpoint(process.name()).await?;
    let head = app.store.head().await?.position;
    Ok(ProcessStatus {
        name: process.name(),
        purpose: process.purpose(),
        follows: process.follows(),
        position: checkpoint.position,
        lag_events: head.saturating_sub(checkpoint.position),
        parked: checkpoint.parked.map(|parked| ParkedProcess {
            position: parked.position,
            because: parked.because,
            since: parked.since.into(),
        }),
    })
}

/// How every process is.
pub async fn statuses(app: &App) -> Result<Vec<ProcessStatus>, Problem> {
    let mut items = Vec::with_capacity(Process::ALL.len());
    for process in Process::ALL {
        items.push(status(app, *process).await?);
    }
    Ok(items)
}

/// The process of a name.
pub fn named(name: &str) -> Result<Process, Problem> {
    Process::named(name).ok_or_else(|| {
        let known: Vec<&str> = Process::ALL.iter().map(|process| process.name()).collect();
        Problem::not_found("process", format!("{name:?}")).with("known", known)
    })
}

/// `GET /api/v1/processes`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&ProcessStatuses { items: statuses(&app).await? })
}

/// `GET /api/v1/processes/{process}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let process = named(path.text("process"))?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&status(&app, process).await?)
}

/// `GET /api/v1/processes/{process}/runs`.
pub async fn runs(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let name = named(path.text("process"))?.name();
    let mut params = Params::of(parts.uri.query());
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&process_runs::list(&app.pool, name, order, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/processes/{process}/runs/{cause}`.
pub async fn run(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let point = as_of(&parts)?;
    let name = named(path.text("process"))?.name();
    let cause: Uuid = path.get("cause")?;
    let (asked, found) = match point {
        None => {
            let asked = Asked::of(&app, &parts, &[NAME]).await?;
            (asked, process_runs::get(&app.pool, name, cause).await)
        }
        Some(point) => {
            let position = app.position_of(point).await?;
            app.reach(&[NAME], Some(position)).await?;
            let found = process_runs::get_as_of(&app.pool, name, cause, position).await;
            (Asked::then(&parts, position), found)
        }
    };
    let found = found.map_err(read_problem)?;
    asked.one(&found.ok_or_else(|| Problem::not_found("run because of the event", cause))?)
}

/// `POST /api/v1/processes/{process}/resume`: a parked process tries again.
pub async fn resume(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let process = named(path.text("process"))?;
    if !app.store.unpark(process.name()).await? {
        let detail = format!("the process {} is not parked: it goes on", process.name());
        return Err(Problem::new(Kind::Conflict, detail));
    }
    Ok(Json(status(&app, process).await?).into_response())
}
