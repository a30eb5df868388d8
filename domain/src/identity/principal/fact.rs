//! What a principal's events say.
//!
//! Does not hold a secret: `verifier` and `token` are fingerprints of rows, what is personal is
//! sealed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::values::{
    ApiKeyId, BlindIndex, DisplayName, Hash, IssuersSubject, Label, MailAddress, Moment, Origin,
    PermissionName, Personal, PrincipalId, Reason, RoleName, SessionId, Website,
};

/// What a principal is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PrincipalKind))]
pub enum Kind {
    /// A program, with API keys.
    Service,
    /// A person, with a password or another's word.
    User,
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Kind::Service => "service",
            Kind::User => "user",
        })
    }
}

/// By what somebody proved who they are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "factor", rename_all = "kebab-case", deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = LoginProof))]
pub enum Proof {
    /// One of the codes that were handed out for the day on which the device is lost.
    BackupCode {
        /// Which, from 0.
        number: u8,
    },
    /// The word of another, to whom the principal is linked.
    Oidc {
        /// Whose.
        issuer: Website,
    },
    /// The password.
    Password {
        /// The fingerprint of the row it was compared with.
        verifier: Hash,
    },
    /// A one-time code.
    Totp {
        /// Of which time step: seconds since 1970 through 30.
        step: u32,
    },
}

/// A person was invited, or invited again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalInvited {
    /// The mail address.
    #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
    pub email: Personal<MailAddress>,
    /// By what the address is told from others.
    pub email_index: BlindIndex,
    /// Until when the invitation may be followed.
    pub expires_at: Moment,
    /// Who invited; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub invited_by: Option<PrincipalId>,
    /// The fingerprint of the row that holds the link's token.
    pub token: Hash,
}

/// A person followed the invitation, or a service was set up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalRegistered {
    /// The name it shows.
    #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
    pub display_name: Personal<DisplayName>,
    /// What it is.
    pub kind: Kind,
    /// The fingerprint of the row that holds the password's hash; none without a password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub verifier: Option<Hash>,
}

/// Whoever has the account reads its mail.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct EmailVerified {
    /// The address.
    pub email_index: BlindIndex,
}

/// Why a password changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum PasswordCause {
    /// Its owner chose another.
    Changed,
    /// The same password is kept in a stronger form.
    Rehashed,
    /// It was forgotten, and set by a mailed link.
    Reset,
}

/// Another row verifies the password from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PasswordChanged {
    /// Why.
    pub cause: PasswordCause,
    /// The fingerprint of the row.
    pub verifier: Hash,
}

/// A link to set a new password was sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PasswordResetRequested {
    /// Until when it may be followed.
    pub expires_at: Moment,
    /// The fingerprint of the row that holds the link's token.
    pub token: Hash,
}

/// A role was granted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoleGranted {
    /// By whom; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub granted_by: Option<PrincipalId>,
    /// Which.
    pub role: RoleName,
}

/// A role was taken back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoleRevoked {
    /// By whom; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revoked_by: Option<PrincipalId>,
    /// Which.
    pub role: RoleName,
}

/// The principal may do nothing until it is reactivated.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalSuspended {
    /// Why.
    pub reason: Reason,
}

/// The principal is active again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalReactivated {}

/// The principal is gone for good.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalClosed {
    /// Why.
    pub reason: Reason,
}

/// Nobody logs in for a while.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalLocked {
    /// How many failed logins in a row led to it.
    pub failures: u32,
    /// Until when; none when only a new password or somebody else ends it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Moment>,
}

/// The lock is off, and the failures are forgotten.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PrincipalUnlocked {}

/// What was wrong at a login.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum FailureCause {
    /// The backup code.
    BackupCode,
    /// The password.
    Password,
    /// The one-time code.
    Totp,
}

/// Somebody failed to log in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LoginFailed {
    /// What was wrong.
    pub cause: FailureCause,
    /// How many in a row, with this one.
    pub failures: u32,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
    pub origin: Option<Personal<Origin>>,
}

/// Somebody logged in.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionStarted {
    /// When it ends by itself, however often it is refreshed.
    pub expires_at: Moment,
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
    pub origin: Option<Personal<Origin>>,
    /// By what they proved who they are.
    pub proofs: Vec<Proof>,
    /// The session.
    pub session: SessionId,
    /// When it began.
    pub started_at: Moment,
}

/// Why sessions ended before their time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub enum SessionEnd {
    /// The principal was closed.
    Closed,
    /// There were too many, and this was the oldest.
    Displaced,
    /// The second factor was changed or removed.
    FactorChanged,
    /// Its owner logged out.
    LoggedOut,
    /// The password changed.
    PasswordChanged,
    /// A refresh token was used twice.
    RefreshReused,
    /// Somebody else ended it.
    Revoked,
    /// The principal was suspended.
    Suspended,
}

/// Sessions ended before their time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SessionRevoked {
    /// Why.
    pub cause: SessionEnd,
    /// Which, in the order of their names.
    pub sessions: Vec<SessionId>,
}

/// A refresh token was used a second time: one of its two users is not its owner.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RefreshReuseDetected {
    /// From where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "schema", schema(value_type = Option<crate::values::Sealed>))]
    pub origin: Option<Personal<Origin>>,
    /// Whose.
    pub session: SessionId,
}

/// A login needs a one-time code from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MfaEnrolled {
    /// How many backup codes were handed out.
    pub backup_codes: u8,
    /// The time step of the code by which the device was proved; it is used up.
    pub step: u32,
    /// The fingerprint of the row that holds the sealed secret and the codes' hashes.
    pub verifier: Hash,
}

/// A login needs no one-time code any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct MfaRemoved {
    /// Why.
    pub reason: Reason,
}

/// An API key was issued.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ApiKeyIssued {
    /// When it ends by itself.
    pub expires_at: Moment,
    /// When it was issued.
    pub issued_at: Moment,
    /// The key, by its public half.
    pub key: ApiKeyId,
    /// What its owner calls it.
    pub label: Label,
    /// What it is limited to, in the order of names.
    pub scopes: Vec<PermissionName>,
    /// The fingerprint of the row that holds the key's hash.
    pub verifier: Hash,
}

/// An API key ended before its time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct ApiKeyRevoked {
    /// Which.
    pub key: ApiKeyId,
    /// Why.
    pub reason: Reason,
}

/// Another's word for this person is taken from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct OidcLinked {
    /// Whose.
    pub issuer: Website,
    /// Who this is there.
    #[cfg_attr(feature = "schema", schema(value_type = crate::values::Sealed))]
    pub subject: Personal<IssuersSubject>,
    /// By what issuer and subject are told from others.
    pub subject_index: BlindIndex,
}

/// Whatever is personal is kept until the hold is lifted, whoever asks for its erasure.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LegalHoldLaid {
    /// Why.
    pub reason: Reason,
}

/// Whatever is personal may be erased again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct LegalHoldLifted {
    /// Why.
    pub reason: Reason,
}

/// Whatever is personal is to be unreadable: the person's key is destroyed next.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct PersonalDataErased {
    /// Why.
    pub reason: Reason,
}

/// The person's key is destroyed in every copy.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SubjectKeyDestroyed {
    /// The hash of the certificate that says so.
    pub certificate: Hash,
}
