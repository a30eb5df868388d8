//! The schemas of what goes in and out.
//!
//! Does not know where they are used.

use domain::{
    block, chain,
    configuration::{self, flag, setting},
    consensus,
    identity::{principal, role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};
use projections::{
    accounts, activity, alert_rules, alerts, anchors, blocks, chains, delegations, flags, headers,
    heights, partitions, peers, process_runs, reputation_history, settings, slashing_history, slos,
    transactions, validator_sets, validators,
};
use serde_json::{Map, Value, json};
use utoipa::{
    ToSchema,
    openapi::{RefOr, Schema},
};

use crate::{
    access_records,
    audit::Audit,
    difference::Difference,
    heartbeats,
    identity::{erasure::ErasureCertificate, listing},
    replays::{Replay, ReplayRequest},
    rest::{
        alertmanager, auth, documents, events, flags as of_flags, health, heartbeats as beats, log,
        principals, processes, projections as status, search, settings as of_settings, topology,
        transactions as sent, validator_sets as sets,
    },
};

type Found = Vec<(String, RefOr<Schema>)>;

/// Every schema, by name.
pub fn all() -> Value {
    let mut schemas: Map<String, Value> = found()
        .into_iter()
        .filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?)))
        .collect();
    schemas.insert("Problem".to_owned(), problem());
    schemas.insert("PageInfo".to_owned(), page_info());
    let mut sorted: Vec<_> = schemas.into_iter().collect();
    sorted.sort_by(|one, other| one.0.cmp(&other.0));
    Value::Object(sorted.into_iter().collect())
}

/// The schema of every type, each as often as it is used.
fn found() -> Found {
    let mut found: Found = Vec::new();
    with::<accounts::Account>(&mut found);
    with::<accounts::AccountWithStakes>(&mut found);
    with::<activity::Activity>(&mut found);
    with::<anchors::Anchor>(&mut found);
    with::<blocks::Block>(&mut found);
    with::<blocks::Finality>(&mut found);
    with::<heights::HeightAgreed>(&mut found);
    with::<heights::HeightInFull>(&mut found);
    with::<heights::Leaderboard>(&mut found);
    with::<search::SearchResults>(&mut found);
    with::<sent::TransactionInFull>(&mut found);
    with::<transactions::MempoolSummary>(&mut found);
    with::<transactions::Transaction>(&mut found);
    with::<chains::Chain>(&mut found);
    with::<chains::Fork>(&mut found);
    with::<delegations::Delegation>(&mut found);
    with::<delegations::Unbonding>(&mut found);
    with::<headers::Header>(&mut found);
    with::<headers::Rejection>(&mut found);
    with::<reputation_history::Reputation>(&mut found);
    with::<reputation_history::Performance>(&mut found);
    with::<slashing_history::Slashing>(&mut found);
    with::<validator_sets::ValidatorSet>(&mut found);
    with::<sets::ValidatorSetWithMembers>(&mut found);
    with::<validators::Validator>(&mut found);
    with::<events::EventPage>(&mut found);
    with::<events::Event>(&mut found);
    with::<events::EventRecord>(&mut found);
    with::<processes::ProcessStatuses>(&mut found);
    with::<process_runs::ProcessRun>(&mut found);
    with::<status::ProjectionStatuses>(&mut found);
    with::<Difference>(&mut found);
    with::<Replay>(&mut found);
    with::<ReplayRequest>(&mut found);
    with::<status::RebuildStarted>(&mut found);
    with::<heartbeats::Heartbeat>(&mut found);
    with::<beats::Heartbeats>(&mut found);
    with::<health::Readiness>(&mut found);
    with::<health::Version>(&mut found);
    with::<documents::ProblemKinds>(&mut found);
    with::<validator::Command>(&mut found);
    with::<validator::Event>(&mut found);
    with::<validator::Refusal>(&mut found);
    with::<validator_set::Command>(&mut found);
    with::<validator_set::Event>(&mut found);
    with::<validator_set::Refusal>(&mut found);
    with::<chain::Command>(&mut found);
    with::<chain::Event>(&mut found);
    with::<chain::Refusal>(&mut found);
    with::<transaction::Command>(&mut found);
    with::<transaction::Event>(&mut found);
    with::<transaction::Refusal>(&mut found);
    with::<block::Command>(&mut found);
    with::<block::Event>(&mut found);
    with::<block::Refusal>(&mut found);
    with::<consensus::Command>(&mut found);
    with::<consensus::Event>(&mut found);
    with::<consensus::Refusal>(&mut found);
    with::<principal::Command>(&mut found);
    with::<principal::Event>(&mut found);
    with::<principal::Refusal>(&mut found);
    with::<role::Command>(&mut found);
    with::<role::Event>(&mut found);
    with::<role::Refusal>(&mut found);
    with::<flag::Command>(&mut found);
    with::<flag::Event>(&mut found);
    with::<flag::Refusal>(&mut found);
    with::<configuration::Subject>(&mut found);
    with::<flags::Flag>(&mut found);
    with::<of_flags::FlagEvaluation>(&mut found);
    with::<alertmanager::AlertmanagerMessage>(&mut found);
    with::<alertmanager::AlertsTaken>(&mut found);
    with::<alertmanager::NoticeKey>(&mut found);
    with::<setting::Command>(&mut found);
    with::<setting::Event>(&mut found);
    with::<setting::Refusal>(&mut found);
    with::<of_settings::View>(&mut found);
    with::<settings::SettingVersion>(&mut found);
    with::<rule::Command>(&mut found);
    with::<rule::Event>(&mut found);
    with::<rule::Refusal>(&mut found);
    with::<alert_rules::AlertRule>(&mut found);
    with::<alert::Command>(&mut found);
    with::<alert::Event>(&mut found);
    with::<alert::Refusal>(&mut found);
    with::<alerts::Alert>(&mut found);
    with::<slo::Command>(&mut found);
    with::<slo::Event>(&mut found);
    with::<slo::Refusal>(&mut found);
    with::<slos::Slo>(&mut found);
    with::<peer::Command>(&mut found);
    with::<peer::Event>(&mut found);
    with::<peer::Refusal>(&mut found);
    with::<peers::Peer>(&mut found);
    with::<topology::Topology>(&mut found);
    with::<log::PublishedLog>(&mut found);
    with::<Audit>(&mut found);
    with::<log::InclusionProof>(&mut found);
    with::<log::ConsistencyProof>(&mut found);
    with::<partition::Command>(&mut found);
    with::<partition::Event>(&mut found);
    with::<partition::Refusal>(&mut found);
    with::<partitions::Partitions>(&mut found);
    with::<access_records::AccessRecord>(&mut found);
    with::<listing::PrincipalView>(&mut found);
    with::<principals::Sessions>(&mut found);
    with::<principals::ApiKeys>(&mut found);
    with::<ErasureCertificate>(&mut found);
    with::<principals::Roles>(&mut found);
    with::<auth::SessionChoice>(&mut found);
    with::<auth::SetUp>(&mut found);
    with::<auth::BrowserSession>(&mut found);
    with::<auth::InvitationByOidc>(&mut found);
    with::<auth::OidcLocation>(&mut found);
    with::<auth::EmailAddress>(&mut found);
    with::<auth::PasswordReset>(&mut found);
    with::<auth::EmailVerification>(&mut found);
    with::<auth::Login>(&mut found);
    with::<auth::Refresh>(&mut found);
    with::<auth::RegistrationRequest>(&mut found);
    with::<auth::PasswordChange>(&mut found);
    with::<auth::InvitationRequest>(&mut found);
    with::<auth::ServiceRequest>(&mut found);
    with::<auth::ApiKeyRequest>(&mut found);
    with::<auth::OwnApiKeyRequest>(&mut found);
    with::<auth::SecondFactor>(&mut found);
    with::<auth::SecondFactorProof>(&mut found);
    with::<auth::SecondFactorRemoval>(&mut found);
    with::<auth::Tokens>(&mut found);
    with::<auth::Invitation>(&mut found);
    with::<auth::PrincipalMade>(&mut found);
    with::<auth::ApiKeyMade>(&mut found);
    with::<auth::Myself>(&mut found);
    with::<auth::KeySet>(&mut found);
    found
}

