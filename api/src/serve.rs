//! The server as a process: opens what it needs in order, serves until it is asked to stop, and
//! closes everything in the reverse order.
//!
//! Does not know what is answered: that is the router's.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use clap::Args;
use commands::{Commands, CommandsOptions, Process, Reactions};
use event_store::{EventStore, StoreError, StoreOptions};
use evidence::{Keys, Storage};
use projections::{Projections, ProjectionsOptions};
use serde_json::json;
use sqlx::postgres::PgPoolOptions;
use thiserror::Error;
use tokio::{net::TcpListener, task::JoinHandle};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};
use uuid::Uuid;

use crate::{
    access_records::Recorder,
    audit, bulkheads,
    cli::{Failure, terminal::Terminal},
    config::Config,
    connections::{self, Serving},
    database::{Database, DatabaseError, Use},
    heartbeats::Seen,
    identity::{
        Identities,
        oidc::{self, Oidc},
        vault::{self, Vault, VaultError},
    },
    in_force, live,
    mail::{Mail, MailError},
    monitor::{self, notices},
    rates::{Quotas, Rates},
    read_replica::ReadReplica,
    seal::{self, Witnesses},
    server::{self, AppState, Limits},
    shutdown::Shutdown,
    telemetry::Telemetry,
    tls::{self, TlsError},
};

/// The seconds of a day.
pub(crate) const DAY_S: u64 = 86_400;
/// The file of the master key, in a data folder of our own.
const MASTER_KEY_FILE: &str = "master.key";
/// How long new requests are answered 503 before connections are closed: time for a load balancer
/// to notice, and for requests on their way to arrive.
const DRAIN_NOTICE: Duration = Duration::from_millis(100);

/// How long a query waits for a connection to the database before it is answered 503.
const CONNECTION_WAIT_MAX: Duration = Duration::from_secs(3);
/// Connections of what must pass while queries wait for theirs.
const VITAL_CONNECTIONS_MAX: u32 = 2;

