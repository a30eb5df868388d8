//! Who asks: bearer tokens out of requests, and what their bearers lack.
//!
//! Does not know how a token is checked, nor what anybody may do: that is the policy's.

use axum::http::{HeaderMap, HeaderName, Method, header};
use commands::{Actor, Permission};
use domain::values::{ApiKeyId, SessionId};

use crate::{
    cookies,
    identity::Identities,
    problem::{Kind, Problem},
};

/// The longest token that is looked at, in characters.
const TOKEN_CHARS_MAX: usize = 4_096;

/// Who a request comes from.
#[derive(Clone, Debug, Default)]
pub struct Asker {
    /// Who asks; none for strangers.
    pub caller: Option<Actor>,
    /// The session it is asked in, of whoever shows an access token.
    pub session: Option<SessionId>,
    /// The API key that was shown.
    pub api_key: Option<ApiKeyId>,
}

/// Who a request comes from; a stranger when it shows no token. A browser shows it in a cookie, and
/// must then show as well that it is a page of ours that asks.
pub async fn asker(
    identities: &Identities,
    method: &Method,
    headers: &HeaderMap,
) -> Result<Asker, Problem> {
    let Some(token) = shown(headers)? else {
        let Some(token) = cookies::access_token(headers) else { return Ok(Asker::default()) };
        let (actor, session) = identities.by_access_token(token).await?;
        cookies::guard(method, headers, &identities.csrf_token(&session))?;
        return Ok(Asker { caller: Some(actor), session: Some(session), api_key: None });
    };
    if is_access_token(token) {
        let (actor, session) = identities.by_access_token(token).await?;
        return Ok(Asker { caller: Some(actor), session: Some(session), api_key: None });
    }
    let (actor, key) = identities.by_api_key(token).await?;
    Ok(Asker { caller: Some(actor), session: None, api_key: Some(key) })
}

/// Of a request's headers only what shows who asks.
pub fn credentials(headers: &HeaderMap) -> HeaderMap {
    let shows = |name: &HeaderName| *name == header::AUTHORIZATION || *name == header::COOKIE;
    let shown = headers.iter().filter(|(name, _)| shows(name));
    shown.map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// The token that a request shows; none when it shows none.
fn shown(headers: &HeaderMap) -> Result<Option<&str>, Problem> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let token = value
        .to_str()
        .ok()
        .and_then(|text| text.split_once(' '))
        .filter(|(scheme, _)| scheme.eq_ignore_ascii_case("bearer"))
        .map(|(_, token)| token.trim())
        .filter(|token| (1..=TOKEN_CHARS_MAX).contains(&token.len()) && is_visible(token));
    token.map(Some).ok_or_else(|| {
        Problem::new(
            Kind::NotAuthenticated,
            "the Authorization header is not of the form: Bearer <token>",
        )
    })
}

/// Three parts with dots between them, of which the first is base64url of an object (RFC 7519, 3).
fn is_access_token(token: &str) -> bool {
    token.starts_with("ey") && token.bytes().filter(|byte| *byte == b'.').count() == 2
}

fn is_visible(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}

/// The actor, if it may: otherwise 401 for strangers, 403 naming the permission for others.
pub fn require(caller: Option<&Actor>, permission: Permission) -> Result<&Actor, Problem> {
    let actor = caller.ok_or_else(|| {
        Problem::new(
            Kind::NotAuthenticated,
            format!("this needs a token whose role holds {}", permission.as_str()),
        )
        .with("permission", permission.as_str())
    })?;
    if actor.may(permission) {
        return Ok(actor);
    }
    let detail = format!("none of your roles holds {}", permission.as_str());
    Err(Problem::new(Kind::NotPermitted, detail).with("permission", permission.as_str()))
}