/// The name of a schema.
pub fn name<T: ToSchema>() -> String {
    T::name().into_owned()
}

/// A reference to a schema.
pub fn reference(name: &str) -> Value {
    json!({"$ref": format!("#/components/schemas/{name}")})
}

fn with<T: ToSchema>(found: &mut Found) {
    found.push((name::<T>(), T::schema()));
    T::schemas(found);
}

fn problem() -> Value {
    let fault = json!({
        "type": "object",
        "required": ["detail"],
        "properties": {
            "pointer": {"type": "string", "description": "JSON pointer into the body."},
            "parameter": {"type": "string", "description": "Name of a parameter or header."},
            "detail": {"type": "string", "description": "What is wrong."},
        },
    });
    json!({
        "type": "object",
        "description": "A fault (RFC 9457). Each kind has further members, see its page.",
        "required": ["type", "title", "status", "detail", "instance"],
        "properties": {
            "type": {"type": "string", "format": "uri-reference"},
            "title": {"type": "string"},
            "status": {"type": "integer", "minimum": 400, "maximum": 599},
            "detail": {"type": "string", "description": "What happened, and what to do."},
            "instance": {"type": "string", "description": "The request id."},
            "errors": {"type": "array", "items": fault, "description": "All invalid fields."},
            "refusal": {"type": "object", "description": "The domain's typed reason: `code` and numbers."},
            "permission": {"type": "string", "description": "What the caller lacks."},
            "current_version": {"type": "integer", "description": "Where the stream is."},
            "expected_version": {"type": "integer", "description": "Where it should have been."},
            "lag": {"type": "integer", "description": "Events a read model is behind."},
            "known": {"type": "array", "items": {"type": "string"}, "description": "What there is."},
        },
    })
}

fn page_info() -> Value {
    json!({
        "type": "object",
        "required": ["next", "has_next"],
        "properties": {
            "next": {
                "type": ["string", "null"],
                "description": "Ask with this as `after` for what follows; null when nothing does.",
            },
            "has_next": {"type": "boolean", "description": "Whether anything follows."},
        },
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn no_two_types_share_the_name_of_a_schema() {
        let mut by_name: BTreeMap<String, RefOr<Schema>> = BTreeMap::new();
        for (name, schema) in found() {
            let first = by_name.entry(name.clone()).or_insert_with(|| schema.clone());
            assert!(*first == schema, "two types are called {name}");
        }
    }
}
