//! What a validator does when something happens: judge, make, sign, wait.
//!
//! Does not know why: the rounds say what is wanted.

use std::{collections::VecDeque, time::Duration};

use domain::{
    block::{BlockProposed, Body},
    chain::{BlockApplied, GenesisInitialised},
    consensus::{self, Command, HeightStream, Step},
    transaction,
    values::{Hash, Height, Round},
    vote::BlockId,
};
use tokio::time::Instant;

use super::{Alarm, Build, Mind, now};
use crate::{
    Failure, News,
    outbox::Told,
    rounds::{Effect, Message, Timer, ToSign, Words},
};

/// How long an empty block is held back, in milliseconds: whatever comes within it is in the block.
/// Never longer than half of what others wait for a proposal.
const EMPTY_BLOCK_WAIT_MS: u64 = 500;
/// After how many milliseconds it is looked again whether a round that ought to fail has failed.
const FAIL_AGAIN_MS: u64 = 500;
/// How often a block is made for one round, when the record does not take it.
const BUILDS_MAX: u32 = 3;
/// How long is waited before the next of them, in milliseconds.
const BUILD_AGAIN_MS: u64 = 50;

impl Mind {
    pub(super) async fn begins(&mut self, genesis: GenesisInitialised) -> Result<(), Failure> {
        let hash = genesis.genesis_hash;
        let document = self.server.blob(hash).await?;
        let document = document.ok_or_else(|| {
            Failure::Refused(format!("The server does not keep the genesis document {hash}."))
        })?;
        self.chain.begin(genesis, &document).map_err(Failure::refused)?;
        if self.live {
            self.follows();
        }
        Ok(())
    }

    /// Something happened at a height of our chain.
    pub(super) async fn said(
        &mut self,
        stream: &HeightStream,
        event: consensus::Event,
    ) -> Result<(), Failure> {
        self.chain.said(stream, &event, self.live).map_err(Failure::refused)?;
        if self.chain.next_height() != Some(stream.height) {
            return Ok(());
        }
        if self.live {
            return self.reads(event).await;
        }
        self.pending.push(event);
        Ok(())
    }

    /// What waits is verified before a block holds it.
    pub(super) fn account(&mut self, event: &transaction::Event) {
        self.chain.account(event);
        if let transaction::Event::TransactionAccepted(accepted) = event
            && self.live
        {
            self.verifier.looks_at(&accepted.transaction);
        }
    }

    /// The block of whose turn it is will be proposed in a moment: it is judged until then, the
    /// first of a round.
    pub(super) async fn recorded(&mut self, block: BlockProposed) -> Result<(), Failure> {
        let id = block.block_id;
        let turn = self.rounds.height().filter(|started| {
            started.start().height == block.height
                && started.proposer(started.round()) == block.proposer
        });
        let turn = turn.map(|started| (started.start().height, started.round()));
        self.chain.recorded(block);
        if self.live && turn.is_some() && self.foreseen != turn {
            self.foreseen = turn;
            self.fetches_body(id.hash).await?;
            // Only a good verdict is remembered; another is told when it is asked for.
            let _ = self.chain.judge(id);
        }
        Ok(())
    }

    /// A block was applied: it must come to the same here.
    pub(super) async fn applied(&mut self, applied: BlockApplied) -> Result<(), Failure> {
        let BlockApplied { hash, height, state_root, transactions, .. } = applied;
        self.fetches_body(hash).await?;
        self.chain.applied(applied).map_err(Failure::refused)?;
        self.pending.clear();
        if self.live {
            self.tell(News::Final { block: hash, height, state_root, transactions });
        }
        Ok(())
    }

    /// The body of a recorded block, unless it is at hand.
    async fn fetches_body(&mut self, block: Hash) -> Result<(), Failure> {
        let Some(hash) = self.chain.missing_body(block) else { return Ok(()) };
        let Some(bytes) = self.server.blob(hash).await? else { return Ok(()) };
        match Body::from_protobuf(&bytes) {
            Ok(body) => self.chain.body(block, body),
            // It is judged without one: not to be voted for.
            Err(fault) => tracing::warn!(%block, %fault, "a body cannot be read"),
        }
        Ok(())
    }

    /// Shows the rounds an event.
    pub(super) async fn reads(&mut self, event: consensus::Event) -> Result<(), Failure> {
        self.takes_part(Message::Read(event)).await
    }

    pub(super) async fn elapses(&mut self, timer: Timer) -> Result<(), Failure> {
        self.takes_part(Message::Elapsed(timer)).await
    }

    async fn takes_part(&mut self, message: Message) -> Result<(), Failure> {
        let mut messages = VecDeque::from([message]);
        while let Some(message) = messages.pop_front() {
            for effect in self.rounds.takes(&message, now()) {
                messages.extend(self.carries_out(effect).await?);
            }
        }
        Ok(())
    }

