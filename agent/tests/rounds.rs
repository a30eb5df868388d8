//! What a validator wants when it reads, step by step.

use agent::rounds::{Effect, LastSigned, Message, Rounds, Said, Timer, Words};
use domain::{
    consensus::{Event, Step},
    vote::VoteType,
};

use crate::world::{FOUR, Trouble, World, address, genesis_time, height, round};

/// The log of an undisturbed first height.
fn log() -> Vec<Event> {
    let mut world = World::new(FOUR, 1, Trouble::default());
    world.run(1, 10_000);
    world.log
}

/// The events of a log up to, and with, the first of this name.
fn until(name: &str) -> Vec<Event> {
    use domain::aggregate::Event as _;
    let log = log();
    let at = log.iter().position(|event| event.name() == name).unwrap();
    log[..=at].to_vec()
}

fn proposer() -> u8 {
    let Event::HeightStarted(start) = &log()[0] else { panic!("the start") };
    (1..=4).find(|number| address(*number) == start.proposer).unwrap()
}

fn other() -> u8 {
    proposer() % 4 + 1
}

fn read(rounds: &mut Rounds, events: &[Event]) -> Vec<Effect> {
    let now = genesis_time().plus_millis(50);
    events.iter().flat_map(|e| rounds.takes(&Message::Read(e.clone()), now)).collect()
}

fn timer(step: Step) -> Timer {
    Timer { height: height(1), round: round(0), step }
}

#[test]
fn the_proposer_asks_for_a_block_once_and_proposes_it() {
    let mut rounds = Rounds::new(address(proposer()), LastSigned::default());
    let effects = read(&mut rounds, &until("round-started.v1"));
    let wait = Effect::Wait { millis: 1_000, timer: timer(Step::Propose) };
    let build = Effect::Build { height: height(1), round: round(0) };
    assert_eq!(effects, [wait, build]);
    let events = until("proposal-accepted.v1");
    let Some(Event::ProposalAccepted(accepted)) = events.last() else { panic!("a proposal") };
    let built = Message::Built { block_id: accepted.block_id, height: height(1), round: round(0) };
    let effects = rounds.takes(&built, genesis_time());
    let [Effect::Sign(to_sign)] = effects.as_slice() else { panic!("{effects:?}") };
    let Words::Proposal(proposal) = to_sign.words else { panic!("{to_sign:?}") };
    assert_eq!((proposal.block_id, proposal.pol_round), (accepted.block_id, None));
    assert_eq!(to_sign.last_signed, LastSigned::after(Said::of(height(1), &to_sign.words)));
    // A second block for the same round is not proposed.
    assert_eq!(rounds.takes(&built, genesis_time()), []);
}

#[test]
fn others_wait_and_do_not_propose_what_they_are_given() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    let effects = read(&mut rounds, &until("round-started.v1"));
    assert_eq!(effects, [Effect::Wait { millis: 1_000, timer: timer(Step::Propose) }]);
    let Some(Event::ProposalAccepted(accepted)) = until("proposal-accepted.v1").pop() else {
        panic!("a proposal")
    };
    let built = Message::Built { block_id: accepted.block_id, height: height(1), round: round(0) };
    assert_eq!(rounds.takes(&built, genesis_time()), []);
}

#[test]
fn a_proposal_is_judged_first_and_voted_for_when_it_is_valid() {
    for valid in [true, false] {
        let mut rounds = Rounds::new(address(other()), LastSigned::default());
        let events = until("proposal-accepted.v1");
        let effects = read(&mut rounds, &events);
        let Some(Event::ProposalAccepted(accepted)) = events.last() else { panic!("a proposal") };
        let block_id = accepted.block_id;
        let judge = Effect::Judge { block_id, height: height(1), round: round(0) };
        assert_eq!(effects.last(), Some(&judge));
        let judged = Message::Judged { height: height(1), round: round(0), valid };
        // By a clock that is behind, the vote is still later than the block.
        let effects = rounds.takes(&judged, genesis_time());
        let [Effect::Sign(to_sign)] = effects.as_slice() else { panic!("{effects:?}") };
        let Words::Vote(vote) = to_sign.words else { panic!("{to_sign:?}") };
        assert_eq!(vote.kind, VoteType::Prevote);
        assert_eq!(vote.block_id, valid.then_some(block_id));
        assert_eq!(vote.timestamp, genesis_time().plus_millis(1));
    }
}

