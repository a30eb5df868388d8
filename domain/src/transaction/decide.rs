//! How a command to an account is decided.
//!
//! Does not change anything: it answers with the facts that would follow, or with the reason why
//! not.

use super::{
    Account, Command, Envelope, Event, Eviction, Known, MEMPOOL_EXCESS_ONE_IN, NONCES_AHEAD_MAX,
    Placement, REPLACEMENT_FEE_ONE_IN, RESERVATIONS_MAX, Refusal, ReservationMade,
    ReservationReleased, Transaction, TransactionAccepted, TransactionEvicted, Waiting,
    last_height, state::Outlook,
};
use crate::values::{Amount, Hash, Height, Nonce, Reservation};

/// Decides a command.
pub(super) fn decide(
    account: &Account,
    command: &Command,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    match command {
        Command::Submit { transaction } => submit(account, transaction, known),
        Command::Evict { hash, reason } => evict(account, *hash, *reason, known),
        Command::Reserve { amount, purpose } => reserve(account, *amount, purpose, known),
        Command::Release { purpose } => release(account, purpose),
    }
}

fn submit(
    account: &Account,
    transaction: &Transaction,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let (envelope, hash) = (transaction.envelope(), transaction.hash());
    let outlook = account.outlook(known.nonce);
    if account.nonce_of(&hash).is_some_and(|nonce| nonce >= outlook.next) {
        return Ok(Vec::new());
    }
    check_envelope(transaction, known)?;
    check_nonce(envelope.nonce, outlook)?;
    let replaced = account.waiting_at(envelope.nonce);
    match replaced {
        Some(replaced) => check_replacement(envelope, replaced)?,
        None => check_room(transaction, outlook, known)?,
    }
    let freed = replaced.map_or(Amount::ZERO, |replaced| replaced.cost);
    let waiting = outlook.cost.less(freed);
    check_balance(account, (envelope.payload.spends(), envelope.fee), waiting, known)?;
    // The dearest question comes last.
    if !transaction.verify() {
        return Err(Refusal::SignatureInvalid { hash });
    }
    let pending = envelope.nonce <= outlook.missing;
    Ok(vec![Event::TransactionAccepted(TransactionAccepted {
        account_nonce: outlook.next,
        hash,
        head: known.head,
        placement: if pending { Placement::Pending } else { Placement::Queued },
        replaces: replaced.map(|replaced| replaced.hash),
        transaction: transaction.clone(),
    })])
}

/// What can be said of an envelope alone.
fn check_envelope(transaction: &Transaction, known: &Known) -> Result<(), Refusal> {
    let (envelope, sender) = (transaction.envelope(), transaction.sender());
    if sender != known.address {
        return Err(Refusal::AddressMismatch { expected: known.address, found: sender });
    }
    let expected = known.chain_id.as_ref().ok_or(Refusal::NoChain)?;
    if envelope.chain_id != *expected {
        let (expected, found) = (expected.clone(), envelope.chain_id.clone());
        return Err(Refusal::ChainMismatch { expected, found });
    }
    if envelope.payload.amount().is_some_and(Amount::is_zero) {
        return Err(Refusal::AmountZero);
    }
    let (fee, minimum) = (envelope.fee, known.parameters.fee_min);
    if fee < minimum {
        return Err(Refusal::FeeBelowMinimum { fee, minimum });
    }
    if let Some((expires_at_height, head)) = envelope.expires_at_height.zip(known.head)
        && expires_at_height <= head
    {
        return Err(Refusal::Expired { expires_at_height, head });
    }
    Ok(())
}

/// The next nonce that is missing, one that waits already, or one not too far ahead.
fn check_nonce(nonce: Nonce, outlook: Outlook) -> Result<(), Refusal> {
    if nonce < outlook.next {
        return Err(Refusal::NonceUsed { next: outlook.next, nonce });
    }
    let ahead = nonce.value().saturating_sub(outlook.missing.value());
    if ahead > NONCES_AHEAD_MAX {
        return Err(Refusal::NonceTooFarAhead { ahead, next: outlook.missing, nonce });
    }
    Ok(())
}

/// Whoever takes another's place pays a tenth more, rounded up.
fn check_replacement(envelope: &Envelope, replaced: &Waiting) -> Result<(), Refusal> {
    let old = replaced.fee_rate.fee;
    let needed = old.and(Amount::new(old.value().div_ceil(REPLACEMENT_FEE_ONE_IN)));
    if envelope.fee < needed {
        let (fee, nonce) = (envelope.fee, envelope.nonce);
        return Err(Refusal::ReplacementFeeTooLow { fee, needed, nonce, replaced: old });
    }
    Ok(())
}

