//! Retention: for how long the events of a stream stay in the database, by the category of the
//! stream, before they may be moved to the archive, where they stay.
//!
//! Does not move anything: [`crate::archive`] does.

use std::collections::BTreeMap;

use chrono::{DateTime, TimeDelta, Utc};
use domain::{
    aggregate::Aggregate,
    block::Block,
    chain::Chain,
    configuration::{flag::Flag, setting::Setting},
    consensus::ConsensusHeight,
    identity::{principal::Principal, role::RoleDefinition},
    monitoring::{alert::Alert, rule::AlertRule, slo::Slo},
    network::{partition::Partitions, peer::Peer},
    transaction::Account,
    validator::Validator,
    validator_set::ValidatorSet,
};

/// For how long events stay where nothing else is said, in days.
pub const RETENTION_DAYS: u64 = 365;
/// The longest time that can be said, in days: 100 years.
pub const RETENTION_DAYS_MAX: u64 = 36_500;
/// The categories that there are.
const CATEGORIES: [&str; 15] = [
    Account::CATEGORY,
    Alert::CATEGORY,
    AlertRule::CATEGORY,
    Block::CATEGORY,
    Chain::CATEGORY,
    ConsensusHeight::CATEGORY,
    Flag::CATEGORY,
    Partitions::CATEGORY,
    Peer::CATEGORY,
    Principal::CATEGORY,
    RoleDefinition::CATEGORY,
    Setting::CATEGORY,
    Slo::CATEGORY,
    Validator::CATEGORY,
    ValidatorSet::CATEGORY,
];

/// How long events stay in the database.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Retention {
    /// Where no class says something else, in days.
    pub days: u64,
    /// By category, in days.
    pub classes: BTreeMap<String, u64>,
}

impl Retention {
    /// From when on an event of such a stream need not be in the database any more.
    pub fn ends(&self, category: &str, at: DateTime<Utc>) -> DateTime<Utc> {
        let days = self.classes.get(category).copied().unwrap_or(self.days);
        let days = TimeDelta::days(i64::try_from(days).unwrap_or(i64::MAX / 86_400_000));
        at.checked_add_signed(days).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }
}

/// The classes that a text names.
pub(crate) fn classes(text: &str) -> Result<BTreeMap<String, u64>, String> {
    let each = text.split(',').map(str::trim).filter(|one| !one.is_empty());
    each.map(|one| {
        let (category, days) =
            one.split_once('=').ok_or("<category>=<days> is expected, such as peer=30")?;
        if !CATEGORIES.contains(&category) {
            let known = CATEGORIES.join(", ");
            return Err(format!("{category:?} is no category of streams: there are {known}"));
        }
        let days = days.parse().ok().filter(|days| *days <= RETENTION_DAYS_MAX);
        let days = days
            .ok_or_else(|| format!("0 to {RETENTION_DAYS_MAX} days are expected for {category}"))?;
        Ok((category.to_owned(), days))
    })
    .collect()
}
