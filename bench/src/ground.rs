//! The ground that everything is measured on: one private PostgreSQL with `fsync` and
//! `synchronous_commit` on, reached through its unix socket, and databases made and dropped in it.
//!
//! Does not know what is measured.

use api::{cluster::Cluster, migrations};
use sqlx::{AssertSqlSafe, Connection, PgConnection};
use uuid::Uuid;

use crate::Outcome;

/// A database with today's tables, or an empty one.
pub struct Ground {
    admin: String,
    name: String,
    url: String,
}

impl Ground {
    /// A database with the tables of the program.
    pub async fn migrated(cluster: &Cluster) -> Outcome<Ground> {
        let ground = Ground::empty(cluster).await?;
        let mut connection = PgConnection::connect(&ground.url).await?;
        migrations::run(&mut connection).await?;
        connection.close().await?;
        Ok(ground)
    }

    /// A database without tables.
    pub async fn empty(cluster: &Cluster) -> Outcome<Ground> {
        let name = format!("bench_{}", Uuid::now_v7().simple());
        let admin = cluster.url("postgres");
        let mut connection = PgConnection::connect(&admin).await?;
        let create = format!("create database {name}");
        sqlx::raw_sql(AssertSqlSafe(create)).execute(&mut connection).await?;
        connection.close().await?;
        Ok(Ground { url: cluster.url(&name), admin, name })
    }

    /// Its address.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Drops the database and writes what is still in memory.
    pub async fn clear(self) -> Outcome<()> {
        let mut connection = PgConnection::connect(&self.admin).await?;
        let drop = format!("drop database {} with (force)", self.name);
        sqlx::raw_sql(AssertSqlSafe(drop)).execute(&mut connection).await?;
        connection.close().await?;
        self.settle().await
    }

    /// Writes what is still in memory, so that the next measurement does not pay for this one.
    pub async fn settle(&self) -> Outcome<()> {
        let mut connection = PgConnection::connect(&self.admin).await?;
        sqlx::raw_sql("checkpoint").execute(&mut connection).await?;
        Ok(connection.close().await?)
    }
}
