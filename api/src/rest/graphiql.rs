//! The GraphiQL page, out of the program itself: `/graphiql` works without the internet.
//!
//! The files of GraphiQL and React are as their makers publish them; `scripts/graphiql` fetches
//! them. Does not ask anything: the page does.

use axum::{
    body::Body,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};

use crate::{
    params::{Params, PathParams},
    problem::{Kind, Problem},
};

/// A file of the page.
struct File {
    name: &'static str,
    form: &'static str,
    bytes: &'static [u8],
    compressed: bool,
}

const SCRIPT: &str = "text/javascript; charset=utf-8";
const STYLE: &str = "text/css; charset=utf-8";

const fn plain(name: &'static str, form: &'static str, bytes: &'static [u8]) -> File {
    File { name, form, bytes, compressed: false }
}

const fn compressed(name: &'static str, form: &'static str, bytes: &'static [u8]) -> File {
    File { name, form, bytes, compressed: true }
}

static FILES: [File; 7] = [
    plain("index.html", "text/html; charset=utf-8", include_bytes!("../../graphiql/index.html")),
    plain("page.css", STYLE, include_bytes!("../../graphiql/page.css")),
    plain("page.js", SCRIPT, include_bytes!("../../graphiql/page.js")),
    compressed("graphiql.css", STYLE, include_bytes!("../../graphiql/graphiql.css.gz")),
    compressed("graphiql.js", SCRIPT, include_bytes!("../../graphiql/graphiql.js.gz")),
    compressed("react.js", SCRIPT, include_bytes!("../../graphiql/react.js.gz")),
    compressed("react-dom.js", SCRIPT, include_bytes!("../../graphiql/react-dom.js.gz")),
];

/// `GET /graphiql`: the page.
pub async fn page(params: Params) -> Result<Response, Problem> {
    params.finish()?;
    Ok(Redirect::to("/graphiql/index.html").into_response())
}

/// `GET /graphiql/{file}`: the page and what it is made of.
pub async fn file(
    path: PathParams,
    headers: HeaderMap,
    params: Params,
) -> Result<Response, Problem> {
    params.finish()?;
    let name = path.text("file");
    let file = FILES.iter().find(|file| file.name == name);
    let file = file.ok_or_else(|| Problem::not_found("file", name))?;
    let accepted = headers.get(header::ACCEPT_ENCODING).and_then(|value| value.to_str().ok());
    if file.compressed && !accepted.is_some_and(|accepted| accepted.contains("gzip")) {
        let detail = "this file is kept compressed: accept gzip, as every browser does";
        return Err(Problem::new(Kind::NotAcceptable, detail));
    }
    let mut response = Response::new(Body::from(file.bytes));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(file.form));
    if file.compressed {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Ok(response)
}
