//! Whose turn it is: the facts CometBFT publishes in its own tests, and what holds for every set.

use domain::{
    proposer::{Fault, Priority, Rotation, Seat},
    validator_set::Member,
    values::{Address, POWER_TOTAL_MAX, Power, Round},
};
use proptest::{collection::btree_map, prelude::*};

use crate::fixture::public_key;

/// A member whose address begins with `name`; its key plays no part.
fn member(name: &[u8], power: u64) -> Member {
    let mut address = [0; 20];
    address[..name.len()].copy_from_slice(name);
    let power = Power::new(power).unwrap();
    Member { address: Address::from_bytes(address), power, public_key: public_key(1) }
}

/// A member whose address ends with this byte.
fn numbered(number: u8, power: u64) -> Member {
    let mut name = [0; 20];
    name[19] = number;
    member(&name, power)
}

fn rotation(members: &[Member]) -> Rotation {
    Rotation::new(members).unwrap()
}

fn name(address: Address) -> String {
    let bytes = address.as_bytes().iter().copied().take_while(|byte| *byte != 0).collect();
    String::from_utf8(bytes).unwrap()
}

fn priorities(rotation: &Rotation) -> Vec<i64> {
    rotation.seats().iter().map(|seat| seat.priority.value()).collect()
}

/// Whoever proposes at each of so many turns.
fn turns(rotation: &Rotation, count: usize) -> Vec<Address> {
    let mut rotation = rotation.clone();
    let mut proposers = Vec::new();
    for _ in 0..count {
        proposers.push(rotation.proposer());
        rotation.advance(1);
    }
    proposers
}

#[test]
fn three_weighted_validators_take_the_99_turns_that_cometbft_publishes() {
    let set = rotation(&[member(b"foo", 1000), member(b"bar", 300), member(b"baz", 330)]);
    // TestProposerSelection1.
    let expected = "foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo \
        bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo foo bar foo baz foo foo bar \
        foo baz foo foo bar foo baz foo foo bar foo baz foo foo foo baz bar foo foo foo baz \
        foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo bar foo foo baz foo \
        foo bar foo baz foo foo bar foo baz foo foo bar foo baz foo foo";
    let expected: Vec<_> = expected.split_whitespace().collect();
    assert_eq!(expected.len(), 99);
    let found: Vec<_> = turns(&set, 99).into_iter().map(name).collect();
    assert_eq!(found, expected);
}

#[test]
fn equals_take_turns_by_address() {
    let set = rotation(&[numbered(2, 100), numbered(0, 100), numbered(1, 100)]);
    let expected: Vec<_> = (0..15).map(|turn| numbered(turn % 3, 1).address).collect();
    assert_eq!(turns(&set, 15), expected);
}

#[test]
fn whoever_has_more_than_all_others_proposes_twice_in_a_row() {
    let first =
        |power| turns(&rotation(&[numbered(0, 100), numbered(1, 100), numbered(2, power)]), 3);
    let named = |numbers: [u8; 2]| numbers.map(|number| numbered(number, 1).address);
    assert_eq!(first(400)[..2], named([2, 0]));
    assert_eq!(first(401)[..2], named([2, 2]));
    assert_eq!(first(401)[2], numbered(0, 1).address);
}

#[test]
fn everybody_proposes_in_proportion_to_their_power() {
    let set = rotation(&[numbered(0, 4), numbered(1, 5), numbered(2, 3)]);
    let turns = turns(&set, 120);
    let count = |number| turns.iter().filter(|who| **who == numbered(number, 1).address).count();
    assert_eq!([count(0), count(1), count(2)], [40, 50, 30]);
}

#[test]
fn priorities_go_the_way_cometbft_publishes_step_by_step() {
    // TestAveragingInIncrementProposerPriorityWithVotingPower: powers 10, 1 and 1, all at zero.
    let seats = [(0, 10), (1, 1), (2, 1)].map(|(number, power)| Seat {
        address: numbered(number, 1).address,
        power: Power::new(power).unwrap(),
        priority: Priority::new(0),
        public_key: public_key(1),
    });
    let start = Rotation::restored(seats.to_vec(), seats[0].address).unwrap();
    let expected: [(u32, u8, [i64; 3]); 11] = [
        (1, 0, [-2, 1, 1]),
        (2, 0, [-4, 2, 2]),
        (3, 0, [-6, 3, 3]),
        (4, 0, [-8, 4, 4]),
        (5, 1, [2, -7, 5]),
        (6, 0, [0, -6, 6]),
        (7, 0, [-2, -5, 7]),
        (8, 0, [-4, -4, 8]),
        (9, 2, [6, -3, -3]),
        (10, 0, [4, -2, -2]),
        (11, 0, [2, -1, -1]),
    ];
    for (steps, proposer, wanted) in expected {
        let mut rotation = start.clone();
        rotation.advance(steps);
        assert_eq!(rotation.proposer(), numbered(proposer, 1).address, "after {steps}");
        assert_eq!(priorities(&rotation), wanted, "after {steps}");
        assert_eq!(start.after(steps), rotation, "one step at a time");
    }
}

