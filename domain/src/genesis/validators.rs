//! The validators of a document.
//!
//! Does not know their stake.

use std::collections::HashMap;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::read::{Findings, items};
use crate::{
    json::Node,
    validator_set::Member,
    values::{Address, POWER_TOTAL_MAX, Power, PublicKey},
};

/// What could be read of the validators, each with its place.
pub(super) struct Validators {
    pub listed: Vec<(String, Member)>,
    /// Whether they are still genesis transactions that an application must turn into validators.
    pub transactions: bool,
}

/// Reads the validators; `document` is where genesis transactions are looked for when there are
/// none.
pub(super) fn read(
    node: Option<Node<'_>>,
    document: &Node<'_>,
    findings: &mut Findings,
) -> Validators {
    let place = node.as_ref().map_or_else(|| document.place("validators"), |n| n.pointer.clone());
    if node.as_ref().is_some_and(|node| !node.value.is_array()) {
        findings.fault(place, "not an array");
        return Validators { listed: Vec::new(), transactions: false };
    }
    let entries = items(findings, node);
    if entries.is_empty() {
        let transactions = genesis_transactions(document);
        match &transactions {
            None => findings.fault(place, "there are no validators"),
            Some((pointer, count)) => {
                let sentence = format!(
                    "there are none, as in older forms: {count} genesis transactions in {pointer} \
                     name them"
                );
                findings.warn(place, sentence);
            }
        }
        return Validators { listed: Vec::new(), transactions: transactions.is_some() };
    }
    let mut listed = Vec::with_capacity(entries.len());
    let mut places = HashMap::new();
    for entry in &entries {
        if let Some(member) = validator(entry, findings, &mut places) {
            listed.push((entry.pointer.clone(), member));
        }
    }
    let total: u128 = listed.iter().map(|(_, member)| u128::from(member.power.value())).sum();
    if total > u128::from(POWER_TOTAL_MAX) {
        let sentence = format!(
            "their power is {total}, more than {POWER_TOTAL_MAX} = the greatest total power"
        );
        findings.fault(place, sentence);
    }
    Validators { listed, transactions: false }
}

/// Where the genesis transactions of a Cosmos application stand, and how many there are.
fn genesis_transactions(document: &Node<'_>) -> Option<(String, usize)> {
    let state = document.member(&["app_state"])?;
    let nested = state.member(&["genutil"]);
    let list = nested
        .and_then(|nested| nested.member(&["gen_txs", "gentxs"]))
        .or_else(|| state.member(&["gentxs", "gen_txs"]))?;
    let count = list.value.as_array()?.len();
    (count > 0).then_some((list.pointer, count))
}

fn validator(
    node: &Node<'_>,
    findings: &mut Findings,
    places: &mut HashMap<PublicKey, String>,
) -> Option<Member> {
    if !node.value.is_object() {
        findings.fault(node.pointer.clone(), "not an object");
        return None;
    }
    findings.unread(node, &["address", "name", "power", "proposer_priority", "pub_key"]);
    let key = public_key(node, findings);
    let power = power(node, findings);
    if let Some(name) = node.member(&["name"]) {
        findings.take(name.text());
    }
    if let Some(address) = node.member(&["address"]) {
        check_address(&address, key, findings);
    }
    let key = key?;
    if let Some(earlier) = places.get(&key) {
        let sentence = format!("the same key as {earlier}");
        findings.fault(format!("{}/pub_key", node.pointer), sentence);
        return None;
    }
    places.insert(key, node.pointer.clone());
    Some(Member { address: key.address(), power: power?, public_key: key })
}

fn check_address(node: &Node<'_>, key: Option<PublicKey>, findings: &mut Findings) {
    let Some(text) = findings.take(node.text()) else { return };
    // CometBFT fills an empty one in.
    if text.is_empty() {
        return;
    }
    let Some(address) = findings.value(node, text.parse::<Address>()) else { return };
    if let Some(expected) = key.map(|key| key.address()).filter(|expected| *expected != address) {
        findings.fault(node.pointer.clone(), format!("the key's address is {expected}"));
    }
}

fn power(node: &Node<'_>, findings: &mut Findings) -> Option<Power> {
    let Some(member) = node.member(&["power"]) else {
        findings.fault(node.place("power"), "the power is missing");
        return None;
    };
    let number = findings.integer(&member)?;
    if number <= 0 {
        findings.fault(member.pointer, format!("the power is {number}, at least 1 is needed"));
        return None;
    }
    let most = i128::from(POWER_TOTAL_MAX);
    if number > most {
        let sentence =
            format!("the power is {number}, more than {most} = the greatest total power");
        findings.fault(member.pointer, sentence);
        return None;
    }
    Power::new(u64::try_from(number).unwrap_or(u64::MAX)).ok()
}

fn public_key(node: &Node<'_>, findings: &mut Findings) -> Option<PublicKey> {
    let Some(member) = node.member(&["pub_key"]) else {
        findings.fault(node.place("pub_key"), "the public key is missing");
        return None;
    };
    let kind = member.needed(&["type"]).and_then(|kind| kind.text());
    let kind = findings.take(kind)?;
    if kind != "tendermint/PubKeyEd25519" {
        let sentence =
            format!("a key of type {kind:?}; only tendermint/PubKeyEd25519 validates here");
        findings.fault(format!("{}/type", member.pointer), sentence);
        return None;
    }
    let value = findings.take(member.needed(&["value"]))?;
    let text = findings.take(value.text())?;
    let bytes = STANDARD.decode(text).ok().and_then(|bytes| bytes.try_into().ok());
    let Some(bytes) = bytes else {
        findings.fault(value.pointer, "not 32 bytes in base64");
        return None;
    };
    findings.value(&value, PublicKey::from_bytes(bytes))
}
