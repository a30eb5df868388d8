//! Our own chain: blocks that a ledger executed, its books, its snapshots, and a halt.

use domain::{
    chain::{
        BlockApplied, Carried, Chain, ChainHalted, ChainStream, Command, EpochClosed, Event,
        Executed, Refusal, Snapshot, StatePruned,
    },
    ledger::{Execution, Ledger},
    transaction::Payload,
    values::{AppHash, Hash, Height},
};

use crate::{
    chain::{block as header, close, epoch, height, observe, observing, unbegun},
    fixture::{address, set},
    ledger::{POOR, PROPOSER, RICH, begun, context, document, next},
    parameter_changes,
    spec::Given,
    transaction::amount,
};

const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];

/// A chain beside the ledger that executes its blocks.
#[derive(Clone)]
pub struct Story {
    pub chain: Given<Chain>,
    pub ledger: Ledger,
}

fn stream(number: u64) -> ChainStream {
    ChainStream { chain: "node0-local".parse().unwrap(), epoch: epoch(number) }
}

fn hash(number: u64) -> Hash {
    Hash::of(format!("block {number}").as_bytes())
}

fn app_hash(root: Hash) -> AppHash {
    AppHash::from_bytes(root.as_bytes().to_vec()).unwrap()
}

/// At genesis: epochs of 4 heights.
pub fn genesis() -> Story {
    let chain = unbegun().knowing(|known| known.stream = stream(0));
    let chain = chain.and(Command::InitialiseGenesis { document: document().to_string() });
    Story { chain, ledger: begun() }
}

pub fn claim(executed: &Executed) -> Command {
    Command::ApplyBlock {
        block: executed.applied.hash,
        height: executed.applied.height,
        receipts_root: executed.applied.receipts_root,
        state_root: executed.applied.state_root,
    }
}

/// What a snapshot of this ledger is recorded as.
fn snapshot(ledger: &Ledger) -> Snapshot {
    let bytes = ledger.snapshot();
    Snapshot {
        bytes: u32::try_from(bytes.len()).unwrap(),
        hash: Hash::of(&bytes),
        height: ledger.height().unwrap(),
        state_root: ledger.root(),
    }
}

impl Story {
    /// The next block, with one transfer, executed.
    fn execute(&mut self) -> Executed {
        let state_root_before = self.ledger.root();
        let context = context(&self.ledger);
        let payload = Payload::Transfer { amount: amount(100), to: address(POOR) };
        let transactions = [next(&self.ledger, RICH, 0, payload)];
        let execution: Execution = self.ledger.execute(&context, &transactions).unwrap();
        let number = context.height.value();
        let validators = set(FOUR).hash();
        Executed {
            app_hash: app_hash(state_root_before),
            applied: BlockApplied {
                hash: hash(number),
                height: context.height,
                last_block_hash: (number > 1).then(|| hash(number - 1)),
                next_validators_hash: validators,
                proposer: address(PROPOSER),
                receipts_root: execution.receipts_root,
                results: Hash::of(&execution.bytes()),
                state_root: execution.state_root,
                time: context.time,
                transactions: 1,
                validators_hash: validators,
            },
            state_root_before,
        }
    }

    /// The next block was executed.
    pub fn executed(mut self) -> (Story, Executed) {
        let executed = self.execute();
        self.chain = self.chain.knowing(|known| known.executed = Some(executed.clone()));
        (self, executed)
    }

    /// Blocks up to a height are applied, all of one epoch.
    pub fn up_to(mut self, last: u64) -> Story {
        while self.ledger.height().is_none_or(|height| height.value() < last) {
            let (story, executed) = self.executed();
            self = Story { chain: story.chain.and(claim(&executed)), ..story };
        }
        self
    }

    /// The stream of the next epoch, with what the closed one carries over.
    pub fn next_epoch(self, number: u64) -> Story {
        let carried = self.chain.and(close()).state.carried();
        let chain =
            unbegun().knowing(|known| (known.stream, known.carried) = (stream(number), carried));
        Story { chain, ..self }
    }

