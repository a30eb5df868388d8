//! People, services and roles: given / when / then.

use std::collections::BTreeSet;

use domain::{
    aggregate::Aggregate as _,
    identity::{
        principal::{
            API_KEYS_MAX, ApiKeyIssued, ApiKeyRevoked, BACKUP_CODES_MAX, Command, EmailVerified,
            Event, FAILURES_BEFORE_LOCK, FAILURES_MAX, FailureCause, INVITATION_S, Identity, Kind,
            Known, LOCK_S_MAX, LegalHoldLaid, LegalHoldLifted, LoginFailed, MfaEnrolled,
            MfaRemoved, OidcLinked, PROOFS_MAX, PasswordCause, PasswordChanged,
            PasswordResetRequested, PersonalDataErased, Principal, PrincipalClosed,
            PrincipalInvited, PrincipalLocked, PrincipalReactivated, PrincipalRegistered,
            PrincipalSuspended, PrincipalUnlocked, Proof, ROLES_MAX, RefreshReuseDetected, Refusal,
            RoleGranted, RoleRevoked, SESSION_S_MAX, SESSIONS_MAX, SessionEnd, SessionRevoked,
            SessionStarted, StandingName, SubjectKeyDestroyed,
        },
        role,
    },
    values::{
        BlindIndex, DisplayName, Hash, MailAddress, Moment, PermissionName, Personal, PrincipalId,
        Reason, RoleName, Sealed, SessionId, Website,
    },
};
use proptest::{collection::vec, prelude::*};
use serde_json::json;

use crate::{
    fixture::moment,
    spec::{Given, given},
};

const NOON: &str = "2026-01-01T12:00:00Z";

fn principal(id: &str) -> PrincipalId {
    id.parse().unwrap()
}

fn role_name(name: &str) -> RoleName {
    name.parse().unwrap()
}

fn permissions(names: &[&str]) -> BTreeSet<PermissionName> {
    names.iter().map(|name| name.parse().unwrap()).collect()
}

fn sealed<T>(text: &str) -> Personal<T> {
    let mut bytes = vec![7; 28];
    bytes.extend_from_slice(text.as_bytes());
    Sealed::new(&bytes, "person-1").unwrap().into()
}

fn index(text: &str) -> BlindIndex {
    BlindIndex::from_bytes(*Hash::of(text.as_bytes()).as_bytes())
}

fn row(text: &str) -> Hash {
    Hash::of(text.as_bytes())
}

fn session(number: usize) -> SessionId {
    format!("session-{number:03}").parse().unwrap()
}

fn reason() -> Reason {
    "left the team".parse().unwrap()
}

fn issuer() -> Website {
    "https://login.north.example".parse().unwrap()
}

/// The time step of one-time codes at [`NOON`]: 1767268800 s through 30.
const STEP: u32 = 58_908_960;

fn known() -> Known {
    Known {
        actor: Some(principal("root")),
        actor_permissions: permissions(&["identity:grant", "chain:read", "validator:read"]),
        email_taken_by: None,
        guardian_roles: [role_name("super_admin")].into(),
        id: principal("north"),
        now: moment(NOON),
        other_guardians: 1,
        permissions: permissions(&["chain:read", "validator:jail"]),
        role_permissions: Some(permissions(&["chain:read"])),
        subject_taken_by: None,
    }
}

fn nobody() -> Given<Principal> {
    given(known())
}

fn invite() -> Command {
    Command::Invite { email: sealed("a@b"), email_index: index("a@b"), token: row("link") }
}

fn register() -> Command {
    Command::Register {
        display_name: sealed("Ann"),
        kind: Kind::User,
        token: Some(row("link")),
        verifier: Some(row("password")),
    }
}

fn register_service() -> Command {
    let display_name = sealed("exporter");
    Command::Register { display_name, kind: Kind::Service, token: None, verifier: None }
}

fn user() -> Given<Principal> {
    nobody().and(invite()).and(register())
}

fn service() -> Given<Principal> {
    nobody().and(register_service())
}

fn later(story: Given<Principal>, seconds: u64) -> Given<Principal> {
    story.knowing(|known| known.now = known.now.plus_seconds(seconds))
}

fn password() -> Proof {
    Proof::Password { verifier: row("password") }
}

fn login(number: usize, proofs: Vec<Proof>) -> Command {
    let expires_at = moment("2026-01-02T12:00:00Z");
    Command::StartSession { expires_at, origin: None, proofs, session: session(number) }
}

fn failure() -> Command {
    Command::RecordLoginFailure { cause: FailureCause::Password, origin: None }
}

fn enrol() -> Command {
    Command::EnrolMfa { backup_codes: 2, step: STEP, verifier: row("totp") }
}

fn change_password(verifier: &str) -> Command {
    Command::ChangePassword { keeps: None, rehash: false, verifier: row(verifier) }
}

fn ended(cause: SessionEnd, numbers: &[usize]) -> Event {
    let sessions = numbers.iter().map(|number| session(*number)).collect();
    Event::SessionRevoked(SessionRevoked { cause, sessions })
}

fn identity(story: &Given<Principal>) -> &Identity {
    story.state.identity().unwrap()
}

