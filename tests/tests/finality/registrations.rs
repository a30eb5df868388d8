//! A validator that is asked for is registered completely or not at all, whatever happens to the
//! process between two steps.
//!
//! Does not test the decisions: the domain's specifications do.

use commands::{CommandError, Commands, Process, Reactions, reactions};
use domain::{
    transaction::{self, Account, Refusal},
    validator::{ApplicationStatus, Command, RegistrationStep, StandingName, Validator},
    values::{Address, Amount},
};
use event_store::{Filter, StreamName};
use tests::{
    database::TestDatabase,
    network::{self, BALANCE, as_admin, chain, sender, transfer},
};

use super::{
    interrupted::{dropped_after, parked},
    process,
};

const ONLY: &[Process] = &[Process::Registration];
/// A sender without a balance.
const POOR: u64 = 9;

/// What a sender asks for: it has a balance to put down.
fn wanted(n: u64, bond: u128) -> Command {
    let Command::Register(mut registration) = sender(n).register(&chain()) else { unreachable!() };
    registration.bond = Amount::new(bond);
    Command::RequestRegistration(registration)
}

async fn ask(commands: &Commands, n: u64, command: Command) {
    commands.execute::<Validator>(sender(n).address(), command, as_admin()).await.unwrap();
}

async fn validator(commands: &Commands, n: u64) -> Validator {
    commands.aggregate::<Validator>(&sender(n).address()).await.unwrap().unwrap().0
}

/// A validator, once what was asked for is over.
async fn once_over(commands: &Commands, n: u64) -> (Validator, ApplicationStatus) {
    for _ in 0..1_000 {
        let validator = validator(commands, n).await;
        let status = validator.application().unwrap().status;
        let undone = validator.standing() != StandingName::Registered
            && reserved(commands, sender(n).address()).await == 0;
        if status == ApplicationStatus::Completed || (status == ApplicationStatus::Failed && undone)
        {
            return (validator, status);
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("it does not come to an end: {:#?}", validator(commands, n).await);
}

async fn reserved(commands: &Commands, address: Address) -> u128 {
    let account = commands.aggregate::<Account>(&address).await.unwrap();
    account.map_or(0, |(account, _)| account.reserved().value())
}

/// What happened to the sender's validator and account, by its names, in the order of the log.
async fn told(commands: &Commands, n: u64) -> Vec<String> {
    let address = sender(n).address();
    let streams = ["validator", "account"].map(|of| StreamName::of(of, address).unwrap());
    let filter = Filter::default();
    let page = commands.store().read_all(0, &filter, 10_000).await.unwrap();
    let of_sender = page.events.iter().filter(|event| streams.contains(&event.stream));
    of_sender.map(|event| event.parse().unwrap().event_type.to_owned()).collect()
}

const COMPLETED: [&str; 4] = [
    "registration-requested.v1",
    "reservation-made.v1",
    "validator-registered.v1",
    "validator-activated.v1",
];
const UNDONE: [&str; 6] = [
    "registration-requested.v1",
    "reservation-made.v1",
    "validator-registered.v1",
    "registration-failed.v1",
    "validator-deregistered.v1",
    "reservation-released.v1",
];

#[tokio::test(flavor = "multi_thread")]
async fn a_bond_is_set_aside_the_key_registered_and_activated() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    let running = Reactions::start(&commands, ONLY);
    let bond = BALANCE / 2;
    ask(&commands, 1, wanted(1, bond)).await;
    let (validator, status) = once_over(&commands, 1).await;
    assert_eq!(status, ApplicationStatus::Completed);
    assert_eq!(validator.standing(), StandingName::Active);
    assert_eq!(told(&commands, 1).await, COMPLETED);
    // What is set aside cannot be spent.
    let transaction = transfer(1, 0, sender(2).address(), BALANCE - bond, 5);
    let submit = transaction::Command::Submit { transaction };
    let done = commands.execute::<Account>(sender(1).address(), submit, as_admin()).await;
    let refused = done.unwrap_err();
    let CommandError::Refused(Refusal::BalanceInsufficient { reserved, .. }) = refused else {
        panic!("{refused:?}");
    };
    assert_eq!(reserved, Amount::new(bond));
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_completed_is_undone_in_the_other_order_and_may_be_asked_for_again() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    // Two may join in an epoch.
    network::begin(&commands).await;
    let running = Reactions::start(&commands, ONLY);
    for n in [1, 2, 3, POOR] {
        ask(&commands, n, wanted(n, 5_000_000)).await;
    }
    for n in [1, 2] {
        assert_eq!(once_over(&commands, n).await.1, ApplicationStatus::Completed);
    }
    let (third, status) = once_over(&commands, 3).await;
    assert_eq!((third.standing(), status), (StandingName::Exited, ApplicationStatus::Failed));
    assert_eq!(told(&commands, 3).await, UNDONE);
    // It has nothing: nothing was begun that had to be undone.
    assert_eq!(once_over(&commands, POOR).await.1, ApplicationStatus::Failed);
    let failed = ["registration-requested.v1", "registration-failed.v1"];
    assert_eq!(told(&commands, POOR).await, failed);
    ask(&commands, 3, wanted(3, 5_000_000)).await;
    once_over(&commands, 3).await;
    assert_eq!(told(&commands, 3).await, [UNDONE, UNDONE].concat());
    running.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_anywhere_it_is_completed_or_undone_once() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    for n in 1..=3 {
        ask(&commands, n, wanted(n, 5_000_000)).await;
    }
    let asked = commands.store().head().await.unwrap().position;
    let checkpoint = async || commands.store().checkpoint(ONLY[0].name()).await.unwrap();
    let mut lives = 0;
    while checkpoint().await.position < asked {
        // Each life is a little longer than the one before, and begins with nothing in memory.
        lives += 1;
        let life = reactions::run(process(&database).await, ONLY[0]);
        dropped_after(lives, life).await;
        assert!(lives < 500, "it does not come to an end");
    }
    assert!(lives > 5, "it was dropped only {lives} times");
    assert_eq!(told(&commands, 1).await, COMPLETED);
    assert_eq!(told(&commands, 2).await, COMPLETED);
    assert_eq!(told(&commands, 3).await, UNDONE);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_undone_parks_the_process_until_somebody_has_looked() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    network::begin(&commands).await;
    ask(&commands, 1, wanted(1, 5_000_000)).await;
    // An admin stops it, and somebody else activates what it had registered.
    let Command::RequestRegistration(mut registration) = wanted(1, 5_000_000) else {
        unreachable!()
    };
    registration.reservation = Some("registration-1".parse().unwrap());
    ask(&commands, 1, Command::Register(registration)).await;
    let because = "not on this chain".parse().unwrap();
    ask(&commands, 1, Command::FailRegistration { because, step: RegistrationStep::Activate })
        .await;
    ask(&commands, 1, Command::Activate {}).await;
    let running = Reactions::start(&commands, ONLY);
    let because = parked(&commands, ONLY[0]).await;
    running.stop().await;
    assert!(because.contains("cannot be undone") && because.contains("active"), "{because}");
}
