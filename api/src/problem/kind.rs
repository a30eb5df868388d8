//! The documented set of problems: one enum, served under `/problems`.
//!
//! Does not know occurrences, only what they have in common.

use axum::http::StatusCode;

/// A kind of problem. Its URI path is `/problems/<slug>`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// 400: bytes that are no request.
    Malformed,
    /// 400: a path or query parameter or a header breaks its rule.
    InvalidParameter,
    /// 400: a GraphQL request exceeds a limit.
    QueryLimit,
    /// 400: a GraphQL document does not parse or validate.
    InvalidQuery,
    /// 401: no or an unknown token.
    NotAuthenticated,
    /// 403: the token's roles lack a permission.
    NotPermitted,
    /// 404: nothing by that name, or no such path.
    NotFound,
    /// 404: the collection has no such command.
    UnknownCommand,
    /// 404: the server lacks a setting that this needs.
    NotConfigured,
    /// 405: the path exists, but not for this method.
    MethodNotAllowed,
    /// 406: none of the forms this reply has is accepted.
    NotAcceptable,
    /// 408: a live stream's client takes nothing.
    TooSlow,
    /// 409: others kept changing the stream.
    Conflict,
    /// 409: the idempotency key was used for another request.
    KeyReused,
    /// 409: the position is one of another log.
    LogRestored,
    /// 412: the stream is not at the version named in `If-Match`.
    StaleVersion,
    /// 413: the body exceeds `body_bytes_max`.
    BodyTooLarge,
    /// 415: the body is not `application/json`.
    UnsupportedMediaType,
    /// 422: fields of the body break their rules.
    InvalidBody,
    /// 422: the domain says no.
    Refused,
    /// 429: the caller asked more often than it may.
    RateLimited,
    /// 503: the database is away.
    DatabaseUnavailable,
    /// 503: a read model has not reached the asked position.
    ReadModelBehind,
    /// 503: the outcome of a commit is not known.
    OutcomeUnknown,
    /// 503: too many requests at once.
    Overloaded,
    /// 503: the server is shutting down.
    Draining,
    /// 503: the request took longer than `request_ms_max`.
    TimedOut,
    /// 503: who signs people in does not answer.
    IssuerUnavailable,
    /// 503: it is stored, but not in the published log yet.
    NotSealed,
    /// 503: where the log is published does not answer, or lacks what it should have.
    StorageUnavailable,
    /// 500: a fault of the server's own.
    Internal,
}

