//! The contracts that clients build on are the ones that are committed.
//!
//! Does not judge them. After an intended change:
//! `node0 openapi > api/contract/openapi.json`, `node0 schema > api/contract/schema.graphql`.

use std::{fs, path::Path};

use tests::node0;

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
