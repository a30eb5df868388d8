//! All faults of a command's body at once, each with its JSON pointer.
//!
//! Parsing stops at the first fault. So each part of the body is tried by itself: put into the
//! command's valid example in the place of the example's own, it must parse; where it does not, its
//! parts are tried in turn. Does not know what commands there are.

use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use crate::problem::Fault;

/// The most faults that are listed.
pub const FAULTS_MAX: usize = 64;
/// The most parts that are tried: bounds the time a bad body may cost.
const TRIES_MAX: usize = 512;
/// The member that names the command: it stands in the path, not in the body.
const TAG: &str = "command";

/// Every fault of a body that does not parse as `C`; `error` is what the parser said of the whole.
pub fn faults<C: DeserializeOwned>(example: &Value, body: &Value, error: &str) -> Vec<Fault> {
    let Value::Object(body) = body else {
        return vec![Fault::at("", format!("must be a JSON object, not {}", kind(body)))];
    };
    let parses = |candidate: &Value| C::deserialize(candidate).err().map(|e| e.to_string());
    let mut search = Search { example, parses: &parses, tries: 0, faults: Vec::new() };
    search.object("", "", body);
    let mut faults = search.faults;
    if faults.is_empty() {
        faults.push(Fault::at("", error));
    }
    faults
}

struct Search<'a> {
    example: &'a Value,
    parses: &'a dyn Fn(&Value) -> Option<String>,
    tries: usize,
    faults: Vec<Fault>,
}

impl Search<'_> {
    fn is_over(&self) -> bool {
        self.faults.len() >= FAULTS_MAX || self.tries >= TRIES_MAX
    }

    /// What the parser says of the example after a change; none when it is content.
    fn attempt(&mut self, change: impl FnOnce(&mut Value)) -> Option<String> {
        self.tries += 1;
        let mut candidate = self.example.clone();
        change(&mut candidate);
        (self.parses)(&candidate)
    }

    /// Looks for faults below an object. `place` is where it stands in the body, `slot` where it is
    /// put in the example.
    fn object(&mut self, place: &str, slot: &str, object: &Map<String, Value>) {
        for (name, value) in object {
            if self.is_over() {
                return;
            }
            let place = format!("{place}/{}", escaped(name));
            if slot.is_empty() && name == TAG {
                let detail = "is not a field here: the command stands in the path";
                self.faults.push(Fault::at(place, detail));
                continue;
            }
            self.value(&place, &format!("{slot}/{}", escaped(name)), value);
        }
        let Some(Value::Object(sample)) = self.example.pointer(slot) else { return };
        let absent: Vec<String> = sample
            .keys()
            .filter(|name| !(object.contains_key(*name) || slot.is_empty() && *name == TAG))
            .cloned()
            .collect();
        for name in absent {
            let slot = slot.to_owned();
            let missing = name.clone();
            let refused = self.attempt(|candidate| {
                if let Some(Value::Object(parent)) = candidate.pointer_mut(&slot) {
                    parent.remove(&missing);
                }
            });
            if refused.is_some() {
                let place = format!("{place}/{}", escaped(&name));
                self.faults.push(Fault::at(place, "is missing"));
            }
        }
    }

    fn value(&mut self, place: &str, slot: &str, value: &Value) {
        let Some(error) = self.attempt(|candidate| put(candidate, slot, value.clone())) else {
            return;
        };
        let before = self.faults.len();
        match (value, self.example.pointer(slot)) {
            (Value::Object(object), Some(Value::Object(_))) => self.object(place, slot, object),
            (Value::Array(elements), Some(Value::Array(sample))) if !sample.is_empty() => {
                let slot = format!("{slot}/0");
                for (index, element) in elements.iter().enumerate() {
                    if self.is_over() {
                        return;
                    }
                    self.value(&format!("{place}/{index}"), &slot, element);
                }
            }
            _ => {}
        }
        if self.faults.len() == before {
            self.faults.push(Fault::at(place, error));
        }
    }
}

/// Puts a value in the place a pointer names, adding the last member when it is not there.
fn put(target: &mut Value, pointer: &str, value: Value) {
    if let Some(place) = target.pointer_mut(pointer) {
        *place = value;
        return;
    }
    let Some((parent, name)) = pointer.rsplit_once('/') else { return };
    if let Some(Value::Object(parent)) = target.pointer_mut(parent) {
        parent.insert(name.replace("~1", "/").replace("~0", "~"), value);
    }
}

fn escaped(name: &str) -> String {
    name.replace('~', "~0").replace('/', "~1")
}

fn kind(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "a boolean",
        Value::Number(_) => "a number",
        Value::String(_) => "a string",
        Value::Array(_) => "an array",
        Value::Object(_) => "an object",
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses matters")]
    struct Vote {
        round: u8,
        hash: Option<String>,
    }

    #[derive(Debug, Deserialize)]
    #[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
    #[expect(dead_code, reason = "only whether it parses matters")]
    enum Command {
        Jail { reason: String, until: Option<u32>, votes: Vec<Vote> },
    }

    fn found(body: Value) -> Vec<(String, String)> {
        let example = json!({
            "command": "jail", "reason": "late", "votes": [{"round": 1, "hash": "A"}],
        });
        faults::<Command>(&example, &body, "whole")
            .into_iter()
            .map(|fault| (fault.pointer.unwrap(), fault.detail))
            .collect()
    }

    fn places(body: Value) -> Vec<String> {
        found(body).into_iter().map(|(pointer, _)| pointer).collect()
    }

    #[test]
    fn every_fault_is_found_with_its_pointer() {
        let body = json!({
            "command": "unjail", "a/b": 1, "until": "soon",
            "votes": [{"round": 300}, {"round": 2, "hash": 7, "more": 0}, {"hash": "B"}, 5],
        });
        let mut found = places(body);
        found.sort();
        let mut expected = vec![
            "/a~1b",
            "/command",
            "/reason",
            "/until",
            "/votes/0/round",
            "/votes/1/hash",
            "/votes/1/more",
            "/votes/2/round",
            "/votes/3",
        ];
        expected.sort_unstable();
        assert_eq!(found, expected);
    }

    #[test]
    fn what_is_no_object_and_what_only_the_whole_shows_are_faults_of_the_whole() {
        assert_eq!(
            found(json!([1])),
            [(String::new(), "must be a JSON object, not an array".to_owned())]
        );
        let good = json!({"reason": "late", "votes": []});
        assert_eq!(found(good), [(String::new(), "whole".to_owned())]);
    }

    #[test]
    fn a_long_bad_body_is_listed_up_to_the_limit() {
        let votes: Vec<Value> = (0..2_000).map(|_| json!({"round": "x"})).collect();
        assert_eq!(places(json!({"reason": "late", "votes": votes})).len(), FAULTS_MAX);
    }
}
