//! The roof: HTTP, GraphQL and the roles of the one program `node0`.
//!
//! Decides nothing and stores nothing: it turns requests into commands and reads, and runs the
//! process around them.

pub mod auth;
pub mod cli;
pub mod cluster;
pub mod config;
pub mod database;
pub mod migrations;
pub mod operations;
pub mod problem;
pub mod shutdown;
pub mod telemetry;
