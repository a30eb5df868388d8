//! What describes the surface: problems, the API contract and its page, the GraphQL schema.
//!
//! Everything is part of the program: nothing is fetched from anywhere, by the server or by the
//! page.

use std::sync::{Arc, LazyLock};

use axum::{
    Json,
    body::Body,
    extract::State,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_swagger_ui::Config;

use super::reply;
use crate::{
    graphql, openapi,
    params::{Params, PathParams},
    problem::{Kind, Problem},
    server::App,
};

/// A documented kind of problem.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemKind {
    /// The `type` of such problems.
    #[serde(rename = "type")]
    pub uri: &'static str,
    /// What they have in common, in a few words.
    pub title: &'static str,
    /// The HTTP status they come with.
    pub status: u16,
    /// What happened and what to do.
    pub description: &'static str,
    /// Whether the same request may succeed later by itself.
    pub retryable: bool,
}

/// All documented kinds of problems.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemKinds {
    /// In the order of their status.
    pub items: Vec<ProblemKind>,
}

impl From<Kind> for ProblemKind {
    fn from(kind: Kind) -> ProblemKind {
        ProblemKind {
            uri: kind.uri(),
            title: kind.title(),
            status: kind.status().as_u16(),
            description: kind.description(),
            retryable: kind.is_retryable(),
        }
    }
}

/// `GET /`: the way to the documents.
pub async fn index(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(Redirect::to("/docs").into_response())
}

/// `GET /problems`.
pub async fn list_problems(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let items = Kind::ALL.iter().copied().map(ProblemKind::from).collect();
    Ok(Json(ProblemKinds { items }).into_response())
}

/// `GET /problems/{slug}`: what a problem's `type` leads to.
pub async fn get_problem(path: PathParams, params: Params) -> Result<Response, Problem> {
    params.finish()?;
    let slug = path.text("slug");
    let kind = Kind::named(slug).ok_or_else(|| Problem::not_found("problem", slug))?;
    Ok(Json(ProblemKind::from(kind)).into_response())
}

/// `GET /api/openapi.json`.
pub async fn openapi(headers: HeaderMap, params: Params) -> Result<Response, Problem> {
    static DOCUMENT: LazyLock<reply::Fixed> =
        LazyLock::new(|| reply::Fixed::new(openapi::json().into_bytes(), "application/json"));
    params.finish()?;
    Ok(DOCUMENT.respond(&headers))
}

/// `GET /graphql/schema.graphql`.
pub async fn graphql_schema(headers: HeaderMap, params: Params) -> Result<Response, Problem> {
    static DOCUMENT: LazyLock<reply::Fixed> = LazyLock::new(|| {
        reply::Fixed::new(graphql::sdl().into_bytes(), "application/graphql; charset=utf-8")
    });
    params.finish()?;
    Ok(DOCUMENT.respond(&headers))
}

/// `GET /docs`: the page.
pub async fn docs(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(Redirect::to("/docs/index.html").into_response())
}

/// `GET /docs/{file}`: the page and what it is made of.
pub async fn docs_file(State(_): State<App>, path: PathParams) -> Result<Response, Problem> {
    static CONFIG: LazyLock<Arc<Config<'static>>> = LazyLock::new(|| {
        // The page asks no validator elsewhere what it thinks of the document.
        Arc::new(Config::from("/api/openapi.json").validator_url("none").deep_linking(true))
    });
    let name = path.text("file");
    let file = utoipa_swagger_ui::serve(name, CONFIG.clone()).map_err(Problem::internal)?;
    let file = file.ok_or_else(|| Problem::not_found("file", name))?;
    let mut response = Response::new(Body::from(file.bytes.into_owned()));
    let headers = response.headers_mut();
    let form = HeaderValue::from_str(&file.content_type).map_err(Problem::internal)?;
    headers.insert(header::CONTENT_TYPE, form);
    if file.gzpipped {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
