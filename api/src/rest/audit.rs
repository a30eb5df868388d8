//! The continuous audit: `/api/v1/audit`.
//!
//! Does not audit: [`crate::audit`] does.

use axum::{
    extract::{Request, State},
    response::Response,
};

use super::reply::Asked;
use crate::{audit, params, problem::Problem, server::App};

/// `GET /api/v1/audit`.
pub async fn get(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&audit::read(&app.tables).await?)
}
