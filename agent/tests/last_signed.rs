//! Nothing is signed twice.

use agent::rounds::{LastSigned, Permission, Said};
use domain::{
    consensus::Step,
    hashes::Parts,
    values::{Hash, Moment},
    vote::BlockId,
};
use proptest::prelude::*;

use crate::world::{genesis_time, height, round};

fn block(name: u8) -> BlockId {
    let parts = Parts { hash: Hash::of(&[name]), total: 1.try_into().unwrap() };
    BlockId { hash: Hash::of(&[name]), parts }
}

fn said(place: (u64, u32, Step), block_id: Option<BlockId>, millis: u64) -> Said {
    let timestamp = genesis_time().plus_millis(millis);
    let (at, of, step) = place;
    Said { block_id, height: height(at), pol_round: None, round: round(of), step, timestamp }
}

#[test]
fn nothing_was_said_at_first() {
    let first = said((1, 0, Step::Propose), Some(block(1)), 0);
    assert_eq!(LastSigned::default().permits(&first), Permission::New);
    assert_eq!(LastSigned::default().said(), None);
}

#[test]
fn what_comes_later_is_new_and_what_comes_before_is_over() {
    let last = LastSigned::after(said((5, 2, Step::Prevote), Some(block(1)), 0));
    let permits = |place| last.permits(&said(place, Some(block(1)), 9));
    for later in [(5, 2, Step::Precommit), (5, 3, Step::Propose), (6, 0, Step::Propose)] {
        assert_eq!(permits(later), Permission::New, "{later:?}");
    }
    for before in [(5, 2, Step::Propose), (5, 1, Step::Precommit), (4, 9, Step::Precommit)] {
        assert_eq!(permits(before), Permission::Over, "{before:?}");
    }
}

#[test]
fn the_same_again_has_the_time_it_had_and_anything_else_contradicts() {
    let place = (5, 2, Step::Propose);
    let first = said(place, Some(block(1)), 7);
    let last = LastSigned::after(first);
    assert_eq!(last.permits(&said(place, Some(block(1)), 9)), Permission::Again(first.timestamp));
    assert_eq!(last.permits(&said(place, Some(block(2)), 7)), Permission::Contradicts);
    assert_eq!(last.permits(&said(place, None, 7)), Permission::Contradicts);
    let other = Said { pol_round: Some(round(1)), ..first };
    assert_eq!(last.permits(&other), Permission::Contradicts);
    let parts = Parts { total: 2.try_into().unwrap(), ..block(1).parts };
    let other = Said { block_id: Some(BlockId { parts, ..block(1) }), ..first };
    assert_eq!(last.permits(&other), Permission::Contradicts);
}

#[test]
fn what_was_signed_last_is_read_back_as_it_was_kept() {
    let last = LastSigned::after(said((5, 2, Step::Precommit), None, 7));
    let text = serde_json::to_string(&last).unwrap();
    assert_eq!(serde_json::from_str::<LastSigned>(&text).unwrap(), last);
    assert_eq!(serde_json::from_str::<LastSigned>("null").unwrap(), LastSigned::default());
}

proptest! {
    #[test]
    fn in_no_order_of_wishes_are_two_things_said_in_one_place(
        wishes in proptest::collection::vec((1..4_u64, 0..3_u32, 0..3_u8, 0..3_u8), 1..40),
    ) {
        let mut last = LastSigned::default();
        let mut signed = std::collections::BTreeMap::<_, (Option<BlockId>, Moment)>::new();
        for ((at, of, step, name), millis) in wishes.into_iter().zip(0..) {
            let step = [Step::Propose, Step::Prevote, Step::Precommit][usize::from(step)];
            let block_id = (name > 0).then(|| block(name));
            let mut wish = said((at, of, step), block_id, millis);
            match last.permits(&wish) {
                Permission::New => {}
                Permission::Again(time) => wish.timestamp = time,
                Permission::Over | Permission::Contradicts => continue,
            }
            last = LastSigned::after(wish);
            let now = (block_id, wish.timestamp);
            let before = signed.insert((at, of, step), now);
            prop_assert!(before.is_none_or(|before| before == now));
        }
    }
}
