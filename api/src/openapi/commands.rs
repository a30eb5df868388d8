//! Commands, each with its own schema, example, permission and refusals.
//!
//! Does not know what a command does: its words are the domain's.

use domain::{
    block, chain,
    configuration::{flag, setting},
    consensus,
    identity::{principal, role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};
use serde_json::{Map, Value, json};
use utoipa::ToSchema;

use super::{schemas, security, shared};
use crate::{
    operations::Access,
    submit::{Collection, CommandSpec},
};

/// Every command: its path and its operation.
pub fn operations() -> Vec<(String, Value)> {
    let mut found =
        of::<validator::Validator, validator::Command, validator::Event, validator::Refusal>();
    found.extend(of::<
        validator_set::ValidatorSet,
        validator_set::Command,
        validator_set::Event,
        validator_set::Refusal,
    >());
    found.extend(of::<chain::Chain, chain::Command, chain::Event, chain::Refusal>());
    found.extend(of::<
        transaction::Account,
        transaction::Command,
        transaction::Event,
        transaction::Refusal,
    >());
    found.extend(of::<block::Block, block::Command, block::Event, block::Refusal>());
    found.extend(of::<
        consensus::ConsensusHeight,
        consensus::Command,
        consensus::Event,
        consensus::Refusal,
    >());
    found.extend(of::<
        principal::Principal,
        principal::Command,
        principal::Event,
        principal::Refusal,
    >());
    found.extend(of::<role::RoleDefinition, role::Command, role::Event, role::Refusal>());
    found.extend(of::<flag::Flag, flag::Command, flag::Event, flag::Refusal>());
    found.extend(of::<setting::Setting, setting::Command, setting::Event, setting::Refusal>());
    found.extend(of::<rule::AlertRule, rule::Command, rule::Event, rule::Refusal>());
    found.extend(of::<alert::Alert, alert::Command, alert::Event, alert::Refusal>());
    found.extend(of::<slo::Slo, slo::Command, slo::Event, slo::Refusal>());
    found.extend(of::<peer::Peer, peer::Command, peer::Event, peer::Refusal>());
    found.extend(of::<
        partition::Partitions,
        partition::Command,
        partition::Event,
        partition::Refusal,
    >());
    found
}

fn of<A: Collection, C: ToSchema, E: ToSchema, R: ToSchema>() -> Vec<(String, Value)> {
    let schema = serde_json::to_value(C::schema()).unwrap_or_default();
    let (events, refusals) = (schemas::name::<E>(), schemas::name::<R>());
    let one = |spec: &CommandSpec| {
        let operation = operation::<A>(spec, &schema, &events, &refusals);
        (spec.path(A::COLLECTION, A::ID_PARAMETER), operation)
    };
    A::commands().iter().map(one).collect()
}

fn operation<A: Collection>(
    spec: &CommandSpec,
    schema: &Value,
    events: &str,
    refusals: &str,
) -> Value {
    let (summary, body) = variant(schema, spec.name);
    let is_document = spec.name == "initialise-genesis";
    let body = if is_document { json!({"type": "object"}) } else { body };
    let summary = if summary.is_empty() { spec.name.to_owned() } else { summary };
    let mut parameters = Vec::new();
    if !spec.creates {
        parameters.push(super::queries::path_parameter(A::ID_PARAMETER));
    }
    for name in ["IdempotencyKey", "IfMatch", "DryRun", "Prefer"] {
        parameters.push(shared::parameter(name));
    }
    let permission = spec.permission.as_str();
    json!({
        "operationId": format!("{}-{}", A::COLLECTION, spec.name),
        "tags": [A::COLLECTION],
        "summary": summary.trim_end_matches('.'),
        "description": format!("{summary}\n\nPermission: `{permission}`."),
        "x-permission": permission,
        "security": security(Access::Command),
        "parameters": parameters,
        "requestBody": {
            "required": is_required(&body) || is_document,
            "content": {"application/json": {"schema": body, "example": example(spec)}},
        },
        "responses": responses(spec, events, refusals),
    })
}

/// Whether a body must be sent: an empty one is read as an object without members.
fn is_required(body: &Value) -> bool {
    body.get("$ref").is_some()
        || body.get("required").and_then(Value::as_array).is_some_and(|names| !names.is_empty())
}

fn example(spec: &CommandSpec) -> Value {
    let mut example = spec.example.clone();
    if let Some(members) = example.as_object_mut() {
        members.remove("command");
    }
    if spec.name == "initialise-genesis" {
        // The document is the body itself.
        let text = example["document"].as_str().unwrap_or("{}");
        return serde_json::from_str(text).unwrap_or_default();
    }
    example
}

/// A command's description and the schema of its fields, out of the schema of all commands.
fn variant(schema: &Value, name: &str) -> (String, Value) {
    let variants = schema["oneOf"].as_array().cloned().unwrap_or_default();
    let tagged = |part: &Value| {
        part["properties"]["command"]["enum"][0] == name
            || part["properties"]["command"]["const"] == name
    };
    for mut variant in variants {
        let summary = variant["description"].as_str().unwrap_or_default().to_owned();
        if tagged(&variant) {
            untag(&mut variant);
            return (summary, variant);
        }
        // A command with a struct of its own: the struct, and an object with the tag.
        let parts = variant["allOf"].as_array().cloned().unwrap_or_default();
        if parts.iter().any(tagged)
            && let Some(own) = parts.into_iter().find(|part| !tagged(part))
        {
            return (summary, own);
        }
    }
    (String::new(), json!({"type": "object"}))
}

fn untag(variant: &mut Value) {
    let Some(object) = variant.as_object_mut() else { return };
    object.remove("description");
    if let Some(properties) = object.get_mut("properties").and_then(Value::as_object_mut) {
        properties.remove("command");
    }
    if let Some(required) = object.get_mut("required").and_then(Value::as_array_mut) {
        required.retain(|name| name != "command");
        if required.is_empty() {
            object.remove("required");
        }
    }
    object.insert("additionalProperties".to_owned(), json!(false));
}

fn responses(spec: &CommandSpec, events: &str, refusals: &str) -> Value {
    let mut found = Map::new();
    let ok = json!({
        "description": "Done, stored for good; or nothing was left to do and there are no events; or \
                        what would have happened, in a dry run; or the first answer again.",
        "headers": headers(spec.creates),
        "content": {"application/json": {"schema": reply(events)}},
    });
    if spec.creates {
        found.insert("201".to_owned(), ok.clone());
    }
    found.insert("200".to_owned(), ok);
    for status in [400, 401, 403, 404, 405, 406, 409, 412, 413, 415, 500, 503] {
        found.insert(status.to_string(), shared::problem(status));
    }
    let refused = json!({
        "allOf": [
            schemas::reference("Problem"),
            {"type": "object", "properties": {"refusal": schemas::reference(refusals)}},
        ],
    });
    let refusal = json!({
        "description": "Refused by the rules of the network (`refusal` says why, with the numbers), \
                        or fields of the body are invalid (`errors` lists all of them).",
        "headers": {"x-request-id": shared::header("RequestId")},
        "content": {"application/problem+json": {"schema": refused}},
    });
    found.insert("422".to_owned(), refusal);
    Value::Object(found)
}

fn headers(creates: bool) -> Value {
    let mut found = json!({
        "ETag": shared::header("ETag"),
        "Position": shared::header("Position"),
        "Idempotency-Key": shared::header("IdempotencyKey"),
        "Preference-Applied": shared::header("PreferenceApplied"),
        "x-request-id": shared::header("RequestId"),
    });
    if creates {
        found["Location"] = shared::header("Location");
    }
    found
}

/// What a command is answered with.
pub(super) fn reply(events: &str) -> Value {
    let event = json!({
        "allOf": [
            {
                "type": "object",
                "required": ["version"],
                "properties": {
                    "id": {"type": "string", "format": "uuid", "description": "Absent in a dry run."},
                    "version": {"type": "integer", "minimum": 1},
                },
            },
            schemas::reference(events),
        ],
    });
    json!({
        "type": "object",
        "required": ["stream", "version", "position", "command", "repeated", "dry_run", "events"],
        "properties": {
            "stream": {"type": "string", "description": "The stream it spoke to."},
            "version": {"type": "integer", "minimum": 0, "description": "The stream's version after it."},
            "position": {
                "type": ["integer", "null"],
                "description": "The position of its last event; null when nothing was stored.",
            },
            "command": {"type": "string", "format": "uuid", "description": "The id it is stored under."},
            "repeated": {"type": "boolean", "description": "Whether this is the first answer again."},
            "dry_run": {"type": "boolean", "description": "Whether nothing was meant to be stored."},
            "events": {"type": "array", "items": event, "description": "What happened, in order."},
            "receipt": {
                "type": "string",
                "description": "The `.tlog-proof` of its last event: only with `Prefer: wait=sealed`, and \
                                when it was published in time.",
            },
        },
    })
}
