//! What a principal's history adds up to.
//!
//! Does not know how it came about: only events change it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    sync::Arc,
};

use serde::{Deserialize, Serialize};

use super::{Event, Kind, PasswordCause, PrincipalInvited, PrincipalRegistered, Proof};
use crate::values::{
    ApiKeyId, BlindIndex, Hash, Moment, PermissionName, RoleName, SessionId, Website,
};

/// A principal as its history tells it. Cheap to clone.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum Principal {
    /// Nobody was invited or set up under this id.
    #[default]
    Unknown,
    /// Somebody was.
    Known(Arc<Identity>),
}

impl Principal {
    /// What is known of it; none before the first event.
    pub fn identity(&self) -> Option<&Identity> {
        match self {
            Principal::Unknown => None,
            Principal::Known(identity) => Some(identity),
        }
    }
}

/// Everything known of a principal.
#[derive(Clone, Debug, PartialEq)]
pub struct Identity {
    /// Its API keys that were not revoked.
    pub api_keys: BTreeMap<ApiKeyId, ApiKey>,
    /// The index of its mail address; none for a service, and after erasure.
    pub email_index: Option<BlindIndex>,
    /// Whether it reads the mail sent there.
    pub email_verified: bool,
    /// Whether its personal data was to be erased.
    pub erased: bool,
    /// The failed logins in a row.
    pub failures: u32,
    /// Whether its personal data are kept, whoever asks for their erasure.
    pub held: bool,
    /// The invitation it has not followed yet.
    pub invitation: Option<Invitation>,
    /// Whether the key of its personal data is destroyed.
    pub key_destroyed: bool,
    /// What it is.
    pub kind: Kind,
    /// The last lock that was not taken off.
    pub lock: Option<Lock>,
    /// Its second factor.
    pub mfa: Option<Mfa>,
    /// Who else's word is taken, and which subject it is there.
    pub oidc: BTreeMap<Website, BlindIndex>,
    /// The password reset that was asked for last and not used.
    pub reset: Option<Invitation>,
    /// The roles it holds.
    pub roles: BTreeSet<RoleName>,
    /// Its sessions that were not revoked, and when they end by themselves.
    pub sessions: BTreeMap<SessionId, Moment>,
    /// What it is.
    pub standing: Standing,
    /// The fingerprint of the row that verifies its password; none without a password.
    pub verifier: Option<Hash>,
}

/// A link that was sent.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Invitation {
    /// Until when it may be followed.
    pub expires_at: Moment,
    /// The fingerprint of its token's row.
    pub token: Hash,
}

/// A lock.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Lock {
    /// Until when; none when it does not end by itself.
    pub until: Option<Moment>,
}

impl Lock {
    /// Whether it holds.
    pub fn holds_at(self, now: Moment) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A second factor.
#[derive(Clone, Debug, PartialEq)]
pub struct Mfa {
    /// The backup codes that were not used.
    pub backup_codes: BTreeSet<u8>,
    /// The last time step whose code was used.
    pub last_step: u32,
    /// The fingerprint of the row that holds its secret.
    pub verifier: Hash,
}

/// An API key.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKey {
    /// When it ends by itself.
    pub expires_at: Moment,
    /// What it is limited to, in the order of names.
    pub scopes: Vec<PermissionName>,
    /// The fingerprint of the row that holds its hash.
    pub verifier: Hash,
}

/// What a principal is, whatever the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It has not followed its invitation.
    Invited,
    /// It may act, unless it is locked.
    Active,
    /// It may do nothing for now.
    Suspended,
    /// It is gone for good.
    Closed,
}

/// The name of what a principal is at a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = PrincipalStanding))]
pub enum StandingName {
    /// It has not followed its invitation.
    Invited,
    /// It may act.
    Active,
    /// It may not log in for now.
    Locked,
    /// It may do nothing for now.
    Suspended,
    /// It is gone for good.
    Closed,
}

impl StandingName {
    /// Every one.
    pub const ALL: [StandingName; 5] = [
        StandingName::Invited,
        StandingName::Active,
        StandingName::Locked,
        StandingName::Suspended,
        StandingName::Closed,
    ];

    /// As text.
    pub const fn as_str(self) -> &'static str {
        match self {
            StandingName::Invited => "invited",
            StandingName::Active => "active",
            StandingName::Locked => "locked",
            StandingName::Suspended => "suspended",
            StandingName::Closed => "closed",
        }
    }
}

impl fmt::Display for StandingName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl Identity {
    /// The lock that holds at a moment.
    pub fn lock_at(&self, now: Moment) -> Option<Lock> {
        self.lock.filter(|lock| lock.holds_at(now))
    }

    /// What it is at a moment.
    pub fn standing_at(&self, now: Moment) -> StandingName {
        match self.standing {
            Standing::Invited => StandingName::Invited,
            Standing::Active if self.lock_at(now).is_some() => StandingName::Locked,
            Standing::Active => StandingName::Active,
            Standing::Suspended => StandingName::Suspended,
            Standing::Closed => StandingName::Closed,
        }
    }

    /// The sessions that have not ended at a moment, in the order of their names.
    pub fn sessions_at(&self, now: Moment) -> impl Iterator<Item = (&SessionId, Moment)> {
        let live = move |(_, ends): &(&SessionId, &Moment)| now < **ends;
        self.sessions.iter().filter(live).map(|(session, ends)| (session, *ends))
    }

