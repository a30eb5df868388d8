//! Snapshots of our own chain's state: a process that goes on from one is like any other, whatever
//! became of the others, and what is pruned is never missed.

use std::time::{Duration, Instant};

use commands::{CommandError, Commands, Outcome, Reactions, RequestContext};
use domain::{
    chain::{Chain, Command, Refusal},
    transaction,
    validator::{self, Validator},
    validator_set::{self, ValidatorSet},
    values::{Epoch, Height},
};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, PgPool};
use tests::{
    campaign,
    database::TestDatabase,
    network::{
        self, EPOCH_BLOCKS, as_admin, as_validator, chain, height, sender, submit, transfer,
    },
};

use super::{PROCESSES, process};

/// Heights, each with two transfers.
async fn heights(commands: &Commands, numbers: std::ops::RangeInclusive<u64>) {
    for number in numbers {
        network::started(commands, number).await;
        let nonce = number - 1;
        submit(commands, &transfer(1, nonce, sender(2).address(), 100, 5)).await;
        submit(commands, &transfer(2, nonce, sender(3).address(), 10, 7)).await;
        network::one_height(commands, number).await;
        network::started(commands, number + 1).await;
    }
}

type Answer = Result<Outcome, CommandError<Refusal>>;

async fn create(commands: &Commands, number: u64, context: RequestContext) -> Answer {
    commands.create_snapshot(&chain(), height(number), context).await
}

/// Makes a snapshot; what the event says of it.
async fn snapshot(commands: &Commands, number: u64) -> Value {
    told(&create(commands, number, as_admin()).await.unwrap())
}

fn told(outcome: &Outcome) -> Value {
    let [event] = &outcome.events[..] else { panic!("{outcome:?}") };
    assert_eq!(event.event_type, "state-snapshot-created.v1");
    serde_json::from_str(event.data.get()).unwrap()
}

async fn prune(commands: &Commands, number: u64, context: RequestContext) -> Answer {
    let books = commands.newest_stream(&chain()).await.unwrap();
    let command = Command::PruneBefore { height: height(number) };
    commands.execute::<Chain>(books, command, context).await
}

/// A process of its own is at one with another, and went on from this height.
async fn is_like(database: &TestDatabase, other: &Commands, from: Option<u64>) -> Commands {
    let started = process(database).await;
    assert_eq!(started.resumed_from().await.unwrap(), from.map(height));
    let (mine, its) = (network::next_block(&started).await, network::next_block(other).await);
    assert_eq!(mine.ledger.root(), its.ledger.root());
    assert_eq!(mine.ledger, its.ledger);
    assert_eq!(mine.ground, its.ground);
    assert_eq!(mine.waiting, its.waiting);
    assert_eq!(mine.transactions, its.transactions);
    started
}

async fn change(database: &TestDatabase, statement: &str) -> u64 {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned())).execute(&pool).await.unwrap();
    pool.close().await;
    done.rows_affected()
}

