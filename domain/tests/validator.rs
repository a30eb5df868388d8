//! One validator: registration, stake, reputation, jail, penalties and exit.

use domain::{
    aggregate::Aggregate as _,
    parameters::Parameters,
    validator::{
        Command, CommissionSet, DelegationAdded, Event, ExitInitiated, Known, Offence,
        PerformanceRecorded, ProfileUpdated, Refusal, Registration, ReputationCause,
        ReputationChanged, StakeBonded, StakeReleased, StandingName, UnbondingStarted,
        UndelegationStarted, Validator, ValidatorActivated, ValidatorExited, ValidatorJailed,
        ValidatorRegistered, ValidatorSlashed, ValidatorTombstoned, ValidatorUnjailed,
    },
    values::{Address, Amount, Bps, ChainId, Epoch, Hash, Height, Power},
};

use crate::{
    fixture::{address, moment, proof, public_key},
    spec::{Given, given},
};

const ME: u8 = 1;
const ALICE: u8 = 21;
const BOB: u8 = 22;

fn chain() -> ChainId {
    "example-1".parse().unwrap()
}

fn amount(units: u128) -> Amount {
    Amount::new(units)
}

fn bps(points: u16) -> Bps {
    Bps::try_from(points).unwrap()
}

fn epoch(number: u64) -> Epoch {
    Epoch::new(number).unwrap()
}

fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

fn power(units: u64) -> Power {
    Power::new(units).unwrap()
}

fn known() -> Known {
    Known {
        address: address(ME),
        now: moment("2026-01-01T00:00:00Z"),
        parameters: Parameters::default(),
        epoch: epoch(0),
        active: 0,
        joined: 0,
    }
}

pub fn registration() -> Registration {
    Registration {
        bond: amount(5_000_000),
        chain_id: chain(),
        commission_bps: bps(500),
        contact: None,
        moniker: "North Star".parse().unwrap(),
        operator: "principal-north".parse().unwrap(),
        proof: proof(ME, &chain()),
        public_key: public_key(ME),
        reservation: None,
        website: None,
    }
}

fn register() -> Command {
    Command::Register(Box::new(registration()))
}

fn bond(units: u128) -> Command {
    Command::Bond { amount: amount(units) }
}

fn unbond(units: u128) -> Command {
    Command::Unbond { amount: amount(units) }
}

fn delegate(who: u8, units: u128) -> Command {
    Command::Delegate { amount: amount(units), delegator: address(who) }
}

fn undelegate(who: u8, units: u128) -> Command {
    Command::Undelegate { amount: amount(units), delegator: address(who) }
}

fn commission(points: u16) -> Command {
    Command::SetCommission { commission_bps: bps(points) }
}

fn complete(number: u64) -> Command {
    Command::CompleteUnbonding { epoch: epoch(number) }
}

fn performance(number: u64, proposed: u32, signed: u32, missed: u32) -> Command {
    Command::RecordPerformance { epoch: epoch(number), missed, proposed, signed }
}

fn jail() -> Command {
    Command::Jail { reason: "missed its duties".parse().unwrap() }
}

fn slash(offence: Offence, at: u64) -> Command {
    Command::Slash { evidence: Hash::of(&at.to_be_bytes()), height: height(at), offence }
}

pub fn nobody() -> Given<Validator> {
    given(known())
}

fn registered() -> Given<Validator> {
    nobody().and(register())
}

fn active() -> Given<Validator> {
    registered().and(Command::Activate {})
}

fn at_epoch(number: u64) -> impl FnOnce(&mut Known) {
    move |known| known.epoch = epoch(number)
}

fn forbidden(command: &'static str, standing: StandingName) -> Refusal {
    Refusal::StandingForbids { command, standing }
}

#[test]
fn a_key_that_proves_itself_becomes_a_validator() {
    nobody().when(register()).then(vec![Event::ValidatorRegistered(Box::new(
        ValidatorRegistered {
            address: address(ME),
            bond: amount(5_000_000),
            chain_id: chain(),
            commission_bps: bps(500),
            contact: None,
            epoch: epoch(0),
            moniker: "North Star".parse().unwrap(),
            operator: "principal-north".parse().unwrap(),
            power: power(5),
            public_key: public_key(ME),
            reputation: 500,
            reservation: None,
            stake: amount(5_000_000),
            website: None,
        },
    ))]);
}

