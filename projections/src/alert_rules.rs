//! Rules: what is measured, when it is bad, and whether anybody is told.
//!
//! Does not measure anything.

use domain::{
    aggregate::Aggregate as _,
    monitoring::{
        RuleId,
        rule::{AlertRule as Aggregate, Event as Happened, RuleDefinition},
    },
    values::{Moment, Reason},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::{
    columns::decimal_text,
    event::{Event, Fact, Monitored},
    keyed::Row,
};

/// The projection's name.
pub const NAME: &str = "alert_rules";
/// What a rule may be.
pub const STANDINGS: &[&str] = &["draft", "enabled", "disabled"];

/// A rule.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = RuleRow)]
pub struct AlertRule {
    /// Its name.
    pub rule: RuleId,
    /// What it says.
    pub definition: RuleDefinition,
    /// Whether it is in use.
    pub standing: RuleStanding,
    /// Why it is not in use any more; null otherwise.
    pub reason: Option<Reason>,
    /// The version of its stream.
    #[serde(with = "decimal_text")]
    #[schema(value_type = String, example = "3")]
    pub version: u64,
    /// When it changed last.
    pub changed_at: Moment,
    /// The position of its last event.
    pub position: u64,
}

/// Whether a rule is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RuleStanding {
    /// Never yet.
    Draft,
    /// It is.
    Enabled,
    /// Not any more.
    Disabled,
}

impl Row for AlertRule {
    const NAME: &'static str = NAME;
    const CATEGORY: &'static str = Aggregate::CATEGORY;
    type Id = RuleId;
    type Happened = Happened;

    fn happened(fact: &Fact) -> Option<(&RuleId, &Happened)> {
        let Fact::Monitoring(Monitored::Rule(id, happened)) = fact else { return None };
        Some((id, happened))
    }

    fn after(
        before: Option<AlertRule>,
        event: &Event,
        id: &RuleId,
        happened: &Happened,
    ) -> Result<AlertRule, &'static str> {
        let row = match (happened, before) {
            (Happened::RuleDefined(data), None) => AlertRule {
                rule: id.clone(),
                definition: data.clone(),
                standing: RuleStanding::Draft,
                reason: None,
                version: 0,
                changed_at: event.at,
                position: 0,
            },
            (Happened::RuleDefined(data), Some(row)) => {
                AlertRule { definition: data.clone(), ..row }
            }
            (Happened::RuleEnabled(_), Some(row)) => {
                AlertRule { standing: RuleStanding::Enabled, reason: None, ..row }
            }
            (Happened::RuleDisabled(data), Some(row)) => {
                let reason = Some(data.reason.clone());
                AlertRule { standing: RuleStanding::Disabled, reason, ..row }
            }
            (Happened::RuleEnabled(_) | Happened::RuleDisabled(_), None) => {
                return Err("the rule was never defined");
            }
        };
        let (version, changed_at, position) = (event.version, event.at, event.position);
        Ok(AlertRule { version, changed_at, position, ..row })
    }

    fn standing(&self) -> &'static str {
        match self.standing {
            RuleStanding::Draft => "draft",
            RuleStanding::Enabled => "enabled",
            RuleStanding::Disabled => "disabled",
        }
    }

    fn since(&self) -> u64 {
        self.position
    }
}
