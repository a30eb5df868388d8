//! The embedded private PostgreSQL: a cluster of its own in the data folder, reached by a Unix
//! socket, started when needed, started again when it falls, and stopped at the end.
//!
//! Does not know what is stored in it. One process runs it (the lock in the data folder says
//! which); others may attach to it while it runs.

mod binaries;
mod error;
mod folder;
mod postmaster;

use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use rustix::{
    io::Errno,
    process::{Pid, test_kill_process},
};
use sqlx::{Connection, PgConnection};
use tokio::{
    sync::{oneshot, watch},
    task::JoinHandle,
    time::sleep,
};
use tracing::{error, info, warn};

pub use binaries::{Binaries, MAJOR_MIN};
pub use error::ClusterError;
pub use folder::{DATA_DEFAULT, DATA_OF_ROOT, DataFolder, NEW_CLUSTER_MIB, OsUser};
use folder::{Guest, Lock, PORT};
use postmaster::Postmaster;
pub use postmaster::{DATABASE_USER, remains};

/// The operating system's user that runs PostgreSQL for root.
pub const OS_USER_DEFAULT: &str = "postgres";
/// The database that Node-0 keeps its log in.
pub const DATABASE: &str = "node0";
/// How long one waits for another process that is about to start the cluster.
const ATTACH_WAIT_MAX: Duration = Duration::from_secs(60);
/// How often a waiting loop looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(50);
/// The pause before PostgreSQL is started again after it fell, doubled up to the longest.
const RESTART_PAUSE: Duration = Duration::from_millis(100);
/// The longest pause between attempts to start PostgreSQL again.
const RESTART_PAUSE_MAX: Duration = Duration::from_secs(5);

/// Where the private cluster is and how it is run.
#[derive(Clone, Debug)]
pub struct ClusterOptions {
    /// The data folder; None for the default one.
    pub data: Option<PathBuf>,
    /// The folder of PostgreSQL's programs; None to look for it.
    pub pg_bin: Option<PathBuf>,
    /// Who runs PostgreSQL when this program is root.
    pub os_user: String,
    /// The command that needs it, e.g. `serve`: shown to whoever finds the folder in use.
    pub purpose: String,
}

impl ClusterOptions {
    /// Everything by default, for a command.
    pub fn new(purpose: &str) -> ClusterOptions {
        let os_user = OS_USER_DEFAULT.to_owned();
        ClusterOptions { data: None, pg_bin: None, os_user, purpose: purpose.to_owned() }
    }
}

/// A private cluster that is up: run by this process, or by another one that it is attached to.
#[derive(Debug)]
pub struct Cluster {
    folder: DataFolder,
    role: Role,
}

#[derive(Debug)]
enum Role {
    Runs {
        stop: oneshot::Sender<()>,
        keeper: JoinHandle<()>,
        pid: watch::Receiver<u32>,
        _lock: Lock,
    },
    Attached {
        _guest: Guest,
    },
}

impl Cluster {
    /// Starts the cluster of a data folder, making it when there is none. Fails when another
    /// process runs it.
    pub async fn start(options: &ClusterOptions) -> Result<Cluster, ClusterError> {
        let user = OsUser::find(&options.os_user)?;
        let folder = DataFolder::open(options.data.as_deref(), user)?;
        let lock = Lock::take(&folder, &options.purpose)?;
        Cluster::run(folder, lock, options).await
    }

    /// Attaches to the cluster of a data folder that another process runs; None when nobody does.
    pub fn attach(options: &ClusterOptions) -> Result<Option<Cluster>, ClusterError> {
        let user = OsUser::find(&options.os_user)?;
        let folder = DataFolder::open(options.data.as_deref(), user)?;
        attach(&folder)
    }

    /// Attaches to the cluster of a data folder when another process runs it, else starts it.
    pub async fn start_or_attach(options: &ClusterOptions) -> Result<Cluster, ClusterError> {
        let user = OsUser::find(&options.os_user)?;
        let folder = DataFolder::open(options.data.as_deref(), user)?;
        let deadline = Instant::now() + ATTACH_WAIT_MAX;
        loop {
            let in_use = match Lock::take(&folder, &options.purpose) {
                Ok(lock) => return Cluster::run(folder, lock, options).await,
                Err(in_use @ ClusterError::InUse { .. }) => in_use,
                Err(other) => return Err(other),
            };
            if let Some(attached) = attach(&folder)? {
                return Ok(attached);
            }
            if Instant::now() > deadline {
                return Err(in_use);
            }
            sleep(LOOK_AGAIN).await;
        }
    }

