//! Who may do what, as the write wing decides it: everybody's roles are known to every process, and
//! nobody gives what they lack.

use commands::{
    Actor, CommandError, Commands, CommandsOptions, Permission, PermissionSet, RequestContext, Role,
};
use domain::{
    identity::{
        principal::{Command, Kind, Principal, Refusal},
        role::{self, RoleDefinition},
    },
    values::{BlindIndex, Hash, Personal, PrincipalId, RoleName, Sealed},
};
use event_store::{EventStore, StoreOptions};
use tests::database::TestDatabase;

async fn process(database: &TestDatabase) -> Commands {
    let store = EventStore::open(StoreOptions::new(database.url())).await;
    Commands::new(store.expect("the log opens"), CommandsOptions::default())
}

fn id(name: &str) -> PrincipalId {
    name.parse().unwrap()
}

fn role(name: &str) -> RoleName {
    name.parse().unwrap()
}

fn program() -> RequestContext {
    RequestContext::new(Actor::on_behalf_of(&id("setup")))
}

fn sealed<T>() -> Personal<T> {
    Sealed::new(&[7; 40], "person-1").unwrap().into()
}

/// What a principal asks for, with all the rights that its roles give it.
async fn asks(
    commands: &Commands,
    who: &str,
    whom: &str,
    command: Command,
) -> Result<(), CommandError<Refusal>> {
    commands.refresh_directory().await.unwrap();
    let permissions = commands.directory().permissions(&id(who));
    let context = RequestContext::new(Actor::principal(id(who), permissions));
    commands.execute::<Principal>(id(whom), command, context).await.map(drop)
}

async fn service(commands: &Commands, name: &str, roles: &[&str]) {
    let register = Command::Register {
        display_name: sealed(),
        kind: Kind::Service,
        token: None,
        verifier: None,
    };
    commands.execute::<Principal>(id(name), register, program()).await.expect("set up");
    for name_of_role in roles {
        let grant = Command::GrantRole { role: role(name_of_role) };
        commands.execute::<Principal>(id(name), grant, program()).await.expect("granted");
    }
}

#[test]
fn every_permission_has_a_bit_of_its_own_and_a_name_that_the_domain_takes() {
    assert_eq!(PermissionSet::all().names().len(), Permission::ALL.len());
    for (place, permission) in Permission::ALL.iter().enumerate() {
        assert_eq!(*permission as usize, place, "{}", permission.as_str());
        let alone: PermissionSet = [*permission].into_iter().collect();
        assert_eq!(alone.iter().collect::<Vec<_>>(), [*permission]);
        assert_eq!(PermissionSet::named(&alone.names()), alone);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_role_granted_in_one_process_is_a_right_in_every_other() {
    let database = TestDatabase::create().await;
    let (one, other) = (process(&database).await, process(&database).await);
    service(&one, "root", &["super_admin"]).await;
    service(&one, "clerk", &[]).await;
    assert_eq!(other.directory().permissions(&id("clerk")), PermissionSet::default());
    asks(&one, "root", "clerk", Command::GrantRole { role: role("auditor") }).await.unwrap();
    other.refresh_directory().await.unwrap();
    assert_eq!(other.directory().permissions(&id("clerk")), Role::Auditor.permissions());
    let reason = "left the team".parse().unwrap();
    asks(&other, "root", "clerk", Command::Suspend { reason }).await.unwrap();
    one.refresh_directory().await.unwrap();
    assert_eq!(one.directory().permissions(&id("clerk")), PermissionSet::default());
    // One that starts now begins with the streams, and knows the same.
    let late = process(&database).await;
    late.refresh_directory().await.unwrap();
    for who in ["root", "clerk"] {
        assert_eq!(late.directory().identity(&id(who)), one.directory().identity(&id(who)));
    }
    asks(&late, "root", "clerk", Command::Reactivate {}).await.unwrap();
    late.refresh_directory().await.unwrap();
    assert_eq!(late.directory().permissions(&id("clerk")), Role::Auditor.permissions());
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_grants_what_they_lack_and_the_last_who_can_grant_stays() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    service(&commands, "root", &["super_admin"]).await;
    service(&commands, "clerk", &["admin"]).await;
    let grant = Command::GrantRole { role: role("super_admin") };
    let refused = asks(&commands, "clerk", "clerk", grant.clone()).await;
    assert!(matches!(
        refused,
        Err(CommandError::Forbidden { permission: Permission::IdentityGrant })
    ));
    // A role of the installation's own that grants, but gives little.
    let define = role::Command::Define {
        description: "hands out the viewer role".parse().unwrap(),
        permissions: ["identity:grant", "validator:read"].map(|p| p.parse().unwrap()).to_vec(),
    };
    let context = RequestContext::new(Actor::principal(id("root"), Role::SuperAdmin.permissions()));
    commands.execute::<RoleDefinition>(role("greeter"), define, context).await.unwrap();
    asks(&commands, "root", "clerk", Command::RevokeRole { role: role("admin") }).await.unwrap();
    asks(&commands, "root", "clerk", Command::GrantRole { role: role("greeter") }).await.unwrap();
    let refused = asks(&commands, "clerk", "clerk", grant).await;
    assert!(matches!(refused, Err(CommandError::Refused(Refusal::RoleBeyondOwn { .. }))));
    // With another who can grant, the first may go; then that other may not.
    let leave = Command::Close { reason: "left for good".parse().unwrap() };
    asks(&commands, "root", "root", leave.clone()).await.unwrap();
    let refused =
        commands.execute::<Principal>(id("clerk"), leave, program()).await.map(drop).unwrap_err();
    assert!(matches!(refused, CommandError::Refused(Refusal::LastGuardian)), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mail_address_is_one_principal_s_until_that_one_is_closed() {
    let database = TestDatabase::create().await;
    let commands = process(&database).await;
    let invite = Command::Invite {
        email: sealed(),
        email_index: BlindIndex::from_bytes([1; 32]),
        token: Hash::from_bytes([2; 32]),
    };
    commands.execute::<Principal>(id("a"), invite.clone(), program()).await.unwrap();
    let taken = commands.execute::<Principal>(id("b"), invite.clone(), program()).await;
    assert!(matches!(taken, Err(CommandError::Refused(Refusal::EmailTaken))));
    let close = Command::Close { reason: "never came".parse().unwrap() };
    commands.execute::<Principal>(id("a"), close, program()).await.unwrap();
    commands.execute::<Principal>(id("b"), invite, program()).await.unwrap();
    assert_eq!(
        commands.directory().by_email(&BlindIndex::from_bytes([1; 32])),
        None,
        "the directory is as of before the second invitation"
    );
}
