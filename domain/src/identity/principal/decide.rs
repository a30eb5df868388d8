//! How a command to a principal is decided, and what becomes of the principal as a whole.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Command, EmailVerified, Event, INVITATION_S, Identity, Invitation, Kind, Known, LegalHoldLaid,
    LegalHoldLifted, PersonalDataErased, Principal, PrincipalClosed, PrincipalInvited,
    PrincipalReactivated, PrincipalRegistered, PrincipalSuspended, Refusal, SessionEnd, Standing,
    StandingName, SubjectKeyDestroyed, credentials, keys, rights, sessions,
};
use crate::values::{BlindIndex, DisplayName, Hash, MailAddress, Personal, Reason};

/// Decides a command.
pub(super) fn decide(
    principal: &Principal,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let of = || principal.identity().ok_or(Refusal::NotFound);
    match command {
        Command::Invite { email, email_index, token } => {
            invite(principal, email, *email_index, *token, known)
        }
        Command::Register { display_name, kind, token, verifier } => {
            register(principal, (*kind, display_name), *token, *verifier, known)
        }
        Command::VerifyEmail { email_index } => verify_email(of()?, *email_index),
        Command::ChangePassword { keeps, rehash, verifier } => {
            credentials::change_password(of()?, keeps.as_ref(), *rehash, *verifier, known)
        }
        Command::RequestPasswordReset { token } => credentials::request_reset(of()?, *token, known),
        Command::ResetPassword { token, verifier } => {
            credentials::reset_password(of()?, *token, *verifier, known)
        }
        Command::GrantRole { role } => rights::grant(of()?, role, known),
        Command::RevokeRole { role } => rights::revoke(of()?, role, known),
        Command::Suspend { reason } => suspend(of()?, reason, known),
        Command::Reactivate {} => reactivate(of()?, known),
        Command::Close { reason } => close(of()?, reason, known),
        Command::RecordLoginFailure { cause, origin } => {
            sessions::record_failure(of()?, *cause, origin.as_ref(), known)
        }
        Command::Unlock {} => sessions::unlock(of()?, known),
        Command::StartSession { expires_at, origin, proofs, session } => {
            let login = sessions::Login { expires_at: *expires_at, origin, proofs, session };
            sessions::start(of()?, login, known)
        }
        Command::RevokeSession { by_owner, session } => {
            sessions::revoke(of()?, *by_owner, session, known)
        }
        Command::RevokeAllSessions { by_owner } => {
            Ok(sessions::end_all(of()?, sessions::ended_by(*by_owner), None, known.now))
        }
        Command::RecordRefreshReuse { origin, session } => {
            sessions::record_reuse(of()?, origin.as_ref(), session, known)
        }
        Command::EnrolMfa { backup_codes, step, verifier } => {
            credentials::enrol_mfa(of()?, *backup_codes, *step, *verifier, known)
        }
        Command::RemoveMfa { reason } => credentials::remove_mfa(of()?, reason, known),
        Command::IssueApiKey { expires_at, key, label, scopes, verifier } => {
            let wanted =
                keys::Wanted { expires_at: *expires_at, key, label, scopes, verifier: *verifier };
            keys::issue(of()?, &wanted, known)
        }
        Command::RevokeApiKey { key, reason } => keys::revoke(of()?, key, reason),
        Command::LinkOidc { issuer, subject, subject_index } => {
            credentials::link_oidc(of()?, issuer, subject, *subject_index, known)
        }
        Command::LayLegalHold { reason } => hold(of()?, reason),
        Command::LiftLegalHold { reason } => lift(of()?, reason),
        Command::ErasePersonalData { reason } => erase(of()?, reason, known),
        Command::ConfirmKeyDestroyed { certificate } => confirm_destroyed(of()?, *certificate),
    }
}

/// Refuses unless the principal is active, and not locked; `command` completes "cannot ...".
pub(super) fn active(
    identity: &Identity,
    command: &'static str,
    known: &Known,
) -> Result<(), Refusal> {
    match identity.standing_at(known.now) {
        StandingName::Active => Ok(()),
        standing @ (StandingName::Invited
        | StandingName::Locked
        | StandingName::Suspended
        | StandingName::Closed) => Err(Refusal::StandingForbids { command, standing }),
    }
}

/// Refuses unless the principal is a person; `command` completes "cannot ...".
pub(super) fn person(identity: &Identity, command: &'static str) -> Result<(), Refusal> {
    match identity.kind {
        Kind::User => Ok(()),
        Kind::Service => Err(Refusal::KindForbids { command, kind: Kind::Service }),
    }
}

fn invite(
    principal: &Principal,
    email: &Personal<MailAddress>,
    email_index: BlindIndex,
    token: Hash,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if let Some(identity) = principal.identity() {
        if identity.standing != Standing::Invited {
            let standing = identity.standing_at(known.now);
            return Err(Refusal::AlreadyRegistered { standing });
        }
        // Another address would hand one person's roles to another.
        if identity.email_index != Some(email_index) {
            return Err(Refusal::EmailDiffers);
        }
    }
    if known.email_taken_by.as_ref().is_some_and(|owner| *owner != known.id) {
        return Err(Refusal::EmailTaken);
    }
    Ok(vec![Event::PrincipalInvited(PrincipalInvited {
        email: email.clone(),
        email_index,
        expires_at: known.now.plus_seconds(INVITATION_S),
        invited_by: known.actor.clone(),
        token,
    })])
}

