//! Content that events name by its hash: bodies of blocks, genesis documents, results, snapshots.
//!
//! Does not know what it holds, and never changes its mind: a hash has one content.

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, StatusCode, header},
    response::Response,
};
use domain::values::Hash;

use crate::{
    params::{self, PathParams},
    problem::Problem,
    server::App,
};

/// What never changes may be kept as long as anybody keeps anything: a year.
pub(super) const FOR_EVER: HeaderValue =
    HeaderValue::from_static("public, max-age=31536000, immutable");

/// `GET /api/v1/blobs/{hash}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let hash: Hash = path.get("hash")?;
    let content = app.store.blob(hash.as_bytes()).await?;
    let content = content.ok_or_else(|| Problem::not_found("content with the hash", hash))?;
    let tag = format!("\"{hash}\"");
    let known = knows(request.headers(), &tag);
    let mut response = Response::new(if known { Body::empty() } else { Body::from(content) });
    if known {
        *response.status_mut() = StatusCode::NOT_MODIFIED;
    }
    let form = HeaderValue::from_static("application/octet-stream");
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, form);
    headers.insert(header::CACHE_CONTROL, FOR_EVER);
    headers.extend(HeaderValue::from_str(&tag).ok().map(|tag| (header::ETAG, tag)));
    Ok(response)
}

/// Whether the client has it already.
fn knows(headers: &HeaderMap, tag: &str) -> bool {
    headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default();
        tags.split(',').map(str::trim).any(|known| known == "*" || known == tag)
    })
}
