//! The rounds of a height as one validator goes through them, by Tendermint's rules.
//!
//! Does not sign, wait, or build blocks: it says what is to be signed, waited for and built. The
//! same messages in the same order lead to the same answers: a validator that crashed reads the
//! height's stream again.
//!
//! The rules are those of `arc-malachitebft-core-driver`, which decides alone from messages that
//! it does not verify. So it is only shown what the record accepted, in the record's order, and
//! what it wants to say must pass [`LastSigned`]. What it leaves to its user is done here:
//!
//! - It takes any message for good. It sees events of the record alone, and a proposal only once
//!   this validator judged the block.
//! - Two proposers in one round bring it down. The record has one proposal a round, by its
//!   proposer.
//! - Its timeouts name no height, and a round that fails for others fails for it only by a
//!   timeout. A [`Timer`] names the height; the record's next round is entered by timeouts until
//!   it is there.
//! - It keeps votes for any round. The record takes none that is too far ahead.
//! - What it learns before its first round is an error. A height's first event that it is shown is
//!   the start of its first round.
//! - Its votes have no time. It is added here: later than the blocks they follow.
//! - It forgets evidence when it moves to another height. The record keeps it; each height has a
//!   driver of its own.
//! - It proposes as often as it is given a block. Each round is built for once.

mod context;
mod last_signed;
mod message;

pub use last_signed::{LastSigned, Permission, Said};
pub use message::{Effect, Message, Timer, ToSign, Words};

use domain::{
    consensus::{ConsensusHeight, Event, HeightStarted, ProposalAccepted, Started, Step},
    values::{Address, Height, Moment, Round},
    vote::{BlockId, Vote, VoteType},
};
use malachitebft_core_driver::{Driver, Input, Output, Step as DriverStep};
use malachitebft_core_types::{
    NilOrVal, Round as DriverRound, SignedMessage, Timeout, TimeoutKind, Validity, Value as _,
    VoteType as DriverVoteType,
};

use context::{Agreement, Ballot, BlockName, Offer, Seats, Stamped, Who};

/// A validator in the rounds of a height.
pub struct Rounds {
    me: Address,
    last_signed: LastSigned,
    record: ConsensusHeight,
    driver: Option<Driver<Agreement>>,
    /// The last round that a block was asked for.
    built: Option<Round>,
    decided: Option<BlockId>,
}

impl Rounds {
    /// A validator that has read nothing yet. What it signed last is read from where it is kept.
    pub fn new(me: Address, last_signed: LastSigned) -> Rounds {
        Rounds {
            me,
            last_signed,
            record: ConsensusHeight::default(),
            driver: None,
            built: None,
            decided: None,
        }
    }

    /// The height as this validator has read it; none before it read its start.
    pub fn height(&self) -> Option<&Started> {
        self.record.started()
    }

    /// What it signed last.
    pub fn last_signed(&self) -> &LastSigned {
        &self.last_signed
    }

    /// The block that the rules decided at this height.
    pub fn decided(&self) -> Option<BlockId> {
        self.decided
    }

    /// Takes a message; answers with what this validator wants now, in this order.
    pub fn takes(&mut self, message: &Message, now: Moment) -> Vec<Effect> {
        match message {
            Message::Read(event) => self.reads(event, now),
            // Answers of an earlier height come too late.
            Message::Judged { height, .. } | Message::Built { height, .. }
                if !self.is_at(*height) =>
            {
                Vec::new()
            }
            Message::Judged { round, valid, .. } => self.judged(*round, *valid, now),
            Message::Built { round, block_id, .. } => self.built(*round, *block_id, now),
            Message::Elapsed(timer) => self.elapsed(*timer, now),
        }
    }

    fn reads(&mut self, event: &Event, now: Moment) -> Vec<Effect> {
        match event {
            Event::HeightStarted(start) => {
                self.starts(start, event);
                Vec::new()
            }
            Event::RoundStarted(data) => {
                self.record_reads(event);
                self.enters(data.round, now)
            }
            Event::ProposalAccepted(data) => {
                self.record_reads(event);
                self.asks_to_judge(data)
            }
            Event::VoteCast(vote) => {
                self.record_reads(event);
                let vote = SignedMessage::new(
                    Ballot::of(vote, self.height_number()),
                    Stamped { signature: vote.signature, timestamp: vote.timestamp },
                );
                self.drives(Input::Vote(vote), now)
            }
            Event::BlockCommitted(_) => {
                self.record_reads(event);
                self.agrees().into_iter().collect()
            }
            Event::PolkaReached(_)
            | Event::RoundFailed(_)
            | Event::EquivocationDetected(_)
            | Event::EvidenceAccepted(_)
            | Event::VotesRefused(_) => {
                self.record_reads(event);
                Vec::new()
            }
        }
    }

