//! What-if: history decided once more. What the rules of this program would not have let happen is
//! named, by the rule; what they would is not.

use std::{process::Output, sync::Arc};

use chrono::Utc;
use commands::again::{Again, Verdict};
use event_store::{
    AppendRequest, CommandDigest, CommandId, EventStore, Metadata, NewEvent, StoreOptions,
};
use serde_json::{Value, json};
use tests::{
    database::TestDatabase,
    node0::{Node0, complaint, lines, program},
};
use uuid::Uuid;

/// Records facts as another program may have, of whatever rules.
async fn record(store: &EventStore, stream: &str, version: u64, facts: &[(&'static str, Value)]) {
    let request = AppendRequest {
        command: CommandId::fresh(),
        digest: CommandDigest(Uuid::nil()),
        stream: stream.parse().unwrap(),
        expected_version: version,
        events: facts.iter().map(|(name, data)| NewEvent::new(*name, data).unwrap()).collect(),
        metadata: Metadata {
            actor: Arc::from("another-program"),
            causation: None,
            correlation: Uuid::now_v7(),
            reason: None,
            at: Utc::now(),
        },
    };
    store.append(request).await.unwrap();
}

fn decide(database: &TestDatabase, more: &[&str]) -> Output {
    let mut command = program();
    command.args(["replay", "--decide"]).args(more).env("DATABASE_URL", database.url());
    command.output().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_rules_would_not_let_happen_is_named_with_the_rule() {
    let database = TestDatabase::create().await;
    let server = Node0::on_database(&database.url());
    let http = server.http();
    for flag in ["a", "b"] {
        let path = format!("/api/v1/flags/{flag}/create-flag");
        http.post(&path, &json!({ "description": "something" })).await.expect(200);
    }
    server.stop();
    let store = EventStore::open(StoreOptions::new(database.url())).await.unwrap();
    let same = decide(&database, &["--json"]);
    assert_eq!(same.status.code(), Some(0), "{}", complaint(&same));
    let told = lines(&same).remove(0);
    assert_eq!(
        (&told["same"], &told["differ"], &told["untold"]),
        (&json!(5), &json!(0), &json!({}))
    );

    // A flag that was never created, one whose targets are in no order, one that is as it was, and
    // what is nobody's.
    record(&store, "flag-never", 0, &[("flag-killed.v1", json!({ "reason": "it was late" }))])
        .await;
    let targets = json!({ "bps": 5, "targets": ["b", "a"] });
    record(&store, "flag-a", 1, &[("flag-changed.v1", targets)]).await;
    record(&store, "flag-b", 1, &[("flag-changed.v1", json!({ "bps": 0, "targets": [] }))]).await;
    record(&store, "weather-north", 0, &[("rain-fell.v1", json!({ "mm": 3 }))]).await;
    store.close().await;
    let other = decide(&database, &["--json"]);
    assert_eq!(other.status.code(), Some(1));
    assert_eq!(complaint(&other).trim_end(), "node0: 3 requests would be decided otherwise");
    let told = lines(&other);
    assert_eq!((&told[0]["position"], &told[0]["stream"]), (&json!(6), &json!("flag-never")));
    assert_eq!(told[0]["recorded"][0]["data"]["reason"], "it was late");
    let refused =
        json!({ "refused": { "code": "flag-unknown", "sentence": "there is no flag never" } });
    assert_eq!(told[0]["decided"], refused);
    assert_eq!(told[1]["decided"]["facts"][0]["data"]["targets"], json!(["a", "b"]));
    assert_eq!(told[2]["decided"], json!({ "facts": [] }));
    let summary = json!({ "requests": 9, "same": 5, "differ": 3, "untold": { "rain-fell.v1": 1 } });
    assert_eq!(told[3], summary);

    let read = decide(&database, &["--after", "6", "--until", "8"]);
    let said = String::from_utf8_lossy(&read.stdout).into_owned();
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        [
            "7: flag-a, then flag-changed.v1; now the same, but with another targets",
            "8: flag-b, then flag-changed.v1; now nothing",
            "2 requests: 0 are decided as they were, 2 otherwise",
        ]
    );
    let nothing = decide(&database, &["--after", "9"]);
    assert_eq!(nothing.status.code(), Some(1));
    assert!(complaint(&nothing).contains("there is nothing to decide after 9 up to 9"));
    let mut command = program();
    let without = command.arg("replay").env("DATABASE_URL", database.url()).output().unwrap();
    assert_eq!(without.status.code(), Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_of_many_events_is_decided_as_one_wherever_a_page_ends() {
    let database = TestDatabase::create().await;
    let store = EventStore::open(StoreOptions::new(database.url())).await.unwrap();
    // A thousand of nobody's, so that the next request lies across the end of what is read at once.
    let fill: Vec<_> = (0..999).map(|n| ("rain-fell.v1", json!({ "mm": n }))).collect();
    record(&store, "weather-north", 0, &fill).await;
    let two = [
        ("flag-created.v1", json!({ "description": "something" })),
        ("flag-killed.v1", json!({ "reason": "at once" })),
    ];
    record(&store, "flag-a", 0, &two).await;
    let mut again = Again::begin(store.clone(), 0, 1_001);
    assert_eq!(again.next().await.unwrap(), Some((999, Verdict::Untold("rain-fell.v1".into()))));
    let (last, verdict) = again.next().await.unwrap().unwrap();
    let Verdict::Differs(difference) = verdict else { panic!("{verdict:?}") };
    assert_eq!((last, difference.recorded.len()), (1_001, 2));
    assert_eq!(again.next().await.unwrap(), None);
    store.close().await;
}
