//! Whatever happens to the process between two steps, each is done once; and where there is no
//! going on, it says so and stays.

use std::{collections::BTreeSet, future::Future, pin::pin, task::Poll, time::Duration};

use commands::{Commands, Process, Reactions, reactions};
use domain::{
    aggregate::{Data, Event as _},
    block::{self, BlockValidated, Contents},
};
use event_store::{
    AppendRequest, CommandDigest, CommandId, Filter, Metadata, NewEvent, StreamName,
};
use tests::{
    database::TestDatabase,
    network::{self, BALANCE, EPOCH_BLOCKS, as_validator, sender, submit, transfer},
};
use uuid::Uuid;

use super::{PROCESSES, balance, count, happened, process};

/// Polls a future so often, then drops it; whether it came to its end.
pub async fn dropped_after(polls: usize, future: impl Future<Output = ()>) -> bool {
    let mut future = pin!(future);
    let mut left = polls;
    let bounded = std::future::poll_fn(|context| {
        if left == 0 {
            return Poll::Ready(false);
        }
        left -= 1;
        match future.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(true),
            // Asked for again at once when this was the last time.
            Poll::Pending if left == 0 => Poll::Ready(false),
            Poll::Pending => Poll::Pending,
        }
    });
    tokio::time::timeout(Duration::from_millis(300), bounded).await.unwrap_or(false)
}

