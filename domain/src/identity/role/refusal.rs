//! Why a command to a role was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use crate::{
    aggregate,
    values::{PermissionName, RoleName},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RoleRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the role {role} is built in and stays as it is")]
    BuiltIn { role: RoleName },
    #[error("there is no role {role}")]
    NotDefined { role: RoleName },
    #[error("{found} different permissions are not 1 to {maximum}")]
    PermissionsOutside { found: usize, maximum: usize },
    #[error("there is no permission {permission}")]
    PermissionUnknown { permission: PermissionName },
    #[error("{permission} is more than whoever asks has")]
    BeyondOwn { permission: PermissionName },
    #[error("{holders} principals hold the role")]
    StillHeld { holders: u32 },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::BuiltIn { .. } => "built-in",
            Refusal::NotDefined { .. } => "not-defined",
            Refusal::PermissionsOutside { .. } => "permissions-outside",
            Refusal::PermissionUnknown { .. } => "permission-unknown",
            Refusal::BeyondOwn { .. } => "beyond-own",
            Refusal::StillHeld { .. } => "still-held",
        }
    }
}
