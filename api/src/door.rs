//! The door: what happens to every request before and after its handler.
//!
//! Request id, load limit, the table of operations, content negotiation, who asks, time limit, the
//! form of problems, counting and logging. Does not know what any handler does.

use std::{
    collections::HashMap,
    net::IpAddr,
    panic::AssertUnwindSafe,
    sync::{Arc, LazyLock},
    time::Instant,
};

use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{Extensions, HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use commands::Actor;
use domain::values::{ApiKeyId, PrincipalId, SessionId};
use futures::FutureExt;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    accept,
    access_records::{self, Access as AccessEntry, Outcome},
    auth::{self, Asker},
    bulkheads::Place,
    deprecation,
    live::sse,
    openapi,
    operations::{Access, Class, Entry, Form, Operation, TABLE, Verb},
    peers::{self, Peer},
    problem::{Kind, MEDIA_TYPE, Problem},
    rates::Standing,
    resilience::Breaker,
    server::App,
};

/// The header that carries the request id in both directions.
pub const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// The longest request id that is taken from a client, in characters.
const REQUEST_ID_CHARS_MAX: usize = 64;
/// What a browser may do with a page of ours: what comes from here, and nothing else. The pages'
/// library sets styles of elements by itself.
const PAGE_POLICY: &str = "default-src 'none'; base-uri 'none'; connect-src 'self'; \
    font-src 'self' data:; form-action 'none'; frame-ancestors 'none'; img-src 'self' data:; \
    script-src 'self'; style-src 'self' 'unsafe-inline'";
/// What a browser may do with data: nothing.
const DATA_POLICY: &str = "default-src 'none'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";
/// What else keeps a browser from taking a reply for something else, from showing it within another
/// page, and from telling others where it was (OWASP, HTTP Headers Cheat Sheet).
const GUARDS: [(HeaderName, &str); 5] = [
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
];

/// What the door knows of a request; handlers find it among its extensions.
#[derive(Clone, Debug)]
pub struct Visit {
    /// The request id: the client's when it is sane, else a fresh UUIDv7.
    pub id: Arc<str>,
    /// The request id as a UUID, or a fresh one: all events of the request share it.
    pub correlation: Uuid,
    /// From where.
    pub address: Option<IpAddr>,
    /// Who asks; none for strangers.
    pub caller: Option<Actor>,
    /// The session it is asked in; none for whoever shows no access token.
    pub session: Option<SessionId>,
    /// The API key that was shown.
    pub api_key: Option<ApiKeyId>,
}

/// Who has just proved who they are: what a handler tells the door in its reply.
#[derive(Clone, Debug)]
pub struct SignedIn(pub PrincipalId);

impl Visit {
    fn of(request: &Request, trusted: &[IpAddr]) -> Visit {
        let headers = request.headers();
        let given = headers.get(REQUEST_ID).and_then(|value| value.to_str().ok()).filter(|id| {
            (1..=REQUEST_ID_CHARS_MAX).contains(&id.len())
                && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"._-".contains(&byte))
        });
        let (id, correlation): (Arc<str>, Uuid) = match given {
            Some(id) => (id.into(), Uuid::parse_str(id).unwrap_or_else(|_| Uuid::now_v7())),
            None => {
                let correlation = Uuid::now_v7();
                let mut buffer = Uuid::encode_buffer();
                (Arc::from(&*correlation.hyphenated().encode_lower(&mut buffer)), correlation)
            }
        };
        let peer = request.extensions().get::<ConnectInfo<Peer>>().map(|info| info.0);
        let address = peers::address(peer, headers, trusted);
        Visit { id, correlation, address, caller: None, session: None, api_key: None }
    }

    /// What the door left with a request.
    pub fn within(extensions: &Extensions) -> Result<&Visit, Problem> {
        extensions.get::<Visit>().ok_or_else(|| Problem::internal("a request without a visit"))
    }

    /// By what a stranger is counted.
    fn site(&self) -> String {
        self.address.map_or_else(|| "nowhere".to_owned(), peers::site)
    }

    /// By what whoever asks is counted.
    fn counted_by(&self) -> String {
        self.caller.as_ref().map_or_else(|| self.site(), |actor| actor.name.to_string())
    }
}