    fn record_reads(&mut self, event: &Event) {
        use domain::aggregate::Aggregate as _;
        self.record.evolve(event);
    }

    fn is_at(&self, height: Height) -> bool {
        self.record.started().is_some_and(|started| started.start().height == height)
    }

    fn height_number(&self) -> Height {
        self.record.started().map_or(Height::FIRST, |started| started.start().height)
    }

    /// A height begins: with a driver of its own. An earlier one, or the same again, is over.
    fn starts(&mut self, start: &HeightStarted, event: &Event) {
        let last = self.record.started().map(|started| started.start().height);
        if last.is_some_and(|last| start.height <= last) {
            return;
        }
        self.record = ConsensusHeight::default();
        self.record_reads(event);
        (self.built, self.decided) = (None, None);
        self.driver = self.record.started().map(|started| {
            let seats = Seats::of(started.rotation());
            let height = context::At(start.height.value());
            Driver::new(Agreement, height, seats, Who(self.me), Default::default())
        });
    }

    /// The record is in a round: so is the driver, once its own round timed out often enough.
    fn enters(&mut self, round: Round, now: Moment) -> Vec<Effect> {
        let Some(started) = self.record.started() else { return Vec::new() };
        let (height, proposer) = (started.start().height, started.proposer(round));
        let Some(driver) = self.driver.as_mut() else { return Vec::new() };
        let wanted = DriverRound::new(round.value());
        while driver.round().is_defined() && driver.round() < wanted && !driver.step_is_commit() {
            let over = Input::TimeoutElapsed(Timeout::precommit(driver.round()));
            if let Err(error) = driver.process(over) {
                return vec![Effect::Disagrees { sentence: error.to_string() }];
            }
        }
        let waits = driver.round().is_nil() || driver.step() == DriverStep::Unstarted;
        if !waits || driver.round() > wanted {
            return Vec::new();
        }
        let height = context::At(height.value());
        self.drives(Input::NewRound(height, wanted, Who(proposer)), now)
    }

    fn asks_to_judge(&self, proposal: &ProposalAccepted) -> Vec<Effect> {
        let (block_id, round) = (proposal.block_id, proposal.round);
        vec![Effect::Judge { block_id, height: self.height_number(), round }]
    }

    fn judged(&mut self, round: Round, valid: bool, now: Moment) -> Vec<Effect> {
        let height = self.height_number();
        let proposal = self.record.started().and_then(|started| started.proposal(round));
        let Some(proposal) = proposal else { return Vec::new() };
        let offer = Offer::of(proposal, height);
        let stamp = Stamped { signature: proposal.signature, timestamp: proposal.timestamp };
        let validity = if valid { Validity::Valid } else { Validity::Invalid };
        let mut effects =
            self.drives(Input::Proposal(SignedMessage::new(offer, stamp), validity), now);
        effects.extend(self.agrees());
        effects
    }

    /// A block for a round in which it is this validator's turn, once.
    fn built(&mut self, round: Round, block_id: BlockId, now: Moment) -> Vec<Effect> {
        let Some(driver) = &self.driver else { return Vec::new() };
        let wanted = DriverRound::new(round.value());
        let mine = driver.proposer_address() == Some(&Who(self.me));
        if !mine || driver.round() != wanted || self.built != Some(round) {
            return Vec::new();
        }
        self.built = None;
        self.drives(Input::ProposeValue(wanted, BlockName(block_id)), now)
    }

    fn elapsed(&mut self, timer: Timer, now: Moment) -> Vec<Effect> {
        let Some(started) = self.record.started() else { return Vec::new() };
        let current = timer.height == started.start().height && timer.round == started.round();
        if !current || self.decided.is_some() {
            return Vec::new();
        }
        let round = DriverRound::new(timer.round.value());
        let kind = match timer.step {
            Step::Propose => TimeoutKind::Propose,
            Step::Prevote => TimeoutKind::Prevote,
            // The round fails for everybody, and in the record's order.
            Step::Precommit => {
                let (deadline, step) = (started.deadline(), started.step());
                return vec![Effect::Fail { deadline, round: timer.round, step }];
            }
        };
        self.drives(Input::TimeoutElapsed(Timeout::new(round, kind)), now)
    }

