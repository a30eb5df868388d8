//! What can be asked of a principal.
//!
//! Does not know who may ask, nor any secret: whoever asks for this has compared, mailed and stored
//! what is secret, and names the rows by their fingerprints.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{
    Event, FailureCause, Kind, PasswordCause, PasswordChanged, Principal, Proof, SessionEnd,
};
use crate::values::{
    ApiKeyId, BlindIndex, DisplayName, Hash, IssuersSubject, Label, MailAddress, Moment, Origin,
    PermissionName, Personal, Reason, RoleName, SessionId, Website,
};

/// A command to a principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PrincipalCommand))]
pub enum Command {
    /// Invites a person, or again with a new link when they did not follow the first.
    Invite {
        /// The mail address.
        #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
        email: Personal<MailAddress>,
        /// By what the address is told from others.
        email_index: BlindIndex,
        /// The fingerprint of the row that holds the link's token.
        token: Hash,
    },
    /// Makes an invited person active, or sets up a service.
    Register {
        /// The name it shows.
        #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
        display_name: Personal<DisplayName>,
        /// What it is.
        kind: Kind,
        /// The fingerprint of the invitation's token; none for a service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Hash>,
        /// The fingerprint of the password's row; none for a service.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        verifier: Option<Hash>,
    },
    /// Records that whoever has the account reads its mail.
    VerifyEmail {
        /// The address.
        email_index: BlindIndex,
    },
    /// Sets another password; ends all sessions.
    ChangePassword {
        /// The session in which it is done; it goes on.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keeps: Option<SessionId>,
        /// Whether it is the same password in a stronger form, which ends no session.
        #[serde(default)]
        rehash: bool,
        /// The fingerprint of the new row.
        verifier: Hash,
    },
    /// Records that a link to set a new password was sent.
    RequestPasswordReset {
        /// The fingerprint of the row that holds the link's token.
        token: Hash,
    },
    /// Sets a new password by the link that was sent; ends all sessions and the lock.
    ResetPassword {
        /// The fingerprint of the link's token.
        token: Hash,
        /// The fingerprint of the new row.
        verifier: Hash,
    },
    /// Grants a role that gives nothing that whoever asks lacks.
    GrantRole {
        /// Which.
        role: RoleName,
    },
    /// Takes a role back that gives nothing that whoever asks lacks.
    RevokeRole {
        /// Which.
        role: RoleName,
    },
    /// Keeps an active principal out until it is reactivated.
    Suspend {
        /// Why.
        reason: Reason,
    },
    /// Lets a suspended principal back.
    Reactivate {},
    /// Ends a principal for good.
    Close {
        /// Why.
        reason: Reason,
    },
    /// Records a failed login, and locks the account when there were too many.
    RecordLoginFailure {
        /// What was wrong.
        cause: FailureCause,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
        origin: Option<Personal<Origin>>,
    },
    /// Takes a lock off.
    Unlock {},
    /// Records a login.
    StartSession {
        /// When the session ends by itself.
        expires_at: Moment,
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
        origin: Option<Personal<Origin>>,
        /// By what they proved who they are: what was compared already.
        proofs: Vec<Proof>,
        /// The session.
        session: SessionId,
    },
    /// Ends a session.
    RevokeSession {
        /// Whether its owner logs out.
        #[serde(default)]
        by_owner: bool,
        /// Which.
        session: SessionId,
    },
    /// Ends all sessions.
    RevokeAllSessions {
        /// Whether their owner logs out everywhere.
        #[serde(default)]
        by_owner: bool,
    },
    /// Records that a refresh token was used twice, and ends its session.
    RecordRefreshReuse {
        /// From where.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
        origin: Option<Personal<Origin>>,
        /// Whose.
        session: SessionId,
    },
    /// Asks for a one-time code at each login from now on.
    EnrolMfa {
        /// How many backup codes were handed out, 1 to 16.
        backup_codes: u8,
        /// The time step of the code by which the device was proved.
        step: u32,
        /// The fingerprint of the row that holds the sealed secret and the codes' hashes.
        verifier: Hash,
    },
    /// Asks for no one-time code any more; ends all sessions.
    RemoveMfa {
        /// Why.
        reason: Reason,
    },
    /// Issues an API key.
    IssueApiKey {
        /// When it ends by itself.
        expires_at: Moment,
        /// The key, by its public half.
        key: ApiKeyId,
        /// What its owner calls it.
        label: Label,
        /// What it is limited to.
        scopes: Vec<PermissionName>,
        /// The fingerprint of the row that holds the key's hash.
        verifier: Hash,
    },
    /// Ends an API key.
    RevokeApiKey {
        /// Which.
        key: ApiKeyId,
        /// Why.
        reason: Reason,
    },
    /// Takes another's word for this person from now on.
    LinkOidc {
        /// Whose.
        issuer: Website,
        /// Who this is there.
        #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
        subject: Personal<IssuersSubject>,
        /// By what issuer and subject are told from others.
        subject_index: BlindIndex,
    },
    /// Keeps whatever is personal from being erased, until the hold is lifted.
    LayLegalHold {
        /// Why.
        reason: Reason,
    },
    /// Lets it be erased again.
    LiftLegalHold {
        /// Why.
        reason: Reason,
    },
    /// Asks that whatever is personal becomes unreadable.
    ErasePersonalData {
        /// Why.
        reason: Reason,
    },
    /// Records that the person's key is destroyed in every copy.
    ConfirmKeyDestroyed {
        /// The hash of the certificate that says so.
        certificate: Hash,
    },
}

