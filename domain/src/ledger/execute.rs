//! How a block is executed.
//!
//! Does not know what payloads do.

use super::{BlockFault, Execution, Ledger, Receipt, payload, receipt, work::Work};
use crate::{
    transaction::Transaction,
    values::{Address, Amount, Epoch, Hash, Height, Moment},
};

/// What executing a block depends on besides its transactions. The epoch follows from the height.
#[derive(Clone, Debug, PartialEq)]
pub struct BlockContext {
    /// The equivocations that the block's evidence proves.
    pub evidence: Vec<Equivocation>,
    /// The height.
    pub height: Height,
    /// Who proposed it: the address of its key, whose account is given the fees.
    pub proposer: Address,
    /// The block's time.
    pub time: Moment,
}

/// That a validator signed two different things, proved by evidence.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Equivocation {
    /// The hash of the evidence.
    pub evidence: Hash,
    /// At which height.
    pub height: Height,
    /// Who.
    pub validator: Address,
}

/// Where transactions are executed.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub epoch: Epoch,
    pub height: Height,
    pub time: Moment,
}

impl Ledger {
    /// Executes the next block. Signatures are not verified again: they were when the transactions
    /// were accepted. A block that cannot be executed changes nothing.
    pub fn execute(
        &mut self,
        context: &BlockContext,
        transactions: &[Transaction],
    ) -> Result<Execution, BlockFault> {
        let place = self.place(context)?;
        let mut work = Work::new(self);
        let releases = work.release(place.epoch);
        let burns = context.evidence.iter().filter_map(|offence| {
            work.burn(offence, offence.height.epoch(self.parameters().epoch_blocks))
        });
        let burns: Vec<_> = burns.collect();
        let mut receipts = Vec::with_capacity(transactions.len());
        let mut fees = Amount::ZERO;
        for (index, transaction) in transactions.iter().enumerate() {
            let index = u32::try_from(index).unwrap_or(u32::MAX);
            self.charge(&mut work, place.height, transaction, index)?;
            fees = fees.and(transaction.envelope().fee);
            let failure = payload::apply(&mut work, self.parameters(), place, transaction).err();
            receipts.push(Receipt { failure, hash: transaction.hash() });
        }
        if !fees.is_zero() {
            work.give(context.proposer, fees);
        }
        let done = work.done();
        self.take(&done);
        self.height = Some(place.height);
        let receipts_root = receipt::root(&receipts);
        let (changed, state_root) = (done.changed, self.root());
        let height = place.height;
        Ok(Execution {
            burns,
            changed,
            fees,
            height,
            receipts,
            receipts_root,
            releases,
            state_root,
        })
    }

    /// The block must be the next, and its evidence of an earlier one that is not too old.
    fn place(&self, context: &BlockContext) -> Result<Place, BlockFault> {
        let BlockContext { height, time, .. } = *context;
        let expected = self.next_height().ok_or(BlockFault::HeightsExhausted { height })?;
        if height != expected {
            return Err(BlockFault::HeightNotNext { expected, found: height });
        }
        let maximum = self.parameters().evidence_age_blocks_max;
        for offence in &context.evidence {
            let (evidence, offence) = (offence.evidence, offence.height);
            if offence >= height {
                return Err(BlockFault::EvidenceNotBefore { evidence, height, offence });
            }
            let age = height.value() - offence.value();
            if age > u64::from(maximum) {
                let age = age.to_string();
                return Err(BlockFault::EvidenceExpired { age, evidence, maximum, offence });
            }
        }
        let epoch = height.epoch(self.parameters().epoch_blocks);
        Ok(Place { epoch, height, time })
    }

    /// Takes the fee and uses the nonce. A block must not hold a transaction with which that cannot
    /// be done.
    fn charge(
        &self,
        work: &mut Work<'_>,
        height: Height,
        transaction: &Transaction,
        index: u32,
    ) -> Result<(), BlockFault> {
        let (envelope, hash) = (transaction.envelope(), transaction.hash());
        if envelope.chain_id != *self.chain_id() {
            let (expected, found) = (self.chain_id().clone(), envelope.chain_id.clone());
            return Err(BlockFault::ChainMismatch { expected, found, hash, index });
        }
        let expires = envelope.expires_at_height.filter(|expires| *expires < height);
        if let Some(expires_at_height) = expires {
            return Err(BlockFault::TransactionExpired { expires_at_height, hash, height, index });
        }
        let (fee, minimum) = (envelope.fee, self.parameters().fee_min);
        if fee < minimum {
            return Err(BlockFault::FeeBelowMinimum { fee, hash, index, minimum });
        }
        let sender = transaction.sender();
        let account = work.account(sender);
        if envelope.nonce != account.nonce {
            let (expected, found) = (account.nonce, envelope.nonce);
            return Err(BlockFault::NonceMismatch { expected, found, hash, index, sender });
        }
        let balance = account.balance;
        account.balance = balance.minus(fee).ok_or(BlockFault::FeeUnpayable {
            balance,
            fee,
            hash,
            index,
            sender,
        })?;
        account.nonce = account.nonce.next();
        Ok(())
    }
}
