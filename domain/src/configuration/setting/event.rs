//! What can have happened to a setting.
//!
//! Does not know the moment: the record says when.

use serde::{Deserialize, Serialize, Serializer};

use crate::{
    aggregate,
    configuration::Document,
    values::{PrincipalId, Reason},
};

/// A fact about a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", content = "data")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = SettingEvent))]
pub enum Event {
    /// A value was proposed.
    #[serde(rename = "setting-proposed.v1")]
    SettingProposed(SettingProposed),
    /// The proposal may be applied.
    #[serde(rename = "setting-approved.v1")]
    SettingApproved(SettingApproved),
    /// The proposal is off.
    #[serde(rename = "setting-rejected.v1")]
    SettingRejected(SettingRejected),
    /// The proposed value is in force.
    #[serde(rename = "setting-applied.v1")]
    SettingApplied(SettingApplied),
    /// An earlier version's value is in force again.
    #[serde(rename = "setting-rolled-back.v1")]
    SettingRolledBack(SettingRolledBack),
}

/// A value was proposed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingProposed {
    /// The version in force, with which it was compared.
    pub base_version: u32,
    /// The number of the proposal, from 1.
    pub proposal: u32,
    /// Who proposed it; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub proposed_by: Option<PrincipalId>,
    /// Why.
    pub reason: Reason,
    /// The value.
    pub value: Document,
}

/// The proposal may be applied.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingApproved {
    /// Who approved it; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub approved_by: Option<PrincipalId>,
    /// Which.
    pub proposal: u32,
}

/// The proposal is off.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingRejected {
    /// Which.
    pub proposal: u32,
    /// Why.
    pub reason: Reason,
    /// Who rejected it, or took it back; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rejected_by: Option<PrincipalId>,
}

/// The proposed value is in force.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingApplied {
    /// Which proposal.
    pub proposal: u32,
    /// The value.
    pub value: Document,
    /// The version that it is.
    pub version: u32,
}

/// An earlier version's value is in force again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
pub struct SettingRolledBack {
    /// Why.
    pub reason: Reason,
    /// Whose value it is; 0 for the default.
    pub restored: u32,
    /// Who did it; none for the program itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rolled_back_by: Option<PrincipalId>,
    /// The value; none for the default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Document>,
    /// The version that it is.
    pub version: u32,
}

impl aggregate::Event for Event {
    const NAMES: &'static [&'static str] = &[
        "setting-proposed.v1",
        "setting-approved.v1",
        "setting-rejected.v1",
        "setting-applied.v1",
        "setting-rolled-back.v1",
    ];

    fn name(&self) -> &'static str {
        match self {
            Event::SettingProposed(_) => "setting-proposed.v1",
            Event::SettingApproved(_) => "setting-approved.v1",
            Event::SettingRejected(_) => "setting-rejected.v1",
            Event::SettingApplied(_) => "setting-applied.v1",
            Event::SettingRolledBack(_) => "setting-rolled-back.v1",
        }
    }

    fn write_data<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Event::SettingProposed(data) => data.serialize(serializer),
            Event::SettingApproved(data) => data.serialize(serializer),
            Event::SettingRejected(data) => data.serialize(serializer),
            Event::SettingApplied(data) => data.serialize(serializer),
            Event::SettingRolledBack(data) => data.serialize(serializer),
        }
    }
}
