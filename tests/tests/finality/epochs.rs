//! What an epoch's end asks for, and what follows from an offence, by themselves.
//!
//! Does not test the decisions: the domain's specifications do.

use commands::{Commands, Reactions};
use domain::{
    consensus,
    evidence::Evidence,
    light::ValidatorSet as NamedSet,
    transaction::Payload,
    validator::{self, Offence, Record, StandingName, Validator},
    validator_set::ValidatorSet,
    values::{Address, Amount, Round},
    vote::VoteType,
};
use serde_json::{Value, json};
use tendermint_light_client_verifier::Verdict;
use tests::{
    database::TestDatabase,
    light_client::{made, verdict},
    network::{self, EPOCH_BLOCKS, VALIDATORS, as_admin, chain, sender, signed, submit, transfer},
};

use super::{PROCESSES, process};

/// The first heights of epochs.
const EPOCH: u64 = EPOCH_BLOCKS as u64;

async fn command(commands: &Commands, n: u64, command: validator::Command) {
    let address = network::validator(n).address();
    commands.execute::<Validator>(address, command, as_admin()).await.unwrap();
}

/// A chain whose validators are registered, and may be chosen.
pub async fn begin(commands: &Commands, mut parameters: Value) {
    // All of them may join in the first epoch.
    parameters["churn_per_epoch_max"] = json!({"floor": VALIDATORS, "one_in": 50});
    network::begin_with(commands, parameters).await;
    for n in 1..=VALIDATORS {
        command(commands, n, network::validator(n).register(&chain())).await;
        command(commands, n, validator::Command::Activate {}).await;
    }
}

async fn record(commands: &Commands, n: u64) -> Record {
    let address = network::validator(n).address();
    let (state, _) = commands.aggregate::<Validator>(&address).await.unwrap().unwrap();
    state.record().unwrap().clone()
}