#[test]
fn priorities_are_centred_once_before_the_first_step() {
    let with = |priorities: [i64; 3], turns| {
        let seats = [(0, 1), (1, 2), (2, 3)].map(|(index, number)| Seat {
            address: numbered(number, 1).address,
            power: Power::ZERO,
            priority: Priority::new(priorities[index]),
            public_key: public_key(1),
        });
        let mut rotation = Rotation::restored(seats.to_vec(), seats[0].address).unwrap();
        rotation.advance(turns);
        self::priorities(&rotation)
    };
    // TestAveragingInIncrementProposerPriority, where nobody has power.
    assert_eq!(with([1, 2, 3], 1), [-1, 0, 1]);
    assert_eq!(with([10, -10, 1], 11), [10, -10, 1]);
    assert_eq!(with([100, -10, 1], 1), [70, -40, -29]);
}

#[test]
fn a_change_of_the_set_sorts_it_anew_and_newcomers_begin_below_everybody() {
    let before = rotation(&[member(b"v3", 1000), member(b"v2", 10), member(b"v1", 1)]);
    let members = [member(b"v1", 1), member(b"v2", 1), member(b"v4", 40), member(b"v5", 50)];
    let after = before.after(1234).next(&members).unwrap();
    let names: Vec<_> = after.seats().iter().map(|seat| name(seat.address)).collect();
    assert_eq!(names, ["v5", "v4", "v1", "v2"]);
    // Each gained its power since, and the proposer paid for all.
    let mut found = priorities(&after);
    for (priority, seat) in found.iter_mut().zip(after.seats()) {
        *priority -= i64::try_from(seat.power.value()).unwrap();
        if seat.address == after.proposer() {
            *priority += 92;
        }
    }
    assert_eq!(found[0], found[1]);
    assert!(found[0] < found[2].min(found[3]), "{found:?}");
}

#[test]
fn a_newcomer_begins_at_minus_nine_eighths_of_the_power_before_anybody_left() {
    let set = rotation(&[member(b"v1", 100), member(b"v2", 60)]);
    // v1 had the first turn and paid 160 for it.
    assert_eq!(priorities(&set), [-60, 60]);
    let next = set.next(&[member(b"v1", 100), member(b"v3", 40)]).unwrap();
    // Power before anybody left: 100 + 60 + 40. The average of -60 and -225, rounded down, is -143.
    let (stayed, came) = (-60 + 143, -225 + 143);
    assert_eq!(priorities(&next), [stayed + 100 - 140, came + 40]);
    assert_eq!(name(next.proposer()), "v1");
}

#[test]
fn a_set_of_huge_powers_neither_overflows_nor_clips() {
    let half = POWER_TOTAL_MAX / 2;
    let mut set = rotation(&[member(b"v1", POWER_TOTAL_MAX - 1), member(b"v2", 1)]);
    set.advance(5000);
    let set = set.next(&[member(b"v1", half - 1), member(b"v2", half)]).unwrap();
    let others = [member(b"v4", POWER_TOTAL_MAX - 2), member(b"v2", 1), member(b"v3", 1)];
    let set = set.next(&others).unwrap();
    assert_eq!(set.total_power(), POWER_TOTAL_MAX);
    assert_sound(&set);
}

#[test]
fn what_is_no_set_is_refused() {
    let good = rotation(&[member(b"v1", 10), member(b"v2", 10)]);
    let fault = |members: &[Member]| {
        let fault = good.next(members).unwrap_err();
        assert_eq!(Rotation::new(members).unwrap_err(), fault);
        fault
    };
    assert_eq!(fault(&[]), Fault::Empty);
    let idle = member(b"v3", 0);
    assert_eq!(fault(&[member(b"v1", 10), idle]), Fault::NoPower { member: idle.address });
    let twice = [member(b"v1", 11), member(b"v2", 20), member(b"v1", 12)];
    assert_eq!(fault(&twice), Fault::Twice { member: twice[0].address });
    let (found, maximum) = ((POWER_TOTAL_MAX + 1).to_string(), POWER_TOTAL_MAX.to_string());
    let large = [member(b"v1", POWER_TOTAL_MAX), member(b"v2", 1)];
    assert_eq!(fault(&large), Fault::PowerTooLarge { found, maximum });
}

