//! How a proposal is judged.
//!
//! Does not judge the block: the record of blocks did.

use super::{
    Conflict, EquivocationDetected, Event, Known, ProposalAccepted, ProposedBlock, Refusal,
    Started, Step, decide::Work,
};
use crate::{
    block::StandingName,
    values::{Address, Round},
    vote::Proposal,
};

/// Accepts the first proposal of a round's proposer; a second, different one is equivocation.
pub(super) fn propose(
    state: &Started,
    proposal: &Proposal,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let round = proposal.round;
    let furthest = state.furthest_round();
    if round > furthest {
        return Err(Refusal::RoundTooFar { furthest, round });
    }
    let before = state.proposal(round);
    if before.is_some_and(|before| before.proposal() == *proposal) {
        return Ok(Vec::new());
    }
    let proposer = state.proposer(round);
    check_signature(state, proposal, proposer)?;
    if let Some(before) = before {
        return Ok(conflict(state, &before.proposal(), proposal, proposer));
    }
    if let Some(committed) = state.committed() {
        let (block, round) = (committed.block_id.hash, committed.round);
        return Err(Refusal::HeightFinal { block, round });
    }
    let current = state.round();
    if round < current {
        return Err(Refusal::RoundOver { current, round });
    }
    check_polka(state, proposal)?;
    let block = check_block(state, proposal, known)?;
    let mut work = Work::on(state, known);
    let awaited = round == current && state.step() == Step::Propose;
    let deadline = awaited.then(|| work.deadline(Step::Prevote, round));
    work.happens(Event::ProposalAccepted(Box::new(ProposalAccepted {
        block_id: proposal.block_id,
        block_time: block.time,
        deadline,
        pol_round: proposal.pol_round,
        proposer,
        round,
        signature: proposal.signature,
        timestamp: proposal.timestamp,
    })));
    Ok(work.events)
}

fn check_signature(state: &Started, proposal: &Proposal, proposer: Address) -> Result<(), Refusal> {
    let start = state.start();
    let key = state.voter(proposer).map(|voter| voter.public_key);
    let signed = key.is_some_and(|key| proposal.is_signed_by(&key, &start.chain_id, start.height));
    if signed {
        Ok(())
    } else {
        Err(Refusal::ProposalNotSigned { proposer, round: proposal.round })
    }
}

/// The record of two different proposals, once.
fn conflict(state: &Started, first: &Proposal, second: &Proposal, proposer: Address) -> Vec<Event> {
    let round: Round = first.round;
    // The same, signed again at another time, is no contradiction.
    if first.agrees_with(second) || state.is_known((proposer, round, None)) {
        return Vec::new();
    }
    let Some(voter) = state.voter(proposer) else { return Vec::new() };
    vec![Event::EquivocationDetected(Box::new(EquivocationDetected {
        messages: Conflict::Proposals { first: Box::new(*first), second: Box::new(*second) },
        power: voter.power,
        round,
        total_power: voter.total_power,
        validator: proposer,
    }))]
}

/// Who proposes a block again must name a round in which it had a polka.
fn check_polka(state: &Started, proposal: &Proposal) -> Result<(), Refusal> {
    let (round, block) = (proposal.round, proposal.block_id);
    let Some(pol_round) = proposal.pol_round else { return Ok(()) };
    if pol_round >= round {
        return Err(Refusal::PolRoundNotEarlier { pol_round, round });
    }
    match state.polka(pol_round) {
        Some(polka) if polka.block_id == Some(block) => Ok(()),
        Some(_) | None => Err(Refusal::PolkaMissing { block: block.hash, pol_round }),
    }
}

fn check_block<'k>(
    state: &Started,
    proposal: &Proposal,
    known: &'k Known,
) -> Result<&'k ProposedBlock, Refusal> {
    let block = proposal.block_id.hash;
    let recorded = known.block.as_ref().filter(|known| known.block_id == proposal.block_id);
    let recorded = recorded.ok_or(Refusal::BlockUnknown { block })?;
    let start = state.start();
    if recorded.height != start.height || recorded.chain_id != start.chain_id {
        return Err(Refusal::BlockElsewhere { block, height: recorded.height });
    }
    match recorded.standing {
        StandingName::Valid => Ok(recorded),
        standing @ (StandingName::Proposed
        | StandingName::Invalid
        | StandingName::Final
        | StandingName::Abandoned) => Err(Refusal::BlockNotValid { block, standing }),
    }
}
