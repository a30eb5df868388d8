//! What a height's validators agreed on.

use domain::{
    aggregate::{Aggregate as _, Event as _},
    block::StandingName,
    commit::Commit,
    consensus::{
        Command, Conflict, ConsensusHeight, EquivocationDetected, Event, Failure, HeightStarted,
        Known, PolkaReached, Refusal, RefusedVote, RoundFailed, RoundStarted, Step, Timeouts,
        VOTES_MAX, VoteFault, VotesRefused,
    },
    evidence::{self, Evidence, Voter},
    light::{SignedHeader, ValidatorSet, verify_commit},
    parameters::VALIDATORS_LIMIT,
    proposer::Rotation,
    validator_set::Member,
    values::{POWER_TOTAL_MAX, Power, Signature},
    vote::{BlockId, Vote, VoteType},
};

use crate::{
    agreement::{
        Chain, FOUR, at, chain_id, first_ground, genesis_time, height, known, members, number,
        proposal, round, vote,
    },
    fixture::{address, set},
    spec::{Given, given},
};

use VoteType::{Precommit, Prevote};

/// A height that has a chain behind it and has not started.
fn unstarted() -> Given<ConsensusHeight> {
    given(known(&first_ground(FOUR), None, genesis_time()))
}

/// The same, with the chain's other parts at hand.
fn spec(chain: &Chain) -> Given<ConsensusHeight> {
    Given { state: chain.height.clone(), known: chain.known.clone() }
}

/// A height with a block proposed in its first round.
fn proposed() -> (Chain, BlockId) {
    let mut chain = Chain::new(FOUR);
    let contents = chain.block(chain.proposer(0), None);
    assert_eq!(chain.propose(0, &contents), ["proposal-accepted"]);
    (chain, contents.id())
}

/// A height whose first round's block has a polka.
fn with_polka() -> (Chain, BlockId) {
    let (mut chain, id) = proposed();
    let events = chain.all_vote(&[1, 2, 3], Prevote, 0, Some(id), 5);
    assert_eq!(events, ["vote-cast", "vote-cast", "vote-cast", "polka-reached"]);
    (chain, id)
}

/// A final height.
fn committed() -> (Chain, BlockId) {
    let (mut chain, id) = with_polka();
    let events = chain.all_vote(&[1, 2, 3], Precommit, 0, Some(id), 6);
    assert_eq!(events, ["vote-cast", "vote-cast", "vote-cast", "block-committed"]);
    (chain, id)
}

#[test]
fn a_height_starts_with_its_set_and_the_first_round() {
    let rotation = Rotation::new(&members(FOUR)).unwrap();
    unstarted().when(Command::StartHeight {}).then(vec![
        Event::HeightStarted(Box::new(HeightStarted {
            chain_id: chain_id(),
            height: height(1),
            last_block_id: None,
            last_time: genesis_time(),
            members: rotation.seats().to_vec(),
            proposer: rotation.proposer(),
            rounds_ahead_max: 8,
            timeouts: Timeouts {
                precommit_ms: 1_000,
                prevote_ms: 1_000,
                propose_ms: 1_000,
                step_ms: 500,
            },
            total_power: Power::new(40).unwrap(),
            validators_hash: set(FOUR).hash(),
        })),
        Event::RoundStarted(RoundStarted {
            deadline: at(1_000),
            proposer: rotation.proposer(),
            round: round(0),
            step: Step::Propose,
        }),
    ]);
}

#[test]
fn a_height_starts_once_after_the_one_before_and_with_the_set_that_was_announced() {
    let start = Command::StartHeight {};
    unstarted().and(start.clone()).when(start.clone()).then(vec![]);
    unstarted()
        .knowing(|known| known.start = None)
        .when(start.clone())
        .refused_as("last-not-final");
    unstarted()
        .knowing(|known| known.start.as_mut().unwrap().height = height(2))
        .when(start.clone())
        .refused(Refusal::HeightNotNext { height: height(1), next: height(2) });
    unstarted()
        .knowing(|known| known.start.as_mut().unwrap().members = members(&FOUR[..3]))
        .when(start.clone())
        .refused(Refusal::SetNotAnnounced {
            expected: set(FOUR).hash(),
            found: set(&FOUR[..3]).hash(),
        });
    unstarted()
        .knowing(|known| known.start.as_mut().unwrap().members.clear())
        .when(start)
        .refused_as("set-not-hashed");
    let (chain, id) = proposed();
    let vote = chain.vote(1, Prevote, 0, Some(id), 5);
    unstarted().when(Command::CastVote(vote)).refused_as("not-started");
}

