//! What a setting's history adds up to.
//!
//! Does not judge: only events change it.

use std::collections::BTreeMap;

use super::{Event, VERSIONS_KEPT};
use crate::{configuration::Document, values::PrincipalId};

/// A setting as its history tells it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Setting {
    /// The number of the last proposal that was applied; 0 before the first.
    pub applied: u32,
    /// The version in force; 0 for the default.
    pub current: u32,
    /// The last versions and their values, the one in force among them; none for the default.
    pub versions: BTreeMap<u32, Option<Document>>,
    /// The proposal that is open.
    pub proposal: Option<Proposal>,
    /// How many proposals there were.
    pub proposals: u32,
}

/// An open proposal.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// Whether it may be applied.
    pub approved: bool,
    /// The version it was compared with.
    pub base: u32,
    /// Its number.
    pub number: u32,
    /// Who proposed it; none for the program itself.
    pub proposed_by: Option<PrincipalId>,
    /// The value.
    pub value: Document,
}

impl Setting {
    /// The value in force; none for the default.
    pub fn value(&self) -> Option<&Document> {
        self.versions.get(&self.current).and_then(Option::as_ref)
    }

    /// The value of a version that is still kept, within: none for the default.
    pub fn version(&self, version: u32) -> Option<Option<&Document>> {
        match self.versions.get(&version) {
            Some(value) => Some(value.as_ref()),
            None if version == 0 => Some(None),
            None => None,
        }
    }

    fn put_in_force(&mut self, version: u32, value: Option<Document>) {
        self.current = version;
        self.versions.insert(version, value);
        while self.versions.len() > VERSIONS_KEPT + 1 {
            self.versions.pop_first();
        }
    }
}

/// Applies one event.
pub(super) fn evolve(setting: &mut Setting, event: &Event) {
    match event {
        Event::SettingProposed(data) => {
            setting.proposals = data.proposal;
            setting.proposal = Some(Proposal {
                approved: false,
                base: data.base_version,
                number: data.proposal,
                proposed_by: data.proposed_by.clone(),
                value: data.value.clone(),
            });
        }
        Event::SettingApproved(_) => {
            if let Some(proposal) = &mut setting.proposal {
                proposal.approved = true;
            }
        }
        Event::SettingRejected(_) => setting.proposal = None,
        Event::SettingApplied(data) => {
            setting.proposal = None;
            setting.applied = data.proposal;
            setting.put_in_force(data.version, Some(data.value.clone()));
        }
        Event::SettingRolledBack(data) => setting.put_in_force(data.version, data.value.clone()),
    }
}
