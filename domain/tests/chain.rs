//! A chain's head, its epochs and its forks.

use domain::{
    aggregate::Aggregate as _,
    chain::{
        Chain, ChainStream, Command, EpochClosed, EpochOpened, Event, ForkResolved, HeaderRejected,
        Known, Refusal, Verification,
    },
    light::{Fault, LightBlock},
    parameters::Overrides,
    values::{Epoch, Hash, Height},
};
use serde_json::{Value, json};

use crate::{
    fixture::{self, Draft, moment, set},
    genesis, native,
    spec::{Given, given},
};

const FOUR: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10)];
/// A day in seconds.
const DAY_S: u32 = 86_400;

pub fn height(number: u64) -> Height {
    Height::new(number).unwrap()
}

pub fn epoch(number: u64) -> Epoch {
    Epoch::new(number).unwrap()
}

fn stream(number: u64) -> ChainStream {
    ChainStream { chain: "example-1".parse().unwrap(), epoch: epoch(number) }
}

pub fn unbegun() -> Given<Chain> {
    given(Known {
        stream: stream(0),
        now: moment("2026-01-01T00:10:00Z"),
        overrides: Overrides::default(),
        carried: None,
        executed: None,
        snapshot: None,
    })
}

fn start(anchor: LightBlock) -> Command {
    Command::StartObservation { anchor, epoch_headers: 10, trusting_period_s: DAY_S }
}

pub fn observe(block: &LightBlock) -> Command {
    Command::ObserveHeader {
        next_validator_set: block.next_validator_set.clone(),
        signed_header: block.signed_header.clone(),
        validator_set: block.validator_set.clone(),
    }
}

pub fn block(number: u64) -> LightBlock {
    Draft::new(number, FOUR).block()
}

/// Another header of the same height.
fn other(number: u64) -> LightBlock {
    Draft { app_hash: vec![0xff], ..Draft::new(number, FOUR) }.block()
}

/// Ten heights an epoch; anchored at height 1.
pub fn observing() -> Given<Chain> {
    unbegun().and(start(block(1)))
}

/// The headers up to this height.
fn up_to(last: u64) -> Given<Chain> {
    (2..=last).fold(observing(), |given, number| given.and(observe(&block(number))))
}

pub fn close() -> Command {
    Command::CloseEpoch { next_height: None }
}

