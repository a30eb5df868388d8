//! Who has staked on whom, and what is on its way out.
//!
//! Does not know rewards: there are none yet.

use ::projections::delegations::{self, Filter, NAME};
use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// `GET /api/v1/delegations?delegator=`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = delegator(&mut params);
    staked(&app, &parts, params, filter).await
}

/// `GET /api/v1/validators/{address}/delegations`.
pub async fn of_validator(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let filter = Filter::Validator(path.get("address")?);
    staked(&app, &parts, Params::of(parts.uri.query()), Some(filter)).await
}

/// `GET /api/v1/unbondings?delegator=`.
pub async fn unbondings(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = delegator(&mut params);
    unbonding(&app, &parts, params, filter).await
}

/// `GET /api/v1/validators/{address}/unbondings`.
pub async fn unbondings_of_validator(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let filter = Filter::Validator(path.get("address")?);
    unbonding(&app, &parts, Params::of(parts.uri.query()), Some(filter)).await
}

/// The delegator that must be named; its absence is a fault.
fn delegator(params: &mut Params) -> Option<Filter> {
    match params.text("delegator") {
        None => {
            params.fault("delegator", "is missing: whose stake is wanted?");
            None
        }
        Some(text) => match text.parse() {
            Ok(address) => Some(Filter::Delegator(address)),
            Err(error) => {
                params.fault("delegator", format!("{error}"));
                None
            }
        },
    }
}

/// What [`Params::finish`] has refused before, when it is missing.
fn named(filter: Option<Filter>) -> Result<Filter, Problem> {
    filter.ok_or_else(|| Problem::invalid_parameter("delegator", "is missing"))
}

async fn staked(
    app: &App,
    parts: &Parts,
    mut params: Params,
    filter: Option<Filter>,
) -> Result<Response, Problem> {
    let page = params.page();
    params.finish()?;
    let filter = named(filter)?;
    let asked = Asked::of(app, parts, &[NAME]).await?;
    asked.list(&delegations::list(&app.pool, filter, &page).await.map_err(read_problem)?)
}

async fn unbonding(
    app: &App,
    parts: &Parts,
    mut params: Params,
    filter: Option<Filter>,
) -> Result<Response, Problem> {
    let page = params.page();
    params.finish()?;
    let filter = named(filter)?;
    let asked = Asked::of(app, parts, &[NAME]).await?;
    asked.list(&delegations::unbondings(&app.pool, filter, &page).await.map_err(read_problem)?)
}
