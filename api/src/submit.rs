//! Commands over HTTP: path to stream, body to command, headers to conditions, outcome to reply.
//!
//! One generic handler for all collections. Does not know what any command means.

mod accounts;
pub mod batch;
mod blocks;
mod chains;
mod configuration;
pub mod every;
mod heights;
mod monitoring;
mod network;
mod principals;
mod roles;
pub mod transactions;
mod validator_sets;
mod validators;

use std::{fmt::Display, future::Future, str::FromStr, time::Duration};

use axum::{
    body::Body,
    extract::{FromRequestParts, Request, State},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::Response,
};
use chrono::Utc;
use commands::{Actor, Handled, Outcome, OutcomeEvent, Permission, RequestContext};
use domain::values::Moment;
use serde::Serialize;
use serde_json::Value;
use uuid::Uuid;

use crate::{
    auth, body,
    conditions::{Conditions, IDEMPOTENCY_KEY, POSITION, PREFERENCE_APPLIED},
    door::Visit,
    fields,
    params::{Params, PathParams},
    problem::{Kind, Problem},
    rest,
    server::App,
};

/// A command as the surface shows it.
#[derive(Clone, Debug)]
pub struct CommandSpec {
    /// Its name: the last part of its path.
    pub name: &'static str,
    /// What it asks of its caller.
    pub permission: Permission,
    /// A valid example, with its name as the member `command`.
    pub example: Value,
    /// True when it makes a new aggregate: then it is posted to the collection itself.
    pub creates: bool,
}

impl CommandSpec {
    /// Where it is posted to, in a collection whose members this path parameter names.
    pub fn path(&self, collection: &str, id_parameter: &str) -> String {
        match self.creates {
            true => format!("/api/v1/{collection}"),
            false => format!("/api/v1/{collection}/{{{id_parameter}}}/{}", self.name),
        }
    }
}

/// An aggregate whose commands can be posted.
pub trait Collection: Handled<Id: FromStr<Err: Display>> {
    /// The collection in the path.
    const COLLECTION: &'static str;
    /// The path parameter that names one of it.
    const ID_PARAMETER: &'static str;

    /// Its commands.
    fn commands() -> &'static [CommandSpec];

    /// The command in a body.
    fn parse(spec: &CommandSpec, body: &[u8]) -> Result<Self::Command, Problem> {
        parse_tagged(spec, body)
    }

    /// Does a command: on the stream that the path names, unless a command of its kind names
    /// another.
    fn execute(
        app: &App,
        id: Option<&str>,
        command: Self::Command,
        context: RequestContext,
    ) -> impl Future<Output = Result<Outcome, Problem>> + Send {
        async move {
            let id: Self::Id = parse_id::<Self, _>(id)?;
            let done = app.commands.execute::<Self>(id, command, context).await;
            done.map_err(Problem::of_command)
        }
    }

    /// The id in the path, out of the stream's.
    fn public_id(stream_id: &str) -> &str {
        stream_id
    }
}

/// What a command left behind, as a reply.
#[derive(Serialize)]
struct Reply<'a> {
    stream: &'a str,
    version: u64,
    position: Option<u64>,
    command: Uuid,
    repeated: bool,
    dry_run: bool,
    events: &'a [OutcomeEvent],
    /// What proves to anybody that its last event is in the log; only when it was asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    receipt: Option<&'a str>,
}

impl<'a> Reply<'a> {
    fn of(outcome: &'a Outcome, receipt: Option<&'a str>) -> Reply<'a> {
        Reply {
            stream: outcome.stream.as_str(),
            version: outcome.version,
            position: outcome.position,
            command: outcome.command_id.0,
            repeated: outcome.repeated,
            dry_run: outcome.dry_run,
            events: &outcome.events,
            receipt,
        }
    }
}

/// `POST /api/v1/<collection>/{id}/{command}`.
pub async fn command<A: Collection>(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let (mut parts, body) = request.into_parts();
    let path = PathParams::from_request_parts(&mut parts, &app).await?;
    let spec = known::<A>(path.text("command"), |spec| !spec.creates)?;
    submit::<A>(&app, spec, Some(path.text(A::ID_PARAMETER)), parts, body).await
}

