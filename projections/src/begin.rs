//! The beginning of a transaction, whole or not at all.
//!
//! Does not know what the transaction is for.

use sqlx::{PgPool, Postgres, Transaction};

/// Begins a transaction. A caller that gives up meanwhile (its client is gone, its server stops)
/// leaves none open on a connection that goes back to the pool: the driver rolls back only what it
/// has seen begin, so the beginning runs to its end in a task of its own.
pub(crate) async fn begin(pool: &PgPool) -> Result<Transaction<'static, Postgres>, sqlx::Error> {
    let pool = pool.clone();
    let beginning = tokio::spawn(async move { pool.begin().await });
    beginning.await.map_err(|_| sqlx::Error::WorkerCrashed)?
}
