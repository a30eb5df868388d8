//! Validators' signs of life.
//!
//! Does not know what follows from them.

use axum::{
    Json,
    extract::{Request, State},
    response::{IntoResponse, Response},
};
use commands::Permission;
use domain::values::{Address, PrincipalId};
use serde::Serialize;
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{auth::visit, reply::Asked};
use crate::{
    body,
    heartbeats::{self, Beat, Heartbeat, RECEIVED_BYTES_MAX, VERSION_CHARS_MAX},
    params::{self, PathParams},
    problem::{Fault, Problem},
    server::App,
};

/// The newest signs of life, one for each validator.
#[derive(Debug, Serialize, ToSchema)]
pub struct Heartbeats {
    /// By address.
    pub items: Vec<Beat>,
}

/// A sign of life as it is sent.
pub fn example() -> Value {
    json!({
        "height": "12", "latency_ms": 4, "mempool": 3, "received_bytes": 73_214, "round": 0,
        "step": "propose", "version": "0.1.0",
    })
}

/// `POST /api/v1/validators/{address}/heartbeat`.
pub async fn take(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let address: Address = path.get("address")?;
    let (parts, heartbeat) = body::read_as(request, app.body_bytes_max(), example).await?;
    let caller = visit(&parts)?.caller.as_ref();
    if caller.is_some_and(|actor| actor.is_kept_from(&PrincipalId::of_validator(address))) {
        return Err(Problem::not_own(Permission::NetworkHeartbeat));
    }
    check(&heartbeat)?;
    Ok(Json(heartbeats::take(&app.vital, address, &heartbeat).await?).into_response())
}

fn check(heartbeat: &Heartbeat) -> Result<(), Problem> {
    let mut faults = Vec::new();
    let version = &heartbeat.version;
    let visible = version.bytes().all(|byte| byte.is_ascii_graphic());
    if !visible || !(1..=VERSION_CHARS_MAX).contains(&version.len()) {
        let detail = format!("must be 1 to {VERSION_CHARS_MAX} visible ASCII characters");
        faults.push(Fault::at("/version", detail));
    }
    if heartbeat.received_bytes.is_some_and(|bytes| bytes > RECEIVED_BYTES_MAX) {
        let detail = format!("must be at most {RECEIVED_BYTES_MAX}");
        faults.push(Fault::at("/received_bytes", detail));
    }
    if faults.is_empty() { Ok(()) } else { Err(Problem::invalid_body(faults)) }
}

/// `GET /api/v1/heartbeats`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&Heartbeats { items: heartbeats::newest(&app.pool).await? })
}