#[test]
fn a_person_is_invited_and_registers_by_the_link_within_seven_days() {
    let invited = Event::PrincipalInvited(PrincipalInvited {
        email: sealed("a@b"),
        email_index: index("a@b"),
        expires_at: moment("2026-01-08T12:00:00Z"),
        invited_by: Some(principal("root")),
        token: row("link"),
    });
    let registered = Event::PrincipalRegistered(PrincipalRegistered {
        display_name: sealed("Ann"),
        kind: Kind::User,
        verifier: Some(row("password")),
    });
    let story = nobody().when(invite()).then(vec![invited]);
    assert_eq!(identity(&story).standing_at(moment(NOON)), StandingName::Invited);
    let late = later(story.clone(), INVITATION_S);
    let (expired_at, now) = (moment("2026-01-08T12:00:00Z"), late.known.now);
    late.clone().when(register()).refused(Refusal::InvitationExpired { expired_at, now });
    // Another link replaces the first.
    late.and(invite()).when(register()).then_named(&["principal-registered"]);
    let story = story.when(register()).then(vec![registered]);
    assert_eq!(identity(&story).standing_at(moment(NOON)), StandingName::Active);
    story.clone().when(register()).refused_as("already-registered");
    story.when(invite()).refused(Refusal::AlreadyRegistered { standing: StandingName::Active });
}

#[test]
fn nobody_registers_without_an_invitation_its_link_and_a_credential() {
    nobody().when(register()).refused(Refusal::InvitationMissing);
    let with = |token: Option<Hash>, verifier: Option<Hash>| Command::Register {
        display_name: sealed("Ann"),
        kind: Kind::User,
        token,
        verifier,
    };
    let story = nobody().and(invite());
    story.clone().when(with(Some(row("guess")), Some(row("p")))).refused(Refusal::TokenMismatch);
    story.clone().when(with(None, Some(row("p")))).refused(Refusal::TokenMismatch);
    story.clone().when(with(Some(row("link")), None)).refused(Refusal::CredentialMissing);
    story.clone().when(register_service()).refused_as("already-registered");
    let link =
        Command::LinkOidc { issuer: issuer(), subject: sealed("ann"), subject_index: index("ann") };
    story.and(link).when(with(Some(row("link")), None)).then_named(&["principal-registered"]);
}

#[test]
fn a_mail_address_belongs_to_one_principal() {
    let taken = nobody().knowing(|known| known.email_taken_by = Some(principal("south")));
    taken.when(invite()).refused(Refusal::EmailTaken);
    let own = nobody().and(invite()).knowing(|known| known.email_taken_by = Some(known.id.clone()));
    own.when(invite()).then_named(&["principal-invited"]);
    let other =
        Command::Invite { email: sealed("c@d"), email_index: index("c@d"), token: row("link") };
    nobody().and(invite()).when(other).refused(Refusal::EmailDiffers);
    let verify = |text: &str| Command::VerifyEmail { email_index: index(text) };
    let verified = Event::EmailVerified(EmailVerified { email_index: index("a@b") });
    user().when(verify("c@d")).refused(Refusal::EmailDiffers);
    let story = user().when(verify("a@b")).then(vec![verified]);
    story.when(verify("a@b")).then(vec![]);
}

#[test]
fn a_service_is_set_up_without_a_password_and_never_logs_in() {
    let story = nobody().when(register_service()).then_named(&["principal-registered"]);
    story.clone().when(login(1, vec![password()])).refused_as("kind-forbids");
    story.clone().when(failure()).refused_as("kind-forbids");
    story.clone().when(change_password("new")).refused_as("kind-forbids");
    story.clone().when(enrol()).refused_as("kind-forbids");
    story.when(Command::VerifyEmail { email_index: index("a@b") }).refused(Refusal::EmailDiffers);
    let with_password = Command::Register {
        display_name: sealed("exporter"),
        kind: Kind::Service,
        token: None,
        verifier: Some(row("password")),
    };
    nobody().when(with_password).refused(Refusal::CredentialUnexpected);
}

#[test]
fn nothing_is_asked_of_nobody() {
    for example in Command::examples() {
        let command: Command = serde_json::from_value(example).unwrap();
        match command {
            Command::Invite { .. } | Command::Register { .. } => {}
            other => nobody().when(other).refused(Refusal::NotFound),
        }
    }
}

#[test]
fn a_changed_password_ends_every_other_session() {
    let story = user().and(login(1, vec![password()])).and(login(2, vec![password()]));
    let changed = |cause| Event::PasswordChanged(PasswordChanged { cause, verifier: row("new") });
    let command = |keeps, rehash| Command::ChangePassword { keeps, rehash, verifier: row("new") };
    story
        .clone()
        .when(command(Some(session(2)), false))
        .then(vec![changed(PasswordCause::Changed), ended(SessionEnd::PasswordChanged, &[1])]);
    let rehashed =
        story.clone().when(command(None, true)).then(vec![changed(PasswordCause::Rehashed)]);
    rehashed.clone().when(command(None, true)).refused(Refusal::VerifierUnchanged);
    // Whoever compared with the row before this one must compare again.
    rehashed.when(login(3, vec![password()])).refused(Refusal::VerifierMismatch);
    story.when(change_password("password")).refused(Refusal::VerifierUnchanged);
    let invited = nobody().and(invite());
    let standing = StandingName::Invited;
    let refusal = Refusal::StandingForbids { command: "change its password", standing };
    invited.when(change_password("new")).refused(refusal);
}

