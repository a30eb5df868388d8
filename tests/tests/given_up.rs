//! Who gives up half-way spoils nothing for those who come after.
//!
//! Knows the log as its users do; does not know how a read is made.

use std::time::Duration;

use event_store::{EventStore, Filter, StoreOptions};
use tests::{database::TestDatabase, log::Writer};

/// Positions of the log that is read.
const EVENTS: u64 = 1_500;
/// Bytes of each: what a read brings does not fit a socket's buffers.
const EVENT_BYTES: usize = 4_000;
/// Reads that are given up, each a little later than the one before.
const GIVEN_UP: u64 = 60;

#[tokio::test(flavor = "multi_thread")]
async fn a_read_that_is_given_up_half_way_changes_no_later_answer() {
    let database = TestDatabase::create().await;
    let writer = Writer::open(&database.url()).await;
    for version in 0..EVENTS / 10 {
        writer.append("filling-1", version * 10, &["filled.v1"; 10], EVENT_BYTES).await;
    }
    let mut options = StoreOptions::new(database.url());
    // The next reader gets the very connection that was given up.
    options.read_connections_max = 1;
    let store = EventStore::open(options).await.unwrap();
    let limit = usize::try_from(EVENTS).unwrap();
    let mut given_up = 0;
    for number in 0..GIVEN_UP {
        let whole = Filter::all();
        let read = store.read_all(0, &whole, limit);
        let patience = Duration::from_micros(500 + number * 250);
        given_up += u64::from(tokio::time::timeout(patience, read).await.is_err());
        let after = number * 20;
        let page = store.read_all(after, &Filter::all(), 10).await.unwrap();
        let positions: Vec<u64> = page.events.iter().map(|event| event.position).collect();
        assert_eq!(positions, Vec::from_iter(after + 1..=after + 10), "read {number}");
        assert_eq!(page.scanned_to, after + 10);
        assert_eq!(store.head().await.unwrap().position, EVENTS);
    }
    assert!(given_up > GIVEN_UP / 10, "only {given_up} reads were given up");
    store.close().await;
    writer.close().await;
}