#[test]
fn the_next_height_goes_on_with_the_rotation_whatever_the_round() {
    let mut chain = Chain::new(FOUR);
    let first = chain.started().rotation().clone();
    assert_eq!(chain.times_out(), ["round-failed", "round-started"]);
    let contents = chain.block(chain.proposer(1), None);
    chain.propose(1, &contents);
    chain.all_vote(&[1, 2, 3, 4], Prevote, 1, Some(contents.id()), 5);
    chain.all_vote(&[1, 2, 3], Precommit, 1, Some(contents.id()), 5);
    let next = chain.next(&contents, &set(FOUR));
    assert_eq!(next.started().rotation(), &first.after(1));
    assert_eq!(next.started().start().last_block_id, Some(contents.id()));
    // What changes is the set; who stays keeps the turn.
    let five = [FOUR, &[(5, 10)]].concat();
    let changed = chain.next(&contents, &set(&five));
    assert_eq!(changed.started().rotation(), &first.next(&members(&five)).unwrap());
}

#[test]
fn the_rounds_proposer_proposes_a_recorded_and_valid_block() {
    let mut chain = Chain::new(FOUR);
    let contents = chain.block(chain.proposer(0), None);
    let (id, by) = (contents.id(), chain.proposer(0));
    let offer = |by, of_round, pol| {
        let proposal = proposal(by, height(1), of_round, id, pol, at(3));
        Command::Propose(proposal)
    };
    spec(&chain).when(offer(by, 0, None)).refused(Refusal::BlockUnknown { block: id.hash });
    chain.propose(0, &contents);
    let accepted = chain.started().proposal(round(0)).unwrap();
    assert_eq!(accepted.block_time, genesis_time());
    assert_eq!(accepted.deadline, Some(at(1_000)));
    assert_eq!(chain.started().step(), Step::Prevote);

    let known = chain.known.clone();
    let fresh = Chain::new(FOUR);
    let fresh = || Given { state: fresh.height.clone(), known: known.clone() };
    let other = number(fresh().state.started().unwrap().proposer(round(1)));
    assert_ne!(other, by);
    let stranger = Refusal::ProposalNotSigned { proposer: address(by), round: round(0) };
    fresh().when(offer(other, 0, None)).refused(stranger);
    // The next round's proposer may be early; one out of reach may not.
    fresh().when(offer(other, 1, None)).then_named(&["proposal-accepted"]);
    let far = Refusal::RoundTooFar { furthest: round(8), round: round(9) };
    fresh().when(offer(by, 9, None)).refused(far);
    fresh()
        .knowing(|known| known.block.as_mut().unwrap().standing = StandingName::Invalid)
        .when(offer(by, 0, None))
        .refused(Refusal::BlockNotValid { block: id.hash, standing: StandingName::Invalid });
    fresh()
        .knowing(|known| known.block.as_mut().unwrap().height = height(2))
        .when(offer(by, 0, None))
        .refused(Refusal::BlockElsewhere { block: id.hash, height: height(2) });
}

#[test]
fn a_proposal_again_is_done_and_another_one_is_equivocation_once() {
    let (chain, id) = proposed();
    let by = chain.proposer(0);
    let first = chain.started().proposal(round(0)).unwrap().proposal();
    spec(&chain).when(Command::Propose(first)).then(vec![]);
    let again = proposal(by, height(1), 0, id, None, at(7));
    spec(&chain).when(Command::Propose(again)).then(vec![]);
    let other = BlockId { hash: domain::values::Hash::of(b"other"), ..id };
    let second = proposal(by, height(1), 0, other, None, at(7));
    let found =
        spec(&chain).when(Command::Propose(second)).then(vec![Event::EquivocationDetected(
            Box::new(EquivocationDetected {
                messages: Conflict::Proposals { first: Box::new(first), second: Box::new(second) },
                power: Power::new(10).unwrap(),
                round: round(0),
                total_power: Power::new(40).unwrap(),
                validator: address(by),
            }),
        )]);
    let third = BlockId { hash: domain::values::Hash::of(b"third"), ..id };
    let third = proposal(by, height(1), 0, third, None, at(8));
    found.when(Command::Propose(third)).then(vec![]);
    // A forger cannot frame a proposer.
    let forged = proposal(by % 4 + 1, height(1), 0, other, None, at(7));
    spec(&chain).when(Command::Propose(forged)).refused_as("proposal-not-signed");
}

