//! A log that grows, what is proved of it, and what the verifier finds: nothing in one that is
//! whole, and each thing that was done to one.

#![allow(clippy::unwrap_used, reason = "a test may end where it stands")]

mod growing;
mod log;
mod proofs;
mod signing;
mod tampered;
mod whole;
