//! Cores: who works on which. By `taskset`, and by what Linux says of processes in `/proc`.
//!
//! A thread or a process that is made later works where the one that made it does.

use std::{fs, path::Path, process::Command, thread};

use crate::Outcome;

/// The cores of this machine: the last one, and those before it.
#[derive(Clone, Copy)]
pub struct Cores {
    last: usize,
}

impl Cores {
    /// None where there is but one.
    pub fn find() -> Option<Cores> {
        let count = thread::available_parallelism().ok()?.get();
        (count > 1).then(|| Cores { last: count - 1 })
    }

    /// This process and those it has started, PostgreSQL among them, leave the last core alone.
    pub fn leave_the_last(&self) -> Outcome<()> {
        everybody_on(&format!("0-{}", self.last - 1))
    }

    /// All of them work anywhere.
    pub fn share(&self) -> Outcome<()> {
        everybody_on(&format!("0-{}", self.last))
    }

    /// The thread that asks works on the last core.
    pub fn take_the_last(&self) -> Outcome<()> {
        // "<process>/task/<thread>"
        let thread = fs::read_link("/proc/thread-self")?;
        let thread = thread.file_name().unwrap_or_default().to_string_lossy();
        taskset(&["--cpu-list", "--pid", &self.last.to_string(), &thread])
    }
}

/// This process and those below it.
fn everybody_on(cores: &str) -> Outcome<()> {
    for pid in below(std::process::id())? {
        let placed = taskset(&["--all-tasks", "--cpu-list", "--pid", cores, &pid.to_string()]);
        if Path::new(&format!("/proc/{pid}")).exists() {
            placed?;
        }
    }
    Ok(())
}

fn taskset(arguments: &[&str]) -> Outcome<()> {
    let output = Command::new("taskset").args(arguments).output()?;
    match output.status.success() {
        true => Ok(()),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned().into()),
    }
}

/// A process and all below it.
fn below(pid: u32) -> Outcome<Vec<u32>> {
    let mut found = vec![pid];
    // What ends meanwhile has no children.
    for thread in fs::read_dir(format!("/proc/{pid}/task")).into_iter().flatten() {
        let children = fs::read_to_string(thread?.path().join("children")).unwrap_or_default();
        for child in children.split_whitespace() {
            found.extend(below(child.parse()?)?);
        }
    }
    Ok(found)
}
