//! How unbonding stake is released, and how an exit ends.
//!
//! Does not know where released stake goes: balances are another context's.

use super::{
    Event, Known, RELEASES_MAX, Record, Refusal, StakeReleased, Standing, Unbonding,
    ValidatorExited,
};
use crate::values::{Amount, Epoch};

fn released(entry: &Unbonding, amount: Amount, known: &Known) -> Event {
    Event::StakeReleased(StakeReleased {
        amount,
        delegator: entry.delegator,
        epoch: known.epoch,
        matures: entry.matures,
        started: entry.started,
    })
}

/// Releases what has matured by `epoch`, the oldest first, at most [`RELEASES_MAX`] entries.
pub(super) fn complete_unbonding(
    record: &Record,
    epoch: Epoch,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if epoch > known.epoch {
        return Err(Refusal::EpochInFuture { current: known.epoch, epoch });
    }
    let unbonding = &record.stake.unbonding;
    let matured = unbonding.iter().take_while(|(entry, _)| entry.matures <= epoch);
    let events: Vec<Event> =
        matured.take(RELEASES_MAX).map(|(entry, amount)| released(entry, *amount, known)).collect();
    if events.is_empty() {
        let next = unbonding.keys().next().map(|entry| entry.matures);
        return Err(Refusal::NothingMatured { epoch, next });
    }
    Ok(events)
}

/// Releases what is left of the validator's own bond, and ends the exit. Delegations stay their
/// delegators', who can undelegate at any time.
pub(super) fn complete_exit(record: &Record, known: &Known) -> Result<Vec<Event>, Refusal> {
    let Standing::Exiting { matures } = record.standing else {
        let standing = record.standing.name();
        return Err(Refusal::StandingForbids { command: "complete an exit", standing });
    };
    if known.epoch < matures {
        return Err(Refusal::StillUnbonding { epoch: known.epoch, matures });
    }
    let own = record.stake.unbonding.iter().filter(|(entry, _)| entry.delegator.is_none());
    let mut events: Vec<Event> =
        own.map(|(entry, amount)| released(entry, *amount, known)).collect();
    events.push(Event::ValidatorExited(ValidatorExited { epoch: known.epoch }));
    Ok(events)
}
