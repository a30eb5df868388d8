//! Why a command to an account was refused, with the numbers in it.
//!
//! Does not know how a refusal is shown.

use serde::Serialize;

use super::{FeeRate, NONCES_AHEAD_MAX, RESERVATIONS_MAX};
use crate::{
    aggregate,
    values::{Address, Amount, ChainId, Hash, Height, Nonce, Reservation},
};

/// A reason why not.
#[derive(Clone, Debug, PartialEq, Serialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = AccountRefusal))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum Refusal {
    #[error("the sender's address is {found}, this is the account {expected}")]
    AddressMismatch { expected: Address, found: Address },
    #[error("there is no chain of our own yet: begin one from a genesis document")]
    NoChain,
    #[error("it is for chain {found}, this is chain {expected}")]
    ChainMismatch { expected: ChainId, found: ChainId },
    #[error("the signature is not the sender's over the envelope")]
    SignatureInvalid { hash: Hash },
    #[error("an amount of 0 moves nothing")]
    AmountZero,
    #[error("the fee {fee} is less than {minimum} = fee_min")]
    FeeBelowMinimum { fee: Amount, minimum: Amount },
    #[error("it expired at height {expires_at_height}; the head is {head}")]
    Expired { expires_at_height: Height, head: Height },
    #[error("the nonce {nonce} was used; the account's next is {next}")]
    NonceUsed { next: Nonce, nonce: Nonce },
    #[error(
        "the nonce {nonce} is {ahead} ahead of {next}, the next that is missing, more than \
         {NONCES_AHEAD_MAX}"
    )]
    NonceTooFarAhead { ahead: u64, next: Nonce, nonce: Nonce },
    #[error(
        "the fee {fee} is less than {needed} = 110 % of {replaced}, whose nonce {nonce} it has"
    )]
    ReplacementFeeTooLow { fee: Amount, needed: Amount, nonce: Nonce, replaced: Amount },
    #[error("{waiting} transactions of the sender wait, as many as may (mempool_per_sender_max)")]
    SenderQueueFull { maximum: u32, waiting: u32 },
    #[error(
        "the mempool is full with {transactions} transactions, and the fee of {fee_rate} is not \
         more than the lowest there, {fee_rate_min}"
    )]
    MempoolFull { fee_rate: FeeRate, fee_rate_min: FeeRate, transactions: u32 },
    #[error(
        "{transactions} transactions wait, {excess_max} more than {maximum} = mempool_txs_max: submit \
         it again after the next block, when those that pay least have gone"
    )]
    MempoolCrowded { excess_max: u32, maximum: u32, transactions: u32 },
    #[error(
        "balance {balance} is less than {needed} = amount {amount} + fee {fee} + waiting {waiting} \
         + reserved {reserved}"
    )]
    BalanceInsufficient {
        amount: Amount,
        balance: Amount,
        fee: Amount,
        needed: Amount,
        reserved: Amount,
        waiting: Amount,
    },
    #[error("no transaction {hash} waits here")]
    NotWaiting { hash: Hash },
    #[error("it may be executed up to height {last}; {executed} heights are executed")]
    NotExpired { executed: String, last: String },
    #[error("the mempool has room: {transactions} of {maximum} transactions wait")]
    MempoolNotFull { maximum: u32, transactions: u32 },
    #[error("its fee of {fee_rate} is more than {fee_rate_due}, the most that has to go pays")]
    FeeNotLowest { fee_rate: FeeRate, fee_rate_due: FeeRate },
    #[error("its nonce {nonce} was not used; the account's next is {next}")]
    NonceNotUsed { next: Nonce, nonce: Nonce },
    #[error("{found} is reserved for {purpose} already, not {amount}")]
    ReservationDiffers { amount: Amount, found: Amount, purpose: Reservation },
    #[error("nothing is reserved for {purpose}")]
    NothingReserved { purpose: Reservation },
    #[error("there are {RESERVATIONS_MAX} reservations, as many as there may be")]
    ReservationsExhausted { maximum: usize },
}

impl aggregate::Refusal for Refusal {
    fn code(&self) -> &'static str {
        match self {
            Refusal::AddressMismatch { .. } => "address-mismatch",
            Refusal::NoChain => "no-chain",
            Refusal::ChainMismatch { .. } => "chain-mismatch",
            Refusal::SignatureInvalid { .. } => "signature-invalid",
            Refusal::AmountZero => "amount-zero",
            Refusal::FeeBelowMinimum { .. } => "fee-below-minimum",
            Refusal::Expired { .. } => "expired",
            Refusal::NonceUsed { .. } => "nonce-used",
            Refusal::NonceTooFarAhead { .. } => "nonce-too-far-ahead",
            Refusal::ReplacementFeeTooLow { .. } => "replacement-fee-too-low",
            Refusal::SenderQueueFull { .. } => "sender-queue-full",
            Refusal::MempoolFull { .. } => "mempool-full",
            Refusal::MempoolCrowded { .. } => "mempool-crowded",
            Refusal::BalanceInsufficient { .. } => "balance-insufficient",
            Refusal::NotWaiting { .. } => "not-waiting",
            Refusal::NotExpired { .. } => "not-expired",
            Refusal::MempoolNotFull { .. } => "mempool-not-full",
            Refusal::FeeNotLowest { .. } => "fee-not-lowest",
            Refusal::NonceNotUsed { .. } => "nonce-not-used",
            Refusal::ReservationDiffers { .. } => "reservation-differs",
            Refusal::NothingReserved { .. } => "nothing-reserved",
            Refusal::ReservationsExhausted { .. } => "reservations-exhausted",
        }
    }
}
