//! How a command to a height is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Command, ConsensusHeight, Event, EvidenceAccepted, Failure, HeightStarted, Known, LastHeight,
    Refusal, RoundFailed, RoundStarted, Started, Step, Timeouts, propose, votes,
};
use crate::{
    aggregate::Aggregate as _,
    evidence::Evidence,
    light::ValidatorSet,
    proposer::Rotation,
    values::{Moment, Power, Round},
};

/// Decides a command.
pub(super) fn decide(
    height: &ConsensusHeight,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::StartHeight {} => start(height, known),
        Command::Propose(proposal) => propose::propose(started(height)?, proposal, known),
        Command::CastVote(vote) => votes::cast_one(started(height)?, vote, known),
        Command::CastVotes { votes } => votes::cast_many(started(height)?, votes, known),
        Command::TimeoutRound { round, step } => timeout(started(height)?, *round, *step, known),
        Command::SubmitEvidence { evidence } => submit(started(height)?, evidence, known),
    }
}

fn started(height: &ConsensusHeight) -> Result<&Started, Refusal> {
    height.started().ok_or(Refusal::NotStarted)
}

/// A height with the events that are being decided for it.
pub(super) struct Work {
    pub state: Started,
    pub events: Vec<Event>,
    pub now: Moment,
}

impl Work {
    pub(super) fn on(state: &Started, known: &Known) -> Work {
        Work { state: state.clone(), events: Vec::new(), now: known.now }
    }

    pub(super) fn happens(&mut self, event: Event) {
        self.state.apply(&event);
        self.events.push(event);
    }

    /// Until when a step of a round that begins now is waited for.
    pub(super) fn deadline(&self, step: Step, round: Round) -> Moment {
        self.now.plus_millis(self.state.start().timeouts.of(step, round))
    }

    /// The current round fails; `next` begins.
    pub(super) fn moves_on(&mut self, reason: Failure, next: Round) {
        let round = self.state.round();
        self.happens(Event::RoundFailed(RoundFailed { reason, round }));
        self.happens(Event::RoundStarted(round_started(&self.state, next, self.now)));
    }
}

fn round_started(state: &Started, round: Round, now: Moment) -> RoundStarted {
    let step = state.step_of(round);
    let deadline = now.plus_millis(state.start().timeouts.of(step, round));
    RoundStarted { deadline, proposer: state.proposer(round), round, step }
}

fn start(height: &ConsensusHeight, known: &Known) -> Result<Vec<Event>, Refusal> {
    if let ConsensusHeight::Started(_) = height {
        return Ok(Vec::new());
    }
    let start = known.start.as_ref().ok_or(Refusal::LastNotFinal)?;
    let (this, next) = (known.stream.height, start.height);
    if this != next {
        return Err(Refusal::HeightNotNext { height: this, next });
    }
    let keys: Vec<_> = start.members.iter().map(|m| (m.public_key, m.power)).collect();
    let found = ValidatorSet::of(&keys)
        .map_err(|fault| Refusal::SetNotHashed { sentence: fault.sentence })?
        .hash();
    if found != start.validators_hash {
        return Err(Refusal::SetNotAnnounced { expected: start.validators_hash, found });
    }
    let rotation = match &start.last {
        None => Rotation::new(&start.members),
        Some(LastHeight { rotation, .. }) => rotation.next(&start.members),
    };
    let rotation = rotation.map_err(|fault| Refusal::SetInvalid { fault })?;
    let parameters = &known.parameters;
    let begun = Event::HeightStarted(Box::new(HeightStarted {
        chain_id: known.stream.chain.clone(),
        height: this,
        last_block_id: start.last.as_ref().map(|last| last.block_id),
        last_time: start.time,
        members: rotation.seats().to_vec(),
        proposer: rotation.proposer(),
        rounds_ahead_max: parameters.rounds_ahead_max,
        timeouts: Timeouts {
            precommit_ms: parameters.timeout_precommit_ms,
            prevote_ms: parameters.timeout_prevote_ms,
            propose_ms: parameters.timeout_propose_ms,
            step_ms: parameters.timeout_step_ms,
        },
        total_power: Power::new(rotation.total_power()).unwrap_or_default(),
        validators_hash: found,
    }));
    let mut height = ConsensusHeight::Unstarted;
    height.evolve(&begun);
    let first = round_started(started(&height)?, Round::FIRST, known.now);
    Ok(vec![begun, Event::RoundStarted(first)])
}

fn timeout(
    state: &Started,
    round: Round,
    step: Step,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let current = state.round();
    // Everybody's timer goes off; the first moves the height on.
    if state.committed().is_some() || round < current {
        return Ok(Vec::new());
    }
    if round > current {
        return Err(Refusal::RoundNotCurrent { current, round });
    }
    if step != state.step() {
        return Err(Refusal::StepNotCurrent { current: state.step(), step });
    }
    let (deadline, now) = (state.deadline(), known.now);
    if now < deadline {
        return Err(Refusal::DeadlineNotReached { deadline, now });
    }
    let next = round.next().ok_or(Refusal::RoundsExhausted { round })?;
    let reason = match step {
        Step::Propose => Failure::ProposeTimeout,
        Step::Prevote => Failure::PrevoteTimeout,
        Step::Precommit => Failure::PrecommitTimeout,
    };
    let mut work = Work::on(state, known);
    work.moves_on(reason, next);
    Ok(work.events)
}

fn submit(state: &Started, evidence: &Evidence, known: &Known) -> Result<Vec<Event>, Refusal> {
    let height = state.start().height;
    if evidence.height() != height {
        return Err(Refusal::EvidenceElsewhere { found: evidence.height(), height });
    }
    let committed = state.committed().ok_or(Refusal::HeightNotFinal)?;
    let head = known.head.ok_or(Refusal::HeadMissing)?;
    let maximum = known.parameters.evidence_age_blocks_max;
    if head.value().saturating_sub(height.value()) > u64::from(maximum) {
        return Err(Refusal::EvidenceExpired { head, height, maximum });
    }
    let validator = evidence.validator();
    let not_in_set = crate::evidence::Fault::NotInSet { voter: validator };
    let voter = state.voter(validator);
    let voter = voter.ok_or(Refusal::EvidenceInvalid { fault: not_in_set })?;
    evidence
        .verify(&state.start().chain_id, &voter, committed.block_time)
        .map_err(|fault| Refusal::EvidenceInvalid { fault })?;
    let (round, kind) = (evidence.round(), evidence.kind());
    if state.is_known((validator, round, Some(kind))) {
        return Ok(Vec::new());
    }
    Ok(vec![Event::EvidenceAccepted(Box::new(EvidenceAccepted {
        evidence: evidence.clone(),
        hash: evidence.hash(),
        power: voter.power,
        round,
        total_power: voter.total_power,
        kind,
        validator,
    }))])
}