#[test]
fn a_proof_for_another_chain_or_by_another_key_is_refused() {
    let other_chain: ChainId = "example-2".parse().unwrap();
    for wrong in [proof(ME, &other_chain), proof(2, &chain())] {
        let registration = Registration { proof: wrong, ..registration() };
        let refusal = Refusal::ProofInvalid { address: address(ME) };
        nobody().when(Command::Register(Box::new(registration))).refused(refusal);
    }
}

#[test]
fn a_key_registers_only_at_its_own_address() {
    let refusal = Refusal::AddressMismatch { expected: address(2), found: address(ME) };
    nobody().knowing(|known| known.address = address(2)).when(register()).refused(refusal);
}

#[test]
fn a_bond_below_the_minimum_is_refused_with_both_numbers() {
    let registration = Registration { bond: amount(999_999), ..registration() };
    let refusal = Refusal::BondBelowMinimum { bond: amount(999_999), minimum: amount(1_000_000) };
    assert_eq!(refusal.to_string(), "bond 999999 is less than 1000000 = bond_min");
    nobody().when(Command::Register(Box::new(registration))).refused(refusal);
}

#[test]
fn a_key_registers_once() {
    let standing = StandingName::Registered;
    let refusal = Refusal::AlreadyRegistered { address: address(ME), standing };
    registered().when(register()).refused(refusal);
}

#[test]
fn nothing_can_be_asked_of_somebody_who_never_registered() {
    for command in [Command::Activate {}, bond(1), jail(), Command::CompleteExit {}] {
        nobody().when(command).refused(Refusal::NotRegistered);
    }
}

#[test]
fn a_registered_validator_is_activated() {
    let event = ValidatorActivated { epoch: epoch(0), power: power(5) };
    registered().when(Command::Activate {}).then(vec![Event::ValidatorActivated(event)]);
}

#[test]
fn an_active_validator_cannot_be_activated_again() {
    let refusal = forbidden("be activated", StandingName::Active);
    active().when(Command::Activate {}).refused(refusal);
}

#[test]
fn activation_needs_the_reputation() {
    registered()
        .knowing(|known| known.parameters.reputation_activate_min = 501)
        .when(Command::Activate {})
        .refused(Refusal::ReputationTooLow { minimum: 501, reputation: 500 });
}

#[test]
fn activation_respects_the_size_of_the_set() {
    registered()
        .knowing(|known| (known.active, known.parameters.validators_max) = (7, 7))
        .when(Command::Activate {})
        .refused(Refusal::SetFull { active: 7, maximum: 7 });
}

#[test]
fn activation_respects_the_churn_which_is_two_or_a_fiftieth() {
    let refusal = Refusal::ChurnExhausted { maximum: 2, used: 2 };
    registered()
        .knowing(|known| (known.active, known.joined) = (99, 2))
        .when(Command::Activate {})
        .refused(refusal);
    registered()
        .knowing(|known| {
            (known.active, known.joined, known.parameters.validators_max) = (150, 2, 300);
        })
        .when(Command::Activate {})
        .then_named(&["validator-activated"]);
}

#[test]
fn a_profile_is_replaced_as_a_whole_and_only_when_it_differs() {
    let profile = || Command::UpdateProfile {
        contact: Some("ops@north.example".parse().unwrap()),
        moniker: "North Star II".parse().unwrap(),
        website: None,
    };
    let event = ProfileUpdated {
        contact: Some("ops@north.example".parse().unwrap()),
        moniker: "North Star II".parse().unwrap(),
        website: None,
    };
    let renamed = registered().when(profile()).then(vec![Event::ProfileUpdated(event)]);
    renamed.when(profile()).then(vec![]);
}

