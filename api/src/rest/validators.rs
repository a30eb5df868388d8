//! Validators as they are now, and what happened to each.
//!
//! Does not know who may be chosen next.

use ::projections::{
    Order, Subject, reputation_history,
    validators::{self, Filter, Sort},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{
    validator::{StandingName, Validator},
    values::Address,
};

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// What a registered validator can be.
pub const STANDINGS: &[StandingName] = &[
    StandingName::Registered,
    StandingName::Active,
    StandingName::Jailed,
    StandingName::Slashed,
    StandingName::Exiting,
    StandingName::Exited,
    StandingName::Tombstoned,
];

/// `GET /api/v1/validators`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        chain_id: params.take("chain_id"),
        standing: params.choose("standing", STANDINGS, StandingName::as_str),
        operator: params.take("operator"),
    };
    let sort = params.take::<Sort>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[validators::NAME]).await?;
    let found = validators::list(&app.pool, &filter, sort, &page).await.map_err(read_problem)?;
    asked.list(&found)
}

/// `GET /api/v1/validators/{address}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let address: Address = path.get("address")?;
    let subject = Subject::of::<Validator>(&address);
    let asked = Asked::about(&app, &parts, &[validators::NAME], subject).await?;
    let found = validators::get(asked.pool(&app), address).await.map_err(read_problem)?;
    let found = found.ok_or_else(|| Problem::not_found("validator", address))?;
    asked.versioned(&found, found.version)
}

/// `GET /api/v1/validators/{address}/reputation`.
pub async fn reputation(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let address: Address = path.get("address")?;
    let mut params = Params::of(parts.uri.query());
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[reputation_history::NAME]).await?;
    let found = reputation_history::list(&app.pool, Some(address), order, &page).await;
    asked.list(&found.map_err(read_problem)?)
}

/// `GET /api/v1/validators/{address}/performances`.
pub async fn performances(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let address: Address = path.get("address")?;
    let mut params = Params::of(parts.uri.query());
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[reputation_history::NAME]).await?;
    let found = reputation_history::performances(&app.pool, address, order, &page).await;
    asked.list(&found.map_err(read_problem)?)
}
