//! Makes, starts and stops one PostgreSQL in a data folder, and clears what an earlier run left.
//!
//! Does not know who asked, nor what is stored; holds no lock: the caller does.

use std::{
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process, test_kill_process};
use tokio::{
    process::{Child, Command},
    time::sleep,
};
use tracing::{info, warn};

use super::{
    Binaries, ClusterError,
    folder::{DataFolder, NEW_CLUSTER_MIB, PORT},
};

/// The database superuser of a private cluster.
pub const DATABASE_USER: &str = "node0";
/// How long a start may take; recovery after a crash reads the log again.
const START_WAIT_MAX: Duration = Duration::from_secs(600);
/// How long a fast stop may take before it is made an immediate one.
const STOP_WAIT_MAX: Duration = Duration::from_secs(30);
/// How long processes of an earlier run may take to end after each signal.
const REMAINS_WAIT_MAX: Duration = Duration::from_secs(10);
/// How often a waiting loop looks again.
const LOOK_AGAIN: Duration = Duration::from_millis(20);
/// How often a long start is mentioned.
const MENTION_EVERY: Duration = Duration::from_secs(5);
/// The log is put aside at a start when it has grown beyond this many bytes.
const LOG_BYTES_MAX: u64 = 16 << 20;
/// How much of the log an error shows, in bytes.
const LOG_SHOWN_BYTES: u64 = 2_000;

/// What the log's promises rest on: given on the command line, where nothing overrides it.
const PROMISES: [(&str, &str); 6] = [
    ("fsync", "on"),
    ("synchronous_commit", "on"),
    ("full_page_writes", "on"),
    ("restart_after_crash", "on"),
    ("listen_addresses", ""),
    ("unix_socket_permissions", "0700"),
];

/// Sensible for an append-only load; written to `postgresql.conf`, where an operator may change it.
const TUNING: &str = "
# Node-0: sensible for an append-only load.
shared_buffers = 256MB
max_connections = 200
wal_buffers = 16MB
min_wal_size = 256MB
max_wal_size = 2GB
checkpoint_timeout = 15min
checkpoint_completion_target = 0.9
jit = off
log_line_prefix = '%m [%p] '
";

/// A running PostgreSQL that this process started.
#[derive(Debug)]
pub struct Postmaster {
    child: Child,
    pid: Pid,
    ended: bool,
}

/// Makes a new cluster when there is none yet. Whole or not at all: what a crash left half-made is
/// thrown away and made again.
pub async fn initialise(folder: &DataFolder, binaries: &Binaries) -> Result<(), ClusterError> {
    if folder.made_by()?.is_some() {
        return Ok(());
    }
    let free_mib = folder.free_mib();
    if free_mib < NEW_CLUSTER_MIB {
        let (root, needed_mib) = (folder.root().to_owned(), NEW_CLUSTER_MIB);
        let doing = "making the database";
        return Err(ClusterError::DiskFull { folder: root, doing, free_mib, needed_mib });
    }
    let unfinished = folder.pgdata_new();
    if unfinished.exists() {
        fs::remove_dir_all(&unfinished)
            .map_err(|source| folder.trouble("remove", &unfinished, source))?;
    }
    folder.make_private(&unfinished)?;
    info!(folder = %folder.root().display(), "making a private PostgreSQL");
    let output = as_user(folder, binaries.program("initdb"))
        .args(["--encoding=UTF8", "--locale=C", "--data-checksums"])
        .args(["--auth-local=trust", "--auth-host=reject", "-U", DATABASE_USER, "-D"])
        .arg(&unfinished)
        .output()
        .await
        .map_err(|source| folder.trouble("run", &binaries.program("initdb"), source))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
        let full = folder.full_disk("making the database", &said);
        let root = folder.root().to_owned();
        return Err(full.unwrap_or(ClusterError::Initdb { folder: root, said }));
    }
    let settings = unfinished.join("postgresql.conf");
    let written = fs::read_to_string(&settings)
        .and_then(|text| fs::write(&settings, format!("{text}{TUNING}")));
    written.map_err(|source| folder.trouble("write", &settings, source))?;
    fs::rename(&unfinished, folder.pgdata())
        .map_err(|source| folder.trouble("rename", &unfinished, source))
}

