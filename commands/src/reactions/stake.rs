//! Stake: what transactions bonded, delegated and took back on our own chain is told to the
//! validators' own records, before the next set is chosen of them.
//!
//! Does not move anything: blocks did. A validator that the chain's state knows no stake of keeps
//! what its record says, such as a bond that was set aside for it. What was burned is the
//! penalty's.

use std::{cmp::Ordering, collections::BTreeSet};

use domain::{
    ledger::Staked,
    replica::Own,
    validator::{Command, Record, StandingName, Validator},
    values::Amount,
};
use tracing::warn;

use super::{Cause, Stuck, unless_refused};
use crate::execute::Commands;

/// Tells every validator of the chain what the chain's state says of its stake.
pub(super) async fn told(commands: &Commands, cause: &Cause<'_>, own: &Own) -> Result<(), Stuck> {
    for record in commands.registered(&own.genesis.chain_id).await? {
        let Some(staked) = own.ledger.staked(record.address).filter(|one| !one.tombstoned) else {
            continue;
        };
        for command in differences(&record, staked) {
            let address = record.address;
            let text = serde_json::to_string(&command);
            let text = text.map_err(|fault| Stuck::Ended(fault.to_string()))?;
            let request = cause.request(&format!("stake/{address}/{text}"));
            let name = command.name();
            let done = commands.execute::<Validator>(address, command, request).await;
            if !unless_refused(done)? {
                warn!(validator = %address, command = name, "its record does not follow its stake");
            }
        }
    }
    Ok(())
}

/// What has to be told for a record to say what the state says.
fn differences(record: &Record, staked: &Staked) -> Vec<Command> {
    let mut commands = Vec::new();
    if StandingName::STAYING.contains(&record.standing.name()) {
        commands.extend(bond(record, staked.stake.bond));
    }
    let both = record.stake.delegations.keys().chain(staked.stake.delegations.keys());
    for delegator in both.copied().collect::<BTreeSet<_>>() {
        let (was, is) = (record.stake.delegation(delegator), staked.stake.delegation(delegator));
        let up = |amount| Command::Delegate { amount, delegator };
        let down = |amount| Command::Undelegate { amount, delegator };
        commands.extend(moved(was, is, up, down));
    }
    commands
}

/// Who took the whole bond back leaves, unless another was set aside.
fn bond(record: &Record, is: Amount) -> Option<Command> {
    let was = record.stake.bond;
    if is.is_zero() {
        return (record.reservation.is_none() && !was.is_zero())
            .then_some(Command::InitiateExit {});
    }
    moved(was, is, |amount| Command::Bond { amount }, |amount| Command::Unbond { amount })
}

/// What tells by how much an amount moved; nothing when it did not.
fn moved(
    was: Amount,
    is: Amount,
    up: impl FnOnce(Amount) -> Command,
    down: impl FnOnce(Amount) -> Command,
) -> Option<Command> {
    match is.cmp(&was) {
        Ordering::Greater => Some(up(is.less(was))),
        Ordering::Less => Some(down(was.less(is))),
        Ordering::Equal => None,
    }
}