impl Command {
    /// The names of all commands, as in the path of a request.
    pub const NAMES: &'static [&'static str] = &[
        "invite",
        "register",
        "verify-email",
        "change-password",
        "request-password-reset",
        "reset-password",
        "grant-role",
        "revoke-role",
        "suspend",
        "reactivate",
        "close",
        "record-login-failure",
        "unlock",
        "start-session",
        "revoke-session",
        "revoke-all-sessions",
        "record-refresh-reuse",
        "enrol-mfa",
        "remove-mfa",
        "issue-api-key",
        "revoke-api-key",
        "link-oidc",
        "lay-legal-hold",
        "lift-legal-hold",
        "erase-personal-data",
        "confirm-key-destroyed",
    ];

    /// This command's name; one of [`Command::NAMES`].
    pub fn name(&self) -> &'static str {
        match self {
            Command::Invite { .. } => "invite",
            Command::Register { .. } => "register",
            Command::VerifyEmail { .. } => "verify-email",
            Command::ChangePassword { .. } => "change-password",
            Command::RequestPasswordReset { .. } => "request-password-reset",
            Command::ResetPassword { .. } => "reset-password",
            Command::GrantRole { .. } => "grant-role",
            Command::RevokeRole { .. } => "revoke-role",
            Command::Suspend { .. } => "suspend",
            Command::Reactivate {} => "reactivate",
            Command::Close { .. } => "close",
            Command::RecordLoginFailure { .. } => "record-login-failure",
            Command::Unlock {} => "unlock",
            Command::StartSession { .. } => "start-session",
            Command::RevokeSession { .. } => "revoke-session",
            Command::RevokeAllSessions { .. } => "revoke-all-sessions",
            Command::RecordRefreshReuse { .. } => "record-refresh-reuse",
            Command::EnrolMfa { .. } => "enrol-mfa",
            Command::RemoveMfa { .. } => "remove-mfa",
            Command::IssueApiKey { .. } => "issue-api-key",
            Command::RevokeApiKey { .. } => "revoke-api-key",
            Command::LinkOidc { .. } => "link-oidc",
            Command::LayLegalHold { .. } => "lay-legal-hold",
            Command::LiftLegalHold { .. } => "lift-legal-hold",
            Command::ErasePersonalData { .. } => "erase-personal-data",
            Command::ConfirmKeyDestroyed { .. } => "confirm-key-destroyed",
        }
    }

    /// One valid example of each command, in the order of [`Command::NAMES`], with its name as the
    /// member `command`.
    pub fn examples() -> Vec<Value> {
        serde_json::from_str(include_str!("examples.json"))
            .expect("the examples are part of the program, and a test reads them")
    }

    /// The example of one command; none for a name that is not in [`Command::NAMES`].
    pub fn example(name: &str) -> Option<Value> {
        Command::examples().into_iter().find(|example| example["command"] == name)
    }
}

