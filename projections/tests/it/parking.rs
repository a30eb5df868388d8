//! An event that cannot be applied stops its key and nothing else, until it is redriven.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use event_store::{NewEvent, StreamName};
use futures::future::{BoxFuture, FutureExt as _};
use projections::{
    PageRequest, Projection, activity, event::Chunk, projection::ApplyError, validators,
};
use sqlx::PgConnection;

use crate::{
    database::{Database, caught_up},
    fixture,
    history::History,
};

/// Validators that cannot take one validator's commissions, for a while; said by the database
/// itself.
struct Picky {
    refuses: AtomicBool,
    stream: String,
}

impl Projection for Picky {
    fn name(&self) -> &'static str {
        validators::Validators.name()
    }

    fn version(&self) -> i32 {
        1
    }

    fn follows(&self) -> &'static [&'static str] {
        validators::Validators.follows()
    }

    fn apply<'a>(
        &'a self,
        chunk: &'a Chunk<'a>,
        tx: &'a mut PgConnection,
    ) -> BoxFuture<'a, Result<(), ApplyError>> {
        async move {
            let refused = chunk.facts().any(|(event, fact)| {
                event.stream.as_str() == self.stream && fact.name() == "delegation-added.v1"
            });
            if refused && self.refuses.load(Ordering::SeqCst) {
                // Class 22: division by zero.
                sqlx::query("select 1 / 0").execute(&mut *tx).await?;
            }
            validators::Validators.apply(chunk, tx).await
        }
        .boxed()
    }

    fn reset<'a>(&'a self, tx: &'a mut PgConnection) -> BoxFuture<'a, Result<(), sqlx::Error>> {
        async move { validators::Validators.reset(tx).await }.boxed()
    }
}

async fn validator_rows(database: &Database) -> BTreeSet<String> {
    let rows = database.dump().await.into_iter();
    rows.filter(|row| row.starts_with("validators_v1")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_event_parks_its_key_and_a_redrive_catches_up() {
    let history = History::of(10, 500);
    let (database, head) = Database::filled(&history).await;
    let address = history.validators.keys().next().copied().unwrap();
    let stream = format!("validator-{address}");
    let picky = Arc::new(Picky { refuses: AtomicBool::new(true), stream: stream.clone() });
    let projections = database.start_these(vec![picky.clone()], 64);
    caught_up(&projections, head).await;
    let status = projections.status().await.remove(0);
    assert_eq!((status.parked, status.position), (1, head));
    assert!(status.last_error.unwrap().contains("division by zero"));
    let parked = projections.parked("validators").await.unwrap();
    assert_eq!(parked.len(), 1);
    assert_eq!(parked[0].key, stream);
    let first = history.facts().position(|(step, fact)| {
        step.stream.as_str() == stream && fact.name() == "delegation-added.v1"
    });
    assert_eq!(parked[0].position, first.unwrap() as u64 + 1);
    let row = validators::get(&database.pool, address).await.unwrap().unwrap();
    assert!(row.position < parked[0].position, "nothing after the refused event was applied");

    let again = projections.redrive("validators", &stream).await.unwrap();
    assert_eq!(again.parked_again.unwrap().0, parked[0].position);
    picky.refuses.store(false, Ordering::SeqCst);
    let redriven = projections.redrive("validators", &stream).await.unwrap();
    assert_eq!(redriven.parked_again, None);
    let waiting = history.facts().enumerate().filter(|(index, (step, _))| {
        step.stream.as_str() == stream && *index as u64 + 1 >= parked[0].position
    });
    assert_eq!(redriven.applied, waiting.count() as u64);
    assert_eq!(projections.status().await.remove(0).parked, 0);
    assert!(projections.redrive("validators", &stream).await.is_err(), "it is not parked any more");

    let found = validator_rows(&database).await;
    projections.rebuild("validators").await.unwrap();
    caught_up(&projections, head).await;
    projections.stop().await;
    assert_eq!(validator_rows(&database).await, found);
    database.drop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_cannot_be_read_parks_its_key_wherever_it_is_followed() {
    let mut history = History::empty(11);
    for who in [1, 2] {
        assert!(history.validator(who, History::register(who, 2_000_000)));
    }
    let broken = StreamName::of("validator", fixture::address(1)).unwrap();
    let nonsense = NewEvent::new("validator-activated.v1", &serde_json::json!({"what": "ever"}));
    history.push(broken.clone(), vec![nonsense.unwrap()], Vec::new());
    for who in [1, 2] {
        assert!(history.validator(who, domain::validator::Command::Activate {}));
    }
    let foreign = StreamName::of("weather", "here").unwrap();
    let rained = NewEvent::new("rain-fallen.v1", &serde_json::json!({"drops": "3"})).unwrap();
    history.push(foreign, vec![rained], Vec::new());
    let (database, head) = Database::filled(&history).await;
    let projections = database.start(2);
    caught_up(&projections, head).await;
    let standing = |row: validators::Validator| row.standing.as_str();
    for (who, expected) in [(1, "registered"), (2, "active")] {
        let row = validators::get(&database.pool, fixture::address(who)).await.unwrap().unwrap();
        assert_eq!(standing(row), expected);
    }
    for status in projections.status().await {
        let expected = match status.name.as_str() {
            "validators" | "delegations" | "slashing_history" | "reputation_history"
            | "activity" | "process_runs" => 1,
            _ => 0,
        };
        assert_eq!((status.parked, status.position), (expected, head), "{}", status.name);
    }
    let parked = projections.parked("activity").await.unwrap();
    assert_eq!((parked[0].key.as_str(), parked[0].position), (broken.as_str(), 3));
    assert!(parked[0].error.contains("validator-activated.v1"), "{}", parked[0].error);
    let (filter, page) = (activity::Filter::default(), PageRequest::default());
    let feed = activity::list(&database.pool, &filter, projections::Order::Oldest, &page);
    let seen: Vec<u64> = feed.await.unwrap().items.iter().map(|row| row.position).collect();
    assert_eq!(seen, [1, 2, 5], "the broken one and what follows it wait");
    let again = projections.redrive("activity", broken.as_str()).await.unwrap();
    assert_eq!((again.applied, again.parked_again.unwrap().0), (0, 3));
    projections.stop().await;
    database.drop().await;
}
