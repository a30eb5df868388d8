//! Read models: how they are, and building one anew.
//!
//! Does not know what they hold.

use ::projections::{ProjectionStatus, RepairError};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    conditions::POSITION,
    params::{self, PathParams},
    problem::Problem,
    server::App,
};

/// How all read models are.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProjectionStatuses {
    /// One for each.
    pub items: Vec<ProjectionStatus>,
}

/// A rebuild that has begun.
#[derive(Debug, Serialize, ToSchema)]
pub struct RebuildStarted {
    /// The read model: its status tells how far it is.
    pub projection: String,
}

/// `GET /api/v1/projections`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let items = app.projections.status().await;
    let position = items.iter().map(|status| status.position).min().unwrap_or(0);
    let mut response = Json(ProjectionStatuses { items }).into_response();
    let headers = response.headers_mut();
    headers.insert(POSITION, HeaderValue::from(position));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(response)
}

/// `POST /api/v1/projections/{name}/rebuild`.
pub async fn rebuild(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let name = path.text("name");
    app.projections.rebuild(name).await.map_err(|error| match error {
        RepairError::UnknownProjection(name) => {
            let known: Vec<&str> = app.projections.names().collect();
            Problem::not_found("projection", format!("{name:?}")).with("known", known)
        }
        RepairError::Log(error) => Problem::from(error),
        RepairError::Database(error) => Problem::from(error),
        RepairError::NotParked { .. } | RepairError::OtherLog(_) => Problem::internal(error),
    })?;
    let body = Json(RebuildStarted { projection: name.to_owned() });
    Ok((StatusCode::ACCEPTED, body).into_response())
}
