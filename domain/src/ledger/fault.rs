//! Why a block cannot be executed at all.
//!
//! Does not know transactions that merely fail: they have receipts.

use serde::{Deserialize, Serialize};

use crate::values::{Address, Amount, ChainId, Hash, Height, Nonce};

/// What makes a whole block invalid. `index` is the transaction's place in the block, from 0.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[serde(tag = "code", rename_all = "kebab-case")]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema))]
#[expect(missing_docs, reason = "each variant's sentence says what it and its numbers mean")]
pub enum BlockFault {
    #[error("the block is of height {found}; the next is {expected}")]
    HeightNotNext { expected: Height, found: Height },
    #[error("height {height} is the last there can be")]
    HeightsExhausted { height: Height },
    #[error("the evidence is of height {offence}, not before the block's own, {height}")]
    EvidenceNotBefore { evidence: Hash, height: Height, offence: Height },
    #[error(
        "the evidence is of height {offence}, {age} before the block: more than {maximum} = \
         evidence_age_blocks_max"
    )]
    EvidenceExpired { age: String, evidence: Hash, maximum: u32, offence: Height },
    #[error("transaction {index} is for chain {found}, this is chain {expected}")]
    ChainMismatch { expected: ChainId, found: ChainId, hash: Hash, index: u32 },
    #[error("transaction {index} expired at height {expires_at_height}; this is height {height}")]
    TransactionExpired { expires_at_height: Height, hash: Hash, height: Height, index: u32 },
    #[error("the fee of transaction {index}, {fee}, is less than {minimum} = fee_min")]
    FeeBelowMinimum { fee: Amount, hash: Hash, index: u32, minimum: Amount },
    #[error("transaction {index} has the nonce {found}; the next of {sender} is {expected}")]
    NonceMismatch { expected: Nonce, found: Nonce, hash: Hash, index: u32, sender: Address },
    #[error(
        "the balance of {sender}, {balance}, does not pay the fee of transaction {index}: {fee}"
    )]
    FeeUnpayable { balance: Amount, fee: Amount, hash: Hash, index: u32, sender: Address },
}
