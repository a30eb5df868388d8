//! However a projection gets there, it gets to the same tables: chunks of any size, crashes at any
//! moment, cut connections, two at once, a rebuild.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use futures::future::{BoxFuture, FutureExt as _};
use projections::{Projection, ProjectionState, Projections, event::Chunk, projection::ApplyError};
use sqlx::PgConnection;
use tokio::time::sleep;

use crate::{
    database::{Database, caught_up, quick},
    history::History,
};

const COMMANDS: usize = 400;

/// A projection that fails after its effect and before the commit, so many times.
struct Failing {
    inner: Arc<dyn Projection>,
    failures_left: AtomicU32,
}

impl Failing {
    fn each(times: u32) -> Vec<Arc<dyn Projection>> {
        let all = projections::all().into_iter();
        let failing = all.map(|inner| -> Arc<dyn Projection> {
            Arc::new(Failing { inner, failures_left: AtomicU32::new(times) })
        });
        failing.collect()
    }
}

impl Projection for Failing {
    fn name(&self) -> &'static str {
        self.inner.name()
    }

    fn version(&self) -> i32 {
        self.inner.version()
    }

    fn follows(&self) -> &'static [&'static str] {
        self.inner.follows()
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        async move {
            self.inner.apply(chunk, tx).await?;
            let left = self.failures_left.load(Ordering::SeqCst);
            if left > 0 {
                self.failures_left.store(left - 1, Ordering::SeqCst);
                return Err(ApplyError::Database(sqlx::Error::WorkerCrashed));
            }
            Ok(())
        }
        .boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        self.inner.reset(tx)
    }
}

/// What undisturbed projections make of a history.
async fn undisturbed(history: &History) -> Vec<String> {
    let (database, head) = Database::filled(history).await;
    let projections = database.start(4_096);
    caught_up(&projections, head).await;
    projections.stop().await;
    let dump = database.dump().await;
    database.drop().await;
    assert!(dump.len() > COMMANDS);
    dump
}

/// Says only what differs.
async fn assert_same(database: &Database, expected: &[String]) {
    let found = database.dump().await;
    let extra: Vec<_> = found.iter().filter(|row| !expected.contains(row)).collect();
    let missing: Vec<_> = expected.iter().filter(|row| !found.contains(row)).collect();
    assert!(extra.is_empty() && missing.is_empty(), "found {extra:#?}, expected {missing:#?}");
    assert_eq!(found.len(), expected.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn chunks_of_any_size_give_the_same_tables() {
    let mut history = History::of(3, COMMANDS);
    let expected = undisturbed(&history).await;
    let (database, head) = Database::filled(&history).await;
    let sizes = [1, 7, 64].into_iter().chain((0..2).map(|_| history.pick(300) + 1));
    for size in sizes.collect::<Vec<_>>() {
        let projections = database.start(size);
        let names: Vec<_> = projections.names().collect();
        for name in &names {
            projections.rebuild(name).await.unwrap();
        }
        caught_up(&projections, head).await;
        projections.stop().await;
        assert_same(&database, &expected).await;
    }
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failure_between_effect_and_commit_doubles_nothing() {
    let history = History::of(4, COMMANDS);
    let expected = undisturbed(&history).await;
    let (database, head) = Database::filled(&history).await;
    let projections = database.start_these(Failing::each(3), 100);
    caught_up(&projections, head).await;
    let status = projections.status().await;
    assert!(status.iter().all(|s| s.last_error.is_some() && s.stalled_because.is_none()));
    projections.stop().await;
    assert_same(&database, &expected).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn being_killed_at_any_moment_loses_and_doubles_nothing() {
    let mut history = History::of(5, COMMANDS);
    let expected = undisturbed(&history).await;
    let (database, head) = Database::filled(&history).await;
    let (mut reached, mut life_ms) = (0, 60);
    while reached < head {
        let options = projections::ProjectionsOptions { shutdown_ms_max: 0, ..quick(5) };
        let (store, pool) = (database.store.clone(), database.pool.clone());
        let projections = Projections::start(store, pool, options);
        sleep(Duration::from_millis(20 + history.pick(life_ms))).await;
        projections.stop().await;
        let watching = watching(&database).await;
        let position = watching.status().await.iter().map(|status| status.position).min().unwrap();
        // On a busy machine a short life may end before anything was done.
        life_ms = if position == reached { life_ms * 2 } else { life_ms };
        reached = position;
    }
    assert_same(&database, &expected).await;
    database.drop().await;
}

/// What a process knows that runs no projection.
async fn watching(database: &Database) -> Projections {
    let options = projections::ProjectionsOptions { run: false, ..quick(100) };
    Projections::start(database.store.clone(), database.pool.clone(), options)
}

#[tokio::test(flavor = "multi_thread")]
async fn cut_connections_are_survived_without_help() {
    let history = History::of(6, COMMANDS);
    let expected = undisturbed(&history).await;
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(3);
    for _ in 0..10 {
        sleep(Duration::from_millis(30)).await;
        database
            .execute(
                "select pg_terminate_backend(pid) from pg_stat_activity
                  where datname = current_database() and pid <> pg_backend_pid()",
            )
            .await;
    }
    caught_up(&projections, head).await;
    projections.stop().await;
    assert_same(&database, &expected).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_runners_at_once_do_the_work_of_one() {
    let history = History::of(7, COMMANDS);
    let expected = undisturbed(&history).await;
    let database = Database::create().await;
    database.keep(&history.blobs).await;
    let another = database.another_store().await;
    let one = database.start(9);
    let two = Projections::start(another.clone(), database.pool.clone(), quick(9));
    let mut head = 0;
    for steps in history.steps.chunks(20) {
        head = database.append(steps).await;
    }
    caught_up(&one, head).await;
    caught_up(&two, head).await;
    one.stop().await;
    two.stop().await;
    another.close().await;
    assert_same(&database, &expected).await;
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rebuild_equals_what_it_replaces_while_events_come() {
    let history = History::of(8, COMMANDS);
    let expected = undisturbed(&history).await;
    let database = Database::create().await;
    database.keep(&history.blobs).await;
    let (before, after) = history.steps.split_at(COMMANDS / 2);
    let projections = database.start(50);
    let head = database.append(before).await;
    caught_up(&projections, head).await;
    let names: Vec<_> = projections.names().collect();
    for name in &names {
        projections.rebuild(name).await.unwrap();
    }
    let head = database.append(after).await;
    caught_up(&projections, head).await;
    projections.stop().await;
    assert_same(&database, &expected).await;
    assert!(projections.rebuild("nothing").await.is_err());
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn another_log_stops_a_projection_until_it_is_rebuilt() {
    let history = History::of(9, 60);
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(50);
    caught_up(&projections, head).await;
    projections.stop().await;
    database.execute("update head set incarnation = gen_random_uuid()").await;
    let store = database.another_store().await;
    let projections = Projections::start(store.clone(), database.pool.clone(), quick(50));
    let stopped = loop {
        let status = projections.status().await;
        if status.iter().all(|s| s.state == ProjectionState::Stopped) {
            break status;
        }
        sleep(Duration::from_millis(20)).await;
    };
    for status in &stopped {
        assert!(status.stalled_because.as_deref().unwrap().contains("rebuild it"), "{status:?}");
    }
    let names: Vec<_> = projections.names().collect();
    for name in &names {
        projections.rebuild(name).await.unwrap();
    }
    caught_up(&projections, head).await;
    let live = |s: &projections::ProjectionStatus| s.state != ProjectionState::Stopped;
    assert!(projections.status().await.iter().all(live));
    projections.stop().await;
    store.close().await;
    database.drop().await;
}
