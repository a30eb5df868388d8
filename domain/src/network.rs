//! Who is connected: the nodes of validators and observers, and the network torn apart.
//!
//! Does not know heartbeats: latency, versions and bytes are samples, kept elsewhere for a while.

pub mod partition;
pub mod peer;

use crate::values::{Power, is_quorum};

/// Whether so much connected power is not enough to agree on anything.
pub fn is_quorum_lost(connected: Power, total: Power) -> bool {
    !is_quorum(connected.value(), total.value())
}
