//! The beginning of a transaction, whole or not at all.
//!
//! Does not know what the transaction is for.

use sqlx::{PgPool, Postgres, Transaction};

/// Effect and checkpoint are in one transaction: a crash of the database that loses the newest ones
/// loses both, and they are made again from the log, which loses nothing. So no transaction of a
/// read model waits for the disk, and none takes the log's turn there.
const BEGIN: &str = "begin; set local synchronous_commit to off";

/// Begins a transaction. A caller that gives up meanwhile (its client is gone, its server stops)
/// leaves none open on a connection that goes back to the pool: the driver rolls back only what it
/// has seen begin, so the beginning runs to its end in a task of its own.
pub(crate) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    begin_as(pool, BEGIN).await
}

/// The same, by a statement of another kind.
pub(crate) async fn begin_as(
    pool: &PgPool,
    statement: &'static str,
) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin_with(statement).await });
    beginning.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}
