//! A data folder of a test's own, for tests that kill, fill or break what is in it.
//!
//! Does not know what runs in it: that is the test's affair.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use api::cluster::{Binaries, Cluster, ClusterOptions, remains};
use rustix::process::{Signal, kill_process};

use crate::pristine;

/// How long processes may take to end after they were killed.
const KILL_WAIT_MAX: Duration = Duration::from_secs(10);

/// A data folder under the system's temporary folder. When it is dropped, every PostgreSQL in it
/// is killed and it is removed.
#[derive(Debug)]
pub struct OwnCluster {
    folder: PathBuf,
}

impl OwnCluster {
    /// An empty folder: whoever starts there makes a new database.
    pub fn empty() -> OwnCluster {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("node0-own-{}-{number}", std::process::id());
        let folder = std::env::temp_dir().join(name);
        fs::create_dir(&folder).expect("the temporary folder takes a new folder");
        OwnCluster { folder }
    }

    /// A folder with an initialised database, as the run prepared it.
    pub fn initialised() -> OwnCluster {
        let own = OwnCluster::empty();
        if let Some(pristine) = pristine::folder() {
            pristine::copy(&pristine, &own.folder).expect("the prepared data folder is copied");
        }
        own
    }

    /// A folder with a streaming replica of a running cluster, not started yet.
    ///
    /// # Panics
    /// When PostgreSQL's programs cannot make one.
    pub fn replica_of(original: &Cluster) -> OwnCluster {
        let own = OwnCluster::empty();
        let (copy, from) = (own.folder.join("pg"), original.folder());
        let programs = Binaries::find(None).expect("PostgreSQL is installed");
        let mut backup = Command::new(programs[0].program("pg_basebackup"));
        backup.args(["--write-recovery-conf", "--checkpoint=fast", "--wal-method=stream"]);
        backup.arg("--dbname").arg(original.url("postgres")).arg("--pgdata").arg(&copy);
        assert!(backup.status().expect("pg_basebackup runs").success());
        let owner = format!("{}:{}", from.user.uid, from.user.gid);
        let owned = Command::new("chown").arg("-R").arg(owner).arg(&copy).status();
        assert!(owned.expect("chown runs").success());
        own
    }

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The options that start a cluster here.
    pub fn options(&self) -> ClusterOptions {
        ClusterOptions { data: Some(self.folder.clone()), ..ClusterOptions::new("test") }
    }

    /// How many PostgreSQL processes there are in the folder.
    pub fn postgres_processes(&self) -> usize {
        remains(&self.folder.join("pg")).len()
    }

    /// Kills every PostgreSQL process in the folder, as a power cut would; how many there were.
    pub fn kill_postgres(&self) -> usize {
        kill_postgres(&self.folder)
    }
}

fn kill_postgres(folder: &Path) -> usize {
    let pgdata = folder.join("pg");
    let found = remains(&pgdata);
    for pid in &found {
        // One that ended by itself in between is as good as killed.
        kill_process(*pid, Signal::KILL).unwrap_or_default();
    }
    let deadline = Instant::now() + KILL_WAIT_MAX;
    while found.iter().any(|pid| remains(&pgdata).contains(pid)) && Instant::now() < deadline {
        sleep(Duration::from_millis(5));
    }
    found.len()
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.kill_postgres();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}

/// A small file system of its own over a folder, for tests that fill the disk. Unmounted when it is
/// dropped.
#[derive(Debug)]
pub struct SmallDisk<'a>(&'a Path);

impl SmallDisk<'_> {
    /// Mounts it with options such as `size=32m`; None, with a note, where that is not allowed.
    pub fn mount<'a>(folder: &'a Path, options: &str) -> Option<SmallDisk<'a>> {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(folder).stderr(Stdio::null());
        let mounted = mount.status().is_ok_and(|status| status.success());
        if !mounted {
            eprintln!("skipped: this system does not let us mount a small disk");
        }
        mounted.then_some(SmallDisk(folder))
    }
}

impl Drop for SmallDisk<'_> {
    fn drop(&mut self) {
        // Found by its folder, which is gone after this.
        kill_postgres(self.0);
        let unmounted = Command::new("umount").arg("-l").arg(self.0).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            eprintln!("{} stays mounted", self.0.display());
        }
    }
}
