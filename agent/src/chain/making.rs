//! How a validator makes a block: of what waits and can be executed, by the one order there is.
//!
//! Does not propose it.

use std::collections::HashSet;

use domain::{
    block::{Body, Contents},
    evidence::Evidence,
    ledger::{BlockContext, BlockFault},
    replica::{Own, Room},
    transaction::{Transaction, verify_all},
    values::{Address, Round},
};

use super::Chain;

/// Bytes by which each transaction makes a block longer besides its own: its hash in the body.
const HASH_IN_BODY_BYTES: usize = 34;
/// Bytes that are left for the header, and for each member in the last commit.
const HEADER_BYTES: usize = 2_048;
const COMMIT_ENTRY_BYTES: usize = 160;
/// How much evidence a block holds at most; the rest is for the next ones.
const EVIDENCE_MAX: usize = 16;
/// What is halved first, in transactions: a larger block than this takes seconds anywhere.
const WHOLE: usize = 10_000;
/// However many rounds fail, a block may hold so many transactions.
const TRANSACTIONS_MIN: usize = 100;
/// How often a block is made anew because one of its transactions cannot be executed; then it is
/// made of none.
const TRIES_MAX: u32 = 8;

/// How many transactions a block is made of at most: who is too busy for large ones agrees on small
/// ones. Each round that fails halves it, each height that is agreed on at once gives half of it
/// back.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Measure {
    /// None while nothing has failed.
    transactions_max: Option<usize>,
}

impl Measure {
    /// For a round of the next height.
    fn at(self, round: Round) -> usize {
        let whole = self.transactions_max.unwrap_or(usize::MAX);
        if round == Round::FIRST { whole } else { halved(whole.min(WHOLE), round) }
    }

    /// A height was agreed on in a round.
    pub(super) fn learns(&mut self, round: Round) {
        self.transactions_max = match (round == Round::FIRST, self.transactions_max) {
            (false, now) => Some(halved(now.unwrap_or(WHOLE), round)),
            (true, now) => now.map(|now| now + now / 2).filter(|more| *more < WHOLE),
        };
    }
}

fn halved(whole: usize, round: Round) -> usize {
    whole.checked_shr(round.value()).unwrap_or(0).max(TRANSACTIONS_MIN)
}

impl Chain {
    /// Whether something waits that the next block can hold.
    pub fn has_work(&self) -> bool {
        let one = Room { bytes_max: usize::MAX, transactions_max: 1 };
        let fill = |own: &Own| self.mempool.fill(&own.ledger, one, &HashSet::new());
        self.own().is_some_and(|own| !fill(own).is_empty())
    }

    /// The next block, for a round; none when the record of the height before is not complete.
    pub fn make(&self, proposer: Address, round: Round) -> Option<Contents> {
        let own = self.own()?;
        let ground = own.ground()?;
        let last_commit = match &own.head {
            None => None,
            Some(head) => Some(self.record(head.applied.height)?.commit()?),
        };
        let mut body = Body { evidence: self.evidence(), last_commit, transactions: Vec::new() };
        let time = ground.time(&body)?;
        let context = BlockContext { evidence: Vec::new(), height: ground.height, proposer, time };
        let transactions = self.executable(&context, self.measure.at(round));
        body.transactions = transactions.iter().map(Transaction::hash).collect();
        ground.build(body, proposer, own.ledger.parameters()).ok()
    }

    /// What can be executed, in order and at most so many: tried on a copy of the state.
    fn executable(&self, context: &BlockContext, count_max: usize) -> Vec<Transaction> {
        let Some(own) = self.own() else { return Vec::new() };
        let members = own.sets.current.members.len();
        let parameters = own.ledger.parameters();
        let transactions_max = usize::try_from(parameters.block_txs_max).unwrap_or(usize::MAX);
        let transactions_max = transactions_max.min(count_max);
        let taken = HEADER_BYTES
            + members * COMMIT_ENTRY_BYTES
            + transactions_max.min(self.mempool.all().len()) * HASH_IN_BODY_BYTES;
        let bytes_max = usize::try_from(parameters.block_bytes_max).unwrap_or(usize::MAX);
        let room = Room { bytes_max: bytes_max.saturating_sub(taken), transactions_max };
        let mut without = HashSet::new();
        for _ in 0..TRIES_MAX {
            let block = self.mempool.fill(&own.ledger, room, &without);
            if let Some(bad) = verify_all(&block).iter().position(|valid| !valid) {
                without.insert(block[bad].sender());
                continue;
            }
            match own.ledger.clone().execute(context, &block) {
                Ok(_) => return block,
                Err(fault) => match culprit(&fault, &block) {
                    Some(sender) => drop(without.insert(sender)),
                    None => return Vec::new(),
                },
            }
        }
        Vec::new()
    }

    /// What was proved of the last heights and is in no block yet.
    fn evidence(&self) -> Vec<Evidence> {
        let final_heights =
            self.records.iter().filter(|(height, _)| self.past.contains_key(height));
        final_heights
            .filter_map(|(_, record)| record.started())
            .flat_map(|record| record.evidence())
            .filter(|one| !self.punished.contains_key(&one.hash()))
            .take(EVIDENCE_MAX)
            .collect()
    }
}

/// Whose transaction makes the block faulty.
fn culprit(fault: &BlockFault, block: &[Transaction]) -> Option<Address> {
    let hash = match fault {
        BlockFault::ChainMismatch { hash, .. }
        | BlockFault::TransactionExpired { hash, .. }
        | BlockFault::FeeBelowMinimum { hash, .. }
        | BlockFault::NonceMismatch { hash, .. }
        | BlockFault::FeeUnpayable { hash, .. } => hash,
        BlockFault::HeightNotNext { .. }
        | BlockFault::HeightsExhausted { .. }
        | BlockFault::EvidenceNotBefore { .. }
        | BlockFault::EvidenceExpired { .. } => return None,
    };
    block.iter().find(|one| one.hash() == *hash).map(Transaction::sender)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_that_fail_make_blocks_smaller_and_heights_that_do_not_make_them_larger_again() {
        let round = |number: u32| Round::try_from(number).unwrap();
        let mut measure = Measure::default();
        assert_eq!(measure.at(Round::FIRST), usize::MAX);
        assert_eq!((measure.at(round(1)), measure.at(round(3))), (5_000, 1_250));
        assert_eq!(measure.at(round(99)), TRANSACTIONS_MIN);
        measure.learns(round(2));
        assert_eq!((measure.at(Round::FIRST), measure.at(round(1))), (2_500, 1_250));
        measure.learns(Round::FIRST);
        assert_eq!(measure.at(Round::FIRST), 3_750);
        for _ in 0..3 {
            measure.learns(Round::FIRST);
        }
        assert_eq!(measure.at(Round::FIRST), usize::MAX);
    }
}
