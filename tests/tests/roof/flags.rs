//! Feature flags: created, rolled out to a part of all and to some by name, and killed.

use commands::Role;
use domain::{
    configuration::{Key, Subject, flag::bucket},
    values::Bps,
};
use serde_json::{Value, json};
use tests::{
    app::TestApp,
    http::{Answer, Http},
};

use super::{faults, graphql::ask, problem, send, start};

const FLAG: &str = "/api/v1/flags/server.new_dashboard";
/// For how many a flag is asked.
const SUBJECTS: usize = 1_000;

async fn command(http: &Http, name: &str, body: Value) -> Answer {
    http.post(&format!("{FLAG}/{name}"), &body).await
}

/// Whether the flag is on for somebody, once the read model reflects the log up to here.
async fn is_on(http: &Http, subject: &str, position: &Value) -> bool {
    let path = format!("{FLAG}/evaluation?subject={subject}");
    let request = http.request(reqwest::Method::GET, &path);
    let request = request.header("min-position", position.to_string());
    send(request).await.expect(200)["on"].as_bool().unwrap()
}

/// Subjects whose place is below so many basis points, and the others.
fn parted(bps: u16) -> (Vec<String>, Vec<String>) {
    let key: Key = "server.new_dashboard".parse().unwrap();
    let names = (0..SUBJECTS).map(|number| format!("principal-{number}"));
    names.partition(|name| bucket(&key, &name.parse::<Subject>().unwrap()) < bps)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flag_at_a_fifth_is_on_for_the_same_fifth_everywhere() {
    let (app, admin) = start().await;
    let operator = admin.service("service-north", Role::Operator).await;
    assert_eq!(admin.get(FLAG).await.status, 404);
    command(&operator, "create-flag", json!({"description": "the new dashboard"}))
        .await
        .expect(200);
    let rollout = json!({"bps": 2_000, "targets": ["principal-north"]});
    let refused = command(&operator, "set-rollout", rollout.clone()).await;
    assert_eq!(problem(&refused), "not-permitted");
    let changed = command(&admin, "set-rollout", rollout).await.expect(200);
    let position = &changed["position"];
    assert!(is_on(&admin, "principal-north", position).await, "it is named");
    let (on, off) = parted(2_000);
    // A fifth of them, give or take five times the spread.
    assert!((137..=263).contains(&on.len()), "{}", on.len());
    let other = TestApp::start_with(&[("database_url", &app.database.url())]).await;
    for http in [&admin, &other.http()] {
        for subject in on.iter().take(20) {
            assert!(is_on(http, subject, position).await, "{subject}");
        }
        for subject in off.iter().take(20) {
            assert!(!is_on(http, subject, position).await, "{subject}");
        }
    }
    let query = format!(
        "{{ flag(key: \"server.new_dashboard\", minPosition: {position}) {{ bps targets standing \
         version first: isOn(subject: \"{}\") last: isOn(subject: \"{}\") }} }}",
        on[0], off[0]
    );
    let seen = &ask(&admin, &query).await.expect(200)["data"]["flag"];
    assert_eq!(
        *seen,
        json!({
            "bps": 2_000, "targets": ["principal-north"], "standing": "ALIVE", "version": "2",
            "first": true, "last": false,
        })
    );
    // A greater rollout only adds.
    let more = json!({"bps": 5_000});
    let more = command(&admin, "set-rollout", more).await.expect(200);
    let (half, _) = parted(5_000);
    assert!(on.iter().all(|subject| half.contains(subject)) && half.len() > on.len());
    assert!(is_on(&admin, &half[0], &more["position"]).await);
    other.stop().await;
    app.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_flag_is_off_for_everybody_and_may_be_created_anew() {
    let (app, admin) = start().await;
    let create = json!({"description": "the new dashboard"});
    command(&admin, "create-flag", create.clone()).await.expect(200);
    let again = command(&admin, "create-flag", create.clone()).await;
    assert_eq!((again.status, &again.body["refusal"]["code"]), (422, &json!("flag-known")));
    let everybody = json!({"bps": Bps::WHOLE, "targets": ["principal-north"]});
    command(&admin, "set-rollout", everybody).await.expect(200);
    let killed = command(&admin, "kill", json!({"reason": "wrong figures"})).await.expect(200);
    assert!(!is_on(&admin, "principal-north", &killed["position"]).await);
    let seen = admin.get(FLAG).await;
    assert_eq!(seen.header("etag"), "\"3\"");
    assert_eq!(
        (&seen.body["standing"], &seen.body["bps"], &seen.body["reason"]),
        (&json!("killed"), &json!(0), &json!("wrong figures"))
    );
    let alive = admin.get("/api/v1/flags?standing=alive").await.expect(200);
    assert_eq!(alive["items"], json!([]));
    let made = command(&admin, "create-flag", create).await.expect(200);
    assert!(!is_on(&admin, "principal-north", &made["position"]).await, "it begins with nobody");
    let all = admin.get("/api/v1/flags").await.expect(200);
    assert_eq!(all["items"][0]["standing"], "alive");
    let nobody = admin.get(&format!("{FLAG}/evaluation")).await;
    assert_eq!(faults(&nobody), ["subject"]);
    let unknown = admin.get("/api/v1/flags?standing=asleep&colour=red").await;
    assert_eq!(faults(&unknown), ["colour", "standing"]);
    assert_eq!(admin.get("/api/v1/flags/Nothing").await.status, 400);
    app.stop().await;
}
