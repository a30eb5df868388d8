//! Read models on a real database: what they hold, how they get there, and what keeps them from it.
//!
//! Does not know where the database comes from: `NODE0_TEST_DATABASE_URL` names the server.

mod database;
#[path = "../../../domain/tests/fixture.rs"]
#[allow(dead_code, reason = "the domain's own tests use the rest")]
mod fixture;
mod history;
mod models;