#[test]
fn who_proposes_a_block_again_names_the_round_of_its_polka() {
    let (mut chain, id) = with_polka();
    let events = chain.times_out();
    assert_eq!(events, ["round-failed", "round-started"]);
    assert_eq!(chain.started().failure(round(0)), Some(Failure::PrecommitTimeout));
    let by = chain.proposer(1);
    let offer = |pol| Command::Propose(proposal(by, height(1), 1, id, pol, at(3)));
    spec(&chain).when(offer(Some(0))).then_named(&["proposal-accepted"]);
    spec(&chain)
        .when(offer(Some(1)))
        .refused(Refusal::PolRoundNotEarlier { pol_round: round(1), round: round(1) });
    chain.times_out();
    let by = chain.proposer(2);
    let without = Command::Propose(proposal(by, height(1), 2, id, Some(1), at(3)));
    spec(&chain)
        .when(without)
        .refused(Refusal::PolkaMissing { block: id.hash, pol_round: round(1) });
    let over = Command::Propose(proposal(chain.proposer(1), height(1), 1, id, None, at(3)));
    spec(&chain).when(over).refused(Refusal::RoundOver { current: round(2), round: round(1) });
}

#[test]
fn a_vote_counts_once_and_a_repeated_one_is_done() {
    let (chain, id) = proposed();
    let cast = chain.vote(1, Prevote, 0, Some(id), 5);
    let after =
        spec(&chain).when(Command::CastVote(cast)).then(vec![Event::VoteCast(Box::new(cast))]);
    assert_eq!(after.state.started().unwrap().vote(round(0), Prevote, address(1)), Some(&cast));
    after.clone().when(Command::CastVote(cast)).then(vec![]);
    let later = chain.vote(1, Prevote, 0, Some(id), 6);
    after.when(Command::CastVote(later)).then(vec![]);
}

#[test]
fn each_reason_why_a_vote_does_not_count_is_told() {
    let (chain, id) = proposed();
    let refused = |vote: Vote, fault: VoteFault| {
        let single = Refusal::VoteRefused { fault: fault.clone() };
        spec(&chain).when(Command::CastVote(vote)).refused(single);
        let refused = vec![RefusedVote { fault, index: 0, validator: vote.validator }];
        let many = Command::CastVotes { votes: vec![vote] };
        spec(&chain).when(many).refused(Refusal::VotesRefused { refused });
    };
    let good = chain.vote(1, Prevote, 0, Some(id), 5);
    let stranger = vote(9, height(1), Prevote, 0, Some(id), at(5));
    refused(stranger, VoteFault::NotInSet { voter: address(9) });
    refused(Vote { validator: address(2), ..good }, VoteFault::SignatureInvalid);
    refused(Vote { timestamp: at(6), ..good }, VoteFault::SignatureInvalid);
    refused(Vote { kind: Precommit, ..good }, VoteFault::SignatureInvalid);
    let elsewhere = vote(1, height(2), Prevote, 0, Some(id), at(5));
    refused(elsewhere, VoteFault::SignatureInvalid);
    let early = chain.vote(1, Prevote, 0, Some(id), 0);
    refused(early, VoteFault::TooEarly { found: at(0), least: at(1) });
    let other = BlockId { hash: domain::values::Hash::of(b"other"), ..id };
    let other = chain.vote(1, Prevote, 0, Some(other), 5);
    let found = other.block_id.unwrap().hash;
    refused(other, VoteFault::NotProposed { found, round: round(0) });
    let next_round = chain.vote(1, Prevote, 1, Some(id), 5);
    refused(next_round, VoteFault::NotProposed { found: id.hash, round: round(1) });
    let far = chain.vote(1, Prevote, 9, None, 5);
    refused(far, VoteFault::RoundTooFar { furthest: round(8), round: round(9) });
    let reach = chain.vote(1, Prevote, 8, None, 5);
    spec(&chain).when(Command::CastVote(reach)).then_named(&["vote-cast"]);
}

#[test]
fn a_bad_vote_among_many_is_named_and_spoils_no_other() {
    let (chain, id) = proposed();
    let votes: Vec<_> =
        [1, 2, 3, 4].map(|by| chain.vote(by, Prevote, 0, Some(id), 5)).into_iter().collect();
    let mut spoilt = votes.clone();
    spoilt[1].signature = Signature::from_bytes([7; 64]);
    let events = spec(&chain).when(Command::CastVotes { votes: spoilt }).events();
    let polka = PolkaReached {
        block_id: Some(id),
        deadline: Some(at(1_000)),
        power: Power::new(30).unwrap(),
        round: round(0),
        total_power: Power::new(40).unwrap(),
    };
    let refused =
        RefusedVote { fault: VoteFault::SignatureInvalid, index: 1, validator: address(2) };
    assert_eq!(
        events,
        vec![
            Event::VoteCast(Box::new(votes[0])),
            Event::VoteCast(Box::new(votes[2])),
            Event::VoteCast(Box::new(votes[3])),
            Event::PolkaReached(Box::new(polka)),
            Event::VotesRefused(VotesRefused { refused: vec![refused] }),
        ]
    );
}

