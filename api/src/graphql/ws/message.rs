//! The messages of graphql-transport-ws, and the codes it closes with.
//!
//! Does not know what order they come in.

use std::{borrow::Cow, time::Duration};

use axum::extract::ws::{CloseFrame, Message};
use serde::Serialize;
use serde_json::{Map, Value};

use super::super::{
    reply::{Fault, Reply},
    request::{Given, from_value},
};

/// The longest reason a close frame has, in bytes (RFC 6455).
const REASON_BYTES_MAX: usize = 123;

/// What a client says.
pub enum Said {
    /// `connection_init`
    Init(Map<String, Value>),
    /// `ping`
    Ping(Option<Value>),
    /// `pong`
    Pong,
    /// `subscribe`
    Subscribe(String, Box<Given>),
    /// `complete`
    Complete(String),
}

impl Said {
    /// Reads a message; what is none closes the connection.
    pub fn parse(text: &str) -> Result<Said, Close> {
        let wrong = |what: &'static str| Close::Invalid(Cow::Borrowed(what));
        let value = serde_json::from_str(text).map_err(|_| wrong("Invalid message: no JSON"))?;
        let Value::Object(mut members) = value else {
            return Err(wrong("Invalid message: no object"));
        };
        let payload = members.remove("payload");
        match members.get("type").and_then(Value::as_str) {
            Some("connection_init") => Ok(Said::Init(object(payload)?.unwrap_or_default())),
            Some("ping") => Ok(Said::Ping(object(payload)?.map(Value::Object))),
            Some("pong") => object(payload).map(|_| Said::Pong),
            Some("subscribe") => {
                let id = id(&mut members)?;
                let payload = payload.ok_or_else(|| wrong("Invalid message: no payload"))?;
                let given = from_value(payload).map_err(|problem| {
                    Close::Invalid(format!("Invalid message: {}", problem.detail()).into())
                })?;
                Ok(Said::Subscribe(id, Box::new(given)))
            }
            Some("complete") => Ok(Said::Complete(id(&mut members)?)),
            Some(_) => Err(wrong("Invalid message: unknown type")),
            None => Err(wrong("Invalid message: no type")),
        }
    }
}

fn object(payload: Option<Value>) -> Result<Option<Map<String, Value>>, Close> {
    match payload {
        None | Some(Value::Null) => Ok(None),
        Some(Value::Object(members)) => Ok(Some(members)),
        Some(_) => Err(Close::Invalid("Invalid message: the payload is no object".into())),
    }
}

fn id(members: &mut Map<String, Value>) -> Result<String, Close> {
    match members.remove("id") {
        Some(Value::String(id)) if !id.is_empty() => Ok(id),
        _ => Err(Close::Invalid("Invalid message: no id".into())),
    }
}

#[derive(Serialize)]
struct Sent<'a, T> {
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    #[serde(rename = "type")]
    kind: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    payload: Option<T>,
}

impl<T: Serialize> Sent<'_, T> {
    fn message(&self) -> Message {
        Message::text(serde_json::to_string(self).expect("a message has string keys"))
    }
}

/// `connection_ack`
pub fn acknowledged() -> Message {
    Sent::<()> { id: None, kind: "connection_ack", payload: None }.message()
}

/// `pong`, with what the ping brought.
pub fn pong(payload: Option<Value>) -> Message {
    Sent { id: None, kind: "pong", payload }.message()
}

/// `next`
pub fn next(id: &str, reply: &Reply) -> Message {
    Sent { id: Some(id), kind: "next", payload: Some(reply) }.message()
}

/// `error`: ends the operation.
pub fn error(id: &str, faults: &[Fault]) -> Message {
    Sent { id: Some(id), kind: "error", payload: Some(faults) }.message()
}

/// `complete`: ends the operation.
pub fn complete(id: &str) -> Message {
    Sent::<()> { id: Some(id), kind: "complete", payload: None }.message()
}

/// Why a connection ends.
#[derive(Debug)]
pub enum Close {
    /// The client has gone, or the socket broke: there is nobody to tell.
    Gone,
    /// 1002: bytes that are no WebSocket message.
    Broken,
    /// 1009: a message larger than `message_bytes_max`.
    TooLarge,
    /// 1012: the server is shutting down.
    Draining,
    /// 1013: the client took nothing for too long, or gave no sign of life.
    TooSlow,
    /// 1013: the token cannot be looked up now.
    Unavailable,
    /// 4400: what is no message of the protocol.
    Invalid(Cow<'static, str>),
    /// 4401: something was asked before `connection_ack`.
    Unauthorized,
    /// 4403: the token is not, or no longer, good.
    Forbidden,
    /// 4406: the client does not offer the subprotocol.
    Subprotocol,
    /// 4408: no `connection_init` in time.
    InitTimeout,
    /// 4409: an operation by this id is under way.
    Taken(String),
    /// 4429: a second `connection_init`.
    TooManyInits,
}

impl Close {
    /// What is said in the end; none when nobody listens.
    pub fn message(&self) -> Option<Message> {
        let text = Cow::Borrowed;
        let (code, reason) = match self {
            Close::Gone => return None,
            Close::Broken => (1002, text("Protocol error")),
            Close::TooLarge => (1009, text("Message too large")),
            Close::Draining => (1012, text("The server is shutting down")),
            Close::TooSlow => (1013, text("Too slow: come back after the last position")),
            Close::Unavailable => (1013, text("Try again later")),
            Close::Invalid(reason) => (4400, reason.clone()),
            Close::Unauthorized => (4401, text("Unauthorized")),
            Close::Forbidden => (4403, text("Forbidden")),
            Close::Subprotocol => (4406, text("Subprotocol not acceptable")),
            Close::InitTimeout => (4408, text("Connection initialisation timeout")),
            Close::Taken(id) => (4409, format!("Subscriber for {id} already exists").into()),
            Close::TooManyInits => (4429, text("Too many initialisation requests")),
        };
        let mut end = reason.len().min(REASON_BYTES_MAX);
        while !reason.is_char_boundary(end) {
            end -= 1;
        }
        Some(Message::Close(Some(CloseFrame { code, reason: reason[..end].into() })))
    }

    /// For how long it is worth waiting for the client to hear it.
    pub fn patience(&self) -> Duration {
        const CLOSING_MS_MAX: u64 = 2_000;
        Duration::from_millis(match self {
            Close::TooSlow => crate::live::STALLED_GRACE_MS,
            Close::Gone
            | Close::Broken
            | Close::TooLarge
            | Close::Draining
            | Close::Unavailable
            | Close::Invalid(_)
            | Close::Unauthorized
            | Close::Forbidden
            | Close::Subprotocol
            | Close::InitTimeout
            | Close::Taken(_)
            | Close::TooManyInits => CLOSING_MS_MAX,
        })
    }
}

/// The token in the payload of `connection_init`, as a header would bring it.
pub fn token(payload: &Map<String, Value>) -> Result<Option<&str>, Close> {
    let found = ["Authorization", "authorization"].iter().find_map(|name| payload.get(*name));
    match found {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(token)) => Ok(Some(token)),
        Some(_) => Err(Close::Invalid("Invalid message: Authorization is no string".into())),
    }
}