/// Lets a request in, or says why not; then writes what every reply has.
pub async fn door(State(app): State<App>, mut request: Request, next: Next) -> Response {
    let started = Instant::now();
    let mut visit = Visit::of(&request, &app.limits.trusted_proxies);
    let id = visit.id.clone();
    let method = request.method().clone();
    let path = request.extensions().get::<MatchedPath>().cloned();
    let found = find(path.as_ref(), &method);
    let entry = found.as_ref().ok().copied();

    let admitted = match found {
        Err(problem) => Err(problem),
        Ok(entry) => admit(&app, entry, (&method, request.headers()), &mut visit).await,
    };
    let (response, standing) = match admitted {
        Err(problem) => (problem.into_response(), None),
        Ok(Admitted { place, standing, database }) => {
            request.extensions_mut().insert(visit.clone());
            let span = tracing::debug_span!("request", id = &*id);
            let response = answer(&app, next.run(request)).instrument(span).await;
            // Kept to here: who goes away half-way gives it back as well.
            drop(place);
            if let Some(database) = database {
                learn(database, &response);
            }
            (response, standing)
        }
    };
    if let Some(entry) = entry {
        record(&app, entry, &visit, &response);
    }
    let mut response = dress(response, &id, entry);
    if let Some(standing) = standing {
        standing.write(response.headers_mut());
    }
    if let Some(entry) = entry {
        app.answered.count(entry.operation.class(), response.status(), started.elapsed());
    }
    app.telemetry.count_request(entry, response.status(), started.elapsed());
    log(&id, &method, entry, response.status(), started);
    response
}

/// The database without which it cannot be answered. What GraphQL asks for is known to its fields
/// alone.
fn asked_of<'a>(app: &'a App, entry: &Entry) -> Option<&'a Breaker> {
    match entry.operation.class() {
        Class::Query => matches!(entry.access, Access::Public(_) | Access::Needs(_))
            .then_some(&app.read_database),
        Class::SignIn => Some(&app.database),
        Class::Vital | Class::Consensus | Class::Command => None,
    }
}

/// Learns from a reply that needs the database whether it is there.
fn learn(database: &Breaker, response: &Response) {
    let problem = response.extensions().get::<Problem>().map(Problem::kind);
    let status = response.status();
    if problem == Some(Kind::DatabaseUnavailable) {
        database.failed();
    } else if status.is_success()
        || matches!(status, StatusCode::NOT_MODIFIED | StatusCode::NOT_FOUND)
    {
        database.succeeded();
    }
}

/// What whoever comes in holds and is told.
struct Admitted<'a> {
    place: Place,
    standing: Option<Standing>,
    /// Which database it asks, to learn from the reply.
    database: Option<&'a Breaker>,
}

/// Records who came in by a key or by proving who they are, and who was refused.
fn record(app: &App, entry: &Entry, visit: &Visit, response: &Response) {
    let status = response.status();
    let refused = matches!(
        status,
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN | StatusCode::TOO_MANY_REQUESTS
    );
    let signed_in = response.extensions().get::<SignedIn>();
    let proved = entry.access == Access::SignedIn && entry.method == Verb::Post;
    let done = status.is_success() || status.is_redirection();
    let came_in = visit.api_key.is_some() || (done && (proved || signed_in.is_some()));
    if !refused && !came_in {
        return;
    }
    let named = visit.caller.as_ref().map(|actor| actor.name.to_string());
    app.recorder.record(AccessEntry {
        address: access_records::place(visit.address),
        api_key: visit.api_key.as_ref().map(ToString::to_string),
        operation: entry.id,
        outcome: if refused { Outcome::Refused } else { Outcome::Allowed },
        principal: signed_in.map(|SignedIn(principal)| principal.to_string()).or(named),
        problem: response.extensions().get::<Problem>().map(|problem| problem.kind().slug()),
    });
}

