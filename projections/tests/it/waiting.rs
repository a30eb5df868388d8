//! Reading one's own writes: waiting for a position, within a process and across processes.

use std::time::{Duration, Instant};

use projections::{ProjectionState, Projections, ProjectionsOptions};
use tokio::time::sleep;

use crate::{
    database::{Database, caught_up, quick},
    history::History,
};

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_ends_as_soon_as_the_model_shows_the_position() {
    let history = History::of(12, 40);
    let database = Database::create().await;
    // So long between looks that only a wake-up can explain a quick answer.
    let options = ProjectionsOptions { poll_ms: 30_000, wait_poll_ms: 30_000, ..quick(100) };
    let (store, pool) = (database.store.clone(), database.pool.clone());
    let projections = Projections::start(store, pool, options);
    for step in &history.steps {
        let head = database.append(std::slice::from_ref(step)).await;
        let started = Instant::now();
        let reflected = projections.wait_for(&["validators", "chains"], head, 10_000).await;
        assert!(reflected.unwrap() >= head);
        assert!(started.elapsed() < Duration::from_secs(5));
        assert!(projections.position(&["validators", "chains"]) >= head);
    }
    projections.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_comes_while_others_are_applied_waits_for_nobody_to_look_again() {
    let history = History::of(16, 200);
    let database = Database::create().await;
    let options = ProjectionsOptions { poll_ms: 30_000, wait_poll_ms: 30_000, ..quick(100) };
    let (store, pool) = (database.store.clone(), database.pool.clone());
    let projections = Projections::start(store, pool, options);
    let names: Vec<&str> = projections.names().collect();
    database.keep(&history.blobs).await;
    // The first of two is waited for by one model alone: the others are still at it when the
    // second comes.
    for steps in history.steps.chunks(2) {
        let first = database.append(&steps[..1]).await;
        projections.wait_for(&["activity"], first, 10_000).await.unwrap();
        let head = database.append(&steps[1..]).await;
        projections.wait_for(&names, head.max(first), 10_000).await.unwrap();
    }
    projections.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_process_sees_the_position_in_the_checkpoint() {
    let history = History::of(13, 40);
    let (database, head) = Database::filled(&history).await;
    let another = database.another_store().await;
    let options = ProjectionsOptions { run: false, ..quick(100) };
    let watching = Projections::start(another.clone(), database.pool.clone(), options);
    let status = watching.status().await;
    assert!(status.iter().all(|s| s.state == ProjectionState::Elsewhere && s.lag_events == head));
    let running = database.start(100);
    assert_eq!(watching.wait_for(&["activity"], head, 20_000).await, Ok(head));
    caught_up(&running, head).await;
    let status = watching.status().await;
    assert!(status.iter().all(|s| s.position == head && s.lag_events == 0 && s.lag_seconds == 0));
    // Emptied by somebody else: it must not be taken for granted.
    running.stop().await;
    running.rebuild("activity").await.unwrap();
    let behind = watching.wait_for(&["activity"], head, 100).await.unwrap_err();
    assert_eq!((behind.reflected, behind.lag), (0, head));
    another.close().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wait_in_vain_says_how_far_behind_the_model_is() {
    let history = History::of(14, 40);
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(100);
    caught_up(&projections, head).await;
    let started = Instant::now();
    let behind = projections.wait_for(&["chains", "headers"], head + 5, 200).await.unwrap_err();
    assert!(started.elapsed() >= Duration::from_millis(200));
    assert_eq!((behind.name.as_str(), behind.reflected, behind.lag), ("chains", head, 5));
    let unknown = projections.wait_for(&["nothing"], 1, 200).await.unwrap_err();
    assert_eq!((unknown.name.as_str(), unknown.lag), ("nothing", 1));
    projections.stop().await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_status_tells_of_an_outage_and_of_the_recovery() {
    let history = History::of(15, 120);
    let (database, head) = Database::filled(&history).await;
    database.execute("alter table validators_v1.validators rename to hidden").await;
    let projections = database.start(100);
    let stalled = loop {
        let status = projections.status().await;
        let found = status.into_iter().find(|s| s.name == "validators").unwrap();
        if found.state == ProjectionState::Stalled {
            break found;
        }
        sleep(Duration::from_millis(10)).await;
    };
    assert!(stalled.stalled_because.unwrap().contains("validators_v1.validators"));
    assert_eq!((stalled.position, stalled.lag_events, stalled.parked), (0, head, 0));
    assert!(stalled.lag_seconds > 0, "the oldest event is of another day");
    assert_eq!(projections.wait_for(&["chains"], head, 20_000).await, Ok(head));
    database.execute("alter table validators_v1.hidden rename to validators").await;
    caught_up(&projections, head).await;
    let status = projections.status().await;
    let found = status.into_iter().find(|s| s.name == "validators").unwrap();
    assert_eq!((found.stalled_because, found.lag_events), (None, 0));
    projections.stop().await;
    database.drop().await;
}
