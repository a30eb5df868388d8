//! The tables: every migration, built into the program and run in order at a start.
//!
//! Does not know what the tables are for; `/migrations` explains itself.

use sqlx::{
    PgConnection,
    migrate::{Migrate, MigrateError, Migrator},
};

/// All migrations.
pub static MIGRATOR: Migrator = sqlx::migrate!("../migrations");

/// A migration that was run now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Applied {
    /// Its number.
    pub version: i64,
    /// Its name.
    pub name: String,
}

/// Runs what has not been run yet; several processes may do so at once. What was run is returned.
pub async fn run(connection: &mut PgConnection) -> Result<Vec<Applied>, MigrateError> {
    let table = &MIGRATOR.table_name;
    connection.ensure_migrations_table(table).await?;
    let before = connection.list_applied_migrations(table).await?;
    // As `run` does it, in a form that tasks may hold.
    MIGRATOR.run_direct(None, &mut *connection, false).await?;
    let is_new = |version: i64| before.iter().all(|one| one.version != version);
    let new = MIGRATOR.iter().filter(|one| is_new(one.version));
    let applied = |one: &sqlx::migrate::Migration| Applied {
        version: one.version,
        name: one.description.to_string(),
    };
    Ok(new.map(applied).collect())
}
