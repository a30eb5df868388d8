//! `/api/v1/access-records`: who came in, and who was refused.
//!
//! Does not know how they are kept.

use axum::{
    extract::{Request, State},
    response::Response,
};

use super::reply::{Asked, read_problem};
use crate::{
    access_records::{self, Outcome, Wanted},
    params::Params,
    problem::Problem,
    server::App,
};

/// `GET /api/v1/access-records`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    let wanted = Wanted {
        principal: params.text("principal"),
        address: params.text("address"),
        operation: params.text("operation"),
        outcome: params.choose("outcome", &Outcome::ALL, Outcome::as_str),
    };
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.list(&access_records::list(&app.pool, &wanted, &page).await.map_err(read_problem)?)
}
