//! What can have happened to a role.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    values::{Label, PermissionName},
};

/// A fact about a role.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = RoleEvent))]
pub enum Event {
    /// The role gives this from now on.
    #[serde(rename = "role-defined.v1")]
    RoleDefined(RoleDefined),
    /// The role gives nothing any more.
    #[serde(rename = "role-retired.v1")]
    RoleRetired(RoleRetired),
}

/// The role gives this from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoleDefined {
    /// What it is for.
    pub description: Label,
    /// What its holders may do, in the order of names.
    pub permissions: Vec<PermissionName>,
}

/// The role gives nothing any more.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct RoleRetired {}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &["role-defined.v1", "role-retired.v1"];

    fn name(&self) -> &'static str {
        match self {
            Event::RoleDefined(_) => "role-defined.v1",
            Event::RoleRetired(_) => "role-retired.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::RoleDefined(data) => data.serialize(serializer),
            Event::RoleRetired(data) => data.serialize(serializer),
        }
    }
}
