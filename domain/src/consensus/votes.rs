//! How votes are judged, and what follows from those that count.
//!
//! Does not know why somebody voted so: not even locks are policed, only signatures and doubles.

use super::{
    BlockCommitted, Conflict, EquivocationDetected, Event, Failure, Known, PolkaReached, Refusal,
    RefusedVote, Started, Step, VOTES_MAX, VoteFault, VotesRefused, decide::Work, state::power,
};
use crate::{
    signatures::{Signed, verify_all},
    values::is_quorum,
    vote::{Vote, VoteType},
};

/// What becomes of a vote that is not refused.
enum Judgement {
    /// It counts.
    Counts,
    /// It is known, or there is nothing left to decide by it.
    Done,
    /// Its voter said something else before.
    Contradicts(Box<Vote>),
}

/// Casts one vote.
pub(super) fn cast_one(state: &Started, vote: &Vote, known: &Known) -> Result<Vec<Event>, Refusal> {
    let (work, refused) = cast(state, std::slice::from_ref(vote), known);
    match refused.into_iter().next() {
        Some(RefusedVote { fault, .. }) => Err(Refusal::VoteRefused { fault }),
        None => Ok(work.events),
    }
}

/// Casts many votes. Those that do not count are told: as a fact, when others do.
pub(super) fn cast_many(
    state: &Started,
    votes: &[Vote],
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if votes.is_empty() || votes.len() > VOTES_MAX {
        return Err(Refusal::VotesCount { found: votes.len(), maximum: VOTES_MAX });
    }
    let (mut work, refused) = cast(state, votes, known);
    if work.events.is_empty() && !refused.is_empty() {
        return Err(Refusal::VotesRefused { refused });
    }
    if !refused.is_empty() {
        work.happens(Event::VotesRefused(VotesRefused { refused }));
    }
    Ok(work.events)
}

fn cast(state: &Started, votes: &[Vote], known: &Known) -> (Work, Vec<RefusedVote>) {
    let mut work = Work::on(state, known);
    let mut refused = Vec::new();
    for ((vote, signed), index) in votes.iter().zip(signatures(state, votes)).zip(0..) {
        match judge(&work.state, vote, signed) {
            Ok(Judgement::Done) => {}
            Ok(Judgement::Counts) => counts(&mut work, vote),
            Ok(Judgement::Contradicts(before)) => contradicts(&mut work, &before, vote),
            Err(fault) => {
                let validator = vote.validator;
                refused.push(RefusedVote { fault, index, validator });
            }
        }
    }
    (work, refused)
}

/// Which votes are signed by whom they name, all judged together. Those that are recorded already,
/// or of nobody, are not looked at.
fn signatures(state: &Started, votes: &[Vote]) -> Vec<bool> {
    let start = state.start();
    let item = |vote: &Vote| {
        let key = state.voter(vote.validator)?.public_key;
        let recorded = state.vote(vote.round, vote.kind, vote.validator) == Some(vote);
        let message = || vote.sign_bytes(&start.chain_id, start.height);
        (!recorded).then(|| Signed { key, message: message(), signature: vote.signature })
    };
    let items: Vec<Option<Signed>> = votes.iter().map(item).collect();
    let asked: Vec<Signed> = items.iter().flatten().cloned().collect();
    let mut answers = verify_all(&asked).into_iter();
    items.iter().map(|item| item.is_some() && answers.next().unwrap_or(false)).collect()
}

