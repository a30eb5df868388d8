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
            let key = match serde_json::to_string(&command) {
                Ok(text) => format!("stake/{address}/{text}"),
                Err(fault) => return Err(Stuck::Ended(fault.to_string())),
            };
            let request = cause.request(&key);
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
    if [StandingName::Registered, StandingName::Active, StandingName::Jailed]
        .contains(&record.standing.name())
    {
        commands.extend(bond(record, staked.stake.bond));
    }
    let both = record.stake.delegations.keys().chain(staked.stake.delegations.keys());
    for delegator in both.copied().collect::<BTreeSet<_>>() {
        let (is, was) = (staked.stake.delegation(delegator), record.stake.delegation(delegator));
        commands.extend(moved(was, is).map(|amount| match amount {
            Moved::Up(amount) => Command::Delegate { amount, delegator },
            Moved::Down(amount) => Command::Undelegate { amount, delegator },
        }));
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
    moved(was, is).map(|amount| match amount {
        Moved::Up(amount) => Command::Bond { amount },
        Moved::Down(amount) => Command::Unbond { amount },
    })
}

/// By how much an amount moved.
enum Moved {
    Up(Amount),
    Down(Amount),
}

fn moved(was: Amount, is: Amount) -> Option<Moved> {
    match is.cmp(&was) {
        Ordering::Greater => Some(Moved::Up(is.less(was))),
        Ordering::Less => Some(Moved::Down(was.less(is))),
        Ordering::Equal => None,
    }
}
