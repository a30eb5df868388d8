//! Genesis documents: every fault at once, each with its place; older forms upgraded and said so.

use domain::{
    genesis::{Report, check},
    values::Hash,
};
use serde_json::{Value, json};

use crate::fixture::{self, address, public_key, set};

fn validator(number: u8, power: &str) -> Value {
    json!({
        "address": address(number).to_string(),
        "pub_key": {"type": "tendermint/PubKeyEd25519", "value": public_key(number).to_string()},
        "power": power,
        "name": format!("validator {number}"),
    })
}

/// A document in today's form without fault.
pub fn native() -> Value {
    json!({
        "genesis_time": "2026-01-01T00:00:00Z",
        "chain_id": "node0-local",
        "initial_height": "1",
        "consensus_params": {
            "block": {"max_bytes": "4194304", "max_gas": "-1"},
            "evidence": {"max_age_num_blocks": "10000", "max_age_duration": "172800000000000",
                "max_bytes": "1048576"},
            "validator": {"pub_key_types": ["ed25519"]},
            "version": {"app": "0"},
            "abci": {"vote_extensions_enable_height": "0"},
        },
        "validators": [validator(1, "10"), validator(2, "10"), validator(3, "10"),
            validator(4, "10")],
        "app_hash": "",
        "app_state": {
            "accounts": [
                {"address": address(21).to_string(), "balance": "100"},
                {"address": address(22).to_string(), "balance": "200"},
            ],
            "parameters": {"epoch_blocks": 32},
            "supply": "40000300",
        },
    })
}

/// The same with so many validators.
pub fn with_validators(count: u32) -> Value {
    let mut document = native();
    let validators = (0..count).map(|number| {
        let mut seed = [9; 32];
        seed[..4].copy_from_slice(&number.to_be_bytes());
        let key = ed25519_dalek::SigningKey::from_bytes(&seed).verifying_key();
        let key = domain::values::PublicKey::from_bytes(key.to_bytes()).unwrap();
        let value = key.to_string();
        json!({"pub_key": {"type": "tendermint/PubKeyEd25519", "value": value}, "power": "1000000"})
    });
    document["validators"] = Value::Array(validators.collect());
    document["app_state"] = json!({"parameters": {"validators_max": 300}});
    document
}

fn checked(document: &Value) -> Report {
    check(document.to_string().as_bytes())
}

fn faults(change: impl FnOnce(&mut Value)) -> Vec<(String, String)> {
    let mut document = native();
    change(&mut document);
    let report = checked(&document);
    assert_eq!(report.genesis.is_none(), report.faults_count > 0);
    assert_eq!(report.faults.len(), report.faults_count);
    report.faults.into_iter().map(|finding| (finding.pointer, finding.sentence)).collect()
}

/// The one fault of a document, its place and a word of its sentence.
fn one_fault(pointer: &str, word: &str, change: impl FnOnce(&mut Value)) {
    let found = faults(change);
    assert_eq!(found.len(), 1, "{found:?}");
    assert_eq!(found[0].0, pointer);
    assert!(found[0].1.contains(word), "{found:?}");
}

fn warnings(change: impl FnOnce(&mut Value)) -> Vec<String> {
    let mut document = native();
    change(&mut document);
    let report = checked(&document);
    assert_eq!(report.faults, []);
    report.warnings.into_iter().map(|finding| finding.pointer).collect()
}

#[test]
fn a_document_in_todays_form_passes_without_a_warning() {
    let report = checked(&native());
    assert_eq!((report.faults, report.warnings), (vec![], vec![]));
    let genesis = report.genesis.unwrap();
    assert_eq!(genesis.hash, Hash::of(native().to_string().as_bytes()));
    let ours = genesis.ours.unwrap();
    assert_eq!((ours.accounts, ours.supply.value()), (2, 40_000_300));
    assert_eq!(ours.validators_hash, set(&[(1, 10), (2, 10), (3, 10), (4, 10)]).hash());
}

#[test]
fn the_hash_is_that_of_the_bytes_as_they_are() {
    let compact = native().to_string();
    let pretty = serde_json::to_string_pretty(&native()).unwrap();
    assert_ne!(check(compact.as_bytes()).hash, check(pretty.as_bytes()).hash);
}