#[test]
fn many_votes_come_within_bounds() {
    let (chain, id) = proposed();
    let none = Refusal::VotesCount { found: 0, maximum: VOTES_MAX };
    spec(&chain).when(Command::CastVotes { votes: vec![] }).refused(none);
    let vote = chain.vote(1, Prevote, 0, Some(id), 5);
    let many = |count| Command::CastVotes { votes: vec![vote; count] };
    spec(&chain).when(many(VOTES_MAX)).then_named(&["vote-cast"]);
    let more = Refusal::VotesCount { found: VOTES_MAX + 1, maximum: VOTES_MAX };
    spec(&chain).when(many(VOTES_MAX + 1)).refused(more);
}

#[test]
fn exactly_two_thirds_are_no_polka_and_no_commit() {
    let three = &[(1, 10), (2, 10), (3, 10)];
    let mut chain = Chain::new(three);
    let contents = chain.block(chain.proposer(0), None);
    chain.propose(0, &contents);
    let id = Some(contents.id());
    assert_eq!(chain.all_vote(&[1, 2], Prevote, 0, id, 5), ["vote-cast", "vote-cast"]);
    assert_eq!(chain.started().polka(round(0)), None);
    assert_eq!(chain.all_vote(&[1, 2], Precommit, 0, id, 5), ["vote-cast", "vote-cast"]);
    assert_eq!(chain.all_vote(&[3], Precommit, 0, id, 5), ["vote-cast", "block-committed"]);
}

#[test]
fn the_commit_of_a_final_height_verifies_and_late_precommits_complete_it() {
    let mut chain = Chain::new(FOUR);
    let contents = chain.block(chain.proposer(0), None);
    chain.propose(0, &contents);
    let id = contents.id();
    chain.all_vote(&[1, 2, 3], Prevote, 0, Some(id), 5);
    chain.all_vote(&[4], Precommit, 0, None, 7);
    chain.all_vote(&[1, 2, 3], Precommit, 0, Some(id), 6);
    let check = |commit: &Commit| {
        let commit = commit.commit().clone();
        let header = contents.header.header().clone();
        let signed = tendermint::block::signed_header::SignedHeader::new(header, commit).unwrap();
        let tally = verify_commit(&SignedHeader::new(signed).unwrap(), &set(FOUR)).unwrap();
        assert_eq!((tally.signed, tally.total), (30, 40));
    };
    let recorded = chain.started().committed().unwrap().clone();
    check(&recorded.commit);
    assert_eq!(recorded.power.value(), 30);
    assert_eq!(chain.started().commit().unwrap(), recorded.commit);

    let (mut chain, id) = committed();
    let before = chain.started().commit().unwrap();
    assert_eq!(chain.all_vote(&[4], Precommit, 0, Some(id), 9), ["vote-cast"]);
    let after = chain.started().commit().unwrap();
    let absent = |commit: &Commit| {
        commit.commit().signatures.iter().filter(|entry| entry.is_absent()).count()
    };
    assert_eq!((absent(&before), absent(&after)), (1, 0));
    // What no longer helps is done, and the first commit stays as it was recorded.
    assert_eq!(chain.all_vote(&[4], Prevote, 0, Some(id), 9), [""; 0]);
    assert_eq!(chain.all_vote(&[4], Precommit, 1, None, 9), [""; 0]);
    assert_eq!(chain.started().committed().unwrap().commit, before);
    assert_eq!(chain.times_out(), [""; 0]);
    let offer = proposal(chain.proposer(1), height(1), 1, id, None, at(3));
    spec(&chain)
        .when(Command::Propose(offer))
        .refused(Refusal::HeightFinal { block: id.hash, round: round(0) });
}

#[test]
fn more_than_two_thirds_for_nil_fail_the_round() {
    let (mut chain, id) = proposed();
    let events = chain.all_vote(&[1, 2, 3], Prevote, 0, None, 5);
    assert_eq!(events.last(), Some(&"polka-reached"));
    assert_eq!(chain.started().polka(round(0)).unwrap().block_id, None);
    let events = chain.all_vote(&[1, 2, 3], Precommit, 0, None, 5);
    assert_eq!(events[3..], ["round-failed", "round-started"]);
    assert_eq!(chain.started().failure(round(0)), Some(Failure::NilQuorum));
    assert_eq!((chain.started().round(), chain.started().step()), (round(1), Step::Propose));
    // The late vote of a failed round counts, and moves nothing.
    assert_eq!(chain.all_vote(&[4], Precommit, 0, Some(id), 5), ["vote-cast"]);
}

#[test]
fn a_failed_round_can_still_become_final_by_late_precommits() {
    let (mut chain, id) = with_polka();
    chain.all_vote(&[1, 2], Precommit, 0, Some(id), 6);
    chain.times_out();
    assert_eq!(chain.started().round(), round(1));
    let events = chain.all_vote(&[3], Precommit, 0, Some(id), 9);
    assert_eq!(events, ["vote-cast", "block-committed"]);
    assert_eq!(chain.started().committed().unwrap().round, round(0));
}