fn observed(event: &Event) -> &domain::chain::HeaderObserved {
    match event {
        Event::HeaderObserved(data) => data,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_observation_starts_from_a_good_header_that_somebody_trusts() {
    let events = unbegun().when(start(block(1))).events();
    let Event::ObservationStarted(started) = &events[0] else { panic!("{events:?}") };
    assert_eq!(started.hash, block(1).signed_header.hash());
    let anchor = observed(&events[1]);
    assert_eq!(anchor.verification, Verification::Anchor);
    assert_eq!(anchor.validator_set, None, "the event before holds it");
    assert_eq!(anchor.signed_header.parse().unwrap(), block(1).signed_header);
    observing().when(start(block(1))).then(vec![]);
    observing().when(start(block(2))).refused(Refusal::BegunAlready);
}

#[test]
fn an_anchor_that_is_no_good_header_is_refused() {
    let anchor = |draft: Draft| unbegun().when(start(draft.block())).refused_as("anchor-invalid");
    anchor(Draft { signers: vec![1, 2], ..Draft::new(1, FOUR) });
    // An hour ahead.
    anchor(Draft { second: 3_600, ..Draft::new(1, FOUR) });
    let late = unbegun().knowing(|known| known.now = moment("2026-01-03T00:00:00Z"));
    let Refusal::AnchorInvalid { fault } = late.when(start(block(1))).refused_as("anchor-invalid")
    else {
        panic!()
    };
    assert_eq!(fault.code(), "trust-expired");
    let bare = LightBlock { validator_set: None, ..block(1) };
    unbegun().when(start(bare)).refused_as("validator-set-missing");
    let wrong_next = LightBlock { next_validator_set: Some(set(&[(9, 1)])), ..block(1) };
    unbegun().when(start(wrong_next)).refused_as("anchor-invalid");
}

#[test]
fn an_anchor_belongs_into_its_chains_and_epochs_stream() {
    let elsewhere = Draft { chain: "example-2", ..Draft::new(1, FOUR) }.block();
    unbegun().when(start(elsewhere)).refused_as("chain-mismatch");
    let (expected, found) = (epoch(1), epoch(0));
    let refusal = Refusal::EpochMismatch { expected, found, height: height(11) };
    unbegun().when(start(block(11))).refused(refusal);
    for (headers, period) in [(0, 1), (10_001, 1), (1, 0)] {
        let command = Command::StartObservation {
            anchor: block(1),
            epoch_headers: headers,
            trusting_period_s: period,
        };
        unbegun().when(command).refused_as("option-out-of-range");
    }
}

#[test]
fn each_next_header_is_verified_and_recorded_once() {
    let events = observing().when(observe(&block(2))).events();
    let header = observed(&events[0]);
    assert_eq!(events.len(), 1);
    assert_eq!((header.height, header.hash), (height(2), block(2).signed_header.hash()));
    assert_eq!(header.verification, Verification::Sequential);
    assert_eq!((header.signed_power.value(), header.total_power.value()), (40, 40));
    assert_eq!((&header.validator_set, &header.next_validator_set), (&None, &None));
    up_to(5).when(observe(&block(2))).then(vec![]);
    up_to(5).when(observe(&block(5))).then(vec![]);
}

#[test]
fn the_set_may_be_left_out_when_it_is_the_announced_one() {
    let bare = LightBlock { validator_set: None, next_validator_set: None, ..block(2) };
    observing().when(observe(&bare)).then_named(&["header-observed"]);
    let unknown = Draft::new(9, &[(1, 10), (2, 10), (3, 10), (4, 11)]).block();
    let bare = LightBlock { validator_set: None, next_validator_set: None, ..unknown };
    observing().when(observe(&bare)).refused_as("validator-set-missing");
}

#[test]
fn a_changing_set_is_kept_once_and_followed() {
    let five: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10), (5, 10)];
    let announcing = Draft { next: set(five), ..Draft::new(2, FOUR) }.block();
    let announced = observing().when(observe(&announcing)).events();
    assert_eq!(observed(&announced[0]).next_validator_set, Some(set(five)));
    let after = observing().and(observe(&announcing));
    let first = after.clone().when(observe(&Draft::new(3, five).block())).events();
    assert_eq!(observed(&first[0]).validator_set, None, "it was announced");
    after
        .and(observe(&Draft::new(3, five).block()))
        .when(observe(&Draft::new(4, five).block()))
        .then_named(&["header-observed"]);
    // Announced by its hash alone, it is kept with the header it signs.
    let silent = LightBlock { next_validator_set: None, ..announcing };
    let unknown = observing().and(observe(&silent));
    let first = unknown.clone().when(observe(&Draft::new(3, five).block())).events();
    assert_eq!(observed(&first[0]).validator_set, Some(set(five)));
    // Nothing but the very next header can be verified by a hash alone.
    unknown.when(observe(&Draft::new(4, five).block())).refused_as("header-unverifiable");
}

#[test]
fn headers_can_be_skipped_while_enough_of_the_trusted_set_signs() {
    let events = observing().when(observe(&block(7))).events();
    assert_eq!(observed(&events[0]).verification, Verification::Skipping);
    let strangers = Draft::new(7, &[(1, 10), (6, 10), (7, 10)]).block();
    let (signed, total) = ("10".to_owned(), "40".to_owned());
    let refusal = Refusal::NotEnoughTrust { signed, total, trusted: height(1) };
    observing().when(observe(&strangers)).refused(refusal);
    let skipped = Refusal::HeightSkipped { head: height(7), height: height(5) };
    observing().and(observe(&block(7))).when(observe(&block(5))).refused(skipped);
}

/// A header in which one byte of one signature is flipped.
fn flipped(number: u64) -> LightBlock {
    let good = block(number);
    let mut raw = good.signed_header.to_protobuf();
    let last = raw.len() - 1;
    raw[last] ^= 1;
    let signed_header = domain::light::SignedHeader::from_protobuf(&raw).unwrap();
    LightBlock { signed_header, ..good }
}

