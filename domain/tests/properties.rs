//! What holds for every command in every history.

use std::collections::BTreeSet;

use domain::{
    aggregate::{Aggregate, Data, Event as _, read},
    chain::{self, Chain, ChainStream},
    genesis,
    light::{self, LightBlock, SignedHeader, ValidatorSet as LightSet},
    parameters::{Churn, Overrides, Parameters},
    validator::{self, Offence, Registration, RegistrationStep, Standing, StandingName, Validator},
    validator_set::{self, Member, ValidatorSet},
    values::{Amount, Bps, Epoch, Hash, Height, Moment, POWER_TOTAL_MAX, Power},
};
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};
use serde_json::Value;

use crate::fixture::{Draft, address, moment, proof, public_key, set};

const ME: u8 = 1;
const MINIMUM: u128 = 1_000_000;

/// Amounts that matter: small, around the minimum, large, and as large as can be.
fn amounts() -> BoxedStrategy<Amount> {
    let sizes = prop_oneof![
        4 => 0..10_u128,
        4 => MINIMUM - 2..MINIMUM + 2,
        8 => MINIMUM..10 * MINIMUM,
        1 => Just(u128::from(POWER_TOTAL_MAX) * MINIMUM),
        1 => any::<u128>(),
    ];
    sizes.prop_map(Amount::new).boxed()
}

fn epochs() -> impl Strategy<Value = Epoch> {
    let numbers = prop_oneof![8 => 0..6_u64, 8 => 300..700_u64, 1 => Just(u64::MAX >> 1)];
    numbers.prop_map(|number| Epoch::new(number).unwrap())
}

fn heights() -> impl Strategy<Value = Height> {
    let numbers = prop_oneof![8 => 1..200_u64, 8 => 9_000..21_000_u64, 1 => Just(u64::MAX >> 1)];
    numbers.prop_map(|number| Height::new(number).unwrap())
}

fn registrations() -> impl Strategy<Value = validator::Command> {
    (amounts(), 0..=10_000_u16, any::<bool>()).prop_map(|(bond, bps, proved)| {
        let chain_id = "example-1".parse().unwrap();
        validator::Command::Register(Box::new(Registration {
            bond,
            commission_bps: Bps::try_from(bps).unwrap(),
            contact: None,
            moniker: "North Star".parse().unwrap(),
            operator: "principal-north".parse().unwrap(),
            proof: proof(if proved { ME } else { 2 }, &chain_id),
            chain_id,
            public_key: public_key(ME),
            reservation: None,
            website: None,
        }))
    })
}

fn commands() -> impl Strategy<Value = validator::Command> {
    use validator::Command;
    let with_delegator = (amounts(), (20..24_u8).prop_map(address)).boxed();
    let profile = "[a-z]{1,3}".prop_map(|moniker| Command::UpdateProfile {
        contact: None,
        moniker: moniker.parse().unwrap(),
        website: None,
    });
    let commission = (400..700_u16)
        .prop_map(|bps| Command::SetCommission { commission_bps: Bps::try_from(bps).unwrap() });
    let performance = (epochs(), 0..20_u32, 0..35_u32, 0..20_u32).prop_map(
        |(epoch, missed, proposed, signed)| Command::RecordPerformance {
            epoch,
            missed,
            proposed,
            signed,
        },
    );
    let slash = (select(&Offence::ALL[..]), heights(), any::<u16>()).prop_map(
        |(offence, height, number)| Command::Slash {
            evidence: Hash::of(&(number % 1_000).to_be_bytes()),
            height,
            offence,
        },
    );
    let delegate = with_delegator
        .clone()
        .prop_map(|(amount, delegator)| Command::Delegate { amount, delegator });
    let undelegate =
        with_delegator.prop_map(|(amount, delegator)| Command::Undelegate { amount, delegator });
    prop_oneof![
        2 => registrations(),
        2 => registrations().prop_map(|register| match register {
            Command::Register(registration) => Command::RequestRegistration(registration),
            other => other,
        }),
        1 => Just(Command::FailRegistration {
            because: "why not".parse().unwrap(),
            step: RegistrationStep::Activate,
        }),
        1 => Just(Command::Deregister {}),
        3 => Just(Command::Activate {}),
        1 => profile,
        2 => commission,
        4 => amounts().prop_map(|amount| Command::Bond { amount }),
        4 => amounts().prop_map(|amount| Command::Unbond { amount }),
        6 => delegate,
        6 => undelegate,
        5 => epochs().prop_map(|epoch| Command::CompleteUnbonding { epoch }),
        2 => performance,
        1 => Just(Command::Jail { reason: "why not".parse().unwrap() }),
        4 => Just(Command::Unjail {}),
        3 => slash,
        1 => Just(Command::InitiateExit {}),
        3 => Just(Command::CompleteExit {}),
    ]
}

