//! Rules, alerts and objectives: measured, raised, looked after, told of, and over.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, body::Bytes, extract::State, http::HeaderMap, http::StatusCode, routing::post};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use commands::Role;
use ed25519_dalek::{Signature, VerifyingKey};
use serde_json::{Value, json};
use tests::{app::TestApp, http::Http, node0::TOKEN, prometheus::Prometheus, socket::Socket};

use super::{faults, problem, shown, start};

/// Waits until an alert is this.
async fn until(http: &Http, alert: &str, standing: &str) -> Value {
    shown(http, &format!("/api/v1/alerts/{alert}"), |seen| seen["standing"] == standing).await
}

fn rule(signal: &str, comparison: &str, threshold: &str) -> Value {
    json!({
        "comparison": comparison, "for_s": 0, "severity": "warning", "signal": signal,
        "threshold": threshold, "title": "as a test",
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_raises_its_alert_while_it_is_in_use_and_its_measure_is_bad() {
    let app = TestApp::start_with(&[("monitor_ms", "100")]).await;
    let admin = app.http();
    let operator = admin.service("service-north", Role::Operator).await;
    let path = "/api/v1/alert-rules/stuck";
    // No process is stuck: fewer than one are.
    let stuck = rule("stuck-processes", "below", "1");
    operator.post(&format!("{path}/define-rule"), &stuck).await.expect(200);
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert_eq!(admin.get("/api/v1/alerts/stuck").await.status, 404, "a draft raises nothing");
    operator.post(&format!("{path}/enable-rule"), &json!({})).await.expect(200);
    let seen = until(&admin, "stuck", "firing").await;
    assert_eq!(seen["source"], json!({"kind": "rule", "rule": "stuck"}));
    assert!(seen["summary"].as_str().unwrap().starts_with("as a test: "), "{seen:#}");
    let note = json!({"note": "looking into it"});
    operator.post("/api/v1/alerts/stuck/acknowledge", &note).await.expect(200);
    let seen = until(&admin, "stuck", "acknowledged").await;
    assert_eq!(seen["acknowledged_by"], "service-north");
    let reason = json!({"reason": "replaced"});
    operator.post(&format!("{path}/disable-rule"), &reason).await.expect(200);
    let seen = until(&admin, "stuck", "resolved").await;
    assert_eq!(seen["resolution"], "its rule is not in use any more");
    operator.post(&format!("{path}/enable-rule"), &json!({})).await.expect(200);
    let seen = until(&admin, "stuck", "firing").await;
    assert_eq!(seen["occurrence"], 2);
    let open = admin.get("/api/v1/alerts?standing=firing&severity=warning").await.expect(200);
    assert_eq!(open["items"].as_array().unwrap().len(), 1);
    let odd = admin.get("/api/v1/alerts?standing=asleep&severity=mild").await;
    assert_eq!(faults(&odd), ["severity", "standing"]);
    let viewer = admin.service("service-viewer", Role::Viewer).await;
    let refused = viewer.post("/api/v1/alerts/stuck/acknowledge", &json!({})).await;
    assert_eq!(problem(&refused), "not-permitted");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rule_that_is_quiet_leaves_the_alert_of_another_alone() {
    let app = TestApp::start_with(&[("monitor_ms", "100")]).await;
    let admin = app.http();
    let fire = json!({"severity": "info", "source": {"kind": "program"}, "summary": "a test"});
    admin.post("/api/v1/alerts/stuck/fire", &fire).await.expect(200);
    let quiet = rule("stuck-processes", "above", "0");
    admin.post("/api/v1/alert-rules/stuck/define-rule", &quiet).await.expect(200);
    admin.post("/api/v1/alert-rules/stuck/enable-rule", &json!({})).await.expect(200);
    tokio::time::sleep(Duration::from_millis(700)).await;
    assert_eq!(until(&admin, "stuck", "firing").await["version"], "1");
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_everybody_wants_is_defined_once_and_whoever_changes_it_is_not_contradicted() {
    let settings = [("monitor_ms", "100"), ("default_rules", "true")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.http();
    let mut rules = Value::Null;
    for _ in 0..100 {
        rules = admin.get("/api/v1/alert-rules?standing=enabled").await.expect(200);
        let slos = admin.get("/api/v1/slos").await.expect(200);
        if rules["items"].as_array().unwrap().len() == 9
            && slos["items"].as_array().unwrap().len() == 4
        {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(rules["items"].as_array().unwrap().len(), 9, "{rules:#}");
    let disk = "/api/v1/alert-rules/disk-used";
    admin.post(&format!("{disk}/disable-rule"), &json!({"reason": "ours"})).await.expect(200);
    let TestApp { server, database } = app;
    server.stop().await.unwrap();
    let app = TestApp::start_on(database, &settings).await;
    let admin = app.http();
    tokio::time::sleep(Duration::from_millis(600)).await;
    let seen = admin.get(disk).await.expect(200);
    assert_eq!((&seen["standing"], &seen["version"]), (&json!("disabled"), &json!("3")));
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alertmanagers_alerts_are_taken_and_are_over_when_it_says_so() {
    let (app, admin) = start().await;
    let message = |status: &str| {
        json!({
            "version": "4", "status": status, "receiver": "node0",
            "alerts": [{
                "status": status, "fingerprint": "1a30ba71cca2921f",
                "labels": {"alertname": "HighLatency", "severity": "critical"},
                "annotations": {"summary": format!("slow\n{}", "x".repeat(500))},
                "startsAt": "2026-01-31T09:00:00Z",
            }],
        })
    };
    let path = "/api/v1/alertmanager";
    let early = admin.post(path, &message("resolved")).await.expect(200);
    assert_eq!(early, json!({"taken": 0, "unknown": 1}));
    let taken = admin.post(path, &message("firing")).await.expect(200);
    assert_eq!(taken, json!({"taken": 1, "unknown": 0}));
    let seen = until(&admin, "1a30ba71cca2921f", "firing").await;
    assert_eq!(seen["severity"], "critical");
    let summary = seen["summary"].as_str().unwrap();
    assert!(summary.starts_with("slow x") && summary.len() < 500, "{summary}");
    admin.post(path, &message("firing")).await.expect(200);
    let again = admin.get("/api/v1/alerts/1a30ba71cca2921f").await.expect(200);
    assert_eq!(again["version"], "1", "the same again is nothing new");
    admin.post(path, &message("resolved")).await.expect(200);
    until(&admin, "1a30ba71cca2921f", "resolved").await;
    // A summary of which nothing can be seen is no reason to lose an alert.
    let mut blank = message("firing");
    blank["alerts"][0]["annotations"]["summary"] = json!("\u{1}\n ");
    admin.post(path, &blank).await.expect(200);
    assert_eq!(until(&admin, "1a30ba71cca2921f", "firing").await["summary"], "?");
    let wrong = admin.post(path, &json!({"alerts": [{"status": "asleep"}]})).await;
    assert_eq!(problem(&wrong), "invalid-body");
    let viewer = admin.service("service-viewer", Role::Viewer).await;
    assert_eq!(problem(&viewer.post(path, &message("firing")).await), "not-permitted");
    app.stop().await;
}

/// What somebody who is told of alerts got.
#[derive(Clone, Default)]
pub struct Told(Arc<Mutex<Vec<(HeaderMap, Bytes)>>>);

impl Told {
    /// Listens; the first request of all is answered 500.
    pub async fn listen() -> (Told, String) {
        let told = Told::default();
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let router = Router::new().route("/hook", post(take)).with_state(told.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        (told, format!("http://{address}/hook"))
    }

    /// Waits for the n-th request.
    pub async fn nth(&self, n: usize) -> (HeaderMap, Bytes) {
        for _ in 0..400 {
            if let Some(found) = self.0.lock().unwrap().get(n) {
                return found.clone();
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        panic!("nobody was told a {n}th time");
    }
}

async fn take(State(told): State<Told>, headers: HeaderMap, body: Bytes) -> StatusCode {
    let mut told = told.0.lock().unwrap();
    told.push((headers, body));
    if told.len() == 1 { StatusCode::INTERNAL_SERVER_ERROR } else { StatusCode::OK }
}

/// Sets whom notices go to, and waits until every part of this server knows.
pub async fn tell(http: &Http, url: &str) {
    tell_all(http, json!({"webhooks": [{"severity": "warning", "url": url}]})).await;
}

/// The same for whoever a value of the setting names.
pub async fn tell_all(http: &Http, value: Value) {
    let approver = http.service("service-teller", Role::Admin).await;
    let path = "/api/v1/settings/monitoring.notifications";
    let body = json!({"reason": "told", "value": value});
    http.post(&format!("{path}/propose"), &body).await.expect(200);
    approver.post(&format!("{path}/approve"), &json!({"proposal": 1})).await.expect(200);
    shown(http, path, |seen| seen["in_force"] == 1).await;
    tokio::time::sleep(Duration::from_millis(500)).await;
}

/// The notice of a request, when its signature is that of the service.
pub async fn verified(http: &Http, (headers, body): (HeaderMap, Bytes)) -> Value {
    let key = http.get("/.well-known/notice-key.json").await.expect(200);
    let key = key["public_key"].as_str().unwrap().strip_prefix("whpk_").unwrap();
    let key: [u8; 32] = STANDARD.decode(key).unwrap().try_into().unwrap();
    let key = VerifyingKey::from_bytes(&key).unwrap();
    let header = |name: &str| headers[name].to_str().unwrap().to_owned();
    let signature = header("webhook-signature");
    let signature = STANDARD.decode(signature.strip_prefix("v1a,").unwrap()).unwrap();
    let signed = [
        format!("{}.{}.", header("webhook-id"), header("webhook-timestamp")).as_bytes(),
        &body[..],
    ]
    .concat();
    key.verify_strict(&signed, &Signature::from_slice(&signature).unwrap()).unwrap();
    serde_json::from_slice(&body).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_asked_is_told_signed_and_again_when_it_was_not_taken() {
    let settings = [("monitor_ms", "100"), ("private_webhooks", "true")];
    let app = TestApp::start_with(&settings).await;
    let admin = app.http();
    let (told, url) = Told::listen().await;
    tell(&admin, &url).await;
    let fire = |severity: &str| json!({"severity": severity, "source": {"kind": "program"}, "summary": "as a test"});
    admin.post("/api/v1/alerts/mild/fire", &fire("info")).await.expect(200);
    admin.post("/api/v1/alerts/bad/fire", &fire("critical")).await.expect(200);
    let (first, body) = told.nth(0).await;
    let (again, same) = told.nth(1).await;
    assert_eq!((&first["webhook-id"], &body), (&again["webhook-id"], &same), "it was not taken");
    let notice = verified(&admin, (again, same)).await;
    assert_eq!((&notice["type"], &notice["data"]["alert"]), (&json!("alert.fired"), &json!("bad")));
    let until = chrono::Utc::now() + chrono::Duration::hours(1);
    let silence = json!({"reason": "known", "until": until.to_rfc3339()});
    admin.post("/api/v1/alerts/quiet/fire", &fire("info")).await.expect(200);
    admin.post("/api/v1/alerts/quiet/silence", &silence).await.expect(200);
    admin.post("/api/v1/alerts/quiet/fire", &fire("critical")).await.expect(200);
    admin.post("/api/v1/alerts/bad/resolve", &json!({})).await.expect(200);
    let notice = verified(&admin, told.nth(2).await).await;
    assert_eq!(
        (&notice["type"], &notice["data"]["alert"]),
        (&json!("alert.resolved"), &json!("bad"))
    );
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_makes_the_server_speak_to_what_only_it_can_reach() {
    let app = TestApp::start_with(&[("monitor_ms", "100")]).await;
    let admin = app.http();
    let (told, url) = Told::listen().await;
    tell(&admin, &url).await;
    let fire = json!({"severity": "critical", "source": {"kind": "program"}, "summary": "a test"});
    admin.post("/api/v1/alerts/bad/fire", &fire).await.expect(200);
    tokio::time::sleep(Duration::from_secs(2)).await;
    assert!(told.0.lock().unwrap().is_empty());
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alert_travels_from_prometheus_to_whoever_is_told() {
    let settings = [("monitor_ms", "100"), ("private_webhooks", "true")];
    let app = TestApp::start_with(&settings).await;
    let (admin, address) = (app.http(), app.server.address().to_string());
    let (told, url) = Told::listen().await;
    tell(&admin, &url).await;
    let mut socket = Socket::ready(&address, Some(TOKEN)).await;
    let query = "subscription { events(types: [\"alert-fired.v1\"], after: 0) { type stream } }";
    socket.subscribe("alerts", query, json!({})).await;
    let prometheus = Prometheus::over(&address, TOKEN, "LogIsNotEmpty", "node0_log_position > 0");
    let heard = socket.message().await;
    let event = &heard["payload"]["data"]["events"];
    assert_eq!(event["type"], "alert-fired.v1", "{heard:#}");
    let stream = event["stream"].as_str().unwrap();
    let alert = stream.strip_prefix("alert-").unwrap();
    let seen = until(&admin, alert, "firing").await;
    assert_eq!(
        (&seen["severity"], &seen["source"]),
        (&json!("critical"), &json!({"kind": "alertmanager"}))
    );
    assert!(seen["summary"].as_str().unwrap().starts_with("the log has "), "{seen:#}");
    // The first time it was not taken.
    let notice = verified(&admin, told.nth(1).await).await;
    assert_eq!((&notice["type"], &notice["data"]["alert"]), (&json!("alert.fired"), &json!(alert)));
    drop(prometheus);
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_an_id_or_a_key_is_found_by_whoever_may_see_it() {
    let (app, admin) = start().await;
    let viewer = admin.service("service-viewer", Role::Viewer).await;
    let rule = rule("stuck-processes", "above", "0");
    admin.post("/api/v1/alert-rules/busy/define-rule", &rule).await.expect(200);
    admin.post("/api/v1/alert-rules/busy/enable-rule", &json!({})).await.expect(200);
    let fired = json!({
        "severity": "warning", "source": {"kind": "rule", "rule": "busy"}, "summary": "as a test",
    });
    admin.post("/api/v1/alerts/busy/fire", &fired).await.expect(200);
    let flag = json!({"description": "as a test"});
    admin.post("/api/v1/flags/server.busy/create-flag", &flag).await.expect(200);
    let all: [&[&str]; 4] = [&["rule", "alert"], &["flag"], &["setting"], &["principal"]];
    let seen = [all[0], all[1], all[2], &[]];
    for (http, kinds) in [(&admin, all), (&viewer, seen)] {
        let texts = ["busy", "server.busy", "network.peer_watch", "service-viewer"];
        for (text, kinds) in texts.iter().zip(kinds) {
            let path = format!("/api/v1/search?q={text}");
            let count = |found: &Value| found["items"].as_array().unwrap().len();
            let found = shown(http, &path, |found| count(found) == kinds.len()).await;
            let found = found["items"].as_array().unwrap();
            let is: Vec<&str> = found.iter().map(|item| item["kind"].as_str().unwrap()).collect();
            assert_eq!(is, kinds, "{text}");
            for item in found {
                http.get(item["path"].as_str().unwrap()).await.expect(200);
            }
        }
    }
    app.stop().await;
}