#[test]
fn a_commission_moves_by_a_hundred_basis_points_within_an_epoch_however_many_steps() {
    let event = CommissionSet { commission_bps: bps(560), epoch: epoch(0), previous_bps: bps(500) };
    let moved = registered().when(commission(560)).then(vec![Event::CommissionSet(event)]);
    let refusal =
        Refusal::CommissionStepTooLarge { base: bps(500), step_max: 100, wanted: bps(601) };
    moved.clone().when(commission(601)).refused(refusal);
    moved.clone().when(commission(400)).then_named(&["commission-set"]);
    moved.clone().when(commission(560)).then(vec![]);
    moved.knowing(at_epoch(1)).when(commission(660)).then_named(&["commission-set"]);
}

#[test]
fn bonding_adds_to_stake_and_power() {
    let event = StakeBonded {
        amount: amount(2_500_000),
        bond: amount(7_500_000),
        power: power(7),
        stake: amount(7_500_000),
    };
    registered().when(bond(2_500_000)).then(vec![Event::StakeBonded(event)]);
}

#[test]
fn nothing_cannot_be_staked() {
    for command in [bond(0), unbond(0), delegate(ALICE, 0), undelegate(ALICE, 0)] {
        registered().when(command).refused(Refusal::AmountZero);
    }
}

#[test]
fn stake_never_gives_more_power_than_a_whole_set_may_have() {
    let most = u128::from(domain::values::POWER_TOTAL_MAX) * 1_000_000 + 999_999;
    let full = registered().when(bond(most - 5_000_000)).then_named(&["stake-bonded"]);
    full.clone().when(bond(1)).refused_as("stake-too-large");
    full.when(delegate(ALICE, u128::MAX)).refused_as("stake-too-large");
}

#[test]
fn unbonding_waits_and_leaves_the_minimum() {
    let event = UnbondingStarted {
        amount: amount(4_000_000),
        bond: amount(1_000_000),
        epoch: epoch(3),
        matures: epoch(323),
        power: power(1),
        stake: amount(1_000_000),
    };
    let at_three = registered().knowing(at_epoch(3));
    at_three.clone().when(unbond(4_000_000)).then(vec![Event::UnbondingStarted(event)]);
    let below = Refusal::BondBelowMinimum { bond: amount(999_999), minimum: amount(1_000_000) };
    at_three.clone().when(unbond(4_000_001)).refused(below);
    let more = Refusal::BondInsufficient { amount: amount(5_000_001), bond: amount(5_000_000) };
    at_three.when(unbond(5_000_001)).refused(more);
}

#[test]
fn delegations_add_to_the_stake_and_go_back_to_their_owner() {
    let added = DelegationAdded {
        amount: amount(2_000_000),
        delegation: amount(2_000_000),
        delegator: address(ALICE),
        power: power(7),
        stake: amount(7_000_000),
    };
    let started = UndelegationStarted {
        amount: amount(500_000),
        delegation: amount(1_500_000),
        delegator: address(ALICE),
        epoch: epoch(2),
        matures: epoch(322),
        power: power(6),
        stake: amount(6_500_000),
    };
    let released = StakeReleased {
        amount: amount(500_000),
        delegator: Some(address(ALICE)),
        epoch: epoch(322),
        matures: epoch(322),
        started: epoch(2),
    };
    registered()
        .when(delegate(ALICE, 2_000_000))
        .then(vec![Event::DelegationAdded(added)])
        .knowing(at_epoch(2))
        .when(undelegate(ALICE, 500_000))
        .then(vec![Event::UndelegationStarted(started)])
        .knowing(at_epoch(322))
        .when(complete(322))
        .then(vec![Event::StakeReleased(released)]);
}

#[test]
fn nobody_takes_back_more_than_they_delegated() {
    let refusal = |who, delegation| Refusal::DelegationInsufficient {
        amount: amount(3),
        delegation: amount(delegation),
        delegator: address(who),
    };
    let delegated = registered().and(delegate(ALICE, 2));
    delegated.clone().when(undelegate(ALICE, 3)).refused(refusal(ALICE, 2));
    delegated.when(undelegate(BOB, 3)).refused(refusal(BOB, 0));
}

