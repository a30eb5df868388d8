//! What all operations share: problems, headers, parameters.
//!
//! Does not know any operation.

use axum::http::StatusCode;
use serde_json::{Map, Value, json};

use crate::{
    identity::EMAIL_BYTES_MAX,
    problem::{Kind, MEDIA_TYPE},
};

/// The statuses any operation may answer with a problem.
pub const ALWAYS: &[u16] = &[400, 404, 405, 406, 429, 500, 503];

/// A reference to the response for a status.
pub fn problem(status: u16) -> Value {
    json!({"$ref": format!("#/components/responses/Problem{status}")})
}

/// One response for each status a problem comes with; all headers of all replies.
pub fn responses() -> Value {
    let mut found = Map::new();
    let mut statuses: Vec<StatusCode> = Kind::ALL.iter().map(|kind| kind.status()).collect();
    statuses.dedup();
    for status in statuses {
        let kinds: Vec<Kind> = Kind::ALL.iter().copied().filter(|k| k.status() == status).collect();
        let lines: Vec<String> = kinds
            .iter()
            .map(|kind| format!("- `{}`: {}", kind.uri(), kind.description()))
            .collect();
        let first = kinds[0];
        let mut response = json!({
            "description": lines.join("\n"),
            "headers": {"x-request-id": header("RequestId")},
            "content": {MEDIA_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "example": {
                    "type": first.uri(), "title": first.title(), "status": status.as_u16(),
                    "detail": "What happened in this case.",
                    "instance": "0190f0d2-6d2c-7c7a-9a3b-3f6d3c1a2b4c",
                },
            }},
        });
        if first.is_retryable() {
            response["headers"]["Retry-After"] = header("RetryAfter");
        }
        if first == Kind::RateLimited {
            for name in ["RateLimit", "RateLimit-Policy"] {
                response["headers"][name] = header(&name.replace('-', ""));
            }
            response["headers"]["Retry-After"] = header("RetryAfter");
        }
        if first == Kind::NotAuthenticated {
            response["headers"]["WWW-Authenticate"] = header("Challenge");
        }
        if first == Kind::MethodNotAllowed {
            response["headers"]["Allow"] = header("Allow");
        }
        found.insert(format!("Problem{}", status.as_u16()), response);
    }
    Value::Object(found)
}

/// A reference to a header.
pub fn header(name: &str) -> Value {
    json!({"$ref": format!("#/components/headers/{name}")})
}

/// The headers of replies.
pub fn headers() -> Value {
    let text =
        |description: &str| json!({"description": description, "schema": {"type": "string"}});
    let number = |description: &str| {
        let schema = json!({"type": "integer", "minimum": 0});
        json!({"description": description, "schema": schema})
    };
    json!({
        "RequestId": text("The request's id: the one it brought when that was sane, else a new one."),
        "Position": number("The position of the log that the reply reflects at least."),
        "ETag": text("Tags this state: the stream's version for one aggregate."),
        "Link": text("The next page, as `rel=\"next\"`."),
        "Location": text("Where the new aggregate is."),
        "IdempotencyKey": text("The key the command was given."),
        "PreferenceApplied": text("Which wait was to an end: the read models show it, or it is sealed."),
        "RetryAfter": number("Seconds to wait before trying again."),
        "RateLimit": text("How much of the limit is left, and for how long its window lasts."),
        "RateLimitPolicy": text("The limit: how many requests in how many seconds."),
        "Challenge": text("How to authenticate."),
        "Allow": text("The methods this path has."),
    })
}

/// A position of the log.
pub fn position() -> Value {
    json!({"type": "integer", "minimum": 0, "maximum": i64::MAX})
}

/// A text of so many characters.
pub fn text_of(least: usize, most: usize) -> Value {
    json!({"type": "string", "minLength": least, "maxLength": most})
}

/// A mail address.
pub fn email() -> Value {
    json!({"type": "string", "maxLength": EMAIL_BYTES_MAX, "pattern": "^[!-?A-~]+@[!-?A-~]+$"})
}

/// A reference to a parameter.
pub fn parameter(name: &str) -> Value {
    json!({"$ref": format!("#/components/parameters/{name}")})
}

/// A point of the past.
pub fn point() -> Value {
    json!({"oneOf": [
        {"type": "string", "pattern": "^[0-9]{1,18}$"},
        {"type": "string", "format": "date-time"},
    ]})
}

/// The headers and parameters of requests that many operations take.
pub fn parameters() -> Value {
    let header = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "header", "description": description, "schema": schema});
    let query = |name: &str, description: &str, schema: Value| json!({"name": name, "in": "query", "description": description, "schema": schema});
    let position = position();
    json!({
        "IdempotencyKey": header(
            "Idempotency-Key",
            "Makes the command repeatable: the same key of the same actor with the same content is \
             done once, and answered like the first time.",
            json!({"type": "string", "minLength": 1, "maxLength": 128, "pattern": "^[!-~]+$"}),
        ),
        "IfMatch": header(
            "If-Match",
            "The version the stream must have, as a strong tag; `\"0\"` when it must not exist yet.",
            json!({
                "type": "string",
                "pattern": "^\"(0|[1-9][0-9]{0,17})\"$",
                "example": "\"3\"",
            }),
        ),
        "DryRun": header(
            "Dry-Run",
            "`true`: decide, store nothing, answer what would have happened.",
            json!({"type": "string", "enum": ["true", "false"]}),
        ),
        "Prefer": header(
            "Prefer",
            "`wait=<ms>`: answer only when the read models show the outcome, or the time is over. \
             `wait=sealed`: answer with the `receipt`, when the outcome is in the published log. \
             What it does not know it passes over (RFC 7240).",
            json!({"type": "string", "example": "wait=500"}),
        ),
        "MinPosition": header(
            "Min-Position",
            "What the reply must reflect at least, e.g. the `position` of a command's reply.",
            position,
        ),
        "IfNoneMatch": header(
            "If-None-Match",
            "Tags that are known already: 304 when nothing changed.",
            json!({"type": "string"}),
        ),
        "First": query(
            "first",
            "How many at most.",
            json!({"type": "integer", "minimum": 1, "maximum": 100, "default": 20}),
        ),
        "Replay": query(
            "replay",
            "The id of the replay that is asked instead of the present.",
            json!({"type": "string", "format": "uuid"}),
        ),
        "AsOf": query(
            "as_of",
            "What it was then: a position in the log, or a moment (RFC 3339).",
            point(),
        ),
        "After": query(
            "after",
            "Where the page before ended: its `page.next`.",
            json!({"type": "string", "pattern": "^[A-Za-z0-9_-]{1,1024}$"}),
        ),
    })
}
