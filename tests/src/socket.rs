//! A WebSocket client that says exactly what it is told to.
//!
//! Knows no protocol above messages; never repairs what a test breaks.

use std::time::Duration;

use futures::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio::net::{TcpSocket, TcpStream};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{Error, Message, client::IntoClientRequest, http::HeaderValue},
};

/// How long a message may be waited for.
const MESSAGE_WAIT_MAX: Duration = Duration::from_secs(20);

/// A connection to a server's `/graphql`.
#[derive(Debug)]
pub struct Socket {
    stream: WebSocketStream<TcpStream>,
}

/// What a server says.
#[derive(Clone, Debug, PartialEq)]
pub enum Heard {
    /// A message.
    Message(Value),
    /// The last word: code and reason.
    Close(u16, String),
    /// The connection ended without one.
    Cut,
}

impl Socket {
    /// Connects to `host:port`, offering a subprotocol, with a token or without. A small window
    /// makes a client that does not read a stalled one.
    pub async fn connect(
        address: &str,
        protocol: Option<&str>,
        token: Option<&str>,
        window_bytes: Option<u32>,
    ) -> Result<Socket, Box<Error>> {
        let mut request = format!("ws://{address}/graphql").into_client_request()?;
        let headers = request.headers_mut();
        let value = |text: &str| HeaderValue::from_str(text).expect("a header's value");
        if let Some(protocol) = protocol {
            headers.insert("sec-websocket-protocol", value(protocol));
        }
        if let Some(token) = token {
            headers.insert("authorization", value(&format!("Bearer {token}")));
        }
        let socket = TcpSocket::new_v4().map_err(Error::Io)?;
        if let Some(bytes) = window_bytes {
            socket.set_recv_buffer_size(bytes).map_err(Error::Io)?;
        }
        let address = address.parse().expect("an address");
        let stream = socket.connect(address).await.map_err(Error::Io)?;
        let (stream, _) = client_async(request, stream).await?;
        Ok(Socket { stream })
    }

    /// Connects as a client of the protocol with this token, and introduces itself.
    ///
    /// # Panics
    /// When it is not let in.
    pub async fn ready(address: &str, token: Option<&str>) -> Socket {
        let socket = Socket::connect(address, Some("graphql-transport-ws"), token, None).await;
        let mut socket = socket.expect("a socket");
        socket.say(json!({"type": "connection_init"})).await;
        let heard = socket.hear().await;
        assert_eq!(heard, Heard::Message(json!({"type": "connection_ack"})));
        socket
    }

    /// Says something.
    ///
    /// # Panics
    /// When the connection is broken.
    pub async fn say(&mut self, message: Value) {
        self.send(Message::text(message.to_string())).await;
    }

    /// Subscribes by this id.
    pub async fn subscribe(&mut self, id: &str, query: &str, variables: Value) {
        let payload = json!({"query": query, "variables": variables});
        self.say(json!({"id": id, "type": "subscribe", "payload": payload})).await;
    }

    /// Sends a raw message.
    ///
    /// # Panics
    /// When the connection is broken.
    pub async fn send(&mut self, message: Message) {
        self.stream.send(message).await.expect("the socket takes it");
    }

    /// What comes next.
    ///
    /// # Panics
    /// When nothing does.
    pub async fn hear(&mut self) -> Heard {
        loop {
            let next = tokio::time::timeout(MESSAGE_WAIT_MAX, self.stream.next()).await;
            match next.expect("something comes in time") {
                Some(Ok(Message::Text(text))) => {
                    return Heard::Message(serde_json::from_str(&text).expect("JSON"));
                }
                Some(Ok(Message::Close(Some(frame)))) => {
                    return Heard::Close(frame.code.into(), frame.reason.to_string());
                }
                Some(Ok(_)) => {}
                Some(Err(_)) | None => return Heard::Cut,
            }
        }
    }

    /// The next message that must come.
    ///
    /// # Panics
    /// When the connection ends instead.
    pub async fn message(&mut self) -> Value {
        match self.hear().await {
            Heard::Message(message) => message,
            end @ (Heard::Close(..) | Heard::Cut) => panic!("{end:?}"),
        }
    }
}
