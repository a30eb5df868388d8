//! A role of the installation's own: a name for a set of permissions.
//!
//! Does not know who holds it, nor which permissions there are: both are handed in.
//!
//! The story. Six roles are built in and stay as they are. Others are defined, by nobody who lacks
//! what they give, defined anew, and retired once nobody holds them. A retired name may be defined
//! again.

mod command;
mod event;
mod refusal;

use std::collections::BTreeSet;

pub use command::Command;
pub use event::{Event, RoleDefined, RoleRetired};
pub use refusal::Refusal;

use crate::{
    aggregate::Aggregate,
    values::{Label, PermissionName, RoleName},
};

/// The most permissions of one role.
pub const PERMISSIONS_MAX: usize = 64;

/// What a decision must know beyond the role's own history.
#[derive(Clone, Debug)]
pub struct Known {
    /// What whoever asks may do.
    pub actor_permissions: BTreeSet<PermissionName>,
    /// Whether the role is one of those that are built in.
    pub built_in: bool,
    /// How many principals that are not closed hold it.
    pub holders: u32,
    /// The role the stream is named by.
    pub id: RoleName,
    /// Every permission there is.
    pub permissions: BTreeSet<PermissionName>,
}

/// A role as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub enum RoleDefinition {
    /// Nobody defined it, or it was retired.
    #[default]
    Undefined,
    /// What it gives.
    Defined(Definition),
}

/// What a role gives.
#[derive(Clone, Debug, PartialEq)]
pub struct Definition {
    /// What it is for.
    pub description: Label,
    /// What its holders may do.
    pub permissions: BTreeSet<PermissionName>,
}

impl RoleDefinition {
    /// What it gives; none when it is not defined.
    pub fn definition(&self) -> Option<&Definition> {
        match self {
            RoleDefinition::Undefined => None,
            RoleDefinition::Defined(definition) => Some(definition),
        }
    }

    fn define(
        &self,
        description: &Label,
        permissions: &[PermissionName],
        known: &Known,
    ) -> Result<Vec<Event>, Refusal> {
        let wanted: BTreeSet<PermissionName> = permissions.iter().cloned().collect();
        if !(1..=PERMISSIONS_MAX).contains(&wanted.len()) {
            let (found, maximum) = (wanted.len(), PERMISSIONS_MAX);
            return Err(Refusal::PermissionsOutside { found, maximum });
        }
        if let Some(permission) = wanted.difference(&known.permissions).next() {
            return Err(Refusal::PermissionUnknown { permission: permission.clone() });
        }
        let before = self.definition();
        // What was given and would be taken away counts as well as what would be given.
        let touched = before.into_iter().flat_map(|before| &before.permissions).chain(&wanted);
        for permission in touched {
            if !known.actor_permissions.contains(permission) {
                return Err(Refusal::BeyondOwn { permission: permission.clone() });
            }
        }
        let same = |before: &Definition| {
            before.description == *description && before.permissions == wanted
        };
        if before.is_some_and(same) {
            return Ok(Vec::new());
        }
        Ok(vec![Event::RoleDefined(RoleDefined {
            description: description.clone(),
            permissions: wanted.into_iter().collect(),
        })])
    }

    fn retire(&self, known: &Known) -> Result<Vec<Event>, Refusal> {
        if self.definition().is_none() {
            return Err(Refusal::NotDefined { role: known.id.clone() });
        }
        if known.holders > 0 {
            return Err(Refusal::StillHeld { holders: known.holders });
        }
        Ok(vec![Event::RoleRetired(RoleRetired {})])
    }
}

impl Aggregate for RoleDefinition {
    const CATEGORY: &'static str = "role";
    type Id = RoleName;
    type Command = Command;
    type Event = Event;
    type Refusal = Refusal;
    type Known = Known;

    fn decide(&self, command: &Command, known: &Known) -> Result<Vec<Event>, Refusal> {
        if known.built_in {
            return Err(Refusal::BuiltIn { role: known.id.clone() });
        }
        match command {
            Command::Define { description, permissions } => {
                self.define(description, permissions, known)
            }
            Command::Retire {} => self.retire(known),
        }
    }

    fn asked(&self, facts: &[Event]) -> Option<Command> {
        command::asked(facts)
    }

    fn evolve(&mut self, event: &Event) {
        *self = match event {
            Event::RoleDefined(data) => RoleDefinition::Defined(Definition {
                description: data.description.clone(),
                permissions: data.permissions.iter().cloned().collect(),
            }),
            Event::RoleRetired(_) => RoleDefinition::Undefined,
        };
    }
}
