//! Rollout: an approved proposal comes into force; when an objective becomes urgent while the
//! change is watched, the version before is put in force again.
//!
//! Does not know what a setting sets, nor what an objective counts. Nothing is waited for: the
//! moment at which an objective became urgent is compared with that of each change.

use domain::{
    aggregate::Aggregate as _,
    configuration::{
        Key,
        setting::{self, Command, Event, Setting},
    },
    monitoring::slo::{self, Urgency},
    values::Moment,
};
use event_store::StreamName;

use super::{Cause, Stuck, unless_refused};
use crate::{
    execute::{Commands, unnameable},
    lane,
    settings::{self, Rollout},
};

/// What is followed.
pub(super) const FOLLOWED: &[&str] = &["setting-approved.v1", "slo-state-recorded.v1"];

/// How many of a setting's last events are looked at for the last change: between two changes there
/// may be proposals that were rejected.
const LOOKED_AT: u64 = 64;

/// Applies what was approved, or rolls back what an objective speaks against.
pub(super) async fn react(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    if cause.stored.stream.category() == Setting::CATEGORY {
        let key = cause.stored.stream.id().parse::<Key>();
        let key = key.map_err(|error| Stuck::Ended(error.to_string()))?;
        return apply(commands, cause, key).await;
    }
    match cause.read::<slo::Event>()? {
        slo::Event::SloStateRecorded(state) if state.urgency == Urgency::Page => {
            roll_back_what_is_watched(commands, cause).await
        }
        slo::Event::SloStateRecorded(_) | slo::Event::SloDefined(_) => Ok(()),
    }
}

async fn apply(commands: &Commands, cause: &Cause<'_>, key: Key) -> Result<(), Stuck> {
    if let Event::SettingApproved(setting::SettingApproved { proposal, .. }) = cause.read()? {
        let command = Command::Apply { proposal };
        // Whoever rejected it, or applied it, was faster.
        unless_refused(commands.execute::<Setting>(key, command, cause.request("apply")).await)?;
    }
    Ok(())
}

async fn roll_back_what_is_watched(commands: &Commands, cause: &Cause<'_>) -> Result<(), Stuck> {
    let watch_s = commands.in_force::<Rollout>().await?.watch_s;
    let at =
        Moment::from(cause.stored.parse().map_err(|error| Stuck::Ended(error.to_string()))?.at);
    let slo = cause.stored.stream.id();
    for key in settings::all() {
        let Some((version, changed_at)) = last_change(commands, &key.key).await? else { continue };
        let watched_until = changed_at.plus_seconds(u64::from(watch_s));
        if at < changed_at || at >= watched_until {
            continue;
        }
        let reason = format!("the objective {slo} became urgent within {watch_s} s of it");
        let reason = reason.parse().map_err(|_| Stuck::Ended("the reason is none".to_owned()))?;
        let command = Command::Rollback { reason, version: version.saturating_sub(1) };
        let request = cause.request(&format!("rollback/{}", key.key));
        unless_refused(commands.execute::<Setting>(key.key.clone(), command, request).await)?;
    }
    Ok(())
}

/// The version in force and since when, unless it came by rolling back.
async fn last_change(commands: &Commands, key: &Key) -> Result<Option<(u32, Moment)>, Stuck> {
    let folded = commands.state::<Setting>(key).await?;
    let stream = StreamName::of(Setting::CATEGORY, key).map_err(unnameable)?;
    let from = folded.version.saturating_sub(LOOKED_AT) + 1;
    let limit = usize::try_from(LOOKED_AT).unwrap_or(usize::MAX);
    let events = commands.store().read_stream(&stream, from, limit).await?;
    for stored in events.iter().rev() {
        let happened: Event = lane::read(stored)?;
        match happened {
            Event::SettingApplied(data) => {
                let record = stored.parse().map_err(|error| Stuck::Ended(error.to_string()))?;
                return Ok(Some((data.version, Moment::from(record.at))));
            }
            Event::SettingRolledBack(_) => return Ok(None),
            Event::SettingProposed(_) | Event::SettingApproved(_) | Event::SettingRejected(_) => {}
        }
    }
    Ok(None)
}
