//! Who may do what: every operation of the table, every role.

use api::{
    operations::{Access, Entry, Form, Operation, TABLE, Verb},
    submit::{CommandSpec, every},
};
use commands::{Permission, Role};
use domain::values::PrincipalId;
use reqwest::{Method, RequestBuilder};
use serde_json::json;
use tests::{app::TestApp, http::Http, keys::ValidatorKey};

use super::{problem, register, send, start, validator};

/// The validator that paths name.
const ADDRESS: &str = "D5B865BA26FDF5285105626B708E8556809737F7";

/// A path with its parameters filled in.
fn filled(path: &str) -> String {
    [
        ("{chain}", "roof-1"),
        ("{address}", ADDRESS),
        ("{hash}", "2DB9FCEAFCFB2CF9AE8898AB1198CAA1804513EE7729303968F45D59D8799889"),
        ("{height}", "1"),
        ("{epoch}", "1"),
        ("{position}", "1"),
        ("{stream}", "validator-D5B865BA26FDF5285105626B708E8556809737F7"),
        ("{name}", "validators"),
        ("{principal}", "service-north"),
        ("{role}", "jailer"),
        ("{key}", "server.new_dashboard"),
        ("{rule}", "projection-lag"),
        ("{alert}", "projection-lag"),
        ("{slo}", "availability"),
        ("{peer}", "b600306cfa76723fdec395e53a9b3d9fdb78b1e2"),
        ("{chain_height}", "roof-1-1"),
        ("{slug}", "refused"),
        ("{*file}", "index.html"),
        ("{command}", "dance"),
    ]
    .iter()
    .fold(path.to_owned(), |path, (parameter, value)| path.replace(parameter, value))
}

fn method(verb: Verb) -> Method {
    match verb {
        Verb::Get => Method::GET,
        Verb::Post => Method::POST,
    }
}

/// Every command with the path it is posted to.
fn commands() -> Vec<(String, &'static CommandSpec)> {
    let all: &[every::Entry] = &every::COLLECTIONS;
    let of = |entry: &'static every::Entry| {
        (entry.commands)().iter().map(|spec| (filled(&entry.path(spec)), spec))
    };
    all.iter().flat_map(of).collect()
}

/// Asks; of a reply that goes on, only how it begins.
async fn knock(request: RequestBuilder, entry: &Entry) -> tests::http::Answer {
    if entry.form != Form::Events {
        return send(request).await;
    }
    let (client, request) = request.build_split();
    let response = client.execute(request.unwrap()).await.expect("the server answers");
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let body = match status {
        200 => serde_json::Value::Null,
        _ => response.json().await.expect("a refusal is JSON"),
    };
    tests::http::Answer { status, headers, body }
}

