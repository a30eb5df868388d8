//! From a signed transfer to a final block, height after height, whatever happens to the process
//! between.

mod epochs;
mod evictions;
mod interrupted;
mod large;
mod mempool;
mod registrations;
mod snapshots;

use commands::{CommandError, Commands, CommandsOptions, Process, Reactions, RequestContext};
use domain::{
    block::{self, Block, Contents, Fault, Standing},
    chain::{Chain, ChainStream},
    validator::{self, Validator},
    validator_set,
    values::{Amount, Epoch, Height, Nonce},
    vote::VoteType,
};
use event_store::{EventStore, Filter, StoreOptions, StoredEvent, StreamName};
use tendermint_light_client_verifier::Verdict;
use tests::{
    database::TestDatabase,
    light_client::{made, verdict},
    network::{
        self, BALANCE, EPOCH_BLOCKS, as_admin, as_validator, chain, height, sender, stream, submit,
        transfer,
    },
};

const PROCESSES: &[Process] = Process::ALL;

/// A process of its own on a database.
async fn process(database: &TestDatabase) -> Commands {
    let store = EventStore::open(StoreOptions::new(database.url())).await;
    Commands::new(store.unwrap(), CommandsOptions::default())
}

/// The events of a type, in the order of the log.
async fn happened(commands: &Commands, event_type: &str) -> Vec<StoredEvent> {
    let filter = Filter { event_types: vec![event_type.to_owned()], ..Filter::default() };
    commands.store().read_all(0, &filter, 10_000).await.unwrap().events
}

/// How many events of a type the log has.
async fn count(commands: &Commands, event_type: &str) -> usize {
    happened(commands, event_type).await.len()
}

async fn balance(commands: &Commands, n: u64) -> (u128, u64) {
    let ledger = commands.ledger().await.unwrap().unwrap();
    let account = ledger.account(sender(n).address());
    (account.balance.value(), account.nonce.value())
}

async fn standing(commands: &Commands, contents: &Contents) -> Standing {
    let read = commands.aggregate::<Block>(&contents.header.hash()).await.unwrap().unwrap();
    read.0.proposed().unwrap().standing.clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn signed_transfers_become_final_height_after_height_and_light_clients_of_others_agree() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    let heights = 2 * u64::from(EPOCH_BLOCKS) + 3;
    let mut headers = Vec::new();
    for number in 1..=heights {
        network::started(&commands, number).await;
        let nonce = number - 1;
        submit(&commands, &transfer(1, nonce, sender(2).address(), 100, 5)).await;
        submit(&commands, &transfer(2, nonce, sender(3).address(), 10, 7)).await;
        let contents = network::one_height(&commands, number).await;
        network::started(&commands, number + 1).await;
        assert!(matches!(standing(&commands, &contents).await, Standing::Final(_)));
        let (applied, execution) =
            commands.applied(&chain(), height(number)).await.unwrap().unwrap();
        assert_eq!((applied.hash, applied.transactions), (contents.header.hash(), 2));
        assert!(execution.receipts.iter().all(|receipt| receipt.failure.is_none()));
        let hashes: Vec<_> = execution.receipts.iter().map(|receipt| receipt.hash).collect();
        assert_eq!(hashes, contents.body.transactions);
        headers.push(made(&commands, number, &contents.header).await);
    }
    running.stop().await;
    let moved = u128::from(heights);
    assert_eq!(balance(&commands, 1).await, (BALANCE - 105 * moved, heights));
    assert_eq!(balance(&commands, 2).await, (BALANCE + (100 - 17) * moved, heights));
    assert_eq!(balance(&commands, 3).await, (BALANCE + 10 * moved, 0));
    let ledger = commands.ledger().await.unwrap().unwrap();
    assert_eq!(ledger.totals().sum(), Some(ledger.supply()));
    // Whoever starts anew follows to the same state, and nothing waits any more.
    let other = network::next_block(&process(&database).await).await;
    assert_eq!((other.ledger, other.waiting.transactions), (ledger, 0));
    books_are_closed(&commands, heights).await;
    for (index, trusted) in headers.iter().enumerate() {
        let next = headers.get(index + 1).map_or(&trusted.set, |made| &made.set);
        for untrusted in &headers[index + 1..] {
            assert_eq!(verdict(trusted, next, untrusted), Verdict::Success);
        }
    }
}

