//! What is kept: an append-only log of events on PostgreSQL, in one gapless order.
//!
//! Knows bytes, streams, versions and positions; knows no domain word.
