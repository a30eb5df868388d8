//! What differs of a thing between two points: `/api/v1/difference`.
//!
//! Does not know the thing.

use axum::{
    extract::{Request, State},
    response::Response,
};

use super::{auth::visit, reply::Asked};
use crate::{difference, params::Params, past::AsOf, problem::Problem, server::App};

/// `GET /api/v1/difference?of=PATH&since=POINT&until=POINT`.
pub async fn get(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let (of, since) = (params.text("of"), params.take::<AsOf>("since"));
    let until = params.take::<AsOf>("until");
    params.finish()?;
    let missing = |name, what| Problem::invalid_parameter(name, format!("is missing: {what}"));
    let of = of.ok_or_else(|| missing("of", "the path of a thing"))?;
    let since = since.ok_or_else(|| missing("since", "the earlier point"))?;
    let asked = Asked::of_log(&app, &parts).await?;
    let caller = visit(&parts)?.caller.as_ref();
    asked.one(&difference::between(&app, caller, &of, (since, until)).await?)
}
