//! Feature flags, and whether one is on for somebody: `/api/v1/flags`.
//!
//! Does not know what a flag switches.

use ::projections::{
    flags::{self, Filter, FlagStanding, NAME},
    past,
};
use axum::{
    extract::{Request, State},
    response::Response,
};
use domain::configuration::{
    Key, Subject,
    flag::{Flag, bucket},
};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use super::reply::{Asked, read_problem};
use crate::{
    params::{Params, PathParams},
    problem::Problem,
    server::App,
};

/// Whether a flag is on for somebody.
#[derive(Debug, Serialize, ToSchema)]
pub struct FlagEvaluation {
    /// The flag.
    pub key: Key,
    /// Whether it is on.
    pub on: bool,
    /// The place of the subject among 10,000: on when it is below the rollout's basis points.
    #[schema(maximum = 9_999)]
    pub place: u16,
    /// For whom.
    pub subject: Subject,
}

/// `GET /api/v1/flags`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let standing = params.choose("standing", &FlagStanding::ALL, FlagStanding::as_str);
    let page = params.page();
    params.finish()?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    let found = flags::list(&app.pool, Filter { standing }, &page).await;
    asked.list(&found.map_err(read_problem)?)
}

/// `GET /api/v1/flags/{key}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let key: Key = path.get("key")?;
    let subject = past::Subject::of::<Flag>(&key);
    let asked = Asked::about(&app, &parts, &[NAME], subject).await?;
    let flag = found(asked.pool(&app), &key).await?;
    asked.versioned(&flag, flag.version)
}

/// `GET /api/v1/flags/{key}/evaluation`: whether it is on for somebody.
pub async fn evaluate(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let key: Key = path.get("key")?;
    let mut params = Params::of(parts.uri.query());
    let subject: Option<Subject> = params.take("subject");
    params.finish()?;
    let nobody = || Problem::invalid_parameter("subject", "must say for whom");
    let subject = subject.ok_or_else(nobody)?;
    let asked = Asked::of(&app, &parts, &[NAME]).await?;
    let on = found(&app.pool, &key).await?.is_on(&subject);
    let place = bucket(&key, &subject);
    asked.one(&FlagEvaluation { key, on, place, subject })
}

async fn found(pool: &PgPool, key: &Key) -> Result<flags::Flag, Problem> {
    let flag = flags::get(pool, key).await.map_err(read_problem)?;
    flag.ok_or_else(|| Problem::not_found("flag", key))
}
