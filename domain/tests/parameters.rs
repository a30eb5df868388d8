//! The protocol parameters' defaults and bounds.

use domain::{
    parameters::{Churn, Parameters},
    values::{Amount, Epoch},
};

fn faults(change: impl FnOnce(&mut Parameters)) -> Vec<&'static str> {
    let mut parameters = Parameters::default();
    change(&mut parameters);
    parameters.faults().into_iter().map(|fault| fault.parameter).collect()
}

#[test]
fn the_defaults_are_without_fault() {
    assert_eq!(Parameters::default().faults(), []);
}

#[test]
fn stake_must_not_leave_before_misbehaviour_can_be_punished() {
    // Stake that begins to unbond at an epoch's last height waits 313 * 32 + 1 = 10,017 blocks.
    assert!(faults(|p| p.unbonding_epochs = 314).is_empty());
    assert_eq!(faults(|p| p.unbonding_epochs = 313), ["unbonding_epochs"]);
    assert_eq!(faults(|p| p.evidence_age_blocks_max = 20_000), ["unbonding_epochs"]);
}

#[test]
fn every_fault_is_reported_at_once() {
    let found = faults(|p| {
        p.epoch_blocks = 0;
        p.validators_max = 301;
        p.bond_min = Amount::ZERO;
        p.power_reduction = Amount::ZERO;
        p.reputation_start = 100_001;
        p.mempool_per_sender_max = 200_001;
        p.churn_per_epoch_max = Churn { floor: 1, one_in: 0 };
    });
    let expected = [
        "churn_per_epoch_max",
        "churn_per_epoch_max",
        "epoch_blocks",
        "validators_max",
        "bond_min",
        "power_reduction",
        "reputation_start",
        "mempool_per_sender_max",
        "unbonding_epochs",
    ];
    assert_eq!(found, expected);
}

#[test]
fn the_smallest_bond_gives_power() {
    assert_eq!(faults(|p| p.power_reduction = Amount::new(1_000_001)), ["bond_min"]);
}

#[test]
fn no_parameters_however_odd_bring_the_arithmetic_down() {
    let odd = Parameters {
        epoch_blocks: u32::MAX,
        unbonding_epochs: u32::MAX,
        churn_per_epoch_max: Churn { floor: 0, one_in: 0 },
        ..Parameters::default()
    };
    assert!(!odd.faults().is_empty());
    assert_eq!(odd.churn_max(7), 7);
    let last = Epoch::new(i64::MAX.unsigned_abs()).unwrap();
    assert_eq!(odd.matures(last), last);
}

#[test]
fn absent_parameters_take_their_defaults_and_unknown_ones_are_refused() {
    let parsed: Parameters = serde_json::from_str(r#"{"epoch_blocks": 64}"#).unwrap();
    assert_eq!(parsed, Parameters { epoch_blocks: 64, ..Parameters::default() });
    assert!(serde_json::from_str::<Parameters>(r#"{"epoch_block": 64}"#).is_err());
}
