//! Registration: a validator that was asked for is registered completely or not at all. Its bond is
//! set aside in the account of the same address, its key is registered and activated; when one of
//! these is refused, what was done before is undone in the other order.
//!
//! Does not judge: the account and the validator do. That it failed is recorded before anything is
//! undone, so that whoever takes it up after a crash undoes it too. What cannot be undone parks the
//! process: somebody must look.

use domain::{
    transaction::{Account, Command as AccountCommand},
    validator::{
        ApplicationStatus, Command, Event, Registration, RegistrationRequested, RegistrationStep,
        Validator,
    },
    values::{Address, REASON_CHARS_MAX, Reason, Reservation},
};

use super::{Cause, Stuck, unless_refused};
use crate::{
    error::CommandError,
    execute::{Commands, Handled},
};

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["registration-requested.v1"];

/// Carries out what was asked for, or undoes it.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let Event::RegistrationRequested(requested) = cause.read::<Event>()? else { return Ok(()) };
    let RegistrationRequested { registration, .. } = *requested;
    let Some(reservation) = registration.reservation.clone() else { return Ok(()) };
    let address = registration.public_key.address();
    let asked = Asked { commands, cause, address, reservation };
    let state = commands.state::<Validator>(&address).await?.state;
    let own = state.application().filter(|one| one.reservation == asked.reservation);
    match own.map(|one| one.status) {
        Some(ApplicationStatus::Completed) => Ok(()),
        Some(ApplicationStatus::Pending) => match asked.carry_out(registration).await? {
            None => Ok(()),
            Some((step, because)) => {
                asked.fail(step, because).await?;
                asked.undo().await
            }
        },
        // Another one was asked for since: this one had failed.
        Some(ApplicationStatus::Failed) | None => asked.undo().await,
    }
}

/// A registration that was asked for.
struct Asked<'a> {
    commands: &'a Commands,
    cause: &'a Cause<'a>,
    address: Address,
    reservation: Reservation,
}

/// Why a step was refused.
type Failure = Option<(RegistrationStep, Reason)>;

impl Asked<'_> {
    /// All steps, up to the first that is refused.
    async fn carry_out(&self, registration: Registration) -> Result<Failure, Stuck> {
        let (amount, purpose) = (registration.bond, self.reservation.clone());
        let reserve = AccountCommand::Reserve { amount, purpose };
        if let Err(why) = self.done::<Account>("reserve", reserve).await? {
            return Ok(Some((RegistrationStep::Reserve, why)));
        }
        let register = Command::Register(Box::new(registration));
        if let Err(why) = self.done::<Validator>("register", register).await? {
            return Ok(Some((RegistrationStep::Register, why)));
        }
        let activate = Command::Activate {};
        let failed = self.done::<Validator>("activate", activate).await?.err();
        Ok(failed.map(|why| (RegistrationStep::Activate, why)))
    }

    async fn fail(&self, step: RegistrationStep, because: Reason) -> Result<(), Stuck> {
        let command = Command::FailRegistration { because, step };
        let request = self.cause.request("fail-registration");
        self.commands.execute::<Validator>(self.address, command, request).await?;
        Ok(())
    }

    /// Undoes what was done, in the other order. What was not done need not be undone.
    async fn undo(&self) -> Result<(), Stuck> {
        let request = self.cause.request("deregister");
        let command = Command::Deregister {};
        match self.commands.execute::<Validator>(self.address, command, request).await {
            Err(CommandError::Refused(why)) if self.is_registered_by_this().await? => {
                let address = self.address;
                let because = format!("the registration of {address} cannot be undone: {why}");
                return Err(Stuck::Ended(because));
            }
            // What was not registered, or by others, need not be undone.
            done => drop(unless_refused(done)?),
        }
        let release = AccountCommand::Release { purpose: self.reservation.clone() };
        let request = self.cause.request("release");
        let released = self.commands.execute::<Account>(self.address, release, request).await;
        // Nothing was set aside when that was what was refused.
        unless_refused(released).map(drop)
    }

    /// Whether the validator that is there is the one that was asked for.
    async fn is_registered_by_this(&self) -> Result<bool, Stuck> {
        let state = self.commands.state::<Validator>(&self.address).await?.state;
        let reservation = state.record().and_then(|record| record.reservation.as_ref());
        Ok(reservation == Some(&self.reservation))
    }

    /// Does a step; what the domain says against it is an answer.
    async fn done<A: Handled<Id = Address>>(
        &self,
        step: &str,
        command: A::Command,
    ) -> Result<Result<(), Reason>, Stuck> {
        let request = self.cause.request(step);
        match self.commands.execute::<A>(self.address, command, request).await {
            Ok(_) => Ok(Ok(())),
            Err(CommandError::Refused(why)) => Ok(Err(reason(&why.to_string())?)),
            Err(error) => Err(error.into()),
        }
    }
}

/// A refusal as a reason, as much of it as there is room for.
fn reason(why: &str) -> Result<Reason, Stuck> {
    let short: String = why.chars().take(REASON_CHARS_MAX).collect();
    short.trim().parse().map_err(|fault| Stuck::Ended(format!("{why}: {fault}")))
}