#[test]
fn only_what_has_matured_is_released_and_each_entry_once() {
    let waiting = registered().and(unbond(1_000_000)).and(unbond(500_000));
    let next = Some(epoch(320));
    let early = waiting.clone().knowing(at_epoch(319));
    early.clone().when(complete(319)).refused(Refusal::NothingMatured { epoch: epoch(319), next });
    let future = Refusal::EpochInFuture { current: epoch(319), epoch: epoch(320) };
    early.when(complete(320)).refused(future);
    let released = StakeReleased {
        amount: amount(1_500_000),
        delegator: None,
        epoch: epoch(320),
        matures: epoch(320),
        started: epoch(0),
    };
    let after = waiting
        .knowing(at_epoch(320))
        .when(complete(320))
        .then(vec![Event::StakeReleased(released)]);
    after.when(complete(320)).refused(Refusal::NothingMatured { epoch: epoch(320), next: None });
}

#[test]
fn at_most_a_hundred_entries_are_released_at_a_time() {
    let mut given = registered();
    for who in 100..=250 {
        given = given.and(delegate(who, 10)).and(undelegate(who, 10));
    }
    let at_320 = given.knowing(at_epoch(320));
    let first = at_320.clone().when(complete(320)).events();
    assert_eq!(first.len(), 100);
    let mut rest = at_320;
    first.iter().for_each(|event| rest.state.evolve(event));
    assert_eq!(rest.when(complete(320)).events().len(), 51);
}

#[test]
fn performance_is_recorded_once_an_epoch_and_moves_the_reputation() {
    let recorded = PerformanceRecorded {
        downtime: false,
        epoch: epoch(4),
        missed: 8,
        proposed: 6,
        signed: 24,
    };
    let changed = ReputationChanged {
        cause: ReputationCause::Performance,
        epoch: epoch(4),
        from: 500,
        to: 525,
    };
    let after = active()
        .knowing(at_epoch(5))
        .when(performance(4, 6, 24, 8))
        .then(vec![Event::PerformanceRecorded(recorded), Event::ReputationChanged(changed)]);
    let again =
        |number| Refusal::PerformanceRecordedAlready { epoch: epoch(number), last: epoch(4) };
    after.clone().when(performance(4, 6, 24, 8)).refused(again(4));
    after.clone().when(performance(3, 6, 24, 8)).refused(again(3));
    let future = Refusal::EpochInFuture { current: epoch(5), epoch: epoch(6) };
    after.clone().when(performance(6, 6, 24, 8)).refused(future);
    let implausible = Refusal::PerformanceImplausible { duties: 33, epoch_blocks: 32, proposed: 6 };
    after.when(performance(5, 6, 25, 8)).refused(implausible);
}

#[test]
fn downtime_begins_above_half_of_the_duties_and_an_idle_epoch_changes_nothing() {
    let downtime = |signed, missed| {
        let events = active().when(performance(0, 0, signed, missed)).events();
        match &events[0] {
            Event::PerformanceRecorded(data) => data.downtime,
            other => panic!("{other:?}"),
        }
    };
    assert!(!downtime(16, 16));
    assert!(downtime(15, 17));
    active().when(performance(0, 0, 0, 0)).then_named(&["performance-recorded"]);
}

#[test]
fn reputation_stays_between_nothing_and_the_scale() {
    let mut low = active();
    for number in 0..4 {
        low = low.knowing(at_epoch(number)).and(performance(number, 0, 0, 32));
    }
    assert_eq!(low.state.record().unwrap().reputation, 0);
    let mut high = active().knowing(|known| known.parameters.reputation_scale = 550);
    high = high.and(performance(0, 0, 32, 0));
    assert_eq!(high.state.record().unwrap().reputation, 550);
}

#[test]
fn a_validator_that_was_never_active_has_no_performance_and_commits_no_offence() {
    registered().when(performance(0, 0, 1, 0)).refused(Refusal::NeverActive);
    registered().when(slash(Offence::Equivocation, 1)).refused(Refusal::NeverActive);
}

#[test]
fn jail_has_an_end_and_the_way_back_leads_to_active() {
    let until = moment("2026-01-01T00:10:00Z");
    let jailed =
        ValidatorJailed { epoch: epoch(0), reason: "missed its duties".parse().unwrap(), until };
    let inside = active().when(jail()).then(vec![Event::ValidatorJailed(jailed)]);
    let early = moment("2026-01-01T00:09:59.999999Z");
    inside
        .clone()
        .knowing(|known| known.now = early)
        .when(Command::Unjail {})
        .refused(Refusal::JailNotOver { now: early, until });
    let unjailed = ValidatorUnjailed { epoch: epoch(0), standing: StandingName::Active };
    inside
        .knowing(|known| known.now = until)
        .when(Command::Unjail {})
        .then(vec![Event::ValidatorUnjailed(unjailed)]);
}

