//! A database of a test's own in the run's shared PostgreSQL: copied from a migrated template,
//! dropped at the end.
//!
//! Does not know what the tables are for.

use std::sync::atomic::{AtomicU32, Ordering};

use api::{
    cluster::{Cluster, DATABASE},
    migrations,
};
use sqlx::{AssertSqlSafe, Connection, PgConnection};

/// Names the run's PostgreSQL, without a database. Set by `with-cluster`.
pub const VARIABLE: &str = "NODE0_TEST_CLUSTER";
/// The migrated database that tests copy.
const TEMPLATE: &str = "node0_template";

/// Makes the database that tests copy, and brings the one of the data folder up to date.
pub async fn make_template(cluster: &Cluster) -> Result<(), Box<dyn std::error::Error>> {
    let mut admin = PgConnection::connect(&cluster.url("postgres")).await?;
    sqlx::raw_sql("drop database if exists node0_template").execute(&mut admin).await?;
    sqlx::raw_sql("create database node0_template").execute(&mut admin).await?;
    admin.close().await?;
    for database in [TEMPLATE, DATABASE] {
        let mut connection = PgConnection::connect(&cluster.url(database)).await?;
        migrations::run(&mut connection).await?;
        connection.close().await?;
    }
    Ok(())
}

/// A database of a test's own.
#[derive(Debug)]
pub struct TestDatabase {
    name: String,
}

impl TestDatabase {
    /// Copies the template.
    ///
    /// # Panics
    /// Outside a run of `with-cluster`, and when PostgreSQL refuses.
    pub async fn create() -> TestDatabase {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("test_{}_{number}", std::process::id());
        run(format!("create database {name} template {TEMPLATE}")).await;
        TestDatabase { name }
    }

    /// The address of this database.
    pub fn url(&self) -> String {
        url(&self.name)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl Drop for TestDatabase {
    fn drop(&mut self) {
        let statement = format!("drop database if exists {} with (force)", self.name);
        // The test's runtime may be gone or busy: the last word has a thread of its own.
        let dropped = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
            runtime.expect("a runtime of one thread can be made").block_on(run(statement));
        });
        if dropped.join().is_err() {
            eprintln!("the database {} stays", self.name);
        }
    }
}

/// The address of a database in the run's PostgreSQL.
///
/// # Panics
/// Outside a run of `with-cluster`.
pub fn url(database: &str) -> String {
    let server = std::env::var(VARIABLE).unwrap_or_else(|_| {
        panic!(
            "{VARIABLE} is not set: run the tests with `make test`, or one of them with \
                `cargo run -p tests --bin with-cluster -- cargo nextest run NAME`"
        )
    });
    format!("{server}{database}")
}

async fn run(statement: String) {
    let mut admin = PgConnection::connect(&url("postgres")).await.expect("the cluster answers");
    let done = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut admin).await;
    done.expect("the statement is accepted");
    admin.close().await.expect("the connection ends in order");
}
