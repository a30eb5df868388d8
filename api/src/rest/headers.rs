//! Headers of observed chains, and headers that failed verification.
//!
//! Does not hold their protobuf: the event at a header's position does.

use ::projections::{
    Order,
    headers::{self, Filter, HeaderState, NAME},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::values::{ChainId, Hash, Height};

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// What a header can be to its chain.
pub const STATES: &[HeaderState] =
    &[HeaderState::Recorded, HeaderState::Conflicting, HeaderState::Abandoned];

/// `GET /api/v1/chains/{chain}/headers`.
pub async fn list(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain_id: ChainId = path.get("chain")?;
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        chain_id,
        state: params.choose("state", STATES, HeaderState::as_str),
        proposer: params.take("proposer"),
        from_height: params.take("from_height"),
        to_height: params.take("to_height"),
    };
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&headers::list(&app.pool, &filter, order, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/chains/{chain}/headers/{height}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let (chain, height): (ChainId, Height) = (path.get("chain")?, path.get("height")?);
    let known = async { headers::history(&app.pool, &chain, height).await.map_err(read_problem) };
    let asked = Asked::about_what_is(&app, &parts, &[NAME], known).await?;
    let found = headers::get(asked.pool(&app), &chain, height).await.map_err(read_problem)?;
    let missing = || Problem::not_found("header", format!("of chain {chain} at height {height}"));
    asked.one(&found.ok_or_else(missing)?)
}

/// `GET /api/v1/headers/{hash}`.
pub async fn get_by_hash(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let hash: Hash = path.get("hash")?;
    let known = async { headers::history_of_hash(&app.pool, hash).await.map_err(read_problem) };
    let asked = Asked::about_what_is(&app, &parts, &[NAME], known).await?;
    let found = headers::by_hash(asked.pool(&app), hash).await.map_err(read_problem)?;
    asked.one(found.first().ok_or_else(|| Problem::not_found("header", hash))?)
}

/// `GET /api/v1/chains/{chain}/rejections`.
pub async fn rejections(
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
    let found = headers::rejections(&app.pool, &chain, order, &page).await;
    asked.list(&found.map_err(read_problem)?)
}