#[test]
fn a_forgotten_password_is_set_once_within_an_hour_and_takes_the_lock_off() {
    let ask = || Command::RequestPasswordReset { token: row("reset") };
    let reset = |token: &str, verifier: &str| Command::ResetPassword {
        token: row(token),
        verifier: row(verifier),
    };
    let asked = Event::PasswordResetRequested(PasswordResetRequested {
        expires_at: moment("2026-01-01T13:00:00Z"),
        token: row("reset"),
    });
    user().when(reset("reset", "new")).refused(Refusal::ResetMissing);
    let story = user().and(login(1, vec![password()])).when(ask()).then(vec![asked]);
    story.clone().when(reset("guess", "new")).refused(Refusal::TokenMismatch);
    story.clone().when(reset("reset", "password")).refused(Refusal::VerifierUnchanged);
    let late = later(story.clone(), 3_600);
    let (expired_at, now) = (moment("2026-01-01T13:00:00Z"), late.known.now);
    late.when(reset("reset", "new")).refused(Refusal::ResetExpired { expired_at, now });
    let locked = (0..FAILURES_BEFORE_LOCK).fold(story, |story, _| story.and(failure()));
    let cause = PasswordCause::Reset;
    let story = locked.when(reset("reset", "new")).then(vec![
        Event::PasswordChanged(PasswordChanged { cause, verifier: row("new") }),
        Event::PrincipalUnlocked(PrincipalUnlocked {}),
        ended(SessionEnd::PasswordChanged, &[1]),
    ]);
    assert_eq!(identity(&story).standing_at(moment(NOON)), StandingName::Active);
    story.when(reset("reset", "newer")).refused(Refusal::ResetMissing);
    user().and(Command::Suspend { reason: reason() }).when(ask()).refused_as("standing-forbids");
}

#[test]
fn nobody_grants_or_takes_what_they_lack() {
    let grant = || Command::GrantRole { role: role_name("viewer") };
    let revoke = || Command::RevokeRole { role: role_name("viewer") };
    let (granted_by, role) = (Some(principal("root")), role_name("viewer"));
    let granted = Event::RoleGranted(RoleGranted { granted_by: granted_by.clone(), role });
    let beyond = |known: &mut Known| {
        known.role_permissions = Some(permissions(&["chain:read", "chain:prune"]));
    };
    let refusal = Refusal::RoleBeyondOwn { role: role_name("viewer") };
    assert!(!refusal.to_string().contains("prune"), "{refusal}");
    user().knowing(beyond).when(grant()).refused(refusal.clone());
    let voting = |known: &mut Known| {
        known.role_permissions = Some(permissions(&["consensus:vote"]));
        known.actor_permissions.extend(permissions(&["consensus:vote"]));
    };
    let role = role_name("viewer");
    user().knowing(voting).when(grant()).refused(Refusal::ValidatorsOnly { role });
    let unknown = user().knowing(|known| known.role_permissions = None);
    unknown.when(grant()).refused(Refusal::RoleUnknown { role: role_name("viewer") });
    let story = user().when(grant()).then(vec![granted]);
    story.clone().when(grant()).then(vec![]);
    story.clone().knowing(beyond).when(revoke()).refused(refusal);
    let role = role_name("viewer");
    let revoked = Event::RoleRevoked(RoleRevoked { revoked_by: granted_by, role: role.clone() });
    let retired = story.clone().knowing(|known| known.role_permissions = None);
    retired.when(revoke()).then(vec![revoked.clone()]);
    let story = story.when(revoke()).then(vec![revoked]);
    story.clone().when(revoke()).refused(Refusal::RoleNotHeld { role });
    let full = (0..ROLES_MAX).fold(story, |story, number| {
        story.and(Command::GrantRole { role: role_name(&format!("role_{number}")) })
    });
    full.when(grant()).refused(Refusal::RolesExhausted { maximum: ROLES_MAX });
    user().and(Command::Close { reason: reason() }).when(grant()).refused_as("standing-forbids");
}

#[test]
fn the_last_who_can_grant_roles_stays() {
    let role = role_name("super_admin");
    let last = user()
        .and(Command::GrantRole { role: role.clone() })
        .knowing(|known| known.other_guardians = 0);
    let revoke = || Command::RevokeRole { role: role.clone() };
    let suspend = || Command::Suspend { reason: reason() };
    let close = || Command::Close { reason: reason() };
    last.clone().when(revoke()).refused(Refusal::LastGuardian);
    last.clone().when(suspend()).refused(Refusal::LastGuardian);
    last.clone().when(close()).refused(Refusal::LastGuardian);
    let two = last.knowing(|known| known.other_guardians = 1);
    two.clone().when(revoke()).then_named(&["role-revoked"]);
    two.clone().when(suspend()).then_named(&["principal-suspended"]);
    two.clone().when(close()).then_named(&["principal-closed"]);
    // Two roles that guard: one of them may go.
    let both = two
        .knowing(|known| {
            known.guardian_roles.insert(role_name("owner"));
        })
        .and(Command::GrantRole { role: role_name("owner") })
        .knowing(|known| known.other_guardians = 0);
    both.when(revoke()).then_named(&["role-revoked"]);
    user()
        .knowing(|known| known.other_guardians = 0)
        .when(close())
        .then_named(&["principal-closed"]);
}

#[test]
fn whoever_is_suspended_comes_back_and_whoever_is_closed_does_not() {
    let suspend = || Command::Suspend { reason: reason() };
    let story = user().and(login(1, vec![password()])).when(suspend()).then(vec![
        Event::PrincipalSuspended(PrincipalSuspended { reason: reason() }),
        ended(SessionEnd::Suspended, &[1]),
    ]);
    story.clone().when(suspend()).then(vec![]);
    story.clone().when(login(2, vec![password()])).refused_as("standing-forbids");
    story.clone().when(failure()).refused_as("standing-forbids");
    let back = story
        .when(Command::Reactivate {})
        .then(vec![Event::PrincipalReactivated(PrincipalReactivated {})]);
    back.clone().when(Command::Reactivate {}).then(vec![]);
    let close = || Command::Close { reason: reason() };
    let closed = back.and(login(2, vec![password()])).when(close()).then(vec![
        Event::PrincipalClosed(PrincipalClosed { reason: reason() }),
        ended(SessionEnd::Closed, &[2]),
    ]);
    closed.clone().when(close()).then(vec![]);
    closed.clone().when(Command::Reactivate {}).refused_as("standing-forbids");
    closed.when(suspend()).refused_as("standing-forbids");
    nobody().and(invite()).when(suspend()).refused_as("standing-forbids");
    nobody().and(invite()).when(Command::Reactivate {}).refused_as("standing-forbids");
    nobody().and(invite()).when(close()).then_named(&["principal-closed"]);
}

