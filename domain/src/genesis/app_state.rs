//! The state with which our own chain begins.
//!
//! Does not read other applications' state: it recognises it, and says so.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, HashMap},
};

use serde_json::{Value, json};

use super::{
    Bond, Ours,
    read::{Findings, is_empty, items},
    validators::Validators,
};
use crate::{
    json::Node,
    light::ValidatorSet,
    parameters::{Parameters, VALIDATORS_LIMIT},
    validator_set::Member,
    values::{Address, Amount},
};

/// The members of our own state.
const MEMBERS: &[&str] = &["accounts", "bonds", "parameters", "supply"];

/// Reads the state with which a chain of ours would begin, or says why none can.
pub(super) fn read(
    node: Option<Node<'_>>,
    place: &str,
    validators: &Validators,
    findings: &mut Findings,
) -> Result<Ours, String> {
    let empty = Value::Object(serde_json::Map::new());
    let absent = Node { value: &empty, pointer: place.to_owned() };
    let node = node.filter(|node| !is_empty(node.value)).unwrap_or(absent);
    if !is_ours(&node) {
        findings.warn(node.pointer, "another application's state; it is not read");
        return Err("its app_state is another application's".to_owned());
    }
    let parameters = parameters(node.member(&["parameters"]), findings);
    let (balances, balance) = accounts(node.member(&["accounts"]), findings);
    if validators.transactions {
        return Err("its validators are still genesis transactions".to_owned());
    }
    let (bonds, bonded) = match node.member(&["bonds"]) {
        Some(bonds) => bonds_listed(&bonds, validators, &parameters, findings),
        None => bonds_implied(validators, &parameters, findings),
    };
    let supply = supply(&node, balance, bonded, findings);
    check_count(validators, &parameters, findings);
    let mut members: Vec<Member> = validators.listed.iter().map(|(_, member)| *member).collect();
    members.sort_unstable_by_key(|member| (Reverse(member.power), member.address));
    let keys: Vec<_> = members.iter().map(|member| (member.public_key, member.power)).collect();
    let set = ValidatorSet::of(&keys).map_err(|fault| fault.sentence)?;
    Ok(Ours {
        accounts: u32::try_from(balances.len()).unwrap_or(u32::MAX),
        balances,
        bonded: bonded.unwrap_or_default(),
        bonds,
        parameters,
        supply: supply.unwrap_or_default(),
        validators: members,
        validators_hash: set.hash(),
    })
}

/// Whether it is our own form: only our members, and no accounts that hold coins of many kinds.
fn is_ours(node: &Node<'_>) -> bool {
    let Some(object) = node.value.as_object() else { return false };
    let known = object.keys().all(|name| MEMBERS.contains(&name.as_str()));
    let first = object.get("accounts").and_then(|accounts| accounts.get(0));
    let foreign = first.is_some_and(|a| a.get("coins").is_some() || a.get("@type").is_some());
    known && !foreign
}

/// Reads each parameter by itself, so that each fault is named at its own place.
fn parameters(node: Option<Node<'_>>, findings: &mut Findings) -> Parameters {
    let Some(node) = node else { return Parameters::default() };
    let Some(members) = findings.take(node.members()) else { return Parameters::default() };
    let mut readable = serde_json::Map::new();
    for (name, member) in members {
        let alone = json!({ name: member.value });
        match serde_json::from_value::<Parameters>(alone) {
            Ok(_) => {
                readable.insert(name.to_owned(), member.value.clone());
            }
            Err(fault) => findings.fault(member.pointer, fault.to_string()),
        }
    }
    let parameters: Parameters = match serde_json::from_value(Value::Object(readable)) {
        Ok(parameters) => parameters,
        Err(fault) => {
            findings.fault(node.pointer.clone(), fault.to_string());
            return Parameters::default();
        }
    };
    for fault in parameters.faults() {
        findings.fault(node.place(fault.parameter), fault.sentence);
    }
    parameters
}

fn amount(node: &Node<'_>, name: &str, findings: &mut Findings) -> Option<Amount> {
    let Some(member) = node.member(&[name]) else {
        findings.fault(node.place(name), format!("the {name} is missing"));
        return None;
    };
    let text = findings.take(member.text())?;
    findings.value(&member, text.parse())
}

fn address(node: &Node<'_>, name: &str, findings: &mut Findings) -> Option<Address> {
    let Some(member) = node.member(&[name]) else {
        findings.fault(node.place(name), format!("the {name} is missing"));
        return None;
    };
    let text = findings.take(member.text())?;
    findings.value(&member, text.parse())
}

/// The accounts' balances, and their sum.
fn accounts(
    node: Option<Node<'_>>,
    findings: &mut Findings,
) -> (Vec<(Address, Amount)>, Option<Amount>) {
    let place = node.as_ref().map(|node| node.pointer.clone()).unwrap_or_default();
    let entries = items(findings, node);
    let mut places: HashMap<Address, String> = HashMap::new();
    let mut balances = Vec::with_capacity(entries.len());
    let mut sum = Some(Amount::ZERO);
    for entry in &entries {
        findings.unknown(entry, &["address", "balance"]);
        let address = address(entry, "address", findings);
        let balance = amount(entry, "balance", findings).unwrap_or_default();
        sum = sum.and_then(|sum| sum.plus(balance));
        let Some(address) = address else { continue };
        if let Some(earlier) = places.get(&address) {
            let sentence = format!("the same address as {earlier}");
            findings.fault(entry.place("address"), sentence);
            continue;
        }
        places.insert(address, entry.pointer.clone());
        balances.push((address, balance));
    }
    if sum.is_none() {
        findings.fault(place, "the sum of all balances is more than 2^128 - 1");
    }
    (balances, sum)
}

