//! The continuous audit of the log: whatever is changed in the database or in what is published is
//! found when history is read again; and history is read again whoever dies.

use std::{fs, time::Duration};

use serde_json::Value;
use tests::{
    http::Http,
    node0::{Node0, program},
    own_cluster::OwnCluster,
};

use super::{
    grow, grow_sealed, published,
    restored::{change, tables},
};

/// How long an audit may take on a machine that has other things to do.
const PATIENCE: Duration = Duration::from_secs(60);

/// A server that compares every second, after these settings.
pub fn audited(own: &OwnCluster, settings: &[(&str, &str)]) -> Node0 {
    let mut command = program();
    command.arg("--data").arg(own.folder()).env("NODE0_AUDIT_INTERVAL_S", "1");
    Node0::serve(command.envs(settings.iter().copied()))
}

/// Waits until the audit is like that.
async fn until(http: &Http, is: impl Fn(&Value) -> bool) -> Value {
    let deadline = std::time::Instant::now() + PATIENCE;
    loop {
        let audit = http.get("/api/v1/audit").await.expect(200);
        if is(&audit) {
            return audit;
        }
        assert!(std::time::Instant::now() < deadline, "{audit:#}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

fn number(audit: &Value, name: &str) -> u64 {
    audit[name].as_str().unwrap().parse().unwrap()
}

/// What is found first.
pub async fn found(http: &Http) -> Value {
    until(http, |audit| audit["differences"][0].is_object()).await["differences"][0].clone()
}

pub async fn well(http: &Http, least: u64) -> Value {
    until(http, |audit| {
        let is_there = ["log_size", "position"].iter().all(|one| number(audit, one) >= least);
        is_there && audit["differences"].as_array().unwrap().is_empty()
    })
    .await
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_is_changed_in_what_is_published_is_found() {
    let own = OwnCluster::initialised();
    let server = audited(&own, &[("NODE0_AUDIT_ANEW_S", "1")]);
    let http = server.http();
    let (last, _) = grow_sealed(&http, 0, 300).await;
    well(&http, last).await;
    let folder = published(&own);
    for (path, wrong) in [
        ("tile/entries/000", "event 1 in the database is not the one that is published"),
        ("tile/0/000", "hash 0 of tile/0/000 is not that of the events in the database"),
    ] {
        let place = folder.join(path);
        let whole = fs::read(&place).unwrap();
        let mut changed = whole.clone();
        changed[20] ^= 1;
        fs::write(&place, changed).unwrap();
        let difference = found(&http).await;
        let sentence = difference["sentence"].as_str().unwrap();
        assert!(sentence.starts_with(wrong), "{sentence}");
        fs::remove_file(&place).unwrap();
        let missing = format!("{path} is missing");
        until(&http, |audit| audit["differences"][0]["sentence"] == missing.as_str()).await;
        fs::write(&place, whole).unwrap();
        well(&http, last).await;
    }
    server.stop();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_is_changed_or_gone_is_found() {
    let own = OwnCluster::initialised();
    let server = audited(&own, &[("NODE0_AUDIT_ANEW_S", "1")]);
    let http = server.http();
    let (last, _) = grow_sealed(&http, 0, 20).await;
    well(&http, last).await;
    change(&own, 9).await;
    let difference = found(&http).await;
    assert_eq!(difference["position"], "9", "{difference:#}");
    let pool = tables(&own).await;
    let gone = "alter table events disable trigger all;
                delete from events where position = 7;
                alter table events enable trigger all;";
    sqlx::raw_sql(gone).execute(&pool).await.unwrap();
    until(&http, |audit| {
        let first = &audit["differences"][0];
        first["sentence"] == "event 7 is published, and is not in the database"
    })
    .await;
    pool.close().await;
    server.kill();
}

#[tokio::test(flavor = "multi_thread")]
async fn history_is_read_on_where_it_was_read_to_whoever_is_killed() {
    let own = OwnCluster::initialised();
    let slow = [("NODE0_AUDIT_EVENTS_PER_S", "20")];
    let server = audited(&own, &slow);
    let http = server.http();
    let last = grow(&http, 0, 100).await;
    let begun = until(&http, |audit| number(audit, "position") > 20).await;
    server.kill();
    let server = audited(&own, &slow);
    let audit = until(&server.http(), |audit| audit["compared_at"].is_string()).await;
    assert_eq!(audit["begun_at"], begun["begun_at"]);
    server.stop();
    let server = audited(&own, &[]);
    let audit = well(&server.http(), last).await;
    assert_eq!((&audit["begun_at"], &audit["error"]), (&begun["begun_at"], &Value::Null));
    server.stop();
}
