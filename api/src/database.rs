//! The database of this process: the one that is named, or the private one in the data folder.
//!
//! Does not know the tables, except that they must be there.

use std::{str::FromStr, sync::Arc, time::Duration};

use event_store::StoreOptions;
use sqlx::{Connection, PgConnection, migrate::MigrateError, postgres::PgConnectOptions};
use thiserror::Error;
use tokio::time::{Instant, sleep};

use crate::{
    archive::Kept,
    cluster::{Cluster, ClusterError, ClusterOptions, DATABASE},
    config::Config,
    migrations::{self, Applied},
};

/// Where the log is published, in a data folder of our own.
const PUBLISHED_FOLDER: &str = "log";
/// How long a start waits for a database that is still starting, e.g. in another container.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(30);
/// The pause between attempts to connect.
const CONNECT_PAUSE: Duration = Duration::from_millis(250);

/// Why the database cannot be used.
#[derive(Debug, Error)]
pub enum DatabaseError {
    /// The private one cannot be had.
    #[error(transparent)]
    Cluster(#[from] ClusterError),
    /// The one that was named does not answer.
    #[error(
        "The database that DATABASE_URL names does not answer: {0}. Check the address and that the \
         server runs; without DATABASE_URL a private one is used."
    )]
    Connect(#[source] sqlx::Error),
    /// Its tables are of another version of the program, or cannot be made.
    #[error("The tables cannot be brought up to date: {0}")]
    Migrate(#[from] MigrateError),
}

/// Whether the private database must be this process's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// For as long as the process runs: refused while another process runs it.
    Own,
    /// For a moment: attached to when another process runs it.
    Shared,
}

/// A database that answers.
#[derive(Debug)]
pub struct Database {
    url: String,
    cluster: Option<Cluster>,
    published: Option<String>,
}

impl Database {
    /// Opens the database of the configuration for a command.
    pub async fn open(config: &Config, purpose: &str, how: Use) -> Result<Database, DatabaseError> {
        if let Some(url) = &config.database_url {
            wait_until_it_answers(url).await.map_err(DatabaseError::Connect)?;
            let published = config.seal_storage.clone();
            return Ok(Database { url: url.clone(), cluster: None, published });
        }
        let options = ClusterOptions {
            data: config.data.clone(),
            pg_bin: config.pg_bin.clone(),
            os_user: config.postgres_user.clone(),
            purpose: purpose.to_owned(),
        };
        let cluster = match how {
            Use::Own => Cluster::start(&options).await?,
            Use::Shared => Cluster::start_or_attach(&options).await?,
        };
        let ours = || cluster.folder().root().join(PUBLISHED_FOLDER).display().to_string();
        let published = Some(config.seal_storage.clone().unwrap_or_else(ours));
        Ok(Database { url: cluster.url(DATABASE), cluster: Some(cluster), published })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Where its log is published: where the configuration says, or in a data folder of our own.
    pub fn published(&self) -> Option<&str> {
        self.published.as_deref()
    }

    /// How its log is opened: what was moved out of it is read where it is published.
    pub fn log(&self) -> StoreOptions {
        let archive = self.published.clone().map(|place| Arc::new(Kept::at(place)) as _);
        StoreOptions { archive, ..StoreOptions::new(&self.url) }
    }

    /// The private cluster that it is in.
    pub fn cluster(&self) -> Option<&Cluster> {
        self.cluster.as_ref()
    }

    /// Whether another process runs it, and may be at work in it.
    pub fn is_attached(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.pid().is_none())
    }

    /// Brings the tables up to date; what was done is returned.
    pub async fn migrate(&self) -> Result<Vec<Applied>, DatabaseError> {
        let connected = PgConnection::connect(&self.url).await;
        let mut connection = connected.map_err(DatabaseError::Connect)?;
        let applied = migrations::run(&mut connection).await?;
        connection.close().await.map_err(DatabaseError::Connect)?;
        Ok(applied)
    }

    /// Lets go of it; the private cluster is stopped when this process runs it. With `Use::Shared`
    /// semantics, others that are attached to it are waited for first.
    pub async fn close(self, how: Use) -> Result<(), DatabaseError> {
        if let Some(cluster) = self.cluster {
            if how == Use::Shared {
                cluster.wait_for_guests().await?;
            }
            cluster.stop().await?;
        }
        Ok(())
    }
}

async fn wait_until_it_answers(url: &str) -> Result<(), sqlx::Error> {
    let options = PgConnectOptions::from_str(url)?;
    let deadline = Instant::now() + CONNECT_WAIT_MAX;
    loop {
        match PgConnection::connect_with(&options).await {
            Ok(connection) => return connection.close().await,
            Err(error) if is_starting(&error) && Instant::now() < deadline => {
                tracing::info!(%error, "the database does not answer yet");
                sleep(CONNECT_PAUSE).await;
            }
            Err(error) => return Err(error),
        }
    }
}

/// Whether it is worth waiting: nobody listens yet, or the server says that it is starting. A wrong
/// password or a wrong name does not get better.
fn is_starting(error: &sqlx::Error) -> bool {
    if let Some(fault) = error.as_database_error() {
        return fault.code().is_some_and(|code| code == "57P03");
    }
    matches!(error, sqlx::Error::Io(_))
}