impl Kind {
    /// Every kind, in the order of their status.
    pub const ALL: &'static [Kind] = &[
        Kind::Malformed,
        Kind::InvalidParameter,
        Kind::QueryLimit,
        Kind::InvalidQuery,
        Kind::NotAuthenticated,
        Kind::NotPermitted,
        Kind::NotFound,
        Kind::UnknownCommand,
        Kind::NotConfigured,
        Kind::MethodNotAllowed,
        Kind::NotAcceptable,
        Kind::TooSlow,
        Kind::Conflict,
        Kind::KeyReused,
        Kind::LogRestored,
        Kind::StaleVersion,
        Kind::BodyTooLarge,
        Kind::UnsupportedMediaType,
        Kind::InvalidBody,
        Kind::Refused,
        Kind::RateLimited,
        Kind::DatabaseUnavailable,
        Kind::ReadModelBehind,
        Kind::OutcomeUnknown,
        Kind::Overloaded,
        Kind::Draining,
        Kind::TimedOut,
        Kind::IssuerUnavailable,
        Kind::NotSealed,
        Kind::StorageUnavailable,
        Kind::Internal,
    ];

    /// The kind of a slug.
    pub fn named(slug: &str) -> Option<Kind> {
        Kind::ALL.iter().copied().find(|kind| kind.slug() == slug)
    }

    /// The last part of its URI path.
    pub fn slug(self) -> &'static str {
        self.uri().strip_prefix("/problems/").unwrap_or_default()
    }

    /// Its URI path: the `type` of a problem.
    pub fn uri(self) -> &'static str {
        match self {
            Kind::Malformed => "/problems/malformed",
            Kind::InvalidParameter => "/problems/invalid-parameter",
            Kind::QueryLimit => "/problems/query-limit",
            Kind::InvalidQuery => "/problems/invalid-query",
            Kind::NotAuthenticated => "/problems/not-authenticated",
            Kind::NotPermitted => "/problems/not-permitted",
            Kind::NotFound => "/problems/not-found",
            Kind::UnknownCommand => "/problems/unknown-command",
            Kind::MethodNotAllowed => "/problems/method-not-allowed",
            Kind::NotAcceptable => "/problems/not-acceptable",
            Kind::TooSlow => "/problems/too-slow",
            Kind::Conflict => "/problems/conflict",
            Kind::KeyReused => "/problems/key-reused",
            Kind::LogRestored => "/problems/log-restored",
            Kind::StaleVersion => "/problems/stale-version",
            Kind::BodyTooLarge => "/problems/body-too-large",
            Kind::UnsupportedMediaType => "/problems/unsupported-media-type",
            Kind::InvalidBody => "/problems/invalid-body",
            Kind::Refused => "/problems/refused",
            Kind::RateLimited => "/problems/rate-limited",
            Kind::DatabaseUnavailable => "/problems/database-unavailable",
            Kind::ReadModelBehind => "/problems/read-model-behind",
            Kind::OutcomeUnknown => "/problems/outcome-unknown",
            Kind::Overloaded => "/problems/overloaded",
            Kind::Draining => "/problems/draining",
            Kind::TimedOut => "/problems/timed-out",
            Kind::IssuerUnavailable => "/problems/issuer-unavailable",
            Kind::NotSealed => "/problems/not-sealed",
            Kind::StorageUnavailable => "/problems/storage-unavailable",
            Kind::NotConfigured => "/problems/not-configured",
            Kind::Internal => "/problems/internal",
        }
    }

    /// The HTTP status it comes with.
    pub fn status(self) -> StatusCode {
        match self {
            Kind::Malformed | Kind::InvalidParameter | Kind::QueryLimit | Kind::InvalidQuery => {
                StatusCode::BAD_REQUEST
            }
            Kind::NotAuthenticated => StatusCode::UNAUTHORIZED,
            Kind::NotPermitted => StatusCode::FORBIDDEN,
            Kind::NotFound | Kind::UnknownCommand | Kind::NotConfigured => StatusCode::NOT_FOUND,
            Kind::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Kind::NotAcceptable => StatusCode::NOT_ACCEPTABLE,
            Kind::TooSlow => StatusCode::REQUEST_TIMEOUT,
            Kind::Conflict | Kind::KeyReused | Kind::LogRestored => StatusCode::CONFLICT,
            Kind::StaleVersion => StatusCode::PRECONDITION_FAILED,
            Kind::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Kind::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Kind::InvalidBody | Kind::Refused => StatusCode::UNPROCESSABLE_ENTITY,
            Kind::RateLimited => StatusCode::TOO_MANY_REQUESTS,
            Kind::DatabaseUnavailable
            | Kind::ReadModelBehind
            | Kind::OutcomeUnknown
            | Kind::Overloaded
            | Kind::Draining
            | Kind::TimedOut
            | Kind::IssuerUnavailable
            | Kind::NotSealed
            | Kind::StorageUnavailable => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        }
    }

    /// True when the same request may succeed later by itself; the reply then has `Retry-After`.
    pub fn is_retryable(self) -> bool {
        self.status() == StatusCode::SERVICE_UNAVAILABLE
    }

    /// What all occurrences share, in a few words.
    pub fn title(self) -> &'static str {
        match self {
            Kind::Malformed => "The request cannot be read",
            Kind::InvalidParameter => "A parameter or header is invalid",
            Kind::QueryLimit => "The query is too large",
            Kind::InvalidQuery => "The query is invalid",
            Kind::NotAuthenticated => "Not authenticated",
            Kind::NotPermitted => "Not permitted",
            Kind::NotFound => "Not found",
            Kind::UnknownCommand => "Unknown command",
            Kind::MethodNotAllowed => "Method not allowed",
            Kind::NotAcceptable => "Not acceptable",
            Kind::TooSlow => "Too slow",
            Kind::Conflict => "Conflict",
            Kind::KeyReused => "Idempotency key reused",
            Kind::LogRestored => "The log was restored",
            Kind::StaleVersion => "Stale version",
            Kind::BodyTooLarge => "Body too large",
            Kind::UnsupportedMediaType => "Unsupported media type",
            Kind::InvalidBody => "Invalid body",
            Kind::Refused => "Refused",
            Kind::RateLimited => "Rate limited",
            Kind::DatabaseUnavailable => "Database unavailable",
            Kind::ReadModelBehind => "Read model behind",
            Kind::OutcomeUnknown => "Outcome unknown",
            Kind::Overloaded => "Overloaded",
            Kind::Draining => "Shutting down",
            Kind::TimedOut => "Timed out",
            Kind::IssuerUnavailable => "Issuer unavailable",
            Kind::NotSealed => "Not sealed yet",
            Kind::StorageUnavailable => "Storage unavailable",
            Kind::NotConfigured => "Not configured",
            Kind::Internal => "Internal fault",
        }
    }

    /// What happened, what to do about it, and which members it carries.
    pub fn description(self) -> &'static str {
        match self {
            Kind::Malformed => {
                "The bytes are no request: the JSON or UTF-8 of the body does not parse, or the \
                 path is not valid. `detail` says where. Correct the request."
            }
            Kind::InvalidParameter => {
                "A path or query parameter or a header breaks its rule or is unknown. `errors` \
                 lists all of them with `parameter` and `detail`."
            }
            Kind::QueryLimit => {
                "The GraphQL request exceeds a limit: depth, complexity, aliases, directives, or \
                 operations in a batch. `detail` names it. Ask for less at once."
            }
            Kind::InvalidQuery => {
                "The GraphQL document does not parse, or does not fit the schema that is served at \
                 /graphql/schema.graphql."
            }
            Kind::NotAuthenticated => {
                "This needs a token: `Authorization: Bearer <token>`. There was none, or it is \
                 unknown or revoked."
            }
            Kind::NotPermitted => {
                "The token is good, but none of its roles holds the permission named in `permission`."
            }
            Kind::NotFound => "There is nothing by that name, or the server has no such path.",
            Kind::UnknownCommand => {
                "The collection has no command by that name. `known` lists those it has."
            }
            Kind::MethodNotAllowed => {
                "The path exists, but not for this method. The `Allow` header lists those it has."
            }
            Kind::NotAcceptable => {
                "The reply has none of the forms that the `Accept` header asks for. `offered` \
                 lists those it has."
            }
            Kind::TooSlow => {
                "The last word of a live stream whose client took nothing for longer than \
                 `stalled_ms_max`. Follow again after the last position that arrived."
            }
            Kind::Conflict => {
                "Others kept changing the same stream while the command was decided. `attempts` \
                 says how often it was tried. Send it again."
            }
            Kind::KeyReused => {
                "The same actor used this `Idempotency-Key` before for another request. Use a new one."
            }
            Kind::LogRestored => {
                "The position is not one of this log, which ends before it: it is made up, or the log was \
                 restored from a backup since, and what came after may be lost. `incarnation` names the log that is \
                 there, or `position` its end. Read again from a position known to be common."
            }
            Kind::StaleVersion => {
                "The stream is not at the version named in `If-Match`. `current_version` is where \
                 it is: read again, decide again."
            }
            Kind::BodyTooLarge => {
                "The body has more bytes than `body_bytes_max`, which the member of that name gives."
            }
            Kind::UnsupportedMediaType => {
                "The body is in a form this path does not take. `offered` lists those it takes."
            }
            Kind::InvalidBody => {
                "The body is JSON, but not what this path takes. `errors` lists every fault with \
                 `pointer` (a JSON pointer into the body) and `detail`."
            }
            Kind::Refused => {
                "The command was understood, and the rules of the network say no. `refusal` is the \
                 typed reason: `code`, and the numbers it rests on. Nothing was stored."
            }
            Kind::RateLimited => {
                "Whoever asks has asked as often as it may in a sliding window: `quota` requests in \
                 `window_s` seconds, counted for each principal, or for each address of strangers and \
                 sign-ins. The `RateLimit` fields say it as well. Try again after `Retry-After`."
            }
            Kind::DatabaseUnavailable => {
                "The database cannot be reached. Nothing was changed. Try again after `Retry-After`."
            }
            Kind::ReadModelBehind => {
                "A read model has not yet reached the position asked for with `Min-Position`. `lag` \
                 says how many events are missing. Try again after `Retry-After`."
            }
            Kind::OutcomeUnknown => {
                "The connection to the database was lost at the moment of storing, and what became \
                 of it could not be learned in time. Repeat the request with the same \
                 `Idempotency-Key` (returned as a header): it is done once."
            }
            Kind::Overloaded => {
                "The server has as many requests under way, or as many live streams open, as it may, \
                 or the chain is behind with what was submitted. Try again after `Retry-After`."
            }
            Kind::Draining => {
                "The server is shutting down and takes no new requests. Try again, perhaps elsewhere."
            }
            Kind::TimedOut => {
                "The request took longer than `request_ms_max`. A command may still be done: repeat \
                 it with the same `Idempotency-Key`."
            }
            Kind::IssuerUnavailable => {
                "The OpenID Connect issuer that signs people in cannot be reached. Try again after \
                 `Retry-After`, or sign in with a password."
            }
            Kind::NotSealed => {
                "What was asked for is stored, but not in the published log yet: it is signed within \
                 a second while all is well; `refused` in `/api/v1/log` says when it is not. Try \
                 again after `Retry-After`."
            }
            Kind::StorageUnavailable => {
                "The place where the log is published does not answer, or what it has does not prove \
                 what it should. What is in the archive cannot be read meanwhile; other events \
                 and commands are not concerned. Try again after `Retry-After`."
            }
            Kind::NotConfigured => {
                "The server lacks a setting that this needs; `detail` names it. Whoever runs it \
                 must set it."
            }
            Kind::Internal => {
                "A fault of the server's own. It is in the server's log under the request id in \
                 `instance`."
            }
        }
    }
}
