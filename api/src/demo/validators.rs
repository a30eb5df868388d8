//! The validators as processes: each is `node0 validator run` with a key and a folder of its own.
//!
//! Does not know what they agree on. One that ends is started again, unless it says itself that it
//! must not go on; one can be killed for a while on purpose.

use std::{
    fs::File,
    path::PathBuf,
    process::{ExitStatus, Stdio},
    time::{Duration, Instant},
};

use domain::values::Address;
use rustix::process::{Pid, Signal, kill_process};
use tokio::process::{Child, Command};
use tracing::{info, warn};

use super::network::Member;
use crate::cli::{Failure, validator::keygen::write_secret};

/// How long a validator that ended by itself is left alone, in milliseconds.
const RESTART_MS: u64 = 1_000;
/// How long the validators may take to stop, in milliseconds.
const STOP_MS_MAX: u64 = 5_000;
/// The exit code of a validator that found something wrong.
const FOUND_WRONG: i32 = 1;

/// The validators of a network.
pub struct Validators {
    server: String,
    running: Vec<Running>,
}

struct Running {
    member: Member,
    state: State,
}

enum State {
    Up(Child),
    /// It is started again then.
    Down {
        until: Instant,
        killed: bool,
    },
    /// It said why in its log.
    Ended(ExitStatus),
}

/// How a validator's process is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Condition {
    /// It runs.
    Up,
    /// It was killed on purpose, and comes back.
    Killed,
    /// It ended, and is started again.
    Restarting,
    /// It will not go on: its log says why.
    Ended,
}

impl Condition {
    /// In a word.
    pub const fn as_str(self) -> &'static str {
        match self {
            Condition::Up => "up",
            Condition::Killed => "killed",
            Condition::Restarting => "restarting",
            Condition::Ended => "ended",
        }
    }
}

impl Validators {
    /// Starts them all. Each finds its token in a file of its folder.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn start(
        server: &str,
        members: &[Member],
        token_of: &[String],
    ) -> Result<Validators, Failure> {
        let mut running = Vec::with_capacity(members.len());
        for (member, token) in members.iter().zip(token_of) {
            let file = token_file(member);
            std::fs::remove_file(&file).unwrap_or_default();
            write_secret(&file, token)?;
            let state = State::Up(spawn(server, member)?);
            running.push(Running { member: member.clone(), state });
        }
        Ok(Validators { server: server.to_owned(), running })
    }

    /// Starts again those whose time has come.
    pub fn look_after(&mut self) {
        for one in &mut self.running {
            one.look_after(&self.server);
        }
    }

    /// Kills one without a warning (SIGKILL); it comes back after a while.
    pub async fn kill(&mut self, nth: usize, down: Duration) -> Option<&'static str> {
        let count = self.running.len();
        let one = &mut self.running[nth % count];
        let State::Up(child) = &mut one.state else { return None };
        child.kill().await.map_err(|error| warn!(%error, "cannot kill")).ok()?;
        one.state = State::Down { until: Instant::now() + down, killed: true };
        Some(one.member.name)
    }

    /// How each of them is.
    pub fn conditions(&self) -> impl Iterator<Item = (&'static str, Address, Condition)> {
        self.running.iter().map(|one| {
            let condition = match one.state {
                State::Up(_) => Condition::Up,
                State::Down { killed: true, .. } => Condition::Killed,
                State::Down { killed: false, .. } => Condition::Restarting,
                State::Ended(_) => Condition::Ended,
            };
            (one.member.name, one.member.address, condition)
        })
    }

    /// Those that will not go on, with the file that says why.
    pub fn ended(&self) -> impl Iterator<Item = (&'static str, ExitStatus, PathBuf)> {
        self.running.iter().filter_map(|one| match one.state {
            State::Ended(status) => Some((one.member.name, status, log_file(&one.member))),
            State::Up(_) | State::Down { .. } => None,
        })
    }

    /// Asks them all to stop, and waits for it; who takes too long is killed.
    pub async fn stop(self) {
        let up = |one| match one {
            Running { state: State::Up(child), .. } => Some(child),
            Running { state: State::Down { .. } | State::Ended(_), .. } => None,
        };
        let mut children: Vec<Child> = self.running.into_iter().filter_map(up).collect();
        for child in &children {
            let pid = child.id().and_then(|pid| Pid::from_raw(i32::try_from(pid).ok()?));
            if let Some(pid) = pid {
                // One that is gone already needs not be asked.
                kill_process(pid, Signal::TERM).unwrap_or_default();
            }
        }
        let deadline = tokio::time::Instant::now() + Duration::from_millis(STOP_MS_MAX);
        for child in &mut children {
            if tokio::time::timeout_at(deadline, child.wait()).await.is_err() {
                warn!(pid = child.id(), "a validator does not stop: it is killed");
                child.kill().await.unwrap_or_else(|error| warn!(%error, "cannot kill"));
            }
        }
    }
}

impl Running {
    fn look_after(&mut self, server: &str) {
        let name = self.member.name;
        match &mut self.state {
            State::Up(child) => match child.try_wait() {
                Ok(None) => {}
                Ok(Some(status)) if status.code() == Some(FOUND_WRONG) => {
                    warn!(name, %status, "a validator will not go on");
                    self.state = State::Ended(status);
                }
                Ok(Some(status)) => {
                    warn!(name, %status, "a validator ended");
                    let until = Instant::now() + Duration::from_millis(RESTART_MS);
                    self.state = State::Down { until, killed: false };
                }
                Err(error) => warn!(name, %error, "cannot look after a validator"),
            },
            State::Down { until, .. } if *until <= Instant::now() => {
                match spawn(server, &self.member) {
                    Ok(child) => {
                        info!(name, "a validator is started again");
                        self.state = State::Up(child);
                    }
                    Err(failure) => warn!(name, ?failure, "a validator cannot be started"),
                }
            }
            State::Down { .. } | State::Ended(_) => {}
        }
    }
}

fn token_file(member: &Member) -> PathBuf {
    member.folder.join("token")
}

fn log_file(member: &Member) -> PathBuf {
    member.folder.join("log")
}

fn spawn(server: &str, member: &Member) -> Result<Child, Failure> {
    let log = File::options().create(true).append(true).open(log_file(member));
    let log = log.map_err(Failure::unreachable)?;
    let program = std::env::current_exe().map_err(Failure::unreachable)?;
    let mut command = Command::new(program);
    command.args(["validator", "run", "--server", server, "--json"]);
    command.arg("--token-file").arg(token_file(member));
    command.arg("--key").arg(member.key_file());
    command.arg("--state").arg(member.folder.join("state"));
    command.stdin(Stdio::null()).kill_on_drop(true);
    command.stdout(log.try_clone().map_err(Failure::unreachable)?).stderr(log);
    // A Ctrl-C is for the demonstration alone, which asks them to stop in its own time.
    command.process_group(0);
    command.spawn().map_err(Failure::unreachable)
}
