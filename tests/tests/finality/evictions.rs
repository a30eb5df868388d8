//! What leaves the mempool without being executed, by itself, and why.
//!
//! Does not test who has to go: the domain's specifications do.

use commands::{CommandError, Commands, Reactions};
use domain::{
    block::Standing,
    transaction::{Event, Eviction, Refusal, Transaction, TransactionEvicted},
};
use serde_json::json;
use tests::{
    database::TestDatabase,
    network::{self, sender, submit, transfer},
};

use super::{
    PROCESSES, happened,
    mempool::{a_moment, offer},
    process,
};

/// What was evicted, in order, once there are so many.
async fn evicted(commands: &Commands, count: usize) -> Vec<TransactionEvicted> {
    for _ in 0..1_000 {
        let events = happened(commands, "transaction-evicted.v1").await;
        if events.len() >= count {
            let read = |stored: &event_store::StoredEvent| {
                let record = stored.parse().unwrap();
                let event = domain::aggregate::read(record.event_type, record.data.get()).unwrap();
                let Event::TransactionEvicted(data) = event else { panic!("{event:?}") };
                data
            };
            return events.iter().map(read).collect();
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{count} are not evicted");
}

async fn refusal(commands: &Commands, transaction: &Transaction) -> Refusal {
    let error = offer(commands, transaction).await.unwrap_err();
    let CommandError::Refused(refusal) = error else { panic!("{error:?}") };
    refusal
}

fn to_nobody(n: u64, nonce: u64, fee: u128) -> Transaction {
    transfer(n, nonce, sender(4).address(), 1, fee)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_waits_for_an_earlier_one_that_never_comes_is_evicted_when_its_time_is_over() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin_with(&commands, json!({"mempool_ttl_blocks": 2})).await;
    let running = Reactions::start(&commands, PROCESSES);
    network::started(&commands, 1).await;
    let behind_a_gap = to_nobody(1, 1, 5);
    submit(&commands, &behind_a_gap).await;
    network::one_height(&commands, 1).await;
    network::one_height(&commands, 2).await;
    let gone = evicted(&commands, 1).await;
    assert_eq!((gone[0].hash, gone[0].reason), (behind_a_gap.hash(), Eviction::Expired));
    // Its place is free: it may be sent again, and the gap may be closed.
    submit(&commands, &behind_a_gap).await;
    submit(&commands, &to_nobody(1, 0, 5)).await;
    network::one_height(&commands, 3).await;
    network::started(&commands, 4).await;
    running.stop().await;
    assert_eq!(super::balance(&commands, 1).await.1, 2);
    assert_eq!(evicted(&commands, 1).await.len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_replacement_that_came_too_late_is_evicted_even_when_its_sender_goes_on() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    network::started(&commands, 1).await;
    submit(&commands, &to_nobody(1, 0, 5)).await;
    let contents = network::make(&commands, 1, None).await;
    assert_eq!(network::record(&commands, &contents).await, Standing::Valid);
    let late = to_nobody(1, 0, 6);
    submit(&commands, &late).await;
    running.stop().await;
    // The block is applied, and its sender goes on, before anybody looks at the mempool.
    let only = [commands::Process::BlockFinality];
    let running = Reactions::start(&commands, &only);
    network::agree(&commands, 1, contents.id()).await;
    network::started(&commands, 2).await;
    running.stop().await;
    submit(&commands, &to_nobody(1, 1, 5)).await;
    for asked in [&commands, &process(&database).await] {
        let running = Reactions::start(asked, PROCESSES);
        let gone = evicted(asked, 1).await;
        running.stop().await;
        assert_eq!(gone.len(), 1);
        assert_eq!((gone[0].hash, gone[0].reason), (late.hash(), Eviction::NonceSuperseded));
    }
    assert_eq!(network::next_block(&commands).await.waiting.transactions, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mempool_lets_in_who_pays_more_and_the_lowest_goes_at_the_next_block() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin_with(&commands, json!({"mempool_per_sender_max": 2, "mempool_txs_max": 2}))
        .await;
    let running = Reactions::start(&commands, PROCESSES);
    network::started(&commands, 1).await;
    // Each waits for an earlier one: no block takes it away.
    let cheap = to_nobody(1, 1, 50);
    for one in [&cheap, &to_nobody(2, 1, 60)] {
        submit(&commands, one).await;
    }
    let (as_low, dear) = (to_nobody(3, 1, 50), to_nobody(3, 1, 70));
    a_moment().await;
    let refused = refusal(&commands, &as_low).await;
    assert!(matches!(refused, Refusal::MempoolFull { transactions: 2, .. }), "{refused:?}");
    submit(&commands, &dear).await;
    a_moment().await;
    let refused = refusal(&commands, &to_nobody(3, 2, 90)).await;
    let crowded = Refusal::MempoolCrowded { excess_max: 1, maximum: 2, transactions: 3 };
    assert_eq!(refused, crowded);
    network::one_height(&commands, 1).await;
    let gone = evicted(&commands, 1).await;
    assert_eq!((gone[0].hash, gone[0].reason), (cheap.hash(), Eviction::MempoolFull));
    a_moment().await;
    submit(&commands, &to_nobody(3, 2, 90)).await;
    running.stop().await;
}
