//! Signing in and out, and who one is: `/api/v1/auth`, and whom one lets in: `/api/v1/principals`,
//! `/api/v1/services`, `/api/v1/api-keys`.
//!
//! Does not compare a secret, nor decide who may do what.

use axum::{
    Json,
    extract::{Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use commands::Permission;
use domain::values::{
    ApiKeyId, Hash, Label, Moment, PermissionName, PrincipalId, RoleName, SessionId,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use serde_json::{Value, json};
use utoipa::ToSchema;

use crate::{
    auth, body,
    door::Visit,
    identity::{ACCESS_TOKEN_S, Enrolment, TokenPair},
    operations::Operation,
    params,
    problem::{Kind, Problem},
    server::App,
};

/// What one signs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Login {
    /// The mail address.
    email: String,
    /// The password.
    password: String,
    /// A one-time code or a backup code, of whoever has a second factor.
    code: Option<String>,
}

/// What a session goes on with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Refresh {
    /// The refresh token that came last; it is good once.
    refresh_token: String,
}

/// What an invited person registers with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Registration {
    /// The name to show, 1 to 100 characters.
    display_name: String,
    /// At least 12 characters, at most 1,024 bytes.
    password: String,
    /// The invitation's token.
    token: String,
}

/// Another password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct PasswordChange {
    /// The one in force.
    current_password: String,
    /// At least 12 characters, at most 1,024 bytes.
    new_password: String,
}

/// A second factor whose device is proved.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorProof {
    /// The code that the device shows now.
    code: String,
    /// What was begun.
    enrolment: Hash,
}

/// That a second factor is to be removed.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecondFactorRemoval {
    /// The password.
    password: String,
}

/// A second factor to set up on a device; shown this once.
#[derive(Serialize, ToSchema)]
pub struct SecondFactor {
    /// One code each for the day on which the device is lost.
    backup_codes: Vec<String>,
    /// What it is confirmed by.
    enrolment: Hash,
    /// The shared secret in base32, for six digits every 30 seconds (RFC 6238).
    secret: String,
    /// The same as an address, for a QR code.
    uri: String,
}

/// Who is invited.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InvitationRequest {
    /// The mail address.
    email: String,
    /// The roles it gets, none of which gives what whoever invites lacks.
    #[serde(default)]
    roles: Vec<RoleName>,
}

/// A service to set up.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ServiceRequest {
    /// The name to show, 1 to 100 characters.
    display_name: String,
    /// What it is to be called by; made when it is not given.
    principal: Option<PrincipalId>,
    /// The roles it gets, none of which gives what whoever sets it up lacks.
    #[serde(default)]
    roles: Vec<RoleName>,
}

/// An API key for oneself.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OwnApiKeyRequest {
    /// Until when it is good, at most 366 days.
    expires_at: Moment,
    /// What its owner calls it.
    label: Label,
    /// What it is limited to.
    scopes: Vec<PermissionName>,
}

/// An API key for somebody else.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct ApiKeyRequest {
    /// Until when it is good, at most 366 days.
    expires_at: Moment,
    /// What its owner calls it.
    label: Label,
    /// Whose.
    principal: PrincipalId,
    /// What it is limited to: nothing that its owner or whoever issues it lacks.
    scopes: Vec<PermissionName>,
}

/// A session's tokens.
#[derive(Serialize, ToSchema)]
pub struct Tokens {
    /// The access token: `Authorization: Bearer <access_token>`.
    access_token: String,
    /// How long it is good for, in seconds.
    expires_in: u64,
    /// Whose session it is.
    principal: PrincipalId,
    /// What the session goes on with, once.
    refresh_token: String,
    /// The session.
    session: SessionId,
    /// `Bearer`.
    token_type: &'static str,
}

/// Somebody who was invited.
#[derive(Serialize, ToSchema)]
pub struct Invitation {
    /// Who.
    principal: PrincipalId,
    /// What they register with, within seven days; shown this once.
    token: String,
}

/// Somebody there is.
#[derive(Serialize, ToSchema)]
pub struct PrincipalMade {
    /// Who.
    principal: PrincipalId,
}

/// An API key, shown this once.
#[derive(Serialize, ToSchema)]
pub struct ApiKeyMade {
    /// Its public half, by which it is revoked.
    key: ApiKeyId,
    /// The whole of it: `Authorization: Bearer <token>`.
    token: String,
}

/// Who asks.
#[derive(Serialize, ToSchema)]
pub struct Myself {
    /// The name that stands in every event one causes.
    name: String,
    /// All one may do.
    permissions: Vec<&'static str>,
    /// The principal; null for a token that is nobody's.
    principal: Option<PrincipalId>,
}

/// The keys by which access tokens are checked (RFC 7517).
#[derive(Serialize, ToSchema)]
pub struct KeySet {
    /// One each.
    #[schema(value_type = Vec<Object>)]
    keys: Vec<jsonwebtoken::jwk::Jwk>,
}