#[test]
fn a_priority_is_a_plain_decimal_with_a_sign_only_when_negative() {
    for good in ["0", "-1", "9223372036854775807", "-9223372036854775808"] {
        assert_eq!(good.parse::<Priority>().unwrap().to_string(), good);
    }
    for bad in ["", "+1", "-0", "01", "1.0", "9223372036854775808", " 1"] {
        assert!(bad.parse::<Priority>().is_err(), "{bad}");
    }
}

/// What CometBFT's tests ask of every set: centred, and within the window of twice the whole power,
/// beyond which a turn goes by the whole power at most.
fn assert_sound(rotation: &Rotation) {
    let priorities = priorities(rotation);
    let count = i128::try_from(priorities.len()).unwrap();
    let sum: i128 = priorities.iter().map(|priority| i128::from(*priority)).sum();
    assert!(sum.abs() < count, "centred: {sum}");
    let (least, most) = (priorities.iter().min().unwrap(), priorities.iter().max().unwrap());
    let apart = i128::from(*most) - i128::from(*least);
    assert!(apart <= 3 * i128::from(rotation.total_power()), "{apart} apart");
    assert!(rotation.seats().iter().any(|seat| seat.address == rotation.proposer()));
}

fn sets() -> impl Strategy<Value = Vec<Member>> {
    let powers = prop_oneof![4 => 1..20_u64, 2 => 1..1_000_000_u64, 1 => 1..POWER_TOTAL_MAX / 40];
    btree_map(0..40_u8, powers, 1..20)
        .prop_map(|set| set.into_iter().map(|(number, power)| numbered(number, power)).collect())
}

proptest! {
    #[test]
    fn sets_stay_centred_and_within_the_window_whatever_changes(
        changes in proptest::collection::vec((sets(), 1..200_u32), 1..6),
    ) {
        let mut set = rotation(&changes[0].0);
        for (members, turns) in changes {
            set = set.next(&members).unwrap();
            assert_sound(&set);
            set.advance(turns);
            assert_sound(&set);
        }
    }

    #[test]
    fn the_order_in_which_members_are_given_does_not_matter(members in sets(), other in sets()) {
        let mut backwards = members.clone();
        backwards.reverse();
        let set = rotation(&members);
        prop_assert_eq!(&set, &rotation(&backwards));
        let mut turned = other.clone();
        turned.rotate_left(other.len() / 2);
        prop_assert_eq!(set.next(&other).unwrap(), set.next(&turned).unwrap());
    }

    #[test]
    fn nobody_waits_much_longer_than_their_share(members in sets()) {
        let members: Vec<_> = members
            .into_iter()
            .map(|m| Member { power: Power::new(m.power.value() % 50 + 1).unwrap(), ..m })
            .collect();
        let set = rotation(&members);
        let total = usize::try_from(set.total_power()).unwrap();
        // In as many turns as the set has power, everybody proposes as often as they have power.
        let turns = turns(&set, total);
        for seat in set.seats() {
            let count = turns.iter().filter(|who| **who == seat.address).count();
            let share = usize::try_from(seat.power.value()).unwrap();
            prop_assert!(count.abs_diff(share) <= 1, "{count} turns for {share} of {total}");
        }
    }

    #[test]
    fn rounds_of_a_height_do_not_change_the_next_height(members in sets(), round in 0..20_u32) {
        let set = rotation(&members);
        let round = Round::try_from(round).unwrap();
        prop_assert_eq!(set.proposer_of(round), set.after(round.value()).proposer());
        prop_assert_eq!(set.next(&members).unwrap(), set.after(1));
    }

    #[test]
    fn a_rotation_is_restored_from_what_was_written_down(members in sets(), turns in 0..50_u32) {
        let set = rotation(&members).after(turns);
        let text = serde_json::to_string(set.seats()).unwrap();
        let seats: Vec<Seat> = serde_json::from_str(&text).unwrap();
        prop_assert_eq!(Rotation::restored(seats, set.proposer()).unwrap(), set);
    }
}
