//! What waits of all senders: the transactions, how many, who would have to go first, and which of
//! them the next block holds.
//!
//! Does not know balances: whether a block may hold a transaction, its execution says.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap, HashMap, HashSet},
};

use crate::{
    ledger::Ledger,
    parameters::Parameters,
    transaction::{self, Event, Eviction, FeeRate, Transaction, last_height},
    values::{Address, Hash, Height, Nonce},
};

/// How many transactions in a row are tried that do not fit into what is left of a block; then it
/// is full.
const MISFITS_MAX: u32 = 1_000;

/// What a block has room for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Room {
    /// How many bytes of transactions.
    pub bytes_max: usize,
    /// How many transactions.
    pub transactions_max: usize,
}

/// By what transactions are compared: the fee rate; among equals the lower hash is better.
type Rank = (FeeRate, Reverse<Hash>);

/// The transactions that wait, by what they pay for each byte.
#[derive(Clone, Debug, Default)]
pub struct Mempool {
    by_rate: BTreeSet<Rank>,
    by_place: BTreeMap<(Address, Nonce), Hash>,
    /// By the last height whose block may hold them.
    by_last: BTreeSet<(u64, Hash)>,
    /// Of each sender the one with the lowest nonce.
    first: BTreeSet<Rank>,
    waiting: HashMap<Hash, Waiting>,
    /// Those whose nonces were used by others, until that is recorded.
    superseded: BTreeMap<Hash, Transaction>,
    /// What went without being executed while the next block is agreed on, and while the one before
    /// it was: a block that was found valid before may hold it and become final.
    gone: [HashMap<Hash, Transaction>; 2],
    count_max: u32,
    ttl_blocks: u32,
}

/// One that waits.
#[derive(Clone, Debug)]
struct Waiting {
    /// The head when it was accepted.
    head: Option<Height>,
    /// The last height whose block may hold it.
    last: u64,
    transaction: Transaction,
}

/// What a mempool holds at one moment, so that it can be resumed.
#[derive(Clone, Debug, Default)]
pub struct Kept {
    /// What went without being executed, a moment ago and a block before that.
    pub gone: [Vec<Transaction>; 2],
    /// Those whose nonces were used by others, unless that is recorded.
    pub superseded: Vec<Transaction>,
    /// What waits, with the head at which it was accepted.
    pub waiting: Vec<(Option<Height>, Transaction)>,
}

impl Mempool {
    /// An empty one, with room for as many and for as long as the parameters say.
    pub fn new(parameters: &Parameters) -> Mempool {
        let (count_max, ttl_blocks) = (parameters.mempool_txs_max, parameters.mempool_ttl_blocks);
        Mempool { count_max, ttl_blocks, ..Mempool::default() }
    }

    /// As it was left.
    pub fn resumed(parameters: &Parameters, kept: Kept) -> Mempool {
        let mut mempool = Mempool::new(parameters);
        kept.waiting.iter().for_each(|(head, one)| mempool.comes(*head, one));
        let gone = kept.gone.map(|gone| named(gone).collect());
        Mempool { gone, superseded: named(kept.superseded).collect(), ..mempool }
    }

    /// Other parameters hold: they say how many may wait, and for how long.
    pub fn govern(&mut self, parameters: &Parameters) {
        self.count_max = parameters.mempool_txs_max;
        if self.ttl_blocks == parameters.mempool_ttl_blocks {
            return;
        }
        self.ttl_blocks = parameters.mempool_ttl_blocks;
        self.by_last.clear();
        for (hash, waiting) in &mut self.waiting {
            let own = waiting.transaction.envelope().expires_at_height;
            waiting.last = last_height(waiting.head, own, self.ttl_blocks);
            self.by_last.insert((waiting.last, *hash));
        }
    }

    /// Takes in what happened to an account.
    pub fn fold(&mut self, event: &Event) {
        match event {
            Event::TransactionAccepted(accepted) => {
                if let Some(replaced) = &accepted.replaces {
                    self.goes(replaced);
                }
                self.comes(accepted.head, &accepted.transaction);
            }
            Event::TransactionEvicted(evicted) => {
                self.superseded.remove(&evicted.hash);
                self.goes(&evicted.hash);
            }
            Event::ReservationMade(_) | Event::ReservationReleased(_) => {}
        }
    }

