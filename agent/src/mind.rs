//! A validator at work: it follows the record, keeps its own state, and takes part.
//!
//! Does not know how the rounds are decided, nor what a block must be: it brings together those who
//! do. Whatever it waits for it may give up at any moment; what it signed is kept before.

mod beat;
mod work;

use std::{collections::BTreeMap, path::PathBuf, time::Duration};

use chrono::Utc;
use domain::{
    consensus::{self, HeightStream, Step},
    values::{Height, Moment, PeerAddress, Round},
};
use tokio::{
    sync::{mpsc, watch},
    time::Instant,
};

use crate::{
    Failure, Folder, Key, News, Server,
    chain::Chain,
    feed::{self, Event, Piece},
    outbox::{Outbox, Told},
    rounds::{LastSigned, Rounds, Timer},
    speech::Speech,
    verifier::Verifier,
};
use beat::Beat;

/// What a validator works with.
#[derive(Debug)]
pub struct Options {
    /// Whom it follows.
    pub server: Server,
    /// With what it signs.
    pub key: Key,
    /// Where it keeps what it signed last.
    pub state: PathBuf,
    /// Where others reach its node; None for where it speaks to the server from.
    pub announced: Option<PeerAddress>,
    /// The version of the program, as it tells others.
    pub version: &'static str,
}

/// Works until there is no going on. Dropping it ends it at any moment, without harm.
pub async fn run(options: Options, news: mpsc::UnboundedSender<News>) -> Failure {
    let address = options.key.address();
    let (folder, last_signed) = match Folder::open(&options.state, address) {
        Ok(opened) => opened,
        Err(failure) => return failure,
    };
    let server = options.server;
    let said = News::Starting { address, server: server.address().to_owned() };
    let (next, next_seen) = watch::channel(None);
    let (beats, beat) = watch::channel(Beat::default());
    let (outbox, heard) = Outbox::new(server.clone(), next_seen);
    let mind = Mind {
        alarms: BTreeMap::new(),
        beats,
        build: None,
        chain: Chain::default(),
        heard,
        foreseen: None,
        live: false,
        news,
        next,
        outbox,
        pending: Vec::new(),
        position: 0,
        rounds: Rounds::new(address, last_signed),
        server: server.clone(),
        speech: Speech::new(options.key, folder),
        verifier: Verifier::start(),
    };
    mind.tell(said);
    let pieces = feed::follow(server.clone());
    tokio::select! {
        failure = mind.works(pieces) => failure,
        never = beat::beats(&server, options.announced, (address, options.version), beat) => {
            match never {}
        }
    }
}

/// What is waited for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Alarm {
    /// A time of the rounds.
    Rounds(Timer),
    /// A round may be failed from now on.
    Fail { height: Height, round: Round, step: Step },
    /// A block is made, whatever waits.
    Build,
}

/// A block that is to be made.
#[derive(Clone, Copy, Debug)]
struct Build {
    height: Height,
    round: Round,
    /// From when on even an empty one is.
    empty_from: Instant,
    /// Whether one is on its way to the record.
    under_way: bool,
    tries: u32,
}

struct Mind {
    alarms: BTreeMap<(Instant, Alarm), ()>,
    beats: watch::Sender<Beat>,
    build: Option<Build>,
    chain: Chain,
    heard: mpsc::UnboundedReceiver<Told>,
    /// The round whose block was judged before it was proposed: one for each.
    foreseen: Option<(Height, Round)>,
    /// Whether everything there was is read: before, nothing is said.
    live: bool,
    news: mpsc::UnboundedSender<News>,
    next: watch::Sender<Option<Height>>,
    outbox: Outbox,
    /// What happened at the next height before this validator took part.
    pending: Vec<consensus::Event>,
    /// How far the log is read.
    position: u64,
    rounds: Rounds,
    server: Server,
    speech: Speech,
    verifier: Verifier,
}

fn now() -> Moment {
    Moment::from(Utc::now())
}

impl Mind {
    async fn works(mut self, mut pieces: mpsc::Receiver<Piece>) -> Failure {
        loop {
            let alarm = self.alarms.first_key_value().map(|((when, _), ())| *when);
            let rings = async {
                match alarm {
                    Some(when) => tokio::time::sleep_until(when).await,
                    None => std::future::pending().await,
                }
            };
            let done = tokio::select! {
                    piece = pieces.recv() => match piece {
                    Some(piece) => self.takes(piece).await,
                    None => Err(Failure::refused("The log is not followed any more.")),
                },
                Some(told) = self.heard.recv() => self.hears(told).await,
                () = rings => self.rings().await,
            };
            if let Err(failure) = done.and_then(|()| self.builds()) {
                return failure;
            }
            self.shows();
        }
    }

