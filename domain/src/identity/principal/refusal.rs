//! Why a command to a principal was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::{Kind, StandingName};
use crate::{
    aggregate,
    values::{ApiKeyId, Moment, PermissionName, RoleName, SessionId, Website},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PrincipalRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("there is no such principal")]
    NotFound,
    #[error("the principal is {standing} already")]
    AlreadyRegistered { standing: StandingName },
    #[error("a principal that is {standing} cannot {command}")]
    StandingForbids { command: &'static str, standing: StandingName },
    #[error("a {kind} cannot {command}")]
    KindForbids { command: &'static str, kind: Kind },
    #[error("the mail address belongs to another principal")]
    EmailTaken,
    #[error("this is not the principal's mail address")]
    EmailDiffers,
    #[error("a person is registered by following an invitation, and there is none")]
    InvitationMissing,
    #[error("the invitation expired at {expired_at}; it is {now}")]
    InvitationExpired { expired_at: Moment, now: Moment },
    #[error("the link is not the one that was sent last")]
    TokenMismatch,
    #[error("a person is registered with a password")]
    CredentialMissing,
    #[error("a service has no password")]
    CredentialUnexpected,
    #[error("the verifier is the one in force")]
    VerifierUnchanged,
    #[error("the principal has no password")]
    PasswordMissing,
    #[error("no password reset was asked for, or it was used")]
    ResetMissing,
    #[error("the password reset expired at {expired_at}; it is {now}")]
    ResetExpired { expired_at: Moment, now: Moment },
    #[error("there is no role {role}")]
    RoleUnknown { role: RoleName },
    #[error("the principal does not hold the role {role}")]
    RoleNotHeld { role: RoleName },
    #[error("the role {role} gives more than whoever asks has")]
    RoleBeyondOwn { role: RoleName },
    #[error("the role {role} gives what only a validator's service may have")]
    ValidatorsOnly { role: RoleName },
    #[error("the principal holds {maximum} roles, as many as it may")]
    RolesExhausted { maximum: usize },
    #[error("nobody else could grant roles any more")]
    LastGuardian,
    #[error("the account is locked after {failures} failed logins")]
    Locked { failures: u32, until: Option<Moment> },
    #[error("the account is not locked")]
    NotLocked,
    #[error("nothing proves who logs in")]
    ProofsMissing,
    #[error("{found} proofs are more than {maximum}")]
    ProofsTooMany { found: usize, maximum: usize },
    #[error("a one-time code or a backup code is needed as well")]
    SecondFactorMissing,
    #[error("a one-time code alone does not log in")]
    FirstFactorMissing,
    #[error("the password was compared with another row than the one in force")]
    VerifierMismatch,
    #[error("the principal has no second factor")]
    MfaMissing,
    #[error("the principal has a second factor already")]
    MfaEnrolledAlready,
    #[error("time step {step} is more than {away_max} away from {current}")]
    TotpStepOutside { away_max: u32, current: u32, step: u32 },
    #[error("time step {step} is not after {last}, whose code was used")]
    TotpReplayed { last: u32, step: u32 },
    #[error("backup code {number} was used, or was never handed out")]
    BackupCodeUsed { number: u8 },
    #[error("{found} backup codes are not 1 to {maximum}")]
    BackupCodesOutside { found: u8, maximum: u8 },
    #[error("the session {session} was started already")]
    SessionKnown { session: SessionId },
    #[error("there is no session {session}")]
    SessionUnknown { session: SessionId },
    #[error("{expires_at} is not after {now} and at most {latest}")]
    ExpiryOutside { expires_at: Moment, latest: Moment, now: Moment },
    #[error("{found} different permissions are not 1 to {maximum}")]
    ScopesOutside { found: usize, maximum: usize },
    #[error("the key's owner does not have {scope} itself")]
    ScopeBeyondOwner { scope: PermissionName },
    #[error("{scope} is more than whoever asks has")]
    ScopeBeyondOwn { scope: PermissionName },
    #[error("the API key {key} was issued already")]
    ApiKeyKnown { key: ApiKeyId },
    #[error("there is no API key {key}")]
    ApiKeyUnknown { key: ApiKeyId },
    #[error("the principal has {maximum} API keys, as many as it may")]
    ApiKeysExhausted { maximum: usize },
    #[error("another principal is linked to that subject of {issuer}")]
    SubjectTaken { issuer: Website },
    #[error("the principal is linked to another subject of {issuer}")]
    IssuerLinked { issuer: Website },
    #[error("the principal is not linked to {issuer}")]
    IssuerNotLinked { issuer: Website },
    #[error("a legal hold keeps the principal's personal data: lift it first")]
    LegalHold,
    #[error("no legal hold is laid on the principal")]
    NotHeld,
    #[error("the principal's personal data are erased: there is nothing to keep")]
    Erased,
    #[error("no erasure was asked for")]
    NotErased,
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::NotFound => "not-found",
            Refusal::AlreadyRegistered { .. } => "already-registered",
            Refusal::StandingForbids { .. } => "standing-forbids",
            Refusal::KindForbids { .. } => "kind-forbids",
            Refusal::EmailTaken => "email-taken",
            Refusal::EmailDiffers => "email-differs",
            Refusal::InvitationMissing => "invitation-missing",
            Refusal::InvitationExpired { .. } => "invitation-expired",
            Refusal::TokenMismatch => "token-mismatch",
            Refusal::CredentialMissing => "credential-missing",
            Refusal::CredentialUnexpected => "credential-unexpected",
            Refusal::VerifierUnchanged => "verifier-unchanged",
            Refusal::PasswordMissing => "password-missing",
            Refusal::ResetMissing => "reset-missing",
            Refusal::ResetExpired { .. } => "reset-expired",
            Refusal::RoleUnknown { .. } => "role-unknown",
            Refusal::RoleNotHeld { .. } => "role-not-held",
            Refusal::RoleBeyondOwn { .. } => "role-beyond-own",
            Refusal::ValidatorsOnly { .. } => "validators-only",
            Refusal::RolesExhausted { .. } => "roles-exhausted",
            Refusal::LastGuardian => "last-guardian",
            Refusal::Locked { .. } => "locked",
            Refusal::NotLocked => "not-locked",
            Refusal::ProofsMissing => "proofs-missing",
            Refusal::ProofsTooMany { .. } => "proofs-too-many",
            Refusal::SecondFactorMissing => "second-factor-missing",
            Refusal::FirstFactorMissing => "first-factor-missing",
            Refusal::VerifierMismatch => "verifier-mismatch",
            Refusal::MfaMissing => "mfa-missing",
            Refusal::MfaEnrolledAlready => "mfa-enrolled-already",
            Refusal::TotpStepOutside { .. } => "totp-step-outside",
            Refusal::TotpReplayed { .. } => "totp-replayed",
            Refusal::BackupCodeUsed { .. } => "backup-code-used",
            Refusal::BackupCodesOutside { .. } => "backup-codes-outside",
            Refusal::SessionKnown { .. } => "session-known",
            Refusal::SessionUnknown { .. } => "session-unknown",
            Refusal::ExpiryOutside { .. } => "expiry-outside",
            Refusal::ScopesOutside { .. } => "scopes-outside",
            Refusal::ScopeBeyondOwner { .. } => "scope-beyond-owner",
            Refusal::ScopeBeyondOwn { .. } => "scope-beyond-own",
            Refusal::ApiKeyKnown { .. } => "api-key-known",
            Refusal::ApiKeyUnknown { .. } => "api-key-unknown",
            Refusal::ApiKeysExhausted { .. } => "api-keys-exhausted",
            Refusal::SubjectTaken { .. } => "subject-taken",
            Refusal::IssuerLinked { .. } => "issuer-linked",
            Refusal::IssuerNotLinked { .. } => "issuer-not-linked",
            Refusal::LegalHold => "legal-hold",
            Refusal::NotHeld => "not-held",
            Refusal::Erased => "erased",
            Refusal::NotErased => "not-erased",
        }
    }
}
