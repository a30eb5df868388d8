//! Signing in and out, and who one is: `/api/v1/auth`.
//!
//! Does not compare a secret, nor decide who may do what.

mod bodies;
pub mod browser;

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use commands::{Actor, Permission};
use domain::values::{PrincipalId, SessionId};
use serde::{Serialize, de::DeserializeOwned};

use super::principals::Sessions;
pub use bodies::*;

use crate::{
    body,
    door::{SignedIn, Visit},
    identity::{ACCESS_TOKEN_S, Enrolment, TokenPair},
    operations::Operation,
    params,
    problem::{Kind, Problem},
    server::App,
};

/// The parts of a request, and its body as the operation takes it.
pub(super) async fn read<T: DeserializeOwned>(
    app: &App,
    operation: Operation,
    request: Request,
) -> Result<(Parts, T), Problem> {
    let example = || body_of(operation).map(|(_, example)| example).unwrap_or_default();
    body::read_as(request, app.body_bytes_max(), example).await
}

pub(super) fn visit(parts: &Parts) -> Result<&Visit, Problem> {
    Visit::within(&parts.extensions)
}

/// A reply that nobody keeps.
pub(super) fn fresh(status: StatusCode, told: &impl Serialize) -> Response {
    unkept((status, Json(told)).into_response())
}

fn unkept(mut response: Response) -> Response {
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

pub(super) fn tokens(pair: TokenPair) -> Response {
    let TokenPair { access_token, refresh_token, principal, session } = pair;
    let (expires_in, token_type) = (ACCESS_TOKEN_S, "Bearer");
    let signed_in = SignedIn(principal.clone());
    let told = Tokens { access_token, expires_in, principal, refresh_token, session, token_type };
    let mut response = fresh(StatusCode::OK, &told);
    response.extensions_mut().insert(signed_in);
    response
}

/// The session in which a request is made; refused for whoever shows a key or another token.
fn session(parts: &Parts) -> Result<(PrincipalId, SessionId), Problem> {
    let visit = visit(parts)?;
    let principal = visit.caller.as_ref().and_then(|actor| actor.principal.clone());
    principal.zip(visit.session.clone()).ok_or_else(|| {
        let detail = "this is done in a session: sign in, and send the access token";
        Problem::new(Kind::NotAuthenticated, detail)
    })
}

/// The same of a request that says nothing else.
pub(super) fn in_session(request: Request) -> Result<(PrincipalId, SessionId), Problem> {
    params::none_taken(&request)?;
    session(&request.into_parts().0)
}

/// `POST /api/v1/auth/login`.
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<Login>(&app, Operation::Login, request).await?;
    let (identities, from) = (&app.identities, visit(&parts)?.address);
    identities.login(&it.email, &it.password, it.code.as_deref(), from).await.map(tokens)
}

/// `POST /api/v1/auth/set-up`: makes whoever follows the first start's link the first super_admin.
pub async fn set_up(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<SetUp>(&app, Operation::SetUp, request).await?;
    let (name, from) = (&it.display_name, visit(&parts)?.address);
    let done = app.identities.set_up(&it.token, &it.email, name, &it.password, from).await;
    done.map(tokens)
}

