//! The choice of the set, epoch by epoch.

use domain::{
    aggregate::Aggregate as _,
    parameters::{Churn, Parameters},
    validator_set::{
        Candidate, Command, Event, Known, Member, Refusal, ValidatorSet, ValidatorSetRotated,
    },
    values::{Address, Epoch, POWER_TOTAL_MAX, Power},
};

use crate::{
    fixture::{address, moment, public_key, set},
    spec::{Given, given},
};

fn epoch(number: u64) -> Epoch {
    Epoch::new(number).unwrap()
}

fn rotate(number: u64) -> Command {
    Command::Rotate { epoch: epoch(number) }
}

fn candidate(number: u8, power: u64) -> Candidate {
    let power = Power::new(power).unwrap();
    Member { address: address(number), power, public_key: public_key(number) }
}

fn candidates(of: &[(u8, u64)]) -> Vec<Candidate> {
    of.iter().map(|(number, power)| candidate(*number, *power)).collect()
}

fn none() -> Given<ValidatorSet> {
    given(Known {
        now: moment("2026-01-01T00:00:00Z"),
        parameters: Parameters::default(),
        candidates: Vec::new(),
    })
}

/// A set chosen for epoch 0.
fn chosen(of: &[(u8, u64)]) -> Given<ValidatorSet> {
    none().knowing(|known| known.candidates = candidates(of)).and(rotate(0))
}

/// Who is in the set after the next rotation, in the set's order, with their powers.
fn after(before: Given<ValidatorSet>, next: &[(u8, u64)]) -> Vec<(Address, u64)> {
    let after = before.knowing(|known| known.candidates = candidates(next)).and(rotate(1));
    after.state.members().iter().map(|member| (member.address, member.power.value())).collect()
}

fn named(of: &[(u8, u64)]) -> Vec<(Address, u64)> {
    of.iter().map(|(number, power)| (address(*number), *power)).collect()
}

#[test]
fn the_first_set_takes_all_candidates_by_power_then_address() {
    let (mut low, mut high) = ((1, 10), (2, 10));
    if address(1) > address(2) {
        std::mem::swap(&mut low, &mut high);
    }
    let members = candidates(&[(3, 20), low, high]);
    none()
        .knowing(|known| known.candidates = candidates(&[high, (3, 20), low]))
        .when(rotate(0))
        .then(vec![Event::ValidatorSetRotated(ValidatorSetRotated {
            epoch: epoch(0),
            joined: members.iter().map(|member| member.address).collect(),
            left: vec![],
            members,
            set_hash: set(&[(1, 10), (2, 10), (3, 20)]).hash(),
            total_power: Power::new(40).unwrap(),
        })]);
}

#[test]
fn each_epoch_has_one_rotation_and_none_is_skipped() {
    let begun = chosen(&[(1, 10)]);
    let already = Refusal::RotatedAlready { epoch: epoch(0), last: epoch(0) };
    begun.clone().when(rotate(0)).refused(already);
    let skipped = Refusal::EpochNotNext { epoch: epoch(2), next: epoch(1) };
    begun.clone().when(rotate(2)).refused(skipped);
    begun.when(rotate(1)).then_named(&["validator-set-rotated"]);
}

#[test]
fn without_anybody_there_is_no_set() {
    none().when(rotate(0)).refused(Refusal::NobodyLeft);
    none()
        .knowing(|known| known.candidates = candidates(&[(1, 0)]))
        .when(rotate(0))
        .refused(Refusal::NobodyLeft);
}

#[test]
fn members_take_their_new_power_whatever_the_churn() {
    let before = chosen(&[(1, 10), (2, 9), (3, 8), (4, 7)]);
    let next = [(4, 40), (3, 30), (2, 20), (1, 10)];
    assert_eq!(after(before, &next), named(&next));
}

#[test]
fn at_most_two_join_or_leave_a_small_set() {
    let before = chosen(&[(1, 10), (2, 9), (3, 8)]);
    // Member 1 is gone, 4, 5 and 6 want to join: one leaves, the strongest joins.
    let next = [(2, 9), (3, 8), (4, 7), (5, 6), (6, 5)];
    assert_eq!(after(before, &next), named(&[(2, 9), (3, 8), (4, 7)]));
}

#[test]
fn whoever_is_gone_leaves_first_and_the_most_powerful_first() {
    let before = chosen(&[(1, 10), (2, 9), (3, 8), (4, 7)]);
    // 1, 2 and 3 are gone; two may leave; 3 keeps its old power.
    assert_eq!(after(before, &[(4, 7), (5, 100)]), named(&[(3, 8), (4, 7)]));
}

