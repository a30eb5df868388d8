//! What a person proves themselves with: passwords, one-time codes, another's word.
//!
//! Does not know a password or a secret, only the fingerprints of the rows that verify them.

use super::{
    BACKUP_CODES_MAX, Event, Identity, Known, MfaEnrolled, MfaRemoved, OidcLinked,
    PASSWORD_RESET_S, PasswordCause, PasswordChanged, PasswordResetRequested, PrincipalUnlocked,
    Refusal, SessionEnd, Standing, TOTP_STEP_S, TOTP_STEPS_AWAY_MAX,
    decide::{active, follow, person},
    sessions::end_all,
};
use crate::values::{
    BlindIndex, Hash, IssuersSubject, Moment, Personal, Reason, SessionId, Website,
};

/// Microseconds in a second.
const SECOND_MICROS: i64 = 1_000_000;

fn changed(cause: PasswordCause, verifier: Hash) -> Event {
    Event::PasswordChanged(PasswordChanged { cause, verifier })
}

pub(super) fn change_password(
    identity: &Identity,
    keeps: Option<&SessionId>,
    rehash: bool,
    verifier: Hash,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    person(identity, "change a password")?;
    active(identity, "change its password", known)?;
    let current = identity.verifier.ok_or(Refusal::PasswordMissing)?;
    if current == verifier {
        return Err(Refusal::VerifierUnchanged);
    }
    if rehash {
        return Ok(vec![changed(PasswordCause::Rehashed, verifier)]);
    }
    let mut events = vec![changed(PasswordCause::Changed, verifier)];
    events.extend(end_all(identity, SessionEnd::PasswordChanged, keeps, known.now));
    Ok(events)
}

/// Refuses unless the principal is a person who is active, locked or not.
fn active_person(identity: &Identity, command: &'static str, now: Moment) -> Result<(), Refusal> {
    person(identity, command)?;
    match identity.standing {
        Standing::Active => Ok(()),
        Standing::Invited | Standing::Suspended | Standing::Closed => {
            let standing = identity.standing_at(now);
            Err(Refusal::StandingForbids { command, standing })
        }
    }
}

pub(super) fn request_reset(
    identity: &Identity,
    token: Hash,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    active_person(identity, "reset a password", known.now)?;
    let expires_at = known.now.plus_seconds(PASSWORD_RESET_S);
    Ok(vec![Event::PasswordResetRequested(PasswordResetRequested { expires_at, token })])
}

pub(super) fn reset_password(
    identity: &Identity,
    token: Hash,
    verifier: Hash,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    active_person(identity, "reset a password", known.now)?;
    let reset = identity.reset.ok_or(Refusal::ResetMissing)?;
    follow(reset, Some(token))?;
    let (expired_at, now) = (reset.expires_at, known.now);
    if now >= expired_at {
        return Err(Refusal::ResetExpired { expired_at, now });
    }
    if identity.verifier == Some(verifier) {
        return Err(Refusal::VerifierUnchanged);
    }
    let mut events = vec![changed(PasswordCause::Reset, verifier)];
    if identity.failures > 0 || identity.lock.is_some() {
        events.push(Event::PrincipalUnlocked(PrincipalUnlocked {}));
    }
    events.extend(end_all(identity, SessionEnd::PasswordChanged, None, known.now));
    Ok(events)
}

/// The time step of one-time codes at a moment; that of 1970 before.
pub(super) fn step_at(now: Moment) -> u32 {
    let step = now.micros().div_euclid(SECOND_MICROS).div_euclid(TOTP_STEP_S);
    u32::try_from(step.max(0)).unwrap_or(u32::MAX)
}

/// Refuses a code of a step that is too far away (RFC 6238, 5.2: one step for the delay), or not
/// after the last one used (the same: a code is accepted once).
pub(super) fn check_step(step: u32, last: Option<u32>, now: Moment) -> Result<(), Refusal> {
    let current = step_at(now);
    if current.abs_diff(step) > TOTP_STEPS_AWAY_MAX {
        return Err(Refusal::TotpStepOutside { away_max: TOTP_STEPS_AWAY_MAX, current, step });
    }
    match last {
        Some(last) if step <= last => Err(Refusal::TotpReplayed { last, step }),
        Some(_) | None => Ok(()),
    }
}

pub(super) fn enrol_mfa(
    identity: &Identity,
    backup_codes: u8,
    step: u32,
    verifier: Hash,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    person(identity, "have a second factor")?;
    active(identity, "add a second factor", known)?;
    if identity.mfa.is_some() {
        return Err(Refusal::MfaEnrolledAlready);
    }
    if !(1..=BACKUP_CODES_MAX).contains(&backup_codes) {
        let (found, maximum) = (backup_codes, BACKUP_CODES_MAX);
        return Err(Refusal::BackupCodesOutside { found, maximum });
    }
    check_step(step, None, known.now)?;
    Ok(vec![Event::MfaEnrolled(MfaEnrolled { backup_codes, step, verifier })])
}

pub(super) fn remove_mfa(
    identity: &Identity,
    reason: &Reason,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    active_person(identity, "remove a second factor", known.now)?;
    if identity.mfa.is_none() {
        return Err(Refusal::MfaMissing);
    }
    let mut events = vec![Event::MfaRemoved(MfaRemoved { reason: reason.clone() })];
    events.extend(end_all(identity, SessionEnd::FactorChanged, None, known.now));
    Ok(events)
}

pub(super) fn link_oidc(
    identity: &Identity,
    issuer: &Website,
    subject: &Personal<IssuersSubject>,
    subject_index: BlindIndex,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    person(identity, "be linked")?;
    // An invited person may register by another's word instead of a password.
    if identity.standing != Standing::Invited {
        active(identity, "be linked", known)?;
    }
    if known.subject_taken_by.as_ref().is_some_and(|owner| *owner != known.id) {
        return Err(Refusal::SubjectTaken { issuer: issuer.clone() });
    }
    match identity.oidc.get(issuer) {
        Some(linked) if *linked == subject_index => Ok(Vec::new()),
        Some(_) => Err(Refusal::IssuerLinked { issuer: issuer.clone() }),
        None => Ok(vec![Event::OidcLinked(OidcLinked {
            issuer: issuer.clone(),
            subject: subject.clone(),
            subject_index,
        })]),
    }
}
