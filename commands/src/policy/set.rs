//! Sets of permissions: what somebody may do, all taken together.
//!
//! Does not know where they come from.

use std::collections::BTreeSet;

use domain::values::PermissionName;

use super::Permission;

/// A set of permissions: a bit each, in the order of [`Permission::ALL`].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct PermissionSet(u64);

// A bit for every permission.
const _: () = assert!(Permission::ALL.len() <= u64::BITS as usize);

impl PermissionSet {
    /// Every permission there is.
    pub fn all() -> PermissionSet {
        Permission::ALL.iter().copied().collect()
    }

    /// Whether the permission is among them.
    pub fn holds(self, permission: Permission) -> bool {
        self.0 & bit(permission) != 0
    }

    /// Those of both.
    pub fn union(self, other: PermissionSet) -> PermissionSet {
        PermissionSet(self.0 | other.0)
    }

    /// Those that are in both.
    pub fn intersection(self, other: PermissionSet) -> PermissionSet {
        PermissionSet(self.0 & other.0)
    }

    /// Those that have these names; a name that no permission has any more gives nothing.
    pub fn named<'a>(names: impl IntoIterator<Item = &'a PermissionName>) -> PermissionSet {
        names.into_iter().filter_map(|name| Permission::named(name.as_str())).collect()
    }

    /// In the order of [`Permission::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.iter().copied().filter(move |permission| self.holds(*permission))
    }

    /// Their names.
    pub fn names(self) -> BTreeSet<PermissionName> {
        let name = |permission: Permission| {
            permission.as_str().parse().expect("every permission is well named: a test says so")
        };
        self.iter().map(name).collect()
    }
}

impl FromIterator<Permission> for PermissionSet {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> PermissionSet {
        PermissionSet(permissions.into_iter().fold(0, |bits, permission| bits | bit(permission)))
    }
}

/// The enumeration is in the order of [`Permission::ALL`]: a test says so.
fn bit(permission: Permission) -> u64 {
    1 << permission as u32
}