/// Polls a future until a step is the last one done, or the next height starts; then drops it.
async fn dropped_at(commands: &Commands, step: &str, future: impl Future<Output = ()>) {
    let mut future = pin!(future);
    loop {
        // Looked at between two polls: the process stands still meanwhile.
        let last = last_step(commands).await;
        if last.as_deref().is_some_and(|last| [step, STEPS[5]].contains(&last)) {
            return;
        }
        assert!(futures::poll!(&mut future).is_pending(), "it parked after {last:?}");
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
}

/// After so many heights it ought to have been dropped after each step.
const HEIGHTS_MAX: u64 = 100;

/// What happens from an agreed block to the next height, in this order.
const STEPS: [&str; 6] = [
    "block-committed.v1",
    "block-finalized.v1",
    "block-applied.v1",
    "epoch-closed.v1",
    "epoch-opened.v1",
    "height-started.v1",
];

/// The step that was done last.
async fn last_step(commands: &Commands) -> Option<String> {
    let event_types = STEPS.map(str::to_owned).to_vec();
    let filter = Filter { event_types, ..Filter::default() };
    let page = commands.store().read_all(0, &filter, 10_000).await.unwrap();
    page.events.last().map(|event| event.parse().unwrap().event_type.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_process_that_is_dropped_anywhere_goes_on_where_it_was_and_does_nothing_twice() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let every: BTreeSet<String> = STEPS[..5].iter().map(|step| (*step).to_owned()).collect();
    let (mut left_at, mut heights) = (BTreeSet::new(), 0);
    // Until it was dropped after each of its steps; the epoch's come seldom.
    while left_at != every {
        assert!(heights < HEIGHTS_MAX, "it was dropped after {left_at:?} alone");
        for polls in 1.. {
            let other = process(&database).await;
            let life = reactions::run(other.clone(), PROCESSES[0]);
            if heights <= u64::from(EPOCH_BLOCKS) {
                // Each time it lives a little longer, as a new process.
                assert!(!dropped_after(polls, life).await, "it parked after height {heights}");
            } else {
                dropped_at(&commands, STEPS[polls.min(STEPS.len() - 1)], life).await;
            }
            other.store().close().await;
            let step = last_step(&commands).await;
            if step.as_deref() == Some("height-started.v1") {
                break;
            }
            left_at.extend(step);
        }
        heights += 1;
        submit(&commands, &transfer(1, heights - 1, sender(2).address(), 3, 2)).await;
        network::one_height(&commands, heights).await;
    }
    let running = Reactions::start(&process(&database).await, PROCESSES);
    network::started(&commands, heights + 1).await;
    running.stop().await;
    let counted = usize::try_from(heights).unwrap();
    for event_type in ["block-proposed.v1", "block-finalized.v1", "block-applied.v1"] {
        assert_eq!(count(&commands, event_type).await, counted, "{event_type}");
    }
    assert_eq!(count(&commands, "height-started.v1").await, counted + 1);
    let epochs = counted / usize::try_from(EPOCH_BLOCKS).unwrap();
    assert_eq!(count(&commands, "epoch-closed.v1").await, epochs);
    assert_eq!(count(&commands, "epoch-opened.v1").await, epochs);
    let moved = u128::from(heights);
    assert_eq!(balance(&commands, 1).await, (BALANCE - 5 * moved, heights));
    assert_eq!(balance(&commands, 2).await, (BALANCE + 3 * moved, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_processes_at_once_do_each_step_once() {
    let database = TestDatabase::create().await;
    let (one, other) = (process(&database).await, process(&database).await);
    network::begin(&one).await;
    let running = [Reactions::start(&one, PROCESSES), Reactions::start(&other, PROCESSES)];
    let heights = 10;
    for number in 1..=heights {
        let asked = if number % 2 == 0 { &one } else { &other };
        network::one_height(asked, number).await;
    }
    network::started(&one, heights + 1).await;
    for running in running {
        running.stop().await;
    }
    for event_type in ["block-finalized.v1", "block-applied.v1"] {
        assert_eq!(count(&one, event_type).await, 10, "{event_type}");
    }
    let checkpoint = one.store().checkpoint(Process::BlockFinality.name()).await.unwrap();
    assert_eq!(checkpoint.parked, None);
}

/// Waits until a process has parked, and tells why.
pub async fn parked(commands: &Commands, process: Process) -> String {
    for _ in 0..2_000 {
        let checkpoint = commands.store().checkpoint(process.name()).await.unwrap();
        if let Some(parked) = checkpoint.parked {
            return parked.because;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("it does not park");
}

/// Appends an event to a block's stream past every decision, as a broken version of us would.
async fn forge(commands: &Commands, contents: &Contents, version: u64, event: &block::Event) {
    let stream = StreamName::of("block", contents.header.hash()).unwrap();
    let request = AppendRequest {
        command: CommandId::fresh(),
        digest: CommandDigest(Uuid::nil()),
        stream,
        expected_version: version,
        events: vec![NewEvent::new(event.name(), &Data(event)).unwrap()],
        metadata: Metadata {
            actor: "broken".into(),
            causation: None,
            correlation: Uuid::now_v7(),
            reason: None,
            at: chrono::Utc::now(),
        },
    };
    commands.store().append(request).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_final_block_that_names_another_state_halts_the_chain_for_good() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    network::one_height(&commands, 1).await;
    network::started(&commands, 2).await;
    let next = network::next_block(&commands).await;
    let mut ground = next.ground;
    ground.app_hash = "00".repeat(32).parse().unwrap();
    let last_commit = network::commit(&commands, 1).await;
    let body = block::Body { last_commit, ..block::Body::default() };
    let proposer = network::started(&commands, 2).await.proposer(Default::default());
    let contents = ground.build(body, proposer, &next.parameters).unwrap();
    commands.propose_block(contents.clone(), as_validator()).await.unwrap();
    // Ours would find it faulty; whoever executes otherwise does not.
    let validated = block::Event::BlockValidated(BlockValidated { bytes: 1 });
    forge(&commands, &contents, 1, &validated).await;
    network::agree(&commands, 2, contents.id()).await;
    let because = parked(&commands, Process::BlockFinality).await;
    assert!(because.contains("halted") && because.contains("0000"), "{because}");
    running.stop().await;
    assert_eq!(count(&commands, "chain-halted.v1").await, 1);
    assert_eq!(count(&commands, "block-applied.v1").await, 1);
    assert_eq!(count(&commands, "height-started.v1").await, 2);
    // Resumed, it is tried again, and comes to the same.
    assert!(commands.store().unpark(PROCESSES[0].name()).await.unwrap());
    assert!(!commands.store().unpark(PROCESSES[0].name()).await.unwrap(), "it is resumed");
    let running = Reactions::start(&process(&database).await, &PROCESSES[..1]);
    let because = parked(&commands, Process::BlockFinality).await;
    assert!(because.contains("halted"), "{because}");
    assert!(commands.store().unpark(PROCESSES[0].name()).await.unwrap());
    let because = parked(&commands, Process::BlockFinality).await;
    assert!(because.contains("halted"), "the same runner tried again: {because}");
    running.stop().await;
    assert_eq!(count(&commands, "chain-halted.v1").await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_epoch_s_end_is_done_once_however_often_its_process_is_dropped() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    super::epochs::begin(&commands, serde_json::json!({})).await;
    let running = Reactions::start(&commands, &[Process::BlockFinality]);
    let heights = 3 * u64::from(EPOCH_BLOCKS);
    for number in 1..=heights {
        network::one_height(&commands, number).await;
        network::started(&commands, number + 1).await;
    }
    running.stop().await;
    let closings = happened(&commands, "epoch-closed.v1").await;
    let (closed, last) = (closings.len(), closings.last().unwrap().position);
    assert!(closed >= 2, "{closed} epochs are closed");
    let mut lives = 0;
    while commands.store().checkpoint(Process::EpochClose.name()).await.unwrap().position < last {
        // Each life is a little longer than the one before, and begins with nothing in memory.
        lives += 1;
        let life = reactions::run(process(&database).await, Process::EpochClose);
        dropped_after(lives, life).await;
        assert!(lives < 500, "it does not come to an end");
    }
    assert!(lives > 5, "it was dropped only {lives} times");
    let recorded = count(&commands, "performance-recorded.v1").await;
    assert_eq!(recorded, closed * usize::try_from(network::VALIDATORS).unwrap());
}