/// See [`crate::aggregate::Aggregate::asked`].
pub(super) fn asked(principal: &Principal, facts: &[Event]) -> Option<Command> {
    for fact in facts {
        // Sessions that it displaces stand before it.
        if let Event::SessionStarted(data) = fact {
            return Some(Command::StartSession {
                expires_at: data.expires_at,
                origin: data.origin.clone(),
                proofs: data.proofs.clone(),
                session: data.session.clone(),
            });
        }
    }
    Some(match facts.first()? {
        Event::PrincipalInvited(data) => Command::Invite {
            email: data.email.clone(),
            email_index: data.email_index,
            token: data.token,
        },
        Event::PrincipalRegistered(data) => Command::Register {
            display_name: data.display_name.clone(),
            kind: data.kind,
            token: principal.identity().and_then(|known| known.invitation).map(|link| link.token),
            verifier: data.verifier,
        },
        Event::EmailVerified(data) => Command::VerifyEmail { email_index: data.email_index },
        Event::PasswordChanged(data) => password(principal, data, facts)?,
        Event::PasswordResetRequested(data) => Command::RequestPasswordReset { token: data.token },
        Event::RoleGranted(data) => Command::GrantRole { role: data.role.clone() },
        Event::RoleRevoked(data) => Command::RevokeRole { role: data.role.clone() },
        Event::PrincipalSuspended(data) => Command::Suspend { reason: data.reason.clone() },
        Event::PrincipalReactivated(_) => Command::Reactivate {},
        Event::PrincipalClosed(data) => Command::Close { reason: data.reason.clone() },
        Event::LoginFailed(data) => {
            Command::RecordLoginFailure { cause: data.cause, origin: data.origin.clone() }
        }
        Event::PrincipalUnlocked(_) => Command::Unlock {},
        Event::SessionRevoked(data) => {
            let by_owner = data.cause == SessionEnd::LoggedOut;
            match &data.sessions[..] {
                [session] => Command::RevokeSession { by_owner, session: session.clone() },
                _ => Command::RevokeAllSessions { by_owner },
            }
        }
        Event::RefreshReuseDetected(data) => Command::RecordRefreshReuse {
            origin: data.origin.clone(),
            session: data.session.clone(),
        },
        Event::MfaEnrolled(data) => Command::EnrolMfa {
            backup_codes: data.backup_codes,
            step: data.step,
            verifier: data.verifier,
        },
        Event::MfaRemoved(data) => Command::RemoveMfa { reason: data.reason.clone() },
        Event::ApiKeyIssued(data) => Command::IssueApiKey {
            expires_at: data.expires_at,
            key: data.key.clone(),
            label: data.label.clone(),
            scopes: data.scopes.clone(),
            verifier: data.verifier,
        },
        Event::ApiKeyRevoked(data) => {
            Command::RevokeApiKey { key: data.key.clone(), reason: data.reason.clone() }
        }
        Event::OidcLinked(data) => Command::LinkOidc {
            issuer: data.issuer.clone(),
            subject: data.subject.clone(),
            subject_index: data.subject_index,
        },
        Event::LegalHoldLaid(data) => Command::LayLegalHold { reason: data.reason.clone() },
        Event::LegalHoldLifted(data) => Command::LiftLegalHold { reason: data.reason.clone() },
        Event::PersonalDataErased(data) => {
            Command::ErasePersonalData { reason: data.reason.clone() }
        }
        Event::SubjectKeyDestroyed(data) => {
            Command::ConfirmKeyDestroyed { certificate: data.certificate }
        }
        Event::PrincipalLocked(_) | Event::SessionStarted(_) => return None,
    })
}

/// How a password came to be changed.
fn password(principal: &Principal, data: &PasswordChanged, facts: &[Event]) -> Option<Command> {
    let identity = principal.identity()?;
    let verifier = data.verifier;
    let ended = |session: &SessionId| {
        facts.iter().any(
            |fact| matches!(fact, Event::SessionRevoked(data) if data.sessions.contains(session)),
        )
    };
    match data.cause {
        PasswordCause::Reset => {
            Some(Command::ResetPassword { token: identity.reset?.token, verifier })
        }
        PasswordCause::Rehashed => {
            Some(Command::ChangePassword { keeps: None, rehash: true, verifier })
        }
        // The one that goes on is the one that was not ended, and has not ended by itself.
        PasswordCause::Changed => {
            let open = identity.sessions.iter().filter(|(session, _)| !ended(session));
            let keeps = open.max_by_key(|(_, ends)| **ends).map(|(session, _)| session.clone());
            Some(Command::ChangePassword { keeps, rehash: false, verifier })
        }
    }
}