    /// Shows the driver something, and says in our words what it wants.
    fn drives(&mut self, input: Input<Agreement>, now: Moment) -> Vec<Effect> {
        let Some(driver) = self.driver.as_mut() else { return Vec::new() };
        let outputs = match driver.process(input) {
            Ok(outputs) => outputs,
            Err(error) => return vec![Effect::Disagrees { sentence: error.to_string() }],
        };
        outputs.into_iter().filter_map(|output| self.wants(output, now)).collect()
    }

    fn wants(&mut self, output: Output<Agreement>, now: Moment) -> Option<Effect> {
        let height = self.height_number();
        match output {
            // The record says when a round begins.
            Output::NewRound(..) => None,
            Output::Propose(offer) => {
                let proposal = offer.unsigned(now)?;
                self.says(Words::Proposal(proposal))
            }
            Output::Vote(ballot) => {
                let vote = self.dated(&ballot, now)?;
                self.says(Words::Vote(vote))
            }
            Output::Decide(_, offer) => {
                let block_id = offer.value.id();
                self.decided = Some(block_id.0);
                Some(Effect::Decided { block_id: block_id.0, height })
            }
            Output::ScheduleTimeout(timeout) => self.waits(timeout),
            Output::GetValue(_, round, _) => {
                let round = context::round(round)?;
                self.built = Some(round);
                Some(Effect::Build { height, round })
            }
        }
    }

    /// The driver's vote with a time: later than the last block and than the one it is for.
    fn dated(&self, ballot: &Ballot, now: Moment) -> Option<Vote> {
        let started = self.record.started()?;
        let round = context::round(ballot.round)?;
        let kind = match ballot.kind {
            DriverVoteType::Prevote => VoteType::Prevote,
            DriverVoteType::Precommit => VoteType::Precommit,
        };
        let block_id = match &ballot.value {
            NilOrVal::Nil => None,
            NilOrVal::Val(name) => Some(name.0),
        };
        let proposal = started.proposal(round).filter(|p| Some(p.block_id) == block_id);
        let timestamp = now.max(started.earliest_vote(proposal));
        Some(Vote::unsigned(kind, round, block_id, timestamp, self.me))
    }

    fn waits(&self, timeout: Timeout) -> Option<Effect> {
        let started = self.record.started()?;
        let round = context::round(timeout.round)?;
        let step = match timeout.kind {
            TimeoutKind::Propose => Step::Propose,
            TimeoutKind::Prevote => Step::Prevote,
            TimeoutKind::Precommit => Step::Precommit,
            TimeoutKind::Rebroadcast | TimeoutKind::FinalizeHeight(_) => return None,
        };
        let timer = Timer { height: started.start().height, round, step };
        Some(Effect::Wait { millis: started.start().timeouts.of(step, round), timer })
    }

    /// Something is said when it does not contradict what was signed before. What was signed
    /// already is signed again with the same time: it is the same signature.
    fn says(&mut self, words: Words) -> Option<Effect> {
        let started = self.record.started()?;
        // Whoever is not in the set only follows.
        started.voter(self.me)?;
        let height = started.start().height;
        let said = Said::of(height, &words);
        let words = match self.last_signed.permits(&said) {
            Permission::New => words,
            Permission::Again(timestamp) => words.at(timestamp),
            Permission::Over => return None,
            Permission::Contradicts => return Some(Effect::Withheld { said }),
        };
        self.last_signed = LastSigned::after(Said::of(height, &words));
        let last_signed = self.last_signed;
        Some(Effect::Sign(Box::new(ToSign { height, last_signed, words })))
    }

    /// The record's final block must be the one that the rules decided.
    fn agrees(&self) -> Option<Effect> {
        let recorded = self.record.started()?.committed()?.block_id;
        let decided = self.decided?;
        (recorded != decided).then(|| Effect::Disagrees {
            sentence: format!("the record's final block is {recorded}, the rules' is {decided}"),
        })
    }

    /// Whether more than two thirds prevoted or precommitted this by the driver's own count.
    pub fn counts_quorum(&self, round: Round, kind: VoteType, block_id: Option<BlockId>) -> bool {
        use malachitebft_core_types::Threshold;
        let kind = match kind {
            VoteType::Prevote => DriverVoteType::Prevote,
            VoteType::Precommit => DriverVoteType::Precommit,
        };
        let threshold =
            block_id.map_or(Threshold::Nil, |block_id| Threshold::Value(BlockName(block_id)));
        let round = DriverRound::new(round.value());
        self.driver
            .as_ref()
            .is_some_and(|driver| driver.votes().is_threshold_met(&round, kind, threshold))
    }
}
