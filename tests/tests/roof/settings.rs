//! Settings: proposed, approved by somebody else, in force everywhere at once, and rolled back.

use std::time::{Duration, Instant};

use commands::Role;
use reqwest::Method;
use serde_json::{Value, json};
use tests::{
    app::TestApp,
    http::{Answer, Http},
};

use super::{faults, problem, shown, start};

const LIMITS: &str = "/api/v1/settings/server.request_limits";

pub async fn propose(http: &Http, path: &str, value: Value) -> Answer {
    http.post(&format!("{path}/propose"), &json!({"reason": "as a test", "value": value})).await
}

/// Proposes as one and approves as another; the rollout process applies it.
pub async fn set(proposer: &Http, approver: &Http, path: &str, value: Value) {
    let proposed = propose(proposer, path, value).await.expect(200);
    let proposal = &proposed["events"][0]["data"]["proposal"];
    let approve = format!("{path}/approve");
    approver.post(&approve, &json!({"proposal": proposal})).await.expect(200);
}

/// Waits until a setting's version is in force in the read model.
async fn in_force(http: &Http, path: &str, version: u64) -> Value {
    shown(http, path, |seen| seen["in_force"] == version).await
}

/// How long it takes until a body of so many bytes is answered with this status.
async fn until(http: &Http, bytes: usize, status: u16) -> Duration {
    let started = Instant::now();
    let body = json!({"note": "x".repeat(bytes)});
    loop {
        if http.post("/api/v1/flags/server.one/kill", &body).await.status == status {
            return started.elapsed();
        }
        assert!(started.elapsed() < Duration::from_secs(10), "it never was {status}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_setting_is_in_force_in_another_server_within_a_second() {
    let (app, admin) = start().await;
    let other = TestApp::start_with(&[("database_url", &app.database.url())]).await;
    let elsewhere = other.http();
    let approver = admin.service("service-approver", Role::Admin).await;
    // Small enough as it was configured.
    assert_eq!(elsewhere.post("/api/v1/flags/server.one/kill", &big()).await.status, 422);
    set(&admin, &approver, LIMITS, json!({"body_bytes_max": 65_536})).await;
    let took = until(&elsewhere, 100_000, 413).await;
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    let seen = in_force(&admin, LIMITS, 1).await;
    assert_eq!(
        (&seen["value"], &seen["proposal"]),
        (&json!({"body_bytes_max": 65_536}), &Value::Null)
    );
    let back = json!({"reason": "too small", "version": 0});
    approver.post(&format!("{LIMITS}/rollback"), &back).await.expect(200);
    let took = until(&elsewhere, 100_000, 422).await;
    assert!(took < Duration::from_secs(1), "it took {took:?}");
    in_force(&admin, LIMITS, 2).await;
    let versions = admin.get(&format!("{LIMITS}/versions?first=1")).await;
    let versions = versions.expect(200);
    assert_eq!(
        (&versions["items"][0]["number"], &versions["items"][0]["restored"]),
        (&json!(2), &json!(0))
    );
    let next = versions["page"]["next"].as_str().unwrap();
    let rest = admin.get(&format!("{LIMITS}/versions?after={next}")).await.expect(200);
    assert_eq!(rest["items"].as_array().unwrap().len(), 1);
    assert_eq!(rest["items"][0]["reason"], "as a test");
    other.stop().await;
    app.stop().await;
}

fn big() -> Value {
    json!({"note": "x".repeat(100_000)})
}

#[tokio::test(flavor = "multi_thread")]
async fn a_proposal_is_judged_shown_as_a_difference_and_approved_by_somebody_else() {
    let (app, admin) = start().await;
    let operator = admin.service("service-north", Role::Operator).await;
    let rates = "/api/v1/settings/server.rate_limits";
    let wrong = propose(&operator, rates, json!({"queries": -1, "colour": "red"})).await;
    assert_eq!(wrong.status, 422);
    let refusal = &wrong.body["refusal"];
    assert_eq!((&refusal["code"], &refusal["count"]), (&json!("schema-violated"), &json!(2)));
    let secret = propose(&operator, rates, json!({"password": "hunter2"})).await;
    assert_eq!(secret.body["refusal"]["code"], "secret-refused");
    let unknown = propose(&operator, "/api/v1/settings/server.nothing", json!({})).await;
    assert_eq!(unknown.body["refusal"]["code"], "key-unknown");
    assert_eq!(admin.get("/api/v1/settings/server.nothing").await.status, 404);
    let proposed = propose(&operator, rates, json!({"queries": 600})).await.expect(200);
    let request = admin.request(Method::GET, rates);
    let request = request.header("min-position", proposed["position"].to_string());
    let seen = Http::send(request).await.unwrap().expect(200);
    assert_eq!(seen["changes"], json!([{"pointer": "", "to": {"queries": 600}}]));
    assert_eq!(seen["proposal"]["proposed_by"], "service-north");
    assert_eq!(seen["schema"]["properties"]["queries"]["minimum"], 0);
    let approve = format!("{rates}/approve");
    let refused = operator.post(&approve, &json!({"proposal": 1})).await;
    assert_eq!(problem(&refused), "not-permitted");
    // Whoever may approve may not approve what is their own.
    let reject = json!({"proposal": 1, "reason": "mine instead"});
    admin.post(&format!("{rates}/reject"), &reject).await.expect(200);
    propose(&admin, rates, json!({"queries": 700})).await.expect(200);
    let own = admin.post(&approve, &json!({"proposal": 2})).await;
    assert_eq!((own.status, &own.body["refusal"]["code"]), (422, &json!("own-proposal")));
    let keys = admin.get("/api/v1/settings?first=2").await.expect(200);
    let names: Vec<&str> =
        keys["items"].as_array().unwrap().iter().filter_map(|key| key["key"].as_str()).collect();
    assert_eq!(names, ["configuration.rollout", "monitoring.notifications"]);
    let odd = admin.get("/api/v1/settings?colour=red").await;
    assert_eq!(faults(&odd), ["colour"]);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_rollout_rolls_back_by_itself() {
    let app = TestApp::start_with(&[("monitor_ms", "200")]).await;
    let admin = app.http();
    let approver = admin.service("service-approver", Role::Admin).await;
    let latency = json!({
        "days": 30, "indicator": {"kind": "latency", "within_ms": 5}, "objective_bps": 9_000,
        "title": "requests are answered in time",
    });
    admin.post("/api/v1/slos/latency/define-slo", &latency).await.expect(200);
    let peers = "/api/v1/settings/network.peer_watch";
    set(&admin, &approver, peers, json!({"peer_stale_ms": 60_000})).await;
    in_force(&admin, peers, 1).await;
    // Since then most requests take long: passwords are compared slowly.
    let wrong = json!({"email": "nobody@example.org", "password": "not the right one at all"});
    let mut seen = Value::Null;
    for _ in 0..100 {
        for _ in 0..5 {
            admin.post("/api/v1/auth/login", &wrong).await;
        }
        seen = admin.get(peers).await.expect(200);
        if seen["in_force"] == 2 {
            break;
        }
    }
    assert_eq!((&seen["in_force"], &seen["value"]), (&json!(2), &Value::Null), "{seen:#}");
    let versions = admin.get(&format!("{peers}/versions")).await.expect(200);
    let last = &versions["items"][0];
    assert_eq!(last["by"], "process:configuration-rollout");
    let reason = last["reason"].as_str().unwrap();
    assert!(reason.contains("latency became urgent within 600 s"), "{reason}");
    let alert = admin.get("/api/v1/alerts/slo-latency").await.expect(200);
    assert_eq!((&alert["standing"], &alert["severity"]), (&json!("firing"), &json!("critical")));
    let runs = admin.get("/api/v1/processes/configuration-rollout/runs").await.expect(200);
    assert_eq!(runs["items"].as_array().unwrap().len(), 2, "{runs:#}");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn browsers_on_other_sites_may_ask_when_a_setting_says_so() {
    let (app, admin) = start().await;
    let approver = admin.service("service-approver", Role::Admin).await;
    let preflight = |origin: &str| {
        admin
            .request(Method::OPTIONS, "/api/v1/flags")
            .header("origin", origin)
            .header("access-control-request-method", "GET")
            .header("access-control-request-headers", "authorization")
    };
    let allowed = |answer: &Answer| answer.header("access-control-allow-origin").to_owned();
    let before = Http::send(preflight("https://a.example")).await.unwrap();
    assert_eq!(allowed(&before), "");
    let value = json!({"origins": ["https://a.example"]});
    set(&admin, &approver, "/api/v1/settings/server.cross_origin", value).await;
    in_force(&admin, "/api/v1/settings/server.cross_origin", 1).await;
    let mut after = before;
    for _ in 0..50 {
        after = Http::send(preflight("https://a.example")).await.unwrap();
        if !allowed(&after).is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!((after.status, allowed(&after).as_str()), (200, "https://a.example"));
    let other = Http::send(preflight("https://b.example")).await.unwrap();
    assert_eq!(allowed(&other), "");
    let asked = admin.request(Method::GET, "/api/v1/flags").header("origin", "https://a.example");
    let asked = Http::send(asked).await.unwrap();
    assert_eq!((asked.status, allowed(&asked).as_str()), (200, "https://a.example"));
    assert!(asked.header("access-control-expose-headers").contains("position"));
    app.stop().await;
}