    fn comes(&mut self, head: Option<Height>, transaction: &Transaction) {
        let (hash, (sender, nonce)) = (transaction.hash(), place(transaction));
        if let Some(held) = self.by_place.get(&(sender, nonce)).copied() {
            self.removed(&held);
        }
        let before = self.first_of(sender);
        if before.is_none_or(|(first, _)| nonce < first) {
            if let Some((_, second)) = before {
                self.first.remove(&self.rank(&second));
            }
            self.first.insert(rank(transaction));
        }
        self.by_place.insert((sender, nonce), hash);
        self.by_rate.insert(rank(transaction));
        let last = last_height(head, transaction.envelope().expires_at_height, self.ttl_blocks);
        self.by_last.insert((last, hash));
        self.waiting.insert(hash, Waiting { head, last, transaction: transaction.clone() });
        self.gone.iter_mut().for_each(|gone| drop(gone.remove(&hash)));
    }

    fn goes(&mut self, hash: &Hash) {
        if let Some(transaction) = self.removed(hash) {
            self.gone[0].insert(*hash, transaction);
        }
    }

    fn removed(&mut self, hash: &Hash) -> Option<Transaction> {
        let Waiting { last, transaction, .. } = self.waiting.remove(hash)?;
        self.by_last.remove(&(last, *hash));
        self.by_rate.remove(&rank(&transaction));
        self.by_place.remove(&place(&transaction));
        if self.first.remove(&rank(&transaction))
            && let Some((_, next)) = self.first_of(transaction.sender())
        {
            self.first.insert(self.rank(&next));
        }
        Some(transaction)
    }

    /// A block was applied that held these: neither they nor others with their nonces wait longer.
    pub fn executed(&mut self, hashes: impl IntoIterator<Item = Hash>) {
        for hash in hashes {
            let left = || self.gone.iter().find_map(|gone| gone.get(&hash));
            let place = self.waiting(&hash).or_else(left).map(place);
            let held = place.and_then(|place| self.by_place.get(&place).copied()).unwrap_or(hash);
            if let Some(removed) = self.removed(&held)
                && held != hash
            {
                self.superseded.insert(held, removed);
            }
        }
        self.gone[1] = std::mem::take(&mut self.gone[0]);
    }

    /// A transaction that waits.
    pub fn waiting(&self, hash: &Hash) -> Option<&Transaction> {
        self.waiting.get(hash).map(|waiting| &waiting.transaction)
    }

    /// A transaction that waits, or has gone a moment ago.
    pub fn known(&self, hash: &Hash) -> Option<&Transaction> {
        self.waiting(hash).or_else(|| self.gone.iter().find_map(|gone| gone.get(hash)))
    }

    /// All that waits, in no order.
    pub fn all(&self) -> impl ExactSizeIterator<Item = &Transaction> {
        self.waiting.values().map(|waiting| &waiting.transaction)
    }

    /// How many wait.
    pub fn count(&self) -> u32 {
        u32::try_from(self.waiting.len()).unwrap_or(u32::MAX)
    }

    /// What went without being executed, a moment ago and a block before that.
    pub fn gone(&self) -> [Vec<&Transaction>; 2] {
        [0, 1].map(|age: usize| self.gone[age].values().collect())
    }

    /// Those whose nonces were used by others, until that is recorded.
    pub fn superseded(&self) -> &BTreeMap<Hash, Transaction> {
        &self.superseded
    }

    /// What has to be evicted after a height, at most so many: what another with its nonce took the
    /// place of, what no later block may hold, and, when more wait than may, those that pay least.
    pub fn due(&self, height: Height, count_max: usize) -> Vec<(Eviction, &Transaction)> {
        let superseded = self.superseded.values();
        let superseded = superseded.map(|one| (Eviction::NonceSuperseded, one));
        let expired = self.by_last.iter().take_while(|(last, _)| *last <= height.value());
        let expired: Vec<&Hash> = expired.map(|(_, hash)| hash).take(count_max).collect();
        let excess = self.excess().saturating_sub(expired.len());
        let lowest = self.by_rate.iter().filter_map(|(_, Reverse(hash))| self.waiting.get(hash));
        let lowest = lowest.filter(|waiting| waiting.last > height.value()).take(excess);
        let lowest = lowest.map(|waiting| (Eviction::MempoolFull, &waiting.transaction));
        let expired = expired.into_iter().filter_map(|hash| self.waiting(hash));
        let expired = expired.map(|one| (Eviction::Expired, one));
        superseded.chain(expired).chain(lowest).take(count_max).collect()
    }

