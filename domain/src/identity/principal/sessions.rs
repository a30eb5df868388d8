//! Logins that succeed and logins that fail: sessions, and the lock after too many failures.
//!
//! Does not compare a password or a code: it is told what was compared, and judges whether that is
//! enough, fresh, and asked of an account that is open.

use super::{
    Event, FAILURES_BEFORE_LOCK, FAILURES_MAX, FailureCause, Identity, Known, LOCK_S_FIRST,
    LOCK_S_MAX, LoginFailed, PROOFS_MAX, PrincipalLocked, PrincipalUnlocked, Proof,
    RefreshReuseDetected, Refusal, SESSION_S_MAX, SESSIONS_MAX, SessionEnd, SessionRevoked,
    SessionStarted, Standing,
    credentials::check_step,
    decide::{active, person},
    keys::within,
};
use crate::values::{Moment, Origin, Personal, SessionId};

/// A login as it is told.
#[derive(Clone, Copy)]
pub(super) struct Login<'a> {
    pub expires_at: Moment,
    pub origin: &'a Option<Personal<Origin>>,
    pub proofs: &'a [Proof],
    pub session: &'a SessionId,
}

/// The end of all sessions that are open, but the one that is kept; nothing when there is none.
pub(super) fn end_all(
    identity: &Identity,
    cause: SessionEnd,
    keeps: Option<&SessionId>,
    now: Moment,
) -> Vec<Event> {
    let open = identity.sessions_at(now).map(|(session, _)| session);
    let sessions: Vec<_> = open.filter(|session| Some(*session) != keeps).cloned().collect();
    if sessions.is_empty() {
        return Vec::new();
    }
    vec![Event::SessionRevoked(SessionRevoked { cause, sessions })]
}

/// Who ended it.
pub(super) fn ended_by(owner: bool) -> SessionEnd {
    if owner { SessionEnd::LoggedOut } else { SessionEnd::Revoked }
}

/// Refuses while the account is locked: whatever is guessed then is not even compared.
fn unlocked(identity: &Identity, known: &Known) -> Result<(), Refusal> {
    let failures = identity.failures;
    match identity.lock_at(known.now) {
        Some(lock) if identity.standing == Standing::Active => {
            Err(Refusal::Locked { failures, until: lock.until })
        }
        Some(_) | None => Ok(()),
    }
}

/// How long the lock lasts that so many failures in a row lead to; none when it does not end.
fn lock_until(failures: u32, now: Moment) -> Option<Moment> {
    if failures >= FAILURES_MAX {
        return None;
    }
    let doublings = (failures / FAILURES_BEFORE_LOCK).saturating_sub(1);
    let factor = 1_u64.checked_shl(doublings).unwrap_or(u64::MAX);
    Some(now.plus_seconds(LOCK_S_FIRST.saturating_mul(factor).min(LOCK_S_MAX)))
}

pub(super) fn record_failure(
    identity: &Identity,
    cause: FailureCause,
    origin: Option<&Personal<Origin>>,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    person(identity, "log in")?;
    unlocked(identity, known)?;
    active(identity, "log in", known)?;
    let failures = identity.failures.saturating_add(1);
    let failed = LoginFailed { cause, failures, origin: origin.cloned() };
    let mut events = vec![Event::LoginFailed(failed)];
    if failures.is_multiple_of(FAILURES_BEFORE_LOCK) {
        let until = lock_until(failures, known.now);
        events.push(Event::PrincipalLocked(PrincipalLocked { failures, until }));
    }
    Ok(events)
}

pub(super) fn unlock(identity: &Identity, known: &Known) -> Result<Vec<Event>, Refusal> {
    if identity.standing != Standing::Active || identity.lock_at(known.now).is_none() {
        return Err(Refusal::NotLocked);
    }
    Ok(vec![Event::PrincipalUnlocked(PrincipalUnlocked {})])
}

