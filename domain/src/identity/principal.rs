//! One person's or one service's identity: standing, credentials, roles, sessions and keys.
//!
//! Does not know the other principals, nor what a role gives: what it must know is handed in.
//!
//! The story. Invited -> Active <-> Suspended -> Closed. An active one is locked for a while after
//! [`FAILURES_BEFORE_LOCK`] failed logins in a row, each lock twice as long as the one before, and
//! after [`FAILURES_MAX`] until a new password is set by mail or somebody unlocks it. While it is
//! locked, further attempts are not recorded here: nobody fills a stream by guessing. A login ends
//! the row of failures. Sessions are rows elsewhere; that they began and ended is told here.

mod command;
mod credentials;
mod decide;
mod event;
mod fact;
mod keys;
mod refusal;
mod rights;
mod sessions;
mod state;

use std::collections::BTreeSet;

pub use command::Command;
pub use event::Event;
pub use fact::{
    ApiKeyIssued, ApiKeyRevoked, EmailVerified, FailureCause, Kind, LegalHoldLaid, LegalHoldLifted,
    LoginFailed, MfaEnrolled, MfaRemoved, OidcLinked, PasswordCause, PasswordChanged,
    PasswordResetRequested, PersonalDataErased, PrincipalClosed, PrincipalInvited, PrincipalLocked,
    PrincipalReactivated, PrincipalRegistered, PrincipalSuspended, PrincipalUnlocked, Proof,
    RefreshReuseDetected, RoleGranted, RoleRevoked, SessionEnd, SessionRevoked, SessionStarted,
    SubjectKeyDestroyed,
};
pub use refusal::Refusal;
pub use state::{ApiKey, Identity, Invitation, Lock, Mfa, Principal, Standing, StandingName};

use crate::{
    aggregate::Aggregate,
    values::{Moment, PermissionName, PrincipalId, RoleName},
};

/// How long an invitation may be followed, in seconds: seven days.
pub const INVITATION_S: u64 = 7 * 86_400;
/// How long a password may be reset by a mailed link, in seconds: one hour.
pub const PASSWORD_RESET_S: u64 = 3_600;
/// After so many failed logins in a row, and each time again, an account is locked.
pub const FAILURES_BEFORE_LOCK: u32 = 5;
/// After so many failed logins in a row an account stays locked (NIST SP 800-63B, 5.2.2).
pub const FAILURES_MAX: u32 = 100;
/// How long the first lock lasts, in seconds; each further one lasts twice as long.
pub const LOCK_S_FIRST: u64 = 60;
/// How long a lock lasts at most, in seconds, but for the last: one day.
pub const LOCK_S_MAX: u64 = 86_400;
/// The most sessions of one principal; a further one ends the oldest.
pub const SESSIONS_MAX: usize = 50;
/// How long a session may last, in seconds, however often it is refreshed: thirty days.
pub const SESSION_S_MAX: u64 = 30 * 86_400;
/// The most proofs of one login.
pub const PROOFS_MAX: usize = 4;
/// The most roles of one principal.
pub const ROLES_MAX: usize = 16;
/// The most API keys of one principal that have not expired.
pub const API_KEYS_MAX: usize = 20;
/// How long an API key may be valid, in seconds: one year.
pub const API_KEY_S_MAX: u64 = 366 * 86_400;
/// The most permissions an API key is limited to.
pub const SCOPES_MAX: usize = 64;
/// The time step of one-time codes, in seconds (RFC 6238, section 5.2).
pub const TOTP_STEP_S: i64 = 30;
/// How many steps a code may be away from now (RFC 6238, section 5.2: at most one for the delay).
pub const TOTP_STEPS_AWAY_MAX: u32 = 1;
/// The most backup codes.
pub const BACKUP_CODES_MAX: u8 = 16;

/// What a decision must know beyond the principal's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// Who asks; none for the program itself.
    pub actor: Option<PrincipalId>,
    /// What whoever asks may do. The program itself may do everything there is.
    pub actor_permissions: BTreeSet<PermissionName>,
    /// Another principal whose mail address has the index that the command names.
    pub email_taken_by: Option<PrincipalId>,
    /// The roles that let their holder grant roles.
    pub guardian_roles: BTreeSet<RoleName>,
    /// The principal the stream is named by.
    pub id: PrincipalId,
    /// When it is decided.
    pub now: Moment,
    /// How many other active principals hold one of `guardian_roles`.
    pub other_guardians: u32,
    /// What the principal may do, through all its roles.
    pub permissions: BTreeSet<PermissionName>,
    /// What the role that the command names gives; none when there is no such role.
    pub role_permissions: Option<BTreeSet<PermissionName>>,
    /// Another principal that is linked to the OIDC subject that the command names.
    pub subject_taken_by: Option<PrincipalId>,
}

impl Aggregate for Principal {
    const CATEGORY: &'static str = "principal";
    type Id = PrincipalId;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        decide::decide(self, command, known)
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(self, facts)
    }

    fn evolve(&mut self, event: &Event) {
        state::evolve(self, event);
    }
}
