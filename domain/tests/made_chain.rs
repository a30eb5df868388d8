//! A chain made by our own record, block by block, is one that light clients of others verify: with
//! proposers taking turns, rounds that fail, commits of the block before, and sets that change.

use std::collections::BTreeSet;

use domain::{
    light::{
        Options, SignedHeader, Trusted, ValidatorSet, Verdict, commit_hash, verify, verify_commit,
    },
    values::Moment,
    vote::VoteType::{Precommit, Prevote},
};

use crate::{
    agreement::{Chain, FOUR, at},
    fixture::set,
};

const HEIGHTS: u64 = 40;
const EPOCH: u64 = 8;

/// Who is in the set of an epoch: each time somebody joins, and somebody leaves or changes power.
const SETS: &[&[(u8, u64)]] = &[
    FOUR,
    &[(1, 10), (2, 10), (3, 10), (4, 10), (5, 30)],
    &[(2, 25), (3, 10), (5, 30), (6, 5)],
    &[(2, 25), (3, 10), (5, 31), (7, 70)],
    &[(7, 70), (8, 100), (9, 1)],
];

fn set_of(height: u64) -> &'static [(u8, u64)] {
    SETS[usize::try_from((height - 1) / EPOCH).unwrap().min(SETS.len() - 1)]
}

/// How many rounds of a height fail before one does not.
fn rounds_that_fail(height: u64) -> u32 {
    match height % 7 {
        3 => 1,
        5 => 2,
        _ => 0,
    }
}

/// A verified height: its header, and the set that signed it.
struct Made {
    signed: SignedHeader,
    set: ValidatorSet,
}

fn make() -> Vec<Made> {
    let mut chain = Chain::new(SETS[0]);
    let mut made: Vec<Made> = Vec::new();
    let mut last_commit = None;
    for height in 1..=HEIGHTS {
        let (members, next) = (set_of(height), set(set_of(height + 1)));
        chain.ground.next_validators_hash = next.hash();
        let round = rounds_that_fail(height);
        (0..round).for_each(|_| fail(&mut chain, members, height));
        let contents = chain.block(chain.proposer(round), last_commit.take());
        assert_eq!(chain.propose(round, &contents), ["proposal-accepted"]);
        let everybody: Vec<u8> = members.iter().map(|(number, _)| *number).collect();
        let id = Some(contents.id());
        let since = chain.started().start().last_time.micros();
        let after = u64::try_from(contents.header.time().micros() - since).unwrap() / 1_000;
        chain.all_vote(&everybody, Prevote, round, id, after + 20);
        // The clocks differ, and somebody is always late: its precommit comes after the commit.
        let (late, others) = everybody.split_last().unwrap();
        for (lag, by) in others.iter().zip((30..).step_by(7)).map(|(by, lag)| (lag, *by)) {
            chain.all_vote(&[by], Precommit, round, id, after + lag);
        }
        chain.all_vote(&[*late], Precommit, round, id, after + 900);
        let commit = chain.started().commit().unwrap();
        let signed = tendermint::block::signed_header::SignedHeader::new(
            contents.header.header().clone(),
            commit.commit().clone(),
        );
        let signed = SignedHeader::new(signed.unwrap()).unwrap();
        made.push(Made { signed, set: chain.ground.validators.clone() });
        chain = chain.next(&contents, &next);
        last_commit = Some(commit);
    }
    made
}

/// A round comes to nothing: by its deadline, or because everybody precommits nil.
fn fail(chain: &mut Chain, members: &[(u8, u64)], height: u64) {
    let round = chain.started().round().value();
    if height.is_multiple_of(2) {
        assert_eq!(chain.times_out(), ["round-failed", "round-started"]);
        return;
    }
    let everybody: Vec<u8> = members.iter().map(|(number, _)| *number).collect();
    chain.all_vote(&everybody, Prevote, round, None, 10);
    let events = chain.all_vote(&everybody, Precommit, round, None, 11);
    assert!(events.ends_with(&["vote-cast"]) || events.contains(&"round-started"));
}

fn options() -> Options {
    Options { trusting_period_s: 86_400, clock_drift_s: 10 }
}

fn trusted<'m>(made: &'m Made, next: &'m ValidatorSet) -> Trusted<'m> {
    Trusted {
        chain_id: made.signed.chain_id(),
        height: made.signed.height(),
        time: made.signed.time(),
        time_nanos: made.signed.time_nanos(),
        next_validators_hash: made.signed.next_validators_hash(),
        next_validators: Some(next),
    }
}

fn now() -> Moment {
    at(3_600_000)
}

#[test]
fn a_made_chain_verifies_one_header_after_the_other() {
    let made = make();
    verify_commit(&made[0].signed, &made[0].set).unwrap();
    for pair in made.windows(2) {
        let [before, after] = pair else { unreachable!("windows of two") };
        let trusted = trusted(before, &after.set);
        let verdict = verify(&after.signed, &after.set, None, &trusted, options(), now());
        assert!(matches!(verdict, Verdict::Trusted(_)), "{}: {verdict:?}", after.signed.height());
        assert_eq!(after.signed.last_block_hash(), Some(before.signed.hash()));
        let named = after.signed.signed().header.last_commit_hash.unwrap();
        assert_eq!(named.as_bytes(), commit_hash(&before.signed).as_bytes());
        assert!(after.signed.time() > before.signed.time());
        assert_eq!(after.signed.time_nanos(), 0);
    }
}

#[test]
fn a_made_chain_verifies_by_skipping_wherever_a_third_of_the_set_stayed() {
    let made = make();
    let (mut skipped, mut too_far) = (0, 0);
    for (index, base) in made.iter().enumerate() {
        let next = &made[(index + 1).min(made.len() - 1)].set;
        if next.hash() != base.signed.next_validators_hash() {
            continue;
        }
        for target in made.iter().skip(index + 2) {
            let trusted = trusted(base, next);
            let verdict = verify(&target.signed, &target.set, None, &trusted, options(), now());
            let stayed: u64 = next
                .members()
                .filter(|(address, _)| target.set.members().any(|(other, _)| other == *address))
                .map(|(_, power)| power)
                .sum();
            match verdict {
                Verdict::Trusted(_) => skipped += 1,
                Verdict::NotEnoughTrust { .. } => {
                    assert!(3 * stayed <= next.total_power(), "{stayed}");
                    too_far += 1;
                }
                Verdict::Refused(fault) => panic!("{}: {fault}", target.signed.height()),
            }
        }
    }
    assert!(skipped > 400 && too_far > 100, "{skipped} {too_far}");
}

#[test]
fn a_made_chain_has_several_rounds_and_everybodys_turn() {
    let made = make();
    let rounds: BTreeSet<_> = made.iter().map(|made| made.signed.round().value()).collect();
    assert_eq!(rounds, BTreeSet::from([0, 1, 2]));
    let sets: BTreeSet<_> = made.iter().map(|made| made.set.hash()).collect();
    assert_eq!(sets.len(), SETS.len());
    let proposers: BTreeSet<_> = made.iter().map(|made| made.signed.proposer()).collect();
    assert!(proposers.len() > 5, "{}", proposers.len());
}