/// The body an operation takes: its schema's name and a good example; none when it takes none.
pub fn body_of(operation: Operation) -> Option<(&'static str, Value)> {
    let password = "correct horse battery staple";
    if operation == Operation::Login {
        return Some(("Login", json!({"email": "ada@north.example", "password": password})));
    }
    if operation == Operation::Refresh {
        return Some(("Refresh", json!({"refresh_token": "nr_..."})));
    }
    if operation == Operation::Register {
        let example = json!({
            "display_name": "Ada", "password": password, "token": "user-0123456789ab.secret",
        });
        return Some(("Registration", example));
    }
    if operation == Operation::ChangePassword {
        let example =
            json!({"current_password": password, "new_password": "another horse, another battery"});
        return Some(("PasswordChange", example));
    }
    if operation == Operation::EnrolSecondFactor {
        let enrolment = "2DB9FCEAFCFB2CF9AE8898AB1198CAA1804513EE7729303968F45D59D8799889";
        return Some(("SecondFactorProof", json!({"code": "123456", "enrolment": enrolment})));
    }
    if operation == Operation::RemoveSecondFactor {
        return Some(("SecondFactorRemoval", json!({"password": password})));
    }
    if operation == Operation::InvitePrincipal {
        let example = json!({"email": "ada@north.example", "roles": ["operator"]});
        return Some(("InvitationRequest", example));
    }
    if operation == Operation::SetUpService {
        let example = json!({"display_name": "Nightly export", "roles": ["auditor"]});
        return Some(("ServiceRequest", example));
    }
    let mut key = json!({
        "expires_at": "2027-01-01T00:00:00Z", "label": "nightly export", "scopes": ["event:read"],
    });
    if operation == Operation::IssueOwnApiKey {
        return Some(("OwnApiKeyRequest", key));
    }
    if operation == Operation::IssueApiKey {
        key["principal"] = json!("service-north");
        return Some(("ApiKeyRequest", key));
    }
    None
}

/// The parts of a request, and its body as the operation takes it.
async fn read<T: DeserializeOwned>(
    app: &App,
    operation: Operation,
    request: Request,
) -> Result<(Parts, T), Problem> {
    let example = || body_of(operation).map(|(_, example)| example).unwrap_or_default();
    body::read_as(request, app.limits.body_bytes_max, example).await
}

fn visit(parts: &Parts) -> Result<&Visit, Problem> {
    parts.extensions.get::<Visit>().ok_or_else(|| Problem::internal("no visit"))
}

/// A reply that nobody keeps.
fn fresh(status: StatusCode, told: &impl Serialize) -> Response {
    let mut response = (status, Json(told)).into_response();
    let no_store = HeaderValue::from_static("no-store");
    response.headers_mut().insert(header::CACHE_CONTROL, no_store);
    response
}

fn tokens(pair: TokenPair) -> Response {
    let TokenPair { access_token, refresh_token, principal, session } = pair;
    let (expires_in, token_type) = (ACCESS_TOKEN_S, "Bearer");
    let told = Tokens { access_token, expires_in, principal, refresh_token, session, token_type };
    fresh(StatusCode::OK, &told)
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

/// `POST /api/v1/auth/login`.
pub async fn login(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (_, login) = read::<Login>(&app, Operation::Login, request).await?;
    let code = login.code.as_deref();
    app.identities.login(&login.email, &login.password, code).await.map(tokens)
}

/// `POST /api/v1/auth/refresh`.
pub async fn refresh(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (_, refresh) = read::<Refresh>(&app, Operation::Refresh, request).await?;
    app.identities.refresh(&refresh.refresh_token).await.map(tokens)
}

/// `POST /api/v1/auth/logout`: ends this session.
pub async fn logout(State(app): State<App>, request: Request) -> Result<StatusCode, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let (principal, session) = session(&parts)?;
    app.identities.logout(&principal, Some(session)).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/logout-everywhere`: ends all one's sessions.
pub async fn logout_everywhere(
    State(app): State<App>,
    request: Request,
) -> Result<StatusCode, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let (principal, _) = session(&parts)?;
    app.identities.logout(&principal, None).await?;
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
    let (_, it) = read::<Registration>(&app, Operation::Register, request).await?;
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
    let identities = &app.identities;
    identities.change_password(&principal, session, &it.current_password, &it.new_password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/auth/second-factor/begin`.
pub async fn begin_second_factor(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let (principal, _) = session(&parts)?;
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
    app.identities.remove_second_factor(&principal, &it.password).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// `POST /api/v1/principals`: invites a person.
pub async fn invite(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<InvitationRequest>(&app, Operation::InvitePrincipal, request).await?;
    let caller = visit(&parts)?.caller.as_ref();
    let actor = auth::require(caller, Permission::IdentityInvite)?;
    let invited = app.identities.invite(&it.email, &it.roles, actor).await?;
    let told = Invitation { principal: invited.principal, token: invited.token };
    Ok(fresh(StatusCode::CREATED, &told))
}

/// `POST /api/v1/services`: sets a service up.
pub async fn set_up_service(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<ServiceRequest>(&app, Operation::SetUpService, request).await?;
    let caller = visit(&parts)?.caller.as_ref();
    let actor = auth::require(caller, Permission::IdentityManage)?;
    let identities = &app.identities;
    let principal =
        identities.set_up_service(it.principal, &it.display_name, &it.roles, actor).await?;
    Ok(fresh(StatusCode::CREATED, &PrincipalMade { principal }))
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
    let actor = commands::Actor::on_behalf_of(&owner);
    let identities = &app.identities;
    let made = identities.issue_api_key(&owner, it.label, it.scopes, it.expires_at, actor).await?;
    Ok(fresh(StatusCode::CREATED, &ApiKeyMade { key: made.key, token: made.token }))
}

/// `POST /api/v1/api-keys`: issues a key for somebody else.
pub async fn issue_api_key(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, it) = read::<ApiKeyRequest>(&app, Operation::IssueApiKey, request).await?;
    let caller = visit(&parts)?.caller.as_ref();
    let actor = auth::require(caller, Permission::IdentityManage)?.clone();
    let ApiKeyRequest { expires_at, label, principal, scopes } = it;
    let identities = &app.identities;
    let made = identities.issue_api_key(&principal, label, scopes, expires_at, actor).await?;
    Ok(fresh(StatusCode::CREATED, &ApiKeyMade { key: made.key, token: made.token }))
}

/// `GET /.well-known/jwks.json`.
pub async fn jwks(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    Ok(Json(KeySet { keys: app.identities.public_keys().await? }).into_response())
}
