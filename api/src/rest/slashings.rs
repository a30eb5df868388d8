//! What was punished, and what it cost.
//!
//! Does not know what became of the validator.

use ::projections::{
    Order,
    slashing_history::{self, Filter, NAME},
};
use axum::{
    extract::{Request, State},
    http::request::Parts,
    response::Response,
};
use domain::validator::Offence;

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// `GET /api/v1/slashings`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        address: params.take("validator"),
        offence: params.choose("offence", &Offence::ALL, Offence::as_str),
    };
    found(&app, &parts, params, &filter).await
}

/// `GET /api/v1/validators/{address}/slashings`.
pub async fn of_validator(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let address = Some(path.get("address")?);
    let mut params = Params::of(parts.uri.query());
    let offence = params.choose("offence", &Offence::ALL, Offence::as_str);
    found(&app, &parts, params, &Filter { address, offence }).await
}

async fn found(
    app: &App,
    parts: &Parts,
    mut params: Params,
    filter: &Filter,
) -> Result<Response, Problem> {
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(app, parts, &[NAME]).await?;
    let found = slashing_history::list(&app.pool, filter, order, &page).await;
    asked.list(&found.map_err(read_problem)?)
}
