//! The consensus parameters of a document, in today's and in older forms.
//!
//! Does not keep them: they are CometBFT's, checked by its bounds and by nothing of ours.

use super::read::{Findings, items};
use crate::json::Node;

/// The largest block in bytes, as in CometBFT: 100 MiB.
const BLOCK_BYTES_LIMIT: i128 = 104_857_600;
/// No bound but that of the number.
const ANY: i128 = i64::MAX as i128;
/// The kinds of keys CometBFT knows.
const KEY_TYPES: &[&str] = &["ed25519", "secp256k1", "bls12_381"];

/// Checks the consensus parameters; `place` names them when they are missing.
pub(super) fn check(node: Option<Node<'_>>, place: &str, findings: &mut Findings) {
    let Some(node) = node else {
        findings.warn(place, "missing; CometBFT's defaults are taken");
        return;
    };
    let known = ["abci", "block", "block_size", "evidence", "feature", "synchrony"];
    let all = [&known[..], &["validator", "version"]].concat();
    findings.unread(&node, &all);
    let block_bytes = block(&node, findings);
    evidence(&node, block_bytes, findings);
    key_types(&node, findings);
    if let Some(version) = node.member(&["version"]) {
        findings.unread(&version, &["app", "app_version"]);
        if let Some(app) = version.member(&["app", "app_version"]) {
            findings.integer_in(&app, 0, i128::from(u64::MAX));
        }
    }
    for group in ["abci", "feature", "synchrony"] {
        let Some(group) = node.member(&[group]) else { continue };
        let Some(members) = findings.take(group.members()) else { continue };
        for (_, member) in members.into_iter().filter(|(_, member)| !member.value.is_null()) {
            findings.integer_in(&member, 0, ANY);
        }
    }
}

/// The largest block in bytes, if it could be read.
fn block(node: &Node<'_>, findings: &mut Findings) -> Option<i128> {
    let Some(block) = node.member(&["block", "block_size"]) else {
        findings.fault(node.place("block"), "the block's limits are missing");
        return None;
    };
    if node.member(&["block"]).is_none() {
        findings.warn(block.pointer.clone(), "an older name; read as `block`");
    }
    findings.unread(&block, &["max_bytes", "max_gas", "time_iota_ms"]);
    if let Some(iota) = block.member(&["time_iota_ms"]) {
        findings.warn(iota.pointer.clone(), "an older member; it has no meaning any more");
        findings.integer(&iota);
    }
    match block.member(&["max_gas"]) {
        None => findings.warn(block.place("max_gas"), "missing; -1, no limit, is taken"),
        Some(gas) => {
            findings.integer_in(&gas, -1, ANY);
        }
    }
    let Some(bytes) = block.member(&["max_bytes"]) else {
        findings.fault(block.place("max_bytes"), "the largest block in bytes is missing");
        return None;
    };
    let number = findings.integer_in(&bytes, -1, BLOCK_BYTES_LIMIT)?;
    if number == 0 {
        findings.fault(bytes.pointer, "is 0: no block could be made");
        return None;
    }
    Some(if number == -1 { BLOCK_BYTES_LIMIT } else { number })
}

fn evidence(node: &Node<'_>, block_bytes: Option<i128>, findings: &mut Findings) {
    let Some(evidence) = node.member(&["evidence"]) else {
        findings.fault(node.place("evidence"), "the evidence's limits are missing");
        return;
    };
    findings.unread(&evidence, &["max_age", "max_age_duration", "max_age_num_blocks", "max_bytes"]);
    let Some(blocks) = evidence.member(&["max_age_num_blocks", "max_age"]) else {
        let place = evidence.place("max_age_num_blocks");
        findings.fault(place, "the greatest age of evidence in blocks is missing");
        return;
    };
    let older = evidence.member(&["max_age_num_blocks"]).is_none();
    if older {
        findings.warn(blocks.pointer.clone(), "an older name; read as `max_age_num_blocks`");
    }
    findings.integer_in(&blocks, 1, ANY);
    match evidence.member(&["max_age_duration"]) {
        Some(duration) => {
            findings.integer_in(&duration, 1, ANY);
        }
        None if older => {
            let sentence = "missing, as in older forms; 48 hours are taken";
            findings.warn(evidence.place("max_age_duration"), sentence);
        }
        None => {
            let sentence = "the greatest age of evidence in nanoseconds is missing";
            findings.fault(evidence.place("max_age_duration"), sentence);
        }
    }
    match evidence.member(&["max_bytes"]) {
        Some(bytes) => {
            findings.integer_in(&bytes, 0, block_bytes.unwrap_or(BLOCK_BYTES_LIMIT));
        }
        None => findings.warn(evidence.place("max_bytes"), "missing; 1 MiB is taken"),
    }
}

fn key_types(node: &Node<'_>, findings: &mut Findings) {
    let types = node.member(&["validator"]).and_then(|v| v.member(&["pub_key_types"]));
    let place = format!("{}/pub_key_types", node.place("validator"));
    if types.is_none() {
        findings.fault(place, "the kinds of keys are missing");
        return;
    }
    let mut named = Vec::new();
    for kind in items(findings, types) {
        let Some(name) = findings.take(kind.text()) else { continue };
        if !KEY_TYPES.contains(&name) {
            findings.fault(kind.pointer, format!("no kind of key is called {name:?}"));
        }
        named.push(name);
    }
    if !named.contains(&"ed25519") {
        findings
            .fault(place, "ed25519, the only kind of key that validates here, is not among them");
    }
}
