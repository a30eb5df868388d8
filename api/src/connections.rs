//! Connections: taken one by one, each served by a task of its own, with bounds on their number, on
//! how long a handshake or a request's head may take, and on how large a head may be.
//!
//! Does not know what is asked on them.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    body::Body,
    extract::{ConnectInfo, Request},
};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit, setrlimit};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_rustls::TlsAcceptor;
use tokio_util::{either::Either, sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use crate::{live::STALLED_GRACE_MS, peers::Peer, sockets::Patient};

/// Connections at once in one process; more wait until one is closed.
pub const CONNECTIONS_MAX: u32 = 16_384;
/// How long a TLS handshake may take, in milliseconds.
const HANDSHAKE_MS_MAX: u64 = 10_000;
/// How long a request's head may take, and how long a connection may be idle, in milliseconds.
pub const HEAD_MS_MAX: u64 = 30_000;
/// How large a request's head may be, in bytes; a larger one is answered 431.
const HEAD_BYTES_MAX: usize = 64 * 1024;
/// Files that are open beside connections: those to databases, and what is read and written.
const FILES_BESIDE: u64 = 256;
/// How long to wait when the operating system gives no more sockets, in milliseconds.
const NO_SOCKET_MS: u64 = 500;

/// How connections are served.
pub struct Serving {
    /// What answers.
    pub router: Router,
    /// What speaks TLS; none for plain HTTP.
    pub tls: Option<TlsAcceptor>,
    /// How many there may be at once.
    pub connections_max: u32,
    /// How long a request's head may take, and how long a connection may be idle.
    pub head: Duration,
    /// For how long a peer may take nothing.
    pub stalled: Duration,
    /// Cancelled when peers must take what they get at once.
    pub draining: CancellationToken,
    /// Cancelled when no more connections are taken, and those there are come to their end.
    pub closing: CancellationToken,
}

/// Lets the process open as many files as the system grants it: shells and service managers begin
/// with 1,024, and each connection is one.
pub fn open_many_files(connections_max: u32) {
    let mut files = getrlimit(Resource::Nofile);
    files.current = files.maximum;
    let raised = setrlimit(Resource::Nofile, files);
    let wanted = u64::from(connections_max) + FILES_BESIDE;
    let granted = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
    if granted < wanted {
        tracing::warn!(
            granted,
            wanted,
            refused = raised.err().map(tracing::field::display),
            "fewer files may be open than there may be connections: raise the limit (ulimit -n, \
             LimitNOFILE), or lower connections_max"
        );
    }
}

impl Serving {
    /// Serves until it is closed, and every connection has ended.
    pub async fn on(self, listener: TcpListener) -> io::Result<()> {
        let this = Arc::new(self);
        let places = Arc::new(Semaphore::new(this.connections_max as usize));
        let connections = TaskTracker::new();
        loop {
            let (place, accepted) = tokio::select! {
                () = this.closing.cancelled() => break,
                taken = take(&listener, &places) => taken,
            };
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) if is_of_one_peer(&error) => continue,
                Err(error) => {
                    tracing::warn!(%error, "no connection can be taken");
                    sleep(Duration::from_millis(NO_SOCKET_MS)).await;
                    continue;
                }
            };
            let this = Arc::clone(&this);
            connections.spawn(async move {
                if let Some(stream) = this.greet(stream).await
                    && let Err(error) = this.talk(stream, address).await
                {
                    tracing::debug!(%error, %address, "a connection ended");
                }
                drop(place);
            });
        }
        drop(listener);
        connections.close();
        connections.wait().await;
        Ok(())
    }

    /// The connection once it is ready to be talked on; none when its peer is not.
    async fn greet(&self, stream: TcpStream) -> Option<Stream> {
        // What is live is late otherwise; a socket that cannot is as good as one that did.
        if let Err(error) = stream.set_nodelay(true) {
            tracing::debug!(%error, "TCP_NODELAY");
        }
        let Some(tls) = &self.tls else { return Some(Either::Left(stream)) };
        let limit = Duration::from_millis(HANDSHAKE_MS_MAX);
        match timeout(limit, tls.accept(stream)).await {
            Ok(Ok(stream)) => Some(Either::Right(Box::new(stream))),
            Ok(Err(error)) => {
                tracing::debug!(%error, "a TLS handshake failed");
                None
            }
            Err(_) => None,
        }
    }

    /// Answers what is asked on a connection; when the server closes, what is under way.
    async fn talk(&self, stream: Stream, address: SocketAddr) -> Result<(), hyper::Error> {
        let stalled = self.stalled + Duration::from_millis(STALLED_GRACE_MS);
        let stream = TokioIo::new(Patient::new(stream, stalled, self.draining.clone()));
        let service = service_fn(|request: Request<Incoming>| {
            let mut request = request.map(Body::new);
            request.extensions_mut().insert(ConnectInfo(Peer(address)));
            self.router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(self.head)
            .max_buf_size(HEAD_BYTES_MAX)
            .serve_connection(stream, service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => return ended,
            () = self.closing.cancelled() => {}
        }
        connection.as_mut().graceful_shutdown();
        connection.await
    }
}

type Stream = Either<TcpStream, Box<tokio_rustls::server::TlsStream<TcpStream>>>;

/// A place, and then a connection for it.
async fn take(
    listener: &TcpListener,
    places: &Arc<Semaphore>,
) -> (Option<tokio::sync::OwnedSemaphorePermit>, io::Result<(TcpStream, SocketAddr)>) {
    // The semaphore is never closed.
    let place = Arc::clone(places).acquire_owned().await.ok();
    (place, listener.accept().await)
}

/// Whether it says nothing about us: the peer went away before it was taken.
fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionRefused
            | io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
    )
}
