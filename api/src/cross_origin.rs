//! Who may ask from a browser on another site (CORS): the origins of the setting
//! `server.cross_origin`, as it is in force.
//!
//! Does not let anybody in: whoever asks shows a token all the same, as cookies go to our own site
//! only.

use std::time::Duration;

use axum::http::{HeaderName, HeaderValue, Method, header, request::Parts};
use tower_http::cors::{AllowOrigin, CorsLayer};

use crate::{
    conditions::{DRY_RUN, IDEMPOTENCY_KEY, MIN_POSITION, POSITION, PREFER, PREFERENCE_APPLIED},
    server::App,
};

/// For how long a browser need not ask again, in seconds.
const KEPT_S: u64 = 600;

/// What browsers may send.
const SENT: [HeaderName; 9] = [
    header::ACCEPT,
    header::AUTHORIZATION,
    header::CONTENT_TYPE,
    DRY_RUN,
    IDEMPOTENCY_KEY,
    header::IF_MATCH,
    header::IF_NONE_MATCH,
    PREFER,
    MIN_POSITION,
];

/// What pages may read of a reply.
const SHOWN: [HeaderName; 10] = [
    header::ETAG,
    IDEMPOTENCY_KEY,
    header::LINK,
    header::LOCATION,
    POSITION,
    PREFERENCE_APPLIED,
    HeaderName::from_static("ratelimit"),
    HeaderName::from_static("ratelimit-policy"),
    header::RETRY_AFTER,
    HeaderName::from_static("x-request-id"),
];

/// Answers browsers that ask whether they may, and says on every reply who may read it.
pub fn layer(app: App) -> CorsLayer {
    let is_welcome =
        move |origin: &HeaderValue, _: &Parts| app.in_force.is_welcome(origin.as_bytes());
    CorsLayer::new()
        .allow_origin(AllowOrigin::predicate(is_welcome))
        .allow_methods([Method::GET, Method::HEAD, Method::POST])
        .allow_headers(SENT)
        .expose_headers(SHOWN)
        .max_age(Duration::from_secs(KEPT_S))
}