#[test]
fn when_no_proposal_comes_in_time_it_prevotes_nil() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    read(&mut rounds, &until("round-started.v1"));
    let later = genesis_time().plus_millis(1_000);
    let effects = rounds.takes(&Message::Elapsed(timer(Step::Propose)), later);
    let [Effect::Sign(to_sign)] = effects.as_slice() else { panic!("{effects:?}") };
    let Words::Vote(vote) = to_sign.words else { panic!("{to_sign:?}") };
    assert_eq!((vote.kind, vote.block_id, vote.timestamp), (VoteType::Prevote, None, later));
    // The same timer again says nothing new.
    assert_eq!(rounds.takes(&Message::Elapsed(timer(Step::Propose)), later), []);
}

#[test]
fn an_answer_for_another_height_is_not_heard() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    read(&mut rounds, &until("proposal-accepted.v1"));
    let judged = Message::Judged { height: height(2), round: round(0), valid: true };
    assert_eq!(rounds.takes(&judged, genesis_time()), []);
    let judged = Message::Judged { height: height(1), round: round(0), valid: true };
    assert_eq!(rounds.takes(&judged, genesis_time()).len(), 1);
}

#[test]
fn a_timer_of_another_height_or_round_is_not_heard() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    read(&mut rounds, &until("round-started.v1"));
    for stale in [
        Timer { height: height(2), ..timer(Step::Propose) },
        Timer { round: round(1), ..timer(Step::Propose) },
    ] {
        assert_eq!(rounds.takes(&Message::Elapsed(stale), genesis_time()), []);
    }
}

#[test]
fn a_precommit_that_does_not_come_fails_the_round_for_everybody() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    read(&mut rounds, &until("round-started.v1"));
    let effects = rounds.takes(&Message::Elapsed(timer(Step::Precommit)), genesis_time());
    let deadline = rounds.height().unwrap().deadline();
    let fail = Effect::Fail { deadline, round: round(0), step: Step::Propose };
    assert_eq!(effects, [fail]);
}

#[test]
fn a_whole_height_is_decided_as_the_record_decides_it() {
    let log = log();
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    let mut decided = None;
    for event in &log {
        let judged = Message::Judged { height: height(1), round: round(0), valid: true };
        let mut effects = read(&mut rounds, std::slice::from_ref(event));
        if matches!(event, Event::ProposalAccepted(_)) {
            effects.extend(rounds.takes(&judged, genesis_time()));
        }
        for effect in effects {
            match effect {
                Effect::Decided { block_id, .. } => decided = Some(block_id),
                Effect::Disagrees { sentence } => panic!("{sentence}"),
                _ => {}
            }
        }
    }
    let committed = rounds.height().unwrap().committed().unwrap().block_id;
    assert_eq!(decided, Some(committed));
    assert_eq!(rounds.decided(), Some(committed));
}

#[test]
fn who_signed_something_else_before_a_crash_keeps_silent() {
    let mut rounds = Rounds::new(address(other()), LastSigned::default());
    read(&mut rounds, &until("round-started.v1"));
    rounds.takes(&Message::Elapsed(timer(Step::Propose)), genesis_time());
    let kept = *rounds.last_signed();
    // It comes back, and now the proposal is there before its timer.
    let mut again = Rounds::new(address(other()), kept);
    read(&mut again, &until("proposal-accepted.v1"));
    let judged = Message::Judged { height: height(1), round: round(0), valid: true };
    let effects = again.takes(&judged, genesis_time());
    assert!(matches!(effects.as_slice(), [Effect::Withheld { .. }]), "{effects:?}");
    assert_eq!(*again.last_signed(), kept);
}

#[test]
fn who_said_the_same_before_a_crash_signs_it_again_with_the_same_time() {
    let says = |kept, millis| {
        let mut rounds = Rounds::new(address(other()), kept);
        read(&mut rounds, &until("proposal-accepted.v1"));
        let judged = Message::Judged { height: height(1), round: round(0), valid: true };
        let effects = rounds.takes(&judged, genesis_time().plus_millis(millis));
        let [Effect::Sign(to_sign)] = effects.as_slice() else { panic!("{effects:?}") };
        (**to_sign).clone()
    };
    let first = says(LastSigned::default(), 70);
    assert_eq!(says(first.last_signed, 900), first);
}

#[test]
fn who_is_not_in_the_set_follows_and_says_nothing() {
    let mut rounds = Rounds::new(address(9), LastSigned::default());
    let mut effects = Vec::new();
    for event in &log() {
        effects.extend(read(&mut rounds, std::slice::from_ref(event)));
        if matches!(event, Event::ProposalAccepted(_)) {
            let judged = Message::Judged { height: height(1), round: round(0), valid: true };
            effects.extend(rounds.takes(&judged, genesis_time()));
        }
    }
    assert!(!effects.iter().any(|effect| matches!(effect, Effect::Sign(_))));
    assert!(effects.iter().any(|effect| matches!(effect, Effect::Decided { .. })));
}
