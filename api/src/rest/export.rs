//! Lists as files: one row a line, as CSV (RFC 4180) or as NDJSON.
//!
//! Does not know what a row means. What is nested stands as JSON in its cell; a text that a
//! spreadsheet would take for a formula is quoted by an apostrophe (OWASP, CSV Injection).

use serde::Serialize;
use serde_json::{Map, Value};

use crate::problem::Problem;

/// CSV.
pub const CSV: &str = "text/csv";
/// One JSON object a line.
pub const NDJSON: &str = "application/x-ndjson";

/// The rows, one JSON object a line.
pub fn ndjson<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, Problem> {
    let mut text = Vec::new();
    for row in rows {
        serde_json::to_writer(&mut text, row).map_err(Problem::internal)?;
        text.push(b'\n');
    }
    Ok(text)
}

/// The rows under the names of their members; nothing at all where there are none.
pub fn csv<T: Serialize>(rows: &[T]) -> Result<Vec<u8>, Problem> {
    let mut objects: Vec<Map<String, Value>> = Vec::with_capacity(rows.len());
    for row in rows {
        let row = serde_json::to_value(row).map_err(Problem::internal)?;
        let alone = || Map::from_iter([("value".to_owned(), row.clone())]);
        objects.push(row.as_object().cloned().unwrap_or_else(alone));
    }
    // A member that only some rows have is a column all the same.
    let mut names: Vec<&str> = Vec::new();
    for name in objects.iter().flat_map(Map::keys) {
        if !names.contains(&name.as_str()) {
            names.push(name);
        }
    }
    let mut writer =
        csv::WriterBuilder::new().terminator(csv::Terminator::CRLF).from_writer(Vec::new());
    if !names.is_empty() {
        writer.write_record(&names).map_err(Problem::internal)?;
    }
    for object in &objects {
        let cells = names.iter().map(|name| cell(object.get(*name).unwrap_or(&Value::Null)));
        writer.write_record(cells).map_err(Problem::internal)?;
    }
    writer.into_inner().map_err(|error| Problem::internal(error.to_string()))
}

fn cell(value: &Value) -> String {
    match value {
        Value::Null => String::new(),
        Value::String(text) => harmless(text),
        Value::Bool(_) | Value::Number(_) | Value::Array(_) | Value::Object(_) => value.to_string(),
    }
}

/// A text that no spreadsheet takes for a formula.
pub fn harmless(text: &str) -> String {
    let is_formula = text.starts_with(['=', '+', '-', '@', '\t', '\r', '\n']);
    if is_formula { format!("'{text}") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_become_columns_and_what_is_nested_stays_json() {
        let rows = [json!({"a": "x,\"y\"", "b": 1}), json!({"a": null, "c": {"d": [1]}})];
        let text = String::from_utf8(csv(&rows).unwrap()).unwrap();
        assert_eq!(text, "a,b,c\r\n\"x,\"\"y\"\"\",1,\r\n,,\"{\"\"d\"\":[1]}\"\r\n");
        assert_eq!(csv::<Value>(&[]).unwrap(), b"");
        let lines = String::from_utf8(ndjson(&rows).unwrap()).unwrap();
        assert_eq!(lines.lines().count(), 2);
    }

    #[test]
    fn no_text_becomes_a_formula() {
        for text in ["=1+1", "+1", "-1", "@a", "\t=1"] {
            let rows = [json!({"moniker": text})];
            let told = String::from_utf8(csv(&rows).unwrap()).unwrap();
            let line = told.split("\r\n").nth(1).unwrap();
            assert!(line.trim_start_matches('"').starts_with('\''), "{told}");
        }
    }
}
