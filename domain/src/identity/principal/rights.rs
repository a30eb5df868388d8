//! Roles of a principal: nobody gives or takes what they lack, and somebody can always give.
//!
//! Does not know what a role gives: that is handed in.

use super::{Event, Identity, Known, ROLES_MAX, Refusal, RoleGranted, RoleRevoked, Standing};
use crate::values::{PermissionName, RoleName};

/// What only a validator's own service may have.
const VALIDATORS_ONLY: [&str; 2] = ["consensus:propose", "consensus:vote"];

/// Refuses a role that gives more than whoever asks has. What they lack is not told.
fn within_own(role: &RoleName, known: &Known) -> Result<(), Refusal> {
    let unknown = || Refusal::RoleUnknown { role: role.clone() };
    let given = known.role_permissions.as_ref().ok_or_else(unknown)?;
    if given.is_subset(&known.actor_permissions) {
        return Ok(());
    }
    Err(Refusal::RoleBeyondOwn { role: role.clone() })
}

/// Refuses when nobody else could grant roles once this principal no longer can.
pub(super) fn leave_a_guardian(identity: &Identity, known: &Known) -> Result<(), Refusal> {
    let guards = !identity.roles.is_disjoint(&known.guardian_roles);
    if guards && known.other_guardians == 0 { Err(Refusal::LastGuardian) } else { Ok(()) }
}

pub(super) fn grant(
    identity: &Identity,
    role: &RoleName,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if identity.standing == Standing::Closed {
        let standing = identity.standing_at(known.now);
        return Err(Refusal::StandingForbids { command: "be granted a role", standing });
    }
    within_own(role, known)?;
    let given = known.role_permissions.iter().flatten();
    let only = |permission: &PermissionName| VALIDATORS_ONLY.contains(&permission.as_str());
    if given.clone().any(only) && known.id.validator().is_none() {
        return Err(Refusal::ValidatorsOnly { role: role.clone() });
    }
    if identity.roles.contains(role) {
        return Ok(Vec::new());
    }
    if identity.roles.len() >= ROLES_MAX {
        return Err(Refusal::RolesExhausted { maximum: ROLES_MAX });
    }
    let (granted_by, role) = (known.actor.clone(), role.clone());
    Ok(vec![Event::RoleGranted(RoleGranted { granted_by, role })])
}

pub(super) fn revoke(
    identity: &Identity,
    role: &RoleName,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if !identity.roles.contains(role) {
        return Err(Refusal::RoleNotHeld { role: role.clone() });
    }
    // A role that was retired since can be taken from whoever still holds it.
    if known.role_permissions.is_some() {
        within_own(role, known)?;
    }
    let keeps_another =
        identity.roles.iter().any(|held| held != role && known.guardian_roles.contains(held));
    let gives_up = known.guardian_roles.contains(role) && !keeps_another;
    if gives_up && identity.standing == Standing::Active {
        leave_a_guardian(identity, known)?;
    }
    let (revoked_by, role) = (known.actor.clone(), role.clone());
    Ok(vec![Event::RoleRevoked(RoleRevoked { revoked_by, role })])
}