#[test]
fn failed_logins_lock_the_account_longer_each_time() {
    let failed = |failures| {
        let cause = FailureCause::Password;
        Event::LoginFailed(LoginFailed { cause, failures, origin: None })
    };
    let mut story = user();
    for failures in 1..FAILURES_BEFORE_LOCK {
        story = story.when(failure()).then(vec![failed(failures)]);
    }
    let until = Some(moment("2026-01-01T12:01:00Z"));
    let locked = story
        .when(failure())
        .then(vec![failed(5), Event::PrincipalLocked(PrincipalLocked { failures: 5, until })]);
    assert_eq!(identity(&locked).standing_at(moment(NOON)), StandingName::Locked);
    let refusal = Refusal::Locked { failures: 5, until };
    locked.clone().when(failure()).refused(refusal.clone());
    locked.clone().when(login(1, vec![password()])).refused(refusal);
    let unlocked = Event::PrincipalUnlocked(PrincipalUnlocked {});
    let open = locked.clone().when(Command::Unlock {}).then(vec![unlocked]);
    open.when(Command::Unlock {}).refused(Refusal::NotLocked);
    // A minute later it is open by itself; five more lock it for two.
    let again = (5..9).fold(later(locked, 60), |story, _| story.and(failure()));
    let until = Some(moment("2026-01-01T12:03:00Z"));
    again
        .clone()
        .when(failure())
        .then(vec![failed(10), Event::PrincipalLocked(PrincipalLocked { failures: 10, until })]);
    // A login ends the row.
    let story = again.and(login(1, vec![password()]));
    story.when(failure()).then(vec![failed(1)]);
}

#[test]
fn a_hundred_failures_in_a_row_lock_the_account_for_good() {
    let mut story = user();
    let mut longest = 0;
    for failures in 1..=FAILURES_MAX {
        let before = story.known.now;
        story = story.and(failure());
        if let Some(lock) = identity(&story).lock_at(before) {
            let Some(until) = lock.until else {
                assert_eq!(failures, FAILURES_MAX);
                continue;
            };
            let seconds = u64::try_from((until.micros() - before.micros()) / 1_000_000).unwrap();
            assert!(seconds >= longest);
            longest = seconds;
            story = story.knowing(|known| known.now = until);
        }
    }
    assert_eq!(longest, LOCK_S_MAX);
    let ages = later(story, 1_000_000_000);
    let refusal = Refusal::Locked { failures: FAILURES_MAX, until: None };
    ages.when(login(1, vec![password()])).refused(refusal);
}

#[test]
fn a_session_needs_a_first_factor_and_where_there_is_a_second_both() {
    let started = |proofs: Vec<Proof>| {
        Event::SessionStarted(SessionStarted {
            expires_at: moment("2026-01-02T12:00:00Z"),
            origin: None,
            proofs,
            session: session(1),
            started_at: moment(NOON),
        })
    };
    let once = user().when(login(1, vec![password()])).then(vec![started(vec![password()])]);
    once.when(login(1, vec![password()])).refused(Refusal::SessionKnown { session: session(1) });
    user().when(login(1, vec![])).refused(Refusal::ProofsMissing);
    let (found, maximum) = (PROOFS_MAX + 1, PROOFS_MAX);
    let many = vec![password(); PROOFS_MAX + 1];
    user().when(login(1, many)).refused(Refusal::ProofsTooMany { found, maximum });
    let code = |step| Proof::Totp { step };
    user().when(login(1, vec![password(), code(STEP)])).refused(Refusal::MfaMissing);
    let backup = |number| Proof::BackupCode { number };
    user().when(login(1, vec![password(), backup(0)])).refused(Refusal::MfaMissing);
    let wrong = Proof::Password { verifier: row("another") };
    user().when(login(1, vec![wrong])).refused(Refusal::VerifierMismatch);

    let story = later(user().and(enrol()), 30);
    story.clone().when(login(1, vec![password()])).refused(Refusal::SecondFactorMissing);
    story.clone().when(login(1, vec![code(STEP + 1)])).refused(Refusal::FirstFactorMissing);
    story.clone().when(login(1, vec![password(), code(STEP + 1)])).then_named(&["session-started"]);
    story.when(login(1, vec![password(), backup(1)])).then_named(&["session-started"]);
}