/// Circumstances: the epoch goes on or back, time passes, the set has room or not.
fn circumstances() -> impl Strategy<Value = validator::Known> {
    (epochs(), 0..10_000_u64, 0..4_u32, 0..3_u32, any::<bool>()).prop_map(
        |(epoch, second, active, joined, easy)| validator::Known {
            address: address(ME),
            now: moment("2026-01-01T00:00:00Z").plus_seconds(second),
            parameters: Parameters {
                reputation_activate_min: if easy { 0 } else { 500 },
                validators_max: 3,
                ..Parameters::default()
            },
            epoch,
            active,
            joined,
        },
    )
}

/// A history that mostly begins well, so that the rest of it matters.
fn histories() -> impl Strategy<Value = Vec<(validator::Command, validator::Known)>> {
    let opening = vec![
        (register_now(), circumstances_at(0)),
        (validator::Command::Activate {}, circumstances_at(0)),
    ];
    let asked_for = |reservation: Option<&str>| match register_now() {
        validator::Command::Register(registration) => Box::new(Registration {
            reservation: reservation.map(|name| name.parse().unwrap()),
            ..*registration
        }),
        other => panic!("{other:?}"),
    };
    let failed = vec![
        validator::Command::RequestRegistration(asked_for(None)),
        validator::Command::Register(asked_for(Some("registration-1"))),
        validator::Command::FailRegistration {
            because: "why not".parse().unwrap(),
            step: RegistrationStep::Activate,
        },
    ];
    let failed: Vec<_> = failed.into_iter().map(|one| (one, circumstances_at(0))).collect();
    let opening = prop_oneof![8 => Just(opening), 1 => Just(failed), 1 => Just(Vec::new())];
    let rest = vec((commands(), circumstances()), 0..60);
    (opening, rest).prop_map(|(opening, rest)| [opening, rest].concat())
}

/// What has come in, gone out and been burned.
#[derive(Default)]
struct Books {
    taken: u128,
    released: u128,
    burned: u128,
}

impl Books {
    fn enter(&mut self, event: &validator::Event) {
        use validator::Event;
        match event {
            Event::ValidatorRegistered(data) => self.taken += data.bond.value(),
            Event::StakeBonded(data) => self.taken += data.amount.value(),
            Event::DelegationAdded(data) => self.taken += data.amount.value(),
            Event::StakeReleased(data) => self.released += data.amount.value(),
            Event::ValidatorDeregistered(data) => self.released += data.bond.value(),
            Event::ValidatorSlashed(data) => self.burned += data.burned.value(),
            Event::ValidatorActivated(_)
            | Event::RegistrationRequested(_)
            | Event::RegistrationFailed(_)
            | Event::ProfileUpdated(_)
            | Event::CommissionSet(_)
            | Event::UnbondingStarted(_)
            | Event::UndelegationStarted(_)
            | Event::PerformanceRecorded(_)
            | Event::ReputationChanged(_)
            | Event::ValidatorJailed(_)
            | Event::ValidatorUnjailed(_)
            | Event::ValidatorTombstoned(_)
            | Event::ExitInitiated(_)
            | Event::ValidatorExited(_) => {}
        }
    }
}

/// The stake and power an event says there are after it.
fn said(event: &validator::Event) -> Option<(Amount, Power)> {
    use validator::Event;
    match event {
        Event::ValidatorRegistered(data) => Some((data.stake, data.power)),
        Event::StakeBonded(data) => Some((data.stake, data.power)),
        Event::UnbondingStarted(data) => Some((data.stake, data.power)),
        Event::DelegationAdded(data) => Some((data.stake, data.power)),
        Event::UndelegationStarted(data) => Some((data.stake, data.power)),
        Event::ValidatorSlashed(data) => Some((data.stake, data.power)),
        Event::ValidatorDeregistered(data) => Some((data.stake, data.power)),
        Event::ValidatorActivated(_)
        | Event::RegistrationRequested(_)
        | Event::RegistrationFailed(_)
        | Event::ProfileUpdated(_)
        | Event::CommissionSet(_)
        | Event::StakeReleased(_)
        | Event::PerformanceRecorded(_)
        | Event::ReputationChanged(_)
        | Event::ValidatorJailed(_)
        | Event::ValidatorUnjailed(_)
        | Event::ValidatorTombstoned(_)
        | Event::ExitInitiated(_)
        | Event::ValidatorExited(_) => None,
    }
}

