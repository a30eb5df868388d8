//! The demonstration, as whoever reads its lines sees it.

use serde_json::Value;
use tests::{
    node0::{complaint, lines, program},
    own_cluster::OwnCluster,
};

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