#[test]
fn only_an_active_validator_is_jailed_and_only_a_jailed_one_unjailed() {
    registered().when(jail()).refused(forbidden("be jailed", StandingName::Registered));
    active().when(Command::Unjail {}).refused(forbidden("leave jail", StandingName::Active));
}

#[test]
fn whoever_comes_back_active_takes_a_place_in_the_set() {
    active()
        .and(jail())
        .knowing(|known| {
            known.now = known.now.plus_seconds(600);
            (known.active, known.parameters.validators_max) = (3, 3);
        })
        .when(Command::Unjail {})
        .refused(Refusal::SetFull { active: 3, maximum: 3 });
}

/// Own bond 5,000,000; Alice 3,000,000; Bob 999; unbonding since epoch 0: 1,000,000 and Bob's
/// 1,001.
fn staked() -> Given<Validator> {
    active()
        .and(bond(1_000_000))
        .and(unbond(1_000_000))
        .and(delegate(ALICE, 3_000_000))
        .and(delegate(BOB, 2_000))
        .and(undelegate(BOB, 1_001))
}

#[test]
fn equivocation_burns_the_whole_bond_and_a_twentieth_of_delegations_and_is_for_ever() {
    let slashed = ValidatorSlashed {
        bond: amount(0),
        bond_bps: bps(10_000),
        burned: amount(6_150_099),
        burned_bond: amount(5_000_000),
        burned_delegated: amount(150_049),
        burned_unbonding: amount(1_000_050),
        delegated: amount(2_850_950),
        delegated_bps: bps(500),
        epoch: epoch(0),
        evidence: Hash::of(&7_u64.to_be_bytes()),
        height: height(7),
        offence: Offence::Equivocation,
        offence_epoch: epoch(0),
        power: power(2),
        quarantined_until: epoch(4),
        stake: amount(2_850_950),
    };
    let changed = ReputationChanged {
        cause: ReputationCause::Equivocation,
        epoch: epoch(0),
        from: 500,
        to: 0,
    };
    let tombstoned = ValidatorTombstoned { epoch: epoch(0), offence: Offence::Equivocation };
    let gone = staked().when(slash(Offence::Equivocation, 7)).then(vec![
        Event::ValidatorSlashed(Box::new(slashed)),
        Event::ReputationChanged(changed),
        Event::ValidatorTombstoned(tombstoned),
    ]);
    let standing = StandingName::Tombstoned;
    gone.clone().when(Command::Activate {}).refused(forbidden("be activated", standing));
    gone.clone().when(bond(1)).refused(forbidden("bond", standing));
    gone.clone().when(delegate(ALICE, 1)).refused(forbidden("be delegated to", standing));
    gone.clone().when(Command::Unjail {}).refused(forbidden("leave jail", standing));
    gone.clone().when(Command::InitiateExit {}).refused(forbidden("begin to exit", standing));
    let again = Refusal::AlreadyRegistered { address: address(ME), standing };
    gone.clone().when(register()).refused(again);
    gone.clone().when(slash(Offence::Censorship, 9)).refused(forbidden("be slashed", standing));
    // Delegators are not tombstoned.
    gone.when(undelegate(ALICE, 2_850_000)).then_named(&["undelegation-started"]);
}

