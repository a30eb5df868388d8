//! Blocks and heights of our own chain, and how long they take.
//!
//! Does not take proposals and votes: [`crate::submit`] does.

use ::projections::{
    Order, Subject,
    blocks::{self, BlockState, Filter},
    heights, transactions,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::{
    consensus::{ConsensusHeight, HeightStream},
    values::{ChainId, Hash, Height},
};

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// How many of the newest heights are looked at when it is not said.
pub const LAST_DEFAULT: u32 = 100;

/// `GET /api/v1/blocks`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        chain_id: params.take("chain_id"),
        state: params.choose("state", BlockState::ALL, BlockState::as_str),
        proposer: params.take("proposer"),
    };
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[blocks::NAME]).await?;
    asked.list(&blocks::list(&app.pool, &filter, order, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/blocks/{hash}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let hash: Hash = path.get("hash")?;
    let missing = || Problem::not_found("block", hash);
    let known = async {
        let known = blocks::get(&app.pool, hash).await.map_err(read_problem)?;
        known.map(|_| Subject::of_block(hash)).ok_or_else(missing)
    };
    let asked = Asked::about_what_is(&app, &parts, &[blocks::NAME], known).await?;
    let found = blocks::get(asked.pool(&app), hash).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(missing)?)
}

/// `GET /api/v1/chains/{chain}/blocks/{height}`: the final block of a height.
pub async fn at(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let (chain, height): (ChainId, Height) = (path.get("chain")?, path.get("height")?);
    let missing = || Problem::not_found("final block", format!("of chain {chain} at {height}"));
    let known = async {
        let known = blocks::at(&app.pool, &chain, height).await.map_err(read_problem)?;
        known.map(|known| Subject::of_block(known.hash)).ok_or_else(missing)
    };
    let asked = Asked::about_what_is(&app, &parts, &[blocks::NAME], known).await?;
    let found = blocks::at(asked.pool(&app), &chain, height).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(missing)?)
}

/// `GET /api/v1/blocks/{hash}/transactions`: what an executed block holds, in its order.
pub async fn transactions(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let hash: Hash = path.get("hash")?;
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[blocks::NAME, transactions::NAME]).await?;
    let found = blocks::get(&app.pool, hash).await.map_err(read_problem)?;
    let block = found.ok_or_else(|| Problem::not_found("block", hash))?;
    let found = transactions::of_block(&app.pool, &block, &page).await.map_err(read_problem)?;
    asked.list(&found)
}

/// `GET /api/v1/chains/{chain}/finality`.
pub async fn finality(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let last = last(&parts.uri)?;
    let asked = Asked::of(&app, &parts, &[blocks::NAME]).await?;
    asked.one(&blocks::finality(&app.pool, &chain, last).await.map_err(read_problem)?)
}

/// `GET /api/v1/chains/{chain}/leaderboard`.
pub async fn leaderboard(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let last = last(&parts.uri)?;
    let asked = Asked::of(&app, &parts, &[heights::NAME]).await?;
    let items = heights::leaderboard(&app.pool, &chain, last).await.map_err(read_problem)?;
    asked.one(&heights::Leaderboard { items })
}

fn last(uri: &axum::http::Uri) -> Result<u32, Problem> {
    let mut params = Params::of(uri.query());
    let last = params.take::<u32>("last").unwrap_or(LAST_DEFAULT);
    if let Some(detail) = last_fault(last) {
        params.fault("last", detail);
    }
    params.finish()?;
    Ok(last)
}

/// Why so many of the newest heights are not looked at; none when they are.
pub fn last_fault(last: u32) -> Option<String> {
    let most = blocks::FINALITY_BLOCKS_MAX;
    (!(1..=most).contains(&last)).then(|| format!("must be 1 to {most}"))
}

/// `GET /api/v1/chains/{chain}/heights`.
pub async fn heights(
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
    let asked = Asked::of(&app, &parts, &[heights::NAME]).await?;
    asked.list(&heights::list(&app.pool, &chain, order, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/heights/{chain_height}`: everything that was said at a height.
pub async fn height(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let of: HeightStream = path.get("chain_height")?;
    let subject = Subject::of::<ConsensusHeight>(&of);
    let asked = Asked::about(&app, &parts, &[heights::NAME], subject).await?;
    let found = heights::get(asked.pool(&app), &of.chain, of.height).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(|| Problem::not_found("height", &of))?)
}