fn judge(state: &Started, vote: &Vote, signed: bool) -> Result<Judgement, VoteFault> {
    let (round, voter) = (vote.round, vote.validator);
    if state.place(voter).is_none() {
        return Err(VoteFault::NotInSet { voter });
    }
    let furthest = state.furthest_round();
    if round > furthest {
        return Err(VoteFault::RoundTooFar { furthest, round });
    }
    if let Some(before) = state.vote(round, vote.kind, voter) {
        if before == vote {
            return Ok(Judgement::Done);
        }
        if !signed {
            return Err(VoteFault::SignatureInvalid);
        }
        // The same, signed again at another time, is no contradiction.
        let told = state.is_known((voter, round, Some(vote.kind)));
        let done = before.agrees_with(vote) || told;
        return Ok(if done { Judgement::Done } else { Judgement::Contradicts(Box::new(*before)) });
    }
    if !signed {
        return Err(VoteFault::SignatureInvalid);
    }
    if is_too_late(state, vote) {
        return Ok(Judgement::Done);
    }
    let proposal =
        state.proposal(round).filter(|proposal| vote.block_id == Some(proposal.block_id));
    if let Some(id) = vote.block_id.filter(|_| proposal.is_none()) {
        return Err(VoteFault::NotProposed { found: id.hash, round });
    }
    let (found, least) = (vote.timestamp, state.earliest_vote(proposal));
    if found < least {
        return Err(VoteFault::TooEarly { found, least });
    }
    Ok(Judgement::Counts)
}

/// At a final height only precommits of the commit's round are still of use.
fn is_too_late(state: &Started, vote: &Vote) -> bool {
    state.committed().is_some_and(|committed| {
        let in_commit = vote.block_id.is_none_or(|id| id == committed.block_id);
        vote.kind != VoteType::Precommit || vote.round != committed.round || !in_commit
    })
}

fn contradicts(work: &mut Work, before: &Vote, vote: &Vote) {
    let Some(voter) = work.state.voter(vote.validator) else { return };
    work.happens(Event::EquivocationDetected(Box::new(EquivocationDetected {
        messages: Conflict::Votes { first: Box::new(*before), second: Box::new(*vote) },
        power: voter.power,
        round: vote.round,
        total_power: voter.total_power,
        validator: vote.validator,
    })));
}

fn counts(work: &mut Work, vote: &Vote) {
    work.happens(Event::VoteCast(Box::new(*vote)));
    if work.state.committed().is_some() {
        return;
    }
    skip(work, vote);
    match vote.kind {
        VoteType::Prevote => polka(work, vote),
        VoteType::Precommit => commit(work, vote),
    }
}

/// When more than a third of the power is in a later round, one honest validator is: so moves the
/// height.
fn skip(work: &mut Work, vote: &Vote) {
    let there = u128::from(work.state.voters_power(vote.round));
    if vote.round > work.state.round() && 3 * there > u128::from(work.state.total()) {
        work.moves_on(Failure::Skipped, vote.round);
    }
}

fn polka(work: &mut Work, vote: &Vote) {
    let (state, round) = (&work.state, vote.round);
    let (for_block, for_nil) = state.tally(round, VoteType::Prevote);
    let reached = if vote.block_id.is_some() { for_block } else { for_nil };
    if state.polka(round).is_some() || !is_quorum(reached, state.total()) {
        return;
    }
    let awaited = round == state.round();
    let polka = PolkaReached {
        block_id: vote.block_id,
        deadline: awaited.then(|| work.deadline(Step::Precommit, round)),
        power: power(reached),
        round,
        total_power: state.start().total_power,
    };
    work.happens(Event::PolkaReached(Box::new(polka)));
}

fn commit(work: &mut Work, vote: &Vote) {
    let (state, round) = (&work.state, vote.round);
    let (for_block, for_nil) = state.tally(round, VoteType::Precommit);
    let Some(block_id) = vote.block_id else {
        let next = round.next().filter(|_| round == state.round());
        if let Some(next) = next.filter(|_| is_quorum(for_nil, state.total())) {
            work.moves_on(Failure::NilQuorum, next);
        }
        return;
    };
    let Some(proposal) = state.proposal(round) else { return };
    if !is_quorum(for_block, state.total()) {
        return;
    }
    let committed = BlockCommitted {
        block_id,
        block_time: proposal.block_time,
        commit: state.commit_for(block_id, round),
        power: power(for_block),
        round,
        total_power: state.start().total_power,
    };
    work.happens(Event::BlockCommitted(Box::new(committed)));
}