#[test]
fn a_step_times_out_only_after_its_deadline_and_only_while_it_is_waited_for() {
    let chain = Chain::new(FOUR);
    let timeout = |of_round, step| Command::TimeoutRound { round: round(of_round), step };
    let early = Refusal::DeadlineNotReached { deadline: at(1_000), now: at(0) };
    spec(&chain).when(timeout(0, Step::Propose)).refused(early);
    let late = |chain: &Chain, millis| spec(chain).knowing(|known| known.now = at(millis));
    late(&chain, 999).when(timeout(0, Step::Propose)).refused_as("deadline-not-reached");
    let next = late(&chain, 1_000).when(timeout(0, Step::Propose)).then(vec![
        Event::RoundFailed(RoundFailed { reason: Failure::ProposeTimeout, round: round(0) }),
        Event::RoundStarted(RoundStarted {
            deadline: at(2_500),
            proposer: chain.started().proposer(round(1)),
            round: round(1),
            step: Step::Propose,
        }),
    ]);
    next.clone().when(timeout(0, Step::Propose)).then(vec![]);
    next.when(timeout(2, Step::Propose))
        .refused(Refusal::RoundNotCurrent { current: round(1), round: round(2) });
    let (chain, _) = proposed();
    late(&chain, 1_000)
        .when(timeout(0, Step::Propose))
        .refused(Refusal::StepNotCurrent { current: Step::Prevote, step: Step::Propose });
    late(&chain, 1_000)
        .when(timeout(0, Step::Prevote))
        .then_named(&["round-failed", "round-started"]);
}

#[test]
fn more_than_a_third_in_a_later_round_takes_the_height_there() {
    let mut chain = Chain::new(FOUR);
    assert_eq!(chain.all_vote(&[1], Prevote, 3, None, 5), ["vote-cast"]);
    // The same voter's other vote is no further power.
    assert_eq!(chain.all_vote(&[1], Precommit, 3, None, 5), ["vote-cast"]);
    let events = chain.all_vote(&[2], Prevote, 3, None, 5);
    assert_eq!(events, ["vote-cast", "round-failed", "round-started"]);
    assert_eq!(chain.started().failure(round(0)), Some(Failure::Skipped));
    assert_eq!(chain.started().round(), round(3));
    let rotation = Rotation::new(&members(FOUR)).unwrap();
    assert_eq!(address(chain.proposer(3)), rotation.after(3).proposer());
    assert_eq!(address(chain.proposer(1)), rotation.after(1).proposer());
}

#[test]
fn a_vote_for_something_else_is_equivocation_once_and_the_first_counts() {
    let (mut chain, id) = proposed();
    chain.all_vote(&[1], Prevote, 0, Some(id), 5);
    let first = *chain.started().vote(round(0), Prevote, address(1)).unwrap();
    let second = chain.vote(1, Prevote, 0, None, 6);
    let detected = EquivocationDetected {
        messages: Conflict::Votes { first: Box::new(first), second: Box::new(second) },
        power: Power::new(10).unwrap(),
        round: round(0),
        total_power: Power::new(40).unwrap(),
        validator: address(1),
    };
    let found = spec(&chain)
        .when(Command::CastVote(second))
        .then(vec![Event::EquivocationDetected(Box::new(detected))]);
    found.clone().when(Command::CastVote(second)).then(vec![]);
    assert_eq!(found.state.started().unwrap().votes(round(0), Prevote).count(), 1);
    // Nobody is framed by a signature that is not theirs, and nil does not help to hide.
    let forged = Vote { signature: Signature::from_bytes([1; 64]), ..second };
    spec(&chain).when(Command::CastVote(forged)).refused_as("vote-refused");
    // A block that nobody proposed still proves that somebody signed twice.
    let other = BlockId { hash: domain::values::Hash::of(b"other"), ..id };
    let second = chain.vote(1, Prevote, 0, Some(other), 6);
    spec(&chain).when(Command::CastVote(second)).then_named(&["equivocation-detected"]);
}

#[test]
fn equivocation_at_a_final_height_is_evidence_that_a_later_block_can_carry() {
    let (mut chain, id) = committed();
    assert_eq!(chain.started().evidence(), vec![]);
    chain.all_vote(&[2], Precommit, 0, None, 8);
    let [one] = chain.started().evidence().try_into().unwrap();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    assert_eq!(chain.started().voter(address(2)), Some(voter));
    assert_eq!(one.verify(&chain_id(), &voter, genesis_time()), Ok(()));
    assert_eq!((one.height(), one.validator()), (height(1), address(2)));
    let read = Evidence::from_protobuf(&one.to_protobuf()).unwrap();
    assert_eq!(read, one);
    // The vote for nil comes first, whoever is given first.
    let votes = [Some(id), None].map(|id| chain.vote(2, Precommit, 0, id, 9));
    let of = |a, b| Evidence::of(height(1), a, b, &voter, genesis_time());
    assert_eq!(of(&votes[0], &votes[1]), of(&votes[1], &votes[0]));
    assert_eq!(of(&votes[0], &votes[1]).evidence().vote_a.block_id, None);
}

