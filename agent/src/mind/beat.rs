//! A validator's signs of life, and its node as it announces it.
//!
//! Does not matter to anything that is decided: one that does not arrive is not repeated.

use std::{
    convert::Infallible,
    time::{Duration, Instant},
};

use domain::{
    consensus::Step,
    values::{Address, ChainId, Height, PeerAddress, Round},
};
use serde::Serialize;
use tokio::{sync::watch, time::MissedTickBehavior};

use crate::{Server, server::Answer};

/// How often a validator says that it lives, in milliseconds.
const BEAT_MS: u64 = 1_000;

/// After how many beats its node announces itself again, for whoever forgot.
const BEATS_ANNOUNCED: u32 = 300;
/// After how many when it was not taken: who is not registered yet may be soon.
const BEATS_UNKNOWN: u32 = 5;

/// Where a validator is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beat {
    /// Its chain; none before that begins.
    pub chain_id: Option<ChainId>,
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
        Beat { chain_id: None, height: None, mempool: 0, round: Round::FIRST, step: Step::Propose }
    }
}

#[derive(Serialize)]
struct Heartbeat<'a> {
    height: Height,
    latency_ms: Option<u32>,
    mempool: u32,
    received_bytes: u64,
    round: Round,
    step: Step,
    version: &'a str,
}

#[derive(Serialize)]
struct Announcement<'a> {
    address: &'a PeerAddress,
    chain_id: ChainId,
    validator: Address,
}

#[derive(Serialize)]
struct Nothing {}

/// Announces its node, and tells the server once a second that it lives, for ever.
pub async fn beats(
    server: &Server,
    mut announced: Option<PeerAddress>,
    (address, version): (Address, &str),
    beat: watch::Receiver<Beat>,
) -> Infallible {
    let path = format!("/api/v1/validators/{address}/heartbeat");
    let (mut beats_left, mut latency_ms) = (0, None);
    let mut ticks = tokio::time::interval(Duration::from_millis(BEAT_MS));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        ticks.tick().await;
        let Beat { chain_id, height, mempool, round, step } = beat.borrow().clone();
        let (Some(height), Some(chain_id)) = (height, chain_id) else { continue };
        if beats_left == 0 {
            let is_known = announce(server, &mut announced, address, chain_id).await;
            beats_left = if is_known { BEATS_ANNOUNCED } else { BEATS_UNKNOWN };
        }
        beats_left -= 1;
        let received_bytes = server.received_bytes();
        let body = Heartbeat { height, latency_ms, mempool, received_bytes, round, step, version };
        let sent = Instant::now();
        let taken = is_taken("a heartbeat", server.post(&path, &body).await);
        latency_ms = taken.then(|| u32::try_from(sent.elapsed().as_millis()).unwrap_or(u32::MAX));
    }
}

/// Announces the node and says that it is connected; whether that was taken.
async fn announce(
    server: &Server,
    announced: &mut Option<PeerAddress>,
    validator: Address,
    chain_id: ChainId,
) -> bool {
    if announced.is_none() {
        *announced = server.spoken_from().await;
    }
    let Some(address) = announced else { return false };
    let peer = format!("/api/v1/peers/{validator}").to_ascii_lowercase();
    let body = Announcement { address, chain_id, validator };
    is_taken("the node", server.post(&format!("{peer}/announce"), &body).await)
        && is_taken("the node", server.post(&format!("{peer}/connect"), &Nothing {}).await)
}

/// Whether what was told was taken.
fn is_taken(what: &'static str, answer: Answer) -> bool {
    match answer {
        Answer::Done(_) => true,
        Answer::Refused(because) | Answer::Forbidden(because) | Answer::Busy(because) => {
            tracing::debug!(because, what, "it was not taken");
            false
        }
    }
}
