//! The roles that are built in.
//!
//! Does not know who holds one.

use serde::Serialize;

use super::{Permission, PermissionSet};

/// What an actor is. An actor may hold several.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Owns the installation.
    SuperAdmin,
    /// Runs it.
    Admin,
    /// Runs validators.
    Operator,
    /// Reads and proves everything, changes nothing.
    Auditor,
    /// A validator's service account.
    Validator,
    /// Looks.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: &'static [Role] = &[
        Role::SuperAdmin,
        Role::Admin,
        Role::Operator,
        Role::Auditor,
        Role::Validator,
        Role::Viewer,
    ];

    /// The stored name.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::SuperAdmin => "super_admin",
            Role::Admin => "admin",
            Role::Operator => "operator",
            Role::Auditor => "auditor",
            Role::Validator => "validator",
            Role::Viewer => "viewer",
        }
    }

    /// The role of a stored name.
    pub fn named(name: &str) -> Option<Role> {
        Role::ALL.iter().copied().find(|role| role.as_str() == name)
    }

    /// Whether the role holds the permission.
    pub fn holds(self, permission: Permission) -> bool {
        permission.holders().contains(&self)
    }

    /// All that the role gives.
    pub fn permissions(self) -> PermissionSet {
        Permission::ALL.iter().copied().filter(|permission| self.holds(*permission)).collect()
    }
}
