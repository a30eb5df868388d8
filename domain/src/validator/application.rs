//! How a registration is carried out as one thing: asked for once, then done completely or undone.
//!
//! Does not carry it out: the process of that name does, step by step, and says here when it must
//! not go on. What this keeps makes sure that nothing is undone that was not begun by it.

use std::sync::Arc;

use super::{
    Event, Known, Record, Refusal, Registration, RegistrationFailed, RegistrationRequested,
    RegistrationStep, Validator, ValidatorDeregistered, decide,
};
use crate::values::{Reason, Reservation};

/// A registration that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct Application {
    /// How many were asked for, this one included.
    pub number: u32,
    /// What the bond is set aside for.
    pub reservation: Reservation,
    /// What became of it.
    pub status: ApplicationStatus,
}

/// What became of a registration that was asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ApplicationStatus {
    /// It is under way.
    Pending,
    /// The validator was activated.
    Completed,
    /// It must be undone, or was.
    Failed,
}

/// Asks for all of it: the registration is judged now, and again when it is carried out.
pub(super) fn request(
    validator: &Validator,
    registration: &Registration,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if let Some(pending) = pending(validator) {
        return Err(Refusal::RegistrationPending { reservation: pending.reservation.clone() });
    }
    decide::register(validator, registration, known)?;
    let reservation = registration.reservation.clone();
    let reservation = reservation.unwrap_or_else(|| named(next_number(validator)));
    let registration = Registration { reservation: Some(reservation), ..registration.clone() };
    let requested = RegistrationRequested { epoch: known.epoch, registration };
    Ok(vec![Event::RegistrationRequested(Box::new(requested))])
}

fn next_number(validator: &Validator) -> u32 {
    validator.application().map_or(1, |earlier| earlier.number + 1)
}

fn named(number: u32) -> Reservation {
    format!("registration-{number}").parse().expect("letters, a hyphen and digits are a token")
}

fn pending(validator: &Validator) -> Option<&Application> {
    validator.application().filter(|one| one.status == ApplicationStatus::Pending)
}

/// From here on it is undone.
pub(super) fn fail(
    validator: &Validator,
    step: RegistrationStep,
    because: &Reason,
) -> Result<Vec<Event>, Refusal> {
    let pending = pending(validator).ok_or(Refusal::NoRegistrationPending)?;
    let (because, reservation) = (because.clone(), pending.reservation.clone());
    Ok(vec![Event::RegistrationFailed(RegistrationFailed { because, reservation, step })])
}

/// Undoes the registration of an application that failed; the bond was never at stake, and goes
/// back at once.
pub(super) fn deregister(validator: &Validator, known: &Known) -> Result<Vec<Event>, Refusal> {
    let record = validator.record().ok_or(Refusal::NotRegistered)?;
    decide::standing_in(record, &[super::StandingName::Registered], "be deregistered")?;
    let failed = |one: &&Application| one.status == ApplicationStatus::Failed && one.is_of(record);
    validator.application().filter(failed).ok_or(Refusal::NoRegistrationFailed)?;
    Ok(vec![Event::ValidatorDeregistered(ValidatorDeregistered {
        bond: record.stake.bond,
        epoch: known.epoch,
        power: record.stake.delegated.power(known.parameters.power_reduction),
        stake: record.stake.delegated,
    })])
}

/// The application that an event tells of.
pub(super) fn asked(
    validator: &Validator,
    data: &RegistrationRequested,
) -> Option<Arc<Application>> {
    let reservation = data.registration.reservation.clone()?;
    let (number, status) = (next_number(validator), ApplicationStatus::Pending);
    Some(Arc::new(Application { number, reservation, status }))
}

/// One that is under way has come to an end.
pub(super) fn ends(application: &mut Option<Arc<Application>>, status: ApplicationStatus) {
    if let Some(pending) = application
        && pending.status == ApplicationStatus::Pending
    {
        Arc::make_mut(pending).status = status;
    }
}

impl Application {
    /// Whether it is the one that led to a record.
    pub(super) fn is_of(&self, record: &Record) -> bool {
        record.reservation.as_ref() == Some(&self.reservation)
    }
}