fn assert_books_balance(state: &Validator, books: &Books) {
    let Some(record) = state.record() else { return };
    let stake = &record.stake;
    let delegated: u128 = stake.delegations.values().map(|amount| amount.value()).sum();
    assert_eq!(stake.delegated.value(), delegated);
    assert_eq!(stake.total().value(), stake.bond.value() + delegated);
    assert!(stake.delegations.values().all(|amount| !amount.is_zero()));
    let unbonding: u128 = stake.unbonding.values().map(|amount| amount.value()).sum();
    let held = stake.total().value() + unbonding;
    assert_eq!(held + books.released + books.burned, books.taken);
    assert!(stake.power(Amount::new(MINIMUM)).value() <= POWER_TOTAL_MAX);
    assert!(record.reputation <= Parameters::default().reputation_scale);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn stake_is_conserved_and_said_right_whatever_is_asked(history in histories()) {
        let mut state = Validator::default();
        let mut books = Books::default();
        for (command, known) in &history {
            let outcome = state.decide(command, known);
            prop_assert_eq!(&outcome, &state.decide(command, known), "deciding twice");
            let text = serde_json::to_string(command).unwrap();
            prop_assert_eq!(&serde_json::from_str::<validator::Command>(&text).unwrap(), command);
            let tombstoned = state.standing() == StandingName::Tombstoned;
            for event in outcome.unwrap_or_default() {
                let data = serde_json::to_string(&Data(&event)).unwrap();
                prop_assert_eq!(&read::<validator::Event>(event.name(), &data).unwrap(), &event);
                state.evolve(&event);
                books.enter(&event);
                if let Some((stake, power)) = said(&event) {
                    let record = state.record().unwrap();
                    prop_assert_eq!(record.stake.total(), stake);
                    prop_assert_eq!(record.stake.power(known.parameters.power_reduction), power);
                }
                assert_books_balance(&state, &books);
            }
            if tombstoned {
                prop_assert_eq!(state.standing(), StandingName::Tombstoned);
            }
            prop_assert_ne!(state.standing(), StandingName::Slashed, "a penalty says what follows");
        }
    }

    #[test]
    fn a_commission_never_moves_by_more_than_a_hundred_within_an_epoch(
        steps in vec((0..=10_000_u16, 0..3_u64), 1..40),
    ) {
        let mut known = circumstances_at(0);
        let mut state = Validator::default();
        for event in state.decide(&register_now(), &known).unwrap() {
            state.evolve(&event);
        }
        let current = |state: &Validator| state.record().unwrap().commission.current.value();
        let mut at_start = current(&state);
        for (bps, later) in steps {
            if later > 0 {
                known.epoch = known.epoch.plus(u32::try_from(later).unwrap());
                at_start = current(&state);
            }
            let commission_bps = Bps::try_from(bps).unwrap();
            let command = validator::Command::SetCommission { commission_bps };
            for event in state.decide(&command, &known).unwrap_or_default() {
                state.evolve(&event);
            }
            prop_assert!(current(&state).abs_diff(at_start) <= 100);
        }
    }

    #[test]
    fn histories_in_any_order_and_with_any_holes_bring_nothing_down(
        history in histories(),
        order in vec(any::<Index>(), 0..80),
    ) {
        let mut state = Validator::default();
        let mut events = Vec::new();
        for (command, known) in &history {
            for event in state.decide(command, known).unwrap_or_default() {
                state.evolve(&event);
                events.push(event);
            }
        }
        prop_assume!(!events.is_empty());
        let mut confused = Validator::default();
        for index in order {
            confused.evolve(&events[index.index(events.len())]);
            for (command, known) in history.iter().take(5) {
                let _ = confused.decide(command, known);
            }
        }
    }
}

fn circumstances_at(number: u64) -> validator::Known {
    validator::Known {
        address: address(ME),
        now: moment("2026-01-01T00:00:00Z"),
        parameters: Parameters::default(),
        epoch: Epoch::new(number).unwrap(),
        active: 0,
        joined: 0,
    }
}