#[test]
fn the_cosmos_hubs_first_document_passes_with_its_older_forms_named() {
    let Some(text) = fixture::file("genesis/cosmoshub-1.json") else { return };
    let report = check(text.as_bytes());
    assert_eq!(report.faults, []);
    assert!(report.hash.to_string().starts_with("73A866B2"), "{}", report.hash);
    let pointers: Vec<_> = report.warnings.iter().map(|finding| &*finding.pointer).collect();
    for expected in [
        "/initial_height",
        "/consensus_params/block_size",
        "/consensus_params/evidence/max_age",
        "/consensus_params/evidence/max_age_duration",
        "/validators",
        "/app_state",
    ] {
        assert!(pointers.contains(&expected), "{expected} is not among {pointers:?}");
    }
    let validators = report.warnings.iter().find(|finding| finding.pointer == "/validators");
    assert!(validators.unwrap().sentence.contains("67 genesis transactions in /app_state/gentxs"));
    let genesis = report.genesis.unwrap();
    assert_eq!(genesis.chain_id.as_str(), "cosmoshub-1");
    assert_eq!(genesis.time.to_string(), "2019-03-13T23:00:00.000000Z");
    assert!(genesis.ours.is_err());
}

#[test]
fn ten_kinds_of_fault_are_all_named_at_once() {
    let found = faults(|document| {
        document["chain_id"] = "not a chain id".into();
        document.as_object_mut().unwrap().remove("genesis_time");
        document["initial_height"] = "-3".into();
        document["consensus_params"]["block"]["max_bytes"] = "0".into();
        document["app_hash"] = "XYZ".into();
        let validators = document["validators"].as_array_mut().unwrap();
        validators[0]["power"] = "0".into();
        validators[1]["address"] = address(9).to_string().into();
        validators[2]["pub_key"]["value"] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=".into();
        validators[3]["power"] = "1152921504606846976".into();
        validators.push(validator(2, "10"));
        document["app_state"]["supply"] = "1".into();
        document["app_state"]["parameters"]["epoch_blocks"] = 0.into();
    });
    let pointers: Vec<_> = found.iter().map(|(pointer, _)| &**pointer).collect();
    let expected = [
        "/chain_id",
        "/genesis_time",
        "/initial_height",
        "/app_hash",
        "/consensus_params/block/max_bytes",
        "/validators/0/power",
        "/validators/1/address",
        "/validators/2/pub_key/value",
        "/validators/3/power",
        "/validators/4/pub_key",
        "/app_state/parameters/epoch_blocks",
        "/app_state/parameters/unbonding_epochs",
        "/app_state/supply",
    ];
    assert_eq!(pointers, expected);
}

#[test]
fn each_fault_of_the_head_has_its_place_and_its_reason() {
    one_fault("/chain_id", "missing", |d| d["chain_id"] = Value::Null);
    one_fault("/chain_id", "1 to 50", |d| d["chain_id"] = "x".repeat(51).into());
    one_fault("/chain_id", "not a string", |d| d["chain_id"] = 7.into());
    one_fault("/genesis_time", "RFC 3339", |d| d["genesis_time"] = "yesterday".into());
    one_fault("/genesis_time", "never set", |d| d["genesis_time"] = "0001-01-01T00:00:00Z".into());
    one_fault("/initial_height", "whole number", |d| d["initial_height"] = "1.5".into());
    one_fault("/app_hash", "64 bytes", |d| d["app_hash"] = "0".into());
}

#[test]
fn each_fault_of_the_consensus_parameters_has_its_place_and_its_reason() {
    let at = |name: &str| format!("/consensus_params/{name}");
    let params = |change: fn(&mut Value)| move |d: &mut Value| change(&mut d["consensus_params"]);
    one_fault(&at("block"), "missing", params(|p| p["block"] = Value::Null));
    one_fault(
        &at("block/max_bytes"),
        "104857600",
        params(|p| p["block"]["max_bytes"] = "104857601".into()),
    );
    one_fault(&at("block/max_gas"), "-1", params(|p| p["block"]["max_gas"] = "-2".into()));
    one_fault(&at("evidence"), "missing", params(|p| p["evidence"] = Value::Null));
    one_fault(
        &at("evidence/max_age_num_blocks"),
        "is 0",
        params(|p| p["evidence"]["max_age_num_blocks"] = "0".into()),
    );
    one_fault(
        &at("evidence/max_age_duration"),
        "missing",
        params(|p| p["evidence"]["max_age_duration"] = Value::Null),
    );
    one_fault(
        &at("evidence/max_bytes"),
        "4194304",
        params(|p| p["evidence"]["max_bytes"] = "4194305".into()),
    );
    one_fault(&at("validator/pub_key_types"), "missing", params(|p| p["validator"] = json!({})));
    one_fault(
        &at("validator/pub_key_types/1"),
        "rot13",
        params(|p| p["validator"]["pub_key_types"] = json!(["ed25519", "rot13"])),
    );
    one_fault(
        &at("validator/pub_key_types"),
        "ed25519",
        params(|p| p["validator"]["pub_key_types"] = json!(["secp256k1"])),
    );
    one_fault(
        &at("abci/vote_extensions_enable_height"),
        "-1",
        params(|p| p["abci"]["vote_extensions_enable_height"] = "-1".into()),
    );
}

