//! CometBFT's RPC in the contract.
//!
//! Does not describe the shapes of its replies: CometBFT's own document does.

use serde_json::{Value, json};

use super::queries::each;
use crate::rpc::{Method, RPC_CALLS_MAX};

/// What both ways in are for.
pub const SUMMARY: &str = "CometBFT's RPC (in the shapes of 0.38) as far as its light clients and \
                           CosmJS read a chain, for our own chain";

/// A call, or several.
pub fn body() -> Value {
    let call = json!({
        "type": "object",
        "required": ["method"],
        "properties": {
            "jsonrpc": {"const": "2.0"},
            "id": {"type": ["string", "integer", "null"]},
            "method": {"type": "string", "enum": Method::ALL.map(Method::as_str)},
            "params": {"type": ["object", "null"]},
        },
    });
    let many = json!({
        "type": "array", "minItems": 1, "maxItems": RPC_CALLS_MAX, "items": each(&call),
    });
    let example = json!({"jsonrpc": "2.0", "id": 1, "method": "commit", "params": {"height": "1"}});
    // JSON-RPC tells in a reply what is wrong with a call, whatever it is.
    let schema = json!({"anyOf": [call, many, {}]});
    json!({
        "required": false,
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

/// What the methods take.
pub fn query() -> Vec<(&'static str, &'static str, Value)> {
    let text = || json!({"type": "string"});
    vec![
        ("height", "A height; the newest final one without it.", text()),
        ("hash", "A transaction's hash: hex behind `0x`, or base64.", text()),
        ("page", "A page of validators, from 1.", text()),
        ("per_page", "Validators on a page.", text()),
        ("prove", "Whether to prove that the transaction is in its block.", text()),
    ]
}
