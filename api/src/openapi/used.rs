//! Leaves out of a document what nothing in it refers to.
//!
//! Does not know what the components are.

use std::collections::BTreeSet;

use serde_json::Value;

/// Where components are.
const COMPONENTS: &str = "#/components/";
/// The kinds of components that are left out when nothing refers to them.
const KINDS: [&str; 4] = ["headers", "parameters", "responses", "schemas"];

/// Takes away the components that no path needs, by itself or through another one.
pub fn only_used(document: &mut Value) {
    let mut used = BTreeSet::new();
    references(&document["paths"], document, &mut used);
    for kind in KINDS {
        if let Some(components) = document["components"][kind].as_object_mut() {
            components.retain(|name, _| used.contains(&format!("{COMPONENTS}{kind}/{name}")));
        }
    }
}

/// Finds what a part refers to, and what that refers to.
fn references(part: &Value, document: &Value, used: &mut BTreeSet<String>) {
    match part {
        Value::Object(members) => {
            for (name, value) in members {
                match value.as_str().filter(|_| name == "$ref") {
                    Some(reference) if used.insert(reference.to_owned()) => {
                        let pointer = reference.trim_start_matches('#');
                        let target = document.pointer(pointer).unwrap_or(&Value::Null);
                        references(target, document, used);
                    }
                    Some(_) => {}
                    None => references(value, document, used),
                }
            }
        }
        Value::Array(items) => {
            for item in items {
                references(item, document, used);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
