//! What is known of the transactions that a block names.
//!
//! Does not judge the block: its verdict counts what is told here.

use std::collections::BTreeMap;

use crate::{
    block::Offer,
    ledger::{BlockContext, BlockFault, Ledger},
    transaction::Transaction,
    values::Hash,
};

/// How many transactions of one block are told to be faulty; one is enough against the block.
const FAULTY_TRANSACTIONS_MAX: usize = 16;

/// Transactions of which each can be executed at its place.
pub fn sound<'t>(transactions: impl IntoIterator<Item = &'t Transaction>) -> BTreeMap<Hash, Offer> {
    let offer = |transaction: &Transaction| Offer {
        bytes: u32::try_from(transaction.bytes().len()).unwrap_or(u32::MAX),
        fault: None,
    };
    transactions.into_iter().map(|transaction| (transaction.hash(), offer(transaction))).collect()
}

/// What is known of a block's transactions: those that wait, each with why it cannot be executed at
/// its place, when it cannot.
pub fn offers(
    ledger: &Ledger,
    mut context: BlockContext,
    order: &[Hash],
    mut waiting: BTreeMap<Hash, Transaction>,
) -> BTreeMap<Hash, Offer> {
    let mut offers = sound(waiting.values());
    // Evidence out of bounds is a fault of its own, and none of the transactions'.
    let oldest = ledger.parameters().evidence_age_blocks_max;
    let oldest = context.height.value().saturating_sub(u64::from(oldest));
    context
        .evidence
        .retain(|offence| offence.height < context.height && offence.height.value() >= oldest);
    let mut left: Vec<Transaction> = order.iter().filter_map(|hash| waiting.remove(hash)).collect();
    for _ in 0..FAULTY_TRANSACTIONS_MAX {
        let Err(fault) = ledger.clone().execute(&context, &left) else { break };
        let Some(hash) = faulty(&fault) else { break };
        if let Some(offer) = offers.get_mut(&hash) {
            offer.fault = Some(fault.to_string());
        }
        left.retain(|transaction| transaction.hash() != hash);
    }
    offers
}

/// The transaction that makes a block faulty.
fn faulty(fault: &BlockFault) -> Option<Hash> {
    match fault {
        BlockFault::ChainMismatch { hash, .. }
        | BlockFault::TransactionExpired { hash, .. }
        | BlockFault::FeeBelowMinimum { hash, .. }
        | BlockFault::NonceMismatch { hash, .. }
        | BlockFault::FeeUnpayable { hash, .. } => Some(*hash),
        BlockFault::HeightNotNext { .. }
        | BlockFault::HeightsExhausted { .. }
        | BlockFault::EvidenceNotBefore { .. }
        | BlockFault::EvidenceExpired { .. } => None,
    }
}
