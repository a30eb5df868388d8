//! What there is, is everywhere: every command, event, read model and question of the code is in
//! the contract, in the GraphQL schema, in the policy and among the golden files.
//!
//! Does not know what any of them means.

use std::{collections::BTreeSet, fs, path::Path};

use api::{
    graphql, openapi,
    submit::every::{COLLECTIONS, Entry},
};
use commands::{Permission, Role};
use serde_json::Value;

/// Where each question of REST is asked in GraphQL: a field of the query root, or of a type.
const QUESTIONS: &[(&str, &str)] = &[
    ("/api/v1/access-records", "Query.accessRecords"),
    ("/api/v1/accounts", "Query.accounts"),
    ("/api/v1/accounts/{address}", "Query.account"),
    ("/api/v1/accounts/{address}/transactions", "Query.transactions"),
    ("/api/v1/activity", "Query.activity"),
    ("/api/v1/alert-rules", "Query.alertRules"),
    ("/api/v1/alert-rules/{rule}", "Query.alertRule"),
    ("/api/v1/alerts", "Query.alerts"),
    ("/api/v1/alerts/{alert}", "Query.alert"),
    ("/api/v1/anchors", "Query.anchors"),
    ("/api/v1/anchors/{digest}", "Query.anchor"),
    ("/api/v1/blocks", "Query.blocks"),
    ("/api/v1/blocks/{hash}", "Query.block"),
    ("/api/v1/blocks/{hash}/transactions", "Query.blockTransactions"),
    ("/api/v1/chains", "Query.chains"),
    ("/api/v1/chains/{chain}", "Query.chain"),
    ("/api/v1/chains/{chain}/blocks/{height}", "Query.block"),
    ("/api/v1/chains/{chain}/finality", "Query.finality"),
    ("/api/v1/chains/{chain}/forks", "Query.forks"),
    ("/api/v1/chains/{chain}/headers", "Query.headers"),
    ("/api/v1/chains/{chain}/headers/{height}", "Query.header"),
    ("/api/v1/chains/{chain}/heights", "Query.consensusHeights"),
    ("/api/v1/chains/{chain}/leaderboard", "Query.leaderboard"),
    ("/api/v1/chains/{chain}/rejections", "Query.rejections"),
    ("/api/v1/chains/{chain}/topology", "Query.topology"),
    ("/api/v1/delegations", "Query.delegations"),
    ("/api/v1/difference", "Query.difference"),
    ("/api/v1/events", "Query.events"),
    ("/api/v1/events/stream", "Subscription.events"),
    ("/api/v1/events/{position}", "Query.event"),
    ("/api/v1/flags", "Query.flags"),
    ("/api/v1/flags/{key}", "Query.flag"),
    ("/api/v1/flags/{key}/evaluation", "Flag.isOn"),
    ("/api/v1/headers/{hash}", "Query.header"),
    ("/api/v1/heartbeats", "Query.heartbeats"),
    ("/api/v1/heights/{chain_height}", "Query.consensusHeight"),
    ("/api/v1/mempool", "Query.mempool"),
    ("/api/v1/mempool/transactions", "Query.mempoolTransactions"),
    ("/api/v1/audit", "Query.audit"),
    ("/api/v1/log", "Query.log"),
    ("/api/v1/log/consistency", "Query.consistencyProof"),
    ("/api/v1/log/inclusion/{position}", "Query.inclusionProof"),
    ("/api/v1/log/receipts/{position}", "Query.receipt"),
    ("/api/v1/partitions", "Query.partitions"),
    ("/api/v1/partitions/{chain}", "Query.partition"),
    ("/api/v1/peers", "Query.peers"),
    ("/api/v1/peers/{peer}", "Query.peer"),
    ("/api/v1/principals", "Query.principals"),
    ("/api/v1/principals/{principal}", "Query.principal"),
    ("/api/v1/principals/{principal}/api-keys", "Query.apiKeys"),
    ("/api/v1/principals/{principal}/erasure-certificate", "Query.erasureCertificate"),
    ("/api/v1/principals/{principal}/sessions", "Query.sessions"),
    ("/api/v1/processes", "Query.processes"),
    ("/api/v1/processes/{process}", "Query.processes"),
    ("/api/v1/processes/{process}/runs", "Query.processRuns"),
    ("/api/v1/processes/{process}/runs/{cause}", "Query.processRun"),
    ("/api/v1/projections", "Query.projections"),
    ("/api/v1/replays", "Query.replays"),
    ("/api/v1/replays/{replay}", "Query.replay"),
    ("/api/v1/roles", "Query.roles"),
    ("/api/v1/search", "Query.search"),
    ("/api/v1/settings", "Query.settings"),
    ("/api/v1/settings/{key}", "Query.setting"),
    ("/api/v1/settings/{key}/versions", "Query.settingVersions"),
    ("/api/v1/slashings", "Query.slashings"),
    ("/api/v1/slos", "Query.slos"),
    ("/api/v1/slos/{slo}", "Query.slo"),
    ("/api/v1/streams/{stream}", "Query.stream"),
    ("/api/v1/transactions", "Query.transactions"),
    ("/api/v1/transactions/{hash}", "Query.transaction"),
    ("/api/v1/unbondings", "Query.unbondings"),
    ("/api/v1/validator-sets/{chain}", "Query.validatorSet"),
    ("/api/v1/validator-sets/{chain}/epochs", "Query.validatorSets"),
    ("/api/v1/validator-sets/{chain}/epochs/{epoch}", "Query.validatorSet"),
    ("/api/v1/validators", "Query.validators"),
    ("/api/v1/validators/{address}", "Query.validator"),
    ("/api/v1/validators/{address}/delegations", "Validator.delegations"),
    ("/api/v1/validators/{address}/performances", "Query.performances"),
    ("/api/v1/validators/{address}/reputation", "Validator.reputationHistory"),
    ("/api/v1/validators/{address}/slashings", "Validator.slashings"),
    ("/api/v1/validators/{address}/unbondings", "Query.unbondings"),
];

