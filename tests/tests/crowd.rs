//! A crowd that follows the log: nobody misses an event or gets one twice, whoever sleeps is told,
//! and all go on where they were when the server has been killed.
//!
//! `make crowd` is the same code with 1,000 subscribers for a minute, and 1,000 events a second, or
//! 100 over GraphQL.

mod subscriber;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use tests::{
    app::SETUP_EVENTS,
    campaign::number,
    database::TestDatabase,
    log::Writer,
    node0::{self, Node0},
};
use tokio::task::JoinSet;

use self::subscriber::{Clock, Report, Way, sleeper};
use crate::roof::live::fill;

/// Events in a second, and the bytes each is filled with.
const EVENTS: (u64, usize) = (250, 100);
/// How often events are appended in a second.
const BATCHES: u64 = 50;
/// How long a client may take nothing, in milliseconds.
const STALLED_MS_MAX: u64 = 1_000;
/// How long the slowest may need after the last event.
const PATIENCE: Duration = Duration::from_secs(60);
/// GraphQL executes each subscriber's document for each event: so much less often they are told.
const SUBSCRIPTIONS_RATE_PART: u64 = 10;

/// Appends so many events a second for so long, and notes when each batch was there.
async fn write(writer: &Writer, clock: &Clock, rate: u64, seconds: u64) -> u64 {
    let batch = vec!["thing-happened.v1"; usize::try_from(rate / BATCHES).unwrap()];
    let mut ticks = tokio::time::interval(Duration::from_millis(1_000 / BATCHES));
    let mut last = 0;
    for n in 0..seconds * BATCHES {
        ticks.tick().await;
        last = writer.append("crowd-1", n * batch.len() as u64, &batch, EVENTS.1).await;
        clock.is_written(last);
    }
    last
}

async fn a_crowd(way: Way, subscribers: u64, rate: u64, seconds: u64) {
    let database = TestDatabase::create().await;
    let place = node0::free_place();
    let start = || {
        let mut command = node0::program();
        command.args(["--database-url", &database.url(), "--rate-queries-max", "0"]);
        command.args(["--stalled-ms-max", &STALLED_MS_MAX.to_string()]);
        Node0::set_up_at(&mut command, &place)
    };
    let server = start();
    let writer = Writer::open(&database.url()).await;
    let filled = fill(&writer, "load-1").await;
    assert_eq!(filled, SETUP_EVENTS + 160);

    let clock = Arc::new(Clock::after(filled, rate * seconds));
    let mut crowd = JoinSet::new();
    for _ in 0..subscribers {
        crowd.spawn(subscriber::listen(way, server.http(), clock.clone()));
    }
    let asleep = tokio::spawn(sleeper(place.clone(), STALLED_MS_MAX * 3 / 2));
    let never_awake = tokio::spawn(sleeper(place.clone(), STALLED_MS_MAX * 100));
    clock.all_are_there(subscribers).await;
    let begun = Instant::now();
    let (restarted, last) = tokio::join!(
        async {
            tokio::time::sleep(Duration::from_secs(seconds) / 2).await;
            assert_eq!(asleep.await.unwrap(), "too-slow");
            server.kill();
            start()
        },
        write(&writer, &clock, rate, seconds)
    );
    let written = begun.elapsed();
    clock.ends_at(last);
    let report = tokio::time::timeout(PATIENCE, crowd.join_all()).await.expect("all get all");
    let report = report.into_iter().fold(Report::default(), Report::and);
    println!(
        "{subscribers} subscribers ({way:?}), {} events in {:.1} s: {report}",
        last - filled,
        written.as_secs_f64()
    );
    assert_eq!(report.events, subscribers * (last - filled), "each got each");
    assert_eq!((report.lost, report.doubled), (0, 0));
    assert!(report.resumed >= subscribers, "all went on after the kill");
    never_awake.abort();
    writer.close().await;
    assert!(restarted.stop().success());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_streams_gets_every_event_once_though_the_server_is_killed() {
    let subscribers = number("NODE0_SUBSCRIBERS", 100);
    let (rate, seconds) = (number("NODE0_EVENTS_S", EVENTS.0), number("NODE0_SECONDS", 4));
    a_crowd(Way::Stream, subscribers, rate, seconds).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crowd_of_subscriptions_gets_every_event_once_though_the_server_is_killed() {
    let subscribers = number("NODE0_SUBSCRIBERS", 100);
    let (rate, seconds) = (number("NODE0_EVENTS_S", 500), number("NODE0_SECONDS", 4));
    a_crowd(Way::Subscription, subscribers, rate / SUBSCRIPTIONS_RATE_PART, seconds).await;
}
