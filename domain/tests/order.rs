//! Which of the waiting transactions a block holds, and in which order, written as plainly as the
//! rule: what a mempool fills a block with is compared with it.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BinaryHeap},
};

use domain::{
    replica::Room,
    transaction::{FeeRate, Transaction},
    values::{Address, Hash, Nonce},
};

/// Fills a block from what waits: whoever pays most for each byte comes first, but each sender's
/// own in the order of their nonces, without a gap. The same transactions give the same block, in
/// whichever order they are handed in.
pub fn fill_block(waiting: impl IntoIterator<Item = Transaction>, room: Room) -> Vec<Transaction> {
    let mut senders: BTreeMap<Address, BTreeMap<Nonce, Transaction>> = BTreeMap::new();
    for transaction in waiting {
        let queue = senders.entry(transaction.sender()).or_default();
        let nonce = transaction.envelope().nonce;
        // Of two with one nonce the better one stands.
        if queue.get(&nonce).is_none_or(|held| rank(&transaction) > rank(held)) {
            queue.insert(nonce, transaction);
        }
    }
    let mut queues: Vec<_> = senders.into_values().map(BTreeMap::into_iter).collect();
    let mut heads: BinaryHeap<Head> = BinaryHeap::with_capacity(queues.len());
    for (sender, queue) in queues.iter_mut().enumerate() {
        heads.extend(queue.next().map(|(_, transaction)| Head::new(transaction, sender)));
    }
    let mut block = Vec::new();
    let mut bytes_left = room.bytes_max;
    while block.len() < room.transactions_max {
        let Some(Head { transaction, sender, .. }) = heads.pop() else { break };
        // What does not fit ends its sender's part: nothing after it may come before it.
        let Some(left) = bytes_left.checked_sub(transaction.bytes().len()) else { continue };
        bytes_left = left;
        let next = transaction.envelope().nonce.next();
        block.push(transaction);
        let follower = queues[sender].next().filter(|(nonce, _)| *nonce == next);
        heads.extend(follower.map(|(_, transaction)| Head::new(transaction, sender)));
    }
    block
}

/// By what transactions are compared: the fee rate; among equals the lower hash is better.
fn rank(transaction: &Transaction) -> (FeeRate, Reverse<Hash>) {
    (transaction.fee_rate(), Reverse(transaction.hash()))
}

/// The first of a sender's transactions that is not in the block yet.
#[derive(PartialEq, Eq)]
struct Head {
    rank: (FeeRate, Reverse<Hash>),
    sender: usize,
    transaction: Transaction,
}

impl Head {
    fn new(transaction: Transaction, sender: usize) -> Head {
        Head { rank: rank(&transaction), sender, transaction }
    }
}

impl Ord for Head {
    fn cmp(&self, other: &Head) -> std::cmp::Ordering {
        self.rank.cmp(&other.rank)
    }
}

impl PartialOrd for Head {
    fn partial_cmp(&self, other: &Head) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}
