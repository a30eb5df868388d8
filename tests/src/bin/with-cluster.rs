//! `with-cluster COMMAND...`: runs a command with a private PostgreSQL that is up for its duration.
//!
//! Does not know what the command is; the tests find the cluster by the environment.

use std::{
    path::{Path, PathBuf},
    process::ExitCode,
};

use api::cluster::{Cluster, ClusterOptions};
use sha2::{Digest, Sha256};
use tests::{database, pristine};
use tokio::process::Command;

#[tokio::main]
async fn main() -> ExitCode {
    let mut words = std::env::args_os().skip(1);
    let Some(program) = words.next() else {
        eprintln!("usage: with-cluster COMMAND...");
        return ExitCode::from(2);
    };
    let mut command = Command::new(program);
    command.args(words);
    // Set by `cargo run` for us, not for the command: a build in it would start anew.
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if ["CARGO_PKG_", "CARGO_MANIFEST_"].iter().any(|prefix| text.starts_with(prefix)) {
            command.env_remove(&name);
        }
    }
    match run(command).await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("with-cluster: {error}");
            ExitCode::from(3)
        }
    }
}

async fn run(mut command: Command) -> Result<u8, Box<dyn std::error::Error>> {
    let folder = run_folder();
    let (live, pristine) = (folder.join("live"), folder.join("pristine"));
    let options =
        ClusterOptions { data: Some(live.clone()), ..ClusterOptions::new("with-cluster") };
    let cluster = Cluster::start(&options).await?;
    database::make_template(&cluster).await?;
    cluster.stop().await?;
    if pristine.exists() {
        std::fs::remove_dir_all(&pristine)?;
    }
    pristine::copy(&live, &pristine)?;
    let cluster = Cluster::start(&options).await?;

    command.env(database::VARIABLE, cluster.url("")).env(pristine::VARIABLE, &pristine);
    let mut child = command.spawn()?;
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            // The command hears Ctrl-C too, and its end is ours.
            _ = tokio::signal::ctrl_c() => {}
        }
    };
    cluster.stop().await?;
    std::fs::remove_dir_all(&folder)?;
    // Ended by a signal: there is no code to pass on.
    Ok(status?.code().and_then(|code| u8::try_from(code).ok()).unwrap_or(1))
}

/// One folder for each copy of the project: a run that was killed is cleared away by the next.
fn run_folder() -> PathBuf {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).to_string_lossy().into_owned();
    let hash = hex::encode(&Sha256::digest(workspace)[..4]);
    std::env::temp_dir().join(format!("node0-test-{hash}"))
}
