//! A registration that is asked for as one thing: given / when / then.

use domain::validator::{ApplicationStatus, Command, Event, Refusal, RegistrationStep, Validator};

use crate::{
    spec::Given,
    validator::{nobody, registration},
};

pub fn request() -> Command {
    Command::RequestRegistration(Box::new(registration()))
}

/// What the process registers: the same, with what the bond was set aside for.
fn register(reservation: &str) -> Command {
    let mut registration = registration();
    registration.reservation = Some(reservation.parse().unwrap());
    Command::Register(Box::new(registration))
}

pub fn fail(step: RegistrationStep) -> Command {
    Command::FailRegistration { because: "the set is full".parse().unwrap(), step }
}

/// One that failed after the key was registered.
pub fn undone() -> (Given<Validator>, Vec<Event>) {
    let story = nobody().and(request()).and(register("registration-1"));
    let mut events = story.clone().when(fail(RegistrationStep::Activate)).events();
    let failed = story.and(fail(RegistrationStep::Activate));
    events.extend(failed.clone().when(Command::Deregister {}).events());
    (failed.and(Command::Deregister {}), events)
}

fn status(story: &Given<Validator>) -> ApplicationStatus {
    story.state.application().unwrap().status
}

#[test]
fn a_registration_is_asked_for_once_and_judged_at_once() {
    let events = nobody().when(request()).events();
    let Event::RegistrationRequested(data) = &events[0] else { panic!("{events:?}") };
    let reservation = "registration-1".parse().unwrap();
    assert_eq!(data.registration.reservation, Some(reservation));
    let story = nobody().and(request());
    let reservation = "registration-1".parse().unwrap();
    story.clone().when(request()).refused(Refusal::RegistrationPending { reservation });
    assert_eq!(story.state.record(), None);
    let poor = nobody().knowing(|known| known.parameters.bond_min = u128::MAX.into());
    poor.when(request()).refused_as("bond-below-minimum");
    nobody().and(register("mine")).when(request()).refused_as("already-registered");
}

#[test]
fn it_is_completed_when_the_validator_that_it_led_to_is_activated() {
    let story = nobody().and(request()).and(register("registration-1"));
    assert_eq!(status(&story), ApplicationStatus::Pending);
    let story = story.and(Command::Activate {});
    assert_eq!(status(&story), ApplicationStatus::Completed);
    story.clone().when(fail(RegistrationStep::Activate)).refused_as("no-registration-pending");
    story.when(Command::Deregister {}).refused_as("standing-forbids");
}

#[test]
fn one_that_failed_is_undone_and_may_be_asked_for_again() {
    let story = nobody().and(request()).and(fail(RegistrationStep::Reserve));
    story.clone().when(fail(RegistrationStep::Reserve)).refused_as("no-registration-pending");
    story.clone().when(Command::Deregister {}).refused_as("not-registered");
    story.when(request()).then_named(&["registration-requested"]);
    let (story, _) = undone();
    assert!(story.state.record().unwrap().stake.bond.is_zero());
    story.clone().when(Command::Deregister {}).refused_as("standing-forbids");
    let events = story.when(request()).events();
    let Event::RegistrationRequested(data) = &events[0] else { panic!("{events:?}") };
    assert_eq!(data.registration.reservation, Some("registration-2".parse().unwrap()));
}

#[test]
fn whoever_was_registered_otherwise_is_not_undone() {
    let story = nobody().and(request()).and(register("mine")).and(Command::Activate {});
    assert_eq!(status(&story), ApplicationStatus::Pending);
    let story = nobody().and(request()).and(register("mine"));
    story.clone().when(Command::Deregister {}).refused_as("no-registration-failed");
    let story = story.and(fail(RegistrationStep::Register));
    story.when(Command::Deregister {}).refused_as("no-registration-failed");
}
