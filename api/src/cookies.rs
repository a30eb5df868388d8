//! Sessions of browsers: tokens in cookies that no script can read (RFC 6265), and what keeps
//! another site from using them.
//!
//! Does not know whose tokens they are. A request that changes something shows the session's CSRF
//! token as a header as well, which another site cannot read; a WebSocket shows where it comes
//! from.

use aws_lc_rs::constant_time::verify_slices_are_equal;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use cookie::{Cookie, SameSite, time::Duration};

use crate::{
    identity::{ACCESS_TOKEN_S, SESSION_S, oidc::FLOW_S},
    problem::{Kind, Problem},
};

/// The header that repeats the CSRF token.
pub const CSRF: HeaderName = HeaderName::from_static("x-csrf-token");
/// The access token. The prefix makes browsers refuse it unless it is secure, for the whole host
/// and for no other (RFC 6265bis, 4.1.3.2).
const ACCESS: &str = "__Host-node0_access";
/// The refresh token.
const REFRESH: &str = "__Host-node0_refresh";
/// The CSRF token: scripts of our own pages read it.
const CSRF_COOKIE: &str = "__Host-node0_csrf";
/// What binds a sign-in by another's word to the browser that began it.
const STATE: &str = "__Host-node0_oidc";

/// The cookies of a session.
pub fn of_session(access_token: &str, refresh_token: &str, csrf: &str) -> [HeaderValue; 3] {
    [
        made(ACCESS, access_token, ACCESS_TOKEN_S, true, SameSite::Strict),
        made(REFRESH, refresh_token, SESSION_S, true, SameSite::Strict),
        made(CSRF_COOKIE, csrf, SESSION_S, false, SameSite::Strict),
    ]
}

/// The same cookies, forgotten.
pub fn forgotten() -> [HeaderValue; 3] {
    [ACCESS, REFRESH, CSRF_COOKIE].map(|name| made(name, "", 0, true, SameSite::Strict))
}

/// What binds a sign-in by another's word to a browser. It comes back from another site, so it
/// cannot be stricter.
pub fn of_state(state: &str) -> HeaderValue {
    made(STATE, state, FLOW_S, true, SameSite::Lax)
}

/// The same, forgotten.
pub fn state_forgotten() -> HeaderValue {
    made(STATE, "", 0, true, SameSite::Lax)
}

fn made(name: &str, value: &str, max_age_s: u64, hidden: bool, same_site: SameSite) -> HeaderValue {
    let cookie = Cookie::build((name, value))
        .path("/")
        .secure(true)
        .http_only(hidden)
        .same_site(same_site)
        .max_age(Duration::seconds(i64::try_from(max_age_s).unwrap_or(i64::MAX)));
    HeaderValue::from_str(&cookie.to_string()).expect("tokens are visible ASCII")
}

fn shown<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    let values = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    let pairs =
        values.flat_map(|text| text.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut found = pairs.filter(|(shown, _)| *shown == name).map(|(_, value)| value);
    // Of two nobody can say which is ours.
    found.next().filter(|value| !value.is_empty() && found.next().is_none())
}

/// The access token of a browser.
pub fn access_token(headers: &HeaderMap) -> Option<&str> {
    shown(headers, ACCESS)
}

/// The refresh token of a browser, which shows that it comes from our own pages.
pub fn refresh_token(headers: &HeaderMap) -> Result<&str, Problem> {
    let missing = || Problem::new(Kind::NotAuthenticated, "there is no session to go on with");
    let token = shown(headers, REFRESH).ok_or_else(missing)?;
    let csrf = shown(headers, CSRF_COOKIE).ok_or_else(missing)?;
    require_csrf(headers, csrf)?;
    Ok(token)
}

/// What a sign-in by another's word was begun with.
pub fn state(headers: &HeaderMap) -> Option<&str> {
    shown(headers, STATE)
}

/// Refuses what another site may have made a browser ask for.
pub fn guard(method: &Method, headers: &HeaderMap, csrf: &str) -> Result<(), Problem> {
    if method.is_safe() {
        return if headers.contains_key(header::UPGRADE) { same_origin(headers) } else { Ok(()) };
    }
    require_csrf(headers, csrf)
}

fn require_csrf(headers: &HeaderMap, csrf: &str) -> Result<(), Problem> {
    let shown = headers.get(CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
    match verify_slices_are_equal(shown, csrf.as_bytes()) {
        Ok(()) => Ok(()),
        Err(_) => {
            let detail = format!("with cookies, the header {CSRF} must repeat the CSRF token");
            Err(Problem::new(Kind::NotAuthenticated, detail))
        }
    }
}

/// A handshake of a page of ours: browsers tell the origin truly (RFC 6455, 10.2).
fn same_origin(headers: &HeaderMap) -> Result<(), Problem> {
    let text = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    let origin = text(header::ORIGIN).and_then(|origin| origin.split_once("://"));
    match (origin, text(header::HOST)) {
        (Some((_, origin)), Some(host)) if origin.eq_ignore_ascii_case(host) => Ok(()),
        _ => {
            let detail = "with cookies, a WebSocket must come from a page of this server";
            Err(Problem::new(Kind::NotAuthenticated, detail))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(*name, value.parse().unwrap());
        }
        headers
    }

    #[test]
    fn cookies_are_secure_hidden_and_stay_on_their_site() {
        let [access, _, csrf] = of_session("a.b.c", "nr_x", "c");
        let access = access.to_str().unwrap();
        for part in ["__Host-node0_access=a.b.c", "HttpOnly", "Secure", "SameSite=Strict", "Path=/"]
        {
            assert!(access.contains(part), "{access}");
        }
        assert!(!access.contains("Domain"), "{access}");
        assert!(!csrf.to_str().unwrap().contains("HttpOnly"));
        assert!(forgotten().iter().all(|one| one.to_str().unwrap().contains("Max-Age=0")));
    }

    #[test]
    fn of_two_cookies_of_one_name_none_is_taken() {
        let one = headers(&[("cookie", "a=1; __Host-node0_access=x.y.z; b=2")]);
        assert_eq!(access_token(&one), Some("x.y.z"));
        let two = headers(&[("cookie", "__Host-node0_access=x; __Host-node0_access=y")]);
        assert_eq!(access_token(&two), None);
        assert_eq!(access_token(&headers(&[("cookie", "node0_access=x")])), None);
    }

    #[test]
    fn another_site_can_neither_change_anything_nor_open_a_socket() {
        assert!(guard(&Method::GET, &headers(&[]), "c").is_ok());
        assert!(guard(&Method::POST, &headers(&[]), "c").is_err());
        assert!(guard(&Method::POST, &headers(&[("x-csrf-token", "d")]), "c").is_err());
        assert!(guard(&Method::POST, &headers(&[("x-csrf-token", "c")]), "c").is_ok());
        let socket = |origin| {
            headers(&[("upgrade", "websocket"), ("host", "n.example"), ("origin", origin)])
        };
        assert!(guard(&Method::GET, &socket("https://evil.example"), "c").is_err());
        assert!(guard(&Method::GET, &socket("https://n.example"), "c").is_ok());
        assert!(guard(&Method::GET, &headers(&[("upgrade", "websocket")]), "c").is_err());
    }
}
