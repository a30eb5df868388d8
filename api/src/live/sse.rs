//! Server-sent events: the form of a frame, and the reply that goes on.
//!
//! Does not know what is sent.

use std::{convert::Infallible, fmt::Display};

use axum::{
    body::Body,
    http::{HeaderName, HeaderValue, header},
    response::Response,
};
use bytes::Bytes;
use futures::{Stream, StreamExt};

/// The media type of such replies.
pub const MEDIA_TYPE: &str = "text/event-stream";
/// What a silent stream says now and then.
pub const HEARTBEAT: &[u8] = b":\n\n";
/// Milliseconds after which a client is asked to come back when its stream has ended.
pub const RETRY_MS: u64 = 1_000;

const FORM: &str = "text/event-stream; charset=utf-8";

/// Appends a frame. `data` is one line: JSON without line breaks.
pub fn frame(to: &mut Vec<u8>, event: Option<&str>, id: Option<u64>, data: &[&[u8]]) {
    let mut field = |name: &str, value: &dyn Display| {
        to.extend_from_slice(format!("{name}: {value}\n").as_bytes());
    };
    if let Some(id) = id {
        field("id", &id);
    }
    if let Some(event) = event {
        field("event", &event);
    }
    to.extend_from_slice(b"data: ");
    for part in data {
        to.extend_from_slice(part);
    }
    to.extend_from_slice(b"\n\n");
}

/// The reply that sends these pieces as they come.
pub fn reply(pieces: impl Stream<Item = Bytes> + Send + 'static) -> Response {
    let mut response = Response::new(Body::from_stream(pieces.map(Ok::<_, Infallible>)));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(FORM));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // A proxy that gathers replies would make what is live late.
    let gathers = HeaderName::from_static("x-accel-buffering");
    headers.insert(gathers, HeaderValue::from_static("no"));
    response
}
