//! The API contract in OpenAPI 3.1.
pub fn json() -> String { String::new() }
