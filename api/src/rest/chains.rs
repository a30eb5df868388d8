//! Chains as they are now, and their forks.
//!
//! Does not know how a head is verified.

use ::projections::{
    Order,
    chains::{self, NAME},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::values::ChainId;

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// `GET /api/v1/chains`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&chains::list(&app.pool, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/chains/{chain}`. Its `version` is that of its newest stream; since a chain goes on
/// from stream to stream, the reply is tagged by its content.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let known = async { chains::history(&app.pool, &chain).await.map_err(read_problem) };
    let asked = Asked::about_what_is(&app, &parts, &[NAME], known).await?;
    let found = chains::get(asked.pool(&app), &chain).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(|| Problem::not_found("chain", &chain))?)
}

/// `GET /api/v1/chains/{chain}/forks`.
pub async fn forks(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let mut params = Params::of(parts.uri.query());
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&chains::forks(&app.pool, &chain, order, &page).await.map_err(read_problem)?)
}
