//! The roof: HTTP, GraphQL and the roles of the one program `node0`.
//!
//! Decides nothing and stores nothing: it turns requests into commands and reads, and runs the
//! process around them.

pub mod accept;
pub mod access_records;
pub mod audit;
pub mod auth;
pub mod beside;
pub mod body;
pub mod bulkheads;
pub mod cli;
pub mod cluster;
pub mod conditions;
pub mod config;
pub mod connections;
pub mod cookies;
pub mod cross_origin;
pub mod database;
pub mod demo;
pub mod deprecation;
pub mod difference;
pub mod door;
pub mod fields;
pub mod graphql;
pub mod heartbeats;
pub mod identity;
pub mod import;
pub mod in_force;
pub mod live;
pub mod mail;
pub mod migrations;
pub mod monitor;
pub mod openapi;
pub mod operations;
pub mod params;
pub mod past;
pub mod peers;
pub mod problem;
pub mod rates;
pub mod read_replica;
pub mod replays;
pub mod resilience;
pub mod rest;
pub mod router;
pub mod rpc;
pub mod seal;
pub mod serve;
pub mod server;
pub mod shutdown;
pub mod sockets;
pub mod submit;
pub mod telemetry;
pub mod tls;
pub mod witness;
