//! The document as a whole.
//!
//! Does not know consensus parameters, validators or state: each has a reader of its own.

use serde_json::Value;

use super::{Genesis, Report, app_state, consensus, read::Findings, validators};
use crate::{
    json::Node,
    values::{AppHash, ChainId, Hash, Height, Moment},
};

/// What a Go program writes for a time that was never set.
const UNSET_TIME: &str = "0001-01-01T00:00:00";
/// The members that are read.
const MEMBERS: &[&str] = &[
    "app_hash",
    "app_name",
    "app_state",
    "app_version",
    "chain_id",
    "consensus",
    "consensus_params",
    "genesis_time",
    "initial_height",
    "validators",
];

/// Checks a document.
pub(super) fn check(document: &[u8]) -> Report {
    let hash = Hash::of(document);
    let mut findings = Findings::default();
    let genesis = match serde_json::from_slice::<Value>(document) {
        Ok(value) => genesis(&Node::root(&value), hash, &mut findings),
        Err(fault) => {
            findings.fault("", format!("not JSON: {fault}"));
            None
        }
    };
    Report {
        genesis: genesis.filter(|_| findings.faults_count == 0),
        faults: findings.faults,
        faults_count: findings.faults_count,
        hash,
        warnings: findings.warnings,
    }
}

fn genesis(node: &Node<'_>, hash: Hash, findings: &mut Findings) -> Option<Genesis> {
    if !node.value.is_object() {
        findings.fault("", "not an object");
        return None;
    }
    findings.unread(node, MEMBERS);
    let nested = node.member(&["consensus"]);
    if let Some(nested) = &nested {
        let sentence =
            "parameters and validators are read from here, as the Cosmos SDK writes them";
        findings.warn(nested.pointer.clone(), sentence);
    }
    let chain_id = chain_id(node, findings);
    let time = genesis_time(node, findings);
    let initial_height = initial_height(node, findings);
    let app_hash = app_hash(node, findings);
    let within = |name| nested.as_ref().and_then(|nested| nested.member(&[name]));
    let parameters = node.member(&["consensus_params"]).or_else(|| within("params"));
    consensus::check(parameters, &node.place("consensus_params"), findings);
    let listed = node.member(&["validators"]).or_else(|| within("validators"));
    let validators = validators::read(listed, node, findings);
    let state = node.member(&["app_state"]);
    let ours = app_state::read(state, &node.place("app_state"), &validators, findings);
    Some(Genesis {
        app_hash: app_hash?,
        chain_id: chain_id?,
        hash,
        initial_height: initial_height?,
        ours,
        time: time?,
    })
}

fn chain_id(node: &Node<'_>, findings: &mut Findings) -> Option<ChainId> {
    let Some(member) = node.member(&["chain_id"]) else {
        findings.fault(node.place("chain_id"), "the chain id is missing");
        return None;
    };
    let text = findings.take(member.text())?;
    findings.value(&member, text.parse())
}

fn genesis_time(node: &Node<'_>, findings: &mut Findings) -> Option<Moment> {
    let Some(member) = node.member(&["genesis_time"]) else {
        findings.fault(node.place("genesis_time"), "the genesis time is missing");
        return None;
    };
    let text = findings.take(member.text())?;
    if text.is_empty() || text.starts_with(UNSET_TIME) {
        findings.fault(member.pointer, "the genesis time was never set");
        return None;
    }
    let fraction = text.split_once('.').map_or("", |(_, rest)| rest);
    let digits = fraction.bytes().take_while(u8::is_ascii_digit);
    if digits.skip(6).any(|digit| digit != b'0') {
        let sentence = "finer than a microsecond: what is below it is cut off";
        findings.warn(member.pointer.clone(), sentence);
    }
    findings.value(&member, text.parse())
}

fn initial_height(node: &Node<'_>, findings: &mut Findings) -> Option<Height> {
    let Some(member) = node.member(&["initial_height"]) else {
        findings.warn(node.place("initial_height"), "missing, as in older forms; 1 is taken");
        return Some(Height::FIRST);
    };
    let number = findings.integer_in(&member, 0, i128::from(i64::MAX))?;
    if number == 0 {
        findings.warn(member.pointer, "is 0, which means 1");
        return Some(Height::FIRST);
    }
    let height = u64::try_from(number).unwrap_or(u64::MAX);
    findings.value(&member, Height::new(height))
}

fn app_hash(node: &Node<'_>, findings: &mut Findings) -> Option<AppHash> {
    let Some(member) = node.member(&["app_hash"]) else { return Some(AppHash::default()) };
    let text = findings.take(member.text())?;
    findings.value(&member, text.parse())
}