fn stranger(app: &TestApp, method: Method, path: &str) -> RequestBuilder {
    let client = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build();
    client.unwrap().request(method, format!("http://{}{path}", app.server.address()))
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_meet_a_closed_door_wherever_the_table_does_not_say_otherwise() {
    let (app, _) = start().await;
    for entry in TABLE {
        let path = filled(entry.path);
        let answer = knock(stranger(&app, method(entry.method), &path), entry).await;
        match entry.access {
            // Whoever proves who they are, and does not, is told so.
            Access::Open
                if matches!(
                    entry.operation,
                    Operation::BrowserRefresh | Operation::OidcCallback
                ) =>
            {
                assert_eq!(problem(&answer), "not-authenticated", "{path}");
            }
            Access::Open | Access::Public(_) | Access::Fields => {
                assert!(![401, 403, 405].contains(&answer.status), "{path}: {answer:#?}");
            }
            Access::SignedIn | Access::Needs(_) | Access::Command => {
                assert_eq!(problem(&answer), "not-authenticated", "{path}");
                assert!(answer.header("www-authenticate").starts_with("Bearer"), "{path}");
            }
        }
    }
    for (path, _) in commands() {
        let answer = send(stranger(&app, Method::POST, &path).json(&json!({}))).await;
        assert_eq!(problem(&answer), "not-authenticated", "{path}");
    }
    app.stop().await;
}

async fn with_role(admin: &Http, role: Role) -> Http {
    let name = match role {
        Role::Validator => format!("validator-{}", ADDRESS.to_lowercase()),
        Role::SuperAdmin | Role::Admin | Role::Operator | Role::Auditor | Role::Viewer => {
            format!("service-{}", role.as_str().replace('_', "-"))
        }
    };
    admin.service(&name, role).await
}

/// Whether an answer refuses for want of this permission.
fn lacks(answer: &tests::http::Answer, permission: Permission) -> bool {
    let refused = answer.status == 403;
    if refused {
        assert_eq!(problem(answer), "not-permitted");
        assert_eq!(answer.body["permission"], permission.as_str());
    }
    refused
}

#[tokio::test(flavor = "multi_thread")]
async fn every_role_may_do_what_the_policy_says_and_nothing_else() {
    let (app, admin) = start().await;
    for role in Role::ALL {
        let http = with_role(&admin, *role).await;
        for entry in TABLE {
            if let Access::Needs(permission) = entry.access {
                let request = http.request(method(entry.method), &filled(entry.path));
                let answer = knock(request, entry).await;
                let who = format!("{} {}", role.as_str(), entry.id);
                assert_eq!(lacks(&answer, permission), !role.holds(permission), "{who}");
                assert!(answer.status < 500, "{who}: {answer:#?}");
            }
        }
        for (path, spec) in commands() {
            // A body that is never good: who may not must not learn that first.
            let answer = http.post(&path, &json!({"unknown": true})).await;
            let who = format!("{} {path}", role.as_str());
            assert_eq!(lacks(&answer, spec.permission), !role.holds(spec.permission), "{who}");
            assert!(answer.status < 500, "{who}: {answer:#?}");
        }
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_validator_s_service_has_to_do_with_its_own_validator_only() {
    let (app, admin) = start().await;
    register(&admin, 1..3).await;
    let id = PrincipalId::of_validator(ValidatorKey::number(1).address());
    let service = admin.service(id.as_str(), Role::Validator).await;
    let beat = json!({"height": "1", "mempool": 0, "round": 0, "step": "propose", "version": "1"});
    let (own, other) = (validator(1), validator(2));
    service.post(&format!("{own}/heartbeat"), &beat).await.expect(200);
    service.post(&format!("{own}/bond"), &json!({"amount": "1"})).await.expect(200);
    for (path, body) in [
        (format!("{other}/heartbeat"), &beat),
        (format!("{other}/bond"), &json!({"amount": "1"})),
        (format!("{other}/initiate-exit"), &json!({})),
    ] {
        let answer = service.post(&path, body).await;
        assert_eq!((answer.status, problem(&answer).as_str()), (403, "not-permitted"), "{path}");
        assert!(answer.body["detail"].as_str().unwrap().contains("your own validator"), "{path}");
    }
    let items = json!({"items": [{
        "collection": "validators", "command": "bond", "id": ValidatorKey::number(2).address(),
        "body": {"amount": "1"},
    }]});
    let batch = service.post("/api/v1/batches", &items).await.expect(200);
    assert_eq!(batch["items"][0]["status"], 403, "{batch:#}");
    // What only validators may do cannot be given to anybody else.
    let wrong = json!({"display_name": "x", "principal": "service-x", "roles": ["validator"]});
    let refused = admin.post("/api/v1/services", &wrong).await;
    assert_eq!(refused.body["refusal"]["code"], "validators-only", "{:#}", refused.body);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_token_is_refused_even_where_none_is_needed() {
    let (app, http) = start().await;
    let good = tests::node0::TOKEN;
    for value in ["Bearer wrong", "Bearer", "Basic dXNlcjpwYXNz", good, "Bearer a b", ""] {
        let request = stranger(&app, Method::GET, "/api/v1/validators");
        let answer = send(request.header("authorization", value)).await;
        assert_eq!(
            (answer.status, problem(&answer).as_str()),
            (401, "not-authenticated"),
            "{value}"
        );
    }
    let request = stranger(&app, Method::GET, "/api/v1/validators");
    send(request.header("authorization", format!("bearer {good}"))).await.expect(200);
    http.get("/api/v1/events").await.expect(200);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn every_reply_tells_a_browser_to_do_nothing_with_it_but_what_it_is_for() {
    let (app, _) = start().await;
    for entry in TABLE {
        let request = stranger(&app, method(entry.method), &filled(entry.path));
        let answer = knock(request, entry).await;
        let policy = answer.header("content-security-policy");
        let is_page = matches!(entry.operation, Operation::DocsFile | Operation::GraphiQlFile);
        assert!(policy.starts_with("default-src 'none'; base-uri 'none'"), "{entry:?}: {policy}");
        assert!(policy.contains("frame-ancestors 'none'"), "{entry:?}: {policy}");
        assert_eq!(policy.contains("script-src 'self'"), is_page, "{entry:?}: {policy}");
        assert!(!policy.contains("unsafe-eval") && !policy.contains("script-src 'unsafe"));
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("referrer-policy", "no-referrer"),
            ("cross-origin-opener-policy", "same-origin"),
            ("cross-origin-resource-policy", "same-origin"),
        ] {
            assert_eq!(answer.header(name), value, "{entry:?}: {name}");
        }
    }
    app.stop().await;
}
