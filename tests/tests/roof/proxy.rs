//! A door between a server and its database that can be shut, and that counts what passes.
//!
//! Knows just enough of PostgreSQL's protocol to count statements.

use std::{
    path::PathBuf,
    str::FromStr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
};

use sqlx::postgres::PgConnectOptions;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt},
    net::{TcpListener, TcpStream, UnixStream},
    sync::watch,
    task::JoinHandle,
};

/// Listens on a loopback port in front of a database.
pub struct Proxy {
    url: String,
    open: watch::Sender<bool>,
    shared: Arc<Shared>,
    task: JoinHandle<()>,
}

struct Shared {
    target: Target,
    open: AtomicBool,
    statements: AtomicU64,
}

enum Target {
    Socket(PathBuf),
    Tcp(String),
}

trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}
impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

impl Proxy {
    /// In front of the database at this address.
    pub async fn before(url: &str) -> Proxy {
        let options = PgConnectOptions::from_str(url).unwrap();
        let (host, port) = (options.get_host(), options.get_port());
        let folder = options.get_socket().cloned();
        let folder = folder.or_else(|| host.starts_with('/').then(|| PathBuf::from(host)));
        let target = match folder {
            Some(folder) => Target::Socket(folder.join(format!(".s.PGSQL.{port}"))),
            None => Target::Tcp(format!("{host}:{port}")),
        };
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (user, database) = (options.get_username(), options.get_database().unwrap());
        let url = format!("postgres://{user}@{address}/{database}?sslmode=disable");
        let open = watch::Sender::new(true);
        let shared =
            Arc::new(Shared { target, open: AtomicBool::new(true), statements: AtomicU64::new(0) });
        let task = tokio::spawn(accept(listener, shared.clone(), open.subscribe()));
        Proxy { url, open, shared, task }
    }

    /// The address of the door.
    pub fn url(&self) -> String {
        self.url.clone()
    }

    /// Cuts every connection, and answers no new one.
    pub fn shut(&self) {
        self.shared.open.store(false, Ordering::SeqCst);
        self.open.send_replace(false);
    }

    /// Lets connections through again.
    pub fn reopen(&self) {
        self.shared.open.store(true, Ordering::SeqCst);
        self.open.send_replace(true);
    }

    /// How many statements passed so far.
    pub fn statements(&self) -> u64 {
        self.shared.statements.load(Ordering::SeqCst)
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn accept(listener: TcpListener, shared: Arc<Shared>, open: watch::Receiver<bool>) {
    loop {
        let Ok((client, _)) = listener.accept().await else { continue };
        if shared.open.load(Ordering::SeqCst) {
            client.set_nodelay(true).unwrap();
            tokio::spawn(pass(client, shared.clone(), open.clone()));
        }
    }
}

async fn pass(client: TcpStream, shared: Arc<Shared>, mut open: watch::Receiver<bool>) {
    let server: Box<dyn Wire> = match &shared.target {
        Target::Socket(path) => Box::new(UnixStream::connect(path).await.unwrap()),
        Target::Tcp(address) => Box::new(TcpStream::connect(address).await.unwrap()),
    };
    let (from_client, mut to_client) = client.into_split();
    let (mut from_server, to_server) = tokio::io::split(server);
    tokio::select! {
        _ = forth(from_client, to_server, &shared) => {}
        _ = tokio::io::copy(&mut from_server, &mut to_client) => {}
        _ = open.wait_for(|open| !*open) => {}
    }
}

/// Passes on what the client says, message by message, and counts executions.
async fn forth(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Unpin,
    shared: &Shared,
) -> std::io::Result<()> {
    let length = from.read_u32().await?;
    let mut message = vec![0; length as usize - 4];
    from.read_exact(&mut message).await?;
    to.write_u32(length).await?;
    to.write_all(&message).await?;
    loop {
        let kind = from.read_u8().await?;
        let length = from.read_u32().await?;
        let mut message = vec![0; length as usize - 4];
        from.read_exact(&mut message).await?;
        // Execute, or a simple query.
        if kind == b'E' || kind == b'Q' {
            shared.statements.fetch_add(1, Ordering::SeqCst);
        }
        let mut whole = Vec::with_capacity(message.len() + 5);
        whole.push(kind);
        whole.extend_from_slice(&length.to_be_bytes());
        whole.extend_from_slice(&message);
        to.write_all(&whole).await?;
        to.flush().await?;
    }
}
