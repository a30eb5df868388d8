//! A data folder of a test's own, for tests that kill, fill or break what is in it.
//!
//! Does not know what runs in it: that is the test's affair.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU32, Ordering},
    thread::sleep,
    time::{Duration, Instant},
};

use api::cluster::{ClusterOptions, remains};
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

    /// The data folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The options that start a cluster here.
    pub fn options(&self) -> ClusterOptions {
        ClusterOptions { data: Some(self.folder.clone()), ..ClusterOptions::new("test") }
    }

    /// Kills every PostgreSQL process in the folder, as a power cut would; how many there were.
    pub fn kill_postgres(&self) -> usize {
        let pgdata = self.folder.join("pg");
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
}

impl Drop for OwnCluster {
    fn drop(&mut self) {
        self.kill_postgres();
        if let Err(error) = fs::remove_dir_all(&self.folder) {
            eprintln!("{} stays: {error}", self.folder.display());
        }
    }
}
