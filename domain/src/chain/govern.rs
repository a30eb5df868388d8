//! How other protocol parameters come into force.
//!
//! Does not know who wants them: what the setting says is handed in.

use super::{Chain, Event, Known, Native, Refusal, apply};
use crate::parameters::{CHANGES_MAX, Change, NOTICE_EPOCHS};

/// Schedules what the setting says, unless it holds or is scheduled already.
pub(super) fn schedule(chain: &Chain, known: &Known) -> Result<Vec<Event>, Refusal> {
    apply::in_its_epoch(chain, known, |native| change(native, known))
}

fn change(native: &Native, known: &Known) -> Result<Vec<Event>, Refusal> {
    apply::check_runs(native)?;
    apply::check_open(native)?;
    let schedule = &native.schedule;
    let faulty = |faults| Refusal::ParametersFaulty { faults };
    let parameters = schedule.overridden(&known.overrides).map_err(faulty)?;
    if *schedule.last() == parameters {
        return Ok(Vec::new());
    }
    if schedule.changes().len() >= CHANGES_MAX {
        return Err(Refusal::ChangesExhausted { maximum: CHANGES_MAX });
    }
    let epoch = native.epoch.plus(NOTICE_EPOCHS);
    let faults = schedule.faults(epoch, &parameters);
    if !faults.is_empty() {
        return Err(faulty(faults));
    }
    Ok(vec![Event::ParametersScheduled(Box::new(Change { epoch, parameters }))])
}