    fn tell(&self, news: News) {
        // Nobody need listen.
        let _ = self.news.send(news);
    }

    async fn takes(&mut self, piece: Piece) -> Result<(), Failure> {
        match piece {
            Piece::Events(events, position) => {
                for event in events {
                    self.happens(event).await?;
                }
                self.position = position;
                Ok(())
            }
            Piece::CaughtUp(position) => {
                self.position = position;
                self.catches_up().await
            }
            Piece::Away(because) => {
                self.tell(News::Away { because });
                Ok(())
            }
            Piece::Over(failure) => Err(failure),
        }
    }

    async fn happens(&mut self, event: Event) -> Result<(), Failure> {
        match event {
            Event::Account(event) => self.account(&event),
            Event::Recorded(block) => self.recorded(*block).await?,
            Event::Rotated(chain, rotated) if self.chain.is(&chain) => {
                self.chain.rotated(&rotated).map_err(Failure::refused)?;
            }
            Event::Governed(chain, change) if self.chain.is(&chain) => {
                self.chain.governed(*change);
            }
            Event::Height(stream, event) if self.chain.is(&stream.chain) => {
                self.said(&stream, *event).await?;
            }
            Event::Applied(chain, applied) if self.chain.is(&chain) => {
                self.applied(*applied).await?;
            }
            Event::Began(genesis) if self.chain.own().is_none() => self.begins(*genesis).await?,
            Event::Halted(chain, halted) if self.chain.is(&chain) => {
                return Err(Failure::Refused(format!(
                    "The chain is halted: block {} of height {} names the state {}, the record's \
                     is {}.",
                    halted.hash, halted.height, halted.app_hash, halted.state_root
                )));
            }
            // Of other chains.
            Event::Rotated(..)
            | Event::Governed(..)
            | Event::Height(..)
            | Event::Applied(..)
            | Event::Began(_)
            | Event::Halted(..) => {}
        }
        Ok(())
    }

    async fn catches_up(&mut self) -> Result<(), Failure> {
        if self.live {
            self.tell(News::Back { position: self.position });
            return Ok(());
        }
        self.live = true;
        self.follows();
        for event in std::mem::take(&mut self.pending) {
            self.reads(event).await?;
        }
        let last_signed: LastSigned = *self.rounds.last_signed();
        let place = self.chain.id().cloned().zip(self.chain.next_height());
        if let Some((chain, height)) = place
            && let Some(command) = self.speech.last(&last_signed, &chain, height)
        {
            self.outbox.says(&HeightStream { chain, height }, &command);
        }
        Ok(())
    }

    fn follows(&self) {
        if let (Some(chain_id), Some(height)) = (self.chain.id().cloned(), self.chain.next_height())
        {
            let position = self.position;
            self.tell(News::Following { chain_id, height, position });
        }
    }

    async fn rings(&mut self) -> Result<(), Failure> {
        let Some(((_, alarm), ())) = self.alarms.pop_first() else { return Ok(()) };
        match alarm {
            Alarm::Rounds(timer) => self.elapses(timer).await,
            Alarm::Fail { height, round, step } => {
                self.fails(height, round, step);
                Ok(())
            }
            // What is to be made is looked at after everything that happens.
            Alarm::Build => Ok(()),
        }
    }

    fn wakes_after(&mut self, wait: Duration, alarm: Alarm) {
        self.alarms.insert((Instant::now() + wait, alarm), ());
    }

    /// Shows others where it is.
    fn shows(&self) {
        let next = self.chain.next_height();
        self.next.send_if_modified(|seen| std::mem::replace(seen, next) != next);
        let height = self.rounds.height();
        let beat = Beat {
            chain_id: self.chain.id().cloned(),
            height: next,
            mempool: self.chain.waiting(),
            round: height.map_or(Round::FIRST, |started| started.round()),
            step: height.map_or(Step::Propose, |started| started.step()),
        };
        self.beats.send_if_modified(|seen| {
            let is_new = *seen != beat;
            *seen = beat;
            is_new
        });
    }
}