#[test]
fn a_full_set_changes_one_for_one_and_the_weakest_gives_way() {
    let full =
        chosen(&[(1, 10), (2, 9), (3, 8)]).knowing(|known| known.parameters.validators_max = 3);
    let next = [(4, 50), (5, 40), (1, 10), (2, 9), (3, 8)];
    assert_eq!(after(full, &next), named(&[(4, 50), (1, 10), (2, 9)]));
}

#[test]
fn a_smaller_maximum_lets_the_weakest_go_within_the_churn() {
    let before = chosen(&[(1, 10), (2, 9), (3, 8), (4, 7)])
        .knowing(|known| known.parameters.validators_max = 1);
    let next = [(1, 10), (2, 9), (3, 8), (4, 7)];
    assert_eq!(after(before, &next), named(&[(1, 10), (2, 9)]));
}

#[test]
fn the_last_member_never_leaves_for_nobody() {
    let alone = chosen(&[(1, 10)]);
    assert_eq!(after(alone.clone(), &[]), named(&[(1, 10)]));
    // With somebody to take over, it does.
    assert_eq!(after(alone, &[(2, 5)]), named(&[(2, 5)]));
}

#[test]
fn the_churn_grows_with_the_set() {
    let many: Vec<(u8, u64)> = (1..=100).map(|number| (number, 1_000)).collect();
    let before = chosen(&many).knowing(|known| {
        known.parameters.churn_per_epoch_max = Churn { floor: 2, one_in: 10 };
        known.parameters.validators_max = 300;
    });
    let next: Vec<(u8, u64)> = (1..=150).map(|number| (number, 1_000)).collect();
    assert_eq!(after(before, &next).len(), 110);
}

#[test]
fn more_power_than_a_set_may_have_is_refused() {
    let half = POWER_TOTAL_MAX / 2 + 1;
    none()
        .knowing(|known| known.candidates = candidates(&[(1, half), (2, half)]))
        .when(rotate(0))
        .refused(Refusal::PowerTooLarge { power_max: POWER_TOTAL_MAX.to_string() });
}

#[test]
fn an_address_given_twice_counts_once_with_its_greatest_power() {
    let twice = none()
        .knowing(|known| known.candidates = candidates(&[(1, 5), (1, 7), (2, 6)]))
        .and(rotate(0));
    let members: Vec<_> = twice.state.members().iter().map(|m| m.power.value()).collect();
    assert_eq!(members, [7, 6]);
}

#[test]
fn the_largest_set_fits_into_one_record() {
    let most = domain::parameters::VALIDATORS_LIMIT;
    let members: Vec<Candidate> = (0..most)
        .map(|number| {
            let mut seed = [9; 32];
            seed[..4].copy_from_slice(&number.to_be_bytes());
            let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
            let public_key = domain::values::PublicKey::from_bytes(key.to_bytes()).unwrap();
            let power = Power::new(POWER_TOTAL_MAX / 300).unwrap();
            Member { address: public_key.address(), power, public_key }
        })
        .collect();
    let first = none().knowing(|known| {
        known.candidates = members;
        known.parameters.validators_max = most;
    });
    let events = first.state.decide(&rotate(0), &first.known).unwrap();
    let bytes = serde_json::to_vec(&events[0]).unwrap().len();
    // The record's other fields take less than 2,000 bytes.
    assert!(bytes < 65_535 - 2_000, "{bytes} bytes");
}

#[test]
fn a_key_in_history_that_never_was_verifies_nothing_and_brings_nothing_down() {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let mut no_point = [0; 32];
    no_point[0] = 2;
    let member: Member = serde_json::from_value(serde_json::json!({
        "address": address(1).to_string(), "power": "1", "public_key": STANDARD.encode(no_point),
    }))
    .unwrap();
    let signature = domain::values::Signature::from_bytes([0; 64]);
    assert!(!member.public_key.verify_strict(b"", &signature));
    assert!(!member.public_key.verify_zip215(b"", &signature));
    none()
        .knowing(|known| known.candidates = vec![member])
        .when(rotate(0))
        .then_named(&["validator-set-rotated"]);
    let text = serde_json::to_string(&member.public_key).unwrap();
    assert!(serde_json::from_str::<domain::values::PublicKey>(&text).is_err());
}
