//! What the server says of itself.

use api::submit::Collection;
use domain::{
    block, chain,
    configuration::{flag, setting},
    consensus,
    identity::{principal, role},
    monitoring::{alert, rule, slo},
    network::{partition, peer},
    transaction, validator, validator_set,
};
use serde_json::Value;

use super::{register, start};

#[tokio::test(flavor = "multi_thread")]
async fn requests_and_lags_are_counted_by_route_and_every_metric_is_described() {
    let (app, http) = start().await;
    register(&http, 1..3).await;
    http.get("/nowhere").await.expect(404);
    let text = http.get("/metrics").await.expect(200);
    let text = text.as_str().unwrap();
    for line in [
        "node0_http_requests_total{operation=\"batch\",method=\"POST\",route=\"/api/v1/batches\",status=\"200\"} 1",
        "node0_http_requests_total{operation=\"none\",method=\"any\",route=\"none\",status=\"404\"} 1",
        "node0_log_position 5",
        "node0_projection_lag_events{projection=\"validators\"} 0",
        "node0_http_request_duration_seconds_count{operation=\"batch\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "{line} is not in\n{text}");
    }
    let described: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("# HELP ")?.split(' ').next()).collect();
    for line in text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()) {
        let name = line.split(['{', ' ']).next().unwrap();
        let plain = ["_bucket", "_sum", "_count"]
            .iter()
            .find_map(|end| name.strip_suffix(end).filter(|_| name.contains("duration")))
            .unwrap_or(name);
        assert!(described.contains(&plain), "{name} is not described");
    }
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn health_version_and_documents_answer_without_the_internet() {
    let (app, http) = start().await;
    assert_eq!(http.get("/livez").await.expect(200)["live"], true);
    assert_eq!(http.get("/readyz").await.expect(200)["ready"], true);
    assert_eq!(http.get("/version").await.expect(200)["name"], "node0");
    let contract = http.get("/api/openapi.json").await.expect(200);
    assert_eq!(contract["openapi"], "3.1.0");
    let schema = http.get("/graphql/schema.graphql").await.expect(200);
    assert!(schema.as_str().unwrap().contains("type Query"));
    let page = http.get("/docs").await.expect(200);
    assert!(page.as_str().unwrap().contains("swagger-ui"));
    let script = http.get("/docs/swagger-initializer.js").await.expect(200);
    assert!(script.as_str().unwrap().contains("/api/openapi.json"));
    assert!(
        !page.as_str().unwrap().contains("https://"),
        "the page fetches nothing from elsewhere"
    );
    app.stop().await;
}

#[test]
fn the_contract_names_a_permission_and_every_status_for_each_operation() {
    let document = api::openapi::document();
    let mut commands = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (method, operation) in item.as_object().unwrap() {
            let name = format!("{method} {path}");
            let described = |tag: &&Value| {
                document["tags"].as_array().unwrap().iter().any(|known| known["name"] == **tag)
            };
            assert!(
                operation["tags"].as_array().unwrap().iter().all(|tag| described(&tag)),
                "{name}"
            );
            let responses = operation["responses"].as_object().unwrap();
            assert!(operation["operationId"].is_string(), "{name}");
            assert!(responses.keys().any(|status| status.starts_with(['2', '3'])), "{name}");
            // What one does about oneself needs no right but to be oneself.
            let own = path.starts_with("/api/v1/auth/");
            if path.starts_with("/api/v1/") && path != "/api/v1/batches" && !own {
                assert!(operation["x-permission"].is_string(), "{name}");
            }
            if responses.contains_key("412") {
                commands += 1;
                let body = &operation["requestBody"]["content"]["application/json"];
                assert!(body["schema"].is_object() && body["example"].is_object(), "{name}");
                let refused = &responses["422"]["content"]["application/problem+json"]["schema"];
                assert!(refused["allOf"][1]["properties"]["refusal"]["$ref"].is_string(), "{name}");
            }
        }
    }
    let known = [
        validator::Command::NAMES,
        validator_set::Command::NAMES,
        chain::Command::NAMES,
        transaction::Command::NAMES,
        block::Command::NAMES,
        consensus::Command::NAMES,
        role::Command::NAMES,
        flag::Command::NAMES,
        setting::Command::NAMES,
        rule::Command::NAMES,
        alert::Command::NAMES,
        slo::Command::NAMES,
        peer::Command::NAMES,
        partition::Command::NAMES,
    ];
    // Of a principal's commands those can be posted that others do to it.
    let posted = principal::Principal::commands().len();
    assert_eq!(commands, known.concat().len() + posted, "every command of every collection");
    let text = document.to_string();
    for reference in text.split("\"$ref\":\"#").skip(1) {
        let pointer = reference.split('"').next().unwrap();
        assert!(document.pointer(pointer).is_some(), "{pointer} leads nowhere");
    }
}
