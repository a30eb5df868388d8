//! A height as its history tells it.
//!
//! Does not know time, but for the deadlines in the events. Cheap to clone: what many votes fill is
//! shared until it changes.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use super::{
    BlockCommitted, Conflict, EquivocationDetected, Event, Failure, HeightStarted, LastHeight,
    ProposalAccepted, Step,
};
use crate::{
    commit::Commit,
    evidence::{Evidence, Voter},
    proposer::Rotation,
    values::{Address, Moment, Power, Round},
    vote::{BlockId, Vote, VoteType},
};

/// A height.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum ConsensusHeight {
    /// It has not started.
    #[default]
    Unstarted,
    /// It has.
    Started(Box<Started>),
}

/// A height that has started.
#[derive(Clone, Debug, PartialEq)]
pub struct Started {
    start: Arc<HeightStarted>,
    /// Where each member stands in the set's order.
    places: Arc<BTreeMap<Address, usize>>,
    /// The rotation at the first round.
    first: Arc<Rotation>,
    /// The rotation at the current round.
    turn: Arc<Rotation>,
    round: Round,
    deadline: Moment,
    rounds: BTreeMap<Round, Arc<RoundRecord>>,
    committed: Option<Arc<BlockCommitted>>,
    equivocations: Vec<Arc<EquivocationDetected>>,
    accepted: Vec<Evidence>,
    offences: BTreeSet<Offence>,
}

/// Who signed twice in which step of which round; the step of a proposal is none.
pub(super) type Offence = (Address, Round, Option<VoteType>);

/// What was said in one round.
#[derive(Clone, Debug, Default, PartialEq)]
struct RoundRecord {
    failed: Option<Failure>,
    polka: Option<Polka>,
    precommits: Ballot,
    prevotes: Ballot,
    proposal: Option<ProposalAccepted>,
    /// The power of everybody who voted in this round.
    voters_power: u64,
}

/// The votes of one step: one for each member in the set's order, where there is one. A vote for a
/// block is for the one proposed in the round: no other is recorded.
#[derive(Clone, Debug, Default, PartialEq)]
struct Ballot {
    votes: Vec<Option<Vote>>,
    block_power: u64,
    nil_power: u64,
}

/// What more than two thirds of the power prevoted for in a round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Polka {
    /// The block; none for nil.
    pub block_id: Option<BlockId>,
    /// The round.
    pub round: Round,
}

impl RoundRecord {
    fn ballot(&self, kind: VoteType) -> &Ballot {
        match kind {
            VoteType::Prevote => &self.prevotes,
            VoteType::Precommit => &self.precommits,
        }
    }

    fn ballot_mut(&mut self, kind: VoteType) -> &mut Ballot {
        match kind {
            VoteType::Prevote => &mut self.prevotes,
            VoteType::Precommit => &mut self.precommits,
        }
    }
}

impl Ballot {
    fn vote(&self, place: usize) -> Option<&Vote> {
        self.votes.get(place).and_then(Option::as_ref)
    }
}

impl ConsensusHeight {
    /// The height, when it has started.
    pub fn started(&self) -> Option<&Started> {
        match self {
            ConsensusHeight::Unstarted => None,
            ConsensusHeight::Started(started) => Some(started),
        }
    }
}

impl Started {
    fn new(start: &HeightStarted) -> Option<Started> {
        let first = Arc::new(Rotation::restored(start.members.clone(), start.proposer)?);
        let seats = first.seats().iter().enumerate();
        Some(Started {
            places: Arc::new(seats.map(|(place, seat)| (seat.address, place)).collect()),
            start: Arc::new(start.clone()),
            turn: Arc::clone(&first),
            first,
            round: Round::FIRST,
            deadline: start.last_time,
            rounds: BTreeMap::new(),
            committed: None,
            equivocations: Vec::new(),
            accepted: Vec::new(),
            offences: BTreeSet::new(),
        })
    }

    /// How it started: chain, height, set and limits.
    pub fn start(&self) -> &HeightStarted {
        &self.start
    }

    /// The current round.
    pub fn round(&self) -> Round {
        self.round
    }

    /// What the current round waits for.
    pub fn step(&self) -> Step {
        self.step_of(self.round)
    }