#[test]
fn a_code_is_good_once_and_close_to_its_time() {
    let story = later(user().and(enrol()), 60);
    let with = |number, proof| login(number, vec![password(), proof]);
    let code = |step| Proof::Totp { step };
    let outside = |step| Refusal::TotpStepOutside { away_max: 1, current: STEP + 2, step };
    story.clone().when(with(1, code(STEP))).refused(outside(STEP));
    story.clone().when(with(1, code(STEP + 4))).refused(outside(STEP + 4));
    let used = story.clone().and(with(1, code(STEP + 2)));
    let replayed = |step| Refusal::TotpReplayed { last: STEP + 2, step };
    used.clone().when(with(2, code(STEP + 2))).refused(replayed(STEP + 2));
    used.clone().when(with(2, code(STEP + 1))).refused(replayed(STEP + 1));
    used.when(with(2, code(STEP + 3))).then_named(&["session-started"]);
    let backup = |number| Proof::BackupCode { number };
    let used = story.and(with(1, backup(0)));
    used.clone().when(with(2, backup(0))).refused(Refusal::BackupCodeUsed { number: 0 });
    used.clone().when(with(2, backup(2))).refused(Refusal::BackupCodeUsed { number: 2 });
    used.when(with(2, backup(1))).then_named(&["session-started"]);
    // The code by which the device was proved is used up, too.
    user()
        .and(enrol())
        .when(with(1, code(STEP)))
        .refused(Refusal::TotpReplayed { last: STEP, step: STEP });
}

#[test]
fn a_second_factor_is_added_with_a_code_and_its_removal_ends_every_session() {
    let enrolled =
        Event::MfaEnrolled(MfaEnrolled { backup_codes: 2, step: STEP, verifier: row("totp") });
    let with = |backup_codes, step| Command::EnrolMfa { backup_codes, step, verifier: row("totp") };
    let refusal = |found| Refusal::BackupCodesOutside { found, maximum: BACKUP_CODES_MAX };
    user().when(with(0, STEP)).refused(refusal(0));
    user().when(with(17, STEP)).refused(refusal(17));
    user().when(with(2, STEP + 2)).refused_as("totp-step-outside");
    let remove = || Command::RemoveMfa { reason: reason() };
    user().when(remove()).refused(Refusal::MfaMissing);
    let story = user().and(login(1, vec![password()])).when(enrol()).then(vec![enrolled]);
    story.clone().when(enrol()).refused(Refusal::MfaEnrolledAlready);
    story.when(remove()).then(vec![
        Event::MfaRemoved(MfaRemoved { reason: reason() }),
        ended(SessionEnd::FactorChanged, &[1]),
    ]);
    user().and(Command::Close { reason: reason() }).when(remove()).refused_as("standing-forbids");
}

#[test]
fn a_session_ends_by_itself_or_is_ended() {
    let until = |expires_at: Moment| Command::StartSession {
        expires_at,
        origin: Some(sealed("192.0.2.7")),
        proofs: vec![password()],
        session: session(1),
    };
    let now = moment(NOON);
    let latest = now.plus_seconds(SESSION_S_MAX);
    let refusal = |expires_at| Refusal::ExpiryOutside { expires_at, latest, now };
    user().when(until(now)).refused(refusal(now));
    let beyond = now.plus_seconds(SESSION_S_MAX + 1);
    user().when(until(beyond)).refused(refusal(beyond));
    let story = user().and(until(now.plus_seconds(60)));
    let revoke = |by_owner| Command::RevokeSession { by_owner, session: session(1) };
    let gone = Refusal::SessionUnknown { session: session(1) };
    later(story.clone(), 60).when(revoke(true)).refused(gone.clone());
    story.clone().when(revoke(false)).then(vec![ended(SessionEnd::Revoked, &[1])]);
    let out = story.when(revoke(true)).then(vec![ended(SessionEnd::LoggedOut, &[1])]);
    out.clone().when(revoke(true)).refused(gone);
    out.clone().when(Command::RevokeAllSessions { by_owner: true }).then(vec![]);
    let two = out.and(login(2, vec![password()])).and(login(3, vec![password()]));
    two.when(Command::RevokeAllSessions { by_owner: true })
        .then(vec![ended(SessionEnd::LoggedOut, &[2, 3])]);
}

#[test]
fn a_refresh_token_used_twice_ends_its_session() {
    let reuse = || Command::RecordRefreshReuse { origin: None, session: session(1) };
    let story = user().and(login(1, vec![password()])).and(login(2, vec![password()]));
    let story = story.when(reuse()).then(vec![
        Event::RefreshReuseDetected(RefreshReuseDetected { origin: None, session: session(1) }),
        ended(SessionEnd::RefreshReused, &[1]),
    ]);
    story.when(reuse()).refused(Refusal::SessionUnknown { session: session(1) });
}

#[test]
fn one_session_too_many_ends_the_one_that_would_end_first() {
    let full = (0..SESSIONS_MAX).fold(user(), |story, number| {
        let seconds = 600 - u64::try_from(number).unwrap();
        story.and(Command::StartSession {
            expires_at: moment(NOON).plus_seconds(seconds),
            origin: None,
            proofs: vec![password()],
            session: session(number),
        })
    });
    let events = full.clone().when(login(99, vec![password()])).events();
    assert_eq!(events[0], ended(SessionEnd::Displaced, &[SESSIONS_MAX - 1]));
    assert_eq!(events.len(), 2);
    // What has ended by itself makes room, and is forgotten.
    let late = later(full, 600).when(login(99, vec![password()])).then_named(&["session-started"]);
    assert_eq!(identity(&late).sessions.len(), 1);
}

fn issue(key: &str, scopes: &[&str], expires_at: Moment) -> Command {
    Command::IssueApiKey {
        expires_at,
        key: key.parse().unwrap(),
        label: "nightly export".parse().unwrap(),
        scopes: scopes.iter().map(|scope| scope.parse().unwrap()).collect(),
        verifier: row(key),
    }
}

