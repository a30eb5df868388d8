//! What differs between two values, for people to look at before they approve.
//!
//! Does not know which of the two is in force.

use serde::Serialize;
use serde_json::Value;

/// One difference: a member that came, went or changed. Arrays are compared as wholes.
#[derive(Clone, Debug, PartialEq, Serialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct Change {
    /// What it was; none when it was not there.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub from: Option<Value>,
    /// Where, as a JSON pointer (RFC 6901); empty for the whole.
    pub pointer: String,
    /// What it is; none when it is not there any more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to: Option<Value>,
}

/// Every difference, in the order of the members' names; none between equal values.
pub fn diff(from: Option<&Value>, to: Option<&Value>) -> Vec<Change> {
    let mut changes = Vec::new();
    compare(from, to, String::new(), &mut changes);
    changes
}

fn compare(from: Option<&Value>, to: Option<&Value>, pointer: String, changes: &mut Vec<Change>) {
    if from == to {
        return;
    }
    if let (Some(Value::Object(before)), Some(Value::Object(after))) = (from, to) {
        let mut names: Vec<&String> = before.keys().chain(after.keys()).collect();
        names.sort();
        names.dedup();
        for name in names {
            let place = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
            compare(before.get(name), after.get(name), place, changes);
        }
        return;
    }
    changes.push(Change { from: from.cloned(), pointer, to: to.cloned() });
}
