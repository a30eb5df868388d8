//! The demonstration, as whoever reads its lines sees it.

use serde_json::Value;
use tests::{
    node0::{complaint, lines, program, run},
    own_cluster::OwnCluster,
};

/// Types of events that do not hold all that was asked.
const UNTOLD: [&str; 4] = [
    "block-proposed.v1",
    "genesis-initialised.v1",
    "slo-state-recorded.v1",
    "validator-registered.v1",
];

/// What a run said, and came to; it must end well.
fn demo(own: &OwnCluster, arguments: &[&str]) -> (Vec<Value>, Value) {
    let mut command = program();
    command.args(["demo", "--json", "--listen", "127.0.0.1:0"]).args(arguments);
    let output = command.arg("--data").arg(own.folder()).output().expect("it can be run");
    assert_eq!(output.status.code(), Some(0), "{}", complaint(&output));
    let said = lines(&output);
    let last = said.last().expect("it says something")["summary"].clone();
    (said, last)
}

fn number(value: &Value) -> u64 {
    let parsed = value.as_str().and_then(|text| text.parse().ok());
    value.as_u64().or(parsed).unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_network_makes_every_transaction_final_and_goes_on_in_the_next_run() {
    let own = OwnCluster::initialised();
    let (said, first) = demo(&own, &["--for", "4s", "--rate", "100", "--validators", "3"]);
    let frames: Vec<&Value> = said.iter().filter(|line| line["now"].is_object()).collect();
    assert!(frames.len() >= 3, "{said:#?}");
    assert_eq!(frames[1]["now"]["validators"].as_array().expect("seats").len(), 3);
    let counts = &first["transactions"];
    assert!(number(&counts["submitted"]) >= 200, "{first:#}");
    assert_eq!(counts["submitted"], counts["succeeded"], "{first:#}");
    let parts = first["counted"].as_object().expect("parts").values();
    let counted: u128 = parts.map(|part| u128::from(number(part))).sum();
    assert_eq!(counted, u128::from(number(&first["supply"])), "{first:#}");
    let (_, second) = demo(&own, &["--for", "2s", "--rate", "50"]);
    assert!(number(&second["height"]) > number(&first["height"]), "{second:#}");
    assert_eq!(second["transactions"]["submitted"], second["transactions"]["succeeded"]);
    // By the same rules all of it would happen again: every vote, block and transaction.
    let data = own.folder().to_str().expect("a name");
    let again = run(["replay", "--decide", "--json", "--data", data]);
    assert_eq!(again.status.code(), Some(0), "{}", complaint(&again));
    let told = lines(&again).pop().expect("a summary");
    assert_eq!(told["differ"], 0);
    assert!(number(&told["same"]) > 1_000, "{told:#}");
    for event_type in told["untold"].as_object().expect("types").keys() {
        assert!(UNTOLD.contains(&event_type.as_str()), "{event_type}");
    }
}

#[test]
fn who_lies_is_found_and_the_others_go_on() {
    let own = OwnCluster::initialised();
    let (_, summary) = demo(&own, &["--for", "5s", "--rate", "20", "--equivocate"]);
    assert_eq!(summary["equivocated"], serde_json::json!(["dusk"]), "{summary:#}");
    assert_eq!(summary["transactions"]["submitted"], summary["transactions"]["succeeded"]);
}

#[test]
fn what_cannot_be_shown_is_refused_with_the_usage() {
    for wrong in [["--validators", "17"], ["--for", "soon"], ["--batch", "0"]] {
        let output = program().arg("demo").args(wrong).output().expect("it can be run");
        assert_eq!(output.status.code(), Some(2), "{wrong:?}");
    }
}
