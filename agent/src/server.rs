//! The server as a validator sees it: content by its hash, commands, and the stream of what is
//! decided.
//!
//! Does not know what any of it means.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use domain::values::{Hash, PeerAddress};
use reqwest::{Certificate, Client, Identity, Response, StatusCode, Url, header};
use serde::Serialize;
use serde_json::Value;

use crate::Failure;

/// How long one request may take, in milliseconds.
const REQUEST_MS_MAX: u64 = 10_000;
/// How long a connection may take to come about, in milliseconds.
const CONNECT_MS_MAX: u64 = 2_000;
/// How long a live stream may be silent until it is taken for dead, in milliseconds: twice as long
/// as a server is by its own default.
const SILENCE_MS_MAX: u64 = 30_000;
/// How long is waited before content is asked for again, in milliseconds.
const RETRY_MS: u64 = 100;

/// A server. Cheap to clone.
#[derive(Clone)]
pub struct Server {
    base: Url,
    token: String,
    client: Client,
    streaming: Client,
    /// Bytes of bodies, by whoever reads them.
    received: Arc<AtomicU64>,
}

/// What became of a request.
#[derive(Clone, Debug)]
pub enum Answer {
    /// It was done.
    Done(Value),
    /// It was understood and not done: too late, already so, or not allowed now.
    Refused(String),
    /// The token does not do.
    Forbidden(String),
    /// It may go better in a while.
    Busy(String),
}

impl fmt::Debug for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("base", &self.base.as_str()).finish_non_exhaustive()
    }
}

/// How TLS is spoken with a server, beside what the operating system trusts.
#[derive(Clone, Debug, Default)]
pub struct Trust {
    /// Authorities whose certificates are believed, in PEM.
    pub authorities: Option<Vec<u8>>,
    /// The certificate and the key that we show, in PEM.
    pub identity: Option<Vec<u8>>,
}

