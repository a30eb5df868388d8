//! What holds for every block after every history.

use std::collections::BTreeMap;

use domain::{
    ledger::{BlockContext, Entry, Equivocation, Execution, Key, Ledger},
    transaction::{Payload, Transaction},
    values::{Hash, Height},
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    fixture::address,
    ledger::{POOR, RICH, begun, context, next},
    transaction::amount,
};

/// Who acts: the two with money, and validators.
const ACTORS: &[u8] = &[RICH, POOR, 1, 2];

/// What one transaction of a block is to do, and how wrong its nonce is.
type Wish = (u8, Payload, u64);

/// A validator that equivocated, and how many heights ago.
type Guilty = (u8, u64);

fn payloads() -> impl Strategy<Value = Payload> {
    let units = prop_oneof![0..300_u128, 900_000..1_200_000_u128, 8_000_000..11_000_000_u128];
    let whom = select(ACTORS).prop_map(address);
    (0..8_u8, units, whom, 0..4_u8).prop_map(|(kind, units, to, digest)| {
        let (amount, validator) = (amount(units), to);
        match kind {
            0 | 1 => Payload::Transfer { amount, to },
            2 => Payload::Bond { amount, validator },
            3 => Payload::Unbond { amount, validator },
            4 => Payload::Delegate { amount, validator },
            5 => Payload::Undelegate { amount, validator },
            6 => Payload::Anchor {
                algorithm: "sha-256".parse().unwrap(),
                digest: domain::values::Digest::from_bytes(vec![digest]).unwrap(),
                label: "a deed".parse().unwrap(),
            },
            _ => Payload::RevokeAnchor { hash: Hash::of(&[digest]) },
        }
    })
}

fn blocks() -> impl Strategy<Value = Vec<(Vec<Wish>, Option<Guilty>)>> {
    let wish = (select(ACTORS), payloads(), prop_oneof![29 => Just(0_u64), 1 => Just(1)]);
    let offence = (1..5_u8, 1..10_u64);
    let offence = prop_oneof![9 => Just(None), 1 => offence.prop_map(Some)];
    vec((vec(wish, 0..6), offence), 1..24)
}

/// The block's transactions, each with its sender's next nonce.
fn signed(ledger: &Ledger, wishes: &[Wish]) -> Vec<Transaction> {
    let mut used = BTreeMap::<u8, u64>::new();
    let sign = |(sender, payload, wrong): &Wish| {
        let ahead = used.entry(*sender).or_default();
        let transaction = next(ledger, *sender, *ahead + wrong, payload.clone());
        *ahead += 1;
        transaction
    };
    wishes.iter().map(sign).collect()
}

fn offence(ledger: &Ledger, (validator, back): Guilty) -> Option<Equivocation> {
    let at = ledger.next_height().unwrap().value().checked_sub(back)?;
    let height = Height::new(at).ok()?;
    Some(Equivocation { evidence: Hash::of(&[validator]), height, validator: address(validator) })
}

/// The state as somebody sees it who executes nothing.
fn follow(state: &mut BTreeMap<Key, Entry>, execution: &Execution) {
    for entry in &execution.changed {
        if entry.is_nothing() {
            assert!(state.remove(&entry.key()).is_some(), "{entry:?} was never there");
        } else {
            assert_ne!(state.insert(entry.key(), entry.clone()).as_ref(), Some(entry));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn no_unit_is_made_or_lost_and_whoever_follows_the_changes_has_the_state(blocks in blocks()) {
        let mut ledger = begun();
        let mut state: BTreeMap<Key, Entry> =
            ledger.entries().map(|entry| (entry.key(), entry)).collect();
        for (wishes, guilty) in blocks {
            let transactions = signed(&ledger, &wishes);
            let evidence = guilty.and_then(|guilty| offence(&ledger, guilty)).into_iter().collect();
            let context = BlockContext { evidence, ..context(&ledger) };
            let before = ledger.clone();
            let mut speculative = ledger.clone();
            let Ok(execution) = ledger.execute(&context, &transactions) else {
                prop_assert_eq!(&ledger, &before, "an invalid block changes nothing");
                continue;
            };
            prop_assert_eq!(&speculative.execute(&context, &transactions).unwrap(), &execution);
            prop_assert_eq!(&speculative, &ledger);
            prop_assert_eq!(&before.after(&execution).unwrap(), &ledger, "and so has a follower");
            prop_assert!(ledger.after(&execution).is_err(), "once");
            prop_assert_eq!(execution.receipts.len(), transactions.len());
            prop_assert_eq!(ledger.totals().sum(), Some(ledger.supply()));
            prop_assert_eq!(ledger.totals().burned, ledger.burned());
            follow(&mut state, &execution);
            let held: BTreeMap<Key, Entry> =
                ledger.entries().map(|entry| (entry.key(), entry)).collect();
            prop_assert_eq!(&state, &held);
            prop_assert_eq!(Ledger::restore(&ledger.snapshot()).unwrap(), ledger.clone());
            prop_assert_eq!(Execution::from_bytes(&execution.bytes()).unwrap(), execution);
        }
    }
}