#[test]
fn each_way_in_which_evidence_proves_nothing_is_told() {
    let (chain, id) = committed();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    let votes = [Some(id), None].map(|id| chain.vote(2, Prevote, 0, id, 9));
    let good = Evidence::of(height(1), &votes[0], &votes[1], &voter, genesis_time());
    let fault = |change: &dyn Fn(&mut tendermint::evidence::DuplicateVoteEvidence)| {
        let mut inner = good.evidence().clone();
        change(&mut inner);
        let changed = Evidence::new(inner).unwrap();
        changed.verify(&chain_id(), &voter, genesis_time()).unwrap_err()
    };
    use evidence::Fault;
    let differ = |what: &str| Fault::VotesDiffer { what: what.to_owned() };
    let signature = |which: &str| Fault::SignatureInvalid { which: which.to_owned() };
    assert_eq!(fault(&|e| std::mem::swap(&mut e.vote_a, &mut e.vote_b)), Fault::OutOfOrder);
    assert_eq!(fault(&|e| e.vote_a = e.vote_b.clone()), Fault::SameBlock);
    assert_eq!(fault(&|e| e.vote_b.height = 2_u32.into()), differ("height"));
    assert_eq!(fault(&|e| e.vote_b.round = 1_u16.into()), differ("round"));
    let precommit = tendermint::vote::Type::Precommit;
    assert_eq!(fault(&|e| e.vote_b.vote_type = precommit), differ("type"));
    let other = tendermint::account::Id::new(*address(3).as_bytes());
    assert_eq!(fault(&|e| e.vote_b.validator_address = other), differ("validator"));
    assert_eq!(fault(&|e| e.vote_b.extension = vec![1]), Fault::Extended);
    let (expected, found) = (voter.index, voter.index + 1);
    let next = |e: &mut tendermint::evidence::DuplicateVoteEvidence| {
        e.vote_a.validator_index = found.try_into().unwrap();
    };
    assert_eq!(fault(&next), Fault::IndexMismatch { expected, found });
    let power = |value: u64| Power::new(value).unwrap();
    assert_eq!(
        fault(&|e| e.validator_power = 11_u32.into()),
        Fault::PowerMismatch { expected: power(10), found: power(11) }
    );
    assert_eq!(
        fault(&|e| e.total_voting_power = 41_u32.into()),
        Fault::TotalPowerMismatch { expected: power(40), found: power(41) }
    );
    let later = tendermint::Time::from_unix_timestamp(1_767_225_601, 0).unwrap();
    assert_eq!(
        fault(&|e| e.timestamp = later),
        Fault::TimeMismatch { expected: genesis_time(), found: at(1_000) }
    );
    assert_eq!(fault(&|e| e.vote_a.timestamp = Some(later)), signature("first"));
    assert_eq!(fault(&|e| e.vote_b.signature = e.vote_a.signature.clone()), signature("second"));
    let three = Voter::of(&set(FOUR), address(3)).unwrap();
    let of_another = good.verify(&chain_id(), &three, genesis_time());
    assert_eq!(of_another, Err(Fault::NotInSet { voter: address(2) }));
    let elsewhere = "another".parse().unwrap();
    assert_eq!(good.verify(&elsewhere, &voter, genesis_time()), Err(signature("first")));
}