/// What is asked over REST alone: files, what validators and light clients follow in forms of their
/// own, and signing in.
const OF_REST_ALONE: &[&str] = &[
    "/api/v1/auth/me",
    "/api/v1/auth/oidc/begin",
    "/api/v1/auth/oidc/callback",
    "/api/v1/auth/sessions",
    "/api/v1/blobs/{hash}",
    "/api/v1/chains/{chain}/light-blocks/{height}",
    "/api/v1/consensus/stream",
];

/// The questions by which each read model is asked.
const READ_MODELS: &[(&str, &str)] = &[
    ("accounts", "/api/v1/accounts"),
    ("activity", "/api/v1/activity"),
    ("alert_rules", "/api/v1/alert-rules"),
    ("alerts", "/api/v1/alerts"),
    ("anchors", "/api/v1/anchors"),
    ("blocks", "/api/v1/blocks"),
    ("chains", "/api/v1/chains"),
    ("delegations", "/api/v1/delegations"),
    ("flags", "/api/v1/flags"),
    ("headers", "/api/v1/chains/{chain}/headers"),
    ("heights", "/api/v1/chains/{chain}/heights"),
    ("partitions", "/api/v1/partitions"),
    ("peers", "/api/v1/peers"),
    ("process_runs", "/api/v1/processes/{process}/runs"),
    ("reputation_history", "/api/v1/validators/{address}/reputation"),
    ("settings", "/api/v1/settings"),
    ("slashing_history", "/api/v1/slashings"),
    ("slos", "/api/v1/slos"),
    ("state_history", "/api/v1/accounts/{address}"),
    ("transactions", "/api/v1/transactions"),
    ("validator_sets", "/api/v1/validator-sets/{chain}"),
    ("validators", "/api/v1/validators"),
];

