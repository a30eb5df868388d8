//! How an offence is punished.
//!
//! Does not verify evidence: that is consensus' matter; it sees that an offence is punished once,
//! and while the stake that stood behind it is still there.

use super::{
    Event, Known, Offence, Record, Refusal, ReputationCause, StandingName, ValidatorJailed,
    ValidatorSlashed, ValidatorTombstoned,
    decide::{reputation_change, standing_in},
};
use crate::values::{Hash, Height, Reason};

/// Who can be punished: whoever is or was active and is not gone. One that came back from a penalty
/// is registered, and still answers for what it did while it was active.
const PUNISHABLE: &[StandingName] = &[
    StandingName::Registered,
    StandingName::Active,
    StandingName::Jailed,
    StandingName::Slashed,
    StandingName::Exiting,
];

/// Burns stake and reputation by the table, and jails or tombstones.
pub(super) fn slash(
    record: &Record,
    offence: Offence,
    evidence: Hash,
    height: Height,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    standing_in(record, PUNISHABLE, "be slashed")?;
    if !record.ever_active {
        return Err(Refusal::NeverActive);
    }
    check_offence(record, offence, evidence, height, known)?;
    let offence_epoch = height.epoch(known.parameters.epoch_blocks);
    let penalty = offence.penalty();
    let (left, burned) = record.stake.after(penalty, offence_epoch);
    let slashed = ValidatorSlashed {
        bond: left.bond,
        bond_bps: penalty.bond_bps,
        burned: burned.total(),
        burned_bond: burned.bond,
        burned_delegated: burned.delegated,
        burned_unbonding: burned.unbonding,
        delegated: left.delegated,
        delegated_bps: penalty.delegated_bps,
        epoch: known.epoch,
        evidence,
        height,
        offence,
        offence_epoch,
        power: left.power(known.parameters.power_reduction),
        quarantined_until: known.epoch.plus(penalty.quarantine_epochs),
        stake: left.total(),
    };
    let mut events = vec![Event::ValidatorSlashed(Box::new(slashed))];
    let reputation = record.reputation.saturating_sub(penalty.reputation);
    let cause = ReputationCause::from(offence);
    events.extend(reputation_change(record, reputation, cause, known.epoch));
    events.push(if penalty.tombstoned {
        Event::ValidatorTombstoned(ValidatorTombstoned { epoch: known.epoch, offence })
    } else {
        jailed(offence, height, known)
    });
    Ok(events)
}

fn jailed(offence: Offence, height: Height, known: &Known) -> Event {
    let reason = Reason::try_from(format!("slashed for {offence} at height {height}"))
        .expect("an offence and a height make a short line");
    let until = known.now.plus_seconds(u64::from(known.parameters.jail_s));
    Event::ValidatorJailed(ValidatorJailed { epoch: known.epoch, reason, until })
}

/// Each offence once, not before it can have happened, and not after its evidence expired.
fn check_offence(
    record: &Record,
    offence: Offence,
    evidence: Hash,
    height: Height,
    known: &Known,
) -> Result<(), Refusal> {
    if record.offences.contains(&(offence, height)) || record.evidence.contains(&evidence) {
        return Err(Refusal::OffencePunishedAlready { evidence, height, offence });
    }
    let epoch_blocks = known.parameters.epoch_blocks;
    let epoch = height.epoch(epoch_blocks);
    if epoch > known.epoch {
        return Err(Refusal::OffenceInFuture { current: known.epoch, epoch, height });
    }
    // The chain is at the first height of the current epoch at least: so old is the evidence
    // surely.
    let first = known.epoch.first_height(epoch_blocks).map_or(u64::MAX, Height::value);
    let age_blocks = first.saturating_sub(height.value());
    let maximum = known.parameters.evidence_age_blocks_max;
    if age_blocks > u64::from(maximum) {
        return Err(Refusal::EvidenceExpired { age_blocks, height, maximum });
    }
    Ok(())
}