#[test]
fn evidence_is_accepted_once_when_the_height_is_final_and_not_too_old() {
    let (chain, id) = committed();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    let votes = [Some(id), None].map(|id| chain.vote(2, Prevote, 0, id, 9));
    let proof = Evidence::of(height(1), &votes[0], &votes[1], &voter, genesis_time());
    let submit = || Command::SubmitEvidence { evidence: proof.clone() };
    let at_head = |head: u64| spec(&chain).knowing(|known| known.head = Some(height(head)));
    let accepted = at_head(2).when(submit()).then_named(&["evidence-accepted"]);
    assert_eq!(accepted.state.started().unwrap().evidence(), vec![proof.clone()]);
    accepted.clone().when(submit()).then(vec![]);
    // The same offence by other votes is the same offence.
    let again = chain.vote(2, Prevote, 0, None, 11);
    let other = Evidence::of(height(1), &votes[0], &again, &voter, genesis_time());
    accepted.when(Command::SubmitEvidence { evidence: other }).then(vec![]);

    spec(&chain).knowing(|known| known.head = None).when(submit()).refused_as("head-missing");
    at_head(10_001).when(submit()).then_named(&["evidence-accepted"]);
    at_head(10_002).when(submit()).refused(Refusal::EvidenceExpired {
        head: height(10_002),
        height: height(1),
        maximum: 10_000,
    });
    let open = with_polka().0;
    spec(&open).when(submit()).refused(Refusal::HeightNotFinal);
    let elsewhere = Evidence::of(height(2), &votes[0], &votes[1], &voter, genesis_time());
    spec(&chain)
        .when(Command::SubmitEvidence { evidence: elsewhere })
        .refused(Refusal::EvidenceElsewhere { found: height(2), height: height(1) });
    let wrong = Evidence::of(height(1), &votes[0], &votes[1], &voter, at(1));
    at_head(2).when(Command::SubmitEvidence { evidence: wrong }).refused_as("evidence-invalid");
}

#[test]
fn a_vote_is_later_than_the_last_block_and_than_the_block_it_is_for() {
    let (chain, _) = {
        let mut chain = Chain::new(FOUR);
        let contents = chain.block(chain.proposer(0), None);
        chain.propose(0, &contents);
        chain.all_vote(&[1, 2, 3], Prevote, 0, Some(contents.id()), 5);
        chain.all_vote(&[1, 2, 3], Precommit, 0, Some(contents.id()), 250);
        let commit = chain.started().commit().unwrap();
        let mut next = chain.next(&contents, &set(FOUR));
        let contents = next.block(next.proposer(0), Some(commit));
        // Its time is when the precommits were signed.
        assert_eq!(contents.header.time(), at(250));
        next.propose(0, &contents);
        (next, contents)
    };
    let proposal = chain.started().proposal(round(0)).unwrap();
    let id = Some(proposal.block_id);
    assert_eq!(chain.started().start().last_time, at(0));
    let early =
        Refusal::VoteRefused { fault: VoteFault::TooEarly { found: at(250), least: at(251) } };
    spec(&chain).when(Command::CastVote(chain.vote(1, Prevote, 0, id, 250))).refused(early);
    let good = Command::CastVote(chain.vote(1, Prevote, 0, id, 251));
    spec(&chain).when(good).then_named(&["vote-cast"]);
    let nil = Command::CastVote(chain.vote(1, Prevote, 0, None, 1));
    spec(&chain).when(nil).then_named(&["vote-cast"]);
}