    /// A snapshot of the head's state is at hand.
    fn with_snapshot(self) -> Given<Chain> {
        let made = snapshot(&self.ledger);
        self.chain.knowing(|known| known.snapshot = Some(made))
    }
}

fn create(number: u64) -> Command {
    Command::CreateSnapshot { height: height(number) }
}

fn prune(number: u64) -> Command {
    Command::PruneBefore { height: height(number) }
}

#[test]
fn a_block_that_was_executed_is_applied_once() {
    let (story, executed) = genesis().executed();
    let event = Event::BlockApplied(Box::new(executed.applied.clone()));
    let chain = story.chain.when(claim(&executed)).then(vec![event]);
    let head = chain.state.head().unwrap();
    assert_eq!((head.hash, head.height), (hash(1), Height::FIRST));
    chain.clone().when(claim(&executed)).then(vec![]);
    let mut other = executed;
    other.applied.hash = hash(99);
    let refusal = Refusal::AppliedAlready { applied: hash(1), found: hash(99), height: height(1) };
    chain.when(claim(&other)).refused(refusal);
}

#[test]
fn only_what_the_write_wing_executed_itself_is_applied() {
    let (story, executed) = genesis().executed();
    let (block, height) = (hash(1), height(1));
    let refusal = Refusal::NotExecuted { block, height };
    let unknown = story.chain.clone().knowing(|known| known.executed = None);
    unknown.when(claim(&executed)).refused(refusal);
    let (computed, found) = (executed.applied.state_root, Hash::of(b"another state"));
    let mut wrong = executed.clone();
    wrong.applied.state_root = found;
    let refusal = Refusal::RootMismatch { computed, found, root: "state_root" };
    story.chain.clone().when(claim(&wrong)).refused(refusal);
    wrong = executed;
    let computed = wrong.applied.receipts_root;
    wrong.applied.receipts_root = found;
    let refusal = Refusal::RootMismatch { computed, found, root: "receipts_root" };
    story.chain.when(claim(&wrong)).refused(refusal);
}

#[test]
fn blocks_follow_one_another() {
    let story = genesis().up_to(1);
    let (skipping, _) = story.clone().executed();
    let (skipping, third) = skipping.executed();
    let refusal = Refusal::HeightNotNext { expected: height(2), found: height(3) };
    skipping.chain.when(claim(&third)).refused(refusal);

    let (next, second) = story.executed();
    let tried = |change: fn(&mut BlockApplied)| {
        let mut executed = second.clone();
        change(&mut executed.applied);
        let command = claim(&executed);
        next.chain.clone().knowing(|known| known.executed = Some(executed)).when(command)
    };
    let orphan = tried(|applied| applied.last_block_hash = None);
    let (expected, found) = (Some(hash(1)), None);
    let refusal = Refusal::PreviousMismatch { expected, found };
    assert_eq!(
        refusal.to_string(),
        format!("the block before is {}, the header names none", hash(1))
    );
    orphan.refused(refusal);
    tried(|applied| applied.validators_hash = hash(7)).refused_as("validators-mismatch");
    tried(|_| ()).then_named(&["block-applied"]);
}

#[test]
fn a_final_block_that_names_another_state_halts_the_chain() {
    let story = genesis().up_to(1);
    let state_root = story.ledger.root();
    let (story, mut executed) = story.executed();
    executed.app_hash = app_hash(Hash::of(b"another state"));
    let halted = ChainHalted {
        app_hash: executed.app_hash.clone(),
        hash: hash(2),
        height: height(2),
        state_root,
    };
    let command = claim(&executed);
    let chain = story.chain.knowing(|known| known.executed = Some(executed));
    let chain = chain.when(command.clone()).then(vec![Event::ChainHalted(Box::new(halted))]);
    let refusal = Refusal::Halted { height: height(2) };
    chain.clone().when(command).refused(refusal.clone());
    chain.when(close()).refused(refusal);
    // Before the first block it is the state of genesis that must be named.
    let (story, mut first) = genesis().executed();
    first.app_hash = AppHash::default();
    let command = claim(&first);
    let chain = story.chain.knowing(|known| known.executed = Some(first));
    chain.when(command).then_named(&["chain-halted"]);
}