/// What is bonded on one validator.
#[derive(Default)]
struct Bonded {
    own: Amount,
    total: Amount,
}

/// The listed bonds, which must give exactly the validators' powers, and their sum.
fn bonds_listed(
    node: &Node<'_>,
    validators: &Validators,
    parameters: &Parameters,
    findings: &mut Findings,
) -> (Vec<Bond>, Option<Amount>) {
    let mut bonded: BTreeMap<Address, Bonded> = BTreeMap::new();
    for (_, member) in &validators.listed {
        bonded.insert(member.address, Bonded::default());
    }
    let mut places: HashMap<(Address, Option<Address>), String> = HashMap::new();
    let mut bonds = Vec::new();
    let mut sum = Some(Amount::ZERO);
    for entry in findings.take(node.items()).unwrap_or_default() {
        findings.unknown(&entry, &["amount", "delegator", "validator"]);
        let amount = amount(&entry, "amount", findings);
        let delegator = entry.member(&["delegator"]);
        let delegator = delegator.and_then(|_| address(&entry, "delegator", findings));
        let Some(validator) = address(&entry, "validator", findings) else { continue };
        if let Some(earlier) = places.get(&(validator, delegator)) {
            findings.fault(entry.pointer, format!("the same owner and validator as {earlier}"));
            continue;
        }
        places.insert((validator, delegator), entry.pointer.clone());
        let amount = amount.unwrap_or_default();
        sum = sum.and_then(|sum| sum.plus(amount));
        bonds.push(Bond { amount, delegator, validator });
        let Some(stake) = bonded.get_mut(&validator) else {
            findings.fault(entry.place("validator"), "none of the validators has this address");
            continue;
        };
        stake.total = stake.total.and(amount);
        if delegator.is_none() {
            stake.own = amount;
        }
    }
    if sum.is_none() {
        findings.fault(node.pointer.clone(), "the sum of all bonds is more than 2^128 - 1");
    }
    for (place, member) in &validators.listed {
        let Some(stake) = bonded.get(&member.address) else { continue };
        check_stake(place, member, stake, parameters, findings);
    }
    (bonds, sum)
}

fn check_stake(
    place: &str,
    member: &Member,
    stake: &Bonded,
    parameters: &Parameters,
    findings: &mut Findings,
) {
    let power = stake.total.power(parameters.power_reduction);
    if power != member.power {
        let sentence = format!(
            "the power is {}, but bonds of {} give {power} (power_reduction = {})",
            member.power, stake.total, parameters.power_reduction
        );
        findings.fault(format!("{place}/power"), sentence);
    }
    if stake.own < parameters.bond_min {
        let sentence =
            format!("its own bond is {}, less than bond_min = {}", stake.own, parameters.bond_min);
        findings.fault(place, sentence);
    }
}

/// Without a list each validator's own bond is what its power takes.
fn bonds_implied(
    validators: &Validators,
    parameters: &Parameters,
    findings: &mut Findings,
) -> (Vec<Bond>, Option<Amount>) {
    let reduction = parameters.power_reduction.value();
    let mut bonds = Vec::with_capacity(validators.listed.len());
    let mut sum = Some(Amount::ZERO);
    for (place, member) in &validators.listed {
        let bond = u128::from(member.power.value()).checked_mul(reduction).map(Amount::new);
        let Some(bond) = bond else {
            findings.fault(format!("{place}/power"), "its bond would be more than 2^128 - 1");
            continue;
        };
        if bond < parameters.bond_min {
            let sentence =
                format!("its bond is {bond}, less than bond_min = {}", parameters.bond_min);
            findings.fault(format!("{place}/power"), sentence);
        }
        sum = sum.and_then(|sum| sum.plus(bond));
        bonds.push(Bond { amount: bond, delegator: None, validator: member.address });
    }
    (bonds, sum)
}

/// The supply: balances + bonds, and what the document says it is.
fn supply(
    node: &Node<'_>,
    balances: Option<Amount>,
    bonded: Option<Amount>,
    findings: &mut Findings,
) -> Option<Amount> {
    let (balances, bonded) = balances.zip(bonded)?;
    let Some(sum) = balances.plus(bonded) else {
        findings.fault(node.place("supply"), "balances + bonds are more than 2^128 - 1");
        return None;
    };
    if let Some(member) = node.member(&["supply"]) {
        let text = findings.take(member.text())?;
        let said: Amount = findings.value(&member, text.parse())?;
        if said != sum {
            let sentence = format!("is {said}, but balances {balances} + bonds {bonded} = {sum}");
            findings.fault(member.pointer, sentence);
        }
    }
    Some(sum)
}

fn check_count(validators: &Validators, parameters: &Parameters, findings: &mut Findings) {
    let count = validators.listed.len();
    let most = parameters.validators_max.min(VALIDATORS_LIMIT);
    if count > usize::try_from(most).unwrap_or(usize::MAX) {
        let sentence = format!("{count} validators, more than {most} = validators_max");
        findings.fault("/validators", sentence);
    }
}
