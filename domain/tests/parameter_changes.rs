//! Other protocol parameters while a chain runs: scheduled two epochs ahead, in force from an
//! epoch's first height on, for everybody alike.

use domain::{
    aggregate::Aggregate as _,
    chain::{Carried, Chain, Command, Event, Native, Refusal},
    ledger::{BlockFault, Ledger},
    parameters::{CHANGES_MAX, Change, Overrides, Parameters, Schedule},
    replica::{Mempool, Room},
    transaction::Payload,
    values::Epoch,
};
use serde_json::{Value, json};

use crate::{
    chain::epoch,
    fixture::address,
    ledger::{POOR, RICH, begun, context, next},
    mempool::{accepted, unsigned},
    native::{Story, genesis},
    spec::Given,
    transaction::amount,
};

const SCHEDULE: Command = Command::ScheduleParameters {};

fn overrides(value: Value) -> Overrides {
    serde_json::from_value(value).unwrap()
}

/// The setting says this.
fn set(chain: Given<Chain>, value: Value) -> Given<Chain> {
    chain.knowing(|known| known.overrides = overrides(value))
}

fn native(chain: &Chain) -> &Native {
    match chain {
        Chain::Native(native) => native,
        other => panic!("{other:?}"),
    }
}

fn with_fee(units: u128) -> Parameters {
    Parameters { fee_min: amount(units), ..begun().parameters().clone() }
}

/// The parameters change from this epoch on.
fn change(number: u64, parameters: Parameters) -> Change {
    Change { epoch: epoch(number), parameters }
}

/// That another fee is scheduled at genesis.
pub fn one() -> Event {
    let mut events = set(genesis().chain, json!({"fee_min": "7"})).when(SCHEDULE).events();
    events.remove(0)
}

#[test]
fn what_the_setting_says_is_scheduled_two_epochs_ahead_and_once() {
    let scheduled = Event::ParametersScheduled(Box::new(change(2, with_fee(7))));
    let chain = set(genesis().chain, json!({"fee_min": "7"}));
    let chain = chain.when(SCHEDULE).then(vec![scheduled]);
    let chain = chain.when(SCHEDULE).then(vec![]);
    // What is not named any longer is as at genesis again.
    let back = Event::ParametersScheduled(Box::new(change(2, with_fee(1))));
    set(chain, json!({})).when(SCHEDULE).then(vec![back]);
    genesis().chain.when(SCHEDULE).then(vec![]);
}

#[test]
fn what_heights_and_powers_are_counted_by_stays_as_it_was() {
    for name in ["epoch_blocks", "power_reduction"] {
        let chain = set(genesis().chain, json!({name: 8}));
        chain.when(SCHEDULE).refused_as("parameters-faulty");
    }
    let faulty = set(genesis().chain, json!({"validators_max": 301, "jail_s": 0}));
    let refusal = faulty.state.decide(&SCHEDULE, &faulty.known).unwrap_err();
    let Refusal::ParametersFaulty { faults } = &refusal else { panic!("{refusal}") };
    let names: Vec<&str> = faults.iter().map(|fault| fault.parameter).collect();
    assert_eq!(names, ["jail_s", "validators_max"]);
    assert!(refusal.to_string().contains("validators_max: is 301, not in 1 to 300"), "{refusal}");
    set(genesis().chain, json!({"colour": "red"})).when(SCHEDULE).refused_as("parameters-faulty");
}

#[test]
fn a_change_holds_from_its_epochs_first_height_on_and_is_carried_there() {
    let story = genesis();
    let chain = set(story.chain, json!({"fee_min": "7"})).and(SCHEDULE);
    let mut story = Story { chain, ..story };
    for number in 0..3 {
        let holds = if number < 2 { amount(1) } else { amount(7) };
        story = story.up_to(4 * (number + 1));
        let native = native(&story.chain.state);
        assert_eq!((native.epoch, native.parameters().fee_min), (epoch(number), holds));
        story = story.next_epoch(number + 1);
        let Some(Carried::Native(carried)) = &story.chain.known.carried else { panic!("nothing") };
        assert_eq!(carried.parameters, *begun().parameters());
        assert_eq!(carried.parameter_changes, [change(2, with_fee(7))]);
    }
}

#[test]
fn in_an_epoch_that_is_not_open_yet_it_is_opened_first() {
    let story = genesis().up_to(4).next_epoch(1);
    let chain = set(story.chain, json!({"jail_s": 60}));
    let chain = chain.when(SCHEDULE).then_named(&["epoch-opened", "parameters-scheduled"]);
    assert_eq!(native(&chain.state).schedule.changes()[0].epoch, epoch(3));
    // And not in one whose books are closed.
    let closed = genesis().up_to(4).chain.and(crate::chain::close());
    set(closed, json!({"jail_s": 60})).when(SCHEDULE).refused_as("epoch-closed");
}

/// The ledger after so many empty blocks.
fn at(mut ledger: Ledger, height: u64) -> Ledger {
    while ledger.next_height().unwrap().value() < height {
        let context = context(&ledger);
        ledger.execute(&context, &[]).unwrap();
    }
    ledger
}