fn register(
    principal: &Principal,
    (kind, display_name): (Kind, &Personal<DisplayName>),
    token: Option<Hash>,
    verifier: Option<Hash>,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    match (kind, principal.identity()) {
        (Kind::Service, None) => {
            if verifier.is_some() || token.is_some() {
                return Err(Refusal::CredentialUnexpected);
            }
        }
        (Kind::User, None) => return Err(Refusal::InvitationMissing),
        (Kind::Service, Some(identity)) => {
            let standing = identity.standing_at(known.now);
            return Err(Refusal::AlreadyRegistered { standing });
        }
        (Kind::User, Some(identity)) => follow_invitation(identity, token, verifier, known)?,
    }
    let display_name = display_name.clone();
    let registered = PrincipalRegistered { display_name, kind, verifier };
    Ok(vec![Event::PrincipalRegistered(registered)])
}

fn follow_invitation(
    identity: &Identity,
    token: Option<Hash>,
    verifier: Option<Hash>,
    known: &Known,
) -> Result<(), Refusal> {
    let standing = identity.standing_at(known.now);
    let invitation = identity.invitation.ok_or(Refusal::AlreadyRegistered { standing })?;
    follow(invitation, token)?;
    let (expired_at, now) = (invitation.expires_at, known.now);
    if now >= expired_at {
        return Err(Refusal::InvitationExpired { expired_at, now });
    }
    if verifier.is_none() && identity.oidc.is_empty() {
        return Err(Refusal::CredentialMissing);
    }
    Ok(())
}

/// Whether a token is that of the link that was sent last.
pub(super) fn follow(sent: Invitation, token: Option<Hash>) -> Result<(), Refusal> {
    if token == Some(sent.token) { Ok(()) } else { Err(Refusal::TokenMismatch) }
}

fn verify_email(identity: &Identity, email_index: BlindIndex) -> Result<Vec<Event>, Refusal> {
    if identity.email_index != Some(email_index) {
        return Err(Refusal::EmailDiffers);
    }
    if identity.email_verified {
        return Ok(Vec::new());
    }
    Ok(vec![Event::EmailVerified(EmailVerified { email_index })])
}

fn suspend(identity: &Identity, reason: &Reason, known: &Known) -> Result<Vec<Event>, Refusal> {
    match identity.standing {
        Standing::Active => rights::leave_a_guardian(identity, known)?,
        Standing::Suspended => return Ok(Vec::new()),
        Standing::Invited | Standing::Closed => {
            let standing = identity.standing_at(known.now);
            return Err(Refusal::StandingForbids { command: "be suspended", standing });
        }
    }
    let suspended = PrincipalSuspended { reason: reason.clone() };
    let mut events = vec![Event::PrincipalSuspended(suspended)];
    events.extend(sessions::end_all(identity, SessionEnd::Suspended, None, known.now));
    Ok(events)
}

fn reactivate(identity: &Identity, known: &Known) -> Result<Vec<Event>, Refusal> {
    match identity.standing {
        Standing::Suspended => Ok(vec![Event::PrincipalReactivated(PrincipalReactivated {})]),
        Standing::Active => Ok(Vec::new()),
        Standing::Invited | Standing::Closed => {
            let standing = identity.standing_at(known.now);
            Err(Refusal::StandingForbids { command: "be reactivated", standing })
        }
    }
}

fn close(identity: &Identity, reason: &Reason, known: &Known) -> Result<Vec<Event>, Refusal> {
    match identity.standing {
        Standing::Active => rights::leave_a_guardian(identity, known)?,
        Standing::Invited | Standing::Suspended => {}
        Standing::Closed => return Ok(Vec::new()),
    }
    let mut events = vec![Event::PrincipalClosed(PrincipalClosed { reason: reason.clone() })];
    events.extend(sessions::end_all(identity, SessionEnd::Closed, None, known.now));
    Ok(events)
}

fn hold(identity: &Identity, reason: &Reason) -> Result<Vec<Event>, Refusal> {
    if identity.erased {
        return Err(Refusal::Erased);
    }
    if identity.held {
        return Ok(Vec::new());
    }
    Ok(vec![Event::LegalHoldLaid(LegalHoldLaid { reason: reason.clone() })])
}

fn lift(identity: &Identity, reason: &Reason) -> Result<Vec<Event>, Refusal> {
    if !identity.held {
        return Err(Refusal::NotHeld);
    }
    Ok(vec![Event::LegalHoldLifted(LegalHoldLifted { reason: reason.clone() })])
}

/// Only of whoever is gone: an account whose owner nobody can name any more must not act.
fn erase(identity: &Identity, reason: &Reason, known: &Known) -> Result<Vec<Event>, Refusal> {
    if identity.standing != Standing::Closed {
        let standing = identity.standing_at(known.now);
        return Err(Refusal::StandingForbids { command: "be erased", standing });
    }
    if identity.erased {
        return Ok(Vec::new());
    }
    if identity.held {
        return Err(Refusal::LegalHold);
    }
    Ok(vec![Event::PersonalDataErased(PersonalDataErased { reason: reason.clone() })])
}

fn confirm_destroyed(identity: &Identity, certificate: Hash) -> Result<Vec<Event>, Refusal> {
    if !identity.erased {
        return Err(Refusal::NotErased);
    }
    if identity.key_destroyed {
        return Ok(Vec::new());
    }
    Ok(vec![Event::SubjectKeyDestroyed(SubjectKeyDestroyed { certificate })])
}
