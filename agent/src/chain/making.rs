//! How a validator makes a block: of what waits and can be executed, by the one order there is.
//!
//! Does not propose it.

use std::collections::{HashMap, HashSet};

use domain::{
    block::{Body, Contents},
    evidence::Evidence,
    ledger::{BlockContext, BlockFault},
    transaction::{Room, Transaction, fill_block, verify_all},
    values::{Address, Nonce},
};

use super::Chain;

/// Bytes by which each transaction makes a block longer besides its own: its hash in the body.
const HASH_IN_BODY_BYTES: usize = 34;
/// Bytes that are left for the header, and for each member in the last commit.
const HEADER_BYTES: usize = 2_048;
const COMMIT_ENTRY_BYTES: usize = 160;
/// How much evidence a block holds at most; the rest is for the next ones.
const EVIDENCE_MAX: usize = 16;
/// How often a block is made anew because one of its transactions cannot be executed; then it is
/// made of none.
const TRIES_MAX: u32 = 8;

impl Chain {
    /// Whether something waits that the next block can hold.
    pub fn has_work(&self) -> bool {
        self.waiting() > 0 && !self.ready(&HashSet::new()).is_empty()
    }

    /// The next block; none when the record of the height before is not complete.
    pub fn make(&self, proposer: Address) -> Option<Contents> {
        let own = self.own()?;
        let ground = own.ground()?;
        let last_commit = match &own.head {
            None => None,
            Some(head) => Some(self.record(head.applied.height)?.commit()?),
        };
        let mut body = Body { evidence: self.evidence(), last_commit, transactions: Vec::new() };
        let time = ground.time(&body)?;
        let context = BlockContext { evidence: Vec::new(), height: ground.height, proposer, time };
        let transactions = self.executable(&context);
        body.transactions = transactions.iter().map(Transaction::hash).collect();
        ground.build(body, proposer, &own.genesis.parameters).ok()
    }

    /// What can be executed, in order: tried on a copy of the state.
    fn executable(&self, context: &BlockContext) -> Vec<Transaction> {
        let Some(own) = self.own() else { return Vec::new() };
        let mut without = HashSet::new();
        for _ in 0..TRIES_MAX {
            let ready = self.ready(&without);
            let members = own.sets.current.members.len();
            let parameters = &own.genesis.parameters;
            let transactions_max = usize::try_from(parameters.block_txs_max).unwrap_or(usize::MAX);
            let taken = HEADER_BYTES
                + members * COMMIT_ENTRY_BYTES
                + transactions_max.min(ready.len()) * HASH_IN_BODY_BYTES;
            let bytes_max = usize::try_from(parameters.block_bytes_max).unwrap_or(usize::MAX);
            let bytes_max = bytes_max.saturating_sub(taken);
            let block = fill_block(ready, Room { bytes_max, transactions_max });
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

    /// What waits of senders whose next transaction is there.
    fn ready(&self, without: &HashSet<Address>) -> Vec<Transaction> {
        let Some(own) = self.own() else { return Vec::new() };
        let Some(height) = own.ledger.next_height() else { return Vec::new() };
        let fee_min = own.genesis.parameters.fee_min;
        let mut next: HashMap<Address, Nonce> = HashMap::new();
        let mut of = |sender: Address| {
            *next.entry(sender).or_insert_with(|| own.ledger.account(sender).nonce)
        };
        let mut ready: Vec<Transaction> = Vec::new();
        let mut begun = HashSet::new();
        for one in self.mempool.all() {
            let (sender, envelope) = (one.sender(), one.envelope());
            let expired = envelope.expires_at_height.is_some_and(|last| last < height);
            if expired || envelope.fee < fee_min || without.contains(&sender) {
                continue;
            }
            let expected = of(sender);
            if envelope.nonce == expected {
                begun.insert(sender);
            }
            if envelope.nonce >= expected {
                ready.push(one.clone());
            }
        }
        ready.retain(|one| begun.contains(&one.sender()));
        ready
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
