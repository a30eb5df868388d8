//! The contract as a collection of Postman's (format 2.1.0), which Bruno, Insomnia and others read
//! as well: one request for each operation, with its example, in folders by tag.
//!
//! Does not know any operation: it is the document told in another form.

use serde_json::{Map, Value, json};

/// The form of collections.
const SCHEMA: &str = "https://schema.getpostman.com/json/collection/v2.1.0/collection.json";

/// The collection of the document.
pub fn collection() -> Value {
    let document = super::document();
    let mut folders: Map<String, Value> = Map::new();
    let paths = document["paths"].as_object().into_iter().flatten();
    for (path, operations) in paths {
        for (method, operation) in operations.as_object().into_iter().flatten() {
            let tag = operation["tags"][0].as_str().unwrap_or_default();
            let folder = folders.entry(tag.to_owned()).or_insert_with(|| json!([]));
            if let Some(items) = folder.as_array_mut() {
                items.push(item(&document, path, method, operation));
            }
        }
    }
    let folder = |(name, items): (String, Value)| json!({"name": name, "item": items});
    json!({
        "info": {
            "name": "Node-0",
            "description": "Made from /api/openapi.json. Set `base` and `token`.",
            "schema": SCHEMA,
        },
        "auth": {
            "type": "bearer",
            "bearer": [{"key": "token", "value": "{{token}}", "type": "string"}],
        },
        "variable": [
            {"key": "base", "value": "http://localhost:8080"},
            {"key": "token", "value": ""},
        ],
        "item": folders.into_iter().map(folder).collect::<Vec<_>>(),
    })
}

/// The collection as it is committed.
pub fn json() -> String {
    let mut text = serde_json::to_string_pretty(&collection()).unwrap_or_default();
    text.push('\n');
    text
}

fn item(document: &Value, path: &str, method: &str, operation: &Value) -> Value {
    let resolved = |one: &Value| match one["$ref"].as_str().and_then(|name| name.strip_prefix('#'))
    {
        Some(pointer) => document.pointer(pointer).cloned().unwrap_or_default(),
        None => one.clone(),
    };
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters: Vec<Value> = parameters.map(resolved).collect();
    let of = |place: &str| {
        let found = parameters.iter().filter(|one| one["in"] == place);
        found.map(parameter).collect::<Vec<_>>()
    };
    // `{id}` is `:id` there.
    let path = path.replace('{', ":").replace('}', "");
    let parts: Vec<&str> = path.split('/').skip(1).collect();
    let mut request = json!({
        "method": method.to_uppercase(),
        "description": operation["description"],
        "header": [],
        "url": {
            "raw": format!("{{{{base}}}}{path}"),
            "host": ["{{base}}"],
            "path": parts,
            "query": of("query"),
            "variable": of("path"),
        },
    });
    let body = &operation["requestBody"]["content"]["application/json"];
    if !body.is_null() {
        let example = serde_json::to_string_pretty(&body["example"]).unwrap_or_default();
        request["header"] = json!([{"key": "Content-Type", "value": "application/json"}]);
        request["body"] = json!({
            "mode": "raw",
            "raw": example,
            "options": {"raw": {"language": "json"}},
        });
    }
    if operation["security"] == json!([]) {
        request["auth"] = json!({"type": "noauth"});
    }
    json!({"name": operation["summary"], "request": request})
}

/// A parameter: those that need not be given are switched off.
fn parameter(one: &Value) -> Value {
    let example = &one["schema"]["example"];
    let value = example.as_str().map_or_else(
        || if example.is_null() { String::new() } else { example.to_string() },
        str::to_owned,
    );
    json!({
        "key": one["name"],
        "value": value,
        "description": one["description"],
        "disabled": one["required"] != true,
    })
}