#[test]
fn each_fault_of_the_validators_has_its_place_and_its_reason() {
    let first = |change: fn(&mut Value)| move |d: &mut Value| change(&mut d["validators"][0]);
    let bare = |d: &mut Value| d["app_state"] = json!({});
    one_fault("/validators", "no validators", |d| {
        bare(d);
        d["validators"] = json!([]);
    });
    one_fault("/validators", "not an array", |d| {
        bare(d);
        d["validators"] = json!({"a": 1});
    });
    let relaxed = |change: fn(&mut Value)| {
        move |d: &mut Value| {
            d["app_state"] = json!({});
            change(&mut d["validators"][0]);
        }
    };
    one_fault("/validators/0", "not an object", relaxed(|v| *v = 1.into()));
    one_fault("/validators/0/pub_key", "missing", relaxed(|v| v["pub_key"] = Value::Null));
    one_fault(
        "/validators/0/pub_key/type",
        "Secp256k1",
        relaxed(|v| v["pub_key"]["type"] = "tendermint/PubKeySecp256k1".into()),
    );
    one_fault(
        "/validators/0/pub_key/value",
        "32 bytes",
        relaxed(|v| v["pub_key"]["value"] = "AAAA".into()),
    );
    one_fault("/validators/0/power", "missing", relaxed(|v| v["power"] = Value::Null));
    one_fault("/validators/0/power", "-5", relaxed(|v| v["power"] = "-5".into()));
    one_fault("/validators/0/address", "40 hex", first(|v| v["address"] = "AB".into()));
    one_fault("/validators/0/name", "not a string", first(|v| v["name"] = 1.into()));
}

#[test]
fn power_that_overflows_together_is_a_fault_of_the_whole() {
    let found = faults(|d| {
        d["app_state"] = json!({});
        d["validators"][0]["power"] = "1152921504606846975".into();
    });
    assert_eq!(found[0].0, "/validators");
    assert!(found[0].1.contains("1152921504606847005"), "{found:?}");
}

#[test]
fn each_fault_of_the_state_has_its_place_and_its_reason() {
    let state = |change: fn(&mut Value)| move |d: &mut Value| change(&mut d["app_state"]);
    one_fault(
        "/app_state/accounts/1/address",
        "the same address as /app_state/accounts/0",
        state(|s| s["accounts"][1]["address"] = s["accounts"][0]["address"].clone()),
    );
    one_fault(
        "/app_state/accounts/0/nonce",
        "does not belong",
        state(|s| s["accounts"][0]["nonce"] = 1.into()),
    );
    one_fault(
        "/app_state/supply",
        "balances 300 + bonds 40000000 = 40000300",
        state(|s| s["supply"] = "40000301".into()),
    );
    one_fault(
        "/app_state/parameters/epoch_block",
        "unknown field",
        state(|s| s["parameters"]["epoch_block"] = 1.into()),
    );
    one_fault(
        "/app_state/parameters/bond_min",
        "decimal string",
        state(|s| s["parameters"]["bond_min"] = 1.into()),
    );
    one_fault(
        "/validators",
        "more than 3",
        state(|s| s["parameters"]["validators_max"] = 3.into()),
    );
    let found = faults(state(|s| {
        s["accounts"][0]["balance"] = "-1".into();
        s["accounts"][1]["balance"] = "x".into();
        s["supply"] = Value::Null;
    }));
    assert_eq!(found.len(), 2, "{found:?}");
    let found = faults(state(|s| {
        let most = u128::MAX.to_string();
        s["accounts"][0]["balance"] = most.clone().into();
        s["accounts"][1]["balance"] = most.into();
    }));
    assert_eq!(found[0].0, "/app_state/accounts");
}

