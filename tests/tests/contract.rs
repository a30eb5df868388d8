//! The contracts that clients build on are the ones that are committed.
//!
//! Does not judge them. After an intended change:
//! `node0 openapi > api/contract/openapi.json`, `node0 schema > api/contract/schema.graphql`,
//! `node0 collection > api/contract/postman.json`.

use std::{fmt::Display, fs, path::Path, str::FromStr};

use domain::{
    configuration::{Key, Subject},
    values::{
        Address, Algorithm, Amount, ApiKeyId, AppHash, ChainId, Contact, Digest, Hash, Label, Memo,
        Moniker, Operator, PermissionName, PrincipalId, Reason, Reservation, RoleName, SessionId,
        Signature, Website,
    },
};
use proptest::{
    strategy::{Strategy, ValueTree},
    string::string_regex,
    test_runner::TestRunner,
};
use serde_json::Value;
use tests::node0;

/// Texts of each pattern that are tried.
const TEXTS: usize = 200;

fn assert_committed(verb: &str, file: &str) {
    let printed = node0::run([verb]);
    assert!(printed.status.success(), "{}", node0::complaint(&printed));
    let printed = String::from_utf8(printed.stdout).expect("a contract is text");
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the workspace");
    let committed = fs::read_to_string(root.join(file)).expect("a committed contract");
    for ((ours, theirs), line) in printed.lines().zip(committed.lines()).zip(1..) {
        assert_eq!(ours, theirs, "{file}:{line} is not what `node0 {verb}` prints");
    }
    assert_eq!(printed.lines().count(), committed.lines().count(), "{file} has another length");
}

#[test]
fn the_openapi_document_is_the_committed_one() {
    assert_committed("openapi", "api/contract/openapi.json");
}

#[test]
fn the_graphql_schema_is_the_committed_one() {
    assert_committed("schema", "api/contract/schema.graphql");
}

#[test]
fn the_collection_has_a_request_for_each_operation_and_is_the_committed_one() {
    assert_committed("collection", "api/contract/postman.json");
    let collection = api::openapi::collection::collection();
    let folders = collection["item"].as_array().unwrap();
    let found: usize = folders.iter().map(|one| one["item"].as_array().unwrap().len()).sum();
    let contract = api::openapi::document();
    let paths = contract["paths"].as_object().unwrap().values();
    let operations: usize = paths.map(|path| path.as_object().unwrap().len()).sum();
    assert_eq!(found, operations);
}

/// Whether what the contract calls a text of this form is taken as one.
fn takes<T: FromStr<Err: Display>>(contract: &Value, name: &str) {
    let schema = &contract["components"]["schemas"][name];
    let pattern = schema["pattern"].as_str().unwrap_or_else(|| panic!("{name} has no pattern"));
    let bare = pattern.trim_start_matches('^').trim_end_matches('$');
    let texts = string_regex(bare).unwrap();
    let longest = schema["maxLength"].as_u64().unwrap_or(u64::MAX);
    let mut runner = TestRunner::deterministic();
    for _ in 0..TEXTS {
        let text = texts.new_tree(&mut runner).unwrap().current();
        if text.len() as u64 <= longest {
            let taken = text.parse::<T>();
            assert!(taken.is_ok(), "{name} is not {text:?}: {}", taken.err().unwrap());
        }
    }
}

#[test]
fn texts_of_the_form_that_the_contract_names_are_taken() {
    let printed = node0::run(["openapi"]);
    let contract: Value = serde_json::from_slice(&printed.stdout).unwrap();
    takes::<Address>(&contract, "Address");
    takes::<Algorithm>(&contract, "Algorithm");
    takes::<Amount>(&contract, "Amount");
    takes::<ApiKeyId>(&contract, "ApiKeyId");
    takes::<AppHash>(&contract, "AppHash");
    takes::<ChainId>(&contract, "ChainId");
    takes::<Key>(&contract, "ConfigurationKey");
    takes::<Contact>(&contract, "Contact");
    takes::<Digest>(&contract, "Digest");
    takes::<Subject>(&contract, "FlagSubject");
    takes::<Hash>(&contract, "Hash");
    takes::<Label>(&contract, "Label");
    takes::<Memo>(&contract, "Memo");
    takes::<Moniker>(&contract, "Moniker");
    takes::<Operator>(&contract, "Operator");
    takes::<PermissionName>(&contract, "PermissionName");
    takes::<PrincipalId>(&contract, "PrincipalId");
    takes::<Reason>(&contract, "Reason");
    takes::<Reservation>(&contract, "Reservation");
    takes::<RoleName>(&contract, "RoleName");
    takes::<SessionId>(&contract, "SessionId");
    takes::<Signature>(&contract, "Signature");
    takes::<Website>(&contract, "Website");
}
