//! The API contract in OpenAPI 3.1.
//!
//! Does not know how a request is answered.

/// The document.
pub fn document() -> serde_json::Value {
    serde_json::json!({})
}

/// The document as it is served and committed.
pub fn json() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}