fn register_now() -> validator::Command {
    let chain_id = "example-1".parse().unwrap();
    validator::Command::Register(Box::new(Registration {
        bond: Amount::new(5 * MINIMUM),
        commission_bps: Bps::try_from(500).unwrap(),
        contact: None,
        moniker: "North Star".parse().unwrap(),
        operator: "principal-north".parse().unwrap(),
        proof: proof(ME, &chain_id),
        chain_id,
        public_key: public_key(ME),
        reservation: None,
        website: None,
    }))
}

/// Members by number and power; the keys are made once for each number.
fn members() -> impl Strategy<Value = Vec<Member>> {
    let powers = prop_oneof![0..5_u64, 1..1_000_u64, Just(POWER_TOTAL_MAX / 2)];
    vec((1..40_u8, powers), 0..30).prop_map(|list| {
        let member = |(number, power)| Member {
            address: address(number),
            power: Power::new(power).unwrap(),
            public_key: public_key(number),
        };
        list.into_iter().map(member).collect()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn rotation_is_the_same_for_every_order_and_keeps_size_and_churn(
        rounds in vec((members(), any::<u64>()), 1..6),
        validators_max in 1..12_u32,
        floor in 2..5_u32,
        one_in in 1..5_u32,
    ) {
        let parameters = Parameters {
            validators_max,
            churn_per_epoch_max: Churn { floor, one_in },
            ..Parameters::default()
        };
        let mut state = ValidatorSet::default();
        for (number, (candidates, seed)) in rounds.into_iter().enumerate() {
            let epoch = Epoch::new(u64::try_from(number).unwrap()).unwrap();
            let command = validator_set::Command::Rotate { epoch };
            let known = |candidates| validator_set::Known {
                now: Moment::EPOCH,
                parameters: parameters.clone(),
                candidates,
            };
            let shuffled = shuffled(&candidates, seed);
            let outcome = state.decide(&command, &known(candidates.clone()));
            prop_assert_eq!(&outcome, &state.decide(&command, &known(shuffled)));
            let Ok(events) = outcome else { return Ok(()) };
            let validator_set::Event::ValidatorSetRotated(rotated) = &events[0];
            let before = state.members().len();
            if before > 0 {
                let changes = rotated.joined.len() + rotated.left.len();
                let churn = parameters.churn_max(u32::try_from(before).unwrap());
                prop_assert!(changes <= usize::try_from(churn).unwrap());
            }
            let size_max = usize::try_from(validators_max).unwrap();
            prop_assert!((1..=size_max.max(before)).contains(&rotated.members.len()));
            prop_assert!(rotated.total_power.value() <= POWER_TOTAL_MAX);
            let ordered = rotated.members.windows(2).all(|pair| {
                (pair[1].power, pair[0].address) < (pair[0].power, pair[1].address)
                    || pair[1].power < pair[0].power
            });
            prop_assert!(ordered);
            state.evolve(&events[0]);
            let distinct: BTreeSet<_> = state.members().iter().map(|m| m.address).collect();
            prop_assert_eq!(distinct.len(), state.members().len());
        }
    }
}

/// Another order, drawn from a seed.
fn shuffled(candidates: &[Member], seed: u64) -> Vec<Member> {
    let mut shuffled = candidates.to_vec();
    shuffled.sort_by_key(|member| {
        Hash::of(
            &[
                seed.to_be_bytes().as_slice(),
                &[member.address.as_bytes()[0], u8::try_from(member.power.value() % 251).unwrap()],
            ]
            .concat(),
        )
    });
    shuffled
}

const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];

/// Headers of a chain and some that do not belong to it.
fn blocks() -> Vec<LightBlock> {
    let mut blocks = Vec::new();
    for number in 1..=12 {
        blocks.push(Draft::new(number, FOUR).block());
    }
    blocks.push(Draft { app_hash: vec![1], ..Draft::new(3, FOUR) }.block());
    blocks.push(Draft { app_hash: vec![2], signers: vec![1], ..Draft::new(4, FOUR) }.block());
    blocks.push(Draft { next: set(&[(1, 10), (5, 40)]), ..Draft::new(5, FOUR) }.block());
    blocks.push(Draft::new(6, &[(1, 10), (5, 40)]).block());
    blocks.push(Draft { chain: "example-2", ..Draft::new(2, FOUR) }.block());
    blocks.push(Draft { second: 1, ..Draft::new(7, FOUR) }.block());
    let bare = LightBlock { validator_set: None, ..Draft::new(2, FOUR).block() };
    blocks.push(bare);
    blocks
}

fn chain_command(kind: u8, first: &LightBlock, second: &LightBlock) -> chain::Command {
    match kind % 8 {
        0 => chain::Command::StartObservation {
            anchor: first.clone(),
            epoch_headers: 5,
            trusting_period_s: 86_400,
        },
        1 => chain::Command::CloseEpoch { next_height: None },
        2 => chain::Command::CloseEpoch { next_height: Some(second.signed_header.height()) },
        3 => chain::Command::OpenEpoch {},
        4 => chain::Command::ReportFork { first: first.clone(), second: second.clone() },
        5 => chain::Command::ResolveFork {
            height: first.signed_header.height(),
            keep: second.signed_header.hash(),
            reason: "why not".parse().unwrap(),
        },
        _ => chain::Command::ObserveHeader {
            next_validator_set: first.next_validator_set.clone(),
            signed_header: first.signed_header.clone(),
            validator_set: first.validator_set.clone(),
        },
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn a_chain_keeps_one_header_a_height_whatever_is_asked(
        steps in vec((any::<u8>(), any::<Index>(), any::<Index>()), 1..40),
    ) {
        let blocks = blocks();
        let mut known = chain::Known {
            stream: ChainStream { chain: "example-1".parse().unwrap(), epoch: Epoch::FIRST },
            now: moment("2026-01-01T00:01:00Z"),
            overrides: Overrides::default(),
            carried: None,
            executed: None,
            snapshot: None,
        };
        let mut state = Chain::default();
        let opening = chain_command(0, &blocks[0], &blocks[0]);
        for event in state.decide(&opening, &known).unwrap() {
            state.evolve(&event);
        }
        for (kind, first, second) in steps {
            let (first, second) = (first.get(&blocks), second.get(&blocks));
            let command = chain_command(kind, first, second);
            let outcome = state.decide(&command, &known);
            prop_assert_eq!(&outcome, &state.decide(&command, &known));
            for event in outcome.unwrap_or_default() {
                let data = serde_json::to_string(&Data(&event)).unwrap();
                prop_assert!(data.len() < 65_535 - 2_000);
                let stored = read::<chain::Event>(event.name(), &data).unwrap();
                prop_assert_eq!(&stored, &event);
                state.evolve(&stored);
            }
            let Chain::Observed(observed) = &state else { panic!("it was begun") };
            let head = observed.head.as_ref().unwrap();
            let last = observed.hashes.last_key_value();
            let is_head = |(height, hash): (&Height, &Hash)| {
                (*height, *hash) == (head.height, head.hash)
            };
            prop_assert!(last.is_none_or(is_head));
            prop_assert!(observed.hashes.keys().all(|height| height.epoch(5) == observed.epoch));
            // When the books are closed the next epoch is begun.
            if let Some(carried) = state.carried().filter(|_| kind > 200) {
                known.stream.epoch = carried.epoch().plus(1);
                known.carried = Some(carried);
                let opening = Chain::default().decide(&chain::Command::OpenEpoch {}, &known);
                state = Chain::default();
                opening.unwrap().iter().for_each(|event| state.evolve(event));
            }
        }
    }
}

/// A document with one place changed to something else.
fn mutated(document: &Value, place: usize, other: &Value) -> Value {
    fn walk(value: &mut Value, place: &mut usize, other: &Value) {
        if *place == 0 {
            *value = other.clone();
        }
        *place = place.wrapping_sub(1);
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, place, other)),
            Value::Object(members) => {
                members.values_mut().for_each(|member| walk(member, place, other));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
    let mut changed = document.clone();
    walk(&mut changed, &mut place.clone(), other);
    changed
}

/// Something that does not belong where it is put.
fn oddities() -> impl Strategy<Value = Value> {
    prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<u64>().prop_map(|number| Value::from(number.to_string())),
        ".{0,12}".prop_map(Value::from),
        Just(serde_json::json!([])),
        Just(serde_json::json!({})),
        Just(serde_json::json!([{"a": 1}])),
        Just(Value::from("-1")),
        Just(Value::from("AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=")),
    ]
}

proptest! {
    #[test]
    fn no_document_brings_the_check_down(
        changes in vec((0..90_usize, oddities()), 0..6),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let mut document = crate::genesis::native();
        for (place, other) in &changes {
            document = mutated(&document, *place, other);
        }
        let report = genesis::check(document.to_string().as_bytes());
        prop_assert_eq!(report.genesis.is_some(), report.faults_count == 0);
        prop_assert!(report.faults.iter().all(|fault| fault.pointer.is_empty()
            || fault.pointer.starts_with('/')));
        prop_assert!(genesis::check(&bytes).faults_count > 0);
    }

    #[test]
    fn no_header_brings_the_readers_down(
        place in 0..60_usize,
        other in oddities(),
        flips in vec((any::<Index>(), any::<u8>()), 0..4),
        bytes in vec(any::<u8>(), 0..200),
    ) {
        let good = serde_json::json!({
            "header": {"version": {"block": "11", "app": "1"}, "chain_id": "example-1",
                "height": "5", "time": "2026-01-01T00:00:05Z", "last_block_id": {"hash": "",
                "parts": {"total": 0, "hash": ""}}, "validators_hash": "00".repeat(32),
                "next_validators_hash": "00".repeat(32), "consensus_hash": "00".repeat(32),
                "app_hash": "", "proposer_address": "00".repeat(20)},
            "commit": {"height": "5", "round": 0, "block_id": {"hash": "00".repeat(32),
                "parts": {"total": 1, "hash": "00".repeat(32)}}, "signatures": [
                {"block_id_flag": 1, "validator_address": "", "timestamp": null, "signature": ""},
                {"block_id_flag": 2, "validator_address": "00".repeat(20),
                 "timestamp": "2026-01-01T00:00:05Z", "signature": "AA=="}]},
            "validator_set": {"validators": [{"address": address(1).to_string(),
                "pub_key": {"type": "tendermint/PubKeyEd25519",
                    "value": public_key(1).to_string()}, "voting_power": "10"}]},
        });
        let _ = light::parse_value(&mutated(&good, place, &other));
        let _ = SignedHeader::from_protobuf(&bytes);
        let _ = LightSet::from_protobuf(&bytes);
        let mut raw = Draft::new(5, &FOUR[..1]).signed().to_protobuf();
        for (index, flip) in flips {
            let at = index.index(raw.len());
            raw[at] ^= flip;
        }
        if let Ok(signed) = SignedHeader::from_protobuf(&raw) {
            let again = SignedHeader::from_protobuf(&signed.to_protobuf()).unwrap();
            prop_assert_eq!(&again, &signed);
            let _ = light::verify_commit(&signed, &set(&FOUR[..1]));
        }
    }
}

#[test]
fn a_validators_standing_has_the_name_that_is_stored() {
    let standings = [
        Standing::Registered,
        Standing::Active,
        Standing::Jailed { until: Moment::EPOCH, slashed: true },
        Standing::Slashed,
        Standing::Exiting { matures: Epoch::FIRST },
        Standing::Exited,
        Standing::Tombstoned,
    ];
    for standing in standings {
        let name = standing.name();
        assert_eq!(serde_json::to_value(name).unwrap(), name.as_str());
    }
    assert_eq!(serde_json::to_value(StandingName::Unregistered).unwrap(), "unregistered");
}

/// The histories above would prove nothing if nothing happened in them.
#[test]
fn the_histories_reach_every_event_and_most_refusals() {
    use domain::aggregate::Refusal as _;
    use proptest::{strategy::ValueTree as _, test_runner::TestRunner};
    let mut runner = TestRunner::deterministic();
    let (mut events, mut refusals) = (BTreeSet::new(), BTreeSet::new());
    for _ in 0..256 {
        let history = histories().new_tree(&mut runner).unwrap().current();
        let mut state = Validator::default();
        for (command, known) in &history {
            match state.decide(command, known) {
                Ok(decided) => decided.iter().for_each(|event| {
                    events.insert(event.name());
                    state.evolve(event);
                }),
                Err(refusal) => {
                    refusals.insert(refusal.code());
                }
            }
        }
    }
    let missing: Vec<_> =
        validator::Event::NAMES.iter().filter(|name| !events.contains(*name)).collect();
    assert!(missing.is_empty(), "never happened: {missing:?}");
    assert!(refusals.len() >= 20, "{refusals:?}");
}