    /// What a round waits for: not for what is there already.
    pub fn step_of(&self, round: Round) -> Step {
        match self.rounds.get(&round) {
            Some(record) if record.polka.is_some() => Step::Precommit,
            Some(record) if record.proposal.is_some() => Step::Prevote,
            Some(_) | None => Step::Propose,
        }
    }

    /// Until when the current round's step is waited for.
    pub fn deadline(&self) -> Moment {
        self.deadline
    }

    /// The furthest round of which messages are taken.
    pub fn furthest_round(&self) -> Round {
        self.round.plus(self.start.rounds_ahead_max)
    }

    /// The rotation at the first round.
    pub fn rotation(&self) -> &Rotation {
        &self.first
    }

    /// Who proposes in a round.
    pub fn proposer(&self, round: Round) -> Address {
        match round.value().checked_sub(self.round.value()) {
            Some(turns) => self.turn.after(turns).proposer(),
            None => self.first.proposer_of(round),
        }
    }

    /// A member as evidence has it; none when it is not in the set.
    pub fn voter(&self, address: Address) -> Option<Voter> {
        let place = self.place(address)?;
        let seat = self.first.seats()[place];
        Some(Voter {
            index: u32::try_from(place).unwrap_or(u32::MAX),
            public_key: seat.public_key,
            power: seat.power,
            total_power: self.start.total_power,
        })
    }

    pub(super) fn place(&self, address: Address) -> Option<usize> {
        self.places.get(&address).copied()
    }

    fn power(&self, address: Address) -> u64 {
        self.place(address).map_or(0, |place| self.first.seats()[place].power.value())
    }

    pub(super) fn total(&self) -> u64 {
        self.start.total_power.value()
    }

    /// The proposal of a round, when there is one.
    pub fn proposal(&self, round: Round) -> Option<&ProposalAccepted> {
        self.rounds.get(&round)?.proposal.as_ref()
    }

    /// The vote of a member in a round, when it counts.
    pub fn vote(&self, round: Round, kind: VoteType, voter: Address) -> Option<&Vote> {
        self.rounds.get(&round)?.ballot(kind).vote(self.place(voter)?)
    }

    /// The votes of a round that count, in the set's order.
    pub fn votes(&self, round: Round, kind: VoteType) -> impl Iterator<Item = &Vote> {
        let record = self.rounds.get(&round);
        record.into_iter().flat_map(move |record| record.ballot(kind).votes.iter().flatten())
    }

    /// The power that voted for the round's block, and for nil.
    pub(super) fn tally(&self, round: Round, kind: VoteType) -> (u64, u64) {
        let ballot = self.rounds.get(&round).map(|record| record.ballot(kind));
        ballot.map_or((0, 0), |ballot| (ballot.block_power, ballot.nil_power))
    }

    /// The power of everybody who voted in a round.
    pub(super) fn voters_power(&self, round: Round) -> u64 {
        self.rounds.get(&round).map_or(0, |record| record.voters_power)
    }

    /// What a round's prevotes agreed on, when they did.
    pub fn polka(&self, round: Round) -> Option<Polka> {
        self.rounds.get(&round)?.polka
    }

    /// Why a round came to nothing, when it did.
    pub fn failure(&self, round: Round) -> Option<Failure> {
        self.rounds.get(&round)?.failed
    }

    /// The block that is final, when one is.
    pub fn committed(&self) -> Option<&BlockCommitted> {
        self.committed.as_deref()
    }

    /// The commit for the final block, with every precommit of its round until now: what the next
    /// block carries.
    pub fn commit(&self) -> Option<Commit> {
        let committed = self.committed.as_ref()?;
        Some(self.commit_for(committed.block_id, committed.round))
    }

    pub(super) fn commit_for(&self, block_id: BlockId, round: Round) -> Commit {
        let ballot = self.rounds.get(&round).map(|record| &record.precommits);
        let vote = |place| ballot.and_then(|ballot| ballot.vote(place));
        let votes = (0..self.first.seats().len()).map(vote);
        Commit::of(block_id, self.start.height, round, votes)
    }

    /// What the next height starts from, when this one is final.
    pub fn last_height(&self) -> Option<LastHeight> {
        let committed = self.committed.as_ref()?;
        let rotation = (*self.first).clone();
        Some(LastHeight { block_id: committed.block_id, rotation })
    }

    /// Who signed what excludes each other, in the order in which it was found.
    pub fn equivocations(&self) -> impl Iterator<Item = &EquivocationDetected> {
        self.equivocations.iter().map(|found| &**found)
    }