/// `POST /api/v1/<collection>`.
pub async fn create<A: Collection>(
    State(app): State<App>,
    request: Request,
) -> Result<Response, Problem> {
    let (parts, body) = request.into_parts();
    let spec = A::commands().iter().find(|spec| spec.creates);
    let spec = spec.ok_or_else(|| Problem::internal("a collection without a creating command"))?;
    submit::<A>(&app, spec, None, parts, body).await
}

/// The command of this name among those that are wanted; otherwise the ones there are.
fn known<A: Collection>(
    name: &str,
    wanted: impl Fn(&CommandSpec) -> bool,
) -> Result<&'static CommandSpec, Problem> {
    among(A::COLLECTION, A::commands(), name, wanted)
}

fn among(
    collection: &str,
    commands: &'static [CommandSpec],
    name: &str,
    wanted: impl Fn(&CommandSpec) -> bool,
) -> Result<&'static CommandSpec, Problem> {
    let mut all = commands.iter().filter(|spec| wanted(spec));
    all.clone().find(|spec| spec.name == name).ok_or_else(|| {
        let known: Vec<&str> = all.by_ref().map(|spec| spec.name).collect();
        let detail = format!("{collection} have no command {name:?}");
        Problem::new(Kind::UnknownCommand, detail).with("known", known)
    })
}

async fn submit<A: Collection>(
    app: &App,
    spec: &CommandSpec,
    id: Option<&str>,
    parts: Parts,
    body: Body,
) -> Result<Response, Problem> {
    let visit = Visit::within(&parts.extensions)?;
    let actor = auth::require(visit.caller.as_ref(), spec.permission)?;
    let conditions = Conditions::of(&parts.headers)?;
    let body = body::read(&parts.headers, body, app.body_bytes_max()).await?;
    body::require_json(&parts.headers, &body)?;
    let command = A::parse(spec, &body)?;
    Params::of(parts.uri.query()).finish()?;
    let context = RequestContext {
        idempotency_key: conditions.idempotency_key.clone(),
        expected_version: conditions.expected_version,
        dry_run: conditions.dry_run,
        ..context(visit, actor)
    };
    let outcome = A::execute(app, id, command, context).await.map_err(|problem| {
        // What may have been done must be repeatable: the key comes back with the doubt.
        match conditions.idempotency_key.as_deref().and_then(|key| HeaderValue::from_str(key).ok())
        {
            Some(key) => problem.with_header(IDEMPOTENCY_KEY, key),
            None => problem,
        }
    })?;
    let waited = wait(app, &conditions, outcome.position).await;
    Ok(reply::<A>(app, spec, &conditions, &outcome, &waited))
}

/// What a visit says of its commands, before their own keys and conditions.
pub(crate) fn context(visit: &Visit, actor: &Actor) -> RequestContext {
    RequestContext {
        actor: actor.clone(),
        idempotency_key: None,
        causation: None,
        correlation: visit.correlation,
        reason: None,
        expected_version: None,
        dry_run: false,
        at: Moment::from(Utc::now()),
    }
}

/// The command from a JSON object of its fields. The usual case is one pass over the bytes; only a
/// bad body is looked at again for all of its faults.
fn parse_tagged<C: serde::de::DeserializeOwned>(
    spec: &CommandSpec,
    body: &[u8],
) -> Result<C, Problem> {
    let fields = match body.iter().position(|byte| !b" \t\r\n".contains(byte)) {
        Some(begin) => &body[begin..],
        None => b"{}",
    };
    let mut tagged = Vec::with_capacity(fields.len() + spec.name.len() + 16);
    tagged.extend_from_slice(b"{\"command\":\"");
    tagged.extend_from_slice(spec.name.as_bytes());
    tagged.push(b'"');
    let error = match fields.split_first() {
        Some((b'{', rest)) => {
            if rest.trim_ascii_start() != b"}" {
                tagged.push(b',');
            }
            tagged.extend_from_slice(rest);
            match serde_json::from_slice::<C>(&tagged) {
                Ok(command) => return Ok(command),
                Err(error) => error.to_string(),
            }
        }
        Some(_) | None => "the body must be a JSON object".to_owned(),
    };
    let value = body::parse(fields)?;
    Err(Problem::invalid_body(fields::faults::<C>(&spec.example, &value, &error)))
}