/// As many validators as there can be, with powers as large as can be.
fn most() -> (Vec<Member>, Vec<ed25519_dalek::SigningKey>) {
    let keys: Vec<_> = (0..VALIDATORS_LIMIT)
        .map(|number| {
            let mut seed = [9; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            ed25519_dalek::SigningKey::from_bytes(&seed)
        })
        .collect();
    let member = |key: &ed25519_dalek::SigningKey| {
        let public_key =
            domain::values::PublicKey::from_bytes(key.verifying_key().to_bytes()).unwrap();
        let power = Power::new(POWER_TOTAL_MAX / u64::from(VALIDATORS_LIMIT)).unwrap();
        Member { address: public_key.address(), power, public_key }
    };
    (keys.iter().map(member).collect(), keys)
}

#[test]
fn the_largest_set_fits_into_each_record() {
    use ed25519_dalek::Signer as _;
    let (members, keys) = most();
    let pairs: Vec<_> = members.iter().map(|m| (m.public_key, m.power)).collect();
    let validators = ValidatorSet::of(&pairs).unwrap();
    let ground = domain::block::Ground {
        next_validators_hash: validators.hash(),
        validators,
        ..first_ground(FOUR)
    };
    let known: Known = known(&ground, None, genesis_time());
    let mut state = ConsensusHeight::default();
    let mut longest = 0;
    let mut does = |state: &mut ConsensusHeight, command: Command, known: &Known| {
        for event in state.decide(&command, known).unwrap() {
            longest = longest.max(serde_json::to_vec(&event).unwrap().len());
            state.evolve(&event);
        }
    };
    does(&mut state, Command::StartHeight {}, &known);
    let proposer = state.started().unwrap().proposer(round(0));
    let contents = ground.build(Default::default(), proposer, &known.parameters).unwrap();
    let (id, chain) = (contents.id(), chain_id());
    let block = crate::agreement::valid_block(
        &contents,
        &crate::agreement::block_known(&contents, &ground),
    );
    let known = Known { block: domain::consensus::ProposedBlock::of(&block), ..known };
    let key_of = |address| {
        let at = members.iter().position(|member| member.address == address).unwrap();
        &keys[at]
    };
    let offer = domain::vote::Proposal::unsigned(round(0), id, None, at(3));
    let signature = key_of(proposer).sign(&offer.sign_bytes(&chain, height(1)));
    let signature = Signature::from_bytes(signature.to_bytes());
    let offer = domain::vote::Proposal { signature, ..offer };
    does(&mut state, Command::Propose(offer), &known);
    let votes = members.iter().map(|member| {
        let vote = Vote::unsigned(Precommit, round(0), Some(id), at(3), member.address);
        let signature = key_of(member.address).sign(&vote.sign_bytes(&chain, height(1)));
        Vote { signature: Signature::from_bytes(signature.to_bytes()), ..vote }
    });
    let mut votes: Vec<_> = votes.collect();
    // Every other vote is spoilt, and comes again.
    let spoilt = |vote: &Vote| Vote { timestamp: at(4), ..*vote };
    votes = votes.iter().flat_map(|vote| [spoilt(vote), *vote]).take(VOTES_MAX).collect();
    does(&mut state, Command::CastVotes { votes }, &known);
    assert!(state.started().unwrap().committed().is_some());
    // The record's other fields take less than 2,000 bytes.
    assert!(longest < 65_535 - 2_000, "{longest} bytes");
}

/// One event of each name.
pub fn one_of_each() -> Vec<Event> {
    let mut chain = Chain::new(FOUR);
    let mut events = chain_events(&mut chain);
    let (final_chain, id) = committed();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    let votes = [Some(id), None].map(|id| final_chain.vote(2, Prevote, 0, id, 9));
    let evidence = Evidence::of(height(1), &votes[0], &votes[1], &voter, genesis_time());
    let known = Known { head: Some(height(2)), ..final_chain.known.clone() };
    let submit = Command::SubmitEvidence { evidence };
    events.extend(final_chain.height.decide(&submit, &known).unwrap());
    events
}

/// A height that fails once and has somebody who votes twice.
fn chain_events(chain: &mut Chain) -> Vec<Event> {
    let mut events = Vec::new();
    let mut does = |chain: &mut Chain, command: Command| {
        let happened = chain.height.decide(&command, &chain.known).unwrap();
        happened.iter().for_each(|event| chain.height.evolve(event));
        events.extend(happened);
    };
    let contents = chain.block(chain.proposer(1), None);
    let id = Some(contents.id());
    let block = crate::agreement::valid_block(
        &contents,
        &crate::agreement::block_known(&contents, &chain.ground),
    );
    let mut begun = Chain::new(FOUR);
    begun.height = ConsensusHeight::default();
    does(&mut begun, Command::StartHeight {});
    begun.known.now = at(1_000);
    does(&mut begun, Command::TimeoutRound { round: round(0), step: Step::Propose });
    begun.known.block = domain::consensus::ProposedBlock::of(&block);
    let offer = proposal(begun.proposer(1), height(1), 1, contents.id(), None, at(1_001));
    does(&mut begun, Command::Propose(offer));
    let mut votes: Vec<_> =
        [1, 2, 3].map(|by| begun.vote(by, Prevote, 1, id, 1_002)).into_iter().collect();
    votes.push(Vote { validator: address(4), ..votes[0] });
    does(&mut begun, Command::CastVotes { votes });
    let twice = begun.vote(1, Prevote, 1, None, 1_003);
    does(&mut begun, Command::CastVote(twice));
    let votes = [1, 2, 3].map(|by| begun.vote(by, Precommit, 1, id, 1_004)).into_iter().collect();
    does(&mut begun, Command::CastVotes { votes });
    *chain = begun;
    events
}

/// One command of each name, as the contract shows them.
pub fn examples() -> Vec<serde_json::Value> {
    let (chain, id) = committed();
    let voter = Voter::of(&set(FOUR), address(2)).unwrap();
    let votes = [Some(id), None].map(|id| chain.vote(2, Prevote, 0, id, 9));
    let evidence = Evidence::of(height(1), &votes[0], &votes[1], &voter, genesis_time());
    let commands = [
        Command::StartHeight {},
        Command::Propose(chain.started().proposal(round(0)).unwrap().proposal()),
        Command::CastVote(chain.vote(1, Prevote, 0, Some(id), 5)),
        Command::CastVotes {
            votes: vec![
                chain.vote(1, Precommit, 0, Some(id), 6),
                chain.vote(2, Precommit, 0, None, 7),
            ],
        },
        Command::TimeoutRound { round: round(0), step: Step::Propose },
        Command::SubmitEvidence { evidence },
    ];
    commands.iter().map(|command| serde_json::to_value(command).unwrap()).collect()
}

#[test]
fn names_of_events_are_those_that_are_listed() {
    for event in one_of_each() {
        assert!(Event::NAMES.contains(&event.name()));
    }
}
