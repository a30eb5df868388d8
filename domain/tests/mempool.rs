//! What waits of all senders, against a list that is searched from end to end.

use std::{
    cmp::Reverse,
    collections::{BTreeSet, HashSet},
};

use domain::{
    parameters::Parameters,
    replica::{Kept, Mempool, Room},
    transaction::{
        Envelope, Event, Eviction, FeeRate, Payload, Placement, Transaction, TransactionAccepted,
        TransactionEvicted,
    },
    values::{Hash, Height, Nonce, Signature},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixture::address,
    ledger::begun,
    order::fill_block,
    transaction::{amount, envelope, nonce},
};

const EVERYTHING: Room = Room { bytes_max: usize::MAX, transactions_max: usize::MAX };
const ROOM_FOR: u32 = 6;

fn parameters() -> Parameters {
    Parameters { mempool_txs_max: ROOM_FOR, ..Parameters::default() }
}

/// A transfer of any sender, not signed: a block is filled before anybody asks.
pub fn unsigned(sender: u8, number: u64, fee: u128) -> Transaction {
    let payload = Payload::Transfer { amount: amount(1), to: address(42) };
    Transaction::new(envelope(sender, number, fee, payload), Signature::from_bytes([0; 64]))
}

pub fn accepted(transaction: &Transaction, replaces: Option<Hash>) -> Event {
    Event::TransactionAccepted(TransactionAccepted {
        account_nonce: Nonce::FIRST,
        hash: transaction.hash(),
        head: None,
        placement: Placement::Pending,
        replaces,
        transaction: transaction.clone(),
    })
}

fn evicted(transaction: &Transaction) -> Event {
    Event::TransactionEvicted(TransactionEvicted {
        hash: transaction.hash(),
        nonce: transaction.envelope().nonce,
        reason: Eviction::Expired,
    })
}

/// Those that a block can hold at genesis: of senders whose first transaction is there.
fn ready(waiting: &[Transaction]) -> Vec<Transaction> {
    let begun = waiting.iter().filter(|one| one.envelope().nonce == Nonce::FIRST);
    let begun: BTreeSet<_> = begun.map(Transaction::sender).collect();
    waiting.iter().filter(|one| begun.contains(&one.sender())).cloned().collect()
}

#[test]
fn whoever_waits_for_an_earlier_one_of_its_sender_is_left_out_and_so_is_what_has_expired() {
    let mut mempool = Mempool::new(&parameters());
    let (early, gap) = (unsigned(1, 0, 5), unsigned(2, 1, 90));
    let expiring =
        Envelope { expires_at_height: Some(Height::FIRST), ..unsigned(3, 0, 9).envelope().clone() };
    let expiring = Transaction::new(expiring, Signature::from_bytes([0; 64]));
    for one in [&early, &gap, &expiring] {
        mempool.fold(&accepted(one, None));
    }
    let mut ledger = begun();
    assert_eq!(mempool.fill(&ledger, EVERYTHING, &HashSet::new()), [expiring, early.clone()]);
    let context = crate::ledger::context(&ledger);
    ledger.execute(&context, &[]).unwrap();
    assert_eq!(mempool.fill(&ledger, EVERYTHING, &HashSet::new()), [early]);
}

#[test]
fn what_waited_too_long_has_to_go_and_so_has_what_another_with_its_nonce_superseded() {
    let mut mempool = Mempool::new(&Parameters { mempool_ttl_blocks: 3, ..parameters() });
    let height = |number: u64| Height::new(number).unwrap();
    let at = |head: u64, one: &Transaction, replaces: Option<Hash>| {
        let Event::TransactionAccepted(data) = accepted(one, replaces) else { unreachable!() };
        Event::TransactionAccepted(TransactionAccepted { head: Height::new(head).ok(), ..data })
    };
    let (first, dearer, other) = (unsigned(1, 0, 5), unsigned(1, 0, 9), unsigned(2, 0, 7));
    mempool.fold(&at(1, &first, None));
    mempool.fold(&at(2, &other, None));
    assert_eq!(mempool.due(height(3), 9), []);
    assert_eq!(mempool.due(height(4), 9), [(Eviction::Expired, &first)]);
    assert_eq!(mempool.due(height(5), 9).len(), 2);
    assert_eq!(mempool.due(height(5), 1).len(), 1);
    mempool.fold(&at(2, &dearer, Some(first.hash())));
    assert_eq!(mempool.due(height(4), 9), []);
    // A block that was agreed on before holds the one that was replaced.
    mempool.executed([first.hash()]);
    assert_eq!(mempool.due(height(3), 9), [(Eviction::NonceSuperseded, &dearer)]);
    let kept = Kept { superseded: vec![dearer.clone()], ..Kept::default() };
    assert_eq!(Mempool::resumed(&parameters(), kept).due(height(3), 9).len(), 1);
    mempool.fold(&evicted(&dearer));
    assert_eq!(mempool.due(height(4), 9), []);
    mempool.fold(&evicted(&other));
    assert_eq!(mempool.due(height(9), 9), []);
}

