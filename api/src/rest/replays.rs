//! Replays: asking for one, seeing how far it is, giving it up: `/api/v1/replays`.
//!
//! Does not answer from one: [`crate::replays::surface`] does.

use ::projections::{PageOf, PageRequest};
use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use commands::Permission;
use serde_json::{Value, json};
use uuid::Uuid;

use super::{auth::visit, reply::Asked};
use crate::{
    auth, body,
    params::{self, Params, PathParams},
    problem::Problem,
    replays::{self, Replay, ReplayRequest},
    server::App,
};

/// The list of replays, as its cursors name it.
const LIST: &str = "replays";

/// What is asked for.
pub fn example() -> Value {
    json!({"keep_s": 3_600, "projections": ["validators"], "until": "42"})
}

/// A page of all that are there, the newest first.
pub async fn page_of(app: &App, page: &PageRequest) -> Result<PageOf<Replay>, Problem> {
    let all = replays::all(&app.tables).await?;
    // Ids go by time: what sorts the newest first is what is left to the greatest id.
    let key = |replay: &Replay| format!("{:032x}", u128::MAX - replay.id.as_u128());
    let page = page.cut(LIST, all.into_iter().map(|replay| (key(&replay), replay)).collect());
    page.map_err(|error| Problem::invalid_parameter("after", error.to_string()))
}

/// `GET /api/v1/replays`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.list(&page_of(&app, &page).await?)
}

/// `POST /api/v1/replays`.
pub async fn build(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, asked) =
        body::read_as::<ReplayRequest>(request, app.body_bytes_max(), example).await?;
    let actor = auth::require(visit(&parts)?.caller.as_ref(), Permission::EventReplay)?;
    let replay = replays::request(&app, asked, &actor.name).await?;
    let place = format!("/api/v1/replays/{}", replay.id);
    let mut response = (StatusCode::CREATED, Json(replay)).into_response();
    let place = HeaderValue::from_str(&place).map_err(Problem::internal)?;
    response.headers_mut().insert(header::LOCATION, place);
    Ok(response)
}

/// `GET /api/v1/replays/{replay}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let id: Uuid = path.get("replay")?;
    let asked = Asked::of_log(&app, &parts).await?;
    let found = replays::find(&app.tables, id).await?;
    asked.one(&found.ok_or_else(|| Problem::not_found("replay", id))?)
}

/// `POST /api/v1/replays/{replay}/cancel`: it is no more, whatever it was.
pub async fn cancel(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let id: Uuid = path.get("replay")?;
    match replays::cancel(&app, id).await? {
        true => Ok(StatusCode::NO_CONTENT.into_response()),
        false => Err(Problem::not_found("replay", id)),
    }
}
