//! One WebSocket from its first word to its last.
//!
//! One task reads and writes; each operation has a task of its own and waits when the socket does:
//! what is buffered for a slow client is bounded. Does not know what operations answer.

use std::{collections::HashMap, time::Duration};

use axum::{
    extract::ws::{Message, WebSocket},
    http::{HeaderMap, HeaderValue, Method, header},
};
use futures::{
    SinkExt, StreamExt,
    stream::{SplitSink, SplitStream},
};
use serde_json::{Map, Value};
use tokio::{
    sync::mpsc,
    time::{Instant, timeout},
};
use tokio_util::task::AbortOnDropHandle;

use super::{
    super::{reply::Reply, request::Given},
    message::{self, Close, Said},
    operation::{Operation, Told},
};
use crate::{
    auth,
    door::Visit,
    live::{Pass, beats, draining},
    problem::{Kind, Problem},
    server::App,
};

/// Results that wait for the socket.
const OUTBOX_MESSAGES_MAX: usize = 32;
/// Heartbeats without any sign of life after which a client counts as gone.
const SILENT_HEARTBEATS_MAX: u32 = 3;

/// One client.
pub struct Connection {
    app: App,
    visit: Visit,
    sink: SplitSink<WebSocket, Message>,
    source: SplitStream<WebSocket>,
    /// Who asks; none before `connection_init`.
    pass: Option<Pass>,
    /// The token that came with the handshake.
    shown: HeaderMap,
    operations: HashMap<String, Running>,
    outbox: mpsc::Sender<Told>,
    told: mpsc::Receiver<Told>,
    started: u64,
    heard: Instant,
    is_draining: bool,
}

struct Running {
    number: u64,
    _task: AbortOnDropHandle<()>,
}

/// What happens next on a connection.
enum Event {
    Heard(Option<Result<Message, axum::Error>>),
    Told(Told),
    Beat,
    InitDue,
    Drains,
}

impl Connection {
    /// Of a client that was let in as this visit, with the headers of its handshake.
    pub fn new(app: App, socket: WebSocket, visit: Visit, headers: &HeaderMap) -> Connection {
        let (sink, source) = socket.split();
        let (outbox, told) = mpsc::channel(OUTBOX_MESSAGES_MAX);
        Connection {
            app,
            visit,
            sink,
            source,
            pass: None,
            shown: auth::credentials(headers),
            operations: HashMap::new(),
            outbox,
            told,
            started: 0,
            heard: Instant::now(),
            is_draining: false,
        }
    }

    /// Talks until one of both ends it.
    pub async fn serve(mut self, is_spoken: bool) {
        let close = if is_spoken { self.converse().await } else { Close::Subprotocol };
        tracing::debug!(target: "node0::request", id = &*self.visit.id, ?close, "a socket ends");
        self.operations.clear();
        let patience = close.patience();
        let parting = async {
            if let Some(last) = close.message()
                && self.sink.send(last).await.is_err()
            {
                return;
            }
            // Until the client has answered: what it still sends is of no use.
            while let Some(Ok(_)) = self.source.next().await {}
        };
        // Over when the client does not answer: then there is nobody to part from.
        let _ = timeout(patience, parting).await;
    }

    async fn converse(&mut self) -> Close {
        let limits = &self.app.limits.live;
        let mut heartbeat = beats(limits.heartbeat());
        let init = tokio::time::sleep(Duration::from_millis(limits.init_ms_max));
        let mut init = std::pin::pin!(init);
        let drains = self.app.draining.clone();
        loop {
            let event = tokio::select! {
                heard = self.source.next() => Event::Heard(heard),
                Some(told) = self.told.recv() => Event::Told(told),
                _ = heartbeat.tick() => Event::Beat,
                () = &mut init, if self.pass.is_none() => Event::InitDue,
                () = drains.cancelled(), if !self.is_draining => Event::Drains,
            };
            let done = match event {
                Event::Heard(heard) => self.hear(heard).await,
                Event::Told(told) => self.tell(told).await,
                Event::Beat => self.beat().await,
                Event::InitDue => Err(Close::InitTimeout),
                Event::Drains => {
                    self.is_draining = true;
                    Ok(())
                }
            };
            if let Err(close) = done {
                return close;
            }
            // Each operation says its last word first: subscriptions why they end, others what
            // they found.
            if self.is_draining && self.operations.is_empty() {
                return Close::Draining;
            }
        }
    }