pub(super) fn start(
    identity: &Identity,
    login: Login<'_>,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    person(identity, "log in")?;
    unlocked(identity, known)?;
    active(identity, "log in", known)?;
    let (now, session) = (known.now, login.session.clone());
    if identity.sessions.contains_key(&session) {
        return Err(Refusal::SessionKnown { session });
    }
    within(login.expires_at, SESSION_S_MAX, known)?;
    check_proofs(identity, login.proofs, now)?;
    let mut events: Vec<Event> = displaced(identity, now).into_iter().collect();
    events.push(Event::SessionStarted(SessionStarted {
        expires_at: login.expires_at,
        origin: login.origin.clone(),
        proofs: login.proofs.to_vec(),
        session,
        started_at: now,
    }));
    Ok(events)
}

/// The end of the session that ends soonest, when there is no room for another.
fn displaced(identity: &Identity, now: Moment) -> Option<Event> {
    if identity.sessions_at(now).count() < SESSIONS_MAX {
        return None;
    }
    let (session, _) = identity.sessions_at(now).min_by_key(|(_, ends)| *ends)?;
    let (cause, sessions) = (SessionEnd::Displaced, vec![session.clone()]);
    Some(Event::SessionRevoked(SessionRevoked { cause, sessions }))
}

/// Whether the proofs are good ones and together enough: a password or another's word, and where
/// there is a second factor, that as well.
fn check_proofs(identity: &Identity, proofs: &[Proof], now: Moment) -> Result<(), Refusal> {
    if proofs.is_empty() {
        return Err(Refusal::ProofsMissing);
    }
    if proofs.len() > PROOFS_MAX {
        return Err(Refusal::ProofsTooMany { found: proofs.len(), maximum: PROOFS_MAX });
    }
    let (mut first, mut second) = (false, false);
    for proof in proofs {
        match proof {
            Proof::Password { verifier } => {
                let current = identity.verifier.ok_or(Refusal::PasswordMissing)?;
                if current != *verifier {
                    return Err(Refusal::VerifierMismatch);
                }
                first = true;
            }
            Proof::Oidc { issuer } => {
                if !identity.oidc.contains_key(issuer) {
                    return Err(Refusal::IssuerNotLinked { issuer: issuer.clone() });
                }
                first = true;
            }
            Proof::Totp { step } => {
                let mfa = identity.mfa.as_ref().ok_or(Refusal::MfaMissing)?;
                check_step(*step, Some(mfa.last_step), now)?;
                second = true;
            }
            Proof::BackupCode { number } => {
                let mfa = identity.mfa.as_ref().ok_or(Refusal::MfaMissing)?;
                if !mfa.backup_codes.contains(number) {
                    return Err(Refusal::BackupCodeUsed { number: *number });
                }
                second = true;
            }
        }
    }
    if !first {
        return Err(Refusal::FirstFactorMissing);
    }
    if identity.mfa.is_some() && !second {
        return Err(Refusal::SecondFactorMissing);
    }
    Ok(())
}

/// Refuses a session that is not open.
fn open(identity: &Identity, session: &SessionId, now: Moment) -> Result<(), Refusal> {
    match identity.sessions.get(session) {
        Some(ends) if now < *ends => Ok(()),
        Some(_) | None => Err(Refusal::SessionUnknown { session: session.clone() }),
    }
}

pub(super) fn revoke(
    identity: &Identity,
    by_owner: bool,
    session: &SessionId,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    open(identity, session, known.now)?;
    let (cause, sessions) = (ended_by(by_owner), vec![session.clone()]);
    Ok(vec![Event::SessionRevoked(SessionRevoked { cause, sessions })])
}

pub(super) fn record_reuse(
    identity: &Identity,
    origin: Option<&Personal<Origin>>,
    session: &SessionId,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    open(identity, session, known.now)?;
    let (origin, session) = (origin.cloned(), session.clone());
    let reused = RefreshReuseDetected { origin, session: session.clone() };
    let (cause, sessions) = (SessionEnd::RefreshReused, vec![session]);
    let revoked = SessionRevoked { cause, sessions };
    Ok(vec![Event::RefreshReuseDetected(reused), Event::SessionRevoked(revoked)])
}
