//! What can have happened to a principal.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use super::{
    ApiKeyIssued, ApiKeyRevoked, EmailVerified, LegalHoldLaid, LegalHoldLifted, LoginFailed,
    MfaEnrolled, MfaRemoved, OidcLinked, PasswordChanged, PasswordResetRequested,
    PersonalDataErased, PrincipalClosed, PrincipalInvited, PrincipalLocked, PrincipalReactivated,
    PrincipalRegistered, PrincipalSuspended, PrincipalUnlocked, RefreshReuseDetected, RoleGranted,
    RoleRevoked, SessionRevoked, SessionStarted, SubjectKeyDestroyed,
};
use crate::aggregate;

/// A fact about a principal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PrincipalEvent))]
pub enum Event {
    /// A person was invited, or invited again.
    #[serde(rename = "principal-invited.v1")]
    PrincipalInvited(PrincipalInvited),
    /// A person followed the invitation, or a service was set up.
    #[serde(rename = "principal-registered.v1")]
    PrincipalRegistered(PrincipalRegistered),
    /// Whoever has the account reads its mail.
    #[serde(rename = "email-verified.v1")]
    EmailVerified(EmailVerified),
    /// Another row verifies the password.
    #[serde(rename = "password-changed.v1")]
    PasswordChanged(PasswordChanged),
    /// A link to set a new password was sent.
    #[serde(rename = "password-reset-requested.v1")]
    PasswordResetRequested(PasswordResetRequested),
    /// A role was granted.
    #[serde(rename = "role-granted.v1")]
    RoleGranted(RoleGranted),
    /// A role was taken back.
    #[serde(rename = "role-revoked.v1")]
    RoleRevoked(RoleRevoked),
    /// It may do nothing until it is reactivated.
    #[serde(rename = "principal-suspended.v1")]
    PrincipalSuspended(PrincipalSuspended),
    /// It is active again.
    #[serde(rename = "principal-reactivated.v1")]
    PrincipalReactivated(PrincipalReactivated),
    /// It is gone for good.
    #[serde(rename = "principal-closed.v1")]
    PrincipalClosed(PrincipalClosed),
    /// Nobody logs in for a while.
    #[serde(rename = "principal-locked.v1")]
    PrincipalLocked(PrincipalLocked),
    /// The lock is off.
    #[serde(rename = "principal-unlocked.v1")]
    PrincipalUnlocked(PrincipalUnlocked),
    /// Somebody failed to log in.
    #[serde(rename = "login-failed.v1")]
    LoginFailed(LoginFailed),
    /// Somebody logged in.
    #[serde(rename = "session-started.v1")]
    SessionStarted(SessionStarted),
    /// Sessions ended before their time.
    #[serde(rename = "session-revoked.v1")]
    SessionRevoked(SessionRevoked),
    /// A refresh token was used twice.
    #[serde(rename = "refresh-reuse-detected.v1")]
    RefreshReuseDetected(RefreshReuseDetected),
    /// A login needs a one-time code.
    #[serde(rename = "mfa-enrolled.v1")]
    MfaEnrolled(MfaEnrolled),
    /// A login needs no one-time code.
    #[serde(rename = "mfa-removed.v1")]
    MfaRemoved(MfaRemoved),
    /// An API key was issued.
    #[serde(rename = "api-key-issued.v1")]
    ApiKeyIssued(ApiKeyIssued),
    /// An API key ended before its time.
    #[serde(rename = "api-key-revoked.v1")]
    ApiKeyRevoked(ApiKeyRevoked),
    /// Another's word is taken.
    #[serde(rename = "oidc-linked.v1")]
    OidcLinked(OidcLinked),
    /// What is personal is kept.
    #[serde(rename = "legal-hold-laid.v1")]
    LegalHoldLaid(LegalHoldLaid),
    /// What is personal may be erased again.
    #[serde(rename = "legal-hold-lifted.v1")]
    LegalHoldLifted(LegalHoldLifted),
    /// What is personal is to be unreadable.
    #[serde(rename = "personal-data-erased.v1")]
    PersonalDataErased(PersonalDataErased),
    /// The person's key is destroyed.
    #[serde(rename = "subject-key-destroyed.v1")]
    SubjectKeyDestroyed(SubjectKeyDestroyed),
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "principal-invited.v1",
        "principal-registered.v1",
        "email-verified.v1",
        "password-changed.v1",
        "password-reset-requested.v1",
        "role-granted.v1",
        "role-revoked.v1",
        "principal-suspended.v1",
        "principal-reactivated.v1",
        "principal-closed.v1",
        "principal-locked.v1",
        "principal-unlocked.v1",
        "login-failed.v1",
        "session-started.v1",
        "session-revoked.v1",
        "refresh-reuse-detected.v1",
        "mfa-enrolled.v1",
        "mfa-removed.v1",
        "api-key-issued.v1",
        "api-key-revoked.v1",
        "oidc-linked.v1",
        "legal-hold-laid.v1",
        "legal-hold-lifted.v1",
        "personal-data-erased.v1",
        "subject-key-destroyed.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::PrincipalInvited(_) => "principal-invited.v1",
            Event::PrincipalRegistered(_) => "principal-registered.v1",
            Event::EmailVerified(_) => "email-verified.v1",
            Event::PasswordChanged(_) => "password-changed.v1",
            Event::PasswordResetRequested(_) => "password-reset-requested.v1",
            Event::RoleGranted(_) => "role-granted.v1",
            Event::RoleRevoked(_) => "role-revoked.v1",
            Event::PrincipalSuspended(_) => "principal-suspended.v1",
            Event::PrincipalReactivated(_) => "principal-reactivated.v1",
            Event::PrincipalClosed(_) => "principal-closed.v1",
            Event::PrincipalLocked(_) => "principal-locked.v1",
            Event::PrincipalUnlocked(_) => "principal-unlocked.v1",
            Event::LoginFailed(_) => "login-failed.v1",
            Event::SessionStarted(_) => "session-started.v1",
            Event::SessionRevoked(_) => "session-revoked.v1",
            Event::RefreshReuseDetected(_) => "refresh-reuse-detected.v1",
            Event::MfaEnrolled(_) => "mfa-enrolled.v1",
            Event::MfaRemoved(_) => "mfa-removed.v1",
            Event::ApiKeyIssued(_) => "api-key-issued.v1",
            Event::ApiKeyRevoked(_) => "api-key-revoked.v1",
            Event::OidcLinked(_) => "oidc-linked.v1",
            Event::LegalHoldLaid(_) => "legal-hold-laid.v1",
            Event::LegalHoldLifted(_) => "legal-hold-lifted.v1",
            Event::PersonalDataErased(_) => "personal-data-erased.v1",
            Event::SubjectKeyDestroyed(_) => "subject-key-destroyed.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::PrincipalInvited(data) => data.serialize(serializer),
            Event::PrincipalRegistered(data) => data.serialize(serializer),
            Event::EmailVerified(data) => data.serialize(serializer),
            Event::PasswordChanged(data) => data.serialize(serializer),
            Event::PasswordResetRequested(data) => data.serialize(serializer),
            Event::RoleGranted(data) => data.serialize(serializer),
            Event::RoleRevoked(data) => data.serialize(serializer),
            Event::PrincipalSuspended(data) => data.serialize(serializer),
            Event::PrincipalReactivated(data) => data.serialize(serializer),
            Event::PrincipalClosed(data) => data.serialize(serializer),
            Event::PrincipalLocked(data) => data.serialize(serializer),
            Event::PrincipalUnlocked(data) => data.serialize(serializer),
            Event::LoginFailed(data) => data.serialize(serializer),
            Event::SessionStarted(data) => data.serialize(serializer),
            Event::SessionRevoked(data) => data.serialize(serializer),
            Event::RefreshReuseDetected(data) => data.serialize(serializer),
            Event::MfaEnrolled(data) => data.serialize(serializer),
            Event::MfaRemoved(data) => data.serialize(serializer),
            Event::ApiKeyIssued(data) => data.serialize(serializer),
            Event::ApiKeyRevoked(data) => data.serialize(serializer),
            Event::OidcLinked(data) => data.serialize(serializer),
            Event::LegalHoldLaid(data) => data.serialize(serializer),
            Event::LegalHoldLifted(data) => data.serialize(serializer),
            Event::PersonalDataErased(data) => data.serialize(serializer),
            Event::SubjectKeyDestroyed(data) => data.serialize(serializer),
        }
    }
}