impl Server {
    /// The server at `http://host:port` or `https://host:port`, as whom the token says.
    pub fn new(base: &str, token: &str, trust: &Trust) -> Result<Server, Failure> {
        let wrong = |why: &str| {
            Failure::Usage(format!("{base:?} is no server: {why}, e.g. http://127.0.0.1:8080"))
        };
        let url: Url = base.parse().map_err(|_| wrong("it must be an address"))?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
            return Err(wrong("it must begin with http:// or https://"));
        }
        let token = token.trim().to_owned();
        if token.is_empty() || !token.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(Failure::Usage("The token is not one word of visible ASCII.".to_owned()));
        }
        let usage = |fault: reqwest::Error| Failure::Usage(sentence(&fault));
        let authorities = match &trust.authorities {
            None => Vec::new(),
            Some(pem) => Certificate::from_pem_bundle(pem).map_err(usage)?,
        };
        let identity = trust.identity.as_deref().map(Identity::from_pem).transpose();
        let identity = identity.map_err(usage)?;
        let client = || {
            let mut builder = Client::builder()
                .connect_timeout(Duration::from_millis(CONNECT_MS_MAX))
                .tcp_nodelay(true)
                .no_proxy();
            if !authorities.is_empty() {
                builder = builder.tls_certs_only(authorities.clone());
            }
            match &identity {
                None => builder,
                Some(identity) => builder.identity(identity.clone()),
            }
        };
        let silence = Duration::from_millis(SILENCE_MS_MAX);
        Ok(Server {
            base: url,
            token,
            client: client()
                .timeout(Duration::from_millis(REQUEST_MS_MAX))
                .build()
                .map_err(usage)?,
            streaming: client().read_timeout(silence).build().map_err(usage)?,
            received: Arc::default(),
        })
    }

    /// Where it is.
    pub fn address(&self) -> &str {
        self.base.as_str().trim_end_matches('/')
    }

    /// How many bytes of bodies came from it.
    pub(crate) fn received_bytes(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Counts what was read of a body.
    pub(crate) fn received(&self, body: &[u8]) {
        self.received.fetch_add(body.len() as u64, Ordering::Relaxed);
    }

    /// From where this machine speaks to it: a validator does not listen itself.
    pub(crate) async fn spoken_from(&self) -> Option<PeerAddress> {
        let (host, port) = (self.base.host_str()?, self.base.port_or_known_default()?);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let stream = tokio::net::TcpStream::connect((host, port)).await.ok()?;
        stream.local_addr().ok()?.to_string().parse().ok()
    }

    fn url(&self, path: &str) -> String {
        format!("{}{path}", self.address())
    }

    /// Commands, once.
    pub async fn post(&self, path: &str, body: &impl Serialize) -> Answer {
        let request = self.client.post(self.url(path)).bearer_auth(&self.token).json(body);
        match request.send().await {
            Ok(response) => self.answer(response).await,
            Err(fault) => Answer::Busy(sentence(&fault)),
        }
    }

    /// Asks, once.
    pub(crate) async fn get(&self, path: &str) -> Answer {
        match self.client.get(self.url(path)).bearer_auth(&self.token).send().await {
            Ok(response) => self.answer(response).await,
            Err(fault) => Answer::Busy(sentence(&fault)),
        }
    }

    /// Content by its hash, which is what it must have; none when the server does not keep it. Asks
    /// until it is answered.
    pub async fn blob(&self, hash: Hash) -> Result<Option<Vec<u8>>, Failure> {
        loop {
            match self.blob_once(hash).await {
                Ok(found) => return Ok(found),
                Err(Failure::Unreachable(because)) => {
                    tracing::debug!(%hash, because, "asks again");
                    tokio::time::sleep(Duration::from_millis(RETRY_MS)).await;
                }
                Err(failure) => return Err(failure),
            }
        }
    }

    async fn blob_once(&self, hash: Hash) -> Result<Option<Vec<u8>>, Failure> {
        let unreachable = |fault: reqwest::Error| Failure::Unreachable(sentence(&fault));
        let request = self.client.get(self.url(&format!("/api/v1/blobs/{hash}")));
        let response = request.bearer_auth(&self.token).send().await.map_err(unreachable)?;
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return Ok(None),
            status => {
                let because = said(response).await;
                return Err(match is_passing(status) {
                    true => Failure::Unreachable(because),
                    false => Failure::Refused(because),
                });
            }
        }
        let bytes = response.bytes().await.map_err(unreachable)?;
        self.received(&bytes);
        if Hash::of(&bytes) != hash {
            let found = Hash::of(&bytes);
            let sentence = format!("the server gave content with the hash {found} for {hash}");
            return Err(Failure::Refused(sentence));
        }
        Ok(Some(bytes.into()))
    }

    /// The stream of what a validator must follow, after a position of a log.
    pub(crate) async fn follow(
        &self,
        after: u64,
        incarnation: Option<&str>,
    ) -> Result<Response, Failure> {
        let mut path = format!("/api/v1/consensus/stream?after={after}");
        if let Some(incarnation) = incarnation {
            path.push_str("&incarnation=");
            path.push_str(incarnation);
        }
        let request = self.streaming.get(self.url(&path)).bearer_auth(&self.token);
        let response = request.header(header::ACCEPT, "text/event-stream").send().await;
        let response = response.map_err(|fault| Failure::Unreachable(sentence(&fault)))?;
        match response.status() {
            StatusCode::OK => Ok(response),
            status if is_passing(status) => Err(Failure::Unreachable(said(response).await)),
            _ => Err(Failure::Refused(said(response).await)),
        }
    }

    async fn answer(&self, response: Response) -> Answer {
        let status = response.status();
        if status.is_success() {
            return match response.bytes().await {
                Ok(body) => {
                    self.received(&body);
                    let read = serde_json::from_slice(&body);
                    read.map_or_else(|fault| Answer::Busy(fault.to_string()), Answer::Done)
                }
                Err(fault) => Answer::Busy(sentence(&fault)),
            };
        }
        let said = said(response).await;
        match status {
            StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Answer::Forbidden(said),
            // Somebody else was faster each time.
            StatusCode::CONFLICT => Answer::Busy(said),
            status if is_passing(status) => Answer::Busy(said),
            _ => Answer::Refused(said),
        }
    }
}

/// Whether a request may be answered otherwise in a while.
fn is_passing(status: StatusCode) -> bool {
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

/// What a problem says.
async fn said(response: Response) -> String {
    let status = response.status();
    let problem: Value = response.json().await.unwrap_or_default();
    match problem["detail"].as_str() {
        Some(detail) => format!("the server says {status}: {detail}"),
        None => format!("the server says {status}"),
    }
}

/// An error with what caused it: the outermost alone says little.
pub(crate) fn sentence(fault: &reqwest::Error) -> String {
    let mut text = fault.to_string();
    let mut cause = std::error::Error::source(fault);
    while let Some(inner) = cause {
        text = format!("{text}: {inner}");
        cause = inner.source();
    }
    text
}
