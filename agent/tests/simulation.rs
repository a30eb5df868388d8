//! Four validators whose minds are the driver's, and a record that decides by itself: each is the
//! other's judge, whatever is delayed, repeated, reordered, said twice or brought down.

use std::collections::BTreeSet;

use agent::rounds::{Effect, Rounds};
use domain::{consensus::Event, vote::VoteType};
use proptest::prelude::*;

use crate::world::{FOUR, Trouble, Validator, World, address, height};

const HEIGHTS: u64 = 4;
const ACTIONS_MAX: u32 = 60_000;

/// Everybody decided the same at every height, as the record did; nobody honest said two things.
fn check(world: &World, trouble: Trouble, seed: u64) {
    for number in 1..=HEIGHTS {
        let record = world.heights[&height(number)].started().unwrap();
        let committed = record.committed().unwrap_or_else(|| panic!("{seed}: height {number}"));
        let ours: BTreeSet<_> =
            world.validators.iter().map(|v| v.decided[&height(number)]).collect();
        assert_eq!(ours, BTreeSet::from([committed.block_id]), "{seed}: height {number}");
        for found in record.equivocations() {
            assert_eq!(Some(found.validator), trouble.liar.map(address), "{seed}: {found:?}");
        }
    }
    for validator in &world.validators {
        assert_replayed(validator);
    }
}

/// The same messages at the same times lead to the same wishes.
fn assert_replayed(validator: &Validator) {
    let mut again = Rounds::new(address(validator.number), validator.kept_at_birth);
    let wanted: Vec<Effect> =
        validator.told.iter().flat_map(|(message, now)| again.takes(message, *now)).collect();
    assert_eq!(wanted, validator.wanted);
    assert_eq!(again.last_signed(), validator.rounds.last_signed());
}

fn run(seed: u64, trouble: Trouble) -> World {
    let mut world = World::new(FOUR, seed, trouble);
    world.run(HEIGHTS, ACTIONS_MAX);
    check(&world, trouble, seed);
    world
}

/// How many heights took more than one round.
fn later_rounds(world: &World) -> usize {
    let rounds = world.heights.values().filter_map(|record| record.started()?.committed());
    rounds.filter(|committed| committed.round.value() > 0).count()
}

#[test]
fn undisturbed_validators_decide_each_height_in_its_first_round() {
    let world = run(1, Trouble::default());
    assert_eq!(later_rounds(&world), 0);
    assert_eq!(world.crashes, 0);
    let proposers: BTreeSet<_> = (1..=HEIGHTS)
        .map(|number| world.heights[&height(number)].started().unwrap().start().proposer)
        .collect();
    assert_eq!(proposers.len(), 4, "everybody has a turn");
}

#[test]
fn slow_and_repeated_messages_cost_rounds_and_nothing_else() {
    let trouble = Trouble { slow_one_in: 6, twice_one_in: 5, ..Trouble::default() };
    let later: usize = (1..=12).map(|seed| later_rounds(&run(seed, trouble))).sum();
    assert!(later > 5, "{later}");
}

#[test]
fn validators_that_crash_come_back_and_never_say_two_things() {
    let trouble = Trouble { crash_one_in: 25, slow_one_in: 10, ..Trouble::default() };
    let crashes: u32 = (1..=12).map(|seed| run(seed, trouble).crashes).sum();
    assert!(crashes > 60, "{crashes}");
}

#[test]
fn one_who_says_two_things_is_found_and_stops_nobody() {
    let trouble = Trouble { liar: Some(3), slow_one_in: 9, ..Trouble::default() };
    let mut found = 0;
    for seed in 1..=12 {
        let world = run(seed, trouble);
        found += world.log.iter().filter(|e| matches!(e, Event::EquivocationDetected(_))).count();
    }
    assert!(found > 40, "{found}");
}

#[test]
fn the_drivers_count_and_the_records_agree_at_every_polka_and_commit() {
    let trouble = Trouble { liar: Some(2), slow_one_in: 8, ..Trouble::default() };
    let world = run(7, trouble);
    let mut rounds = Rounds::new(address(9), Default::default());
    let (mut polkas, mut commits) = (0, 0);
    for event in &world.log {
        let _ = rounds.takes(&agent::rounds::Message::Read(event.clone()), world.now());
        match event {
            Event::PolkaReached(polka) => {
                polkas += 1;
                let kind = VoteType::Prevote;
                assert!(rounds.counts_quorum(polka.round, kind, polka.block_id));
            }
            Event::BlockCommitted(committed) => {
                commits += 1;
                let block_id = Some(committed.block_id);
                assert!(rounds.counts_quorum(committed.round, VoteType::Precommit, block_id));
            }
            _ => {}
        }
    }
    assert!(polkas >= 4 && commits >= 4, "{polkas} {commits}");
}

/// How many schedules are tried; `make attack` tries more.
fn schedules(usual: u32) -> u32 {
    let wanted = std::env::var("NODE0_SCHEDULES").ok();
    wanted.map_or(usual, |text| text.parse().expect("a number of schedules"))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: schedules(24), ..ProptestConfig::default() })]

    #[test]
    fn whatever_goes_wrong_below_a_third_everybody_decides_the_same(
        seed in any::<u64>(),
        slow_one_in in 0..12_u64,
        twice_one_in in 0..6_u64,
        crash_one_in in prop_oneof![Just(0), 20..60_u64],
        liar in prop_oneof![Just(None), (1..=4_u8).prop_map(Some)],
    ) {
        let slow_one_in = if slow_one_in < 4 { 0 } else { slow_one_in };
        run(seed, Trouble { slow_one_in, twice_one_in, crash_one_in, liar });
    }
}
