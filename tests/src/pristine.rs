//! What a test run prepares once and every test then copies: an initialised data folder.
//!
//! Does not know which tests there are.

use std::{
    io,
    path::{Path, PathBuf},
    process::Command,
};

/// Names the data folder that tests copy. Set by `with-cluster`.
pub const VARIABLE: &str = "NODE0_TEST_PRISTINE";

/// The prepared data folder, when the run has one.
pub fn folder() -> Option<PathBuf> {
    std::env::var_os(VARIABLE).map(PathBuf::from)
}

/// Copies PostgreSQL's data from one data folder to another; owners and permissions stay.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    std::fs::create_dir_all(to)?;
    let status = Command::new("cp").arg("-a").arg(from.join("pg")).arg(to).status()?;
    if status.success() { Ok(()) } else { Err(io::Error::other(format!("cp ended with {status}"))) }
}
