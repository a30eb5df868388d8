//! The log as a validator reads it: what it must follow, in order, none left out and none twice,
//! however often the server goes away.
//!
//! Knows the form of events, and does not know what follows from them.

mod frames;

use std::time::Duration;

use domain::{
    aggregate,
    block::{self, BlockProposed},
    chain::{self, BlockApplied, ChainHalted, ChainStream, GenesisInitialised},
    consensus::{self, HeightStream},
    parameters, transaction,
    validator_set::{self, ValidatorSetRotated},
    values::ChainId,
};
use serde::Deserialize;
use serde_json::value::RawValue;
use tokio::sync::mpsc;

use crate::{Failure, Server, server::sentence};
use frames::{Frame, Frames};

/// Pieces that wait to be taken in; then the server is made to wait, too.
const PIECES_WAITING_MAX: usize = 64;
/// How long is waited before a server that is away is looked for again, in milliseconds: at first,
/// and at most.
const AWAY_MS: (u64, u64) = (50, 1_000);
/// How long a server may be away when it was never there, in milliseconds.
const NEVER_THERE_MS_MAX: u64 = 10_000;

/// What happened, as far as a validator must know it.
#[derive(Clone, Debug)]
pub enum Event {
    /// A chain began.
    Began(Box<GenesisInitialised>),
    /// A block was applied.
    Applied(ChainId, Box<BlockApplied>),
    /// A chain is halted.
    Halted(ChainId, Box<ChainHalted>),
    /// Other parameters were scheduled.
    Governed(ChainId, Box<parameters::Change>),
    /// A set was chosen.
    Rotated(ChainId, Box<ValidatorSetRotated>),
    /// Something about what waits.
    Account(Box<transaction::Event>),
    /// A block was recorded.
    Recorded(Box<BlockProposed>),
    /// Something at a height.
    Height(HeightStream, Box<consensus::Event>),
}

/// What comes of following.
#[derive(Debug)]
pub enum Piece {
    /// What happened, in order; up to this position nothing else did.
    Events(Vec<Event>, u64),
    /// Everything that was there when the stream began has been handed over.
    CaughtUp(u64),
    /// The server is away.
    Away(String),
    /// There is no following any more.
    Over(Failure),
}

/// Follows the log from its beginning, for as long as somebody takes the pieces.
pub fn follow(server: Server) -> mpsc::Receiver<Piece> {
    let (given, taken) = mpsc::channel(PIECES_WAITING_MAX);
    tokio::spawn(async move {
        let mut follower = Follower { server, given, position: 0, incarnation: None, behind: None };
        let ended = follower.run().await;
        if let Some(failure) = ended {
            // Nobody left to be told is no fault either.
            let _ = follower.given.send(Piece::Over(failure)).await;
        }
    });
    taken
}

struct Follower {
    server: Server,
    given: mpsc::Sender<Piece>,
    /// Everything up to here was handed over.
    position: u64,
    /// Which log it is; none before it was seen for the first time.
    incarnation: Option<String>,
    /// Where the log ended when the stream began, until that is reached.
    behind: Option<u64>,
}

/// How one stream came to an end.
enum Ended {
    /// It may be taken up again.
    Cut(String),
    /// There is no taking it up.
    Over(Failure),
    /// Nobody listens.
    Unheard,
}

impl Follower {
    async fn run(&mut self) -> Option<Failure> {
        let mut wait_ms = AWAY_MS.0;
        let mut away_ms = 0;
        loop {
            let before = self.position;
            let because = match self.stream().await {
                Ended::Cut(because) => because,
                Ended::Over(failure) => return Some(failure),
                Ended::Unheard => return None,
            };
            if self.position > before {
                (wait_ms, away_ms) = (AWAY_MS.0, 0);
            }
            if self.incarnation.is_none() && away_ms >= NEVER_THERE_MS_MAX {
                let address = self.server.address();
                return Some(Failure::Unreachable(format!(
                    "No server answers at {address}: {because}"
                )));
            }
            // Told once, however often it is looked for.
            if away_ms == 0 && self.given.send(Piece::Away(because)).await.is_err() {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(wait_ms)).await;
            away_ms += wait_ms;
            wait_ms = (wait_ms * 2).min(AWAY_MS.1);
        }
    }

    async fn stream(&mut self) -> Ended {
        let opened = self.server.follow(self.position, self.incarnation.as_deref()).await;
        let mut response = match opened {
            Ok(response) => response,
            Err(Failure::Unreachable(because)) => return Ended::Cut(because),
            Err(failure) => return Ended::Over(failure),
        };
        let mut frames = Frames::default();
        loop {
            match response.chunk().await {
                Ok(Some(chunk)) => {
                    self.server.received(&chunk);
                    frames.push(&chunk);
                }
                Ok(None) => return Ended::Cut("it ended the stream".to_owned()),
                Err(fault) => return Ended::Cut(sentence(&fault)),
            }
            if let Err(ended) = self.hands_over(&mut frames).await {
                return ended;
            }
        }
    }