#[test]
fn an_invalid_header_is_recorded_once_with_its_reason_and_the_good_one_still_comes_in() {
    let bad = flipped(2);
    let validator = set(FOUR).members().nth(3).unwrap().0;
    let fault = Fault::SignatureInvalid { index: 3, validator };
    let (hash, height) = (bad.signed_header.hash(), height(2));
    let rejected =
        observing().when(observe(&bad)).then(vec![Event::HeaderRejected(HeaderRejected {
            reason: fault.to_string(),
            fault: fault.clone(),
            hash,
            height,
            signed_header_hash: Hash::of(&bad.signed_header.to_protobuf()),
        })]);
    let refusal = Refusal::HeaderInvalid { fault, hash, height };
    rejected.clone().when(observe(&bad)).refused(refusal);
    rejected.when(observe(&block(2))).then_named(&["header-observed"]);
}

#[test]
fn what_is_wrong_with_the_circumstances_is_refused_and_not_recorded() {
    let code = |given: Given<Chain>, block: &LightBlock| match given
        .when(observe(block))
        .refused_as("header-unverifiable")
    {
        Refusal::HeaderUnverifiable { fault } => fault.code(),
        other => panic!("{other:?}"),
    };
    let wrong_set = LightBlock { validator_set: Some(set(&[(9, 1)])), ..block(2) };
    assert_eq!(code(observing(), &wrong_set), "validator-set-mismatch");
    let late = observing().knowing(|known| known.now = moment("2026-01-03T00:00:00Z"));
    assert_eq!(code(late, &block(2)), "trust-expired");
    let early = observing().knowing(|known| known.now = moment("2025-12-31T00:00:00Z"));
    assert_eq!(code(early, &block(2)), "from-the-future");
}

#[test]
fn only_so_many_rejected_headers_are_recorded() {
    let mut story = observing();
    for number in 0..domain::chain::REJECTIONS_MAX {
        let app_hash = number.to_be_bytes().to_vec();
        let weak = Draft { app_hash, signers: vec![1], ..Draft::new(2, FOUR) }.block();
        story = story.and(observe(&weak));
    }
    story.when(observe(&flipped(2))).refused_as("header-invalid");
}

#[test]
fn an_epoch_is_closed_when_its_last_header_is_in_and_carries_over() {
    let early = Refusal::EpochNotComplete { epoch: epoch(0), head: height(9), last: height(10) };
    up_to(9).when(close()).refused(early);
    let over = Refusal::EpochOver { epoch: epoch(0), height: height(11), next: epoch(1) };
    up_to(10).when(observe(&block(11))).refused(over);
    assert_eq!(up_to(10).state.carried(), None);
    let closing = EpochClosed {
        epoch: epoch(0),
        hash: block(10).signed_header.hash(),
        headers: 10,
        height: height(10),
    };
    let closed = up_to(10).when(close()).then(vec![Event::EpochClosed(closing)]);
    closed.clone().when(close()).then(vec![]);
    closed.clone().when(observe(&block(4))).then(vec![]);
    let carried = closed.state.carried();
    let next = unbegun().knowing(|known| {
        known.stream = stream(1);
        known.carried = carried.clone();
    });
    let opened = EpochOpened { carried: carried.unwrap(), epoch: epoch(1) };
    let opened =
        next.clone().when(Command::OpenEpoch {}).then(vec![Event::EpochOpened(Box::new(opened))]);
    opened.clone().when(Command::OpenEpoch {}).refused(Refusal::BegunAlready);
    opened.when(observe(&block(11))).then_named(&["header-observed"]);
    // The first header of an epoch opens it by itself.
    next.when(observe(&block(11))).then_named(&["epoch-opened", "header-observed"]);
}

#[test]
fn an_epoch_opens_only_with_what_an_earlier_one_carries_over() {
    let nothing = Refusal::NothingCarried { epoch: epoch(0) };
    unbegun().when(Command::OpenEpoch {}).refused(nothing.clone());
    unbegun().when(observe(&block(2))).refused(Refusal::NotBegun);
    let carried = up_to(10).and(close()).state.carried();
    unbegun().knowing(|known| known.carried = carried).when(Command::OpenEpoch {}).refused(nothing);
}