/// Each epoch's stream holds its own heights, and all but the last are closed.
async fn books_are_closed(commands: &Commands, heights: u64) {
    let last = height(heights).epoch(EPOCH_BLOCKS).value();
    for epoch in 0..=last {
        let books = ChainStream { chain: chain(), epoch: Epoch::new(epoch).unwrap() };
        let (state, _) = commands.aggregate::<Chain>(&books).await.unwrap().unwrap();
        let Chain::Native(native) = state else { panic!("not our own: {state:?}") };
        assert_eq!(native.closed, epoch < last, "epoch {epoch}");
        let own: Vec<Height> = (1..=heights)
            .map(height)
            .filter(|of| of.epoch(EPOCH_BLOCKS).value() == epoch)
            .collect();
        assert_eq!(native.blocks.keys().copied().collect::<Vec<_>>(), own);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_set_chosen_in_time_signs_from_its_epoch_s_first_height_on() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    // Two of the four register: the set that is chosen of them is another one.
    for n in [1, 2] {
        let key = network::validator(n);
        for command in [key.register(&chain()), validator::Command::Activate {}] {
            commands.execute::<Validator>(key.address(), command, as_admin()).await.unwrap();
        }
    }
    let rotate = |epoch| validator_set::Command::Rotate { epoch: Epoch::new(epoch).unwrap() };
    let chosen =
        |epoch| commands.execute::<validator_set::ValidatorSet>(chain(), rotate(epoch), as_admin());
    let first_epoch = height(1).epoch(EPOCH_BLOCKS).value();
    chosen(first_epoch + 1).await.unwrap();
    let mut headers = Vec::new();
    for number in 1..=2 * u64::from(EPOCH_BLOCKS) {
        let contents = network::one_height(&commands, number).await;
        headers.push(made(&commands, number, &contents.header).await);
    }
    running.stop().await;
    for made in &headers {
        let of_genesis = made.signed.height().epoch(EPOCH_BLOCKS).value() == first_epoch;
        assert_eq!(made.set.count(), if of_genesis { 4 } else { 2 }, "{}", made.signed.height());
    }
    for pair in headers.windows(2) {
        assert_eq!(verdict(&pair[0], &pair[1].set, &pair[1]), Verdict::Success);
    }
    // Trusting the first alone, the last is reached by skipping: half of the power stayed.
    let (first, last) = (&headers[0], headers.last().unwrap());
    assert_eq!(verdict(first, &headers[1].set, last), Verdict::Success);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_that_is_replaced_under_a_valid_block_is_executed_and_its_successor_goes() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    network::started(&commands, 1).await;
    let sent = transfer(1, 0, sender(2).address(), 100, 5);
    submit(&commands, &sent).await;
    let contents = network::make(&commands, 1, None).await;
    assert_eq!(network::record(&commands, &contents).await, Standing::Valid);
    submit(&commands, &transfer(1, 0, sender(2).address(), 100, 6)).await;
    network::agree(&commands, 1, contents.id()).await;
    network::started(&commands, 2).await;
    running.stop().await;
    assert_eq!(balance(&commands, 1).await, (BALANCE - 105, 1));
    for asked in [&commands, &process(&database).await] {
        let next = network::next_block(asked).await;
        assert_eq!(next.ledger.account(sender(1).address()).nonce, Nonce::new(1).unwrap());
        assert_eq!(next.waiting.transactions, 0);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_faulty_block_is_rejected_with_every_reason_at_once_and_cannot_be_proposed() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    network::started(&commands, 1).await;
    let sent: Vec<_> =
        (0..3).map(|nonce| transfer(1, nonce, sender(2).address(), 100, 5)).collect();
    for one in &sent {
        submit(&commands, one).await;
    }
    let next = network::next_block(&commands).await;
    let (unknown, stranger) =
        (transfer(3, 0, sender(2).address(), 1, 5).hash(), network::validator(50).address());
    // The first is left out: those after it cannot be executed at their places.
    let transactions = vec![sent[1].hash(), unknown, sent[2].hash()];
    let mut ground = next.ground;
    ground.last_results_hash = unknown;
    let body = block::Body { transactions, ..block::Body::default() };
    let contents = ground.build(body, stranger, &next.parameters).unwrap();
    assert_eq!(network::record(&commands, &contents).await, Standing::Invalid);
    let name = StreamName::of("block", contents.header.hash()).unwrap();
    let events = commands.store().read_stream(&name, 1, 10).await.unwrap();
    let record = events[1].parse().unwrap();
    let block::Event::BlockRejected(rejected) =
        domain::aggregate::read(record.event_type, record.data.get()).unwrap()
    else {
        panic!("{}", record.event_type)
    };
    let faulty = |hash| {
        rejected.faults.iter().any(
            |fault| matches!(fault, Fault::TransactionInvalid { hash: found, .. } if *found == hash),
        )
    };
    assert!(faulty(sent[1].hash()) && faulty(sent[2].hash()), "{rejected:?}");
    assert!(rejected.faults.contains(&Fault::TransactionUnknown { hash: unknown }));
    assert!(rejected.faults.contains(&Fault::ProposerNotInSet { proposer: stranger }));
    assert_eq!(rejected.faults.len(), 5, "{rejected:?}");
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn only_validators_propose_and_vote_and_only_administrators_finalize() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, PROCESSES);
    let started = network::started(&commands, 1).await;
    let contents = network::make(&commands, 1, None).await;
    let forbidden = |error: &str| error.starts_with("this needs the permission consensus:");
    let refused = commands.propose_block(contents.clone(), as_admin()).await.unwrap_err();
    assert!(forbidden(&refused.to_string()), "{refused}");
    let member = started.start().members[0].address;
    let vote = network::vote(&started, member, VoteType::Prevote, None);
    let cast = domain::consensus::Command::CastVote(vote);
    let told = |context: RequestContext| {
        commands.execute::<domain::consensus::ConsensusHeight>(stream(1), cast.clone(), context)
    };
    let refused = told(as_admin()).await.unwrap_err();
    assert!(forbidden(&refused.to_string()), "{refused}");
    told(as_validator()).await.unwrap();
    network::record(&commands, &contents).await;
    let abandon = block::Command::Abandon { reason: "another".parse().unwrap() };
    let refused = commands.execute::<Block>(contents.header.hash(), abandon, as_validator()).await;
    assert!(matches!(refused, Err(CommandError::Forbidden { .. })), "{refused:?}");
    assert_eq!(balance(&commands, 1).await, (Amount::new(BALANCE).value(), 0));
    running.stop().await;
}