#[test]
fn the_books_are_closed_after_an_epochs_last_block_and_the_next_carries_on() {
    let (epoch_0, last) = (epoch(0), height(4));
    let refusal = Refusal::EpochNotComplete { epoch: epoch_0, head: height(3), last };
    genesis().up_to(3).chain.when(close()).refused(refusal);
    let story = genesis().up_to(4);
    let (over, fifth) = story.clone().executed();
    let refusal = Refusal::EpochOver { epoch: epoch_0, height: height(5), next: epoch(1) };
    over.chain.when(claim(&fifth)).refused(refusal);
    let closed = EpochClosed { epoch: epoch_0, hash: hash(4), headers: 4, height: last };
    let chain = story.chain.clone().when(close()).then(vec![Event::EpochClosed(closed)]);
    chain.clone().when(close()).then(vec![]);
    chain.clone().when(create(4)).refused(Refusal::EpochClosed { epoch: epoch_0 });

    // The first block of the next epoch opens its books by itself.
    let (next, fifth) = story.next_epoch(1).executed();
    let chain = next.chain.clone().when(claim(&fifth));
    let chain = chain.then_named(&["epoch-opened", "block-applied"]);
    assert_eq!(chain.state.head().unwrap().height, height(5));
    let opened = next.chain.clone().when(Command::OpenEpoch {}).then_named(&["epoch-opened"]);
    opened.when(claim(&fifth)).then_named(&["block-applied"]);
    let early = next.chain.knowing(|known| known.stream = stream(2));
    early.clone().when(Command::OpenEpoch {}).refused_as("nothing-carried");
    early.when(claim(&fifth)).refused(Refusal::NotBegun);
}

#[test]
fn many_epochs_later_the_chain_is_still_the_same() {
    let mut story = genesis();
    let begun = story.chain.state.clone();
    for number in 1..=6 {
        story = story.up_to(4 * number).next_epoch(number);
    }
    let chain = story.up_to(25).chain.state;
    let (Chain::Native(begun), Chain::Native(native)) = (begun, chain) else { panic!("not ours") };
    assert_eq!((native.epoch, native.blocks.len()), (epoch(6), 1));
    assert_eq!(native.genesis_hash, begun.genesis_hash);
    assert_eq!(native.schedule, begun.schedule);
    assert_eq!(native.next_height(), Some(height(26)));
}

#[test]
fn a_snapshot_is_of_a_state_that_was_applied() {
    let story = genesis().up_to(2);
    let made = snapshot(&story.ledger);
    genesis().chain.when(create(1)).refused(Refusal::NothingApplied);
    let chain = story.with_snapshot();
    let above = Refusal::AboveHead { head: height(2), height: height(3) };
    chain.clone().when(create(3)).refused(above);
    chain.clone().when(create(1)).refused(Refusal::SnapshotNotMade { height: height(1) });
    let other = Snapshot { state_root: hash(9), ..made };
    let wrong = chain.clone().knowing(|known| known.snapshot = Some(other));
    wrong.when(create(2)).refused_as("root-mismatch");
    let chain = chain.when(create(2)).then(vec![Event::StateSnapshotCreated(made)]);
    chain.when(create(2)).then(vec![]);
}

#[test]
fn in_a_later_epoch_only_its_own_states_and_the_head_it_began_with_can_be_taken() {
    let story = genesis().up_to(4);
    let opened = story.clone().next_epoch(1).chain.and(Command::OpenEpoch {});
    let made = snapshot(&story.ledger);
    let opened = opened.knowing(|known| known.snapshot = Some(made));
    opened.clone().when(create(4)).then_named(&["state-snapshot-created"]);
    let refusal = Refusal::HeightNotRecorded { epoch: epoch(1), height: height(3) };
    opened.when(create(3)).refused(refusal);
}