#[test]
fn an_api_key_carries_no_more_than_its_owner_and_its_issuer_have() {
    let soon = moment("2026-02-01T00:00:00Z");
    let scope = |name: &str| name.parse().unwrap();
    let beyond_owner = Refusal::ScopeBeyondOwner { scope: scope("validator:read") };
    service().when(issue("key-1", &["validator:read"], soon)).refused(beyond_owner);
    let beyond_own = Refusal::ScopeBeyondOwn { scope: scope("validator:jail") };
    service().when(issue("key-1", &["validator:jail"], soon)).refused(beyond_own);
    let none = Refusal::ScopesOutside { found: 0, maximum: 64 };
    service().when(issue("key-1", &[], soon)).refused(none);
    service().when(issue("key-1", &["chain:read"], moment(NOON))).refused_as("expiry-outside");
    let far = moment("2027-01-03T12:00:00Z");
    service().when(issue("key-1", &["chain:read"], far)).refused_as("expiry-outside");
    let issued = Event::ApiKeyIssued(ApiKeyIssued {
        expires_at: soon,
        issued_at: moment(NOON),
        key: "key-1".parse().unwrap(),
        label: "nightly export".parse().unwrap(),
        scopes: vec![scope("chain:read")],
        verifier: row("key-1"),
    });
    let twice = &["chain:read", "chain:read"];
    let story = service().when(issue("key-1", twice, soon)).then(vec![issued]);
    let again = Refusal::ApiKeyKnown { key: "key-1".parse().unwrap() };
    story.clone().when(issue("key-1", twice, soon)).refused(again);
    let revoke = || Command::RevokeApiKey { key: "key-1".parse().unwrap(), reason: reason() };
    let key = "key-1".parse().unwrap();
    let revoked = Event::ApiKeyRevoked(ApiKeyRevoked { key, reason: reason() });
    let story = story.when(revoke()).then(vec![revoked]);
    story.when(revoke()).refused(Refusal::ApiKeyUnknown { key: "key-1".parse().unwrap() });
    let suspended = service().and(Command::Suspend { reason: reason() });
    suspended.when(issue("key-1", twice, soon)).refused_as("standing-forbids");
}

#[test]
fn api_keys_that_expired_make_room() {
    let soon = moment(NOON).plus_seconds(60);
    let full = (0..API_KEYS_MAX).fold(service(), |story, number| {
        story.and(issue(&format!("key-{number}"), &["chain:read"], soon))
    });
    let next = || issue("key-99", &["chain:read"], moment("2026-02-01T00:00:00Z"));
    full.clone().when(next()).refused(Refusal::ApiKeysExhausted { maximum: API_KEYS_MAX });
    let late = later(full, 60).and(next());
    assert_eq!(identity(&late).api_keys.len(), 1);
}

#[test]
fn anothers_word_is_taken_for_one_subject_and_one_principal() {
    let link = |subject: &str| Command::LinkOidc {
        issuer: issuer(),
        subject: sealed(subject),
        subject_index: index(subject),
    };
    let word = || login(1, vec![Proof::Oidc { issuer: issuer() }]);
    user().when(word()).refused(Refusal::IssuerNotLinked { issuer: issuer() });
    let taken = user().knowing(|known| known.subject_taken_by = Some(principal("south")));
    taken.when(link("ann")).refused(Refusal::SubjectTaken { issuer: issuer() });
    let linked = Event::OidcLinked(OidcLinked {
        issuer: issuer(),
        subject: sealed("ann"),
        subject_index: index("ann"),
    });
    let story = user().when(link("ann")).then(vec![linked]);
    story.clone().when(link("ann")).then(vec![]);
    story.clone().when(link("bob")).refused(Refusal::IssuerLinked { issuer: issuer() });
    story.when(word()).then_named(&["session-started"]);
    service().when(link("ann")).refused_as("kind-forbids");
    // Whoever registered by another's word has no password to prove or to change.
    let without = nobody().and(invite()).and(link("ann")).and(Command::Register {
        display_name: sealed("Ann"),
        kind: Kind::User,
        token: Some(row("link")),
        verifier: None,
    });
    without.clone().when(login(1, vec![password()])).refused(Refusal::PasswordMissing);
    without.when(change_password("new")).refused(Refusal::PasswordMissing);
}

#[test]
fn personal_data_is_erased_only_of_whoever_is_gone_and_not_under_a_legal_hold() {
    let erase = || Command::ErasePersonalData { reason: reason() };
    let confirm = || Command::ConfirmKeyDestroyed { certificate: row("certificate") };
    user().when(erase()).refused_as("standing-forbids");
    let closed = user().and(Command::Close { reason: reason() });
    closed.clone().when(confirm()).refused(Refusal::NotErased);
    let (lay, lift) = (
        || Command::LayLegalHold { reason: reason() },
        || Command::LiftLegalHold { reason: reason() },
    );
    closed.clone().when(lift()).refused(Refusal::NotHeld);
    let held =
        closed.when(lay()).then(vec![Event::LegalHoldLaid(LegalHoldLaid { reason: reason() })]);
    held.clone().when(lay()).then(vec![]);
    held.clone().when(erase()).refused(Refusal::LegalHold);
    let closed =
        held.when(lift()).then(vec![Event::LegalHoldLifted(LegalHoldLifted { reason: reason() })]);
    let story = closed
        .when(erase())
        .then(vec![Event::PersonalDataErased(PersonalDataErased { reason: reason() })]);
    assert_eq!(identity(&story).email_index, None);
    story.clone().when(erase()).then(vec![]);
    story.clone().when(lay()).refused(Refusal::Erased);
    let certificate = row("certificate");
    let story = story
        .when(confirm())
        .then(vec![Event::SubjectKeyDestroyed(SubjectKeyDestroyed { certificate })]);
    story.when(confirm()).then(vec![]);
}

