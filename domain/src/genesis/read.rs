//! Collects what a check finds, and reads values while doing so.
//!
//! Does not stop at the first fault.

use serde_json::Value;

use super::{FINDINGS_MAX, Finding};
use crate::{
    json::{Node, ParseFault},
    values::ValueError,
};

/// What was found so far.
#[derive(Default)]
pub(super) struct Findings {
    pub faults: Vec<Finding>,
    pub faults_count: usize,
    pub warnings: Vec<Finding>,
}

impl Findings {
    /// Something that must be put right.
    pub fn fault(&mut self, pointer: impl Into<String>, sentence: impl Into<String>) {
        self.faults_count += 1;
        if self.faults.len() < FINDINGS_MAX {
            let (pointer, sentence) = (pointer.into(), sentence.into());
            self.faults.push(Finding { pointer, sentence });
        }
    }

    /// Something that was upgraded or not read.
    pub fn warn(&mut self, pointer: impl Into<String>, sentence: impl Into<String>) {
        if self.warnings.len() < FINDINGS_MAX {
            let (pointer, sentence) = (pointer.into(), sentence.into());
            self.warnings.push(Finding { pointer, sentence });
        }
    }

    /// What was read; a misreading is a fault.
    pub fn take<T>(&mut self, read: Result<T, ParseFault>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(misread) => {
                self.fault(misread.pointer, misread.sentence);
                None
            }
        }
    }

    /// What a value's own rule made of it; a refusal is a fault.
    pub fn value<T>(&mut self, node: &Node<'_>, parsed: Result<T, ValueError>) -> Option<T> {
        match parsed {
            Ok(value) => Some(value),
            Err(fault) => {
                self.fault(node.pointer.clone(), fault.to_string());
                None
            }
        }
    }

    /// A whole number, a decimal string in today's form; a JSON number is an older one.
    pub fn integer(&mut self, node: &Node<'_>) -> Option<i128> {
        if node.value.is_number() {
            let sentence = "a JSON number; read as the decimal string of today's form";
            self.warn(node.pointer.clone(), sentence);
        }
        self.take(node.number())
    }

    /// A whole number within bounds.
    pub fn integer_in(&mut self, node: &Node<'_>, least: i128, most: i128) -> Option<i128> {
        let number = self.integer(node)?;
        if number < least || number > most {
            self.fault(node.pointer.clone(), format!("is {number}, not in {least} to {most}"));
            return None;
        }
        Some(number)
    }

    /// Warns of members that are not read.
    pub fn unread(&mut self, node: &Node<'_>, known: &[&str]) {
        let Some(members) = self.take(node.members()) else { return };
        for (name, member) in members {
            if !known.contains(&name) {
                self.warn(member.pointer, format!("`{name}` is not known and was not read"));
            }
        }
    }

    /// Names members that do not belong where everything is ours.
    pub fn unknown(&mut self, node: &Node<'_>, known: &[&str]) {
        let Some(members) = self.take(node.members()) else { return };
        for (name, member) in members {
            if !known.contains(&name) {
                self.fault(member.pointer, format!("`{name}` does not belong here"));
            }
        }
    }
}

/// The items of an array that may be absent or null.
pub(super) fn items<'a>(findings: &mut Findings, node: Option<Node<'a>>) -> Vec<Node<'a>> {
    node.and_then(|node| findings.take(node.items())).unwrap_or_default()
}

/// Whether a value has nothing in it: null, or an empty object.
pub(super) fn is_empty(value: &Value) -> bool {
    value.is_null() || value.as_object().is_some_and(serde_json::Map::is_empty)
}