/// The names of the fields of a type in the GraphQL schema.
fn fields(schema: &str, of: &str) -> BTreeSet<String> {
    let begin = [format!("type {of} {{\n"), format!("type {of} implements ")];
    let found = begin.iter().find_map(|begin| schema.split(begin.as_str()).nth(1));
    let body = found.unwrap_or_else(|| panic!("there is no type {of}"));
    let lines = body.split("\n}\n").next().unwrap().lines();
    let own = lines.filter(|line| line.starts_with('\t') && !line.starts_with("\t\t"));
    let name = |line: &str| line.trim().split(['(', ':']).next().unwrap().to_owned();
    // A line of a description is no name.
    let is_name = |name: &String| {
        name.starts_with(|c: char| c.is_ascii_lowercase())
            && name.bytes().all(|b| b.is_ascii_alphanumeric())
    };
    own.map(name).filter(is_name).collect()
}

#[test]
fn every_command_is_on_both_ways_and_somebody_may() {
    let contract = openapi::document();
    let mutations = fields(&graphql::sdl(), "Mutation");
    let mut on_both: BTreeSet<String> = BTreeSet::new();
    let all: &[Entry] = &COLLECTIONS;
    for entry in all {
        for spec in (entry.commands)() {
            let path = entry.path(spec);
            let operation = &contract["paths"][&path]["post"];
            assert_eq!(operation["x-permission"], spec.permission.as_str(), "{}", spec.name);
            let may = Role::ALL.iter().filter(|role| role.holds(spec.permission));
            assert!(may.count() > 0, "nobody may {}", spec.name);
            on_both.insert(path);
        }
    }
    let of_mutations = mutations.iter().filter_map(|name| graphql::path_of(name));
    assert_eq!(of_mutations.collect::<BTreeSet<_>>(), on_both);
    assert_eq!(mutations.len(), on_both.len());
    for permission in Permission::ALL {
        assert!(Role::ALL.iter().any(|role| role.holds(*permission)), "{}", permission.as_str());
    }
}

#[test]
fn every_event_is_in_the_contract() {
    let contract = openapi::json();
    // The domain's own tests see to it that there is one golden file for each event.
    let golden = Path::new(env!("CARGO_MANIFEST_DIR")).join("../domain/tests/golden");
    let mut found = 0;
    for file in fs::read_dir(&golden).unwrap() {
        let file = file.unwrap().file_name();
        let name = file.to_str().and_then(|file| file.strip_suffix(".json")).unwrap();
        assert!(contract.contains(&format!("\"{name}\"")), "{name} is not in the contract");
        found += 1;
    }
    assert!(found > 90, "only {found} events were found");
}

#[test]
fn every_question_is_asked_both_ways() {
    let contract = openapi::document();
    let schema = graphql::sdl();
    let paths = contract["paths"].as_object().unwrap();
    let asked: BTreeSet<&str> = paths
        .iter()
        .filter(|(path, item)| path.starts_with("/api/v1/") && item["get"] != Value::Null)
        .map(|(path, _)| path.as_str())
        .collect();
    let known = QUESTIONS.iter().map(|(path, _)| *path).chain(OF_REST_ALONE.iter().copied());
    assert_eq!(known.collect::<BTreeSet<&str>>(), asked);
    for (path, place) in QUESTIONS {
        let (of, field) = place.split_once('.').unwrap();
        assert!(fields(&schema, of).contains(field), "{path} is not asked at {place}");
    }
    // And nothing is asked over GraphQL alone, but for nodes by their ids.
    let mut alone = fields(&schema, "Query");
    alone.retain(|field| !QUESTIONS.iter().any(|(_, place)| *place == format!("Query.{field}")));
    assert_eq!(alone, ["node".to_owned(), "nodes".to_owned()].into());
}

#[test]
fn every_read_model_is_asked() {
    let models: BTreeSet<&str> = projections::all().iter().map(|model| model.name()).collect();
    assert_eq!(READ_MODELS.iter().map(|(name, _)| *name).collect::<BTreeSet<&str>>(), models);
    for (name, question) in READ_MODELS {
        assert!(QUESTIONS.iter().any(|(path, _)| path == question), "{name}: {question}");
    }
}