/// Room among the sender's own, and among everybody's; in a full mempool only for whoever pays more
/// than the lowest, which goes at the next block, and only for so many until then.
fn check_room(transaction: &Transaction, outlook: Outlook, known: &Known) -> Result<(), Refusal> {
    let maximum = known.parameters.mempool_per_sender_max;
    let waiting = u32::try_from(outlook.count).unwrap_or(u32::MAX);
    if waiting >= maximum {
        return Err(Refusal::SenderQueueFull { maximum, waiting });
    }
    let (mempool, fee_rate) = (known.mempool, transaction.fee_rate());
    if mempool.full && fee_rate <= mempool.fee_per_byte_min {
        let (fee_rate_min, transactions) = (mempool.fee_per_byte_min, mempool.transactions);
        return Err(Refusal::MempoolFull { fee_rate, fee_rate_min, transactions });
    }
    let maximum = known.parameters.mempool_txs_max;
    let excess_max = maximum.div_ceil(MEMPOOL_EXCESS_ONE_IN);
    let (transactions, excess) =
        (mempool.transactions, mempool.transactions.saturating_sub(maximum));
    if excess >= excess_max {
        return Err(Refusal::MempoolCrowded { excess_max, maximum, transactions });
    }
    Ok(())
}

/// The balance must cover what is asked for (amount and fee), what waits, and what is reserved.
fn check_balance(
    account: &Account,
    (amount, fee): (Amount, Amount),
    waiting: Amount,
    known: &Known,
) -> Result<(), Refusal> {
    let (balance, reserved) = (known.balance, account.reserved());
    let needed = amount.plus(fee).and_then(|sum| sum.plus(waiting)?.plus(reserved));
    if needed.is_some_and(|needed| needed <= balance) {
        return Ok(());
    }
    let needed = amount.and(fee).and(waiting).and(reserved);
    Err(Refusal::BalanceInsufficient { amount, balance, fee, needed, reserved, waiting })
}

fn evict(
    account: &Account,
    hash: Hash,
    reason: Eviction,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    let next = account.outlook(known.nonce).next;
    let nonce = account.nonce_of(&hash).filter(|nonce| *nonce >= next);
    let waiting = nonce.and_then(|nonce| account.waiting_at(nonce));
    // Whose nonce was used waits no longer, and is gone from here as soon as its sender goes on.
    let Some((nonce, waiting)) = nonce.zip(waiting) else {
        return match (reason, known.superseded) {
            (Eviction::NonceSuperseded, Some(nonce)) => Ok(evicted(hash, nonce, reason)),
            (Eviction::NonceSuperseded | Eviction::Expired | Eviction::MempoolFull, _) => {
                Err(Refusal::NotWaiting { hash })
            }
        };
    };
    match reason {
        Eviction::NonceSuperseded => return Err(Refusal::NonceNotUsed { next, nonce }),
        Eviction::Expired => check_expired(waiting, known)?,
        Eviction::MempoolFull => check_lowest(waiting, known)?,
    }
    Ok(evicted(hash, nonce, reason))
}

fn evicted(hash: Hash, nonce: Nonce, reason: Eviction) -> Vec<Event> {
    vec![Event::TransactionEvicted(TransactionEvicted { hash, nonce, reason })]
}

/// Whether no later block may hold it: by its own word, or because it waited `mempool_ttl_blocks`.
fn check_expired(waiting: &Waiting, known: &Known) -> Result<(), Refusal> {
    let ttl_blocks = known.parameters.mempool_ttl_blocks;
    let last = last_height(waiting.head, waiting.expires_at_height, ttl_blocks);
    let executed = known.head.map_or(0, Height::value);
    if executed < last {
        let (executed, last) = (executed.to_string(), last.to_string());
        return Err(Refusal::NotExpired { executed, last });
    }
    Ok(())
}

/// Whether the mempool is full, and it is among those that have to go.
fn check_lowest(waiting: &Waiting, known: &Known) -> Result<(), Refusal> {
    let mempool = known.mempool;
    if !mempool.full {
        let maximum = known.parameters.mempool_txs_max;
        return Err(Refusal::MempoolNotFull { maximum, transactions: mempool.transactions });
    }
    if waiting.fee_rate > mempool.fee_per_byte_due {
        let (fee_rate, fee_rate_due) = (waiting.fee_rate, mempool.fee_per_byte_due);
        return Err(Refusal::FeeNotLowest { fee_rate, fee_rate_due });
    }
    Ok(())
}

fn reserve(
    account: &Account,
    amount: Amount,
    purpose: &Reservation,
    known: &Known,
) -> Result<Vec<Event>, Refusal> {
    if amount.is_zero() {
        return Err(Refusal::AmountZero);
    }
    let reservations = account.reservations();
    if let Some(found) = reservations.get(purpose).copied() {
        if found == amount {
            return Ok(Vec::new());
        }
        return Err(Refusal::ReservationDiffers { amount, found, purpose: purpose.clone() });
    }
    if reservations.len() >= RESERVATIONS_MAX {
        return Err(Refusal::ReservationsExhausted { maximum: RESERVATIONS_MAX });
    }
    let waiting = account.outlook(known.nonce).cost;
    check_balance(account, (amount, Amount::ZERO), waiting, known)?;
    let reserved = account.reserved().and(amount);
    let made = ReservationMade { amount, purpose: purpose.clone(), reserved };
    Ok(vec![Event::ReservationMade(made)])
}

fn release(account: &Account, purpose: &Reservation) -> Result<Vec<Event>, Refusal> {
    let nothing = || Refusal::NothingReserved { purpose: purpose.clone() };
    let amount = account.reservations().get(purpose).copied().ok_or_else(nothing)?;
    let reserved = account.reserved().less(amount);
    let released = ReservationReleased { amount, purpose: purpose.clone(), reserved };
    Ok(vec![Event::ReservationReleased(released)])
}
