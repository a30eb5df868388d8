//! What principals and roles must know beyond their own history: everybody else.
//!
//! Does not decide anything, and knows no secret.

use domain::{
    identity::{
        principal::{self, Principal},
        role::{self, RoleDefinition},
    },
    values::{BlindIndex, PrincipalId, RoleName, Website},
};
use event_store::StoreError;

use crate::{
    execute::{Commands, Handled, Rooms},
    lane::Lanes,
    policy::{self, Permission, PermissionSet, Role},
    request::{Actor, RequestContext},
};

impl Handled for Principal {
    fn permission(command: &principal::Command) -> Permission {
        policy::principal(command)
    }

    async fn prepare(
        commands: &Commands,
        id: &PrincipalId,
        _: &Principal,
        command: &principal::Command,
        context: &RequestContext,
    ) -> Result<principal::Known, StoreError> {
        commands.refresh_directory().await?;
        let directory = commands.directory();
        let named = Named::of(command);
        let guardian_roles = directory.guardian_roles();
        let subject = named.subject;
        Ok(principal::Known {
            actor: context.actor.principal.clone(),
            actor_permissions: grantable(&context.actor).names(),
            email_taken_by: named.email.and_then(|index| directory.by_email(index)).cloned(),
            id: id.clone(),
            now: context.at,
            other_guardians: directory.holders_but(id, &guardian_roles),
            guardian_roles,
            permissions: directory.permissions(id).names(),
            role_permissions: named
                .role
                .and_then(|role| directory.role(role))
                .map(PermissionSet::names),
            subject_taken_by: subject
                .and_then(|(issuer, index)| directory.by_subject(issuer, index))
                .cloned(),
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<Principal> {
        &rooms.principals
    }
}

/// What an actor may hand on: what it has, and whoever may grant roles also what only validators
/// have, as it lets nobody do what a validator's key is needed for.
fn grantable(actor: &Actor) -> PermissionSet {
    match actor.may(Permission::IdentityGrant) {
        true => actor.permissions.union(Role::Validator.permissions()),
        false => actor.permissions,
    }
}

/// What a command names that others may have as well.
#[derive(Default)]
struct Named<'a> {
    email: Option<&'a BlindIndex>,
    role: Option<&'a RoleName>,
    subject: Option<(&'a Website, &'a BlindIndex)>,
}

impl Named<'_> {
    fn of(command: &principal::Command) -> Named<'_> {
        use principal::Command;
        match command {
            Command::Invite { email_index, .. } => {
                Named { email: Some(email_index), ..Named::default() }
            }
            Command::GrantRole { role } | Command::RevokeRole { role } => {
                Named { role: Some(role), ..Named::default() }
            }
            Command::LinkOidc { issuer, subject_index, .. } => {
                Named { subject: Some((issuer, subject_index)), ..Named::default() }
            }
            Command::Register { .. }
            | Command::VerifyEmail { .. }
            | Command::ChangePassword { .. }
            | Command::RequestPasswordReset { .. }
            | Command::ResetPassword { .. }
            | Command::Suspend { .. }
            | Command::Reactivate {}
            | Command::Close { .. }
            | Command::RecordLoginFailure { .. }
            | Command::Unlock {}
            | Command::StartSession { .. }
            | Command::RevokeSession { .. }
            | Command::RevokeAllSessions { .. }
            | Command::RecordRefreshReuse { .. }
            | Command::EnrolMfa { .. }
            | Command::RemoveMfa { .. }
            | Command::IssueApiKey { .. }
            | Command::RevokeApiKey { .. }
            | Command::LayLegalHold { .. }
            | Command::LiftLegalHold { .. }
            | Command::ErasePersonalData { .. }
            | Command::ConfirmKeyDestroyed { .. } => Named::default(),
        }
    }
}

impl Handled for RoleDefinition {
    fn permission(command: &role::Command) -> Permission {
        policy::role(command)
    }

    async fn prepare(
        commands: &Commands,
        name: &RoleName,
        _: &RoleDefinition,
        _: &role::Command,
        context: &RequestContext,
    ) -> Result<role::Known, StoreError> {
        commands.refresh_directory().await?;
        Ok(role::Known {
            actor_permissions: context.actor.permissions.names(),
            built_in: Role::named(name.as_str()).is_some(),
            holders: commands.directory().holders(name),
            id: name.clone(),
            permissions: PermissionSet::all().names(),
        })
    }

    fn lanes(rooms: &Rooms) -> &Lanes<RoleDefinition> {
        &rooms.roles
    }
}
