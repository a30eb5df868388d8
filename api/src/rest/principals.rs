//! Who there is, and whom one lets in: `/api/v1/principals`, `/api/v1/services`,
//! `/api/v1/api-keys`, `/api/v1/roles`.
//!
//! Does not decide who may do what.

use axum::{
    extract::{Request, State},
    http::StatusCode,
    response::Response,
};
use commands::Permission;
use domain::{identity::principal::StandingName, values::PrincipalId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{
        ApiKeyMade, ApiKeyRequest, Invitation, InvitationRequest, PrincipalMade, ServiceRequest,
        fresh, read, visit,
    },
    reply::{Asked, as_of},
};
use crate::{
    auth,
    identity::{
        erasure,
        listing::{ApiKeyView, RoleView, SessionView, Wanted},
    },
    operations::Operation,
    params::{self, Params, PathParams},
    problem::Problem,
    server::App,
};

/// The open sessions of a principal.
#[derive(Debug, Serialize, ToSchema)]
pub struct Sessions {
    /// The one that lasts longest first.
    pub items: Vec<SessionView>,
}

/// The API keys of a principal that were not revoked.
#[derive(Debug, Serialize, ToSchema)]
pub struct ApiKeys {
    /// By name.
    pub items: Vec<ApiKeyView>,
}

/// All roles.
#[derive(Debug, Serialize, ToSchema)]
pub struct Roles {
    /// Those that are built in, then those that were defined here.
    pub items: Vec<RoleView>,
}

/// `GET /api/v1/principals`.
pub async fn list(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let mut params = Params::of(parts.uri.query());
    let page = params.page();
    let wanted = Wanted {
        email: params.text("email"),
        role: params.take("role"),
        standing: params.choose("standing", &StandingName::ALL, StandingName::as_str),
    };
    params.finish()?;
    let asked = Asked::of_log(&app, &parts).await?;
    asked.list(&app.identities.principals(&wanted, &page).await?)
}

/// What is known of the principal in the path.
async fn of_principal<T: Serialize>(
    app: &App,
    path: &PathParams,
    request: Request,
    look: impl AsyncFnOnce(&PrincipalId) -> Result<Option<T>, Problem>,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let id: PrincipalId = path.get("principal")?;
    let asked = Asked::of_log(app, &parts).await?;
    let found = look(&id).await?;
    asked.one(&found.ok_or_else(|| Problem::not_found("principal", id.to_string()))?)
}

/// `GET /api/v1/principals/{principal}`.
pub async fn get(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, _) = request.into_parts();
    let point = as_of(&parts)?;
    let id: PrincipalId = path.get("principal")?;
    let (asked, found) = match point {
        None => (Asked::of_log(&app, &parts).await?, app.identities.principal(&id).await?),
        Some(point) => {
            let position = app.position_of(point).await?;
            let at = app.moment_of(point, position).await?.into();
            let found = app.identities.principal_as_of(&id, position, at).await?;
            (Asked::then(&parts, position), found)
        }
    };
    asked.one(&found.ok_or_else(|| Problem::not_found("principal", id.to_string()))?)
}

/// `GET /api/v1/principals/{principal}/erasure-certificate`.
pub async fn erasure_certificate(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let id: PrincipalId = path.get("principal")?;
    let asked = Asked::of_log(&app, &parts).await?;
    let found = erasure::certificate(&app, &id).await?;
    let missing = || Problem::not_found("erasure certificate of", id.to_string());
    asked.one(&found.ok_or_else(missing)?)
}

/// `GET /api/v1/principals/{principal}/sessions`.
pub async fn sessions(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let look = async |id: &PrincipalId| {
        let open = app.identities.sessions(id).await?;
        Ok(open.map(|items| Sessions { items }))
    };
    of_principal(&app, &path, request, look).await
}

/// `GET /api/v1/principals/{principal}/api-keys`.
pub async fn api_keys(
    State(app): State<App>,
    path: PathParams,
    request: Request,
) -> Result<Response, Problem> {
    let look = async |id: &PrincipalId| {
        let keys = app.identities.api_keys(id).await?;
        Ok(keys.map(|items| ApiKeys { items }))
    };
    of_principal(&app, &path, request, look).await
}

/// `GET /api/v1/roles`.
pub async fn roles(State(app): State<App>, request: Request) -> Result<Response, Problem> {
    params::none_taken(&request)?;
    let (parts, _) = request.into_parts();
    let asked = Asked::of_log(&app, &parts).await?;
    asked.one(&Roles { items: app.identities.roles().await? })
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
