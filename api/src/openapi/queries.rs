//! Queries and documents: parameters, replies, words.
//!
//! Does not know how they are read.

use domain::{identity::principal::StandingName, transaction};
use projections::{alert_rules, alerts, flags::FlagStanding, partitions, peers, slos};
use serde_json::{Map, Value, json};

use super::{commands, live, permission, rpc, schemas, security, shared};
use crate::{
    operations::{Access, Entry, Operation, Verb},
    problem::MEDIA_TYPE,
    rest::{alertmanager, auth, heartbeats, replays, search::QUERY_CHARS_MAX},
    rpc::Method,
    submit::every,
};

/// What the table does not say of an operation.
struct Doc {
    tag: &'static str,
    summary: &'static str,
    /// Query parameters besides `first` and `after`: name, words, schema.
    query: Vec<(&'static str, &'static str, Value)>,
    reply: Reply,
}

/// What an operation replies with.
enum Reply {
    /// One thing, by its schema's name.
    One(&'static str),
    /// A page of things, by their schema's name.
    Page(&'static str),
    /// A piece of the log.
    Log,
    /// Server-sent events of the log.
    Stream,
    /// Something without a schema, in a form.
    Form(&'static str),
    /// What became of the items of a batch.
    Results,
    /// What became of one command, or of many.
    OneOrResults,
    /// One thing that was made, by its schema's name.
    Made(&'static str),
    /// Nothing.
    Done,
    /// A redirect.
    Away,
    /// Whatever GraphQL answers.
    GraphQl,
    /// The same, one result after the other.
    GraphQlStream,
}

/// Whether a reply is a page of a list.
pub fn is_page(operation: Operation) -> bool {
    matches!(doc(operation).reply, Reply::Page(_))
}

/// The operation of an entry of the table.
pub fn operation(entry: &Entry) -> Value {
    let doc = doc(entry.operation);
    let mut description = format!("{}.", doc.summary);
    if let Some(permission) = permission(entry) {
        let who = match entry.access {
            Access::Public(_) => "granted to everybody",
            Access::SignedIn
            | Access::Needs(_)
            | Access::Open
            | Access::Command
            | Access::Fields => "a role must hold it",
        };
        description.push_str(&format!("\n\nPermission: `{permission}` ({who})."));
    }
    let mut operation = json!({
        "operationId": entry.id,
        "tags": [doc.tag],
        "summary": doc.summary,
        "description": description,
        "security": security(entry.access),
        "parameters": parameters(entry, &doc),
        "responses": responses(entry, &doc.reply),
    });
    if let Some(permission) = permission(entry) {
        operation["x-permission"] = json!(permission);
    }
    if entry.operation == Operation::Batch {
        operation["requestBody"] = batch_body();
    }
    if entry.operation == Operation::SubmitTransactions {
        operation["requestBody"] = transactions_body();
    }
    if let Some((schema, example)) = body_of(entry.operation) {
        let content = json!({"schema": schemas::reference(schema), "example": example});
        operation["requestBody"] =
            json!({"required": true, "content": {"application/json": content}});
    }
    if takes_graphql(entry) {
        operation["requestBody"] = graphql_body(entry.operation == Operation::GraphQlPost);
    }
    if entry.operation == Operation::CallRpc {
        operation["requestBody"] = rpc::body();
    }
    operation
}

/// The body of what is posted beside commands: its schema's name, and an example.
fn body_of(operation: Operation) -> Option<(&'static str, Value)> {
    if operation == Operation::TakeHeartbeat {
        return Some(("Heartbeat", heartbeats::example()));
    }
    if operation == Operation::BuildReplay {
        return Some(("ReplayRequest", replays::example()));
    }
    if operation == Operation::TakeAlerts {
        return Some(("AlertmanagerMessage", alertmanager::example()));
    }
    auth::body_of(operation)
}

fn parameters(entry: &Entry, doc: &Doc) -> Vec<Value> {
    let mut found = Vec::new();
    for part in entry.path.split('/').filter_map(|part| part.strip_prefix('{')) {
        found.push(path_parameter(part.trim_end_matches('}').trim_start_matches('*')));
    }
    for (name, words, schema) in &doc.query {
        let required = matches!(*name, "query" | "q" | "of" | "since")
            || (*name == "subject" && entry.operation == Operation::EvaluateFlag)
            || (*name == "delegator" && !entry.path.contains("{address}"));
        let mut parameter = json!({
            "name": name, "in": "query", "description": words, "required": required,
        });
        match schema.get("contentMediaType").and_then(Value::as_str) {
            Some(form) => parameter["content"] = json!({form: {"schema": {"type": "object"}}}),
            None => parameter["schema"] = schema.clone(),
        }
        found.push(parameter);
    }
    match doc.reply {
        Reply::Page(_) => found.extend([shared::parameter("First"), shared::parameter("After")]),
        Reply::Log => {
            found.push(shared::parameter("First"));
            found.push(json!({
                "name": "after", "in": "query",
                "description": "The position (in a stream: the version) to begin after.",
                "schema": shared::position(),
            }));
        }
        Reply::Stream => found.extend(live::parameters()),
        Reply::OneOrResults => {
            found.extend([shared::parameter("DryRun"), shared::parameter("Prefer")]);
        }
        Reply::One(_)
        | Reply::Form(_)
        | Reply::Results
        | Reply::Made(_)
        | Reply::Done
        | Reply::Away
        | Reply::GraphQl
        | Reply::GraphQlStream => {}
    }
    if entry.operation.reads_models() {
        found.push(shared::parameter("Replay"));
    }
    if entry.operation.has_a_past() {
        found.push(shared::parameter("AsOf"));
    }
    if is_read(entry) {
        found.extend([shared::parameter("MinPosition"), shared::parameter("IfNoneMatch")]);
    }
    found
}

/// Whether it reads what changes: then it knows positions and tags.
fn is_read(entry: &Entry) -> bool {
    entry.method == Verb::Get
        && entry.path.starts_with("/api/v1/")
        && !matches!(entry.operation, Operation::ListProjections | Operation::Myself)
        && !follows(entry.operation)
        && !matches!(entry.operation, Operation::GetBlob | Operation::GetReceipt)
}

/// Whether who asks proves in it who they are.
fn proves(operation: Operation) -> bool {
    matches!(
        operation,
        Operation::Login
            | Operation::Refresh
            | Operation::BrowserLogin
            | Operation::BrowserRefresh
            | Operation::OidcCallback
    )
}

/// Whether its reply goes on for as long as somebody listens.
fn follows(operation: Operation) -> bool {
    matches!(operation, Operation::FollowEvents | Operation::FollowConsensus)
}

/// How a stream is named: its category, and what it is about.
pub(super) const STREAM: &str = r"^[a-z_]+-[!#-\[\]-~]{1,150}$";

/// A parameter in a path.
pub fn path_parameter(name: &str) -> Value {
    let text = |pattern: &str, example: &str| json!({"type": "string", "pattern": pattern, "example": example});
    let number = json!({"type": "string", "pattern": "^(0|[1-9][0-9]{0,17})$", "example": "1"});
    let example = "019236c1-5b9e-7cc3-98c4-dc0c0c07398f";
    let uuid = json!({"type": "string", "format": "uuid", "example": example});
    let (words, schema) = match name {
        "chain" => ("The chain's name.", text("^[A-Za-z0-9._-]{1,50}$", "node0-local")),
        "address" => (
            "The address of a validator or an account.",
            text("^[0-9A-F]{40}$", "D5B865BA26FDF5285105626B708E8556809737F7"),
        ),
        "hash" => (
            "A hash: of a header, which names the block, of a transaction, or of content.",
            text(
                "^[0-9A-F]{64}$",
                "2DB9FCEAFCFB2CF9AE8898AB1198CAA1804513EE7729303968F45D59D8799889",
            ),
        ),
        "height" => ("A height, from 1.", text("^[1-9][0-9]{0,17}$", "1")),
        "chain_height" => (
            "A chain's name, and one of its heights.",
            text("^[A-Za-z0-9._-]{1,50}-[1-9][0-9]{0,17}$", "node0-local-1"),
        ),
        "process" => (
            "A process's name.",
            one_of(::commands::Process::ALL.iter().map(|process| process.name())),
        ),
        "cause" => ("The id of the event that called for it.", uuid),
        "replay" => ("A replay's id.", uuid),
        "rule" => ("A rule's name.", schemas::reference("RuleId")),
        "alert" => ("An alert's name.", schemas::reference("AlertId")),
        "slo" => ("An objective's name.", schemas::reference("SloId")),
        "peer" => ("A node's id.", schemas::reference("PeerId")),
        "key" => (
            "The name of a setting or a flag: words joined by dots.",
            schemas::reference("ConfigurationKey"),
        ),
        "role" => ("A role.", text("^[a-z][a-z0-9_]{0,31}$", "jailer")),
        "principal" => ("A principal.", text("^[a-z0-9-]{1,64}$", "service-north")),
        "digest" => (
            "A document's digest, in hex.",
            text(
                "^([0-9A-Fa-f]{2}){1,64}$",
                "E3B0C44298FC1C149AFBF4C8996FB92427AE41E4649B934CA495991B7852B855",
            ),
        ),
        "method" => ("A method of CometBFT's RPC.", one_of(Method::ALL.map(Method::as_str))),
        "epoch" => ("An epoch, from 0.", number),
        "level" => ("A level of tiles, 0 to 63.", text("^([0-9]|[1-5][0-9]|6[0-3])$", "0")),
        "index" => (
            "Where a piece is among those of its kind, as tlog-tiles writes it: three digits a \
             folder, each but the last behind an x; then, for a piece that is not full, `.p/` and \
             how much of it there is.",
            text("^(x[0-9]{3}/)*[0-9]{3}(\\.p/[1-9][0-9]{0,2})?$", "x001/x234/067"),
        ),
        "position" => ("A position of the log, from 1.", number),
        "stream" => {
            ("A stream's name.", text(STREAM, "validator-D5B865BA26FDF5285105626B708E8556809737F7"))
        }
        "name" => ("A read model's name.", text("^[a-z_]+$", "validators")),
        "slug" => ("The last part of a problem's `type`.", text("^[a-z-]+$", "stale-version")),
        _ => ("A file's name.", text("^[A-Za-z0-9._-]+$", "index.html")),
    };
    json!({"name": name, "in": "path", "required": true, "description": words, "schema": schema})
}

fn responses(entry: &Entry, reply: &Reply) -> Value {
    let mut found = Map::new();
    let mut headers = json!({"x-request-id": shared::header("RequestId")});
    if is_read(entry) {
        headers["ETag"] = shared::header("ETag");
        headers["Position"] = shared::header("Position");
    }
    let json_content = |schema: Value| json!({"application/json": {"schema": schema}});
    let (status, words, content) = match reply {
        Reply::One(name) => ("200", "It.", json_content(schemas::reference(name))),
        Reply::Page(name) => {
            headers["Link"] = shared::header("Link");
            let items = json!({"type": "array", "items": schemas::reference(name)});
            let schema = json!({
                "type": "object",
                "required": ["items", "page"],
                "properties": {"items": items, "page": schemas::reference("PageInfo")},
            });
            let lines = json!({"type": "string"});
            let content = json!({
                "application/json": {"schema": schema},
                "text/csv": {"schema": lines},
                "application/x-ndjson": {"schema": lines},
            });
            ("200", "A page of them; as a file, `Link` leads to the next.", content)
        }
        Reply::Log => ("200", "Events, in order.", json_content(schemas::reference("EventPage"))),
        Reply::Stream => {
            headers["Position"] = shared::header("Position");
            ("200", live::EVENTS, live::content())
        }
        Reply::GraphQlStream => ("200", live::RESULTS, live::content()),
        Reply::Form(form) => {
            let schema = if *form == "application/json" { json!({}) } else { text() };
            ("200", "It.", json!({*form: {"schema": schema}}))
        }
        Reply::Results => ("200", "One result each, in order.", json_content(results())),
        Reply::OneOrResults => {
            let one = commands::reply(&schemas::name::<transaction::Event>());
            let schema = json!({"oneOf": [one, results()]});
            ("200", "For one what became of it, else one result each.", json_content(schema))
        }
        Reply::Made(name) => ("201", "It is there.", json_content(schemas::reference(name))),
        Reply::Done => ("204", "Done.", Value::Null),
        Reply::Away => ("303", "Look there.", Value::Null),
        Reply::GraphQl => {
            let schema = json!({"oneOf": [
                {"type": "object"}, {"type": "array", "items": {"type": "object"}},
            ]});
            let content = json!({
                "application/json": {"schema": schema},
                "application/graphql-response+json": {"schema": schema},
            });
            ("200", "The answer, or the errors.", content)
        }
    };
    let status = if entry.operation == Operation::RebuildProjection { "202" } else { status };
    let mut response = json!({"description": words, "headers": headers});
    if !content.is_null() {
        response["content"] = content;
    }
    found.insert(status.to_owned(), response);
    if is_read(entry) {
        let unchanged = json!({"description": "Nothing changed.", "headers": headers});
        found.insert("304".to_owned(), unchanged);
    }
    for status in shared::ALWAYS {
        found.insert(status.to_string(), shared::problem(*status));
    }
    if entry.access != Access::Open || proves(entry.operation) {
        found.insert("401".to_owned(), shared::problem(401));
    }
    if matches!(entry.access, Access::Needs(_)) {
        found.insert("403".to_owned(), shared::problem(403));
    }
    let names_a_position =
        matches!(entry.operation, Operation::ResumeProcess | Operation::BuildReplay);
    if is_read(entry) || follows(entry.operation) || names_a_position {
        found.insert("409".to_owned(), shared::problem(409));
    }
    if body_of(entry.operation).is_some() {
        for status in [413, 415, 422] {
            found.insert(status.to_string(), shared::problem(status));
        }
    }
    let holds_commands =
        matches!(entry.operation, Operation::Batch | Operation::SubmitTransactions);
    if holds_commands {
        found.insert("422".to_owned(), shared::problem(422));
    }
    if holds_commands || takes_graphql(entry) {
        found.insert("413".to_owned(), shared::problem(413));
        found.insert("415".to_owned(), shared::problem(415));
    }
    if matches!(reply, Reply::GraphQl) {
        found.insert("400".to_owned(), graphql_refusal());
    }
    if entry.operation == Operation::Ready {
        let content = json_content(schemas::reference("Readiness"));
        let words = "Not ready: says what is missing.";
        let headers = json!({"Retry-After": shared::header("RetryAfter")});
        let response = json!({"description": words, "headers": headers, "content": content});
        found.insert("503".to_owned(), response);
    }
    Value::Object(found)
}

/// GraphQL says in its own form why a request was not executed; what is around it, in ours.
fn graphql_refusal() -> Value {
    let errors = json!({"type": "array", "minItems": 1, "items": {"type": "object"}});
    let schema = json!({
        "type": "object", "required": ["errors"], "properties": {"errors": errors},
    });
    json!({
        "description": "Not executed: the errors say why, with the problem in `extensions`.",
        "headers": {"x-request-id": shared::header("RequestId")},
        "content": {
            "application/json": {"schema": schema},
            "application/graphql-response+json": {"schema": schema},
            MEDIA_TYPE: {"schema": {"$ref": "#/components/schemas/Problem"}},
        },
    })
}

/// Whether its body is a GraphQL request.
fn takes_graphql(entry: &Entry) -> bool {
    matches!(entry.operation, Operation::GraphQlPost | Operation::GraphQlStreamPost)
}

/// A GraphQL request as a query string.
fn graphql_query() -> Vec<(&'static str, &'static str, Value)> {
    let object = json!({"type": "string", "contentMediaType": "application/json"});
    vec![
        ("query", "The document.", text()),
        ("operationName", "Which operation of it.", text()),
        ("variables", "A JSON object.", object.clone()),
        ("extensions", "A JSON object.", object),
    ]
}

/// A request, or where one reply can tell of several, as many.
fn graphql_body(many: bool) -> Value {
    let schema = json!({
        "type": "object",
        "required": ["query"],
        "properties": {
            "query": {"type": "string"},
            "operationName": {"type": ["string", "null"]},
            "variables": {"type": ["object", "null"]},
            "extensions": {"type": ["object", "null"]},
        },
    });
    let example = json!({"query": "{ validators(first: 3) { nodes { address moniker power } } }"});
    let schema = if many {
        json!({"anyOf": [schema, {"type": "array", "items": each(&schema)}]})
    } else {
        schema
    };
    json!({
        "required": true,
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

fn batch_body() -> Value {
    let text = json!({"type": "string"});
    let item = json!({
        "type": "object",
        "required": ["collection", "command"],
        "additionalProperties": false,
        "properties": {
            "collection": one_of(every::COLLECTIONS.iter().map(|entry| entry.collection)),
            "id": {"type": ["string", "null"], "description": "As in the path."},
            "command": text,
            "body": {"description": "As the body of a request of its own."},
            "idempotency_key": {"type": ["string", "null"], "description": "As the header."},
            "expected_version": {"type": ["integer", "null"], "minimum": 0},
        },
    });
    let items = json!({
        "type": "array", "minItems": 1, "maxItems": crate::submit::batch::BATCH_ITEMS_MAX,
        "items": each(&item),
    });
    let schema = json!({
        "type": "object", "required": ["items"], "additionalProperties": false,
        "properties": {"items": items},
    });
    let address = "D5B865BA26FDF5285105626B708E8556809737F7";
    let example = json!({"items": [{
        "collection": "validators", "id": address, "command": "bond", "body": {"amount": "1"},
    }]});
    json!({
        "required": true,
        "content": {"application/json": {"schema": schema, "example": example}},
    })
}

fn transactions_body() -> Value {
    let one = schemas::reference("Transaction");
    let maximum = crate::submit::transactions::TRANSACTIONS_MAX;
    let many = json!({"type": "array", "minItems": 1, "maxItems": maximum, "items": each(&one)});
    let submit = transaction::Command::example("submit").unwrap_or_default();
    let example = &submit["transaction"];
    json!({
        "required": true,
        "content": {
            "application/json": {"schema": {"anyOf": [one, many]}, "example": example},
            "application/x-ndjson": {
                "schema": {"description": "A transaction a line."},
                "example": example.to_string(),
            },
        },
    })
}

/// One of many, each of which is answered for itself: what is wrong with one is told in its place.
pub(super) fn each(one: &Value) -> Value {
    json!({"anyOf": [one, {}]})
}

fn results() -> Value {
    let item = json!({
        "type": "object",
        "required": ["status"],
        "properties": {
            "status": {"type": "integer", "description": "What a request of its own would get."},
            "reply": {"type": "object", "description": "The reply it would get, when done."},
            "problem": schemas::reference("Problem"),
        },
    });
    json!({
        "type": "object",
        "required": ["items"],
        "properties": {"items": {"type": "array", "items": item}},
    })
}

/// One of these words.
fn one_of<'a>(names: impl IntoIterator<Item = &'a str>) -> Value {
    json!({"type": "string", "enum": names.into_iter().collect::<Vec<_>>()})
}

pub(super) fn text() -> Value {
    json!({"type": "string"})
}

pub(super) fn uuid() -> Value {
    json!({"type": "string", "format": "uuid"})
}

fn address() -> Value {
    schemas::reference("Address")
}

fn order() -> (&'static str, &'static str, Value) {
    (
        "sort",
        "The order; the newest first by default.",
        one_of(projections::Order::NAMES.iter().copied()),
    )
}

fn payload_kind() -> (&'static str, &'static str, Value) {
    ("kind", "That do this.", one_of(transaction::Payload::TYPES.iter().copied()))
}

fn last() -> (&'static str, &'static str, Value) {
    let most = projections::blocks::FINALITY_BLOCKS_MAX;
    let schema = json!({"type": "integer", "minimum": 1, "maximum": most, "default": 100});
    ("last", "How many of the newest heights are looked at.", schema)
}

fn doc(operation: Operation) -> Doc {
    use crate::rest::{headers, validators};
    use domain::validator::Offence;
    let plain = |tag, summary, reply| Doc { tag, summary, query: Vec::new(), reply };
    let asked = |tag, summary, query, reply| Doc { tag, summary, query, reply };
    let offences = || one_of(Offence::ALL.map(Offence::as_str));
    match operation {
        Operation::Index => plain("server", "The way to the documents", Reply::Away),
        Operation::Live => {
            plain("server", "Whether the process answers", Reply::Form("application/json"))
        }
        Operation::Ready => {
            plain("server", "Whether everything it needs is there", Reply::One("Readiness"))
        }
        Operation::Metrics => plain("server", "Metrics for Prometheus", Reply::Form("text/plain")),
        Operation::Version => plain("server", "What runs", Reply::One("Version")),
        Operation::OpenApi => plain("server", "This document", Reply::Form("application/json")),
        Operation::Docs => plain("server", "The page that shows this document", Reply::Away),
        Operation::DocsFolder => plain("server", "The same page", Reply::Away),
        Operation::DocsFile => plain("server", "A file of that page", Reply::Form("*/*")),
        Operation::GraphiQl => {
            plain("graphql", "The page on which to ask over GraphQL", Reply::Away)
        }
        Operation::GraphiQlFolder => plain("graphql", "The same page", Reply::Away),
        Operation::GraphiQlFile => plain("graphql", "A file of that page", Reply::Form("*/*")),
        Operation::ListProblems => {
            plain("server", "All kinds of problems", Reply::One("ProblemKinds"))
        }
        Operation::GetProblem => plain("server", "A kind of problem", Reply::One("ProblemKind")),
        Operation::GraphQlGet => {
            asked("graphql", "Asks over GraphQL", graphql_query(), Reply::GraphQl)
        }
        Operation::GraphQlStreamGet => {
            asked("graphql", "Follows over GraphQL", graphql_query(), Reply::GraphQlStream)
        }
        Operation::GraphQlStreamPost => {
            plain("graphql", "Follows over GraphQL", Reply::GraphQlStream)
        }
        Operation::GraphQlPost => plain("graphql", "Asks over GraphQL", Reply::GraphQl),
        Operation::GraphQlSchema => {
            plain("graphql", "The GraphQL schema", Reply::Form("application/graphql"))
        }
        Operation::ListChains => plain("chains", "Chains, by name", Reply::Page("ChainRow")),
        Operation::GetChain => plain("chains", "A chain as it is now", Reply::One("ChainRow")),
        Operation::ListHeaders => asked(
            "chains",
            "Headers of a chain, by height",
            vec![
                (
                    "state",
                    "What they are to the chain.",
                    one_of(headers::STATES.iter().map(|s| s.as_str())),
                ),
                ("proposer", "Who proposed them.", address()),
                ("from_height", "From this height on.", schemas::reference("Height")),
                ("to_height", "Up to this height.", schemas::reference("Height")),
                order(),
            ],
            Reply::Page("HeaderRow"),
        ),
        Operation::GetHeader => plain("chains", "The header of a height", Reply::One("HeaderRow")),
        Operation::ListForks => {
            asked("chains", "Forks of a chain", vec![order()], Reply::Page("Fork"))
        }
        Operation::ListRejections => asked(
            "chains",
            "Headers of a chain that failed verification",
            vec![order()],
            Reply::Page("Rejection"),
        ),
        Operation::GetHeaderByHash => {
            plain("chains", "The header with a hash", Reply::One("HeaderRow"))
        }
        Operation::GetLightBlock => plain(
            "chains",
            "A final header of our own chain with its commit and the set that signed it, in \
             CometBFT's JSON: what its light clients verify",
            Reply::Form("application/json"),
        ),
        Operation::CallRpc => plain("rpc", rpc::SUMMARY, Reply::Form("application/json")),
        Operation::AskRpc => {
            asked("rpc", rpc::SUMMARY, rpc::query(), Reply::Form("application/json"))
        }
        Operation::ListValidators => asked(
            "validators",
            "Validators as they are now",
            vec![
                ("chain_id", "Of this chain.", schemas::reference("ChainId")),
                (
                    "standing",
                    "That are this now.",
                    one_of(validators::STANDINGS.iter().map(|s| s.as_str())),
                ),
                ("operator", "Of this operator.", schemas::reference("Operator")),
                (
                    "sort",
                    "The order; by power by default.",
                    one_of(projections::validators::Sort::NAMES.iter().copied()),
                ),
            ],
            Reply::Page("ValidatorRow"),
        ),
        Operation::GetValidator => {
            plain("validators", "A validator as it is now", Reply::One("ValidatorRow"))
        }
        Operation::ListValidatorDelegations => plain(
            "validators",
            "Who staked how much on a validator, the greatest first",
            Reply::Page("DelegationRow"),
        ),
        Operation::ListValidatorSlashings => asked(
            "validators",
            "What a validator was punished for",
            vec![("offence", "For this.", offences()), order()],
            Reply::Page("Slashing"),
        ),
        Operation::ListValidatorReputation => asked(
            "validators",
            "How a validator's reputation changed",
            vec![order()],
            Reply::Page("ReputationChange"),
        ),
        Operation::ListValidatorPerformances => asked(
            "validators",
            "How a validator did its duties, epoch by epoch",
            vec![order()],
            Reply::Page("Performance"),
        ),
        Operation::ListValidatorUnbondings => plain(
            "validators",
            "What is on its way out of a validator's stake",
            Reply::Page("UnbondingRow"),
        ),
        Operation::GetValidatorSet => plain(
            "validator-sets",
            "The newest validator set of a chain, with its members",
            Reply::One("ValidatorSetWithMembers"),
        ),
        Operation::GetValidatorSetOfEpoch => plain(
            "validator-sets",
            "The validator set of an epoch, with its members",
            Reply::One("ValidatorSetWithMembers"),
        ),
        Operation::ListValidatorSets => asked(
            "validator-sets",
            "The validator sets of a chain, by epoch",
            vec![order()],
            Reply::Page("ValidatorSetRow"),
        ),
        Operation::ListDelegations => asked(
            "validators",
            "What somebody has staked",
            vec![("delegator", "Who.", address())],
            Reply::Page("DelegationRow"),
        ),
        Operation::ListUnbondings => asked(
            "validators",
            "What is on its way back to somebody",
            vec![("delegator", "Who.", address())],
            Reply::Page("UnbondingRow"),
        ),
        Operation::ListSlashings => asked(
            "validators",
            "What was punished",
            vec![
                ("validator", "Of this validator.", address()),
                ("offence", "For this.", offences()),
                order(),
            ],
            Reply::Page("Slashing"),
        ),
        Operation::ListActivity => asked(
            "log",
            "What happened, in sentences",
            vec![
                ("category", "Of this category of streams.", text()),
                ("stream", "Of this stream.", text()),
                ("subject", "To this validator or chain.", text()),
                ("type", "Of this stored name.", text()),
                ("actor", "Asked for by this actor.", text()),
                ("correlation", "Of this story.", uuid()),
                order(),
            ],
            Reply::Page("ActivityRow"),
        ),
        Operation::ListEvents => {
            asked("log", "Events in the order of the log", live::event_filter(), Reply::Log)
        }
        Operation::FollowEvents => {
            asked("log", "The log as it goes on", live::event_filter(), Reply::Stream)
        }
        Operation::FollowConsensus => plain(
            "heights",
            "What a validator must follow, as it goes on: our own chain, its sets, the blocks and \
             heights that are decided, and the transactions that wait",
            Reply::Stream,
        ),
        Operation::TakeHeartbeat => plain(
            "heights",
            "A validator's sign of life: telemetry, kept for a while",
            Reply::One("ValidatorHeartbeat"),
        ),
        Operation::ListHeartbeats => plain(
            "heights",
            "The newest sign of life of each validator that gave one lately",
            Reply::One("Heartbeats"),
        ),
        Operation::GetBlob => plain(
            "blocks",
            "Content that an event names by its hash: a block's body, a genesis document, results, \
             a snapshot. It never changes",
            Reply::Form("application/octet-stream"),
        ),
        Operation::GetEvent => plain("log", "The event at a position", Reply::One("Event")),
        Operation::ReadStream => plain("log", "The events of one stream", Reply::Log),
        Operation::GetCheckpoint => plain(
            "evidence",
            "The signed checkpoint of the published log (C2SP tlog-checkpoint), with its \
             cosignatures",
            Reply::Form("text/plain"),
        ),
        Operation::GetTile => plain(
            "evidence",
            "A tile of hashes (C2SP tlog-tiles)",
            Reply::Form("application/octet-stream"),
        ),
        Operation::GetEntries => plain(
            "evidence",
            "The records of up to 256 events, as tlog-tiles has them: each behind its length in two \
             bytes",
            Reply::Form("application/octet-stream"),
        ),
        Operation::GetLog => plain(
            "evidence",
            "The published log: its name, its keys, how far it is, and who witnesses it",
            Reply::One("PublishedLog"),
        ),
        Operation::GetAudit => plain(
            "evidence",
            "The continuous audit: how far history is read again, and what is not as it should be",
            Reply::One("Audit"),
        ),
        Operation::ProveInclusion => asked(
            "evidence",
            "That the event at a position is in the log",
            vec![(
                "size",
                "When the log had so many events; now when it is not said.",
                shared::position(),
            )],
            Reply::One("InclusionProof"),
        ),
        Operation::ProveConsistency => asked(
            "evidence",
            "That the log goes on from what it was",
            vec![
                (
                    "from",
                    "When the log had so many events; 0 when it is not said.",
                    shared::position(),
                ),
                ("size", "When it had so many; now when it is not said.", shared::position()),
            ],
            Reply::One("ConsistencyProof"),
        ),
        Operation::GetReceipt => plain(
            "evidence",
            "The receipt of the event at a position (C2SP tlog-proof): with the log's key alone it \
             shows that exactly this record is in the log",
            Reply::Form("text/plain"),
        ),
        Operation::ListProcesses => plain(
            "processes",
            "How far each process is, and which are parked",
            Reply::One("ProcessStatuses"),
        ),
        Operation::GetProcess => {
            plain("processes", "How far a process is", Reply::One("ProcessStatus"))
        }
        Operation::ListProcessRuns => asked(
            "processes",
            "What a process did, event by event that called for it, by the first step",
            vec![order()],
            Reply::Page("ProcessRun"),
        ),
        Operation::GetProcessRun => plain(
            "processes",
            "What a process did because of an event, step by step",
            Reply::One("ProcessRun"),
        ),
        Operation::ResumeProcess => plain(
            "processes",
            "Lets a parked process try again the event that it could not deal with",
            Reply::One("ProcessStatus"),
        ),
        Operation::ListProjections => {
            plain("projections", "How the read models are", Reply::One("ProjectionStatuses"))
        }
        Operation::RebuildProjection => {
            plain("projections", "Builds a read model anew", Reply::One("RebuildStarted"))
        }
        Operation::GetDifference => asked(
            "replays",
            "What differs of one thing between two points of the past, or since one",
            vec![
                (
                    "of",
                    "The path of the thing, which takes `as_of`.",
                    json!({"type": "string", "pattern": "^/api/v1/.+$"}),
                ),
                ("since", "The earlier point: a position, or a moment.", shared::point()),
                ("until", "The later one; now when absent.", shared::point()),
            ],
            Reply::One("Difference"),
        ),
        Operation::ListReplays => asked(
            "replays",
            "The replays that there are, the newest first",
            Vec::new(),
            Reply::Page("Replay"),
        ),
        Operation::BuildReplay => plain(
            "replays",
            "Asks for read models as they were at a point, to be asked with `replay` once they are \
             there",
            Reply::Made("Replay"),
        ),
        Operation::GetReplay => plain("replays", "How far a replay is", Reply::One("Replay")),
        Operation::CancelReplay => plain("replays", "Gives a replay up", Reply::Done),
        Operation::SetUp => plain(
            "auth",
            "Makes whoever follows the first start's link the first super_admin",
            Reply::One("Tokens"),
        ),
        Operation::RequestPasswordReset => plain(
            "auth",
            "Sends a link to set another password, good for an hour; nobody learns who has one",
            Reply::Done,
        ),
        Operation::ResetPassword => plain(
            "auth",
            "Sets another password by the link that was sent, and ends all sessions",
            Reply::Done,
        ),
        Operation::RequestEmailVerification => {
            plain("auth", "Sends oneself a link that shows who reads one's mail", Reply::Done)
        }
        Operation::VerifyEmail => plain("auth", "Follows that link", Reply::Done),
        Operation::Login => plain("auth", "Starts a session", Reply::One("Tokens")),
        Operation::Refresh => {
            plain("auth", "Goes on with a session: the token is good once", Reply::One("Tokens"))
        }
        Operation::Logout => plain("auth", "Ends the session", Reply::Done),
        Operation::LogoutEverywhere => plain("auth", "Ends all one's sessions", Reply::Done),
        Operation::Myself => plain("auth", "Who one is, and what one may do", Reply::One("Myself")),
        Operation::Register => plain("auth", "Follows an invitation", Reply::Made("PrincipalMade")),
        Operation::ChangePassword => {
            plain("auth", "Sets another password, and ends all other sessions", Reply::Done)
        }
        Operation::BeginSecondFactor => plain(
            "auth",
            "Makes a second factor, which counts once a code of it is shown",
            Reply::Made("SecondFactor"),
        ),
        Operation::EnrolSecondFactor => {
            plain("auth", "Asks for a one-time code at each login from now on", Reply::Done)
        }
        Operation::RemoveSecondFactor => plain(
            "auth",
            "Asks for no one-time code any more, and ends all one's sessions",
            Reply::Done,
        ),
        Operation::BrowserLogin => plain(
            "auth",
            "Starts a session whose tokens are in cookies that no script can read",
            Reply::One("BrowserSession"),
        ),
        Operation::BrowserRefresh => plain(
            "auth",
            "Goes on with it; the header X-CSRF-Token repeats the CSRF token",
            Reply::One("BrowserSession"),
        ),
        Operation::BrowserLogout => plain("auth", "Ends it, and its cookies", Reply::Done),
        Operation::OidcBegin => {
            plain("auth", "Sends a browser to the OpenID Connect issuer, to sign in", Reply::Away)
        }
        Operation::OidcCallback => asked(
            "auth",
            "Takes a browser back from the issuer, and starts its session",
            vec![
                ("code", "What the issuer gives for a sign-in, once.", text()),
                ("state", "What the sign-in was begun with.", text()),
                ("error", "That the issuer signed nobody in.", text()),
            ],
            Reply::Away,
        ),
        Operation::OidcLink => plain(
            "auth",
            "Begins to link oneself to an account at the issuer",
            Reply::One("OidcLocation"),
        ),
        Operation::OidcRegister => plain(
            "auth",
            "Begins to follow an invitation without a password, by the issuer's word",
            Reply::One("OidcLocation"),
        ),
        Operation::ListOwnSessions => {
            plain("auth", "One's own open sessions", Reply::One("Sessions"))
        }
        Operation::RevokeOwnSession => {
            plain("auth", "Ends another session of one's own", Reply::Done)
        }
        Operation::ListPrincipals => asked(
            "principals",
            "Persons and services in the order of their ids",
            vec![
                ("email", "Only who has this mail address.", shared::email()),
                ("role", "Only who holds this role.", schemas::reference("RoleName")),
                (
                    "standing",
                    "Only who is this now.",
                    one_of(StandingName::ALL.map(StandingName::as_str)),
                ),
            ],
            Reply::Page("Principal"),
        ),
        Operation::GetPrincipal => plain("principals", "One of them", Reply::One("Principal")),
        Operation::GetErasureCertificate => plain(
            "principals",
            "That the key of a person's data is destroyed, with what proves it",
            Reply::One("ErasureCertificate"),
        ),
        Operation::ListSessions => {
            plain("principals", "The open sessions of a principal", Reply::One("Sessions"))
        }
        Operation::ListApiKeys => plain(
            "principals",
            "The API keys of a principal that were not revoked",
            Reply::One("ApiKeys"),
        ),
        Operation::ListAccessRecords => asked(
            "principals",
            "Who signed in, used a key or was refused, the newest first; kept for a while",
            vec![
                ("principal", "Only of this principal.", text()),
                ("address", "Only from this address.", text()),
                ("operation", "Only of this `operationId`.", text()),
                ("outcome", "Only with this outcome.", one_of(["allowed", "refused"])),
            ],
            Reply::Page("AccessRecord"),
        ),
        Operation::ListFlags => asked(
            "flags",
            "Feature flags, by key",
            vec![(
                "standing",
                "That are this now.",
                one_of(FlagStanding::ALL.map(FlagStanding::as_str)),
            )],
            Reply::Page("FlagRow"),
        ),
        Operation::GetFlag => plain("flags", "A feature flag as it is now", Reply::One("FlagRow")),
        Operation::EvaluateFlag => asked(
            "flags",
            "Whether a flag is on for somebody: the same answer in every process, and a greater \
             rollout only adds",
            vec![("subject", "For whom.", schemas::reference("FlagSubject"))],
            Reply::One("FlagEvaluation"),
        ),
        Operation::TakeAlerts => plain(
            "alerts",
            "Takes the alerts of a Prometheus Alertmanager: its webhook, version 4",
            Reply::One("AlertsTaken"),
        ),
        Operation::GetNoticeKey => plain(
            "alerts",
            "The key that notices of alerts are signed with, by the rules of Standard Webhooks",
            Reply::One("NoticeKey"),
        ),
        Operation::ListSettings => plain(
            "settings",
            "Every key, in order, with what is in force and what is proposed",
            Reply::Page("SettingView"),
        ),
        Operation::GetSetting => {
            plain("settings", "A setting as it is now", Reply::One("SettingView"))
        }
        Operation::ListSettingVersions => plain(
            "settings",
            "What was in force, the newest first: the last versions only",
            Reply::Page("SettingVersion"),
        ),
        Operation::ListAlertRules => asked(
            "alert-rules",
            "Rules, by name",
            vec![(
                "standing",
                "That are this now.",
                one_of(alert_rules::STANDINGS.iter().copied()),
            )],
            Reply::Page("RuleRow"),
        ),
        Operation::GetAlertRule => {
            plain("alert-rules", "A rule as it is now", Reply::One("RuleRow"))
        }
        Operation::ListAlerts => asked(
            "alerts",
            "Alerts, those that began last first",
            vec![
                ("standing", "That are this now.", one_of(alerts::STANDINGS.iter().copied())),
                ("severity", "That are this bad.", schemas::reference("Severity")),
            ],
            Reply::Page("AlertRow"),
        ),
        Operation::GetAlert => plain("alerts", "An alert as it is now", Reply::One("AlertRow")),
        Operation::ListSlos => asked(
            "slos",
            "Objectives, by name",
            vec![("standing", "That are this now.", one_of(slos::STANDINGS.iter().copied()))],
            Reply::Page("SloRow"),
        ),
        Operation::GetSlo => plain("slos", "An objective as it is now", Reply::One("SloRow")),
        Operation::GetTopology => plain(
            "peers",
            "The network of a chain: its nodes, whose they are, when each was last heard of, and \
             into which groups it is torn",
            Reply::One("Topology"),
        ),
        Operation::ListPeers => asked(
            "peers",
            "Nodes, by id",
            vec![
                ("standing", "That are this now.", one_of(peers::STANDINGS.iter().copied())),
                ("chain", "Of this chain.", schemas::reference("ChainId")),
            ],
            Reply::Page("PeerRow"),
        ),
        Operation::GetPeer => plain("peers", "A node as it is now", Reply::One("PeerRow")),
        Operation::ListPartitions => asked(
            "partitions",
            "The last partition of each chain, by chain",
            vec![("standing", "That are this now.", one_of(partitions::STANDINGS.iter().copied()))],
            Reply::Page("PartitionRow"),
        ),
        Operation::GetPartition => {
            plain("partitions", "The last partition of a chain", Reply::One("PartitionRow"))
        }
        Operation::ListRoles => {
            plain("roles", "All roles, and what each gives", Reply::One("Roles"))
        }
        Operation::InvitePrincipal => {
            plain("principals", "Invites a person", Reply::Made("Invitation"))
        }
        Operation::SetUpService => {
            plain("principals", "Sets a service up", Reply::Made("PrincipalMade"))
        }
        Operation::IssueApiKey => {
            plain("principals", "Issues an API key of a principal's", Reply::Made("ApiKeyMade"))
        }
        Operation::IssueOwnApiKey => {
            plain("auth", "Issues an API key of one's own", Reply::Made("ApiKeyMade"))
        }
        Operation::KeySet => {
            plain("auth", "The keys by which access tokens are checked", Reply::One("KeySet"))
        }
        Operation::ListTransactions => asked(
            "accounts",
            "Transactions in the order in which they were accepted",
            vec![
                ("account", "Sent by this account, or concerning it.", address()),
                ("sender", "Sent by this account.", address()),
                payload_kind(),
                order(),
            ],
            Reply::Page("TransactionRow"),
        ),
        Operation::GetTransaction => plain(
            "accounts",
            "A transaction: what its sender signed, and what became of it",
            Reply::One("TransactionInFull"),
        ),
        Operation::GetMempool => {
            plain("accounts", "What waits, in numbers", Reply::One("MempoolSummary"))
        }
        Operation::ListMempool => plain(
            "accounts",
            "What waits for a block: who pays most for each byte comes first",
            Reply::Page("TransactionRow"),
        ),
        Operation::ListAccounts => plain(
            "accounts",
            "Accounts as the last executed block left them, the greatest balance first",
            Reply::Page("AccountRow"),
        ),
        Operation::GetAccount => plain(
            "accounts",
            "An account as the last executed block left it, with what it has at stake",
            Reply::One("AccountWithStakes"),
        ),
        Operation::ListAccountTransactions => asked(
            "accounts",
            "What an account sent, and what concerns it",
            vec![payload_kind(), order()],
            Reply::Page("TransactionRow"),
        ),
        Operation::ListAnchors => asked(
            "accounts",
            "Notarised documents",
            vec![
                ("digest", "Of this document.", schemas::reference("Digest")),
                ("owner", "Of this account.", address()),
                order(),
            ],
            Reply::Page("AnchorRow"),
        ),
        Operation::GetAnchor => {
            plain("accounts", "The first anchor of a document", Reply::One("AnchorRow"))
        }
        Operation::ListBlocks => asked(
            "blocks",
            "Blocks of our own chain, by height",
            vec![
                ("chain_id", "Of this chain.", schemas::reference("ChainId")),
                (
                    "state",
                    "That are this now.",
                    one_of(projections::blocks::BlockState::ALL.iter().map(|s| s.as_str())),
                ),
                ("proposer", "Made by this validator.", address()),
                order(),
            ],
            Reply::Page("BlockRow"),
        ),
        Operation::GetBlock => plain("blocks", "A block", Reply::One("BlockRow")),
        Operation::ListBlockTransactions => plain(
            "blocks",
            "The transactions of an executed block, in its order",
            Reply::Page("TransactionRow"),
        ),
        Operation::GetBlockAtHeight => {
            plain("blocks", "The final block of a height", Reply::One("BlockRow"))
        }
        Operation::GetFinality => asked(
            "blocks",
            "How long the newest blocks took, from being recorded to being executed",
            vec![last()],
            Reply::One("BlockFinality"),
        ),
        Operation::ListHeights => {
            asked("heights", "Heights of our own chain", vec![order()], Reply::Page("HeightRow"))
        }
        Operation::GetHeight => plain(
            "heights",
            "A height with its rounds, its votes, and who contradicted themselves",
            Reply::One("HeightInFull"),
        ),
        Operation::GetLeaderboard => asked(
            "heights",
            "How validators did their duties at the newest heights: who signed most comes first",
            vec![last()],
            Reply::One("Leaderboard"),
        ),
        Operation::Search => asked(
            "server",
            "What a hash, an address, a height, a digest or a name stands for, and where it is",
            vec![("q", "What to look for, in full.", shared::text_of(1, QUERY_CHARS_MAX))],
            Reply::One("SearchResults"),
        ),
        Operation::Batch => {
            plain("server", "Many commands, one result each, in order", Reply::Results)
        }
        Operation::SubmitTransactions => plain(
            "accounts",
            "Signed transactions: one, or many with one result each, in order",
            Reply::OneOrResults,
        ),
        // Described command by command, see `commands`.
        Operation::InitialiseGenesis
        | Operation::CommandChain
        | Operation::RegisterValidator
        | Operation::CommandValidator
        | Operation::CommandValidatorSet
        | Operation::CommandAccount
        | Operation::ProposeBlock
        | Operation::CommandBlock
        | Operation::CommandHeight
        | Operation::CommandPrincipal
        | Operation::CommandRole
        | Operation::CommandFlag
        | Operation::CommandSetting
        | Operation::CommandAlertRule
        | Operation::CommandAlert
        | Operation::CommandSlo
        | Operation::CommandPeer
        | Operation::CommandPartition => plain("server", "A command", Reply::One("Problem")),
    }
}