proptest! {
    #[test]
    fn a_block_is_filled_as_if_all_that_waits_were_looked_at(
        steps in vec((0..6_u8, 1..5_u8, 0..4_u64, 1..9_u128), 0..40),
        transactions_max in 0..12_usize,
        bytes in 0..4_000_usize,
    ) {
        let mut mempool = Mempool::new(&parameters());
        let mut model: Vec<Transaction> = Vec::new();
        let mut lost: [BTreeSet<Hash>; 2] = Default::default();
        for (kind, sender, number, fee) in steps {
            let sent = unsigned(sender, number, fee);
            let same_place = |one: &&Transaction| {
                one.sender() == sent.sender() && one.envelope().nonce == nonce(number)
            };
            let held = model.iter().find(same_place).cloned();
            match (kind, held) {
                (0, Some(held)) => {
                    mempool.fold(&evicted(&held));
                    model.retain(|one| *one != held);
                    lost[0].insert(held.hash());
                }
                (1, Some(held)) => {
                    mempool.executed([held.hash()]);
                    model.retain(|one| *one != held);
                    lost = [BTreeSet::new(), std::mem::take(&mut lost[0])];
                }
                (0 | 1, None) => {}
                (_, held) => {
                    mempool.fold(&accepted(&sent, held.as_ref().map(Transaction::hash)));
                    model.retain(|one| Some(one) != held.as_ref());
                    if let Some(held) = held.filter(|held| *held != sent) {
                        lost[0].insert(held.hash());
                    }
                    for lost in &mut lost {
                        lost.remove(&sent.hash());
                    }
                    model.push(sent);
                }
            }
            let hashes = |gone: Vec<&Transaction>| gone.into_iter().map(Transaction::hash).collect();
            let gone: [BTreeSet<Hash>; 2] = mempool.gone().map(hashes);
            prop_assert_eq!(&gone, &lost);
            let summary = mempool.summary();
            prop_assert_eq!(summary.transactions as usize, model.len());
            prop_assert_eq!(summary.full, model.len() >= ROOM_FOR as usize);
            let least = model.iter().map(Transaction::fee_rate).min();
            prop_assert_eq!(summary.fee_per_byte_min, least.unwrap_or(FeeRate::ZERO));
        }
        let ledger = begun();
        for room in [
            EVERYTHING,
            Room { transactions_max, ..EVERYTHING },
            Room { bytes_max: bytes, ..EVERYTHING },
        ] {
            let block = mempool.fill(&ledger, room, &HashSet::new());
            prop_assert_eq!(&block, &fill_block(ready(&model), room));
            let Some(first) = block.first().map(Transaction::sender) else { continue };
            let others = model.iter().filter(|one| one.sender() != first).cloned();
            let without = mempool.fill(&ledger, room, &HashSet::from([first]));
            prop_assert_eq!(without, fill_block(ready(&others.collect::<Vec<_>>()), room));
        }
        let due: Vec<_> = mempool.due(Height::FIRST, usize::MAX);
        let excess = model.len().saturating_sub(ROOM_FOR as usize);
        prop_assert!(due.iter().all(|(reason, _)| *reason == Eviction::MempoolFull));
        prop_assert_eq!(due.len(), excess);
        model.sort_by_key(|one| (one.fee_rate(), Reverse(one.hash())));
        for ((_, due), lowest) in due.iter().zip(&model) {
            prop_assert_eq!(*due, lowest);
            prop_assert!(due.fee_rate() <= mempool.summary().fee_per_byte_due);
        }
        let kept = Kept {
            gone: mempool.gone().map(|gone| gone.into_iter().cloned().collect()),
            superseded: Vec::new(),
            waiting: mempool.all().map(|one| (None, one.clone())).collect(),
        };
        let again = Mempool::resumed(&parameters(), kept);
        prop_assert_eq!(again.fill(&ledger, EVERYTHING, &HashSet::new()), mempool.fill(&ledger, EVERYTHING, &HashSet::new()));
        prop_assert_eq!(again.summary(), mempool.summary());
        prop_assert!(model.iter().all(|one| again.known(&one.hash()).is_some()));
    }
}
