//! Values from JSON to GraphQL and back, by their schema.
//!
//! Does not judge: what a schema does not know is left as it is, for others to refuse.

use async_graphql::{Name, SelectionField, Value as Written, indexmap::IndexMap};
use serde_json::{Map, Value};

use super::{Shape, resolved, screaming, shape, told_apart};

/// A JSON value as GraphQL writes it. Every object says of which type it is.
pub fn written(schema: &Value, hint: &str, value: &Value) -> Written {
    let (shape, _) = shape(schema, hint);
    match (shape, value) {
        (_, Value::Null) => Written::Null,
        (Shape::Number, Value::Number(number)) => Written::String(number.to_string()),
        (Shape::Word { .. }, Value::String(word)) => Written::Enum(Name::new(screaming(word))),
        (Shape::List(items), Value::Array(found)) => {
            Written::List(found.iter().map(|one| written(items, hint, one)).collect())
        }
        (Shape::Object { name, members }, Value::Object(found)) => {
            let (itself, _, _) = resolved(schema, "");
            let mut object = IndexMap::new();
            object.insert(Name::new("__typename"), Written::String(name));
            for member in members {
                let value = found.get(member.json).unwrap_or(&Value::Null);
                let told = match (told_apart(itself, member.json), value) {
                    (Some(_), Value::String(word)) => Written::Enum(Name::new(screaming(word))),
                    (Some(_) | None, value) => written(member.schema, hint, value),
                };
                object.insert(Name::new(member.name), told);
            }
            Written::Object(object)
        }
        (
            Shape::Scalar(_)
            | Shape::Number
            | Shape::Word { .. }
            | Shape::List(_)
            | Shape::Object { .. },
            value,
        ) => Written::from_json(value.clone()).unwrap_or_default(),
    }
}

/// What a client wrote, as JSON.
pub fn read(schema: &Value, hint: &str, value: &Written) -> Value {
    let (shape, _) = shape(schema, hint);
    match (shape, value) {
        (_, Written::Null) => Value::Null,
        (Shape::Number, Written::String(text)) => {
            text.parse::<u64>().map_or_else(|_| Value::from(text.as_str()), Value::from)
        }
        (Shape::Word { words, .. }, value) => word(&words, value),
        (Shape::List(items), Written::List(found)) => {
            Value::Array(found.iter().map(|one| read(items, hint, one)).collect())
        }
        // One may stand for a list of one (GraphQL, 3.11).
        (Shape::List(items), value) => Value::Array(vec![read(items, hint, value)]),
        (Shape::Object { members, .. }, Written::Object(found)) => {
            let (itself, _, _) = resolved(schema, "");
            let mut object = Map::new();
            for member in members {
                let Some(value) = found.get(member.name.as_str()) else { continue };
                let told = match told_apart(itself, member.json) {
                    Some(words) => word(&words, value),
                    None => read(member.schema, hint, value),
                };
                // What may be absent is absent rather than null.
                if !told.is_null() || member.required {
                    object.insert(member.json.to_owned(), told);
                }
            }
            Value::Object(object)
        }
        (Shape::Scalar(_) | Shape::Number | Shape::Object { .. }, value) => {
            value.clone().into_json().unwrap_or_default()
        }
    }
}

/// The word that a client wrote, as it is in JSON.
fn word(words: &[&str], value: &Written) -> Value {
    let text = match value {
        Written::Enum(name) => name.as_str(),
        Written::String(text) => text.as_str(),
        Written::Null
        | Written::Number(_)
        | Written::Boolean(_)
        | Written::Binary(_)
        | Written::List(_)
        | Written::Object(_) => return value.clone().into_json().unwrap_or_default(),
    };
    let found = words.iter().find(|word| screaming(word) == text);
    Value::from(found.copied().unwrap_or(text))
}

/// As much of a value as was asked for.
pub fn select(value: &Written, asked: &SelectionField<'_>) -> Written {
    match value {
        Written::List(items) => Written::List(items.iter().map(|one| select(one, asked)).collect()),
        Written::Object(members) if asked.selection_set().next().is_some() => {
            let mut found: IndexMap<Name, Written> = IndexMap::new();
            for field in asked.selection_set() {
                let key = Name::new(field.alias().unwrap_or_else(|| field.name()));
                let told = members.get(field.name()).map_or(Written::Null, |v| select(v, &field));
                match found.get_mut(&key) {
                    // Asked for twice, with different parts: both are told.
                    Some(before) => merge(before, told),
                    None => drop(found.insert(key, told)),
                }
            }
            Written::Object(found)
        }
        Written::Object(_)
        | Written::Null
        | Written::Number(_)
        | Written::String(_)
        | Written::Boolean(_)
        | Written::Binary(_)
        | Written::Enum(_) => value.clone(),
    }
}

fn merge(before: &mut Written, more: Written) {
    match (before, more) {
        (Written::Object(before), Written::Object(more)) => {
            for (name, value) in more {
                match before.get_mut(&name) {
                    Some(known) => merge(known, value),
                    None => drop(before.insert(name, value)),
                }
            }
        }
        (Written::List(before), Written::List(more)) => {
            before.iter_mut().zip(more).for_each(|(before, more)| merge(before, more));
        }
        (_, _) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Number, json};

    use super::*;

    fn reference(name: &str) -> Value {
        json!({"$ref": format!("#/components/schemas/{name}")})
    }

    #[test]
    fn a_value_goes_out_in_graphqls_manner_and_comes_back_the_same() {
        let rule = json!({
            "comparison": "above", "for_s": 60, "severity": "warning",
            "signal": "projection-lag-ms", "threshold": "1000", "title": "behind",
        });
        let out = written(&reference("RuleDefinition"), "", &rule);
        let told = out.clone().into_json().unwrap();
        assert_eq!((&told["signal"], &told["forS"]), (&json!("PROJECTION_LAG_MS"), &json!(60)));
        assert_eq!(told["__typename"], "RuleDefinition");
        assert_eq!(read(&reference("RuleDefinition"), "", &out), rule);
    }

    #[test]
    fn one_of_several_forms_has_the_members_of_all() {
        let source = json!({"kind": "rule", "rule": "lag"});
        let out = written(&reference("AlertSource"), "", &source);
        assert_eq!(read(&reference("AlertSource"), "", &out), source);
        let other = written(&reference("AlertSource"), "", &json!({"kind": "alertmanager"}));
        let told = other.clone().into_json().unwrap();
        assert_eq!((&told["kind"], &told["rule"]), (&json!("ALERTMANAGER"), &Value::Null));
        let back = read(&reference("AlertSource"), "", &other);
        assert_eq!(back, json!({"kind": "alertmanager"}));
    }

    #[test]
    fn numbers_of_64_bits_are_decimal_strings() {
        let schema = json!({"type": "integer", "format": "int64"});
        assert_eq!(written(&schema, "", &json!(7)), Written::from("7"));
        assert_eq!(read(&schema, "", &Written::from("7")), json!(7));
        let number = Number::from(7_u64);
        assert_eq!(read(&schema, "", &Written::Number(number)), json!(7));
    }
}