#[test]
fn an_epoch_whose_end_is_skipped_is_closed_by_naming_the_next_height() {
    let named = |number| Command::CloseEpoch { next_height: Some(height(number)) };
    up_to(4).when(named(10)).refused_as("epoch-not-complete");
    let closed = up_to(4).when(named(35)).then_named(&["epoch-closed"]);
    let refusal = Refusal::EpochClosed { epoch: epoch(0) };
    closed.clone().when(observe(&block(5))).refused(refusal);
    let carried = closed.state.carried();
    unbegun()
        .knowing(|known| (known.stream, known.carried) = (stream(3), carried))
        .when(observe(&block(35)))
        .then_named(&["epoch-opened", "header-observed"]);
}

fn report(first: LightBlock, second: LightBlock) -> Command {
    Command::ReportFork { first, second }
}

fn resolve(keep: &LightBlock) -> Command {
    Command::ResolveFork {
        height: keep.signed_header.height(),
        keep: keep.signed_header.hash(),
        reason: "the network follows it".parse().unwrap(),
    }
}

#[test]
fn a_second_header_for_a_height_is_a_fork_to_be_reported() {
    let refusal = Refusal::ForkSuspected {
        found: other(3).signed_header.hash(),
        height: height(3),
        recorded: block(3).signed_header.hash(),
    };
    up_to(5).when(observe(&other(3))).refused(refusal);
}

#[test]
fn a_fork_stops_the_chain_and_names_who_signed_both() {
    let conflicting = Draft { signers: vec![2, 3, 4], app_hash: vec![1], ..Draft::new(3, FOUR) };
    let conflicting = conflicting.block();
    let events = up_to(5).when(report(conflicting.clone(), block(3))).events();
    let Event::ForkDetected(fork) = &events[0] else { panic!("{events:?}") };
    let mut culprits = vec![fixture::address(2), fixture::address(3), fixture::address(4)];
    culprits.sort();
    assert_eq!(fork.culprits, culprits);
    assert_eq!(fork.recorded, block(3).signed_header.hash());
    let forked = up_to(5).and(report(block(3), conflicting.clone()));
    let unresolved = Refusal::ForkUnresolved { height: height(3) };
    forked.clone().when(observe(&block(6))).refused(unresolved.clone());
    forked.clone().when(close()).refused(unresolved.clone());
    forked.clone().when(report(conflicting, block(3))).then(vec![]);
    forked.when(report(block(4), other(4))).refused(unresolved);
}

#[test]
fn two_headers_that_prove_nothing_are_no_fork() {
    let sentence =
        |first, second| match up_to(5).when(report(first, second)).refused_as("no-fork-proved") {
            Refusal::NoForkProved { sentence } => sentence,
            refusal => panic!("{refusal:?}"),
        };
    assert!(sentence(block(3), block(3)).contains("the same header"));
    assert!(sentence(block(3), other(4)).contains("different heights"));
    assert!(
        sentence(other(3), Draft { app_hash: vec![1], ..Draft::new(3, FOUR) }.block())
            .contains("neither")
    );
    assert!(sentence(block(7), other(7)).contains("no header of this height"));
    let strangers = Draft::new(3, &[(1, 10), (6, 10), (7, 10)]).block();
    assert!(sentence(block(3), strangers).contains("10 of 40"));
    up_to(5).when(report(block(3), flipped_other(3))).refused_as("header-invalid");
}

fn flipped_other(number: u64) -> LightBlock {
    let weak = Draft { app_hash: vec![0xff], signers: vec![1, 2], ..Draft::new(number, FOUR) };
    weak.block()
}

#[test]
fn keeping_the_recorded_header_goes_on_where_the_chain_stopped() {
    let forked = up_to(5).and(report(block(3), other(3)));
    let resolved = ForkResolved {
        abandoned: other(3).signed_header.hash(),
        height: height(3),
        kept: block(3).signed_header.hash(),
        reason: "the network follows it".parse().unwrap(),
    };
    let on = forked.when(resolve(&block(3))).then(vec![Event::ForkResolved(resolved)]);
    on.clone().when(resolve(&block(3))).refused(Refusal::NoFork { height: height(3) });
    on.when(observe(&block(6))).then_named(&["header-observed"]);
}

