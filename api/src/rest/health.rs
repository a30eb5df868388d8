//! Is it alive, is it ready, how is it, what is it.
//!
//! Does not repair anything.

use std::time::Duration;

use ::projections::ProjectionState;
use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;
use sqlx::PgPool;
use utoipa::ToSchema;

use crate::{params::Params, problem::Problem, server::App, telemetry::Measured};

/// How long the database may take to say that it is there, in milliseconds.
const PING_MS_MAX: u64 = 1_000;

/// Whether the server can do its work, and what is missing when it cannot.
#[derive(Debug, Serialize, ToSchema)]
pub struct Readiness {
    /// True when everything below is well.
    pub ready: bool,
    /// The parts it needs.
    pub parts: Vec<Part>,
}

/// One part the server needs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Part {
    /// Its name: `server`, `database`, `read-database`, or `projection:<name>`.
    pub name: String,
    /// Whether it is well.
    pub ready: bool,
    /// What is wrong with it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub because: Option<String>,
}

/// What runs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Version {
    /// The program's name.
    #[schema(example = "node0")]
    pub name: &'static str,
    /// The program's version.
    #[schema(example = "0.1.0")]
    pub version: &'static str,
}

/// `GET /livez`: the process answers.
pub async fn live(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(Json(serde_json::json!({"live": true})).into_response())
}

/// `GET /readyz`: 200 when everything is there, 503 with what is not.
pub async fn ready(State(app): State<App>, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let mut parts =
        vec![Part::of("server", app.draining.is_cancelled().then(|| "shutting down".into()))];
    let database = is_away(&app.tables).await;
    let is_there = database.is_none();
    parts.push(Part::of("database", database));
    if app.replica.is_some() {
        parts.push(Part::of("read-database", is_away(&app.pool).await));
    }
    // Without the database their checkpoints cannot be asked for: the one fault is said once.
    if is_there {
        for status in app.projections.status().await {
            let because = match status.state {
                ProjectionState::Live | ProjectionState::CatchingUp => None,
                ProjectionState::Elsewhere => status.stalled_because,
                ProjectionState::Stalled | ProjectionState::Stopped => {
                    Some(status.stalled_because.unwrap_or_else(|| "it does not move".to_owned()))
                }
            };
            parts.push(Part::of(&format!("projection:{}", status.name), because));
        }
    }
    let ready = parts.iter().all(|part| part.ready);
    let status = if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let mut response = (status, Json(Readiness { ready, parts })).into_response();
    if !ready {
        response.headers_mut().insert(header::RETRY_AFTER, crate::problem::RETRY_AFTER_S.into());
    }
    Ok(response)
}

/// What is wrong with a database; none when it answers.
async fn is_away(pool: &PgPool) -> Option<String> {
    let ping = sqlx::query("select 1").execute(pool);
    match tokio::time::timeout(Duration::from_millis(PING_MS_MAX), ping).await {
        Ok(Ok(_)) => None,
        Ok(Err(error)) => {
            tracing::debug!(%error, "a database does not answer");
            Some("it cannot be reached".to_owned())
        }
        Err(_) => Some(format!("it did not answer within {PING_MS_MAX} ms")),
    }
}

impl Part {
    fn of(name: &str, because: Option<String>) -> Part {
        Part { name: name.to_owned(), ready: because.is_none(), because }
    }
}

/// `GET /metrics`, in the Prometheus text format.
pub async fn metrics(State(app): State<App>, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let reflects = |name: &'static str| (name.to_owned(), app.reflected(&[name]));
    let projections = app.projections.names().map(reflects).collect();
    let measured = Measured {
        in_flight: app.bulkheads.under_way(),
        streams: app.places.taken(),
        log_position: app.head(),
        pool: (app.pool.size(), u32::try_from(app.pool.num_idle()).unwrap_or(u32::MAX)),
        projections,
    };
    let text = app.telemetry.render(&measured);
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

/// `GET /version`.
pub async fn version(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(Json(Version { name: "node0", version: env!("CARGO_PKG_VERSION") }).into_response())
}
