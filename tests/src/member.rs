//! A validator as a process of its own: `node0 validator run`, started, heard, killed.
//!
//! Does not know what it should say.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
    process::{Child, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{keys::ValidatorKey, node0};

/// How long a process may take to end.
const END_WAIT_MAX: Duration = Duration::from_secs(20);

/// Where a validator keeps its key, its token and what it signed last.
#[derive(Clone, Debug)]
pub struct Home {
    folder: PathBuf,
}

/// A running validator. Killed when it is dropped.
#[derive(Debug)]
pub struct Member {
    child: Child,
    home: Home,
}

impl Home {
    /// Of a key, which is shown to servers with this token.
    ///
    /// # Panics
    /// When the folder takes no file.
    pub fn made(folder: &Path, key: &ValidatorKey, token: &str) -> Home {
        fs::create_dir_all(folder).expect("the temporary folder takes a folder");
        let document = json!({
            "address": key.address(),
            "pub_key": { "type": "tendermint/PubKeyEd25519", "value": key.public() },
            "priv_key": {
                "type": "tendermint/PrivKeyEd25519",
                "value": STANDARD.encode(key.signing().to_keypair_bytes()),
            },
        });
        let home = Home { folder: folder.to_owned() };
        fs::write(home.key(), document.to_string()).expect("a file");
        fs::write(home.token(), token).expect("a file");
        home
    }

    /// The file with its key.
    pub fn key(&self) -> PathBuf {
        self.folder.join("key.json")
    }

    /// The file with its token.
    pub fn token(&self) -> PathBuf {
        self.folder.join("token")
    }

    /// The folder that keeps what it signed last.
    pub fn state(&self) -> PathBuf {
        self.folder.join("state")
    }

    /// What it was told to do, as arguments.
    pub fn arguments(&self, server: &str) -> Vec<String> {
        let shown = |path: PathBuf| path.to_string_lossy().into_owned();
        let (token, key, state) = (shown(self.token()), shown(self.key()), shown(self.state()));
        let words = [
            "validator",
            "run",
            "--json",
            "--server",
            server,
            "--token-file",
            &token,
            "--key",
            &key,
            "--state",
            &state,
        ];
        words.map(str::to_owned).to_vec()
    }

    /// Starts it.
    ///
    /// # Panics
    /// When it cannot be run at all.
    pub fn start(&self, server: &str) -> Member {
        let file = |name: &str| {
            let path = self.folder.join(name);
            File::options().create(true).append(true).open(path).expect("a file")
        };
        let mut command = node0::program();
        command.args(self.arguments(server)).stdout(file("out")).stderr(file("err"));
        command.stdin(Stdio::null());
        let child = command.spawn().expect("the program can be run");
        Member { child, home: self.clone() }
    }

    /// What it said in all its lives.
    ///
    /// # Panics
    /// When a line is no object.
    pub fn said(&self) -> Vec<Value> {
        let text = fs::read_to_string(self.folder.join("out")).unwrap_or_default();
        // A life that was killed may have ended in the midst of a line.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        whole.lines().filter_map(|line| serde_json::from_str(line).ok()).collect()
    }

    /// What it complained about.
    pub fn complained(&self) -> String {
        fs::read_to_string(self.folder.join("err")).unwrap_or_default()
    }
}

impl Member {
    /// Where it keeps what is its own.
    pub fn home(&self) -> &Home {
        &self.home
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.child.try_wait().expect("a child can be asked").is_none()
    }

    /// Kills it at once, as `kill -9` does.
    ///
    /// # Panics
    /// When it cannot be killed.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Asks it to stop, and waits until it has.
    pub fn stop(mut self) -> ExitStatus {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has an id above zero"), Signal::TERM).unwrap_or_default();
        self.ended()
    }

    /// Waits until it has ended by itself.
    ///
    /// # Panics
    /// When it does not.
    pub fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + END_WAIT_MAX;
        loop {
            if let Some(status) = self.child.try_wait().expect("a child can be asked") {
                return status;
            }
            assert!(Instant::now() < deadline, "it does not end: {:?}", self.home.said().last());
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.child.kill().unwrap_or_default();
        self.child.wait().map(drop).unwrap_or_default();
    }
}
