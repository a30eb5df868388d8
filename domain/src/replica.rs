//! Our own chain as anybody has it who follows the log: the write wing, and each validator.
//!
//! Does not follow by itself, and agrees on nothing. Everybody who takes in the same events in the
//! log's order comes to the same.

mod mempool;
mod offers;
mod own;
mod succession;

/// What a replica is made of: what must be followed to keep one, and to agree on the next block.
pub const FOLLOWED: &[&str] = &[
    "genesis-initialised.v1",
    "validator-set-rotated.v1",
    "block-applied.v1",
    "parameters-scheduled.v1",
    "chain-halted.v1",
    "transaction-accepted.v1",
    "transaction-evicted.v1",
    "block-proposed.v1",
    "height-started.v1",
    "round-started.v1",
    "proposal-accepted.v1",
    "vote-cast.v1",
    "polka-reached.v1",
    "block-committed.v1",
    "round-failed.v1",
    "equivocation-detected.v1",
    "evidence-accepted.v1",
];

pub use mempool::{Kept, Mempool, Room};
pub use offers::{offers, sound};
pub use own::{Executed, Head, Own, Unbegun, context_of};
pub use succession::{Set, Sets, Succession, named};
