//! GraphQL over WebSockets: the graphql-transport-ws protocol, to the letter.
//!
//! Does not know the schema's types. A connection that breaks the protocol is closed with the code
//! that the protocol names.

mod connection;
mod message;
mod operation;

use axum::{
    extract::{FromRequestParts, WebSocketUpgrade},
    http::{HeaderMap, HeaderValue, header, request::Parts},
    response::Response,
};

use crate::{
    door::Visit,
    problem::{Kind, Problem},
    server::App,
};
use connection::Connection;

/// What a client must offer to speak.
const SUBPROTOCOL: &str = "graphql-transport-ws";

/// Whether a request wants to become a WebSocket.
pub fn is_asked_for(headers: &HeaderMap) -> bool {
    let upgrade = headers.get(header::UPGRADE).map(HeaderValue::as_bytes);
    upgrade.is_some_and(|name| name.eq_ignore_ascii_case(b"websocket"))
}

/// Lets a WebSocket in, which takes a place.
pub async fn upgrade(app: App, mut parts: Parts) -> Result<Response, Problem> {
    let visit = Visit::within(&parts.extensions)?.clone();
    let place = app.places.take()?;
    let upgrade = WebSocketUpgrade::from_request_parts(&mut parts, &app).await;
    let upgrade = upgrade.map_err(|fault| Problem::new(Kind::Malformed, fault.body_text()))?;
    let bytes = app.limits.live.message_bytes_max;
    let upgrade = upgrade.protocols([SUBPROTOCOL]).max_message_size(bytes).max_frame_size(bytes);
    Ok(upgrade.on_upgrade(async move |socket| {
        // Another subprotocol is let in only to be told so: a browser learns nothing from a status.
        let is_spoken = socket.protocol().is_some();
        Connection::new(app, socket, visit, &parts.headers).serve(is_spoken).await;
        drop(place);
    }))
}
