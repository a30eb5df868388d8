//! The difference between what a thing was and what it is, or was later.
//!
//! Does not know the thing: its own path is asked twice, as of both points, with the rights of
//! whoever asks.

use axum::{
    Router,
    body::{Body, to_bytes},
    extract::{MatchedPath, Request},
    http::StatusCode,
    middleware::{Next, from_fn},
    response::{IntoResponse, Response},
};
use commands::Actor;
use domain::configuration::diff::{Change, diff};
use projections::decimal;
use serde::Serialize;
use serde_json::Value;
use tower::ServiceExt as _;
use utoipa::ToSchema;

use crate::{
    door,
    graphql::Component,
    past::AsOf,
    problem::{Kind, Problem},
    router,
    server::App,
};

/// The longest body that is compared, in bytes.
const BODY_BYTES_MAX: usize = 16 * 1024 * 1024;

/// What differs.
#[derive(Debug, Serialize, ToSchema)]
pub struct Difference {
    /// The path of the thing.
    #[schema(example = "/api/v1/validators/D5B865BA26FDF5285105626B708E8556809737F7")]
    pub of: String,
    /// The earlier position.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "12")]
    pub since: u64,
    /// The later one.
    #[serde(serialize_with = "decimal")]
    #[schema(value_type = String, example = "42")]
    pub until: u64,
    /// Member by member; empty when nothing differs, and one of the whole (an empty pointer) when
    /// it was not there before, or is not any more.
    pub changes: Vec<Change>,
}

impl Component for Difference {
    const SCHEMA: &'static str = "Difference";
}

/// What differs of the thing at a path between two points; the later one is now when it is not
/// said.
pub async fn between(
    app: &App,
    caller: Option<&Actor>,
    of: &str,
    (since, until): (AsOf, Option<AsOf>),
) -> Result<Difference, Problem> {
    let since = app.position_of(since).await?;
    let until = match until {
        Some(point) => app.position_of(point).await?,
        None => app.store.head().await?.position,
    };
    let caller = caller.cloned();
    let things = router::paths()
        .layer(from_fn(move |request, next| if_it_may(caller.clone(), request, next)))
        .with_state(app.clone());
    let then = as_of(things.clone(), of, since).await?;
    let now = as_of(things, of, until).await?;
    if then.is_none() && now.is_none() {
        return Err(Problem::not_found("thing", format!("at {of}, at neither position")));
    }
    let changes = diff(then.as_ref(), now.as_ref());
    Ok(Difference { of: of.to_owned(), since, until, changes })
}

/// What is answered at the path of a thing as of a position; none when it was not there.
async fn as_of(things: Router, of: &str, position: u64) -> Result<Option<Value>, Problem> {
    let no_path = || Problem::invalid_parameter("of", format!("{of:?} is no path of one thing"));
    let request = Request::get(format!("{of}?as_of={position}")).body(Body::empty());
    let request = request.map_err(|_| no_path())?;
    if request.uri().query() != Some(&format!("as_of={position}")) {
        return Err(no_path());
    }
    let response = things.oneshot(request).await.unwrap_or_else(|never| match never {});
    match (response.status(), response.extensions().get::<Problem>()) {
        (StatusCode::OK, _) => {
            let body = to_bytes(response.into_body(), BODY_BYTES_MAX).await;
            let body = body.map_err(Problem::internal)?;
            Ok(Some(serde_json::from_slice(&body).map_err(Problem::internal)?))
        }
        (_, Some(problem)) if problem.kind() == Kind::NotFound => Ok(None),
        (_, Some(problem)) => Err(problem.clone()),
        (status, None) => Err(Problem::internal(format!("{of} was answered with {status}"))),
    }
}

/// Lets who may into what is one thing with a past.
async fn if_it_may(caller: Option<Actor>, request: Request, next: Next) -> Response {
    let path = request.extensions().get::<MatchedPath>();
    let entry = door::find(path, request.method()).ok();
    let Some(entry) = entry.filter(|entry| entry.operation.has_a_past()) else {
        let detail = format!("{} is no path of one thing with a past", request.uri().path());
        return Problem::invalid_parameter("of", detail).into_response();
    };
    match door::may(entry.access, caller.as_ref()) {
        Ok(()) => next.run(request).await,
        Err(problem) => problem.into_response(),
    }
}