#[test]
fn every_other_offence_follows_the_table() {
    // Offence, part of each stake burned, reputation after 500, quarantined until.
    let table = [
        (Offence::KeyCompromise, 1_000_u128, 0, 1),
        (Offence::Censorship, 3_000, 0, 2),
        (Offence::Downtime, 1, 400, 0),
    ];
    for (offence, points, reputation, until) in table {
        let part = |stake: u128| stake * points / 10_000;
        let events = staked().when(slash(offence, 7)).events();
        let Event::ValidatorSlashed(slashed) = &events[0] else { panic!("{events:?}") };
        assert_eq!(slashed.burned_bond, amount(part(5_000_000)));
        assert_eq!(slashed.burned_delegated, amount(part(3_000_000) + part(999)));
        assert_eq!(slashed.burned_unbonding, amount(part(1_000_000) + part(1_001)));
        assert_eq!(slashed.quarantined_until, epoch(until));
        let Event::ReputationChanged(changed) = &events[1] else { panic!("{events:?}") };
        assert_eq!(changed.to, reputation);
        let Event::ValidatorJailed(jailed) = &events[2] else { panic!("{events:?}") };
        assert_eq!(jailed.reason.as_str(), format!("slashed for {offence} at height 7"));
        assert_eq!(events.len(), 3);
    }
}

#[test]
fn each_offence_is_punished_once_and_each_evidence_used_once() {
    let punished = active().and(slash(Offence::Downtime, 7));
    let refusal = |evidence, at, offence| Refusal::OffencePunishedAlready {
        evidence,
        height: height(at),
        offence,
    };
    let evidence = Hash::of(&7_u64.to_be_bytes());
    punished.clone().when(slash(Offence::Downtime, 7)).refused(refusal(
        evidence,
        7,
        Offence::Downtime,
    ));
    let other = Hash::of(b"other evidence for the same offence");
    punished
        .clone()
        .when(Command::Slash { evidence: other, height: height(7), offence: Offence::Downtime })
        .refused(refusal(other, 7, Offence::Downtime));
    punished
        .clone()
        .when(Command::Slash { evidence, height: height(8), offence: Offence::Downtime })
        .refused(refusal(evidence, 8, Offence::Downtime));
    punished.when(slash(Offence::Downtime, 8)).then_named(&[
        "validator-slashed",
        "reputation-changed",
        "validator-jailed",
    ]);
}

#[test]
fn an_offence_lies_neither_in_the_future_nor_beyond_the_age_of_evidence() {
    let future =
        Refusal::OffenceInFuture { current: epoch(0), epoch: epoch(1), height: height(33) };
    active().when(slash(Offence::Downtime, 33)).refused(future);
    // Epoch 313 begins at height 10,017.
    let late = active().knowing(at_epoch(313));
    let expired =
        Refusal::EvidenceExpired { age_blocks: 10_001, height: height(16), maximum: 10_000 };
    late.clone().when(slash(Offence::Downtime, 16)).refused(expired);
    late.when(slash(Offence::Downtime, 17)).then_named(&[
        "validator-slashed",
        "reputation-changed",
        "validator-jailed",
    ]);
}

#[test]
fn stake_that_left_before_the_offence_is_not_burned() {
    let left_before = active().and(unbond(1_000_000)).knowing(at_epoch(1));
    let events = left_before.when(slash(Offence::Equivocation, 40)).events();
    let Event::ValidatorSlashed(slashed) = &events[0] else { panic!("{events:?}") };
    assert_eq!((slashed.burned_bond, slashed.burned_unbonding), (amount(4_000_000), amount(0)));
}

#[test]
fn after_a_penalty_the_way_back_leads_through_quarantine_and_activation() {
    let slashed = active()
        .knowing(|known| known.parameters.reputation_activate_min = 0)
        .and(slash(Offence::Censorship, 7));
    let unjailed = ValidatorUnjailed { epoch: epoch(0), standing: StandingName::Registered };
    let back = slashed
        .knowing(|known| known.now = known.now.plus_seconds(600))
        .when(Command::Unjail {})
        .then(vec![Event::ValidatorUnjailed(unjailed)]);
    back.clone()
        .knowing(at_epoch(1))
        .when(Command::Activate {})
        .refused(Refusal::Quarantined { epoch: epoch(1), until: epoch(2) });
    back.clone()
        .knowing(at_epoch(2))
        .when(Command::Activate {})
        .then_named(&["validator-activated"]);
    // It answers for what it did before it was slashed, too.
    back.when(slash(Offence::Equivocation, 6))
        .then_named(&["validator-slashed", "validator-tombstoned"]);
}