#[test]
fn pruning_keeps_a_snapshot_and_is_carried_into_the_next_epoch() {
    let first = genesis().up_to(1);
    let old = snapshot(&first.ledger);
    let first = Story { chain: first.clone().with_snapshot().and(create(1)), ..first };
    let none = Refusal::NoSnapshotKept { before: height(2) };
    let second = first.up_to(2);
    second.chain.clone().when(prune(2)).refused(none);
    let above = Refusal::AboveHead { head: height(2), height: height(3) };
    second.chain.clone().when(prune(3)).refused(above);
    let kept = snapshot(&second.ledger);
    let chain = second.clone().with_snapshot().and(create(2));
    let pruned = StatePruned { before: height(2), dropped: vec![old], kept };
    let chain = chain.when(prune(2)).then(vec![Event::StatePruned(Box::new(pruned))]);
    chain.clone().when(prune(1)).then(vec![]);
    let gone = Refusal::Pruned { before: height(2), height: height(1) };
    chain.clone().when(create(1)).refused(gone);

    let story = Story { chain, ..second }.up_to(4).next_epoch(1);
    let Some(Carried::Native(carried)) = &story.chain.known.carried else { panic!("not carried") };
    assert_eq!((carried.pruned_before, &carried.snapshots), (Some(height(2)), &vec![kept]));
    let opened = story.chain.and(Command::OpenEpoch {});
    opened.when(prune(2)).then(vec![]);
}

#[test]
fn only_so_many_snapshots_are_kept() {
    let mut story = genesis();
    for number in 1..=65 {
        if number > 1 && number % 4 == 1 {
            story = story.next_epoch(number / 4);
        }
        story = story.up_to(number);
        let chain = story.clone().with_snapshot();
        if number == 65 {
            chain.when(create(65)).refused(Refusal::SnapshotsExhausted { maximum: 64 });
            let carried = story.up_to(68).chain.and(close()).state.carried();
            let bytes = serde_json::to_vec(&carried).unwrap().len();
            assert!(bytes < 65_535 - 2_000, "{bytes} bytes do not fit one record");
            return;
        }
        story.chain = chain.and(create(number));
    }
}

#[test]
fn what_belongs_to_one_kind_of_chain_is_refused_by_the_other() {
    let (_, executed) = genesis().executed();
    observing().when(claim(&executed)).refused_as("not-native");
    observing().when(create(1)).refused_as("not-native");
    observing().when(prune(1)).refused_as("not-native");
    unbegun().when(create(1)).refused(Refusal::NotBegun);
    genesis().chain.when(observe(&header(2))).refused_as("not-observed");
    let carried = genesis().up_to(4).next_epoch(1).chain;
    carried.when(observe(&header(2))).refused_as("not-observed");
}

/// What only our own chain can come to.
pub fn one_of_each() -> Vec<Event> {
    let (story, executed) = genesis().executed();
    let mut events = story.chain.clone().when(claim(&executed)).events();
    let mut other = executed.clone();
    other.app_hash = AppHash::default();
    let halting = story.chain.knowing(|known| known.executed = Some(other));
    events.extend(halting.when(claim(&executed)).events());
    let first = genesis().up_to(1);
    let taken = first.clone().with_snapshot();
    events.extend(taken.clone().when(create(1)).events());
    let second = Story { chain: taken.and(create(1)), ..first }.up_to(2);
    let taken = second.with_snapshot().and(create(2));
    events.extend(taken.when(prune(2)).events());
    events.push(parameter_changes::one());
    events
}

/// What only our own chain can be asked, in a story that calls for it.
pub fn commands() -> Vec<Command> {
    let (_, executed) = genesis().executed();
    vec![claim(&executed), create(1), Command::ScheduleParameters {}, prune(1)]
}

#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    let (story, _) = genesis().executed();
    let story = Story { chain: story.chain.and(example("apply-block")), ..story };
    let story = story.with_snapshot().and(example("create-snapshot"));
    story.and(example("schedule-parameters")).and(example("prune-before"));
}