/// `POST /api/v1/auth/request-password-reset`: says the same whoever has the address.
pub async fn request_password_reset(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let operation = Operation::RequestPasswordReset;
    let (_, it) = read::<EmailAddress>(&app, operation, request).await?;
    app.identities.request_password_reset(&it.email)?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/reset-password`.
pub async fn reset_password(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (_, it) = read::<PasswordReset>(&app, Operation::ResetPassword, request).await?;
    app.identities.reset_password(&it.token, &it.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/request-email-verification`: mails oneself a link.
pub async fn request_email_verification(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let operation = Operation::RequestEmailVerification;
    let (parts, it) = read::<EmailAddress>(&app, operation, request).await?;
    let (principal, _) = session(&parts)?;
    app.identities.request_email_verification(&principal, &it.email).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/verify-email`.
pub async fn verify_email(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let (_, it) = read::<EmailVerification>(&app, Operation::VerifyEmail, request).await?;
    app.identities.verify_email(&it.token).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/refresh`.
pub async fn refresh(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<Refresh>(&app, Operation::Refresh, request).await?;
    let from = visit(&parts)?.address;
    app.identities.refresh(&it.refresh_token, from).await.map(tokens)
}

/// `POST /api/v1/auth/logout`: ends this session.
pub async fn logout(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    let (principal, session) = in_session(request)?;
    app.identities.logout(&principal, Some(session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/logout-everywhere`: ends all one's sessions.
pub async fn logout_everywhere(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (principal, _) = in_session(request)?;
    app.identities.logout(&principal, None).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/auth/sessions`: one's own.
pub async fn own_sessions(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (principal, _) = in_session(request)?;
    let items = app.identities.sessions(&principal).await?.unwrap_or_default();
    Ok(fresh(StatusCode::OK, &Sessions { items }))
}

/// `POST /api/v1/auth/revoke-session`: ends another session of one's own.
pub async fn revoke_own_session(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let operation = Operation::RevokeOwnSession;
    let (parts, it) = read::<SessionChoice>(&app, operation, request).await?;
    let (principal, _) = session(&parts)?;
    app.identities.logout(&principal, Some(it.session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `GET /api/v1/auth/me`.
pub async fn me(request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let caller = visit(&parts)?.caller.as_ref();
    let actor = caller.ok_or_else(|| Problem::internal("the door let a stranger in"))?;
    let told = Myself {
        name: actor.name.to_string(),
        permissions: actor.permissions.iter().map(Permission::as_str).collect(),
        principal: actor.principal.clone(),
    };
    Ok(fresh(StatusCode::OK, &told))
}

/// `POST /api/v1/auth/register`.
pub async fn register(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (_, it) = read::<RegistrationRequest>(&app, Operation::Register, request).await?;
    let principal = app.identities.register(&it.token, &it.display_name, &it.password).await?;
    Ok(fresh(StatusCode::CREATED, &PrincipalMade { principal }))
}

/// `POST /api/v1/auth/change-password`.
pub async fn change_password(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let (parts, it) = read::<PasswordChange>(&app, Operation::ChangePassword, request).await?;
    let (principal, session) = session(&parts)?;
    let (identities, from) = (&app.identities, visit(&parts)?.address);
    let PasswordChange { current_password: current, new_password: new } = it;
    identities.change_password(&principal, session, &current, &new, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/second-factor/begin`.
pub async fn begin_second_factor(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let (principal, _) = in_session(request)?;
    let begun = app.identities.begin_second_factor(&principal).await?;
    let Enrolment { verifier, secret, uri, backup_codes } = begun;
    let told = SecondFactor { backup_codes, enrolment: verifier, secret, uri };
    Ok(fresh(StatusCode::CREATED, &told))
}

/// `POST /api/v1/auth/second-factor/enrol`.
pub async fn enrol_second_factor(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let operation = Operation::EnrolSecondFactor;
    let (parts, it) = read::<SecondFactorProof>(&app, operation, request).await?;
    let (principal, _) = session(&parts)?;
    app.identities.enrol_second_factor(&principal, it.enrolment, &it.code).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/second-factor/remove`.
pub async fn remove_second_factor(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    let operation = Operation::RemoveSecondFactor;
    let (parts, it) = read::<SecondFactorRemoval>(&app, operation, request).await?;
    let (principal, _) = session(&parts)?;
    let from = visit(&parts)?.address;
    app.identities.remove_second_factor(&principal, &it.password, from).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/api-keys`: issues a key for oneself, in a session: a key that may do little
/// must not make one that may do more.
pub async fn issue_own_api_key(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let operation = Operation::IssueOwnApiKey;
    let (parts, it) = read::<OwnApiKeyRequest>(&app, operation, request).await?;
    let (owner, _) = session(&parts)?;
    let actor = Actor::on_behalf_of(&owner);
    let identities = &app.identities;
    let made = identities.issue_api_key(&owner, it.label, it.scopes, it.expires_at, actor).await?;
    Ok(fresh(StatusCode::CREATED, &ApiKeyMade { key: made.key, token: made.token }))
}

/// `GET /.well-known/jwks.json`.
pub async fn jwks(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    Ok(Json(KeySet { keys: app.identities.public_keys().await? }).into_response())
}