    async fn carries_out(&mut self, effect: Effect) -> Result<Option<Message>, Failure> {
        match effect {
            Effect::Judge { block_id, height, round } => {
                let valid = self.judges(block_id, height).await?;
                return Ok(Some(Message::Judged { height, round, valid }));
            }
            Effect::Build { height, round } => self.is_to_build(height, round),
            Effect::Sign(to_sign) => self.signs(&to_sign)?,
            Effect::Wait { millis, timer } => {
                self.wakes_after(Duration::from_millis(millis), Alarm::Rounds(timer));
            }
            Effect::Fail { deadline, round, step } => {
                if let Some(height) = self.chain.next_height() {
                    let left = deadline.micros().saturating_sub(now().micros());
                    let left = Duration::from_micros(u64::try_from(left).unwrap_or(0));
                    self.wakes_after(left, Alarm::Fail { height, round, step });
                    // Should the record wait for something else by then, it is looked at again.
                    let timer = Timer { height, round, step: Step::Precommit };
                    let again = left + Duration::from_millis(FAIL_AGAIN_MS);
                    self.wakes_after(again, Alarm::Rounds(timer));
                }
            }
            Effect::Decided { block_id, height } => {
                tracing::debug!(%height, block = %block_id.hash, "decided");
            }
            Effect::Withheld { said } => {
                let (height, round, step) = (said.height, said.round, said.step);
                self.tell(News::Withheld { height, round, step });
            }
            Effect::Disagrees { sentence } => {
                return Err(Failure::Refused(format!(
                    "The rules and the record do not agree: {sentence}."
                )));
            }
        }
        Ok(None)
    }

    async fn judges(&mut self, id: BlockId, height: Height) -> Result<bool, Failure> {
        self.fetches_body(id.hash).await?;
        match self.chain.judge(id) {
            Ok(()) => Ok(true),
            Err(because) => {
                self.tell(News::Rejected { block: id.hash, height, because });
                Ok(false)
            }
        }
    }

    fn signs(&mut self, to_sign: &ToSign) -> Result<(), Failure> {
        let Some(chain) = self.chain.id().cloned() else { return Ok(()) };
        let command = self.speech.signs(to_sign, &chain)?;
        let stream = HeightStream { chain, height: to_sign.height };
        self.outbox.says(&stream, &command);
        if let Words::Proposal(proposal) = to_sign.words {
            let (block, height) = (proposal.block_id.hash, to_sign.height);
            let transactions = self.chain.transactions_of(block);
            self.tell(News::Proposed { block, height, round: proposal.round, transactions });
        }
        Ok(())
    }

    pub(super) fn fails(&mut self, height: Height, round: Round, step: Step) {
        if self.chain.next_height() != Some(height) {
            return;
        }
        if let Some(chain) = self.chain.id().cloned() {
            let command = Command::TimeoutRound { round, step };
            self.outbox.says(&HeightStream { chain, height }, &command);
        }
    }

    fn is_to_build(&mut self, height: Height, round: Round) {
        let timeout = self.rounds.height().map(|started| started.start().timeouts.propose_ms);
        let patience = timeout.map_or(0, |ms| u64::from(ms) / 2).min(EMPTY_BLOCK_WAIT_MS);
        let patience = Duration::from_millis(patience);
        let empty_from = Instant::now() + patience;
        self.build = Some(Build { height, round, empty_from, under_way: false, tries: 0 });
        self.wakes_after(patience, Alarm::Build);
    }

    /// Makes the block that is wanted, when there is something for it, or it was waited for long
    /// enough.
    pub(super) fn builds(&mut self) -> Result<(), Failure> {
        let Some(build) = self.build.filter(|build| !build.under_way) else { return Ok(()) };
        if self.chain.next_height() != Some(build.height) {
            self.build = None;
            return Ok(());
        }
        if Instant::now() < build.empty_from && !self.chain.has_work() {
            return Ok(());
        }
        let Some(contents) = self.chain.make(self.speech.address(), build.round) else {
            self.build = None;
            return Ok(());
        };
        self.build = Some(Build { under_way: true, tries: build.tries + 1, ..build });
        self.outbox.records(contents, build.round);
        Ok(())
    }

    pub(super) async fn hears(&mut self, told: Told) -> Result<(), Failure> {
        match told {
            Told::Recorded { id, height, round } => {
                self.build = None;
                self.takes_part(Message::Built { block_id: id, height, round }).await
            }
            Told::Unrecorded { height, round, because } => {
                tracing::warn!(%height, %round, because, "a block of one's own was not taken");
                let same = |build: &Build| build.height == height && build.round == round;
                let again = self.build.filter(|build| same(build) && build.tries < BUILDS_MAX);
                let wait = Duration::from_millis(BUILD_AGAIN_MS);
                let empty_from = Instant::now() + wait;
                self.build = again.map(|build| Build { under_way: false, empty_from, ..build });
                self.wakes_after(wait, Alarm::Build);
                Ok(())
            }
            Told::Over(failure) => Err(failure),
        }
    }
}
