//! Settings: what is in force, what is proposed, and what was in force before.
//!
//! Does not know which keys there are, nor what a value means.

use domain::{
    aggregate::Aggregate as _,
    configuration::{
        Document, Key,
        setting::{Event as Happened, Setting as Aggregate, VERSIONS_KEPT},
    },
    values::{Moment, PrincipalId, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Configured, Event, Fact},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "settings";

/// A setting that somebody spoke to.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SettingRow)]
pub struct Setting {
    /// Its key.
    pub key: Key,
    /// The version in force; 0 for the default.
    pub in_force: u32,
    /// The value in force; null for the default.
    #[schema(value_type = serde_json::Value)]
    pub value: Option<Document>,
    /// The proposal that is open.
    pub proposal: Option<Proposal>,
    /// What was in force, the newest first: the last ones only.
    pub history: Vec<SettingVersion>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position of its last event.
    pub position: u64,
}

/// An open proposal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = SettingProposal)]
pub struct Proposal {
    /// Its number.
    pub number: u32,
    /// The version it was compared with.
    pub base_version: u32,
    /// The value.
    pub value: Document,
    /// Why.
    pub reason: Reason,
    /// Who proposed it; null for the program itself.
    pub proposed_by: Option<PrincipalId>,
    /// When.
    pub proposed_at: Moment,
    /// Whether it may be applied.
    pub approved: bool,
    /// Who approved it.
    pub approved_by: Option<PrincipalId>,
}

/// A version of a setting.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct SettingVersion {
    /// Its number.
    pub number: u32,
    /// Its value; null for the default.
    #[schema(value_type = serde_json::Value)]
    pub value: Option<Document>,
    /// Why it came into force.
    pub reason: Option<Reason>,
    /// The proposal it was; null when an earlier version was restored.
    pub proposal: Option<u32>,
    /// The version that was restored.
    pub restored: Option<u32>,
    /// Who put it in force.
    pub by: String,
    /// When.
    pub at: Moment,
}

/// Whether somebody is asked to look.
pub const STANDINGS: &[&str] = &["proposed", "settled"];

impl Row for Setting {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = Key;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&Key, &Happened)> {
        let Fact::Configuration(Configured::Setting(key, happened)) = fact else { return None };
        Some((key, happened))
    }

    fn after(
        before: Option<Setting>,
        event: &Event,
        key: &Key,
        happened: &Happened,
    ) -> Result<Setting, &'static str> {
        let mut row = before.unwrap_or_else(|| Setting {
            key: key.clone(),
            in_force: 0,
            value: None,
            proposal: None,
            history: Vec::new(),
            version: 0,
            changed_at: event.at,
            position: 0,
        });
        (row.version, row.changed_at, row.position) = (event.version, event.at, event.position);
        match happened {
            Happened::SettingProposed(data) => {
                row.proposal = Some(Proposal {
                    number: data.proposal,
                    base_version: data.base_version,
                    value: data.value.clone(),
                    reason: data.reason.clone(),
                    proposed_by: data.proposed_by.clone(),
                    proposed_at: event.at,
                    approved: false,
                    approved_by: None,
                });
            }
            Happened::SettingApproved(data) => {
                let open = row.proposal.as_mut().ok_or("nothing was proposed")?;
                (open.approved, open.approved_by) = (true, data.approved_by.clone());
            }
            Happened::SettingRejected(_) => row.proposal = None,
            Happened::SettingApplied(data) => {
                let open = row.proposal.take().ok_or("nothing was proposed")?;
                row.put_in_force(SettingVersion {
                    number: data.version,
                    value: Some(data.value.clone()),
                    reason: Some(open.reason),
                    proposal: Some(data.proposal),
                    restored: None,
                    by: event.actor.to_string(),
                    at: event.at,
                });
            }
            Happened::SettingRolledBack(data) => row.put_in_force(SettingVersion {
                number: data.version,
                value: data.value.clone(),
                reason: Some(data.reason.clone()),
                proposal: None,
                restored: Some(data.restored),
                by: event.actor.to_string(),
                at: event.at,
            }),
        }
        Ok(row)
    }

    fn standing(&self) -> &'static str {
        if self.proposal.is_some() { "proposed" } else { "settled" }
    }

    fn since(&self) -> u64 {
        self.position
    }
}

impl Setting {
    fn put_in_force(&mut self, version: SettingVersion) {
        (self.in_force, self.value) = (version.number, version.value.clone());
        self.history.insert(0, version);
        self.history.truncate(VERSIONS_KEPT + 1);
    }
}