    /// The evidence that a later block can carry, when this height is final: CometBFT's evidence
    /// names the time of the block. (It has no form for two proposals.)
    pub fn evidence(&self) -> Vec<Evidence> {
        let Some(committed) = &self.committed else { return Vec::new() };
        let height = self.start.height;
        let found = self.equivocations.iter().filter_map(|found| match &found.messages {
            Conflict::Proposals { .. } => None,
            Conflict::Votes { first, second } => {
                let voter = self.voter(found.validator)?;
                Some(Evidence::of(height, first, second, &voter, committed.block_time))
            }
        });
        found.chain(self.accepted.iter().cloned()).collect()
    }

    pub(super) fn is_known(&self, offence: Offence) -> bool {
        self.offences.contains(&offence)
    }

    /// From when on a vote may be: a millisecond after the last block and after the one it is for.
    pub fn earliest_vote(&self, block: Option<&ProposalAccepted>) -> Moment {
        let last = self.start.last_time;
        let after = block.map_or(last, |proposal| proposal.block_time.max(last));
        after.plus_millis(super::VOTE_AFTER_BLOCK_MS)
    }

    /// Applies what happened after the start.
    pub(super) fn apply(&mut self, event: &Event) {
        match event {
            Event::HeightStarted(_) | Event::VotesRefused(_) => {}
            Event::RoundStarted(data) => {
                let turns = data.round.value().saturating_sub(self.round.value());
                if turns > 0 {
                    self.turn = Arc::new(self.turn.after(turns));
                }
                self.round = data.round;
                self.deadline = data.deadline;
            }
            Event::ProposalAccepted(data) => {
                self.record(data.round).proposal = Some((**data).clone());
                self.deadline = data.deadline.unwrap_or(self.deadline);
            }
            Event::VoteCast(vote) => self.count(vote),
            Event::PolkaReached(data) => {
                let polka = Polka { block_id: data.block_id, round: data.round };
                self.record(data.round).polka = Some(polka);
                self.deadline = data.deadline.unwrap_or(self.deadline);
            }
            Event::BlockCommitted(data) => self.committed = Some(Arc::new((**data).clone())),
            Event::RoundFailed(data) => self.record(data.round).failed = Some(data.reason),
            Event::EquivocationDetected(data) => {
                let kind = match &data.messages {
                    Conflict::Proposals { .. } => None,
                    Conflict::Votes { first, .. } => Some(first.kind),
                };
                self.offences.insert((data.validator, data.round, kind));
                self.equivocations.push(Arc::new((**data).clone()));
            }
            Event::EvidenceAccepted(data) => {
                self.offences.insert((data.validator, data.round, Some(data.kind)));
                self.accepted.push(data.evidence.clone());
            }
        }
    }

    fn record(&mut self, round: Round) -> &mut RoundRecord {
        Arc::make_mut(self.rounds.entry(round).or_default())
    }

    fn count(&mut self, vote: &Vote) {
        let Some(place) = self.place(vote.validator) else { return };
        let power = self.power(vote.validator);
        let members = self.first.seats().len();
        let record = self.record(vote.round);
        let both = [&record.prevotes, &record.precommits];
        if both.iter().all(|ballot| ballot.vote(place).is_none()) {
            record.voters_power = record.voters_power.saturating_add(power);
        }
        let ballot = record.ballot_mut(vote.kind);
        ballot.votes.resize(members, None);
        ballot.votes[place] = Some(*vote);
        let tally =
            if vote.block_id.is_some() { &mut ballot.block_power } else { &mut ballot.nil_power };
        *tally = tally.saturating_add(power);
    }
}

/// Applies an event.
pub(super) fn evolve(height: &mut ConsensusHeight, event: &Event) {
    match (&mut *height, event) {
        (ConsensusHeight::Unstarted, Event::HeightStarted(data)) => {
            if let Some(started) = Started::new(data) {
                *height = ConsensusHeight::Started(Box::new(started));
            }
        }
        (ConsensusHeight::Unstarted, _) => {}
        (ConsensusHeight::Started(started), event) => started.apply(event),
    }
}

/// A power that is at most the whole set's.
pub(super) fn power(value: u64) -> Power {
    Power::new(value).unwrap_or_default()
}