#[test]
fn keeping_the_other_header_abandons_what_was_recorded_after_it() {
    let forked = up_to(5).and(report(block(3), other(3)));
    let stranger = Refusal::NotOfFork { hash: Hash::of(b"?"), height: height(3) };
    let command = Command::ResolveFork {
        height: height(3),
        keep: Hash::of(b"?"),
        reason: "why not".parse().unwrap(),
    };
    forked.clone().when(command).refused(stranger);
    let turned = forked.when(resolve(&other(3))).then_named(&["fork-resolved"]);
    assert_eq!(turned.state.head().unwrap().hash, other(3).signed_header.hash());
    turned.when(observe(&other(4))).then_named(&["header-observed"]);
}

#[test]
fn a_fork_in_a_closed_epoch_can_be_reported_but_not_turned_back() {
    let forked = up_to(10).and(close()).and(report(block(3), other(3)));
    let closed = Refusal::EpochClosed { epoch: epoch(0) };
    forked.clone().when(resolve(&other(3))).refused(closed);
    forked.when(resolve(&block(3))).then_named(&["fork-resolved"]);
}

/// Our own chain's stream.
fn ours() -> Given<Chain> {
    unbegun().knowing(|known| {
        known.stream = ChainStream { chain: "node0-local".parse().unwrap(), epoch: epoch(0) };
    })
}

fn initialise(document: &Value) -> Command {
    Command::InitialiseGenesis { document: document.to_string() }
}

#[test]
fn our_own_chain_begins_with_a_checked_document() {
    let document = genesis::native();
    let events = ours().when(initialise(&document)).events();
    let Event::GenesisInitialised(begun) = &events[0] else { panic!("{events:?}") };
    assert_eq!(begun.genesis_hash, Hash::of(document.to_string().as_bytes()));
    assert_eq!(begun.accounts, 2);
    assert_eq!(begun.bonded.value(), 40_000_000);
    assert_eq!(begun.supply.value(), 40_000_300);
    assert_eq!(begun.validators_hash, set(FOUR).hash());
    let native = ours().and(initialise(&document));
    native.clone().when(initialise(&document)).then(vec![]);
    native.clone().when(observe(&block(2))).refused_as("not-observed");
    native.clone().when(close()).refused(Refusal::NothingApplied);
    let mut other = document.clone();
    other["genesis_time"] = "2027-01-01T00:00:00Z".into();
    native.when(initialise(&other)).refused(Refusal::BegunAlready);
}

#[test]
fn a_faulty_document_is_refused_with_all_its_faults() {
    let mut document = genesis::native();
    document["chain_id"] = "a b".into();
    document["genesis_time"] = Value::Null;
    let refusal = ours().when(initialise(&document)).refused_as("genesis-faulty");
    let json = serde_json::to_value(&refusal).unwrap();
    assert_eq!(json["count"], 2);
    assert_eq!(json["faults"][0]["pointer"], "/chain_id");
    assert_eq!(json["faults"][1]["pointer"], "/genesis_time");
}

#[test]
fn a_document_of_another_application_or_chain_begins_nothing_here() {
    let mut foreign = genesis::native();
    foreign["app_state"] = json!({"auth": {}, "bank": {}});
    ours().when(initialise(&foreign)).refused_as("genesis-not-ours");
    unbegun().when(initialise(&genesis::native())).refused_as("chain-mismatch");
    let mut later = genesis::native();
    later["initial_height"] = "33".into();
    let (expected, found) = (epoch(1), epoch(0));
    let refusal = Refusal::EpochMismatch { expected, found, height: height(33) };
    ours().when(initialise(&later)).refused(refusal);
}

#[test]
fn the_largest_genesis_fits_into_one_record() {
    let events = ours().when(initialise(&genesis::with_validators(300))).events();
    let bytes = serde_json::to_vec(&events[0]).unwrap().len();
    assert!(bytes < 65_535 - 2_000, "{bytes} bytes");
}

#[test]
fn a_header_too_large_for_a_record_is_refused_and_a_large_one_leaves_the_announced_set_out() {
    let members = |count: u8, power: u64| -> Vec<(u8, u64)> {
        (1..=count).map(|number| (number, power)).collect()
    };
    let large = Draft { next: set(&members(170, 2)), ..Draft::new(1, &members(170, 1)) }.block();
    let events = unbegun().when(start(large.clone())).events();
    assert!(events.iter().all(|event| serde_json::to_vec(event).unwrap().len() < 65_535));
    let story = unbegun().and(start(large));
    let next = Draft { next: set(&members(171, 3)), ..Draft::new(2, &members(170, 2)) }.block();
    let events = story.clone().when(observe(&next)).events();
    assert!(events.iter().all(|event| serde_json::to_vec(event).unwrap().len() < 65_535));
    let huge: Vec<(u8, u64)> = members(250, 1);
    let refusal = observing_large(&huge);
    assert_eq!(refusal, Ok(()), "an anchor's set is kept beside it");
}

