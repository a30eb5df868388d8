//! A chain's head, its epochs and its forks: our own chain from its genesis, or a foreign CometBFT
//! chain whose signed headers are verified and recorded.
//!
//! Does not execute blocks, and does not fetch headers: both are handed in.
//!
//! The story. Each epoch of a chain is a stream of its own, `chain-<id>-<epoch>`, so that no stream
//! grows without end. Our own chain begins with a checked genesis document ([`crate::genesis`]);
//! each final block is then applied with what executing it came to ([`crate::ledger`]), and a final
//! block that names another state than ours halts the chain. A foreign one begins with a header
//! that somebody trusts, the anchor, in the stream of that header's epoch; every later header is
//! verified against the last by the light client's rules. When an epoch's headers are in, its books
//! are closed; the stream of the next opens by carrying the head over. Two different headers for
//! one height are a fork: nothing is recorded until somebody resolves it.

mod apply;
mod block;
mod carried;
mod command;
mod decide;
mod event;
mod fork;
mod govern;
mod native;
mod observe;
mod refusal;
mod state;

pub use block::{BlockApplied, ChainHalted, Executed, Snapshot, StatePruned};
pub use carried::{Carried, CarriedNative, CarriedObserved};
pub use command::{Command, EPOCH_HEADERS_DEFAULT, EPOCH_HEADERS_LIMIT, TRUSTING_PERIOD_S_DEFAULT};
pub use event::{
    EpochClosed, EpochOpened, Event, ForkDetected, ForkResolved, GenesisInitialised,
    HeaderObserved, HeaderRejected, Kind, ObservationStarted, Verification,
};
pub use native::{Native, Roots};
pub use refusal::Refusal;
pub use state::{Chain, Fork, Head, Observed};

use std::{fmt, str::FromStr};

use crate::{
    aggregate::Aggregate,
    parameters::Overrides,
    values::{ChainId, Epoch, Height, Moment, ValueError},
};

/// The most rejected headers one epoch's stream records; further ones are refused and not recorded.
pub const REJECTIONS_MAX: usize = 256;
/// The most snapshots of a chain's state that are kept at a time.
pub const SNAPSHOTS_MAX: usize = 64;
/// The most bytes a header with what must be kept beside it may take in a record, in base64.
pub const HEADER_RECORD_BYTES_MAX: usize = 62_000;

/// One epoch of one chain. `Display` is `<chain>-<epoch>`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChainStream {
    /// The chain.
    pub chain: ChainId,
    /// The epoch, counted from 0.
    pub epoch: Epoch,
}

impl ChainStream {
    /// The stream in which `height` is recorded when each epoch has `epoch_headers` heights.
    pub fn of(chain: ChainId, height: Height, epoch_headers: u32) -> ChainStream {
        ChainStream { chain, epoch: height.epoch(epoch_headers) }
    }
}

impl fmt::Display for ChainStream {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}-{}", self.chain, self.epoch)
    }
}

impl FromStr for ChainStream {
    type Err = ValueError;
    fn from_str(text: &str) -> Result<ChainStream, ValueError> {
        let rule = "a chain's stream is named <chain id>-<epoch>";
        let (chain, epoch) = text.rsplit_once('-').ok_or_else(|| ValueError::new(rule, text))?;
        Ok(ChainStream { chain: chain.parse()?, epoch: epoch.parse()? })
    }
}

/// What a decision must know beyond the stream's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// The stream.
    pub stream: ChainStream,
    /// When it is decided.
    pub now: Moment,
    /// What the setting `protocol.parameters` says.
    pub overrides: Overrides,
    /// What the last epoch of the chain that has begun carries over ([`Chain::carried`]); none when
    /// none has, or while its books are open.
    pub carried: Option<Carried>,
    /// The final block that was executed next, when one was.
    pub executed: Option<Executed>,
    /// A snapshot that was made and kept, when one was.
    pub snapshot: Option<Snapshot>,
}

impl Aggregate for Chain {
    const CATEGORY: &'static str = "chain";
    type Id = ChainStream;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(self, facts)
    }

    fn evolve(&mut self, event: &Event) {
        state::evolve(self, event);
    }
}