/// Starts PostgreSQL and returns when it accepts connections.
pub async fn start(folder: &DataFolder, binaries: &Binaries) -> Result<Postmaster, ClusterError> {
    clear_remains(folder).await?;
    folder.make_socket_folder()?;
    let (log, written_before) = open_log(folder)?;
    let mut command = as_user(folder, binaries.program("postgres"));
    command.arg("-D").arg(folder.pgdata()).arg("-k").arg(folder.socket());
    command.args(["-p", &PORT.to_string()]);
    for (name, value) in PROMISES {
        command.arg("-c").arg(format!("{name}={value}"));
    }
    // A group of its own: Ctrl-C at the terminal is for us, who stop it when the work is done.
    command.stdout(Stdio::null()).stderr(log).process_group(0);
    let child = command
        .spawn()
        .map_err(|source| folder.trouble("run", &binaries.program("postgres"), source))?;
    let pid = child.id().and_then(|id| Pid::from_raw(id.try_into().ok()?));
    let pid = pid.expect("a process that was just spawned and not awaited has an id above zero");
    let mut postmaster = Postmaster { child, pid, ended: false };
    postmaster.wait_ready(folder, written_before).await?;
    Ok(postmaster)
}

impl Postmaster {
    /// The operating system's number of the process.
    pub fn pid(&self) -> u32 {
        self.pid.as_raw_nonzero().get().unsigned_abs()
    }

    /// Returns when the process has ended, without being asked to.
    pub async fn ended(&mut self) -> String {
        let outcome = describe(self.child.wait().await);
        self.ended = true;
        outcome
    }

    /// Stops it: open transactions are rolled back, everything committed is flushed.
    pub async fn stop(mut self) {
        for (signal, wait_max) in [
            (Signal::INT, STOP_WAIT_MAX),
            (Signal::QUIT, STOP_WAIT_MAX),
            (Signal::KILL, STOP_WAIT_MAX),
        ] {
            // An error means that it is gone already; then the wait returns at once.
            kill_process(self.pid, signal).unwrap_or_default();
            if tokio::time::timeout(wait_max, self.child.wait()).await.is_ok() {
                break;
            }
            warn!(?signal, "the private PostgreSQL does not stop");
        }
        self.ended = true;
    }

    async fn wait_ready(
        &mut self,
        folder: &DataFolder,
        written_before: u64,
    ) -> Result<(), ClusterError> {
        let begun = Instant::now();
        let mut mentioned = begun;
        loop {
            let outcome = match self.child.try_wait() {
                Ok(None) if begun.elapsed() < START_WAIT_MAX => None,
                Ok(None) => Some(format!("not ready after {} s", START_WAIT_MAX.as_secs())),
                Ok(Some(status)) => Some(describe(Ok(status))),
                Err(error) => Some(describe(Err(error))),
            };
            if let Some(outcome) = outcome {
                return Err(start_error(folder, outcome, written_before));
            }
            if is_ready(folder, self.pid()) {
                return Ok(());
            }
            if mentioned.elapsed() >= MENTION_EVERY {
                mentioned = Instant::now();
                info!(seconds = begun.elapsed().as_secs(), "PostgreSQL is starting or recovering");
            }
            sleep(LOOK_AGAIN).await;
        }
    }
}

impl Drop for Postmaster {
    fn drop(&mut self) {
        if !self.ended {
            // The last resort of a program that goes down: it stops by itself from here.
            kill_process(self.pid, Signal::INT).unwrap_or_default();
        }
    }
}

/// The postmaster writes its state as the eighth line of its pid file.
fn is_ready(folder: &DataFolder, pid: u32) -> bool {
    let text = fs::read_to_string(folder.pgdata().join("postmaster.pid")).unwrap_or_default();
    let mut lines = text.lines();
    lines.next().is_some_and(|line| line.trim() == pid.to_string())
        && lines.nth(6).is_some_and(|line| line.trim() == "ready")
}

fn as_user(folder: &DataFolder, program: PathBuf) -> Command {
    let mut command = Command::new(program);
    // The folder we were started in may be closed to that user.
    command.current_dir("/").stdin(Stdio::null()).env("LC_ALL", "C");
    if folder.user.switch {
        command.uid(folder.user.uid).gid(folder.user.gid);
    }
    command
}

fn open_log(folder: &DataFolder) -> Result<(File, u64), ClusterError> {
    let path = folder.log();
    let bytes = fs::metadata(&path).map_or(0, |found| found.len());
    if bytes > LOG_BYTES_MAX {
        fs::rename(&path, path.with_extension("log.old"))
            .map_err(|source| folder.trouble("rename", &path, source))?;
    }
    let file = File::options().create(true).append(true).mode(0o600).open(&path);
    let file = file.map_err(|source| folder.trouble("open", &path, source))?;
    Ok((file, if bytes > LOG_BYTES_MAX { 0 } else { bytes }))
}

fn start_error(folder: &DataFolder, outcome: String, written_before: u64) -> ClusterError {
    let path = folder.log();
    let log = tail(&path, written_before);
    let full = folder.full_disk("starting PostgreSQL", &log);
    full.unwrap_or(ClusterError::Start { outcome, log, path })
}

