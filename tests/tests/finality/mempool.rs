//! A full mempool: who still comes in, who has to go, and what that costs a block.

use commands::{CommandError, Commands};
use domain::{
    transaction::{Account, Command, Eviction, Refusal, Transaction},
    values::Nonce,
};
use serde_json::json;
use tests::{
    database::TestDatabase,
    network::{self, SENDERS, as_admin, as_validator, sender, submit, transfer},
};

use super::process;

/// Room for so many.
const ROOM_FOR: u64 = 3_000;

pub async fn offer(
    commands: &Commands,
    transaction: &Transaction,
) -> Result<(), CommandError<Refusal>> {
    let command = Command::Submit { transaction: transaction.clone() };
    let done = commands.execute::<Account>(transaction.sender(), command, as_validator());
    done.await.map(drop)
}

async fn evict(commands: &Commands, one: &Transaction) -> Result<(), CommandError<Refusal>> {
    let command = Command::Evict { hash: one.hash(), reason: Eviction::MempoolFull };
    commands.execute::<Account>(one.sender(), command, as_admin()).await.map(drop)
}

/// Longer than what is known of the mempool is taken from memory.
pub async fn a_moment() {
    tokio::time::sleep(std::time::Duration::from_millis(50)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_mempool_takes_only_who_pays_more_than_the_lowest_and_the_lowest_goes() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    let bounds = json!({ "mempool_txs_max": ROOM_FOR, "mempool_per_sender_max": ROOM_FOR / 2 });
    network::begin_with(&commands, bounds).await;
    let to = sender(1).address();
    // The fees rise with the nonces, so that each sender's first pays least.
    let sent: Vec<_> = (0..ROOM_FOR)
        .map(|nth| (nth % SENDERS + 1, nth / SENDERS))
        .map(|(n, nonce)| transfer(n, nonce, to, 1, 100 + u128::from(nonce)))
        .collect();
    let commands_of = |some: &[Transaction]| {
        let submit = |one: &Transaction| Command::Submit { transaction: one.clone() };
        some.iter().map(|one| (one.sender(), submit(one), as_validator())).collect()
    };
    for some in sent.chunks(1_000) {
        for answer in commands.execute_all::<Account>(commands_of(some)).await {
            answer.unwrap();
        }
    }
    a_moment().await;
    let waiting = network::next_block(&commands).await.waiting;
    assert_eq!((u64::from(waiting.transactions), waiting.full), (ROOM_FOR, true));
    let lowest = sent.iter().min_by_key(|one| one.fee_rate()).unwrap();
    assert_eq!(waiting.fee_per_byte_min, lowest.fee_rate());

    // Not for the fee that the lowest pays, with the numbers.
    let late = ROOM_FOR / SENDERS;
    let equal = transfer(1, late, to, 1, 100);
    let refused = offer(&commands, &equal).await.unwrap_err();
    let CommandError::Refused(Refusal::MempoolFull { fee_rate, fee_rate_min, transactions }) =
        refused
    else {
        panic!("{refused}")
    };
    assert_eq!((fee_rate, fee_rate_min), (equal.fee_rate(), lowest.fee_rate()));
    assert_eq!(u64::from(transactions), ROOM_FOR);
    // For more it is taken in; a replacement needs no room of its own.
    let better = transfer(1, late, to, 1, 9_000);
    offer(&commands, &better).await.unwrap();
    offer(&commands, &transfer(2, 5, to, 1, 2_000)).await.unwrap();
    a_moment().await;
    assert_eq!(u64::from(network::next_block(&commands).await.waiting.transactions), ROOM_FOR + 1);

    // The lowest may be made to go, and nobody else.
    let other = evict(&commands, &better).await.unwrap_err();
    assert!(matches!(other, CommandError::Refused(Refusal::FeeNotLowest { .. })), "{other}");
    evict(&commands, lowest).await.unwrap();
    a_moment().await;
    let next = network::next_block(&commands).await;
    assert_eq!((u64::from(next.waiting.transactions), next.waiting.full), (ROOM_FOR, true));
    assert!(next.waiting.fee_per_byte_min >= lowest.fee_rate());
    // Whoever's first has gone waits for it to come again; the block is of the others.
    let gone = lowest.sender();
    assert!(next.transactions.iter().all(|one| one.sender() != gone));
    assert_eq!(next.transactions.len() as u64, ROOM_FOR / SENDERS * (SENDERS - 1) + extra(gone));
    for pair in next.transactions.windows(2) {
        assert!(pair[0].sender() != pair[1].sender() || follows(&pair[0], &pair[1]));
    }
    // Another process that folds the same comes to the same.
    let other = network::next_block(&process(&database).await).await;
    assert_eq!((other.waiting, other.transactions), (next.waiting, next.transactions));
}

/// The better one is the first sender's.
fn extra(gone: domain::values::Address) -> u64 {
    u64::from(gone != sender(1).address())
}

fn follows(one: &Transaction, other: &Transaction) -> bool {
    let next: Nonce = one.envelope().nonce.next();
    other.envelope().nonce == next
}

#[tokio::test(flavor = "multi_thread")]
async fn what_has_gone_may_come_again_when_there_is_room() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    let bounds = json!({ "mempool_txs_max": 2, "mempool_per_sender_max": 2 });
    network::begin_with(&commands, bounds).await;
    let to = sender(1).address();
    let (poor, rich) = (transfer(1, 0, to, 1, 5), transfer(2, 0, to, 1, 50));
    submit(&commands, &poor).await;
    a_moment().await;
    let room = evict(&commands, &poor).await.unwrap_err();
    assert!(matches!(room, CommandError::Refused(Refusal::MempoolNotFull { .. })), "{room}");
    submit(&commands, &rich).await;
    a_moment().await;
    evict(&commands, &poor).await.unwrap();
    a_moment().await;
    submit(&commands, &poor).await;
    a_moment().await;
    let next = network::next_block(&commands).await;
    assert_eq!(next.transactions, [rich, poor]);
}