/// How `node0 serve` talks.
#[derive(Debug, Args)]
pub struct Arguments {
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

/// Why the server did not start, or did not end well.
#[derive(Debug, Error)]
pub enum ServeError {
    /// Somebody else listens there, or it is not an address of this machine.
    #[error(
        "Cannot listen on {address}: {source}. Stop what uses it, or choose another address with \
         --listen (NODE0_LISTEN)."
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The database cannot be had.
    #[error(transparent)]
    Database(#[from] DatabaseError),
    /// The log cannot be opened.
    #[error("The event log cannot be opened: {0}")]
    Store(#[from] StoreError),
    /// Nobody could get in.
    #[error("Nobody can be let in: {0}")]
    Setup(String),
    /// Nothing secret could be kept.
    #[error(
        "No master key is set, and there is no data folder of our own to keep one in. Make one \
         with `openssl rand -base64 32`, keep a copy, and set it as NODE0_MASTER_KEY."
    )]
    MasterKey,
    /// Secrets cannot be kept.
    #[error("Secrets cannot be kept: {0}")]
    Vault(#[from] VaultError),
    /// TLS cannot be spoken.
    #[error("TLS cannot be spoken: {0}")]
    Tls(#[from] TlsError),
    /// Nothing could be signed, or published.
    #[error("The log cannot be sealed: {0}. Mend it, or set NODE0_SEAL_INTERVAL_MS=0.")]
    Seal(String),
    /// Letters cannot be sent.
    #[error("Mail cannot be sent: {0}")]
    Mail(#[from] MailError),
    /// The tables for queries do not answer.
    #[error("The database does not answer: {0}")]
    Pool(#[from] sqlx::Error),
    /// The listener broke.
    #[error("Serving ended: {0}")]
    Serving(io::Error),
}

/// A server that answers requests.
pub struct Server {
    address: SocketAddr,
    url: String,
    setup_token: Option<String>,
    draining: CancellationToken,
    closing: CancellationToken,
    /// None when it has ended by itself.
    serving: Option<JoinHandle<io::Result<()>>>,
    parts: Parts,
    drain_max: Duration,
}

/// What must be closed, in this order.
struct Parts {
    surface: server::App,
    reactions: Reactions,
    sealing: Option<Sealing>,
    store: EventStore,
    database: Database,
}

/// The sealer: it goes on while requests under way wait for what they have done to be sealed.
struct Sealing {
    ends: CancellationToken,
    task: JoinHandle<()>,
}

impl Server {
    /// Opens everything and begins to answer. The address is taken first: a second server must not
    /// touch the data before it learns that it is the second.
    pub async fn start(config: &Config) -> Result<Server, ServeError> {
        tls::choose_library();
        let tls = tls(config)?;
        let address = config.listen;
        let listener = TcpListener::bind(address)
            .await
            .map_err(|source| ServeError::Listen { address, source })?;
        let address = listener.local_addr().map_err(ServeError::Serving)?;
        let database = Database::open(config, "serve", Use::Own).await?;
        match Server::open(config, &database).await {
            Ok((state, sealing, setup_token)) => {
                let listener = (listener, tls);
                let told = (sealing, setup_token);
                Ok(Server::answer(config, address, listener, state, database, told))
            }
            Err(error) => {
                // The reason to fail is told; that closing failed too would only hide it.
                database.close(Use::Own).await.unwrap_or_else(|fault| warn!(%fault, "closing"));
                Err(error)
            }
        }
    }

    async fn open(
        config: &Config,
        database: &Database,
    ) -> Result<(AppState, Option<Sealing>, Option<String>), ServeError> {
        let sealed = sealing(config, database)?;
        for applied in database.migrate().await? {
            info!(version = applied.version, name = applied.name, "applied a migration");
        }
        let pooled = PgPoolOptions::new()
            .max_connections(config.read_connections_max)
            .acquire_timeout(Duration::from_millis(config.request_ms_max).min(CONNECTION_WAIT_MAX));
        let tables = pooled.clone().connect(database.url()).await?;
        let options = StoreOptions {
            read_connections_max: config.read_connections_max,
            batch_events_max: config.batch_events_max,
            ..database.log()
        };
        let store = EventStore::open(options).await?;
        let options = ProjectionsOptions::default();
        let vital = PgPoolOptions::new()
            .max_connections(VITAL_CONNECTIONS_MAX)
            .acquire_timeout(CONNECTION_WAIT_MAX)
            .connect_lazy(database.url())?;
        let sightings = Arc::new(Seen(vital.clone()));
        let known = CommandsOptions { sightings, ..CommandsOptions::default() };
        let commands = Commands::new(store.clone(), known);
        let vault = vault(config, database)?;
        let algorithm = config.token_algorithm;
        let mail = mail(config)?;
        let oidc = oidc(config)?;
        let log = commands.clone();
        let identities =
            Identities::open(tables.clone(), log, vault, algorithm, mail, oidc).await?;
        let setup_token = identities.ensure_somebody(config.setup_token.as_deref()).await;
        let setup_token =
            setup_token.map_err(|problem| ServeError::Setup(problem.detail().to_owned()))?;
        let kept = Duration::from_secs(config.access_record_days * DAY_S);
        let draining = CancellationToken::new();
        let (pool, holds) = (tables.clone(), commands.clone());
        let recorder = Arc::new(Recorder::start(pool, kept, holds, draining.clone()));
        let projections = Projections::start(store.clone(), store.pool().clone(), options);
        let replica = match &config.read_database_url {
            Some(url) => {
                let replica = ReadReplica::open(url, pooled, &store, projections.clone()).await?;
                Some(Arc::new(replica))
            }
            None => None,
        };
        let ends = CancellationToken::new();
        let (published, task) =
            sealed.map(|options| seal::start(store.clone(), options, ends.clone())).unzip();
        let sealing = task.map(|task| Sealing { ends, task });
        let state = AppState {
            commands,
            projections,
            store,
            identities,
            pool: replica.as_ref().map_or(&tables, |replica| replica.pool()).clone(),
            tables,
            replica,
            recorder,
            rates: Arc::new(Rates::start(vital.clone(), quotas(config))),
            vital,
            limits: limits(config),
            data_folder: database.cluster().map(|cluster| cluster.folder().root().to_owned()),
            published,
            telemetry: Telemetry::new(),
            draining,
        };
        Ok((state, sealing, setup_token))
    }

    fn answer(
        config: &Config,
        address: SocketAddr,
        (listener, tls): (TcpListener, Option<TlsAcceptor>),
        state: AppState,
        database: Database,
        (sealing, setup_token): (Option<Sealing>, Option<String>),
    ) -> Server {
        let (draining, closing) = (state.draining.clone(), CancellationToken::new());
        let url = url(address, tls.is_some());
        let store = state.store.clone();
        let (router, surface) = server::build(state);
        connections::open_many_files(config.connections_max);
        let serving = Serving {
            router,
            tls,
            connections_max: config.connections_max,
            head: Duration::from_millis(config.head_ms_max),
            stalled: surface.limits.live.stalled(),
            draining: draining.clone(),
            closing: closing.clone(),
        };
        let serving = Some(tokio::spawn(serving.on(listener)));
        surface.replays.start(&surface, &draining);
        tokio::spawn(surface.identities.clone().follow(draining.clone()));
        tokio::spawn(in_force::follow(surface.clone(), quotas(config), draining.clone()));
        if config.monitor_ms > 0 {
            let (every, defines) = (config.monitor_ms, config.default_rules);
            tokio::spawn(monitor::watch(surface.clone(), every, defines, draining.clone()));
            let private = config.private_webhooks;
            tokio::spawn(notices::send(surface.clone(), private, draining.clone()));
        }
        if config.audit_events_per_s > 0 {
            tokio::spawn(audit::audit(surface.clone(), audited(config), draining.clone()));
        }
        let signs_for = Duration::from_secs(config.signing_key_days * DAY_S);
        tokio::spawn(surface.identities.clone().tend_keys(signs_for, draining.clone()));
        let reactions = Reactions::start(&surface.commands, Process::ALL);
        let parts = Parts { surface, reactions, sealing, store, database };
        let drain_max = Duration::from_millis(config.drain_ms_max);
        Server { address, url, setup_token, draining, closing, serving, parts, drain_max }
    }

    /// Where it answers.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The same as `http://host:port` or `https://host:port`.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The token of the set-up link, when nobody can get in yet: known only now.
    pub fn setup_token(&self) -> Option<&str> {
        self.setup_token.as_deref()
    }

    /// Its database.
    pub fn database(&self) -> &Database {
        &self.parts.database
    }

    /// The write wing that requests go through.
    pub fn commands(&self) -> &Commands {
        &self.parts.surface.commands
    }

    /// All that requests go through.
    pub(crate) fn surface(&self) -> &server::App {
        &self.parts.surface
    }

    /// Returns when serving ends without being asked to, and why.
    pub async fn failed(&mut self) -> ServeError {
        let Some(serving) = &mut self.serving else { return std::future::pending().await };
        let ended = serving.await.unwrap_or_else(|panic| Err(io::Error::other(panic)));
        self.serving = None;
        ServeError::Serving(ended.err().unwrap_or_else(|| io::Error::other("no reason was given")))
    }

    /// Takes no new requests, answers those under way, tells who follows that it ends, and closes
    /// everything.
    pub async fn stop(self) -> Result<(), ServeError> {
        self.draining.cancel();
        tokio::time::sleep(DRAIN_NOTICE).await;
        self.closing.cancel();
        let places = &self.parts.surface.places;
        let drained = async {
            if let Some(serving) = self.serving {
                serving.await.map_or_else(|panic| warn!(%panic, "serving"), drop);
            }
            places.emptied().await;
        };
        if tokio::time::timeout(self.drain_max, drained).await.is_err() {
            warn!(ms = self.drain_max.as_millis(), "requests are still under way; cutting them");
        }
        self.parts.reactions.stop().await;
        self.parts.surface.projections.stop().await;
        if let Some(Sealing { ends, task }) = self.parts.sealing {
            ends.cancel();
            task.await.unwrap_or_else(|panic| warn!(%panic, "sealing"));
        }
        self.parts.store.close().await;
        self.parts.surface.pool.close().await;
        self.parts.surface.tables.close().await;
        Ok(self.parts.database.close(Use::Own).await?)
    }
}

/// The vault under the configured master key; else, in a data folder of our own, under the key
/// there. What is sealed under the other configured key opens too.
pub(crate) fn vault(config: &Config, database: &Database) -> Result<Vault, ServeError> {
    let configured = config.master_key.as_deref().and_then(vault::parse);
    let vault = match (configured, database.cluster()) {
        (Some(key), _) => Vault::new(&key),
        (None, Some(cluster)) => Vault::of_file(&cluster.folder().root().join(MASTER_KEY_FILE))?,
        (None, None) => return Err(ServeError::MasterKey),
    };
    let other = config.other_master_key.as_deref().and_then(vault::parse);
    Ok(other.iter().fold(vault, Vault::opening))
}

/// How the log is sealed: where the configuration says, or in a data folder of our own; none where
/// neither is there, or nothing is to be sealed.
fn sealing(config: &Config, database: &Database) -> Result<Option<seal::Options>, ServeError> {
    if config.seal_interval_ms == 0 {
        return Ok(None);
    }
    let fault = |fault: &dyn std::fmt::Display| ServeError::Seal(fault.to_string());
    let folder = database.cluster().map(|cluster| cluster.folder().root());
    let place = database.published();
    let keys = match (&config.seal_key, folder) {
        (Some(text), _) => seal::keys::parse(text, "NODE0_SEAL_KEY"),
        (None, Some(folder)) => seal::keys::of_folder_or_new(folder, || origin(config)),
        (None, None) if place.is_some() => {
            return Err(fault(&"seal_storage is set, and no seal_key: `node0 seal new` makes one"));
        }
        (None, None) => return Ok(None),
    };
    let keys = keys.map_err(|error| fault(&error))?;
    let Some(place) = place else {
        return Err(fault(&"seal_key is set, and no seal_storage"));
    };
    let witnesses = Witnesses::new(config.witnesses.clone(), config.witness_quorum);
    Ok(Some(seal::Options {
        storage: Storage::open(place).map_err(|error| fault(&error))?,
        keys,
        witnesses: witnesses.map_err(|error| fault(&error))?,
        interval_ms: config.seal_interval_ms,
    }))
}

/// What is published of the log, and by what its checkpoints are verified.
pub(crate) fn published(
    config: &Config,
    database: &Database,
) -> Result<(Storage, Keys), ServeError> {
    let fault = |fault: &dyn std::fmt::Display| ServeError::Seal(fault.to_string());
    let folder = database.cluster().map(|cluster| cluster.folder().root());
    let place = database
        .published()
        .ok_or_else(|| fault(&"neither seal_storage nor a data folder is there"))?;
    let keys = match (&config.seal_key, folder) {
        (Some(text), _) => seal::keys::parse(text, "NODE0_SEAL_KEY"),
        (None, Some(folder)) => seal::keys::of_folder(folder),
        (None, None) => return Err(fault(&"seal_storage is set, and no seal_key")),
    };
    let keys = keys.map_err(|error| fault(&error))?;
    let storage = Storage::open(place).map_err(|error| fault(&error))?;
    Ok((storage, keys.iter().map(|key| key.public().clone()).collect()))
}

/// What an audit may cost.
fn audited(config: &Config) -> audit::Options {
    audit::Options {
        events_per_s: config.audit_events_per_s,
        interval: Duration::from_secs(config.audit_interval_s),
        anew: Duration::from_secs(config.audit_anew_s),
    }
}

/// What a log is called whose key is made: as it is reached from outside, else a name nobody has.
fn origin(config: &Config) -> String {
    let reached = config.public_url.as_deref().and_then(|url| url.split_once("://"));
    let reached = reached.map(|(_, host)| format!("{}/log", host.trim_end_matches('/')));
    let own = || format!("node0.invalid/{}", Uuid::now_v7().simple());
    config.seal_origin.clone().or(reached).unwrap_or_else(own)
}

/// What speaks TLS; none when no certificate is configured.
fn tls(config: &Config) -> Result<Option<TlsAcceptor>, TlsError> {
    let pair = config.tls_certificate.as_deref().zip(config.tls_key.as_deref());
    let authorities = config.tls_client_ca.as_deref();
    pair.map(|(certificate, key)| tls::acceptor(certificate, key, authorities)).transpose()
}

fn url(address: SocketAddr, secure: bool) -> String {
    let scheme = if secure { "https" } else { "http" };
    format!("{scheme}://{address}")
}

/// Who signs people in beside ourselves.
fn oidc(config: &Config) -> Result<Option<Oidc>, ServeError> {
    let named = config.oidc_issuer.clone().zip(config.oidc_client_id.clone());
    let oidc = named.map(|(issuer, client_id)| {
        Oidc::new(oidc::Settings {
            issuer,
            client_id,
            client_secret: config.oidc_client_secret.clone(),
            public_url: public_url(config),
        })
    });
    oidc.transpose().map_err(|problem| ServeError::Setup(problem.detail().to_owned()))
}

/// Where we are reached from outside.
fn public_url(config: &Config) -> String {
    let here = || url(config.listen, config.tls_certificate.is_some());
    config.public_url.clone().unwrap_or_else(here)
}

/// Who sends letters, with where we are reached from outside.
fn mail(config: &Config) -> Result<Mail, MailError> {
    let public_url = public_url(config);
    Mail::new(config.smtp_url.as_deref(), config.mail_from.as_deref(), &public_url)
}

fn quotas(config: &Config) -> Quotas {
    Quotas {
        queries: config.rate_queries_max,
        commands: config.rate_commands_max,
        consensus: config.rate_consensus_max,
        sign_ins: config.rate_sign_ins_max,
    }
}

fn limits(config: &Config) -> Limits {
    Limits {
        body_bytes_max: config.body_bytes_max,
        bulkheads: bulkheads::Limits {
            requests: config.requests_in_flight_max,
            queries: config.queries_in_flight_max,
            sign_ins: config.sign_ins_in_flight_max,
        },
        trusted_proxies: config.trusted_proxies.clone(),
        request_ms_max: config.request_ms_max,
        wait_ms_max: config.wait_ms_max,
        live: live::Limits {
            streams_max: config.streams_max,
            heartbeat_ms: config.heartbeat_ms,
            stalled_ms_max: config.stalled_ms_max,
            ..live::Limits::default()
        },
        ..Limits::default()
    }
}

/// `node0 serve`: until SIGTERM or Ctrl-C; a second signal does not wait for requests.
pub(crate) async fn run(config: &Config, arguments: &Arguments) -> Result<(), Failure> {
    let mut shutdown = Shutdown::listen().map_err(Failure::unreachable)?;
    let started = tokio::select! {
        started = Server::start(config) => started,
        signal = shutdown.asked() => {
            info!(signal, "asked to stop while starting");
            return Ok(());
        }
    };
    let mut server = started.map_err(Failure::unreachable)?;
    let told = tell(&server, Terminal::new(arguments.json));
    let failed = tokio::select! {
        error = server.failed() => Some(error),
        signal = shutdown.asked() => {
            info!(signal, "draining");
            None
        }
    };
    let stopped = tokio::select! {
        stopped = server.stop() => stopped,
        _ = shutdown.asked() => Err(ServeError::Serving(io::Error::other("cut short"))),
    };
    if let Some(error) = failed {
        return Err(Failure::unreachable(error));
    }
    stopped.map_err(Failure::unreachable)?;
    info!("stopped");
    told
}

/// Says where it is, and the set-up link's token that is never shown again.
pub(crate) fn tell(server: &Server, terminal: Terminal) -> Result<(), Failure> {
    let address = server.url();
    let token = server.setup_token();
    let data = server.database().cluster().map(|cluster| cluster.folder().root().display());
    let data = data.map(|folder| folder.to_string());
    let object = json!({ "address": address, "data": data, "setup_token": token });
    terminal.say(
        |paint| {
            let mut text = format!("Node-0 serves {}", paint.strong(address));
            if let Some(data) = &data {
                text += &format!("\nIts data is in {data}");
            }
            if let Some(token) = token {
                text += &format!(
                    "\nNobody can sign in yet. The set-up link's token, good once: {}\n  \
                     POST {address}/api/v1/auth/set-up",
                    paint.strong(token)
                );
            }
            text
        },
        &object,
    )
}
