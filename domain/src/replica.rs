//! Our own chain as anybody has it who follows the log: the write wing, and each validator.
//!
//! Does not follow by itself, and agrees on nothing. Everybody who takes in the same events in the
//! log's order comes to the same.

mod mempool;
mod offers;
mod own;
mod succession;

pub use mempool::Mempool;
pub use offers::{offers, sound};
pub use own::{Executed, Head, Own, Unbegun, context_of};
pub use succession::{Set, Succession, named};