type ByMethod = Vec<&'static Entry>;

/// The lines of the table by path.
static BY_PATH: LazyLock<HashMap<&'static str, ByMethod>> = LazyLock::new(|| {
    let mut paths: HashMap<&'static str, ByMethod> = HashMap::new();
    for entry in TABLE {
        paths.entry(entry.path).or_default().push(entry);
    }
    paths
});

/// The line of the table that a request is for.
pub fn find(path: Option<&MatchedPath>, method: &Method) -> Result<&'static Entry, Problem> {
    let entries = path.and_then(|path| BY_PATH.get(path.as_str()));
    let entries = entries.ok_or_else(|| {
        Problem::new(Kind::NotFound, "there is no such path; see /api/openapi.json")
    })?;
    let asked = if method == Method::HEAD { "GET" } else { method.as_str() };
    if let Some(entry) = entries.iter().find(|entry| entry.method.as_str() == asked) {
        return Ok(entry);
    }
    let mut allowed: Vec<&str> = entries.iter().map(|entry| entry.method.as_str()).collect();
    if allowed.contains(&"GET") {
        allowed.push("HEAD");
    }
    let allowed = allowed.join(", ");
    let value = HeaderValue::from_str(&allowed).expect("method names are visible ASCII");
    Err(Problem::new(Kind::MethodNotAllowed, format!("this path takes {allowed}, not {method}"))
        .with_header(header::ALLOW, value))
}

async fn admit<'a>(
    app: &'a App,
    entry: &Entry,
    (method, headers): (&Method, &HeaderMap),
    visit: &mut Visit,
) -> Result<Admitted<'a>, Problem> {
    let class = entry.operation.class();
    if class != Class::Vital && app.draining.is_cancelled() {
        let close = HeaderValue::from_static("close");
        return Err(Problem::new(Kind::Draining, "the server is shutting down")
            .with_header(header::CONNECTION, close));
    }
    let place = app.bulkheads.enter(class)?;
    match entry.form {
        Form::Json => accept::require(headers, openapi::forms(entry.operation))?,
        Form::Events => accept::require(headers, &[sse::MEDIA_TYPE])?,
        Form::GraphQl | Form::Any => {}
    }
    let standing = match (class, entry.access) {
        (Class::Vital, _) => None,
        // Proving who one is, is counted before anything is compared.
        (Class::SignIn, _) => app.rates.take(class, &visit.site()).await?,
        (Class::Consensus | Class::Command | Class::Query, Access::Open) => None,
        (Class::Consensus | Class::Command | Class::Query, _) => {
            identify(app, method, headers, visit).await?;
            app.rates.take(class, &visit.counted_by()).await?
        }
    };
    let caller = visit.caller.as_ref();
    may(entry.access, caller)?;
    let database = asked_of(app, entry);
    // At last: whoever may try says how it went, so that nobody may who is refused for another
    // reason.
    if database.is_some_and(|database| !database.admits()) {
        let detail = "the database did not answer lately, and is asked again in a moment";
        return Err(Problem::new(Kind::DatabaseUnavailable, detail));
    }
    Ok(Admitted { place, standing, database })
}

/// Whether whoever asks may, by what is asked of them.
pub fn may(access: Access, caller: Option<&Actor>) -> Result<(), Problem> {
    let known = |words: &'static str| match caller {
        Some(_) => Ok(()),
        None => Err(Problem::new(Kind::NotAuthenticated, words)),
    };
    match access {
        Access::Open | Access::Public(_) | Access::Fields => Ok(()),
        Access::SignedIn => known("sign in first"),
        Access::Needs(permission) => auth::require(caller, permission).map(drop),
        Access::Command => known("commands need a token"),
    }
}

