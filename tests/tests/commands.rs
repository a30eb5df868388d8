//! How a request becomes facts: once, in order, on the newest state, and only when it may.

use std::sync::Arc;

use commands::{Actor, CommandError, Commands, CommandsOptions, Permission, RequestContext, Role};
use domain::{
    chain::{Chain, ChainStream, Refusal as ChainRefusal},
    validator::{Command, Refusal, Validator},
    validator_set::{self, ValidatorSet},
    values::{Address, Amount, ChainId, Epoch},
};
use event_store::{EventStore, StoreOptions, StreamName};
use futures::future::join_all;
use tests::{database::TestDatabase, headers, keys::ValidatorKey, network};

struct Wing {
    database: TestDatabase,
}

impl Wing {
    async fn new() -> Wing {
        Wing { database: TestDatabase::create().await }
    }

    /// A process of its own on the same database.
    async fn process(&self) -> Commands {
        let store = EventStore::open(StoreOptions::new(self.database.url())).await;
        Commands::new(store.expect("the log opens"), CommandsOptions::default())
    }
}

fn chain() -> ChainId {
    "test-1".parse().expect("a chain id")
}

fn context() -> RequestContext {
    RequestContext::new(Actor::new("alice", Role::Admin))
}

fn delegate(n: u64) -> Command {
    Command::Delegate { amount: Amount::new(1), delegator: ValidatorKey::number(n).address() }
}

async fn registered(commands: &Commands, n: u64) -> Address {
    let key = ValidatorKey::number(n);
    let done = commands.execute::<Validator>(key.address(), key.register(&chain()), context());
    done.await.expect("a registration with a proof is accepted");
    key.address()
}