#[test]
fn what_is_sealed_is_neither_read_nor_shown() {
    let address: Personal<MailAddress> = sealed("ann@north.example");
    assert_eq!(format!("{address:?}"), "Sealed(under person-1)");
    let short: Personal<DisplayName> = sealed("a");
    assert_eq!(short.sealed().ciphertext().len(), 29);
    let read = |ciphertext: &str, key_id: &str| {
        let sent = json!({"ciphertext": ciphertext, "key_id": key_id});
        serde_json::from_value::<Sealed>(sent).map_err(|fault| fault.to_string())
    };
    let clear = read("ann@north.example", "person-1").unwrap_err();
    assert!(!clear.contains("ann@"), "{clear}");
    assert!(read(&"AAAA".repeat(9), "person-1").is_err());
    assert!(read(&"AAAA".repeat(10), "person-1").is_ok());
    assert!(read(&"AAAA".repeat(10), "Ann Example").is_err());
    assert!(read(&"AAAA".repeat(342), "person-1").is_err());
}

#[test]
fn names_are_parsed_once() {
    assert!("super_admin".parse::<RoleName>().is_ok());
    for name in ["", "_admin", "Admin", "9lives", "a b", &"a".repeat(33)] {
        assert!(name.parse::<RoleName>().is_err(), "{name}");
    }
    assert!("validator:jail".parse::<PermissionName>().is_ok());
    for name in ["", "validator", ":jail", "validator:", "a:b:c", "Validator:jail"] {
        assert!(name.parse::<PermissionName>().is_err(), "{name}");
    }
    for name in ["", "Ann", "a_b", &"a".repeat(65)] {
        assert!(name.parse::<PrincipalId>().is_err(), "{name}");
    }
}

fn undefined() -> Given<role::RoleDefinition> {
    given(role::Known {
        actor_permissions: permissions(&["chain:read", "validator:jail", "validator:read"]),
        built_in: false,
        holders: 0,
        id: role_name("warden"),
        permissions: permissions(&["chain:prune", "chain:read", "validator:jail"]),
    })
}

fn define(names: &[&str]) -> role::Command {
    role::Command::Define {
        description: "jails and frees validators".parse().unwrap(),
        permissions: permissions(names).into_iter().collect(),
    }
}

#[test]
fn a_role_gives_nothing_that_its_author_lacks() {
    let defined = role::Event::RoleDefined(role::RoleDefined {
        description: "jails and frees validators".parse().unwrap(),
        permissions: permissions(&["validator:jail"]).into_iter().collect(),
    });
    let story = undefined().when(define(&["validator:jail"])).then(vec![defined]);
    story.clone().when(define(&["validator:jail"])).then(vec![]);
    story.clone().when(define(&["chain:read"])).then_named(&["role-defined"]);
    let permission: PermissionName = "chain:prune".parse().unwrap();
    let beyond = role::Refusal::BeyondOwn { permission };
    undefined().when(define(&["chain:prune"])).refused(beyond);
    // What is taken away is judged as well.
    let less = story.knowing(|known| known.actor_permissions = permissions(&["chain:read"]));
    less.when(define(&["chain:read"])).refused_as("beyond-own");
    let permission = "validator:read".parse().unwrap();
    let unknown = role::Refusal::PermissionUnknown { permission };
    undefined().when(define(&["validator:read"])).refused(unknown);
    let none = role::Refusal::PermissionsOutside { found: 0, maximum: 64 };
    undefined().when(define(&[])).refused(none);
}

#[test]
fn a_role_is_retired_once_nobody_holds_it_and_a_built_in_one_never() {
    let retire = || role::Command::Retire {};
    let role = role_name("warden");
    undefined().when(retire()).refused(role::Refusal::NotDefined { role: role.clone() });
    let story = undefined().and(define(&["chain:read"]));
    let held = story.clone().knowing(|known| known.holders = 2);
    held.when(retire()).refused(role::Refusal::StillHeld { holders: 2 });
    let retired = role::Event::RoleRetired(role::RoleRetired {});
    let story = story.when(retire()).then(vec![retired]);
    story.when(define(&["chain:read"])).then_named(&["role-defined"]);
    let built_in = undefined().knowing(|known| known.built_in = true);
    built_in.when(define(&["chain:read"])).refused(role::Refusal::BuiltIn { role });
}