/// Learns who asks. A wrong token is refused even where none is needed, as the client believes to
/// be somebody; whoever shows too many of them is not even looked at.
async fn identify(
    app: &App,
    method: &Method,
    headers: &HeaderMap,
    visit: &mut Visit,
) -> Result<(), Problem> {
    match auth::asker(&app.identities, method, headers).await {
        Ok(Asker { caller, session, api_key }) => {
            (visit.caller, visit.session, visit.api_key) = (caller, session, api_key);
            Ok(())
        }
        Err(problem) if problem.kind() == Kind::NotAuthenticated => {
            app.rates.take(Class::SignIn, &visit.site()).await?;
            Err(problem)
        }
        Err(problem) => Err(problem),
    }
}

async fn answer(app: &App, reply: impl Future<Output = Response>) -> Response {
    let limit = app.request_time();
    match tokio::time::timeout(limit, AssertUnwindSafe(reply).catch_unwind()).await {
        Ok(Ok(response)) => response,
        // Never to happen: kept so that a bug costs one request and not its connection.
        Ok(Err(panic)) => {
            let words = panic
                .downcast_ref::<String>()
                .map(String::as_str)
                .or_else(|| panic.downcast_ref::<&str>().copied())
                .unwrap_or("a panic without words");
            Problem::internal(format!("a handler panicked: {words}")).into_response()
        }
        Err(_) => Problem::new(
            Kind::TimedOut,
            format!("the request took longer than {} ms", limit.as_millis()),
        )
        .into_response(),
    }
}

/// Writes the problem's body now that the request id is known, and the headers every reply has.
fn dress(mut response: Response, id: &str, entry: Option<&Entry>) -> Response {
    if let Some(problem) = response.extensions_mut().remove::<Problem>() {
        problem.log(id);
        response = problem.reply(id);
    } else if is_foreign_fault(&response) {
        let status = response.status();
        let reason = status.canonical_reason().unwrap_or("refused");
        let allow = response.headers_mut().remove(header::ALLOW);
        response = Problem::of_status(status, reason.to_owned()).reply(id);
        response.headers_mut().extend(allow.map(|value| (header::ALLOW, value)));
    }
    let headers = response.headers_mut();
    if let Ok(value) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, value);
    }
    let is_page = entry.is_some_and(|entry| {
        matches!(entry.operation, Operation::DocsFile | Operation::GraphiQlFile)
    });
    if let Some(going) = entry.and_then(|entry| deprecation::of(entry.operation)) {
        going.write(headers);
    }
    let policy = if is_page { PAGE_POLICY } else { DATA_POLICY };
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    for (name, value) in GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    response
}

/// A refusal that a library wrote in its own words.
fn is_foreign_fault(response: &Response) -> bool {
    let status = response.status();
    if !status.is_client_error() && !status.is_server_error() {
        return false;
    }
    let form = response.headers().get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    !form.is_some_and(|form| {
        form.starts_with(MEDIA_TYPE)
            || form.starts_with("application/json")
            || form.starts_with("application/graphql-response+json")
    })
}

fn log(
    id: &str,
    method: &Method,
    entry: Option<&'static Entry>,
    status: StatusCode,
    started: Instant,
) {
    let route = entry.map_or("none", |entry| entry.path);
    let status = status.as_u16();
    let ms = || started.elapsed().as_secs_f64() * 1_000.0;
    if status >= 500 {
        tracing::warn!(target: "node0::request", id, %method, route, status, ms = ms());
    } else if status >= 400 {
        tracing::info!(target: "node0::request", id, %method, route, status, ms = ms());
    } else if tracing::enabled!(target: "node0::request", tracing::Level::DEBUG) {
        tracing::debug!(target: "node0::request", id, %method, route, status, ms = ms());
    }
}