async fn kept(database: &TestDatabase) -> i64 {
    let pool = PgPool::connect(&database.url()).await.unwrap();
    let counted = sqlx::query_scalar("select count(*) from prunable_blobs");
    let counted: i64 = counted.fetch_one(&pool).await.unwrap();
    pool.close().await;
    counted
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_goes_on_from_a_snapshot_is_like_one_that_began_with_genesis() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    heights(&commands, 1..=5).await;
    // A set is chosen for an epoch that nobody has announced yet.
    for n in [1, 2] {
        let key = network::validator(n);
        for command in [key.register(&chain()), validator::Command::Activate {}] {
            commands.execute::<Validator>(key.address(), command, as_admin()).await.unwrap();
        }
    }
    let epoch = height(5).epoch(EPOCH_BLOCKS).value() + 1;
    let rotate = validator_set::Command::Rotate { epoch: Epoch::new(epoch).unwrap() };
    commands.execute::<ValidatorSet>(chain(), rotate, as_admin()).await.unwrap();
    // One waits for its predecessor, one for its block, and one is replaced under a valid block.
    submit(&commands, &transfer(3, 4, sender(1).address(), 1, 50)).await;
    submit(&commands, &transfer(1, 5, sender(2).address(), 100, 5)).await;
    submit(&commands, &transfer(2, 5, sender(3).address(), 10, 7)).await;
    let last_commit = network::commit(&commands, 5).await;
    let contents = network::make(&commands, 6, last_commit).await;
    network::record(&commands, &contents).await;
    submit(&commands, &transfer(1, 5, sender(2).address(), 100, 6)).await;
    let said = snapshot(&commands, 5).await;
    assert_eq!(said["height"], "5");
    let resumed = is_like(&database, &commands, Some(5)).await;
    running.stop().await;

    // The one that went on finishes the block, and those after the new set has come.
    let running = Reactions::start(&resumed, PROCESSES);
    network::agree(&resumed, 6, contents.id()).await;
    network::started(&resumed, 7).await;
    heights(&resumed, 7..=11).await;
    running.stop().await;
    assert_eq!(network::started(&resumed, 10).await.start().members.len(), 2);
    is_like(&database, &commands, Some(5)).await;
    is_like(&database, &resumed, Some(5)).await;
    change(&database, "delete from prunable_blobs").await;
    is_like(&database, &resumed, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_that_is_missing_or_wrong_is_passed_over_for_an_older_one_and_then_for_genesis()
{
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    let mut hashes = Vec::new();
    for number in 1..=5 {
        heights(&commands, number..=number).await;
        let said = snapshot(&commands, number).await;
        hashes.push(said["hash"].as_str().unwrap().to_lowercase());
    }
    heights(&commands, 6..=6).await;
    running.stop().await;
    is_like(&database, &commands, Some(5)).await;
    let at = |number: usize| format!("hash = decode('{}', 'hex')", hashes[number - 1]);
    let loosen = "alter table prunable_blobs drop constraint prunable_blobs_hash_is_sha256,
                  drop constraint prunable_blobs_aside_hash_is_sha256";
    change(&database, loosen).await;
    let damage = |column: &str| format!("{column} = set_byte({column}, 40, 88)");
    let update = |what: String, at: String| format!("update prunable_blobs set {what} where {at}");
    assert_eq!(change(&database, &update(damage("content"), at(5))).await, 1);
    is_like(&database, &commands, Some(4)).await;
    assert_eq!(change(&database, &update(damage("aside"), at(4))).await, 1);
    is_like(&database, &commands, Some(3)).await;
    // Whole, but of another height.
    let borrowed = format!(
        "(aside, aside_hash) = (select aside, aside_hash from prunable_blobs where {})",
        at(1)
    );
    assert_eq!(change(&database, &update(borrowed, at(3))).await, 1);
    is_like(&database, &commands, Some(2)).await;
    assert_eq!(change(&database, &format!("delete from prunable_blobs where {}", at(2))).await, 1);
    is_like(&database, &commands, Some(1)).await;
    // A transaction that waited is nowhere in the log.
    let lost = "aside = convert_to(replace(convert_from(aside, 'utf8'),
                                           '\"waiting\":[', '\"waiting\":[999999999'), 'utf8')";
    let hashed = "aside_hash = sha256(aside)";
    assert_eq!(change(&database, &update(lost.to_owned(), at(1))).await, 1);
    assert_eq!(change(&database, &update(hashed.to_owned(), at(1))).await, 1);
    is_like(&database, &commands, None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_is_the_same_whenever_it_is_made_and_a_dry_run_keeps_nothing() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    let nothing = create(&commands, 1, as_admin()).await.unwrap_err();
    assert!(matches!(nothing, CommandError::Refused(Refusal::NothingApplied)), "{nothing}");
    heights(&commands, 1..=5).await;
    let dry = RequestContext { dry_run: true, ..as_admin() };
    let at_the_head = told(&create(&commands, 5, dry).await.unwrap());
    assert_eq!(kept(&database).await, 0);
    heights(&commands, 6..=6).await;
    running.stop().await;
    let above = create(&commands, 7, as_admin()).await.unwrap_err();
    let (head, asked) = (height(6), height(7));
    let refusal = Refusal::AboveHead { head, height: asked };
    assert!(matches!(above, CommandError::Refused(found) if found == refusal));
    let forbidden = create(&commands, 5, as_validator()).await;
    assert!(matches!(forbidden, Err(CommandError::Forbidden { .. })), "{forbidden:?}");
    assert_eq!(kept(&database).await, 0);
    assert_eq!(snapshot(&process(&database).await, 5).await, at_the_head);
    let again = create(&commands, 5, as_admin()).await.unwrap();
    assert_eq!((again.events.len(), kept(&database).await), (0, 1));
    is_like(&database, &commands, Some(5)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pruning_drops_older_snapshots_and_nothing_that_blocks_came_to() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    for number in 1..=6 {
        heights(&commands, number..=number).await;
        if number % 2 == 0 {
            snapshot(&commands, number).await;
        }
    }
    let none = prune(&commands, 7, as_admin()).await.unwrap_err();
    assert!(matches!(none, CommandError::Refused(Refusal::AboveHead { .. })), "{none}");
    let forbidden = prune(&commands, 5, as_validator()).await;
    assert!(matches!(forbidden, Err(CommandError::Forbidden { .. })), "{forbidden:?}");
    let pruned = prune(&commands, 5, as_admin()).await.unwrap();
    let said: Value = serde_json::from_str(pruned.events[0].data.get()).unwrap();
    assert_eq!((&said["before"], &said["kept"]["height"]), (&json!("5"), &json!("6")));
    for _ in 0..1_000 {
        if kept(&database).await == 1 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert_eq!(kept(&database).await, 1);
    running.stop().await;
    is_like(&database, &commands, Some(6)).await;
    change(&database, "delete from prunable_blobs").await;
    let anew = is_like(&database, &commands, None).await;
    for number in (1..=6).map(height).collect::<Vec<Height>>() {
        let (applied, execution) = anew.applied(&chain(), number).await.unwrap().unwrap();
        assert_eq!((applied.height, execution.receipts.len()), (number, 2));
    }
    let pruned = create(&commands, 4, as_admin()).await.unwrap_err();
    let refusal = Refusal::Pruned { before: height(5), height: height(4) };
    assert!(matches!(&pruned, CommandError::Refused(found) if *found == refusal), "{pruned}");
}

/// Blocks when nothing else is said, how many come after the snapshot, and what each holds.
const BLOCKS_DEFAULT: u64 = 24;
const BLOCKS_AFTER: u64 = 8;
const BLOCK_TXS: u64 = 20;

/// How long a process takes until it can make the next block, and what it went on from.
async fn start(database: &TestDatabase) -> (Duration, Option<Height>) {
    let begun = Instant::now();
    let started = process(database).await;
    network::next_block(&started).await;
    (begun.elapsed(), started.resumed_from().await.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_start_costs_what_came_after_the_snapshot() {
    let blocks = campaign::number("NODE0_BLOCKS", BLOCKS_DEFAULT);
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    for number in 1..=blocks {
        network::started(&commands, number).await;
        let nonces = (number - 1) * BLOCK_TXS..number * BLOCK_TXS;
        let sent = nonces.map(|nonce| transfer(1, nonce, sender(2).address(), 1, 1)).map(|one| {
            let command = transaction::Command::Submit { transaction: one.clone() };
            (one.sender(), command, as_validator())
        });
        for answer in commands.execute_all::<transaction::Account>(sent.collect()).await {
            answer.unwrap();
        }
        network::one_height(&commands, number).await;
        network::started(&commands, number + 1).await;
        if number == blocks - BLOCKS_AFTER {
            snapshot(&commands, number).await;
        }
    }
    running.stop().await;
    let (resumed, from) = start(&database).await;
    assert_eq!(from, Some(height(blocks - BLOCKS_AFTER)));
    is_like(&database, &commands, Some(blocks - BLOCKS_AFTER)).await;
    change(&database, "delete from prunable_blobs").await;
    let (anew, from) = start(&database).await;
    assert_eq!(from, None);
    is_like(&database, &commands, None).await;
    let events = commands.store().head().await.unwrap().position;
    eprintln!(
        "{blocks} blocks of {BLOCK_TXS} transactions, {events} events: ready in {anew:.2?} from \
         genesis, in {resumed:.2?} from the snapshot {BLOCKS_AFTER} blocks before the head"
    );
    // With few blocks there is nothing to tell apart.
    assert!(blocks < 500 || resumed < anew / 4, "{resumed:?}, {anew:?}");
}
