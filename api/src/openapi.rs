//! The API contract in OpenAPI 3.1: put together from the table of operations, the collections'
//! commands, and the schemas of what goes in and out.
//!
//! Does not know how a request is answered.

pub mod collection;
mod commands;
mod live;
mod queries;
mod rpc;
pub(crate) mod schemas;
mod shared;
mod used;

use std::{collections::HashSet, sync::LazyLock};

use serde_json::{Map, Value, json};

use crate::{
    deprecation,
    operations::{Access, Entry, Operation, TABLE},
    rest::reply,
};

/// The document.
pub fn document() -> Value {
    let mut paths = Map::new();
    for entry in TABLE {
        // One generic route each, described command by command below.
        let generic = entry.access == Access::Command && entry.operation != Operation::Batch;
        // The same page again, for the links in it.
        let again = entry.path.len() > 1 && entry.path.ends_with('/');
        if !generic && !again {
            let mut operation = queries::operation(entry);
            if deprecation::of(entry.operation).is_some() {
                operation["deprecated"] = json!(true);
            }
            add(&mut paths, entry.path, entry.method.as_str(), operation);
        }
    }
    for (path, operation) in commands::operations() {
        add(&mut paths, &path, "POST", operation);
    }
    let mut document = json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Node-0",
            "version": env!("CARGO_PKG_VERSION"),
            "summary": "The system of record of a permissioned validator network.",
            "description": include_str!("openapi/about.md"),
            "license": {"name": "Apache-2.0", "identifier": "Apache-2.0"},
        },
        "servers": [{"url": "/", "description": "The server that serves this document."}],
        "tags": tags(),
        "paths": paths,
        "components": {
            "schemas": schemas::all(),
            "responses": shared::responses(),
            "headers": shared::headers(),
            "parameters": shared::parameters(),
            "securitySchemes": {
                "bearer": {
                    "type": "http",
                    "scheme": "bearer",
                    "description": "An access token, an API key or a set-up token: `Authorization: Bearer ...`.",
                },
            },
        },
    });
    used::only_used(&mut document);
    document
}

/// The forms that a reply in JSON may have instead: a page of a list may be a file.
pub fn forms(operation: Operation) -> &'static [&'static str] {
    static PAGES: LazyLock<HashSet<Operation>> = LazyLock::new(|| {
        let pages = TABLE.iter().filter(|entry| queries::is_page(entry.operation));
        pages.map(|entry| entry.operation).collect()
    });
    if PAGES.contains(&operation) { reply::LIST_FORMS } else { &reply::LIST_FORMS[..1] }
}

/// The document as it is served and committed.
pub fn json() -> String {
    let mut text = serde_json::to_string_pretty(&document()).unwrap_or_default();
    text.push('\n');
    text
}

fn add(paths: &mut Map<String, Value>, path: &str, method: &str, operation: Value) {
    // OpenAPI has no parameters that hold slashes: the page's files have none either.
    let path = path.replace("{*", "{");
    let item = paths.entry(path).or_insert_with(|| json!({}));
    item[method.to_lowercase()] = operation;
}

fn tags() -> Value {
    json!([
        {"name": "validators", "description": "Who may validate, and what happened to them."},
        {"name": "validator-sets", "description": "Who validates in which epoch."},
        {"name": "chains", "description": "Our own chain and observed ones, and their headers."},
        {"name": "accounts", "description": "Signed transactions, and who sends them."},
        {"name": "blocks", "description": "Blocks of our own chain: proposed, judged and final."},
        {"name": "heights", "description": "What a height's validators proposed and voted."},
        {"name": "log", "description": "The event log and what happened, in sentences."},
        {"name": "evidence", "description": "The published log, and what it proves to anybody."},
        {"name": "processes", "description": "What follows from events by itself."},
        {"name": "projections", "description": "How the read models are."},
        {"name": "replays", "description": "Read models as they were."},
        {"name": "auth", "description": "Signing in and out, and who one is."},
        {"name": "principals", "description": "Persons and services, and what they may do."},
        {"name": "roles", "description": "Roles of one's own beside those that are built in."},
        {"name": "flags", "description": "What is switched on, and for whom."},
        {"name": "settings", "description": "What may be set, what is in force, and what is proposed."},
        {"name": "alert-rules", "description": "What is measured, and when it is bad."},
        {"name": "alerts", "description": "What is not well, and who looks after it."},
        {"name": "slos", "description": "What must go well, and what of it may still go wrong."},
        {"name": "peers", "description": "Nodes, and whether each is connected."},
        {"name": "partitions", "description": "Networks that are torn apart."},
        {"name": "rpc", "description": "Our own chain for light clients and CosmJS."},
        {"name": "graphql", "description": "The same questions over GraphQL."},
        {"name": "server", "description": "Health, metrics and documents."},
    ])
}

/// Who may call an operation.
fn security(access: Access) -> Value {
    match access {
        Access::Open => json!([]),
        // A token is welcome, and needed for some fields of GraphQL.
        Access::Public(_) | Access::Fields => json!([{}, {"bearer": []}]),
        Access::SignedIn | Access::Needs(_) | Access::Command => json!([{"bearer": []}]),
    }
}

/// The permission an entry names.
fn permission(entry: &Entry) -> Option<&'static str> {
    match entry.access {
        Access::Public(permission) | Access::Needs(permission) => Some(permission.as_str()),
        Access::Open | Access::SignedIn | Access::Command | Access::Fields => None,
    }
}
