//! The real program as a child process: started, asked, killed.
//!
//! Does not know what it should answer.

use std::{
    ffi::OsStr,
    fs::{self, File},
    io::{BufRead, BufReader},
    net::TcpListener,
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Output, Stdio},
    sync::atomic::{AtomicU32, Ordering},
};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::{app::MASTER_KEY, http::Http};

/// The token that every server of the tests is set up with.
pub const TOKEN: &str = "a-token-for-the-tests-and-nothing-else-0123456789";

/// A free port of this machine.
const ANYWHERE: &str = "127.0.0.1:0";
/// Names another build of the program, for what is measured.
const PROGRAM: &str = "NODE0_TEST_PROGRAM";

/// A place that was free a moment ago: a server takes it, and takes it again whenever it was
/// killed.
///
/// # Panics
/// When there is none.
pub fn free_place() -> String {
    let free = TcpListener::bind(ANYWHERE).expect("a free port");
    free.local_addr().expect("an address").to_string()
}

/// The program with nothing of this process's settings: what it needs is said by the caller.
pub fn program() -> Command {
    program_under(&[])
}

/// The same, run by another one that is given it as the last of these arguments.
pub fn program_under(runner: &[&str]) -> Command {
    let program = binary();
    let mut words = runner.iter().map(OsStr::new).chain([program.as_os_str()]);
    let mut command = Command::new(words.next().expect("there is the program"));
    command.args(words);
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("NODE0_") || text == "DATABASE_URL" {
            command.env_remove(&name);
        }
    }
    // A node0.toml that lies about must not change what is tested.
    command.current_dir(std::env::temp_dir()).stdin(Stdio::null());
    // What is not asked for disturbs no log.
    command.env("NODE0_DEFAULT_RULES", "false").env("NODE0_MONITOR_MS", "0");
    command
}

/// Runs the program to its end.
///
/// # Panics
/// When it cannot be run at all.
pub fn run<I: AsRef<OsStr>>(arguments: impl IntoIterator<Item = I>) -> Output {
    program().args(arguments).output().expect("the program can be run")
}

/// What a run said on standard output, each line an object.
///
/// # Panics
/// When a line is not JSON.
pub fn lines(output: &Output) -> Vec<Value> {
    let text = String::from_utf8_lossy(&output.stdout);
    text.lines().map(|line| serde_json::from_str(line).expect("a line is an object")).collect()
}

/// What a run complained about.
pub fn complaint(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

fn binary() -> PathBuf {
    if let Some(program) = std::env::var_os(PROGRAM) {
        return program.into();
    }
    let here = std::env::current_exe().expect("a process knows its program");
    let folder = here.parent().expect("a program is in a folder");
    let folder = if folder.ends_with("deps") { folder.parent() } else { Some(folder) };
    folder.expect("deps is in a folder").join("node0")
}

/// A running `node0 serve`. Killed when it is dropped.
#[derive(Debug)]
pub struct Node0 {
    child: Child,
    address: String,
    setup_token: Option<String>,
    log: PathBuf,
}

impl Node0 {
    /// Serves on a private database in a data folder of the caller's.
    pub fn on_folder(data: &Path) -> Node0 {
        Node0::serve(program().arg("--data").arg(data))
    }

    /// The same, at an address that is known before.
    pub fn on_folder_at(data: &Path, place: &str) -> Node0 {
        let mut command = program();
        Node0::set_up_at(command.arg("--data").arg(data), place)
    }

    /// Serves on the database of this address.
    pub fn on_database(url: &str) -> Node0 {
        Node0::serve(program().args(["--database-url", url]))
    }

    /// Serves on the database of this address, and at this place: whoever knew a server there finds
    /// this one.
    pub fn on_database_at(url: &str, place: &str) -> Node0 {
        let mut command = program();
        Node0::set_up_at(command.args(["--database-url", url]), place)
    }

    /// Completes a command to a server on a free port with [`TOKEN`] and waits until it answers.
    pub fn serve(command: &mut Command) -> Node0 {
        Node0::set_up_at(command, ANYWHERE)
    }

    /// The same at an address that is known before.
    pub fn set_up_at(command: &mut Command, place: &str) -> Node0 {
        Node0::serve_at(command.env("NODE0_SETUP_TOKEN", TOKEN), place)
    }

    /// The same without a token: the first start makes one.
    ///
    /// # Panics
    /// When it ends instead, with what it said.
    pub fn serve_as_it_is(command: &mut Command) -> Node0 {
        Node0::serve_at(command, ANYWHERE)
    }

    fn serve_at(command: &mut Command, place: &str) -> Node0 {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("node0-serve-{}-{number}.log", std::process::id());
        let log = std::env::temp_dir().join(name);
        let stderr = File::create(&log).expect("the temporary folder takes a file");
        command.args(["serve", "--json", "--listen", place, "--master-key", MASTER_KEY]);
        // Its keys are made in no time.
        command.args(["--token-algorithm", "EdDSA"]);
        command.stdout(Stdio::piped()).stderr(stderr);
        let mut child = command.spawn().expect("the program can be run");
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut line = String::new();
        BufReader::new(stdout).read_line(&mut line).expect("standard output can be read");
        let told: Value = serde_json::from_str(&line).unwrap_or_default();
        let Some(address) = told["address"].as_str().map(str::to_owned) else {
            child.kill().unwrap_or_default();
            let said = fs::read_to_string(&log).unwrap_or_default();
            panic!("the server did not start; it said:\n{said}");
        };
        let setup_token = told["setup_token"].as_str().map(str::to_owned);
        Node0 { child, address, setup_token, log }
    }

    /// A client with the super_admin's token.
    pub fn http(&self) -> Http {
        Http::new(self.address.clone(), TOKEN.to_owned())
    }

    /// Where it serves, as `http://host:port`.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The token that this start made.
    pub fn setup_token(&self) -> Option<&str> {
        self.setup_token.as_deref()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it has said on standard error so far.
    pub fn log(&self) -> String {
        fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        kill_process(pid.expect("a child has an id above zero"), signal).unwrap_or_default();
    }

    /// Kills it at once, as `kill -9` does; its PostgreSQL stays.
    pub fn kill(mut self) {
        self.child.kill().expect("a child can be killed");
        self.child.wait().expect("a killed child ends");
    }

    /// Waits for its end.
    pub fn wait(mut self) -> ExitStatus {
        self.child.wait().expect("a child can be waited for")
    }

    /// Asks it to stop and waits until it has.
    pub fn stop(self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

impl Drop for Node0 {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            self.child.kill().unwrap_or_default();
            self.child.wait().map(drop).unwrap_or_default();
        }
        if std::thread::panicking() {
            eprintln!("{} said:\n{}", self.address, self.log());
        }
        fs::remove_file(&self.log).unwrap_or_default();
    }
}
