//! What waits of all senders, against a list that is searched from end to end.

use std::collections::BTreeSet;

use domain::{
    replica::Mempool,
    transaction::{
        Envelope, Event, Eviction, FeeRate, Payload, Placement, Room, Transaction,
        TransactionAccepted, TransactionEvicted, fill_block,
    },
    values::{Hash, Height, Nonce, Signature},
};
use proptest::{collection::vec, prelude::*};

use crate::{
    fixture::address,
    ledger::begun,
    transaction::{amount, envelope, nonce},
};

const EVERYTHING: Room = Room { bytes_max: usize::MAX, transactions_max: usize::MAX };
const ROOM_FOR: u32 = 6;

/// A transfer of any sender, not signed: a block is filled before anybody asks.
fn unsigned(sender: u8, number: u64, fee: u128) -> Transaction {
    let payload = Payload::Transfer { amount: amount(1), to: address(42) };
    Transaction::new(envelope(sender, number, fee, payload), Signature::from_bytes([0; 64]))
}

fn accepted(transaction: &Transaction, replaces: Option<Hash>) -> Event {
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
    let mut mempool = Mempool::new(ROOM_FOR);
    let (early, gap) = (unsigned(1, 0, 5), unsigned(2, 1, 90));
    let expiring =
        Envelope { expires_at_height: Some(Height::FIRST), ..unsigned(3, 0, 9).envelope().clone() };
    let expiring = Transaction::new(expiring, Signature::from_bytes([0; 64]));
    for one in [&early, &gap, &expiring] {
        mempool.fold(&accepted(one, None));
    }
    let mut ledger = begun();
    assert_eq!(mempool.fill(&ledger, EVERYTHING), [expiring, early.clone()]);
    let context = crate::ledger::context(&ledger);
    ledger.execute(&context, &[]).unwrap();
    assert_eq!(mempool.fill(&ledger, EVERYTHING), [early]);
}

proptest! {
    #[test]
    fn a_block_is_filled_as_if_all_that_waits_were_looked_at(
        steps in vec((0..6_u8, 1..5_u8, 0..4_u64, 1..9_u128), 0..40),
        transactions_max in 0..12_usize,
        bytes in 0..4_000_usize,
    ) {
        let mut mempool = Mempool::new(ROOM_FOR);
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
            prop_assert_eq!(mempool.fill(&ledger, room), fill_block(ready(&model), room));
        }
        let all: Vec<_> = mempool.all().cloned().collect();
        let gone = mempool.gone().map(|gone| gone.into_iter().cloned().collect());
        let again = Mempool::resumed(ROOM_FOR, &all, gone);
        prop_assert_eq!(again.fill(&ledger, EVERYTHING), mempool.fill(&ledger, EVERYTHING));
        prop_assert_eq!(again.summary(), mempool.summary());
        prop_assert!(model.iter().all(|one| again.known(&one.hash()).is_some()));
    }
}