    /// How many of its API keys have not expired at a moment.
    pub fn api_keys_at(&self, now: Moment) -> usize {
        self.api_keys.values().filter(|key| now < key.expires_at).count()
    }

    fn new(kind: Kind, standing: Standing) -> Identity {
        Identity {
            api_keys: BTreeMap::new(),
            email_index: None,
            email_verified: false,
            erased: false,
            failures: 0,
            held: false,
            invitation: None,
            key_destroyed: false,
            kind,
            lock: None,
            mfa: None,
            oidc: BTreeMap::new(),
            reset: None,
            roles: BTreeSet::new(),
            sessions: BTreeMap::new(),
            standing,
            verifier: None,
        }
    }

    fn invited(&mut self, data: &PrincipalInvited) {
        self.email_index = Some(data.email_index);
        self.invitation = Some(Invitation { expires_at: data.expires_at, token: data.token });
    }

    fn registered(&mut self, data: &PrincipalRegistered) {
        (self.invitation, self.kind) = (None, data.kind);
        (self.standing, self.verifier) = (Standing::Active, data.verifier);
    }

    fn use_up(&mut self, proofs: &[Proof]) {
        let Some(mfa) = &mut self.mfa else { return };
        for proof in proofs {
            match proof {
                Proof::BackupCode { number } => {
                    mfa.backup_codes.remove(number);
                }
                Proof::Totp { step } => mfa.last_step = mfa.last_step.max(*step),
                Proof::Oidc { .. } | Proof::Password { .. } => {}
            }
        }
    }

    fn close(&mut self) {
        self.standing = Standing::Closed;
        (self.invitation, self.reset) = (None, None);
        self.api_keys.clear();
    }

    fn erase(&mut self) {
        self.erased = true;
        (self.email_index, self.email_verified) = (None, false);
        self.oidc.clear();
    }
}

/// Applies one event.
pub(super) fn evolve(principal: &mut Principal, event: &Event) {
    if let Principal::Unknown = principal {
        let begun = if let Event::PrincipalInvited(_) = event {
            Identity::new(Kind::User, Standing::Invited)
        } else if let Event::PrincipalRegistered(data) = event {
            Identity::new(data.kind, Standing::Active)
        } else {
            // A stream begins with one of these; without one there is nothing to change.
            return;
        };
        *principal = Principal::Known(Arc::new(begun));
    }
    if let Principal::Known(identity) = principal {
        apply(Arc::make_mut(identity), event);
    }
}

fn apply(identity: &mut Identity, event: &Event) {
    match event {
        Event::PrincipalInvited(data) => identity.invited(data),
        Event::PrincipalRegistered(data) => identity.registered(data),
        Event::EmailVerified(_) => identity.email_verified = true,
        Event::PasswordChanged(data) => {
            identity.verifier = Some(data.verifier);
            if data.cause != PasswordCause::Rehashed {
                identity.reset = None;
            }
        }
        Event::PasswordResetRequested(data) => {
            let (expires_at, token) = (data.expires_at, data.token);
            identity.reset = Some(Invitation { expires_at, token });
        }
        Event::RoleGranted(data) => {
            identity.roles.insert(data.role.clone());
        }
        Event::RoleRevoked(data) => {
            identity.roles.remove(&data.role);
        }
        Event::PrincipalSuspended(_) => identity.standing = Standing::Suspended,
        Event::PrincipalReactivated(_) => identity.standing = Standing::Active,
        Event::PrincipalClosed(_) => identity.close(),
        Event::PrincipalLocked(data) => identity.lock = Some(Lock { until: data.until }),
        Event::PrincipalUnlocked(_) => (identity.failures, identity.lock) = (0, None),
        Event::LoginFailed(data) => identity.failures = data.failures,
        Event::SessionStarted(data) => {
            (identity.failures, identity.lock) = (0, None);
            identity.use_up(&data.proofs);
            identity.sessions.retain(|_, ends| data.started_at < *ends);
            identity.sessions.insert(data.session.clone(), data.expires_at);
        }
        Event::SessionRevoked(data) => {
            data.sessions.iter().for_each(|session| {
                identity.sessions.remove(session);
            });
        }
        Event::RefreshReuseDetected(_) => {}
        Event::MfaEnrolled(data) => {
            identity.mfa = Some(Mfa {
                backup_codes: (0..data.backup_codes).collect(),
                last_step: data.step,
                verifier: data.verifier,
            });
        }
        Event::MfaRemoved(_) => identity.mfa = None,
        Event::ApiKeyIssued(data) => {
            identity.api_keys.retain(|_, key| data.issued_at < key.expires_at);
            let (expires_at, scopes, verifier) =
                (data.expires_at, data.scopes.clone(), data.verifier);
            identity.api_keys.insert(data.key.clone(), ApiKey { expires_at, scopes, verifier });
        }
        Event::ApiKeyRevoked(data) => {
            identity.api_keys.remove(&data.key);
        }
        Event::OidcLinked(data) => {
            identity.oidc.insert(data.issuer.clone(), data.subject_index);
        }
        Event::LegalHoldLaid(_) => identity.held = true,
        Event::LegalHoldLifted(_) => identity.held = false,
        Event::PersonalDataErased(_) => identity.erase(),
        Event::SubjectKeyDestroyed(_) => identity.key_destroyed = true,
    }
}
