//! What we promise, tested from outside: a real PostgreSQL, the real router, the real binary.
//!
//! Holds only the set-up; the stories are in `tests/tests`. Does not know how a promise is kept.

pub mod app;
pub mod bucket;
pub mod campaign;
pub mod database;
pub mod files;
pub mod fixtures;
pub mod headers;
pub mod http;
pub mod keys;
pub mod light_client;
pub mod log;
pub mod member;
pub mod network;
pub mod node0;
pub mod own_cluster;
pub mod pristine;
pub mod prometheus;
pub mod published;
pub mod socket;
pub mod sse;
