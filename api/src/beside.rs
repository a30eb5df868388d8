//! Databases beside ours, on the same server, with the same tables: where the past is folded
//! without touching what is in use.
//!
//! Does not know what is folded there. Each is named after ours; one that is dropped leaves nothing
//! behind.

use sqlx::{
    AssertSqlSafe, Connection, PgConnection, PgPool,
    migrate::MigrateError,
    postgres::{PgConnectOptions, PgPoolOptions},
};

use crate::{
    migrations,
    problem::{Kind, Problem},
};

/// The longest name that PostgreSQL keeps, in bytes (NAMEDATALEN - 1).
const NAME_BYTES_MAX: usize = 63;
/// PostgreSQL: there is one of this name already.
const DUPLICATE: [&str; 2] = ["42P04", "23505"];
/// PostgreSQL: the user may not.
const NOT_PERMITTED: &str = "42501";

/// Why there is no such database.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant's sentence says what it and its values mean")]
pub enum BesideError {
    #[error(
        "the database's user may not create databases, which the past is folded in: an \
         administrator can allow it (ALTER ROLE {user} CREATEDB)"
    )]
    NotPermitted { user: String },
    #[error("the name {0} is longer than PostgreSQL's {NAME_BYTES_MAX} bytes")]
    Name(String),
    #[error(transparent)]
    Database(#[from] sqlx::Error),
    #[error("its tables cannot be made: {0}")]
    Tables(#[from] MigrateError),
}

impl From<BesideError> for Problem {
    fn from(error: BesideError) -> Problem {
        match error {
            BesideError::NotPermitted { .. } | BesideError::Name(_) => {
                Problem::new(Kind::NotConfigured, error.to_string())
            }
            BesideError::Database(error) => Problem::from(error),
            BesideError::Tables(error) => Problem::internal(error),
        }
    }
}

/// What a database beside ours is called.
fn name_of(ours: &PgConnectOptions, suffix: &str) -> Result<String, BesideError> {
    // Without a name it is the one named like its user.
    let name = format!("{}_{suffix}", ours.get_database().unwrap_or(ours.get_username()));
    if name.len() > NAME_BYTES_MAX { Err(BesideError::Name(name)) } else { Ok(name) }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The database of this name beside ours, with all its tables; it is made when it is not there.
pub async fn open(pool: &PgPool, suffix: &str) -> Result<PgConnectOptions, BesideError> {
    let ours = pool.connect_options();
    let name = name_of(&ours, suffix)?;
    let create = format!("create database {} template template0", quoted(&name));
    match sqlx::raw_sql(AssertSqlSafe(create)).execute(pool).await {
        Ok(_) => {}
        Err(sqlx::Error::Database(error)) => match error.code().as_deref() {
            Some(code) if DUPLICATE.contains(&code) => {}
            Some(NOT_PERMITTED) => {
                let user = ours.get_username().to_owned();
                return Err(BesideError::NotPermitted { user });
            }
            _ => return Err(sqlx::Error::Database(error).into()),
        },
        Err(error) => return Err(error.into()),
    }
    let theirs = existing(pool, suffix)?;
    let mut connection = PgConnection::connect_with(&theirs).await?;
    migrations::run(&mut connection).await?;
    connection.close().await?;
    Ok(theirs)
}

/// How the database of this name beside ours is reached, which is there.
pub fn existing(pool: &PgPool, suffix: &str) -> Result<PgConnectOptions, BesideError> {
    let ours = pool.connect_options();
    Ok((*ours).clone().database(&name_of(&ours, suffix)?))
}

/// Drops it, whoever is connected to it. One that is not there is no fault.
pub async fn drop(pool: &PgPool, suffix: &str) -> Result<(), BesideError> {
    let name = name_of(&pool.connect_options(), suffix)?;
    let drop = format!("drop database if exists {} with (force)", quoted(&name));
    sqlx::raw_sql(AssertSqlSafe(drop)).execute(pool).await?;
    Ok(())
}

/// So many connections to it.
pub fn pool(theirs: PgConnectOptions, connections_max: u32) -> PgPool {
    PgPoolOptions::new().max_connections(connections_max).connect_lazy_with(theirs)
}