/// A validator, once it is as it should be.
async fn once(commands: &Commands, n: u64, is: impl Fn(&Record) -> bool) -> Record {
    let mut last = record(commands, n).await;
    for _ in 0..1_000 {
        if is(&last) {
            return last;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        last = record(commands, n).await;
    }
    panic!("it does not come to that: {last:#?}");
}

/// A height, until the next one has started.
async fn one_height(
    commands: &Commands,
    number: u64,
    silent: Option<Address>,
    evidence: Vec<Evidence>,
) -> domain::block::Contents {
    let contents = network::one_height_with(commands, number, silent, evidence).await;
    network::started(commands, number + 1).await;
    contents
}

fn members(started: &consensus::Started) -> Vec<Address> {
    started.start().members.iter().map(|seat| seat.address).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn duties_are_counted_and_the_next_set_is_chosen_in_time_epoch_after_epoch() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    begin(&commands, json!({})).await;
    let running = Reactions::start(&commands, PROCESSES);
    let heights = 4 * EPOCH;
    let mut headers = Vec::new();
    for number in 1..=heights {
        let contents = one_height(&commands, number, None, Vec::new()).await;
        headers.push(made(&commands, number, &contents.header).await);
    }
    let last = network::height(heights).epoch(EPOCH_BLOCKS);
    for n in 1..=VALIDATORS {
        let is = |record: &Record| record.last_performance.is_some_and(|of| of.plus(1) >= last);
        let record = once(&commands, n, is).await;
        assert!(record.reputation > 500, "who signs earns: {record:#?}");
        assert_eq!(record.standing.name(), StandingName::Active);
    }
    let (state, _) = commands.aggregate::<ValidatorSet>(&chain()).await.unwrap().unwrap();
    let ValidatorSet::Chosen { epoch, members } = state else { panic!("{state:?}") };
    assert!(epoch >= last && members.len() as u64 == VALIDATORS, "{epoch}: {members:?}");
    running.stop().await;
    for (index, trusted) in headers.iter().enumerate() {
        let next: &NamedSet = headers.get(index + 1).map_or(&trusted.set, |made| &made.set);
        for untrusted in &headers[index + 1..] {
            assert_eq!(verdict(trusted, next, untrusted), Verdict::Success);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_transactions_stake_and_take_back_moves_the_power_of_the_sets_that_follow() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    begin(&commands, json!({})).await;
    let running = Reactions::start(&commands, PROCESSES);
    let (first, second) = (network::validator(1), network::validator(2));
    let (validator, amount) = (first.address(), Amount::new(20_000_000));
    submit(&commands, &signed(&sender(1), 0, 5, Payload::Delegate { amount, validator })).await;
    submit(&commands, &transfer(2, 0, second.address(), 1_000, 5)).await;
    let mut headers = Vec::new();
    let mut powers = Vec::new();
    for number in 1..=6 * EPOCH {
        let contents = one_height(&commands, number, None, Vec::new()).await;
        headers.push(made(&commands, number, &contents.header).await);
        let begun = network::started(&commands, number).await;
        let power = |address| begun.voter(address).map(|voter| voter.power.value());
        powers.push((power(first.address()), power(second.address())));
        if number == 2 * EPOCH {
            // The delegator takes all of it back, and so does a validator, who leaves by that.
            let payload = Payload::Undelegate { amount, validator };
            submit(&commands, &signed(&sender(1), 1, 5, payload)).await;
            let (amount, validator) = (Amount::new(10_000_000), second.address());
            submit(&commands, &signed(&second, 0, 5, Payload::Unbond { amount, validator })).await;
        }
    }
    running.stop().await;
    powers.dedup();
    let ten = Some(10);
    assert_eq!(powers, [(ten, ten), (Some(30), ten), (ten, None)]);
    assert_eq!(record(&commands, 2).await.standing.name(), StandingName::Exiting);
    for pair in headers.windows(2) {
        assert_eq!(verdict(&pair[0], &pair[1].set, &pair[1]), Verdict::Success);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_signs_two_things_is_tombstoned_and_out_of_the_next_set_by_itself() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    begin(&commands, json!({})).await;
    let running = Reactions::start(&commands, PROCESSES);
    one_height(&commands, 1, None, Vec::new()).await;
    // Prevotes for nil, and then with the others.
    let begun = network::started(&commands, 2).await;
    let liar = (1..=VALIDATORS)
        .find(|n| network::validator(*n).address() != begun.proposer(Round::FIRST))
        .unwrap();
    let address = network::validator(liar).address();
    let nil = network::vote(&begun, address, VoteType::Prevote, None);
    network::tell(&commands, 2, consensus::Command::CastVotes { votes: vec![nil] }).await;
    one_height(&commands, 2, None, Vec::new()).await;
    let told = network::started(&commands, 2).await;
    let evidence = told.evidence();
    assert_eq!(evidence.len(), 1, "{:#?}", told.equivocations().collect::<Vec<_>>());
    let time = told.committed().unwrap().block_time;
    let voter = told.voter(address).unwrap();
    evidence[0].verify(&chain(), &voter, time).expect("others can verify it");
    one_height(&commands, 3, None, evidence.clone()).await;
    let is = |record: &Record| record.standing.name() == StandingName::Tombstoned;
    let record = once(&commands, liar, is).await;
    assert!(record.evidence.contains(&evidence[0].hash()));
    assert!(record.offences.contains(&(Offence::Equivocation, network::height(2))));
    assert!(record.stake.bond.is_zero(), "{record:#?}");
    // The set that is in force goes on to the epoch that the next one was chosen for.
    let mut number = 4;
    while members(&network::started(&commands, number).await).contains(&address) {
        one_height(&commands, number, None, Vec::new()).await;
        number += 1;
        assert!(number < 4 * EPOCH, "it is still in the set at height {number}");
    }
    assert_eq!(members(&network::started(&commands, number).await).len(), 3);
    one_height(&commands, number, None, Vec::new()).await;
    let ledger = commands.ledger().await.unwrap().unwrap();
    assert_eq!(ledger.totals().sum(), Some(ledger.supply()));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_is_silent_for_too_long_is_jailed_and_the_others_go_on() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    begin(&commands, json!({"downtime_window_blocks": 6})).await;
    let running = Reactions::start(&commands, PROCESSES);
    let silent = network::validator(3).address();
    let mut number = 1;
    while members(&network::started(&commands, number).await).contains(&silent) {
        // Its own turns come, too: then it proposes, and says no more.
        one_height(&commands, number, Some(silent), Vec::new()).await;
        number += 1;
        assert!(number < 8 * EPOCH, "it is still in the set at height {number}");
    }
    let record = record(&commands, 3).await;
    assert_eq!(record.standing.name(), StandingName::Jailed);
    assert_eq!(record.offences.len(), 1, "punished once: {:?}", record.offences);
    for n in [1, 2, 4] {
        let record = self::record(&commands, n).await;
        assert_eq!(record.standing.name(), StandingName::Active);
        assert!(record.offences.is_empty(), "{record:#?}");
    }
    one_height(&commands, number, None, Vec::new()).await;
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_to_leave_has_left_when_the_bond_has_matured() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    let parameters = json!({"evidence_age_blocks_max": 4, "unbonding_epochs": 3});
    begin(&commands, parameters).await;
    let running = Reactions::start(&commands, PROCESSES);
    command(&commands, 2, validator::Command::InitiateExit {}).await;
    let mut number = 1;
    while record(&commands, 2).await.standing.name() != StandingName::Exited {
        one_height(&commands, number, None, Vec::new()).await;
        number += 1;
        assert!(number < 12 * EPOCH, "it has not left at height {number}");
    }
    assert!(number > 3 * EPOCH, "it left at height {number}, before its bond had matured");
    let record = record(&commands, 2).await;
    assert!(record.stake.unbonding.is_empty() && record.stake.bond.is_zero(), "{record:#?}");
    let leaver = network::validator(2).address();
    assert!(!members(&network::started(&commands, number).await).contains(&leaver));
    running.stop().await;
}