#[test]
fn listed_bonds_must_give_the_powers_of_the_validators() {
    let bond = |number: u8, amount: &str| {
        let validator = address(number).to_string();
        json!({"validator": validator, "amount": amount})
    };
    let good = || {
        let mut bonds = vec![bond(1, "4000000"), bond(2, "10000000"), bond(3, "10999999")];
        bonds.push(bond(4, "10000000"));
        let mut delegated = bond(1, "6000000");
        delegated["delegator"] = address(21).to_string().into();
        bonds.push(delegated);
        bonds
    };
    let with = |bonds: Vec<Value>| {
        move |d: &mut Value| {
            d["app_state"]["bonds"] = Value::Array(bonds);
            d["app_state"]["supply"] = Value::Null;
        }
    };
    assert_eq!(faults(with(good())), []);
    let mut wrong = good();
    wrong[1]["amount"] = "9999999".into();
    one_fault("/validators/1/power", "bonds of 9999999 give 9", with(wrong));
    let mut stranger = good();
    stranger.push(bond(9, "1"));
    one_fault("/app_state/bonds/5/validator", "none of the validators", with(stranger));
    let mut twice = good();
    twice.push(twice[4].clone());
    one_fault("/app_state/bonds/5", "the same owner", with(twice));
    let mut poor = good();
    poor[0]["amount"] = "999999".into();
    poor[4]["amount"] = "9000001".into();
    one_fault("/validators/0", "less than bond_min", with(poor));
}

#[test]
fn older_and_other_forms_are_upgraded_and_said_so() {
    assert_eq!(warnings(|d| d["initial_height"] = Value::Null), ["/initial_height"]);
    assert_eq!(warnings(|d| d["initial_height"] = "0".into()), ["/initial_height"]);
    assert_eq!(warnings(|d| d["initial_height"] = 1.into()), ["/initial_height"]);
    assert_eq!(warnings(|d| d["validators"][0]["power"] = 10.into()), ["/validators/0/power"]);
    assert_eq!(
        warnings(|d| d["consensus_params"]["block"]["max_gas"] = Value::Null),
        ["/consensus_params/block/max_gas"]
    );
    assert_eq!(
        warnings(|d| d["consensus_params"]["block"]["time_iota_ms"] = "1000".into()),
        ["/consensus_params/block/time_iota_ms"]
    );
    assert_eq!(warnings(|d| d["consensus_params"] = Value::Null), ["/consensus_params"]);
    assert_eq!(warnings(|d| d["mood"] = "good".into()), ["/mood"]);
    assert_eq!(warnings(|d| d["a/b~c"] = 1.into()), ["/a~1b~0c"]);
    let fine = "2026-01-01T00:00:00.123456789Z";
    assert_eq!(warnings(|d| d["genesis_time"] = fine.into()), ["/genesis_time"]);
    assert_eq!(warnings(|d| d["app_state"] = json!({"auth": {}})), ["/app_state"]);
    let moved = warnings(|d| {
        let params = d["consensus_params"].take();
        let validators = d["validators"].take();
        d["consensus"] = json!({"params": params, "validators": validators});
    });
    assert_eq!(moved, ["/consensus"]);
}

#[test]
fn what_is_no_document_is_one_fault() {
    for text in ["", "{", "nul", "{\"a\":}", "\u{0}", "[]", "7", "null"] {
        let report = check(text.as_bytes());
        assert_eq!(report.faults_count, 1, "{text}: {:?}", report.faults);
        assert_eq!(report.faults[0].pointer, "");
        assert_eq!(report.genesis, None);
    }
    assert_eq!(check(&[0xff, 0xfe]).faults_count, 1);
    assert!(check(b"{}").faults_count >= 3);
}

#[test]
fn faults_without_end_are_counted_and_not_all_listed() {
    let mut document = native();
    let accounts = vec![json!({"address": "x", "balance": "y"}); 800];
    document["app_state"] = json!({"accounts": accounts});
    let report = checked(&document);
    assert_eq!((report.faults.len(), report.faults_count), (1_000, 1_600));
}