    /// How many more wait than may.
    fn excess(&self) -> usize {
        self.waiting.len().saturating_sub(usize::try_from(self.count_max).unwrap_or(usize::MAX))
    }

    /// Fills the next block after a state: whoever pays most for each byte comes first, but each
    /// sender's own in the order of their nonces, without a gap. Only from those senders whose next
    /// transaction is there, has not expired and pays enough, and without some. It takes as long as
    /// the block is large, and longer only for senders whose next transaction is missing.
    pub fn fill(
        &self,
        ledger: &Ledger,
        room: Room,
        without: &HashSet<Address>,
    ) -> Vec<Transaction> {
        let Some(height) = ledger.next_height() else { return Vec::new() };
        let mut firsts = self.first.iter().rev().copied().peekable();
        let mut followers: BinaryHeap<Rank> = BinaryHeap::new();
        let (mut block, mut bytes_left, mut misfits) = (Vec::new(), room.bytes_max, 0);
        while block.len() < room.transactions_max && misfits < MISFITS_MAX {
            let follows = followers.peek().is_some_and(|one| firsts.peek().is_none_or(|f| one > f));
            let next = if follows { followers.pop() } else { firsts.next() };
            let Some((_, Reverse(hash))) = next else { break };
            let Some(transaction) = self.waiting(&hash) else { continue };
            let (sender, nonce) = place(transaction);
            if without.contains(&sender) {
                continue;
            }
            if !follows {
                let expected = ledger.account(sender).nonce;
                if nonce < expected {
                    // Executed under another hash, and not evicted yet.
                    followers.extend(self.rank_at(sender, expected));
                }
                if nonce != expected {
                    continue;
                }
            }
            let envelope = transaction.envelope();
            let expired = envelope.expires_at_height.is_some_and(|last| last < height);
            // It was accepted when less had to be paid.
            if expired || envelope.fee < ledger.parameters().fee_min {
                continue;
            }
            // What does not fit ends its sender's part: nothing after it may come before it.
            let Some(left) = bytes_left.checked_sub(transaction.bytes().len()) else {
                misfits += 1;
                continue;
            };
            (bytes_left, misfits) = (left, 0);
            followers.extend(self.rank_at(sender, nonce.next()));
            block.push(transaction.clone());
        }
        block
    }

    /// All that a decision must know of it.
    pub fn summary(&self) -> transaction::Mempool {
        let transactions = self.count();
        let rate_at = |nth| self.by_rate.iter().nth(nth).map_or(FeeRate::ZERO, |(rate, _)| *rate);
        transaction::Mempool {
            fee_per_byte_due: rate_at(self.excess().saturating_sub(1)),
            fee_per_byte_min: rate_at(0),
            full: transactions >= self.count_max,
            transactions,
        }
    }

    /// A sender's transaction with the lowest nonce.
    fn first_of(&self, sender: Address) -> Option<(Nonce, Hash)> {
        let mut own = self.by_place.range((sender, Nonce::FIRST)..);
        let ((of, nonce), hash) = own.next()?;
        (*of == sender).then_some((*nonce, *hash))
    }

    fn rank_at(&self, sender: Address, nonce: Nonce) -> Option<Rank> {
        self.by_place.get(&(sender, nonce)).map(|hash| self.rank(hash))
    }

    /// The rank of one that waits.
    fn rank(&self, hash: &Hash) -> Rank {
        let rate = self.waiting(hash).map_or(FeeRate::ZERO, Transaction::fee_rate);
        (rate, Reverse(*hash))
    }
}

fn named(many: Vec<Transaction>) -> impl Iterator<Item = (Hash, Transaction)> {
    many.into_iter().map(|one| (one.hash(), one))
}

fn rank(transaction: &Transaction) -> Rank {
    (transaction.fee_rate(), Reverse(transaction.hash()))
}

fn place(transaction: &Transaction) -> (Address, Nonce) {
    (transaction.sender(), transaction.envelope().nonce)
}