/// The end of what was written since `from`.
fn tail(path: &Path, from: u64) -> String {
    let read = || {
        let mut file = File::open(path)?;
        let start = from.max(file.metadata()?.len().saturating_sub(LOG_SHOWN_BYTES));
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes)?;
        Ok::<_, io::Error>(String::from_utf8_lossy(&bytes).trim().to_owned())
    };
    read().unwrap_or_else(|error| format!("(its log cannot be read: {error})"))
}

fn describe(outcome: io::Result<ExitStatus>) -> String {
    match outcome {
        Ok(status) => status.to_string(),
        Err(error) => format!("its outcome cannot be learned: {error}"),
    }
}

/// Ends every PostgreSQL process that an earlier run left behind in this data folder: ours was
/// killed before it could stop them. The caller holds the lock, so none of them has a master.
async fn clear_remains(folder: &DataFolder) -> Result<(), ClusterError> {
    let pgdata = folder.pgdata();
    for signal in [Signal::INT, Signal::QUIT, Signal::KILL] {
        let remains = remains(&pgdata);
        if remains.is_empty() {
            return remove_stale_lock_files(folder);
        }
        warn!(pids = ?remains, ?signal, "stopping the PostgreSQL that an earlier run left behind");
        let postmaster = postmaster_pid(&pgdata).filter(|pid| remains.contains(pid));
        // A living postmaster stops its own; without one each process is told.
        let told = postmaster.map_or_else(|| remains.clone(), |pid| vec![pid]);
        for pid in told {
            kill_process(pid, signal).unwrap_or_default();
        }
        let deadline = Instant::now() + REMAINS_WAIT_MAX;
        while Instant::now() < deadline && !self::remains(&pgdata).is_empty() {
            sleep(LOOK_AGAIN).await;
        }
    }
    let left: Vec<_> = remains(&pgdata).iter().map(|pid| pid.to_string()).collect();
    if left.is_empty() {
        return remove_stale_lock_files(folder);
    }
    Err(ClusterError::Remains { folder: pgdata, pids: left.join(", ") })
}

fn postmaster_pid(pgdata: &Path) -> Option<Pid> {
    let text = fs::read_to_string(pgdata.join("postmaster.pid")).ok()?;
    Pid::from_raw(text.lines().next()?.trim().parse().ok()?)
}

/// The PostgreSQL processes that work in a data folder. Known by their working folder, or by their
/// command line where the system does not show that; a process id alone may be somebody else's.
pub fn remains(pgdata: &Path) -> Vec<Pid> {
    if !Path::new("/proc/self").exists() {
        let alive = |pid: &Pid| test_kill_process(*pid).is_ok();
        return postmaster_pid(pgdata).filter(alive).into_iter().collect();
    }
    let ours = |process: &PathBuf| match fs::read_link(process.join("cwd")) {
        Ok(folder) => folder == pgdata,
        Err(_) => {
            let line = fs::read(process.join("cmdline")).unwrap_or_default();
            line.split(|byte| *byte == 0).any(|part| part == pgdata.as_os_str().as_encoded_bytes())
        }
    };
    let found = postgres_processes().into_iter().filter(ours);
    found.filter_map(|path| Pid::from_raw(path.file_name()?.to_str()?.parse().ok()?)).collect()
}

/// Every PostgreSQL process of this machine, whosever it is.
fn postgres_processes() -> Vec<PathBuf> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten().map(|entry| entry.path());
    let named = |path: &PathBuf| {
        fs::read_to_string(path.join("comm")).is_ok_and(|name| name.trim() == "postgres")
    };
    processes.filter(named).collect()
}

/// Removes the lock files of a postmaster that is gone. PostgreSQL does so itself, unless another
/// process of the same user has that number now, or nobody has yet collected the dead one. Left
/// alone where some process cannot be looked at: then PostgreSQL's own interlock must decide.
fn remove_stale_lock_files(folder: &DataFolder) -> Result<(), ClusterError> {
    // PostgreSQL works on data of its own user alone: other users' processes do not matter.
    let owner = folder.user.uid;
    let hidden = |process: &PathBuf| {
        fs::metadata(process).is_ok_and(|found| found.uid() == owner)
            && fs::read_link(process.join("cwd"))
                .is_err_and(|error| error.kind() == io::ErrorKind::PermissionDenied)
    };
    if !Path::new("/proc/self").exists() || postgres_processes().iter().any(hidden) {
        return Ok(());
    }
    let socket_lock = format!(".s.PGSQL.{PORT}.lock");
    for file in [folder.pgdata().join("postmaster.pid"), folder.socket().join(socket_lock)] {
        match fs::remove_file(&file) {
            Ok(()) => info!(file = %file.display(), "removed what a PostgreSQL that is gone left"),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(source) => return Err(folder.trouble("remove", &file, source)),
        }
    }
    Ok(())
}
