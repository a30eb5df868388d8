//! What the verifier finds: nothing in a log that is whole, and each thing that was done to one.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

mod log;
mod tampered;
mod whole;
