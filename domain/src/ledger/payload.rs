//! What payloads do.
//!
//! Does not know fees and nonces: they are dealt with before. What fails has changed nothing.

use super::{Anchor, Failure, execute::Place, work::Work};
use crate::{
    parameters::Parameters,
    transaction::{Payload, Transaction},
    validator::{DELEGATORS_MAX, Stake, Unbonding},
    values::{Address, Amount, Hash, POWER_TOTAL_MAX, Power},
};

/// Does what a transaction's payload says.
pub(super) fn apply(
    work: &mut Work<'_>,
    parameters: &Parameters,
    place: Place,
    transaction: &Transaction,
) -> Result<(), Failure> {
    let (payload, sender) = (&transaction.envelope().payload, transaction.sender());
    if payload.amount().is_some_and(Amount::is_zero) {
        return Err(Failure::AmountZero);
    }
    match payload {
        Payload::Transfer { amount, to } => {
            spend(work, sender, *amount)?;
            work.give(*to, *amount);
            Ok(())
        }
        Payload::Bond { amount, validator } => {
            check_own(sender, *validator)?;
            bond(work, parameters, *validator, *amount)
        }
        Payload::Unbond { amount, validator } => {
            check_own(sender, *validator)?;
            unbond(work, parameters, place, *validator, *amount)
        }
        Payload::Delegate { amount, validator } => {
            delegate(work, parameters, sender, *validator, *amount)
        }
        Payload::Undelegate { amount, validator } => {
            undelegate(work, parameters, place, sender, *validator, *amount)
        }
        Payload::Anchor { algorithm, digest, label } => {
            work.set_anchor(Anchor {
                algorithm: algorithm.clone(),
                digest: digest.clone(),
                height: place.height,
                label: label.clone(),
                owner: sender,
                revoked: None,
                time: place.time,
                transaction: transaction.hash(),
            });
            Ok(())
        }
        Payload::RevokeAnchor { hash } => revoke(work, place, sender, *hash),
    }
}

/// Whether the balance covers an amount.
fn check_balance(work: &mut Work<'_>, sender: Address, amount: Amount) -> Result<(), Failure> {
    let balance = work.account(sender).balance;
    if balance < amount {
        return Err(Failure::BalanceInsufficient { amount, balance });
    }
    Ok(())
}

/// Takes from a balance that covers it.
fn spend(work: &mut Work<'_>, sender: Address, amount: Amount) -> Result<(), Failure> {
    check_balance(work, sender, amount)?;
    let account = work.account(sender);
    account.balance = account.balance.less(amount);
    Ok(())
}

/// A bond is its validator's own: what leaves it goes back to that account.
fn check_own(sender: Address, validator: Address) -> Result<(), Failure> {
    if sender != validator {
        return Err(Failure::NotOwnBond { sender, validator });
    }
    Ok(())
}

/// No validator alone may have more power than a whole set.
fn check_power(stake: &Stake, amount: Amount, parameters: &Parameters) -> Result<(), Failure> {
    let stake = stake.total().and(amount);
    if stake.power(parameters.power_reduction).value() > POWER_TOTAL_MAX {
        let power_max = Power::new(POWER_TOTAL_MAX).unwrap_or_default();
        return Err(Failure::StakeTooLarge { power_max, stake });
    }
    Ok(())
}

fn bond(
    work: &mut Work<'_>,
    parameters: &Parameters,
    validator: Address,
    amount: Amount,
) -> Result<(), Failure> {
    if let Some(staked) = work.staked(validator) {
        if staked.tombstoned {
            return Err(Failure::ValidatorTombstoned { validator });
        }
        check_power(&staked.stake, amount, parameters)?;
    } else {
        check_power(&Stake::default(), amount, parameters)?;
    }
    let before = work.staked(validator).map_or(Amount::ZERO, |staked| staked.stake.bond);
    let (bond, minimum) = (before.and(amount), parameters.bond_min);
    if bond < minimum {
        return Err(Failure::BondBelowMinimum { bond, minimum });
    }
    spend(work, validator, amount)?;
    work.staked_mut(validator).stake.bond = bond;
    Ok(())
}

/// The whole bond may leave, or at least `bond_min` stays.
fn unbond(
    work: &mut Work<'_>,
    parameters: &Parameters,
    place: Place,
    validator: Address,
    amount: Amount,
) -> Result<(), Failure> {
    let bond = work.staked(validator).map_or(Amount::ZERO, |staked| staked.stake.bond);
    let left = bond.minus(amount).ok_or(Failure::BondInsufficient { amount, bond })?;
    let minimum = parameters.bond_min;
    if !left.is_zero() && left < minimum {
        return Err(Failure::BondBelowMinimum { bond: left, minimum });
    }
    let stake = &mut work.staked_mut(validator).stake;
    stake.bond = left;
    stake.add_unbonding(leaving(parameters, place, None), amount);
    Ok(())
}

fn leaving(parameters: &Parameters, place: Place, delegator: Option<Address>) -> Unbonding {
    Unbonding { matures: parameters.matures(place.epoch), started: place.epoch, delegator }
}

fn delegate(
    work: &mut Work<'_>,
    parameters: &Parameters,
    delegator: Address,
    validator: Address,
    amount: Amount,
) -> Result<(), Failure> {
    let staked = work.staked(validator).ok_or(Failure::ValidatorUnknown { validator })?;
    if staked.tombstoned {
        return Err(Failure::ValidatorTombstoned { validator });
    }
    if staked.stake.bond.is_zero() {
        return Err(Failure::ValidatorUnknown { validator });
    }
    let delegations = &staked.stake.delegations;
    if delegations.len() >= DELEGATORS_MAX && !delegations.contains_key(&delegator) {
        let maximum = u32::try_from(DELEGATORS_MAX).unwrap_or(u32::MAX);
        return Err(Failure::DelegatorsExhausted { maximum });
    }
    check_power(&staked.stake, amount, parameters)?;
    let delegation = staked.stake.delegation(delegator).and(amount);
    spend(work, delegator, amount)?;
    work.staked_mut(validator).stake.set_delegation(delegator, delegation);
    Ok(())
}

/// Whatever the validator is: a delegator can always leave.
fn undelegate(
    work: &mut Work<'_>,
    parameters: &Parameters,
    place: Place,
    delegator: Address,
    validator: Address,
    amount: Amount,
) -> Result<(), Failure> {
    let staked = work.staked(validator);
    let delegation = staked.map_or(Amount::ZERO, |staked| staked.stake.delegation(delegator));
    let left =
        delegation.minus(amount).ok_or(Failure::DelegationInsufficient { amount, delegation })?;
    let stake = &mut work.staked_mut(validator).stake;
    stake.set_delegation(delegator, left);
    stake.add_unbonding(leaving(parameters, place, Some(delegator)), amount);
    Ok(())
}

fn revoke(work: &mut Work<'_>, place: Place, sender: Address, hash: Hash) -> Result<(), Failure> {
    let anchor = work.anchor(hash).ok_or(Failure::AnchorUnknown { hash })?;
    if anchor.owner != sender {
        return Err(Failure::AnchorNotOwn { owner: anchor.owner });
    }
    if let Some(height) = anchor.revoked {
        return Err(Failure::AnchorRevoked { height });
    }
    work.set_anchor(Anchor { revoked: Some(place.height), ..anchor });
    Ok(())
}