    /// Hands over every frame that is whole.
    async fn hands_over(&mut self, frames: &mut Frames) -> Result<(), Ended> {
        let mut events = Vec::new();
        let mut ended = None;
        while let Some(frame) = frames.next() {
            match self.reads(&frame) {
                Ok(event) => events.extend(event),
                Err(end) => {
                    ended = Some(end);
                    break;
                }
            }
        }
        if !events.is_empty() {
            self.gives(Piece::Events(events, self.position)).await?;
        }
        if let Some(ended) = ended {
            return Err(ended);
        }
        let position = self.position;
        if self.behind.take_if(|head| *head <= position).is_some() {
            self.gives(Piece::CaughtUp(position)).await?;
        }
        Ok(())
    }

    async fn gives(&self, piece: Piece) -> Result<(), Ended> {
        self.given.send(piece).await.map_err(|_| Ended::Unheard)
    }

    /// What a frame says; moves on to its position.
    fn reads(&mut self, frame: &Frame<'_>) -> Result<Option<Event>, Ended> {
        let event = match frame.event {
            Some("start") => {
                self.begins(frame.data)?;
                return Ok(None);
            }
            Some("end") => {
                let problem: End = serde_json::from_slice(frame.data).unwrap_or_default();
                // Another log, or no token any more: coming back would say the same.
                return Err(Ended::Cut(problem.detail));
            }
            Some(_) => None,
            None if frame.data.is_empty() => None,
            None => event(frame.data).map_err(|why| {
                Ended::Over(Failure::Refused(format!("An event cannot be read: {why}")))
            })?,
        };
        self.position = frame.id.unwrap_or(self.position).max(self.position);
        Ok(event)
    }

    fn begins(&mut self, data: &[u8]) -> Result<(), Ended> {
        let start: Start = serde_json::from_slice(data).map_err(|why| {
            Ended::Over(Failure::Refused(format!("This is no stream to follow: {why}")))
        })?;
        self.incarnation = Some(start.incarnation);
        self.behind = Some(start.head.parse().unwrap_or(self.position));
        Ok(())
    }
}

#[derive(Deserialize)]
struct Start {
    head: String,
    incarnation: String,
}

#[derive(Default, Deserialize)]
struct End {
    #[serde(default)]
    detail: String,
}

/// A record with its place.
#[derive(Deserialize)]
struct Placed<'a> {
    #[serde(borrow)]
    record: Record<'a>,
}

#[derive(Deserialize)]
struct Record<'a> {
    #[serde(borrow)]
    data: &'a RawValue,
    stream: &'a str,
    #[serde(rename = "type")]
    event_type: &'a str,
}

/// The event in a frame's data; none for one that need not be known.
fn event(data: &[u8]) -> Result<Option<Event>, String> {
    let placed: Placed<'_> = serde_json::from_slice(data).map_err(|why| why.to_string())?;
    let Record { data, stream, event_type } = placed.record;
    let (category, id) = stream.split_once('-').unwrap_or((stream, ""));
    let unread = |why: serde_json::Error| format!("{event_type} of {stream}: {why}");
    let unnamed = |why: domain::values::ValueError| format!("{stream}: {why}");
    let data = data.get();
    Ok(match category {
        "account" => {
            Some(Event::Account(Box::new(aggregate::read(event_type, data).map_err(unread)?)))
        }
        "height" => {
            let read = aggregate::read(event_type, data).map_err(unread)?;
            Some(Event::Height(id.parse().map_err(unnamed)?, Box::new(read)))
        }
        "block" => recorded(aggregate::read(event_type, data).map_err(unread)?),
        "validator_set" => {
            let validator_set::Event::ValidatorSetRotated(rotated) =
                aggregate::read(event_type, data).map_err(unread)?;
            Some(Event::Rotated(id.parse().map_err(unnamed)?, rotated.into()))
        }
        "chain" => {
            let stream: ChainStream = id.parse().map_err(unnamed)?;
            of_chain(stream.chain, aggregate::read(event_type, data).map_err(unread)?)
        }
        _ => None,
    })
}

fn recorded(event: block::Event) -> Option<Event> {
    match event {
        block::Event::BlockProposed(proposed) => Some(Event::Recorded(proposed)),
        block::Event::BlockValidated(_)
        | block::Event::BlockRejected(_)
        | block::Event::BlockFinalized(_)
        | block::Event::BlockAbandoned(_) => None,
    }
}

fn of_chain(chain: ChainId, event: chain::Event) -> Option<Event> {
    match event {
        chain::Event::GenesisInitialised(genesis) => Some(Event::Began(genesis)),
        chain::Event::BlockApplied(applied) => Some(Event::Applied(chain, applied)),
        chain::Event::ChainHalted(halted) => Some(Event::Halted(chain, halted)),
        chain::Event::ParametersScheduled(change) => Some(Event::Governed(chain, change)),
        chain::Event::ObservationStarted(_)
        | chain::Event::HeaderObserved(_)
        | chain::Event::HeaderRejected(_)
        | chain::Event::ForkDetected(_)
        | chain::Event::ForkResolved(_)
        | chain::Event::EpochClosed(_)
        | chain::Event::EpochOpened(_)
        | chain::Event::StateSnapshotCreated(_)
        | chain::Event::StatePruned(_) => None,
    }
}
