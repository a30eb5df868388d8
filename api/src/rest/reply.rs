//! Replies to queries: JSON with `ETag`, `Position` and `Link`, or 304 when nothing changed.
//!
//! Does not know what is replied.

use ::projections::{Cursor, Folded, PageOf, ReadError, Subject, is_unavailable};
use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use serde::Serialize;
use sha2::{Digest, Sha256};
use sqlx::PgPool;

use super::export;
use crate::{
    accept,
    conditions::{MIN_POSITION, POSITION},
    params::Params,
    past::AsOf,
    problem::{Kind, Problem},
    server::App,
};

/// The parameter that asks for a thing as it was.
const AS_OF: &str = "as_of";

/// How many bytes of a body's hash stand in its `ETag`.
const ETAG_BYTES: usize = 12;

/// The forms of a page of a list, the one for clients that do not say first.
pub const LIST_FORMS: &[&str] = &["application/json", export::CSV, export::NDJSON];

/// The point of the past that is asked for, where nothing else may be said.
pub fn as_of(parts: &Parts) -> Result<Option<AsOf>, Problem> {
    let mut params = Params::of(parts.uri.query());
    let point = params.take::<AsOf>(AS_OF);
    params.finish()?;
    Ok(point)
}

/// A page of a list, as it stands in a reply.
#[derive(Serialize)]
struct Listed<'a, T> {
    items: &'a [T],
    page: PageInfo<'a>,
}

#[derive(Serialize)]
struct PageInfo<'a> {
    next: Option<&'a Cursor>,
    has_next: bool,
}

/// One query: what it may see, and what its reply will say about that.
pub struct Asked<'a> {
    parts: &'a Parts,
    /// What the read models reflected before they were asked: the reply reflects at least that.
    position: u64,
    /// What is read instead of what is in use: a thing as it was.
    folded: Option<Folded>,
}

impl<'a> Asked<'a> {
    /// Waits until the named read models reflect what the request asks for.
    pub async fn of(app: &App, parts: &'a Parts, models: &[&str]) -> Result<Asked<'a>, Problem> {
        let minimum = min_position(&parts.headers)?;
        let position = app.reach(models, minimum).await?;
        Ok(Asked { parts, position, folded: None })
    }

    /// The same for one thing, which may be asked for as it was (`as_of`).
    pub async fn about(
        app: &App,
        parts: &'a Parts,
        models: &[&str],
        subject: Subject,
    ) -> Result<Asked<'a>, Problem> {
        let Some(point) = as_of(parts)? else { return Asked::of(app, parts, models).await };
        let position = app.position_of(point).await?;
        Asked::then_of(app, parts, models, subject, position).await
    }

