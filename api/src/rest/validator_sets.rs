//! Validator sets with their members, epoch by epoch.
//!
//! Does not know how a set is chosen.

use ::projections::{
    Order, PageRequest, Subject,
    page::FIRST_MAX,
    validator_sets::{self, Member, NAME, ValidatorSet},
};
use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};
use domain::{
    validator_set,
    values::{ChainId, Epoch},
};
use serde::Serialize;
use utoipa::ToSchema;

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// The most members one reply has.
pub const MEMBERS_MAX: usize = 10_000;

/// The validator set of an epoch, with its members in CometBFT's order.
#[derive(Debug, Serialize, ToSchema)]
pub struct ValidatorSetWithMembers {
    /// The set.
    #[serde(flatten)]
    pub set: ValidatorSet,
    /// Its members.
    pub validators: Vec<Member>,
}

/// `GET /api/v1/validator-sets/{chain}`: the newest set.
pub async fn current(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let subject = Subject::of::<validator_set::ValidatorSet>(&chain);
    let asked = Asked::about(&app, &parts, &[NAME], subject).await?;
    let found = validator_sets::current(asked.pool(&app), &chain).await.map_err(read_problem)?;
    let set = found.ok_or_else(|| Problem::not_found("validator set of chain", &chain))?;
    with_members(&app, &asked, set).await
}

/// `GET /api/v1/validator-sets/{chain}/epochs/{epoch}`.
pub async fn of_epoch(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let (chain, epoch): (ChainId, Epoch) = (path.get("chain")?, path.get("epoch")?);
    let subject = Subject::of::<validator_set::ValidatorSet>(&chain);
    let asked = Asked::about(&app, &parts, &[NAME], subject).await?;
    let found = validator_sets::get(asked.pool(&app), &chain, epoch).await.map_err(read_problem)?;
    let missing = || Problem::not_found("validator set", format!("of {chain} in epoch {epoch}"));
    with_members(&app, &asked, found.ok_or_else(missing)?).await
}

/// `GET /api/v1/validator-sets/{chain}/epochs`.
pub async fn list(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _): (Parts, _) = request.into_parts();
    let chain: ChainId = path.get("chain")?;
    let mut params = Params::of(parts.uri.query());
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&validator_sets::list(&app.pool, &chain, order, &page).await.map_err(read_problem)?)
}

/// The set and all of its members.
async fn with_members(
    app: &App,
    asked: &Asked<'_>,
    set: ValidatorSet,
) -> Result<Response, Problem> {
    let mut validators = Vec::new();
    let mut after = None;
    while validators.len() < MEMBERS_MAX {
        let page = PageRequest::new(FIRST_MAX, after).map_err(Problem::internal)?;
        let found = validator_sets::members(asked.pool(app), &set.chain_id, set.epoch, &page).await;
        let found = found.map_err(read_problem)?;
        validators.extend(found.items);
        after = found.next;
        if after.is_none() {
            break;
        }
    }
    let version = set.version;
    asked.versioned(&ValidatorSetWithMembers { set, validators }, version)
}
