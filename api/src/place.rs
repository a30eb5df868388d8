//! A place that one server at a time holds: an advisory lock of the database.
//!
//! Does not know what is done there.

use sqlx::{Connection as _, PgConnection, PgPool};

/// The connection that holds a place: the same as before while it lives, or one that got it.
pub async fn held(pool: &PgPool, place: i64, before: Option<PgConnection>) -> Option<PgConnection> {
    if let Some(mut before) = before
        && before.ping().await.is_ok()
    {
        return Some(before);
    }
    // Detached: a place is held by the connection, for as long as it is open.
    let mut connection = pool.acquire().await.ok()?.detach();
    let taken = sqlx::query_scalar::<_, bool>("select pg_try_advisory_lock($1)")
        .bind(place)
        .fetch_one(&mut connection)
        .await;
    if matches!(taken, Ok(true)) { Some(connection) } else { None }
}