    async fn run(
        folder: DataFolder,
        lock: Lock,
        options: &ClusterOptions,
    ) -> Result<Cluster, ClusterError> {
        remove_mark(&folder)?;
        let found = Binaries::find(options.pg_bin.as_deref())?;
        let binaries = Binaries::for_data(found, &folder.pgdata(), folder.made_by()?)?;
        postmaster::initialise(&folder, &binaries).await?;
        let postmaster = postmaster::start(&folder, &binaries).await?;
        if let Err(fault) = make_database(&folder).await {
            postmaster.stop().await;
            return Err(ClusterError::Connect(fault));
        }
        let mark = folder.ready_mark();
        if let Err(source) = fs::write(&mark, std::process::id().to_string()) {
            postmaster.stop().await;
            return Err(folder.trouble("write", &mark, source));
        }
        info!(folder = %folder.root().display(), %binaries, "the private PostgreSQL is up");
        let (stop, stopped) = oneshot::channel();
        let (tell_pid, pid) = watch::channel(postmaster.pid());
        let keeper = tokio::spawn(keep(folder.clone(), binaries, postmaster, stopped, tell_pid));
        Ok(Cluster { folder, role: Role::Runs { stop, keeper, pid, _lock: lock } })
    }

    /// The address of a database in this cluster, by its socket.
    pub fn url(&self, database: &str) -> String {
        url_of(self.folder.socket(), database)
    }

    /// The folder that holds it.
    pub fn folder(&self) -> &DataFolder {
        &self.folder
    }

    /// The process id of PostgreSQL when this process runs it.
    pub fn pid(&self) -> Option<u32> {
        match &self.role {
            Role::Runs { pid, .. } => Some(*pid.borrow()),
            Role::Attached { .. } => None,
        }
    }

    /// Returns when nobody else is attached any more; at once for one who is attached.
    pub async fn wait_for_guests(&self) -> Result<(), ClusterError> {
        if matches!(self.role, Role::Attached { .. }) {
            return Ok(());
        }
        remove_mark(&self.folder)?;
        while !Guest::none_left(&self.folder)? {
            sleep(LOOK_AGAIN).await;
        }
        Ok(())
    }

    /// Stops PostgreSQL when this process runs it; else only lets go of it.
    pub async fn stop(self) -> Result<(), ClusterError> {
        match self.role {
            Role::Attached { .. } => Ok(()),
            Role::Runs { stop, keeper, .. } => {
                let removed = remove_mark(&self.folder);
                // An error means that the keeper is gone, and the wait says how.
                stop.send(()).unwrap_or_default();
                if let Err(fault) = keeper.await {
                    error!(%fault, "the keeper of the private PostgreSQL failed");
                }
                removed
            }
        }
    }
}

/// Looks after the running PostgreSQL until it is told to stop it: one that fell (killed, a full
/// disk, out of memory) is started again, for as long as it takes.
async fn keep(
    folder: DataFolder,
    binaries: Binaries,
    mut postmaster: Postmaster,
    mut stopped: oneshot::Receiver<()>,
    tell_pid: watch::Sender<u32>,
) {
    loop {
        let outcome = tokio::select! {
            // A dropped sender asks for the same.
            _ = &mut stopped => return postmaster.stop().await,
            outcome = postmaster.ended() => outcome,
        };
        warn!(outcome, "the private PostgreSQL has fallen; starting it again");
        let mut pause = RESTART_PAUSE;
        postmaster = loop {
            match postmaster::start(&folder, &binaries).await {
                Ok(started) => break started,
                Err(fault) => error!(%fault, "the private PostgreSQL cannot be started"),
            }
            tokio::select! {
                _ = &mut stopped => return,
                () = sleep(pause) => pause = RESTART_PAUSE_MAX.min(pause * 2),
            }
        };
        tell_pid.send_replace(postmaster.pid());
        info!("the private PostgreSQL is up again");
    }
}

async fn make_database(folder: &DataFolder) -> Result<(), sqlx::Error> {
    let mut connection = PgConnection::connect(&url_of(folder.socket(), "postgres")).await?;
    let exists: bool =
        sqlx::query_scalar("select exists (select from pg_database where datname = 'node0')")
            .fetch_one(&mut connection)
            .await?;
    if !exists {
        sqlx::raw_sql("create database node0").execute(&mut connection).await?;
    }
    connection.close().await
}

fn attach(folder: &DataFolder) -> Result<Option<Cluster>, ClusterError> {
    let guest = Guest::sign_in(folder)?;
    // Looked at after signing in: whoever stops the cluster takes the mark away first.
    let role = Role::Attached { _guest: guest };
    Ok(is_up(folder).then(|| Cluster { folder: folder.clone(), role }))
}

/// Whether the process that left the mark is still alive: a killed one could not remove it.
fn is_up(folder: &DataFolder) -> bool {
    let pid = fs::read_to_string(folder.ready_mark()).ok().and_then(|text| text.parse().ok());
    pid.and_then(Pid::from_raw).is_some_and(|pid| test_kill_process(pid) != Err(Errno::SRCH))
}

fn remove_mark(folder: &DataFolder) -> Result<(), ClusterError> {
    let mark = folder.ready_mark();
    match fs::remove_file(&mark) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(folder.trouble("remove", &mark, error))
        }
        _ => Ok(()),
    }
}

fn url_of(socket: &Path, database: &str) -> String {
    use std::os::unix::ffi::OsStrExt;
    let host: String = socket
        .as_os_str()
        .as_bytes()
        .iter()
        .map(|byte| match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' => {
                char::from(*byte).to_string()
            }
            other => format!("%{other:02X}"),
        })
        .collect();
    format!("postgres://{DATABASE_USER}@{host}:{PORT}/{database}")
}
