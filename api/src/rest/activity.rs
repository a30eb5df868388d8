//! What happened, in sentences.
//!
//! Does not hold what the events hold: the log does.

use ::projections::{
    Order,
    activity::{self, Filter, NAME},
};
use axum::{
    extract::{Request, State},
    response::Response,
};

use super::reply::{Asked, read_problem};
use crate::{params::Params, problem::Problem, server::App};

/// `GET /api/v1/activity`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let filter = Filter {
        category: params.text("category"),
        stream: params.text("stream"),
        subject: params.text("subject"),
        event_type: params.text("type"),
        actor: params.text("actor"),
        correlation: params.take("correlation"),
    };
    let order = params.take::<Order>("sort").unwrap_or_default();
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    asked.list(&activity::list(&app.pool, &filter, order, &page).await.map_err(read_problem)?)
}