async fn head(commands: &Commands) -> u64 {
    commands.store().head().await.expect("the head").position
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_repeated_under_its_key_gets_the_first_answer_and_is_done_once() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let validator = registered(&commands, 1).await;
    let first = commands
        .execute::<Validator>(validator, delegate(2), context().with_key("k"))
        .await
        .expect("done");
    let before = head(&commands).await;
    for process in [commands.clone(), wing.process().await] {
        let again = process
            .execute::<Validator>(validator, delegate(2), context().with_key("k"))
            .await
            .expect("done before");
        assert!(again.repeated);
        assert_eq!(again.position, first.position);
        assert_eq!(again.version, first.version);
        assert_eq!(again.events[0].id, first.events[0].id);
        assert_eq!(again.events[0].data.get(), first.events[0].data.get());
    }
    assert_eq!(head(&commands).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn twins_of_one_request_that_arrive_together_are_done_once() {
    let wing = Wing::new().await;
    let (one, other) = (wing.process().await, wing.process().await);
    let key = ValidatorKey::number(1);
    let twins = (0..16).map(|n| {
        let process = if n % 2 == 0 { &one } else { &other };
        let command = key.register(&chain());
        process.execute::<Validator>(key.address(), command, context().with_key("twin"))
    });
    for answer in join_all(twins).await {
        // The second registration of one key would be refused; its twin's answer counts instead.
        assert_eq!(answer.expect("one of them did it").version, 1);
    }
    assert_eq!(head(&one).await, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_cannot_be_used_for_something_else_but_another_actor_has_keys_of_its_own() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let validator = registered(&commands, 1).await;
    let run = |command, context: RequestContext| {
        commands.execute::<Validator>(validator, command, context.with_key("k"))
    };
    run(delegate(2), context()).await.expect("done");
    let reused = run(delegate(3), context()).await;
    assert!(matches!(reused, Err(CommandError::KeyReused)), "{reused:?}");
    let bob = RequestContext::new(Actor::new("bob", Role::Admin));
    run(delegate(3), bob).await.expect("bob's key is bob's");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_expected_version_that_is_not_the_stream_s_is_stale_and_says_what_it_is() {
    let wing = Wing::new().await;
    let (commands, other) = (wing.process().await, wing.process().await);
    let validator = registered(&commands, 1).await;
    let at = |version| RequestContext { expected_version: Some(version), ..context() };
    let stale = commands.execute::<Validator>(validator, delegate(2), at(7)).await;
    assert!(matches!(stale, Err(CommandError::Stale { expected: 7, current: 1 })), "{stale:?}");
    // Another process moves the stream; a state kept in memory must not answer for it.
    other.execute::<Validator>(validator, delegate(2), at(1)).await.expect("version 1 is current");
    commands.execute::<Validator>(validator, delegate(3), at(2)).await.expect("2 is current");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dry_run_tells_what_would_happen_and_appends_nothing() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let validator = registered(&commands, 1).await;
    let dry = RequestContext { dry_run: true, ..context() };
    let told = commands.execute::<Validator>(validator, delegate(2), dry.clone()).await;
    let told = told.expect("it would be accepted");
    assert!(told.dry_run && told.position.is_none());
    assert_eq!(told.events[0].event_type, "delegation-added.v1");
    assert_eq!(head(&commands).await, 1);
    let refused = commands.execute::<Validator>(validator, Command::Unjail {}, dry).await;
    assert!(matches!(refused, Err(CommandError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_that_wait_for_one_stream_are_decided_in_order_on_each_other() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let validator = registered(&commands, 1).await;
    let items = (0..500).map(|n| (validator, delegate(10 + n), context())).collect();
    let answers = commands.execute_all::<Validator>(items).await;
    for (answer, version) in answers.into_iter().zip(2..) {
        assert_eq!(answer.expect("each is accepted").version, version);
    }
    assert_eq!(head(&commands).await, 501);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_refused_item_does_not_keep_the_others_of_its_batch_from_being_done() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let validator = registered(&commands, 1).await;
    let items = vec![
        (validator, delegate(2), context()),
        (validator, Command::Unjail {}, context()),
        (validator, delegate(3), context()),
    ];
    let answers = commands.execute_all::<Validator>(items).await;
    assert_eq!(answers[0].as_ref().expect("done").version, 2);
    assert!(matches!(answers[1], Err(CommandError::Refused(_))));
    assert_eq!(answers[2].as_ref().expect("done").version, 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn processes_that_write_one_stream_lose_nothing_and_double_nothing() {
    let wing = Wing::new().await;
    let processes = [wing.process().await, wing.process().await, wing.process().await];
    let validator = registered(&processes[0], 1).await;
    let mut rounds = Vec::new();
    for (process, commands) in processes.iter().enumerate() {
        rounds.push(async move {
            let mut done = 0;
            for n in 0..30 {
                let command = delegate(1_000 * (process as u64 + 1) + n);
                match commands.execute::<Validator>(validator, command, context()).await {
                    Ok(_) => done += 1,
                    Err(CommandError::Conflict { .. }) => {}
                    Err(error) => panic!("{error}"),
                }
            }
            done
        });
    }
    let done: u64 = join_all(rounds).await.into_iter().sum();
    assert!(done >= 30, "only {done} of 90 were done");
    assert_eq!(head(&processes[0]).await, 1 + done);
    let (state, version) =
        processes[1].aggregate::<Validator>(&validator).await.expect("read").expect("there");
    assert_eq!(version, 1 + done);
    let stake = &state.record().expect("registered").stake;
    assert_eq!(stake.delegated, Amount::new(u128::from(done)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_kept_in_memory_never_refuses_what_the_log_would_allow() {
    let wing = Wing::new().await;
    let (one, other) = (wing.process().await, wing.process().await);
    let validator = registered(&one, 1).await;
    let jail = Command::Jail { reason: "absent".parse().expect("a reason") };
    one.execute::<Validator>(validator, Command::Activate {}, context()).await.expect("activated");
    // The other process now has the active validator in memory.
    other.execute::<Validator>(validator, delegate(2), context()).await.expect("delegated");
    one.execute::<Validator>(validator, jail.clone(), context()).await.expect("jailed");
    let again = other.execute::<Validator>(validator, jail, context()).await;
    assert!(matches!(again, Err(CommandError::Refused(_))), "jailed already: {again:?}");
    let bond = Command::Bond { amount: Amount::new(1) };
    other.execute::<Validator>(validator, bond, context()).await.expect("a jailed one may bond");
}

#[tokio::test(flavor = "multi_thread")]
async fn who_lacks_the_permission_is_told_which_and_nothing_is_done() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let key = ValidatorKey::number(1);
    for role in Role::ALL {
        let context =
            RequestContext { dry_run: true, ..RequestContext::new(Actor::new("x", *role)) };
        let answer =
            commands.execute::<Validator>(key.address(), key.register(&chain()), context).await;
        let permission = Permission::ValidatorRegister;
        match answer {
            Ok(_) => assert!(role.holds(permission), "{role:?}"),
            Err(CommandError::Forbidden { permission: named }) => {
                assert!(!role.holds(permission) && named == permission, "{role:?}");
            }
            Err(error) => panic!("{role:?}: {error}"),
        }
    }
    assert_eq!(head(&commands).await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_set_s_churn_is_counted_across_streams_and_processes() {
    let wing = Wing::new().await;
    let (one, other) = (wing.process().await, wing.process().await);
    let mut activated = 0;
    for n in 1..=4 {
        let process = if n % 2 == 0 { &one } else { &other };
        let validator = registered(process, n).await;
        let answer = process.execute::<Validator>(validator, Command::Activate {}, context()).await;
        match answer {
            Ok(_) => activated += 1,
            Err(CommandError::Refused(Refusal::ChurnExhausted { maximum: 2, used: 2 })) => {}
            Err(error) => panic!("{error}"),
        }
    }
    assert_eq!(activated, 2);
    // The next epoch has a churn of its own.
    for epoch in 0..2 {
        let rotate = validator_set::Command::Rotate { epoch: Epoch::new(epoch).expect("an epoch") };
        one.execute::<ValidatorSet>(chain(), rotate, context()).await.expect("rotated");
    }
    let third = ValidatorKey::number(3).address();
    one.execute::<Validator>(third, Command::Activate {}, context()).await.expect("epoch 1");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_observed_chain_is_recorded_epoch_by_epoch_and_resumes_where_it_was() {
    let wing = Wing::new().await;
    let (one, other) = (wing.process().await, wing.process().await);
    let blocks = headers::make(&chain(), 25, 1);
    let mut rest = blocks.clone().into_iter();
    let anchor = rest.next().expect("a first header");
    one.start_observation(anchor, 10, u32::MAX, context()).await.expect("anchored");
    for (block, process) in rest.zip([&one, &other].into_iter().cycle()) {
        let height = block.signed_header.height();
        let observed = process.observe_header(&chain(), block, context()).await;
        observed.unwrap_or_else(|error| panic!("height {height}: {error}"));
    }
    let newest = one.newest_stream(&chain()).await.expect("found");
    assert_eq!(newest, ChainStream { chain: chain(), epoch: Epoch::new(2).expect("an epoch") });
    for epoch in 0..3 {
        let stream: StreamName = format!("chain-test-1-{epoch}").parse().expect("a name");
        let events = one.store().read_stream(&stream, 1, 100).await.expect("read");
        assert!(events.len() <= 13, "epoch {epoch} has {} events", events.len());
    }
    let before = head(&one).await;
    for block in blocks {
        let again = other.observe_header(&chain(), block, context()).await.expect("known");
        assert!(again.events.is_empty());
    }
    assert_eq!(head(&one).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_header_for_a_recorded_height_is_a_suspected_fork() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    let blocks = headers::make(&chain(), 3, 1);
    let foreign = headers::make(&chain(), 3, 11);
    let mut rest = blocks.into_iter();
    let anchor = rest.next().expect("a first header");
    commands.start_observation(anchor, 10, u32::MAX, context()).await.expect("anchored");
    for block in rest {
        commands.observe_header(&chain(), block, context()).await.expect("observed");
    }
    let other = foreign.into_iter().nth(1).expect("a second header");
    let answer = commands.observe_header(&chain(), other, context()).await;
    assert!(
        matches!(answer, Err(CommandError::Refused(ChainRefusal::ForkSuspected { .. }))),
        "{answer:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_begins_once_from_its_document_and_the_document_is_kept() {
    let wing = Wing::new().await;
    let commands = wing.process().await;
    network::begin(&commands).await;
    let stream = commands.newest_stream(&network::chain()).await.expect("found");
    let (state, _) = commands.aggregate::<Chain>(&stream).await.expect("read").expect("begun");
    let Chain::Native(native) = state else { panic!("not native: {state:?}") };
    let hash = *native.genesis_hash.as_bytes();
    let document = commands.store().blob(&hash).await.expect("read").expect("kept");
    let document = String::from_utf8(document.to_vec()).expect("text");
    let before = head(&commands).await;
    let again = commands.initialise_genesis(document.clone(), context()).await.expect("the same");
    assert!(again.events.is_empty());
    let other = document.replace("validator 1", "another");
    let refused = commands.initialise_genesis(other, context()).await;
    assert!(
        matches!(refused, Err(CommandError::Refused(ChainRefusal::BegunAlready))),
        "{refused:?}"
    );
    assert_eq!(head(&commands).await, before);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_that_leaves_does_not_undo_its_command() {
    let wing = Wing::new().await;
    let commands = Arc::new(wing.process().await);
    let validator = registered(&commands, 1).await;
    let gone = tokio::spawn({
        let commands = Arc::clone(&commands);
        async move {
            let context = context().with_key("gone");
            commands.execute::<Validator>(validator, delegate(2), context).await
        }
    });
    tokio::task::yield_now().await;
    gone.abort();
    let left = gone.await;
    let asked = commands
        .execute::<Validator>(validator, delegate(2), context().with_key("gone"))
        .await
        .expect("done now, or before");
    assert_eq!(asked.version, 2, "{left:?}");
    assert_eq!(head(&commands).await, 2);
}
