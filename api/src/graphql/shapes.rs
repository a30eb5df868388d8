//! Types of GraphQL out of the schemas of the contract: what goes in and out over REST goes in and
//! out over GraphQL in the same words, written in its manner.
//!
//! Does not know what any of it means. Members are `camelCase` instead of `snake_case`, words are
//! `SCREAMING_CASE` instead of `kebab-case`; one of several forms, told apart by a member, becomes
//! one type with the members of all.

mod register;
mod told;
mod translate;

use std::{collections::HashMap, sync::LazyLock};

use serde_json::Value;

pub use register::{argument, field, input, new_object as object, output};
pub use told::{Component, Told};
pub use translate::{read, select, written};

use crate::openapi::schemas;

/// The schemas of the contract.
static SCHEMAS: LazyLock<HashMap<String, Value>> = LazyLock::new(|| match schemas::all() {
    Value::Object(all) => all.into_iter().collect(),
    Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) | Value::Array(_) => {
        HashMap::new()
    }
});

/// Schemas that are scalars of their own over GraphQL.
const SCALARS: &[&str] = &[
    "Address",
    "Amount",
    "ChainId",
    "Digest",
    "Epoch",
    "Hash",
    "Height",
    "Moment",
    "Power",
    "PublicKey",
];
/// Whatever JSON there is.
const ANYTHING: &str = "JSON";

/// What a schema describes.
#[derive(Debug)]
enum Shape<'s> {
    /// A scalar by its GraphQL name.
    Scalar(&'s str),
    /// A whole number of up to 64 bits: a JSON number, but a decimal string over GraphQL.
    Number,
    /// One of some words.
    Word { name: String, words: Vec<&'s str> },
    /// Many of one kind.
    List(&'s Value),
    /// Members by name.
    Object { name: String, members: Vec<Member<'s>> },
}

/// A member of an object.
#[derive(Debug)]
struct Member<'s> {
    /// Its name in JSON.
    json: &'s str,
    /// Its name over GraphQL.
    name: String,
    schema: &'s Value,
    /// Whether it is always there.
    required: bool,
}

/// A component of the contract.
fn component(name: &str) -> &'static Value {
    SCHEMAS.get(name).unwrap_or(&Value::Null)
}

/// The schema itself and what it is called: behind a reference, without what says that it may be
/// null. `true` when it may.
fn resolved<'s>(schema: &'s Value, hint: &str) -> (&'s Value, String, bool) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        let (found, name, nullable) = resolved(component(name), name);
        return (found, name, nullable);
    }
    for combined in ["oneOf", "allOf"] {
        let Some(parts) = schema[combined].as_array() else { continue };
        let mut real = parts.iter().filter(|part| part["type"] != "null");
        if let (Some(only), None) = (real.next(), real.next()) {
            let (found, name, nullable) = resolved(only, hint);
            return (found, name, nullable || parts.len() > 1);
        }
    }
    let nullable = schema["type"].as_array().is_some_and(|types| types.iter().any(|t| t == "null"));
    (schema, hint.to_owned(), nullable)
}

/// The type of a schema, without `null`.
fn kind(schema: &Value) -> &str {
    match &schema["type"] {
        Value::String(kind) => kind,
        Value::Array(kinds) => {
            kinds.iter().filter_map(Value::as_str).find(|kind| *kind != "null").unwrap_or_default()
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::Object(_) => "",
    }
}

/// What a schema describes, and whether it may be null.
fn shape<'s>(schema: &'s Value, hint: &str) -> (Shape<'s>, bool) {
    let (schema, name, nullable) = resolved(schema, hint);
    if let Some(scalar) = SCALARS.iter().find(|scalar| **scalar == name) {
        return (Shape::Scalar(scalar), nullable);
    }
    let found = match kind(schema) {
        "boolean" => Shape::Scalar("Boolean"),
        "integer" if schema["format"] == "int64" => Shape::Number,
        "integer" => Shape::Scalar("Int"),
        "array" => Shape::List(&schema["items"]),
        "string" => match words(schema) {
            Some(words) => Shape::Word { name: type_name(&name), words },
            None => Shape::Scalar("String"),
        },
        _ => {
            let members = members(schema);
            match members.is_empty() {
                true => Shape::Scalar(ANYTHING),
                false => Shape::Object { name: type_name(&name), members },
            }
        }
    };
    (found, nullable)
}

fn words(schema: &Value) -> Option<Vec<&str>> {
    Some(schema["enum"].as_array()?.iter().filter_map(Value::as_str).collect())
}

/// The members of an object; of one of several, those of all, required only where all of them
/// require it.
fn members<'s>(schema: &'s Value) -> Vec<Member<'s>> {
    let forms = forms(schema);
    let mut found: Vec<Member<'s>> = Vec::new();
    for form in &forms {
        for (json, member) in
            form.iter().filter_map(|part| part["properties"].as_object()).flatten()
        {
            if found.iter().any(|known| known.json == json) {
                continue;
            }
            let requires = |form: &Vec<&Value>| {
                form.iter().any(|part| {
                    let required = part["required"].as_array();
                    required.is_some_and(|names| names.iter().any(|name| name == json))
                })
            };
            let required = forms.iter().all(requires);
            found.push(Member { json, name: camel(json), schema: member, required });
        }
    }
    found
}

/// The forms an object may have, each of one or more parts.
fn forms(schema: &Value) -> Vec<Vec<&Value>> {
    if let Some(forms) = schema["oneOf"].as_array() {
        return forms.iter().flat_map(self::forms).collect();
    }
    if let Some(parts) = schema["allOf"].as_array() {
        let parts = parts.iter().map(|part| resolved(part, "").0);
        return vec![parts.collect()];
    }
    vec![vec![resolved(schema, "").0]]
}

/// What tells the forms apart has a word in each: all of them, in order.
fn told_apart<'s>(schema: &'s Value, json: &str) -> Option<Vec<&'s str>> {
    let forms = forms(schema);
    let word = |form: &Vec<&'s Value>| {
        form.iter().find_map(|part| words(&part["properties"][json])?.first().copied())
    };
    if forms.len() < 2 { None } else { forms.iter().map(word).collect() }
}

/// A type's name: rows and views are called what they are rows and views of.
pub fn type_name(component: &str) -> String {
    let bare = component.strip_suffix("Row").or_else(|| component.strip_suffix("View"));
    bare.unwrap_or(component).to_owned()
}

/// `snake_case` and `kebab-case` as `camelCase`.
pub fn camel(name: &str) -> String {
    let mut parts = name.split(['_', '-']);
    let first = parts.next().unwrap_or_default().to_owned();
    parts.fold(first, |name, part| name + &capitalised(part))
}

/// The same as `PascalCase`.
pub fn pascal(name: &str) -> String {
    capitalised(&camel(name))
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

/// A word as GraphQL writes it.
fn screaming(word: &str) -> String {
    word.replace('-', "_").to_ascii_uppercase()
}
