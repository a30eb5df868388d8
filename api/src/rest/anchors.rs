//! Notarised documents.
//!
//! Does not take documents: a digest is enough.

use ::projections::{
    Order, Subject,
    anchors::{self, Filter, NAME},
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::values::Digest;

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// `GET /api/v1/anchors`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter { digest: params.take("digest"), owner: params.take("owner") };
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&anchors::list(&app.pool, &filter, order, &page).await.map_err(read_problem)?)
}

/// `GET /api/v1/anchors/{digest}`: the first anchor of a document.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let digest: Digest = path.get("digest")?;
    let subject = Subject::of_chains();
    let asked = Asked::about(&app, &parts, &[NAME], subject).await?;
    let found = anchors::by_digest(asked.pool(&app), &digest).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(|| Problem::not_found("anchor of the digest", &digest))?)
}