proptest! {
    /// However somebody guesses, between two logins there are at most so many guesses.
    #[test]
    fn guesses_are_bounded_and_never_made_while_locked(waits in vec(0..200_000_u64, 1..300)) {
        let mut story = user();
        let mut guesses = 0;
        for wait in waits {
            story = later(story, wait);
            let locked = identity(&story).lock_at(story.known.now).is_some();
            match story.state.decide(&failure(), &story.known) {
                Ok(events) => {
                    prop_assert!(!locked);
                    guesses += 1;
                    events.iter().for_each(|event| story.state.evolve(event));
                }
                Err(Refusal::Locked { .. }) => prop_assert!(locked),
                Err(other) => prop_assert!(false, "{other}"),
            }
        }
        prop_assert!(guesses <= FAILURES_MAX);
    }

    /// Whatever is granted and taken, a principal never holds what its granter lacked.
    #[test]
    fn no_role_is_held_that_its_granter_lacked(
        steps in vec((0..6_usize, any::<bool>(), 0..64_u8), 1..60),
    ) {
        let all = ["a:a", "b:b", "c:c", "d:d", "e:e", "f:f"];
        let of = |mask: u8| -> BTreeSet<PermissionName> {
            let chosen = all.iter().enumerate().filter(|(bit, _)| mask & (1 << bit) != 0);
            chosen.map(|(_, name)| name.parse().unwrap()).collect()
        };
        let mut story = user();
        for (number, grants, own) in steps {
            let gives = of(0b11 << number);
            let role = role_name(&format!("role_{number}"));
            let actor_permissions = of(own);
            let lacks = !gives.is_subset(&actor_permissions);
            story = story.knowing(|known| {
                (known.role_permissions, known.actor_permissions) = (Some(gives), actor_permissions);
            });
            let held = identity(&story).roles.contains(&role);
            let command = match grants {
                true => Command::GrantRole { role: role.clone() },
                false => Command::RevokeRole { role: role.clone() },
            };
            if let Ok(events) = story.state.decide(&command, &story.known) {
                prop_assert!(!lacks);
                events.iter().for_each(|event| story.state.evolve(event));
                prop_assert_eq!(identity(&story).roles.contains(&role), grants);
            } else {
                prop_assert_eq!(identity(&story).roles.contains(&role), held);
            }
        }
    }
}

/// A story in which everything happens.
pub fn one_of_each() -> Vec<Event> {
    let mut story = nobody();
    let mut events = Vec::new();
    let happen = |story: &mut Given<Principal>, events: &mut Vec<Event>, command: Command| {
        let new = story.clone().when(command.clone()).events();
        assert!(!new.is_empty(), "{command:?}");
        new.iter().for_each(|event| story.state.evolve(event));
        events.extend(new);
    };
    let origin = Some(sealed("192.0.2.7"));
    let opened = Command::StartSession {
        expires_at: moment("2026-01-02T12:00:00Z"),
        origin: origin.clone(),
        proofs: vec![
            password(),
            Proof::Totp { step: STEP + 1 },
            Proof::BackupCode { number: 1 },
            Proof::Oidc { issuer: issuer() },
        ],
        session: session(1),
    };
    let linked =
        Command::LinkOidc { issuer: issuer(), subject: sealed("ann"), subject_index: index("ann") };
    let failed = Command::RecordLoginFailure { cause: FailureCause::Password, origin };
    let key = "key-1".parse().unwrap();
    let commands = [
        vec![invite(), register(), Command::VerifyEmail { email_index: index("a@b") }],
        vec![Command::RequestPasswordReset { token: row("reset") }, enrol(), linked, opened],
        vec![Command::RecordRefreshReuse { origin: None, session: session(1) }],
        vec![Command::GrantRole { role: role_name("viewer") }],
        vec![Command::RevokeRole { role: role_name("viewer") }],
        vec![failed; 5],
        vec![Command::Unlock {}, change_password("new")],
        vec![Command::RemoveMfa { reason: reason() }],
        vec![issue("key-1", &["chain:read"], moment("2026-02-01T00:00:00Z"))],
        vec![Command::RevokeApiKey { key, reason: reason() }],
        vec![Command::Suspend { reason: reason() }, Command::Reactivate {}],
        vec![Command::Close { reason: reason() }],
        vec![Command::LayLegalHold { reason: reason() }],
        vec![Command::LiftLegalHold { reason: reason() }],
        vec![Command::ErasePersonalData { reason: reason() }],
        vec![Command::ConfirmKeyDestroyed { certificate: row("certificate") }],
    ];
    for command in commands.concat() {
        happen(&mut story, &mut events, command);
    }
    events
}

/// Both events of a role.
pub fn both_of_a_role() -> Vec<role::Event> {
    let defined = undefined().when(define(&["chain:read", "validator:jail"]));
    let mut events = defined.events();
    let story = undefined().and(define(&["chain:read"]));
    events.extend(story.when(role::Command::Retire {}).events());
    events
}

/// The examples of the contract, carried out one after the other.
#[test]
fn the_examples_are_accepted_in_a_story_that_calls_for_them() {
    let example = |name: &str| -> Command {
        serde_json::from_value(Command::example(name).unwrap()).unwrap()
    };
    let story = nobody()
        .knowing(|known| {
            known.now = moment("2026-01-01T00:00:00Z");
            known.permissions = permissions(&["chain:read", "validator:read"]);
        })
        .and(example("invite"))
        .and(example("register"))
        .and(example("verify-email"))
        .and(example("change-password"))
        .and(example("request-password-reset"))
        .and(example("reset-password"))
        .and(example("grant-role"))
        .and(example("revoke-role"))
        .and(example("suspend"))
        .and(example("reactivate"))
        .and(example("start-session"))
        .and(example("revoke-session"))
        .and(example("start-session"))
        .and(example("record-refresh-reuse"))
        .and(example("revoke-all-sessions"))
        .and(example("enrol-mfa"))
        .and(example("remove-mfa"))
        .and(example("issue-api-key"))
        .and(example("revoke-api-key"))
        .and(example("link-oidc"));
    (0..5)
        .fold(story, |story, _| story.and(example("record-login-failure")))
        .and(example("unlock"))
        .and(example("close"))
        .and(example("lay-legal-hold"))
        .and(example("lift-legal-hold"))
        .and(example("erase-personal-data"))
        .and(example("confirm-key-destroyed"));
    let role = |name: &str| -> role::Command {
        serde_json::from_value(role::Command::example(name).unwrap()).unwrap()
    };
    undefined()
        .knowing(|known| {
            known.permissions.insert("validator:read".parse().unwrap());
        })
        .and(role("define"))
        .and(role("retire"));
}