    /// The same for a thing whose history is found by what it is now.
    pub async fn about_what_is(
        app: &App,
        parts: &'a Parts,
        models: &[&str],
        subject: impl Future<Output = Result<Subject, Problem>>,
    ) -> Result<Asked<'a>, Problem> {
        let Some(point) = as_of(parts)? else { return Asked::of(app, parts, models).await };
        let position = app.position_of(point).await?;
        app.reach(models, Some(position)).await?;
        Asked::then_of(app, parts, models, subject.await?, position).await
    }

    async fn then_of(
        app: &App,
        parts: &'a Parts,
        models: &[&str],
        subject: Subject,
        position: u64,
    ) -> Result<Asked<'a>, Problem> {
        let folded = app.fold(models, subject, position).await?;
        Ok(Asked { parts, position, folded: Some(folded) })
    }

    /// The same for what is read from the log itself.
    pub async fn of_log(app: &App, parts: &'a Parts) -> Result<Asked<'a>, Problem> {
        let minimum = min_position(&parts.headers)?;
        Ok(Asked { parts, position: app.log_reaches(minimum).await?, folded: None })
    }

    /// The same for what was read from the log as it was when it ended here.
    pub fn then(parts: &'a Parts, position: u64) -> Asked<'a> {
        Asked { parts, position, folded: None }
    }

    /// Where it is to be read.
    pub fn pool<'p>(&'p self, app: &'p App) -> &'p PgPool {
        self.folded.as_ref().map_or(&app.pool, Folded::pool)
    }

    /// What the reply reflects.
    pub fn position(&self) -> u64 {
        self.position
    }

    /// One thing, tagged by its content.
    pub fn one(&self, item: &impl Serialize) -> Result<Response, Problem> {
        let body = written(item)?;
        let tag = content_tag(&body);
        Ok(self.tagged(body, &tag))
    }

    /// One aggregate, tagged by its stream's version: what `If-Match` of a command compares with.
    pub fn versioned(&self, item: &impl Serialize, version: u64) -> Result<Response, Problem> {
        Ok(self.tagged(written(item)?, &format!("\"{version}\"")))
    }

    /// A page of a list.
    pub fn list<T: Serialize>(&self, page: &PageOf<T>) -> Result<Response, Problem> {
        let form = accept::choose(&self.parts.headers, LIST_FORMS)?;
        let info = PageInfo { next: page.next.as_ref(), has_next: page.has_next };
        let body = match form {
            export::CSV => export::csv(&page.items)?,
            export::NDJSON => export::ndjson(&page.items)?,
            _ => written(&Listed { items: &page.items, page: info })?,
        };
        let tag = content_tag(&body);
        let mut response = self.formed(body, &tag, form);
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        if let Some(next) = &page.next
            && let Ok(link) = HeaderValue::from_str(&self.link(next))
        {
            response.headers_mut().insert(header::LINK, link);
        }
        Ok(response)
    }

    /// The same request for the page after this one.
    fn link(&self, next: &Cursor) -> String {
        let uri = &self.parts.uri;
        let kept: Vec<&str> = uri
            .query()
            .unwrap_or_default()
            .split('&')
            .filter(|pair| !pair.is_empty() && !pair.starts_with("after="))
            .collect();
        let and = if kept.is_empty() { "" } else { "&" };
        format!("<{}?{}{and}after={next}>; rel=\"next\"", uri.path(), kept.join("&"))
    }

    fn tagged(&self, body: Vec<u8>, tag: &str) -> Response {
        self.formed(body, tag, LIST_FORMS[0])
    }

    fn formed(&self, body: Vec<u8>, tag: &str, form: &'static str) -> Response {
        let mut response = unless_known(&self.parts.headers, body.into(), tag, form);
        response.headers_mut().insert(POSITION, HeaderValue::from(self.position));
        response
    }
}

fn written(item: &impl Serialize) -> Result<Vec<u8>, Problem> {
    serde_json::to_vec(item).map_err(Problem::internal)
}

fn content_tag(body: &[u8]) -> String {
    let hash = Sha256::digest(body);
    format!("\"{}\"", URL_SAFE_NO_PAD.encode(&hash[..ETAG_BYTES]))
}

/// The body, or 304 when the client has it already.
fn unless_known(headers: &HeaderMap, body: Bytes, tag: &str, form: &'static str) -> Response {
    let known = headers.get_all(header::IF_NONE_MATCH).iter().any(|value| {
        let tags = value.to_str().unwrap_or_default();
        tags.split(',').map(str::trim).any(|known| known == "*" || strong(known) == tag)
    });
    let mut response = if known {
        let mut response = Response::new(Body::empty());
        *response.status_mut() = StatusCode::NOT_MODIFIED;
        response
    } else {
        let mut response = Response::new(Body::from(body));
        response.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(form));
        response
    };
    let headers = response.headers_mut();
    headers.extend(HeaderValue::from_str(tag).ok().map(|tag| (header::ETAG, tag)));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    response
}

/// `If-None-Match` compares weakly: `W/"1"` is as good as `"1"`.
fn strong(tag: &str) -> &str {
    tag.strip_prefix("W/").unwrap_or(tag)
}

fn min_position(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(MIN_POSITION) else { return Ok(None) };
    let position = value.to_str().ok().and_then(|text| text.parse().ok());
    position.map(Some).ok_or_else(|| {
        Problem::invalid_parameter("Min-Position", "must be a position: a whole number from 0")
    })
}

/// A read model has not reached what was asked for.
pub fn behind(what: &str, reflected: u64, wanted: u64) -> Problem {
    let lag = wanted.saturating_sub(reflected);
    Problem::new(
        Kind::ReadModelBehind,
        format!("{what} reflects position {reflected} and is {lag} events behind {wanted}"),
    )
    .with("lag", lag)
    .with("position", reflected)
}

/// Why a read gave no answer.
pub fn read_problem(error: ReadError) -> Problem {
    match error {
        ReadError::Page(error) => Problem::invalid_parameter("after", error.to_string()),
        ReadError::Database(error) if is_unavailable(&error) => {
            Problem::database_unavailable(error)
        }
        ReadError::Database(error) => Problem::from(error),
    }
}

/// A document that never changes while the program runs.
pub struct Fixed {
    body: Bytes,
    tag: String,
    form: &'static str,
}

impl Fixed {
    /// These bytes in this form.
    pub fn new(body: Vec<u8>, form: &'static str) -> Fixed {
        Fixed { tag: content_tag(&body), body: body.into(), form }
    }

    /// The reply to one request for it.
    pub fn respond(&self, headers: &HeaderMap) -> Response {
        unless_known(headers, self.body.clone(), &self.tag, self.form)
    }
}