#[test]
fn a_jailed_validator_needs_the_minimum_bond_to_come_back() {
    let poor = nobody()
        .and(Command::Register(Box::new(Registration {
            bond: amount(1_000_000),
            ..registration()
        })))
        .and(Command::Activate {})
        .and(slash(Offence::Downtime, 3))
        .knowing(|known| known.now = known.now.plus_seconds(600));
    let refusal = Refusal::BondBelowMinimum { bond: amount(999_900), minimum: amount(1_000_000) };
    poor.clone().when(Command::Unjail {}).refused(refusal);
    poor.and(bond(100)).when(Command::Unjail {}).then_named(&["validator-unjailed"]);
}

#[test]
fn an_exit_unbonds_everything_and_ends_when_it_has_matured() {
    let initiated = ExitInitiated { epoch: epoch(2), matures: epoch(322) };
    let unbonding = UnbondingStarted {
        amount: amount(5_000_000),
        bond: amount(0),
        epoch: epoch(2),
        matures: epoch(322),
        power: power(2),
        stake: amount(2_000_000),
    };
    let leaving = active()
        .and(delegate(ALICE, 2_000_000))
        .knowing(at_epoch(2))
        .when(Command::InitiateExit {})
        .then(vec![Event::ExitInitiated(initiated), Event::UnbondingStarted(unbonding)]);
    let early = Refusal::StillUnbonding { epoch: epoch(321), matures: epoch(322) };
    leaving.clone().knowing(at_epoch(321)).when(Command::CompleteExit {}).refused(early);
    leaving.clone().when(bond(1)).refused(forbidden("bond", StandingName::Exiting));
    let released = StakeReleased {
        amount: amount(5_000_000),
        delegator: None,
        epoch: epoch(322),
        matures: epoch(322),
        started: epoch(2),
    };
    let exited = leaving.knowing(at_epoch(322)).when(Command::CompleteExit {}).then(vec![
        Event::StakeReleased(released),
        Event::ValidatorExited(ValidatorExited { epoch: epoch(322) }),
    ]);
    exited.clone().when(undelegate(ALICE, 2_000_000)).then_named(&["undelegation-started"]);
    exited
        .when(Command::CompleteExit {})
        .refused(forbidden("complete an exit", StandingName::Exited));
}

#[test]
fn whoever_leaves_can_still_be_punished_until_they_are_gone() {
    let leaving = active().and(Command::InitiateExit {});
    let events = leaving.when(slash(Offence::Equivocation, 5)).events();
    let Event::ValidatorSlashed(slashed) = &events[0] else { panic!("{events:?}") };
    assert_eq!(slashed.burned_unbonding, amount(5_000_000));
}

#[test]
fn whoever_left_may_register_anew_but_does_not_shed_a_bad_reputation() {
    let back = active()
        .and(performance(0, 0, 0, 32))
        .and(delegate(ALICE, 2_000_000))
        .and(Command::InitiateExit {})
        .knowing(at_epoch(320))
        .and(Command::CompleteExit {})
        .and(register());
    let record = back.state.record().unwrap();
    assert_eq!((record.reputation, record.standing.name()), (300, StandingName::Registered));
    assert_eq!(record.stake.total(), amount(7_000_000));
}

#[test]
fn an_exit_waits_for_everything_that_is_still_unbonding() {
    let shortened = active()
        .and(unbond(1_000_000))
        .knowing(|known| (known.epoch, known.parameters.unbonding_epochs) = (epoch(1), 10));
    let leaving = shortened.and(Command::InitiateExit {});
    let refusal = Refusal::StillUnbonding { epoch: epoch(11), matures: epoch(320) };
    leaving.knowing(at_epoch(11)).when(Command::CompleteExit {}).refused(refusal);
}

#[test]
fn the_number_of_delegators_is_bounded() {
    let mut full = registered();
    for number in 0..domain::validator::DELEGATORS_MAX {
        let mut bytes = [0; 20];
        bytes[..8].copy_from_slice(&number.to_be_bytes());
        let delegator = Address::from_bytes(bytes);
        let event = DelegationAdded {
            amount: amount(1),
            delegation: amount(1),
            delegator,
            power: power(5),
            stake: amount(5_000_001),
        };
        full.state.evolve(&Event::DelegationAdded(event));
    }
    full.clone().when(delegate(ALICE, 1)).refused(Refusal::DelegatorsExhausted { maximum: 10_000 });
    let again = Command::Delegate { amount: amount(1), delegator: Address::from_bytes([0; 20]) };
    full.when(again).then_named(&["delegation-added"]);
}

