//! Request bodies: read up to a limit, checked for their media type, parsed as JSON.
//!
//! Does not know what the JSON means.

use axum::{
    body::Body,
    extract::Request,
    http::{HeaderMap, header, request::Parts},
};
use bytes::{Bytes, BytesMut};
use futures::StreamExt;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::{
    fields,
    params::Params,
    problem::{Kind, Problem},
};

/// How much of a body that is too large is read and thrown away, in multiples of the limit: a
/// client that is still writing then gets the answer instead of a broken connection.
const DRAINED_LIMITS_MAX: usize = 4;

/// A request without query parameters whose body is a JSON object: its parts, and the object; or
/// all that is wrong with it, by a good example.
pub async fn read_as<T: DeserializeOwned>(
    request: Request,
    bytes_max: usize,
    example: impl FnOnce() -> Value,
) -> Result<(Parts, T), Problem> {
    let (parts, body) = request.into_parts();
    Params::of(parts.uri.query()).finish()?;
    let body = read(&parts.headers, body, bytes_max).await?;
    require_json(&parts.headers, &body)?;
    let object = serde_json::from_slice(&body).or_else(|error| {
        let faults = fields::faults::<T>(&example(), &parse(&body)?, &error.to_string());
        Err(Problem::invalid_body(faults))
    })?;
    Ok((parts, object))
}

/// The whole body, when it is no larger than the limit.
pub async fn read(headers: &HeaderMap, body: Body, bytes_max: usize) -> Result<Bytes, Problem> {
    let announced = headers
        .get(header::CONTENT_LENGTH)
        .and_then(|value| value.to_str().ok())
        .and_then(|text| text.parse::<usize>().ok());
    let mut chunks = body.into_data_stream();
    let mut first = Bytes::new();
    let mut whole = BytesMut::new();
    let mut total: usize = 0;
    let mut too_large = announced.is_some_and(|bytes| bytes > bytes_max);
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(Kind::Malformed, "the body ended before it was complete"))?;
        total = total.saturating_add(chunk.len());
        too_large |= total > bytes_max;
        if too_large {
            if total > bytes_max.saturating_mul(DRAINED_LIMITS_MAX) {
                break;
            }
            continue;
        }
        // Most bodies come in one piece, which is then taken as it is.
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        if whole.is_empty() {
            whole.extend_from_slice(&std::mem::take(&mut first));
        }
        whole.extend_from_slice(&chunk);
    }
    if too_large {
        return Err(Problem::new(
            Kind::BodyTooLarge,
            format!("the body has more than {bytes_max} bytes"),
        )
        .with("body_bytes_max", bytes_max));
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// Refuses a body that does not say it is JSON. An empty body need not say anything.
pub fn require_json(headers: &HeaderMap, body: &[u8]) -> Result<(), Problem> {
    let given = headers.get(header::CONTENT_TYPE);
    if given.is_none() && body.is_empty() {
        return Ok(());
    }
    let form = given.and_then(|value| value.to_str().ok()).unwrap_or_default();
    if is_json(form) {
        return Ok(());
    }
    let found = if form.is_empty() { "without a Content-Type" } else { form };
    Err(Problem::new(
        Kind::UnsupportedMediaType,
        format!("the body must be application/json in UTF-8, not {found}"),
    )
    .with("offered", vec!["application/json"]))
}

/// `application/json`, with UTF-8 as its only charset.
pub fn is_json(form: &str) -> bool {
    let mut parts = form.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    name.eq_ignore_ascii_case("application/json")
        && parts.all(|part| match part.split_once('=') {
            Some((key, value)) if key.trim().eq_ignore_ascii_case("charset") => {
                value.trim().trim_matches('"').eq_ignore_ascii_case("utf-8")
            }
            Some(_) => true,
            None => part.is_empty(),
        })
}

/// The body as JSON, whatever it holds.
pub fn parse(body: &[u8]) -> Result<Value, Problem> {
    let text = text(body)?;
    serde_json::from_str(text)
        .map_err(|error| Problem::new(Kind::Malformed, format!("the body is no JSON: {error}")))
}

/// The body as text.
pub fn text(body: &[u8]) -> Result<&str, Problem> {
    std::str::from_utf8(body).map_err(|error| {
        let place = error.valid_up_to();
        Problem::new(Kind::Malformed, format!("the body is no UTF-8: see its byte {place}"))
    })
}