    async fn hear(&mut self, heard: Option<Result<Message, axum::Error>>) -> Result<(), Close> {
        self.heard = Instant::now();
        match heard {
            None | Some(Ok(Message::Close(_))) => Err(Close::Gone),
            Some(Ok(Message::Ping(_) | Message::Pong(_))) => Ok(()),
            Some(Ok(Message::Binary(_))) => {
                Err(Close::Invalid("Invalid message: binary instead of text".into()))
            }
            Some(Ok(Message::Text(text))) => match Said::parse(&text)? {
                Said::Init(payload) => self.init(&payload).await,
                Said::Ping(payload) => self.send(message::pong(payload)).await,
                Said::Pong => Ok(()),
                Said::Subscribe(id, given) => self.subscribe(id, *given).await,
                Said::Complete(id) => {
                    self.operations.remove(&id);
                    Ok(())
                }
            },
            // The library's error says only in words that a message exceeds the limit.
            Some(Err(error)) if error.to_string().contains("too long") => Err(Close::TooLarge),
            Some(Err(_)) => Err(Close::Broken),
        }
    }

    async fn init(&mut self, payload: &Map<String, Value>) -> Result<(), Close> {
        if self.pass.is_some() {
            return Err(Close::TooManyInits);
        }
        let mut caller = self.visit.caller.clone();
        if let Some(token) = message::token(payload)? {
            let value = HeaderValue::from_str(token).map_err(|_| Close::Forbidden)?;
            self.shown.insert(header::AUTHORIZATION, value);
            let asker = auth::asker(&self.app.identities, &Method::GET, &self.shown);
            caller = asker.await.map_err(refusal)?.caller;
        }
        self.pass = Some(Pass::new(&self.app, &self.shown, caller));
        self.send(message::acknowledged()).await
    }

    async fn subscribe(&mut self, id: String, given: Given) -> Result<(), Close> {
        let Some(pass) = &self.pass else { return Err(Close::Unauthorized) };
        if self.operations.contains_key(&id) {
            return Err(Close::Taken(id));
        }
        let max = self.app.limits.live.subscriptions_max;
        if self.is_draining {
            return self.refuse(&id, &draining()).await;
        }
        if self.operations.len() >= max {
            let detail = format!("{max} operations are under way on this connection");
            let problem = Problem::new(Kind::QueryLimit, detail).with("limit", "operations");
            return self.refuse(&id, &problem.with("max", max)).await;
        }
        self.started += 1;
        let operation = Operation {
            app: self.app.clone(),
            caller: pass.caller().cloned(),
            address: self.visit.address,
            instance: self.visit.id.clone(),
            id: id.clone(),
            number: self.started,
            outbox: self.outbox.clone(),
        };
        let task = AbortOnDropHandle::new(tokio::spawn(operation.run(given)));
        self.operations.insert(id, Running { number: self.started, _task: task });
        Ok(())
    }

    async fn refuse(&mut self, id: &str, problem: &Problem) -> Result<(), Close> {
        let faults = Reply::refused(problem, &self.visit.id).errors;
        self.send(message::error(id, &faults)).await
    }

    /// Sends what an operation found, unless the client has completed it.
    async fn tell(&mut self, told: Told) -> Result<(), Close> {
        let running = self.operations.get(&told.id);
        if running.is_none_or(|running| running.number != told.number) {
            return Ok(());
        }
        if told.is_last {
            self.operations.remove(&told.id);
        }
        self.send(told.message).await
    }

    /// Asks for a sign of life, and looks whether there was one, and whether the token is good.
    async fn beat(&mut self) -> Result<(), Close> {
        let silence = self.app.limits.live.heartbeat() * SILENT_HEARTBEATS_MAX;
        if self.heard.elapsed() > silence {
            return Err(Close::TooSlow);
        }
        if let Some(pass) = &mut self.pass {
            pass.renew().await.map_err(refusal)?;
        }
        self.send(Message::Ping(Default::default())).await
    }

    async fn send(&mut self, message: Message) -> Result<(), Close> {
        match timeout(self.app.limits.live.stalled(), self.sink.send(message)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Close::Gone),
            Err(_) => Err(Close::TooSlow),
        }
    }
}

fn refusal(problem: Problem) -> Close {
    if problem.kind().is_retryable() { Close::Unavailable } else { Close::Forbidden }
}
