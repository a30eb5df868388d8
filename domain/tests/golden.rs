//! Every event's stored form, in a file of its own: a changed form is a new version, not an edit.
//!
//! `UPDATE_GOLDEN=1` writes the files anew.

use std::{collections::BTreeMap, path::PathBuf};

use domain::{
    aggregate::{Event, read},
    block, chain,
    configuration::{flag, setting},
    consensus,
    identity::{principal, role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};
use serde_json::Value;

use crate::{
    block as blocks, chain as chains, configuration, consensus as heights, fixture, identity,
    monitoring, network, spec::assert_survives_storage, transaction as transactions,
    validator as validators,
};

/// The variable that writes golden files instead of comparing them.
pub const UPDATE: &str = "UPDATE_GOLDEN";

/// Compares `text` with a file under the crate's root, or writes it.
pub fn assert_same_as_file(file: &str, text: &str) {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(file);
    if std::env::var(UPDATE).is_ok_and(|value| value == "1") {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, text).unwrap();
        return;
    }
    let stored = std::fs::read_to_string(&path)
        .unwrap_or_else(|fault| panic!("{file}: {fault}; write it with {UPDATE}=1"));
    assert_eq!(stored, text, "{file} changed");
}

/// Each event once, by its stored name.
fn golden<E: Event>(events: Vec<E>) -> BTreeMap<&'static str, E> {
    let mut golden = BTreeMap::new();
    for event in events {
        golden.entry(event.name()).or_insert(event);
    }
    golden
}

fn check<E: Event>(events: Vec<E>) {
    let golden = golden(events);
    for name in E::NAMES {
        let event = golden.get(name).unwrap_or_else(|| panic!("no example of {name}"));
        assert_survives_storage(event);
        let mut text = serde_json_canonicalizer::to_string(event).unwrap();
        text.push('\n');
        assert_same_as_file(&format!("tests/golden/{name}.json"), &text);
        // What is stored today is read as the same event for ever.
        let stored: Value = serde_json::from_str(&text).unwrap();
        let data = stored["data"].to_string();
        assert_eq!(&read::<E>(name, &data).unwrap(), event);
        assert!(no_big_numbers(&stored), "{name} holds a number beyond 2^53 - 1 or a float");
    }
}

/// Whether every number is an integer that every JSON reader keeps.
fn no_big_numbers(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(_) | Value::String(_) => true,
        Value::Number(number) => number.as_u64().is_some_and(|number| number < 1 << 53),
        Value::Array(items) => items.iter().all(no_big_numbers),
        Value::Object(members) => members.values().all(no_big_numbers),
    }
}

#[test]
fn every_event_of_a_validator_has_a_golden_file() {
    check::<validator::Event>(validators::one_of_each());
}

#[test]
fn every_event_of_a_validator_set_has_a_golden_file() {
    let member = |number: u8| validator_set::Member {
        address: fixture::address(number),
        power: 10_u64.try_into().unwrap(),
        public_key: fixture::public_key(number),
    };
    check(vec![validator_set::Event::ValidatorSetRotated(validator_set::ValidatorSetRotated {
        epoch: 3_u64.try_into().unwrap(),
        joined: vec![fixture::address(1)],
        left: vec![fixture::address(3)],
        members: vec![member(1), member(2)],
        set_hash: fixture::set(&[(1, 10), (2, 10)]).hash(),
        total_power: 20_u64.try_into().unwrap(),
    })]);
}

#[test]
fn every_event_of_a_chain_has_a_golden_file() {
    check::<chain::Event>(chains::one_of_each());
}

#[test]
fn every_event_of_an_account_has_a_golden_file() {
    check::<transaction::Event>(transactions::one_of_each());
}

#[test]
fn every_event_of_a_block_has_a_golden_file() {
    check::<block::Event>(blocks::one_of_each());
}

#[test]
fn every_event_of_a_height_has_a_golden_file() {
    check::<consensus::Event>(heights::one_of_each());
}

#[test]
fn every_event_of_a_principal_has_a_golden_file() {
    check::<principal::Event>(identity::one_of_each());
}

#[test]
fn every_event_of_a_role_has_a_golden_file() {
    check::<role::Event>(identity::both_of_a_role());
}

#[test]
fn every_event_of_a_setting_has_a_golden_file() {
    check::<setting::Event>(configuration::one_of_each_of_a_setting());
}

#[test]
fn every_event_of_a_flag_has_a_golden_file() {
    check::<flag::Event>(configuration::one_of_each_of_a_flag());
}

#[test]
fn every_event_of_a_peer_has_a_golden_file() {
    check::<peer::Event>(network::one_of_each_of_a_peer());
}

#[test]
fn every_event_of_a_partition_has_a_golden_file() {
    check::<partition::Event>(network::both_of_a_partition());
}

#[test]
fn every_event_of_a_rule_has_a_golden_file() {
    check::<rule::Event>(monitoring::one_of_each_of_a_rule());
}

#[test]
fn every_event_of_an_alert_has_a_golden_file() {
    check::<alert::Event>(monitoring::one_of_each_of_an_alert());
}

#[test]
fn every_event_of_an_objective_has_a_golden_file() {
    check::<slo::Event>(monitoring::both_of_an_slo());
}

#[test]
fn every_golden_file_belongs_to_an_event() {
    let known = [
        validator::Event::NAMES,
        validator_set::Event::NAMES,
        block::Event::NAMES,
        chain::Event::NAMES,
        consensus::Event::NAMES,
        principal::Event::NAMES,
        role::Event::NAMES,
        setting::Event::NAMES,
        flag::Event::NAMES,
        peer::Event::NAMES,
        partition::Event::NAMES,
        rule::Event::NAMES,
        alert::Event::NAMES,
        slo::Event::NAMES,
        transaction::Event::NAMES,
    ]
    .concat();
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
    let mut files = 0;
    for entry in std::fs::read_dir(folder).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let event = name.strip_suffix(".json").unwrap();
        assert!(known.contains(&event), "{name} belongs to no event");
        files += 1;
    }
    assert_eq!(files, known.len());
}

#[test]
fn an_unknown_name_and_other_data_are_not_read() {
    assert!(read::<validator::Event>("validator-registered.v2", "{}").is_err());
    assert!(read::<validator::Event>("validator-exited.v1", "{}").is_err());
    assert!(read::<validator::Event>("validator-exited.v1", r#"{"epoch":"1"} x"#).is_err());
    assert!(read::<validator::Event>("validator-exited.v1", r#"{"epoch":"1"}"#).is_ok());
}