#[test]
fn commands_refuse_what_they_do_not_know() {
    for text in [
        r#"{"command":"activate","extra":1}"#,
        r#"{"command":"bond","amount":"1","extra":1}"#,
        r#"{"command":"bond","amount":1}"#,
        r#"{"command":"bond","amount":"-1"}"#,
        r#"{"command":"bond","amount":"340282366920938463463374607431768211456"}"#,
        r#"{"command":"set-commission","commission_bps":10001}"#,
        r#"{"command":"reboot"}"#,
    ] {
        assert!(serde_json::from_str::<Command>(text).is_err(), "{text}");
    }
}

/// A story in which everything happens.
pub fn one_of_each() -> Vec<Event> {
    let profile = Command::UpdateProfile {
        contact: Some("ops@north.example".parse().unwrap()),
        moniker: "North Star".parse().unwrap(),
        website: Some("https://north.example".parse().unwrap()),
    };
    let full = Registration {
        contact: Some("ops@north.example".parse().unwrap()),
        reservation: Some("reservation-1".parse().unwrap()),
        website: Some("https://north.example".parse().unwrap()),
        ..registration()
    };
    let mut events = Vec::new();
    let mut story = nobody();
    let steps: Vec<(u64, Command)> = vec![
        (0, Command::Register(Box::new(full))),
        (0, profile_without_website()),
        (0, profile),
        (0, Command::Activate {}),
        (0, commission(550)),
        (0, bond(1_000_000)),
        (0, unbond(1_000_000)),
        (0, delegate(ALICE, 3_000_000)),
        (0, undelegate(ALICE, 1_000_000)),
        (0, performance(0, 8, 31, 1)),
        (1, jail()),
        (1, Command::Unjail {}),
        (320, complete(320)),
        (320, slash(Offence::Equivocation, 10_000)),
    ];
    for (at, command) in steps {
        story.known.epoch = epoch(at);
        let decided = story.state.decide(&command, &story.known).unwrap();
        story.known.now = story.known.now.plus_seconds(600);
        decided.iter().for_each(|event| story.state.evolve(event));
        events.extend(decided);
    }
    let leaving = active().and(Command::InitiateExit {});
    events.extend(active().when(Command::InitiateExit {}).events());
    events.extend(leaving.knowing(at_epoch(320)).when(Command::CompleteExit {}).events());
    events.extend(nobody().when(crate::application::request()).events());
    events.extend(crate::application::undone().1);
    // The release of a delegation says more than that of the validator's own bond.
    events.sort_by_key(|event| match event {
        Event::StakeReleased(data) => data.delegator.is_none(),
        _ => false,
    });
    events
}

fn profile_without_website() -> Command {
    Command::UpdateProfile { contact: None, moniker: "North".parse().unwrap(), website: None }
}

/// The examples of the contract, carried out one after the other as far as they build on each
/// other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    let Command::Register(wanted) = example("register") else { panic!("not a registration") };
    let begun = nobody()
        .knowing(|known| known.address = wanted.public_key.address())
        .and(example("register"))
        .and(example("activate"));
    let lived = begun
        .clone()
        .and(example("update-profile"))
        .and(example("set-commission"))
        .and(example("bond"))
        .and(example("unbond"))
        .and(example("delegate"))
        .and(example("undelegate"))
        .and(example("record-performance"));
    let late = lived.clone().knowing(at_epoch(320)).and(example("complete-unbonding"));
    late.knowing(at_epoch(0))
        .and(example("jail"))
        .knowing(|known| known.now = known.now.plus_seconds(600))
        .and(example("unjail"))
        .and(example("slash"));
    begun.and(example("initiate-exit")).knowing(at_epoch(320)).and(example("complete-exit"));
    nobody()
        .knowing(|known| known.address = wanted.public_key.address())
        .and(example("request-registration"))
        .and(example("register"))
        .and(example("fail-registration"))
        .and(example("deregister"));
}