/// What came of waiting, as far as it was asked for. The command is done whatever came of it.
struct Waited {
    /// Whether the read models show the outcome.
    shown: bool,
    /// What proves that it is in the log.
    receipt: Option<String>,
}

async fn wait(app: &App, conditions: &Conditions, position: Option<u64>) -> Waited {
    let mut waited = Waited { shown: false, receipt: None };
    let Some(position) = position else { return waited };
    if let Some(wait_ms) = conditions.wait_ms {
        waited.shown = app.all_reflect(position, wait_ms).await;
    }
    if conditions.wait_sealed {
        waited.receipt = sealed(app, position).await;
    }
    waited
}

/// The receipt of an event, when it is published in time.
async fn sealed(app: &App, position: u64) -> Option<String> {
    let wait = Duration::from_millis(app.limits.wait_ms_max);
    if !app.published.as_ref()?.reaches(position, wait).await {
        return None;
    }
    rest::log::receipt(app, position).await.ok()
}

fn reply<A: Collection>(
    app: &App,
    spec: &CommandSpec,
    conditions: &Conditions,
    outcome: &Outcome,
    waited: &Waited,
) -> Response {
    let told = Reply::of(outcome, waited.receipt.as_deref());
    let mut response = json_reply(app, &told, outcome.position);
    let headers = response.headers_mut();
    if let Ok(tag) = HeaderValue::from_str(&format!("\"{}\"", outcome.version)) {
        headers.insert(header::ETAG, tag);
    }
    let key = conditions.idempotency_key.as_deref();
    if let Some(Ok(key)) = key.map(HeaderValue::from_str) {
        headers.insert(IDEMPOTENCY_KEY, key);
    }
    let ms = conditions.wait_ms.filter(|_| waited.shown).map(|ms| format!("wait={ms}"));
    let sealed = waited.receipt.as_ref().map(|_| "wait=sealed".to_owned());
    for applied in [ms, sealed].into_iter().flatten() {
        let applied = HeaderValue::from_str(&applied).ok();
        applied.map(|value| headers.append(PREFERENCE_APPLIED, value));
    }
    if spec.creates && !outcome.dry_run {
        let place = format!("/api/v1/{}/{}", A::COLLECTION, A::public_id(outcome.stream.id()));
        headers.extend(HeaderValue::from_str(&place).ok().map(|place| (header::LOCATION, place)));
        *response.status_mut() = StatusCode::CREATED;
    }
    response
}

/// A reply to what was done up to a position. Where nothing was appended, it reflects the log as
/// this process knows it.
fn json_reply(app: &App, told: &impl Serialize, position: Option<u64>) -> Response {
    let body = serde_json::to_vec(told).expect("a reply has string keys");
    let mut response = Response::new(Body::from(body));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(POSITION, HeaderValue::from(position.unwrap_or_else(|| app.head())));
    response
}

/// The commands of a collection: names and examples from the domain, permissions from the policy.
fn specs<C: serde::de::DeserializeOwned>(
    names: &[&'static str],
    examples: &[Value],
    creating: Option<&str>,
    permission: impl Fn(&C) -> Permission,
) -> Vec<CommandSpec> {
    let spec = |(name, example): (&&'static str, &Value)| {
        let command = C::deserialize(example)
            .unwrap_or_else(|error| panic!("the domain's example of {name} is none: {error}"));
        let permission = permission(&command);
        let creates = creating == Some(*name);
        CommandSpec { name, permission, example: example.clone(), creates }
    };
    names.iter().zip(examples).map(spec).collect()
}

/// The id in the path.
fn parse_id<A: Collection, T>(id: Option<&str>) -> Result<T, Problem>
where
    T: FromStr<Err: Display>,
{
    id.unwrap_or_default()
        .parse()
        .map_err(|error: T::Err| Problem::invalid_parameter(A::ID_PARAMETER, error.to_string()))
}
