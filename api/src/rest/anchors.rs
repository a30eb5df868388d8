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
    let missing = || Problem::not_found("anchor of the digest", &digest);
    // The first there is was the first then, if it was there.
    let known = async {
        let known = anchors::by_digest(&app.pool, &digest).await.map_err(read_problem)?;
        known.map(|known| Subject::of_anchor(known.transaction)).ok_or_else(missing)
    };
    let asked = Asked::about_what_is(&app, &parts, &[NAME], known).await?;
    let found = anchors::by_digest(asked.pool(&app), &digest).await.map_err(read_problem)?;
    asked.one(&found.ok_or_else(missing)?)
}