fn observing_large(members: &[(u8, u64)]) -> Result<(), Refusal> {
    let command = start(Draft::new(1, members).block());
    let begun = unbegun();
    begun.state.decide(&command, &begun.known).map(|events| {
        assert!(events.iter().all(|event| serde_json::to_vec(event).unwrap().len() < 65_535));
    })
}

/// The whole chain of a running node, in epochs of a hundred.
#[test]
fn all_256_headers_of_a_running_node_are_recorded_over_three_epochs() {
    let Some(text) = fixture::file("headers/celestia-chain3-1-to-256.json") else { return };
    let blocks = domain::light::parse(&text).unwrap();
    let chain = blocks[0].signed_header.chain_id().clone();
    let at = |number| ChainStream { chain: chain.clone(), epoch: epoch(number) };
    let mut story =
        unbegun().knowing(|known| known.stream = at(0)).and(Command::StartObservation {
            anchor: blocks[0].clone(),
            epoch_headers: 100,
            trusting_period_s: 3_650 * DAY_S,
        });
    let mut recorded = 1;
    for block in &blocks[1..] {
        let stream = ChainStream::of(chain.clone(), block.signed_header.height(), 100);
        if stream != story.known.stream {
            let carried = story.and(close()).state.carried();
            story = unbegun().knowing(|known| (known.stream, known.carried) = (stream, carried));
        }
        let events = story.clone().when(observe(block)).events();
        events.iter().for_each(|event| story.state.evolve(event));
        recorded += events.iter().filter(|e| matches!(e, Event::HeaderObserved(_))).count();
    }
    assert_eq!((recorded, story.known.stream), (256, at(2)));
    assert_eq!(story.state.head().unwrap().height, height(256));
}

/// A story in which everything happens.
pub fn one_of_each() -> Vec<Event> {
    let begun = ours();
    let mut events = begun.when(initialise(&genesis::native())).events();
    events.extend(unbegun().when(start(block(1))).events());
    events.retain(|event| !matches!(event, Event::HeaderObserved(_)));
    let five: &[(u8, u64)] = &[(1, 10), (2, 10), (3, 10), (4, 10), (5, 10)];
    let announcing = Draft { next: set(five), ..Draft::new(2, FOUR) }.block();
    events.extend(observing().when(observe(&announcing)).events());
    events.extend(observing().when(observe(&flipped(2))).events());
    events.extend(up_to(5).when(report(block(3), other(3))).events());
    let forked = up_to(5).and(report(block(3), other(3)));
    events.extend(forked.when(resolve(&block(3))).events());
    events.extend(up_to(10).when(close()).events());
    let carried = up_to(10).and(close()).state.carried();
    let next = unbegun().knowing(|known| (known.stream, known.carried) = (stream(1), carried));
    events.extend(next.when(Command::OpenEpoch {}).events());
    events.extend(native::one_of_each());
    events
}

/// An example of each command, made with real keys.
pub fn examples() -> Vec<Value> {
    let commands = [
        Command::InitialiseGenesis { document: genesis::native().to_string() },
        Command::StartObservation {
            anchor: block(1),
            epoch_headers: 1_000,
            trusting_period_s: 3_650 * DAY_S,
        },
        observe(&block(2)),
        Command::CloseEpoch { next_height: Some(height(1_001)) },
        Command::OpenEpoch {},
        report(block(2), other(2)),
        resolve(&block(2)),
    ];
    let commands = commands.into_iter().chain(native::commands());
    commands.map(|command| serde_json::to_value(command).unwrap()).collect()
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    ours().and(example("initialise-genesis"));
    let closed = unbegun()
        .and(example("start-observation"))
        .and(example("observe-header"))
        .and(example("report-fork"))
        .and(example("resolve-fork"))
        .and(example("close-epoch"));
    let carried = closed.state.carried();
    unbegun()
        .knowing(|known| (known.stream, known.carried) = (stream(1), carried))
        .and(example("open-epoch"));
}