#[test]
fn blocks_are_executed_by_the_parameters_of_their_height() {
    let mut ledger = begun();
    ledger.set_parameters(change(2, with_fee(7)));
    let pays_5 = |ledger: &Ledger| {
        let payload = Payload::Transfer { amount: amount(1), to: address(POOR) };
        [next(ledger, RICH, 0, payload)]
    };
    let last = at(ledger.clone(), 8);
    last.clone().execute(&context(&last), &pays_5(&last)).unwrap();
    let first = at(ledger, 9);
    let fault = first.clone().execute(&context(&first), &pays_5(&first)).unwrap_err();
    assert!(matches!(fault, BlockFault::FeeBelowMinimum { .. }), "{fault}");
    // A state that was made before anybody knew goes on under what is known now.
    let unaware = at(begun(), 9);
    assert_eq!(unaware.under(&first), first);
}

#[test]
fn a_snapshot_holds_the_changes_too() {
    let mut ledger = begun();
    ledger.set_parameters(change(1, with_fee(3)));
    ledger.set_parameters(change(5, with_fee(9)));
    let ledger = at(ledger, 6);
    let restored = Ledger::restore(&ledger.snapshot()).unwrap();
    assert_eq!(restored, ledger);
    assert_eq!(restored.parameters().fee_min, amount(3));
    assert_eq!(restored.schedule().at(epoch(5)).fee_min, amount(9));
}

#[test]
fn stake_that_began_to_unbond_before_is_punished_still() {
    // Epochs of 4: it waits 3 epochs, 9 blocks at least, and evidence is good for 8.
    let schedule = Schedule::new(begun().parameters().clone(), &[]);
    let longer = |unbonding_epochs, evidence_age_blocks_max| Parameters {
        unbonding_epochs,
        evidence_age_blocks_max,
        ..begun().parameters().clone()
    };
    let names = |schedule: &Schedule, from: u64, next: &Parameters| -> Vec<&'static str> {
        schedule.faults(epoch(from), next).into_iter().map(|fault| fault.parameter).collect()
    };
    assert_eq!(names(&schedule, 2, &longer(30, 100)), ["evidence_age_blocks_max"]);
    assert_eq!(names(&schedule, 2, &longer(30, 8)), [""; 0]);
    let lengthened = Schedule::new(schedule.genesis().clone(), &[change(2, longer(30, 8))]);
    // What began to unbond in epoch 1 waits until epoch 4.
    assert_eq!(names(&lengthened, 3, &longer(30, 100)), ["evidence_age_blocks_max"]);
    assert_eq!(names(&lengthened, 5, &longer(30, 100)), [""; 0]);
}

#[test]
fn changes_that_matter_no_more_are_not_carried() {
    let fees = |number: u64| change(number, with_fee(number.into()));
    let all = Schedule::new(begun().parameters().clone(), &[fees(2), fees(4), fees(9)]);
    let epochs = |from: u64| -> Vec<Epoch> {
        all.since(epoch(from)).iter().map(|change| change.epoch).collect()
    };
    // The one of epoch 2 ends at 4, and stake unbonds by it until 7.
    assert_eq!(epochs(6), [epoch(2), epoch(4), epoch(9)]);
    assert_eq!(epochs(7), [epoch(4), epoch(9)]);
    assert_eq!(epochs(1_000), [epoch(9)]);
}

#[test]
fn only_so_many_changes_are_carried_at_once() {
    let mut chain = genesis().chain;
    for number in 0..CHANGES_MAX as u64 {
        chain.state.evolve(&Event::ParametersScheduled(Box::new(change(number, with_fee(3)))));
    }
    set(chain, json!({"fee_min": "7"})).when(SCHEDULE).refused_as("changes-exhausted");
}

#[test]
fn what_waits_is_held_for_as_long_as_the_parameters_say_now() {
    let mut ledger = begun();
    let patient = Parameters { mempool_ttl_blocks: 20, ..ledger.parameters().clone() };
    let mut mempool = Mempool::new(&patient);
    let one = unsigned(RICH, 0, 5);
    mempool.fold(&accepted(&one, None));
    let due = |mempool: &Mempool, height: u64| mempool.due(crate::chain::height(height), 10).len();
    assert_eq!((due(&mempool, 19), due(&mempool, 20)), (0, 1));
    mempool.govern(&Parameters { mempool_ttl_blocks: 10, ..patient.clone() });
    assert_eq!((due(&mempool, 9), due(&mempool, 10)), (0, 1));
    // Whoever pays less than has to be paid by now waits in vain.
    let room = Room { bytes_max: usize::MAX, transactions_max: 10 };
    assert_eq!(mempool.fill(&ledger, room, &Default::default()).len(), 1);
    ledger.set_parameters(change(0, with_fee(7)));
    assert_eq!(mempool.fill(&ledger, room, &Default::default()).len(), 0);
    mempool.govern(&Parameters { mempool_txs_max: 0, ..patient });
    assert_eq!(due(&mempool, 1), 1);
}
