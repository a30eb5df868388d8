//! A validator's signs of life.
//!
//! Does not matter to anything that is decided: one that does not arrive is not repeated.

use std::{convert::Infallible, time::Duration};

use domain::{
    consensus::Step,
    values::{Address, Height, Round},
};
use serde::Serialize;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{Server, server::Answer};

/// How often a validator says that it lives, in milliseconds.
const BEAT_MS: u64 = 1_000;

/// Where a validator is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Beat {
    /// The height that comes next; none before its chain begins.
    pub height: Option<Height>,
    /// How many transactions wait with it.
    pub mempool: u32,
    /// The round.
    pub round: Round,
    /// The step.
    pub step: Step,
}

impl Default for Beat {
    fn default() -> Beat {
        Beat { height: None, mempool: 0, round: Round::FIRST, step: Step::Propose }
    }
}

#[derive(Serialize)]
struct Heartbeat<'a> {
    height: Height,
    mempool: u32,
    round: Round,
    step: Step,
    version: &'a str,
}

/// Tells the server once a second, for ever.
pub async fn beats(
    server: Server,
    address: Address,
    version: &str,
    beat: watch::Receiver<Beat>,
) -> Infallible {
    let path = format!("/api/v1/validators/{address}/heartbeat");
    let mut ticks = tokio::time::interval(Duration::from_millis(BEAT_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Beat { height, mempool, round, step } = *beat.borrow();
        let Some(height) = height else { continue };
        let body = Heartbeat { height, mempool, round, step, version };
        match server.post(&path, &body).await {
            Answer::Done(_) => {}
            Answer::Refused(because) | Answer::Forbidden(because) | Answer::Busy(because) => {
                tracing::debug!(because, "a heartbeat was not taken");
            }
        }
    }
}
