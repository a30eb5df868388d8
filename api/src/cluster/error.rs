//! Why the private PostgreSQL could not be had: each reason says what to do about it.
//!
//! Does not know how a message is shown, nor which exit code the program ends with.

use std::{io, path::PathBuf};

use thiserror::Error;

use super::binaries::MAJOR_MIN;

/// Why the private PostgreSQL could not be started, attached to or stopped.
#[derive(Debug, Error)]
pub enum ClusterError {
    /// No PostgreSQL of a usable version is installed.
    #[error(
        "PostgreSQL {MAJOR_MIN} or newer was not found ({found}). Install Debian's `postgresql` \
         package, or set PG_BIN to the folder that holds `initdb` and `postgres`, or set \
         DATABASE_URL to use a server of your own."
    )]
    Missing {
        /// What was found where it was looked for.
        found: String,
    },
    /// The data was made by another major version than the installed ones.
    #[error(
        "The data in {data} was made by PostgreSQL {made_by}, but only {found} is installed. \
         Install PostgreSQL {made_by}, or set PG_BIN to the folder of its programs."
    )]
    Version {
        /// The PostgreSQL data folder.
        data: PathBuf,
        /// The major version that made it.
        made_by: u32,
        /// The versions that were found.
        found: String,
    },
    /// PostgreSQL refuses to run as root and there is no other user to run it as.
    #[error(
        "PostgreSQL refuses to run as root, and the operating system has no user `{user}` to run \
         it as. Install Debian's `postgresql` package, which makes it, or name an existing user \
         with --postgres-user (NODE0_POSTGRES_USER)."
    )]
    NoUser {
        /// The user looked for.
        user: String,
    },
    /// The user that runs PostgreSQL cannot reach the data folder.
    #[error(
        "The user `{user}`, who must run PostgreSQL, cannot reach {folder}. Open the folders above \
         it to other users (`chmod o+x`), or choose another place with --data (NODE0_DATA), for \
         example /var/lib/node0."
    )]
    Unreachable {
        /// The user that runs PostgreSQL.
        user: String,
        /// The data folder.
        folder: PathBuf,
    },
    /// The data belongs to somebody else.
    #[error(
        "{folder} belongs to the user with id {owner}, but this program would use it as the user \
         with id {expected}. Run as that user, or as root with --postgres-user, or choose another \
         place with --data (NODE0_DATA)."
    )]
    Owner {
        /// What belongs to somebody else.
        folder: PathBuf,
        /// Whose it is.
        owner: u32,
        /// Whose it should be.
        expected: u32,
    },
    /// Another process uses the data folder.
    #[error(
        "Another node0 ({holder}) is using {folder}. Stop it first, or give this one a folder of \
         its own with --data (NODE0_DATA)."
    )]
    InUse {
        /// The data folder.
        folder: PathBuf,
        /// Who uses it, with the process id.
        holder: String,
    },
    /// There is no room left on the disk.
    #[error(
        "The disk that holds {folder} is full ({free_mib} MiB free): {doing} needs more. Free some \
         space (a new data folder needs {needed_mib} MiB) or choose another place with --data \
         (NODE0_DATA), then start again. Nothing that was acknowledged is lost."
    )]
    DiskFull {
        /// The data folder.
        folder: PathBuf,
        /// What was being done.
        doing: &'static str,
        /// How much is left.
        free_mib: u64,
        /// How much a new cluster needs.
        needed_mib: u64,
    },
    /// PostgreSQL ended before it was ready.
    #[error("PostgreSQL did not start ({outcome}). It said:\n{log}\nThe whole story is in {path}.")]
    Start {
        /// How it ended.
        outcome: String,
        /// The end of its log.
        log: String,
        /// The log file.
        path: PathBuf,
    },
    /// The new data folder could not be initialised.
    #[error("`initdb` could not make a new database in {folder}. It said:\n{said}")]
    Initdb {
        /// The data folder.
        folder: PathBuf,
        /// What it said.
        said: String,
    },
    /// Processes of an earlier run would not end.
    #[error(
        "PostgreSQL processes of an earlier run ({pids}) still use {folder} and did not end. End \
         them, then start again."
    )]
    Remains {
        /// The PostgreSQL data folder.
        folder: PathBuf,
        /// Their process ids.
        pids: String,
    },
    /// Somebody else made the folder in which the socket should be.
    #[error(
        "{folder}, where the database socket should be, exists and is not a folder of the user \
         with id {expected} closed to others. Remove it, or choose a shorter data folder with \
         --data (NODE0_DATA)."
    )]
    SocketFolder {
        /// The socket folder.
        folder: PathBuf,
        /// Whose it should be.
        expected: u32,
    },
    /// The cluster runs but does not answer.
    #[error("The private PostgreSQL runs but cannot be used: {0}")]
    Connect(#[source] sqlx::Error),
    /// This program may not do what it must.
    #[error(
        "This program may not {doing} {path}: permission denied. Run it as the user whom the data \
         folder belongs to, or choose another place with --data (NODE0_DATA)."
    )]
    Permission {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
    },
    /// The operating system refused something.
    #[error("Cannot {doing} {path}: {source}")]
    Io {
        /// What was being done, as a verb.
        doing: &'static str,
        /// To what.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

impl ClusterError {
    /// For `map_err`: names what was being done to which path.
    pub(super) fn io(
        doing: &'static str,
        path: impl Into<PathBuf>,
    ) -> impl FnOnce(io::Error) -> ClusterError {
        let path = path.into();
        move |source| {
            if source.kind() == io::ErrorKind::PermissionDenied {
                ClusterError::Permission { doing, path }
            } else {
                ClusterError::Io { doing, path, source }
            }
        }
    }
}
