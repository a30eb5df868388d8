//! Read models on a real database: what they hold, how they get there, and what keeps them from it.
//!
//! Does not know where the database comes from: `NODE0_TEST_CLUSTER` names the server.

#![allow(clippy::unwrap_used, reason = "in a test a panic is the answer")]
#![allow(clippy::wildcard_enum_match_arm, reason = "a test names what it is about")]

mod asking;
mod beside;
mod copies;
mod counted;
mod database;
#[path = "../../../domain/tests/fixture.rs"]
#[allow(dead_code, reason = "the domain's own tests use the rest")]
mod fixture;
mod given_up;
mod history;
mod large;
mod models;
mod own_chain;
mod parking;
mod past;
mod running;
mod waiting;
