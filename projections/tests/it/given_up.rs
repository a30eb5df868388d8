//! A repair whose client is gone half-way: nothing of it stays behind.

use std::time::Duration;

use chrono::{DateTime, Utc};
use projections::{Projections, ProjectionsOptions};
use sqlx::{PgConnection, postgres::PgPoolOptions};
use tokio::time::timeout;

use crate::database::Database;

/// Rebuilds that are given up, each a little later than the one before.
const GIVEN_UP: u64 = 200;

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_that_is_given_up_leaves_no_transaction_open() {
    let database = Database::create().await;
    let pool = PgPoolOptions::new().max_connections(1).connect(&database.url).await.unwrap();
    let options = ProjectionsOptions { run: false, ..ProjectionsOptions::default() };
    let projections = Projections::start(database.store.clone(), pool.clone(), options);
    let mut given_up = 0;
    for number in 0..GIVEN_UP {
        let patience = Duration::from_micros(number * 20);
        given_up += u64::from(timeout(patience, projections.rebuild("validators")).await.is_err());
        // Within a transaction the time stands still.
        let mut connection = pool.acquire().await.unwrap();
        let (one, two) = (now(&mut connection).await, now(&mut connection).await);
        assert!(one < two, "rebuild {number} left a transaction open");
    }
    assert!(given_up > GIVEN_UP / 10, "only {given_up} rebuilds were given up");
    projections.rebuild("validators").await.unwrap();
    projections.stop().await;
    pool.close().await;
    database.drop().await;
}

async fn now(connection: &mut PgConnection) -> DateTime<Utc> {
    sqlx::query_scalar("select now()").fetch_one(connection).await.unwrap()
}
