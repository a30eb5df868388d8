//! Sessions of browsers, in cookies, and sign-in by another's word: `/api/v1/auth/browser`,
//! `/api/v1/auth/oidc`.
//!
//! Does not compare a secret. A page of ours never sees a token.

use axum::{
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};

use super::{
    BrowserSession, InvitationByOidc, Login, OidcLocation, fresh, in_session, read, unkept, visit,
};
use crate::{
    cookies,
    door::{SignedIn, Visit},
    identity::{
        ACCESS_TOKEN_S, TokenPair,
        oidc::{Begun, Purpose},
    },
    operations::Operation,
    params::{self, Params},
    problem::{Kind, Problem},
    server::App,
};

/// Where a browser goes when it is signed in.
const HOME: &str = "/";

/// The reply with cookies.
fn with(mut response: Response, cookies: impl IntoIterator<Item = HeaderValue>) -> Response {
    for cookie in cookies {
        response.headers_mut().append(header::SET_COOKIE, cookie);
    }
    response
}

/// The reply with a session's tokens in cookies.
fn signed_in(response: Response, pair: &TokenPair, csrf: &str) -> Response {
    let cookies = cookies::of_session(&pair.access_token, &pair.refresh_token, csrf);
    let mut response = with(response, cookies);
    response.extensions_mut().insert(SignedIn(pair.principal.clone()));
    response
}

fn begun(app: &App, pair: &TokenPair) -> Response {
    let csrf_token = app.identities.csrf_token(&pair.session);
    let told = BrowserSession {
        csrf_token: csrf_token.clone(),
        expires_in: ACCESS_TOKEN_S,
        principal: pair.principal.clone(),
        session: pair.session.clone(),
    };
    signed_in(fresh(StatusCode::OK, &told), pair, &csrf_token)
}

/// `POST /api/v1/auth/browser/login`.
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<Login>(&app, Operation::BrowserLogin, request).await?;
    let (code, from) = (it.code.as_deref(), visit(&parts)?.address);
    let pair = app.identities.login(&it.email, &it.password, code, from).await?;
    Ok(begun(&app, &pair))
}

/// `POST /api/v1/auth/browser/refresh`.
pub async fn refresh(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let token = cookies::refresh_token(request.headers())?;
    let from = Visit::within(request.extensions())?.address;
    let pair = app.identities.refresh(token, from).await?;
    Ok(begun(&app, &pair))
}

/// `POST /api/v1/auth/browser/logout`.
pub async fn logout(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (principal, session) = in_session(request)?;
    app.identities.logout(&principal, Some(session)).await?;
    Ok(with(StatusCode::NO_CONTENT.into_response(), cookies::forgotten()))
}

/// Away to another place, without a word to the place before.
fn away(location: &str) -> Result<Response, Problem> {
    let mut response = StatusCode::SEE_OTHER.into_response();
    let location = HeaderValue::from_str(location).map_err(Problem::internal)?;
    response.headers_mut().insert(header::LOCATION, location);
    Ok(unkept(response))
}

/// `GET /api/v1/auth/oidc/begin`: to the issuer, to sign in.
pub async fn begin(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let Begun { location, state } = app.identities.begin_oidc(Purpose::SignIn).await?;
    Ok(with(away(&location)?, [cookies::of_state(&state)]))
}

/// Where a page of ours sends its browser.
async fn told(app: &App, purpose: Purpose) -> Result<Response, Problem> {
    let Begun { location, state } = app.identities.begin_oidc(purpose).await?;
    let response = fresh(StatusCode::OK, &OidcLocation { location });
    Ok(with(response, [cookies::of_state(&state)]))
}

/// `POST /api/v1/auth/oidc/link`: to link oneself.
pub async fn link(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (principal, _) = in_session(request)?;
    told(&app, Purpose::Link(principal)).await
}

/// `POST /api/v1/auth/oidc/register`: to register without a password.
pub async fn register(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let operation = Operation::OidcRegister;
    let (_, it) = read::<InvitationByOidc>(&app, operation, request).await?;
    let InvitationByOidc { display_name, token } = it;
    told(&app, Purpose::Register { token, display_name }).await
}

/// `GET /api/v1/auth/oidc/callback`: back from the issuer.
pub async fn callback(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let mut params = Params::of(request.uri().query());
    let (code, state) = (params.text("code"), params.text("state"));
    let denied = params.text("error");
    // What else issuers send along says nothing to us (RFC 6749, 4.1.2; RFC 9207).
    for name in ["iss", "session_state", "scope", "error_description", "error_uri", "prompt"] {
        params.text(name);
    }
    params.finish()?;
    if denied.is_some() {
        return Err(Problem::new(Kind::NotAuthenticated, "the issuer did not sign anybody in"));
    }
    let (Some(code), Some(state)) = (code, state) else {
        let detail = "the issuer sends code and state: begin at /api/v1/auth/oidc/begin";
        return Err(Problem::new(Kind::NotAuthenticated, detail));
    };
    let kept = cookies::state(request.headers());
    let from = Visit::within(request.extensions())?.address;
    let ended = app.identities.end_oidc(&state, kept, code, from).await?;
    let mut response = away(HOME)?;
    if let Some(pair) = &ended {
        response = signed_in(response, pair, &app.identities.csrf_token(&pair.session));
    }
    Ok(with(response, [cookies::state_forgotten()]))
}
