//! What the surface relies on: names, examples and codes that agree with what serde reads and
//! writes.

use domain::{
    block, chain,
    configuration::{flag, setting},
    consensus,
    identity::{principal, role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};
use serde_json::{Value, json};

use crate::{
    block as blocks, chain as chains, consensus as heights, fixture, golden::assert_same_as_file,
    transaction as transactions,
};

/// One example for each name, each read as the command of that name, and each strict.
fn check<C>(names: &[&str], examples: Vec<Value>, name: fn(&C) -> &'static str)
where
    C: serde::de::DeserializeOwned + serde::Serialize + PartialEq + std::fmt::Debug,
{
    let given: Vec<_> = examples.iter().map(|example| example["command"].clone()).collect();
    assert_eq!(given, names);
    for example in examples {
        let command: C = serde_json::from_value(example.clone()).unwrap();
        assert_eq!(example["command"], name(&command));
        let written = serde_json::to_value(&command).unwrap();
        assert_eq!(serde_json::from_value::<C>(written).unwrap(), command);
        let mut extended = example.clone();
        extended["nobody_asked_for_this"] = json!(1);
        assert!(serde_json::from_value::<C>(extended).is_err(), "{example} takes anything");
    }
}

#[test]
fn every_command_has_an_example_that_parses() {
    check(validator::Command::NAMES, validator::Command::examples(), validator::Command::name);
    check(
        validator_set::Command::NAMES,
        validator_set::Command::examples(),
        validator_set::Command::name,
    );
    check(block::Command::NAMES, block::Command::examples(), block::Command::name);
    check(chain::Command::NAMES, chain::Command::examples(), chain::Command::name);
    check(
        transaction::Command::NAMES,
        transaction::Command::examples(),
        transaction::Command::name,
    );
    check(consensus::Command::NAMES, consensus::Command::examples(), consensus::Command::name);
    check(principal::Command::NAMES, principal::Command::examples(), principal::Command::name);
    check(role::Command::NAMES, role::Command::examples(), role::Command::name);
    check(setting::Command::NAMES, setting::Command::examples(), setting::Command::name);
    check(flag::Command::NAMES, flag::Command::examples(), flag::Command::name);
    check(peer::Command::NAMES, peer::Command::examples(), peer::Command::name);
    check(partition::Command::NAMES, partition::Command::examples(), partition::Command::name);
    check(rule::Command::NAMES, rule::Command::examples(), rule::Command::name);
    check(alert::Command::NAMES, alert::Command::examples(), alert::Command::name);
    check(slo::Command::NAMES, slo::Command::examples(), slo::Command::name);
    assert_eq!(validator::Command::example("bond").unwrap()["amount"], "1000000");
    assert_eq!(validator::Command::example("reboot"), None);
}

#[test]
fn the_example_of_a_registration_is_proved_by_its_key() {
    let example = validator::Command::example("register").unwrap();
    assert_eq!(example["public_key"], fixture::public_key(7).to_string());
    let chain_id = "node0-local".parse().unwrap();
    assert_eq!(example["proof"], fixture::proof(7, &chain_id).to_string());
}

#[test]
fn the_examples_of_chains_are_made_with_real_keys() {
    let mut text = serde_json::to_string_pretty(&chains::examples()).unwrap();
    text.push('\n');
    assert_same_as_file("src/chain/examples.json", &text);
}

#[test]
fn the_examples_of_accounts_are_made_with_real_keys() {
    let mut text = serde_json::to_string_pretty(&transactions::examples()).unwrap();
    text.push('\n');
    assert_same_as_file("src/transaction/examples.json", &text);
}

#[test]
fn the_examples_of_blocks_are_made_with_real_keys() {
    let mut text = serde_json::to_string_pretty(&blocks::examples()).unwrap();
    text.push('\n');
    assert_same_as_file("src/block/examples.json", &text);
}

#[test]
fn the_examples_of_heights_are_signed_with_real_keys() {
    let mut text = serde_json::to_string_pretty(&heights::examples()).unwrap();
    text.push('\n');
    assert_same_as_file("src/consensus/examples.json", &text);
}

#[cfg(feature = "schema")]
#[test]
fn every_type_of_the_contract_has_a_schema() {
    use domain::aggregate::Event as _;
    use utoipa::PartialSchema as _;
    let commands = serde_json::to_value(validator::Command::schema()).unwrap();
    assert_eq!(commands["oneOf"].as_array().unwrap().len(), validator::Command::NAMES.len());
    let commands = serde_json::to_value(chain::Command::schema()).unwrap();
    assert_eq!(commands["oneOf"].as_array().unwrap().len(), chain::Command::NAMES.len());
    let events = serde_json::to_value(chain::Event::schema()).unwrap();
    assert_eq!(events["oneOf"].as_array().unwrap().len(), chain::Event::NAMES.len());
    let commands = serde_json::to_value(consensus::Command::schema()).unwrap();
    assert_eq!(commands["oneOf"].as_array().unwrap().len(), consensus::Command::NAMES.len());
    let commands = serde_json::to_value(block::Command::schema()).unwrap();
    assert_eq!(commands["oneOf"].as_array().unwrap().len(), block::Command::NAMES.len());
    let events = serde_json::to_value(consensus::Event::schema()).unwrap();
    assert_eq!(events["oneOf"].as_array().unwrap().len(), consensus::Event::NAMES.len());
    let commit = serde_json::to_value(domain::commit::Commit::schema()).unwrap();
    assert_eq!(commit["type"], "string");
    let refusals = serde_json::to_value(chain::Refusal::schema()).unwrap();
    assert!(refusals["oneOf"].as_array().unwrap().len() > 20);
    let commands = serde_json::to_value(transaction::Command::schema()).unwrap();
    assert_eq!(commands["oneOf"].as_array().unwrap().len(), transaction::Command::NAMES.len());
    let sent = serde_json::to_value(transaction::Transaction::schema()).unwrap();
    assert!(sent["properties"]["signature"].is_object(), "{sent}");
    let amount = serde_json::to_value(domain::values::Amount::schema()).unwrap();
    assert_eq!(amount["type"], "string");
}

#[cfg(feature = "schema")]
#[test]
fn the_younger_contexts_have_schemas_as_well() {
    use domain::aggregate::Event as _;
    use utoipa::PartialSchema as _;
    let alternatives = |schema| {
        serde_json::to_value::<utoipa::openapi::RefOr<utoipa::openapi::Schema>>(schema).unwrap()
            ["oneOf"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(alternatives(principal::Command::schema()), principal::Command::NAMES.len());
    assert_eq!(alternatives(principal::Event::schema()), principal::Event::NAMES.len());
    assert_eq!(alternatives(role::Command::schema()), role::Command::NAMES.len());
    assert_eq!(alternatives(role::Event::schema()), role::Event::NAMES.len());
    assert_eq!(alternatives(setting::Command::schema()), setting::Command::NAMES.len());
    assert_eq!(alternatives(setting::Event::schema()), setting::Event::NAMES.len());
    assert_eq!(alternatives(flag::Command::schema()), flag::Command::NAMES.len());
    assert_eq!(alternatives(flag::Event::schema()), flag::Event::NAMES.len());
    assert_eq!(alternatives(peer::Command::schema()), peer::Command::NAMES.len());
    assert_eq!(alternatives(peer::Event::schema()), peer::Event::NAMES.len());
    assert_eq!(alternatives(partition::Command::schema()), partition::Command::NAMES.len());
    assert_eq!(alternatives(partition::Event::schema()), partition::Event::NAMES.len());
    assert_eq!(alternatives(rule::Command::schema()), rule::Command::NAMES.len());
    assert_eq!(alternatives(rule::Event::schema()), rule::Event::NAMES.len());
    assert_eq!(alternatives(alert::Command::schema()), alert::Command::NAMES.len());
    assert_eq!(alternatives(alert::Event::schema()), alert::Event::NAMES.len());
    assert_eq!(alternatives(slo::Command::schema()), slo::Command::NAMES.len());
    assert_eq!(alternatives(slo::Event::schema()), slo::Event::NAMES.len());
}
