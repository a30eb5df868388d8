//! What a validator's mind promises.
//!
//! Knows no network and no clock: both are made up, and can be told again from a seed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]
#![expect(
    clippy::wildcard_enum_match_arm,
    reason = "a test asks for one variant and fails for others"
)]

mod folder;
mod last_signed;
mod rounds;
mod simulation;
mod world;
