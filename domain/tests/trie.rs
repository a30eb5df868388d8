//! The trie against its specification, written out as naively as it reads.

use std::collections::BTreeMap;

use domain::{
    trie::{Proof, Trie},
    values::Hash,
};
use proptest::{collection::vec, option, prelude::*, sample::Index};
use sha2::{Digest as _, Sha256};

type Entries = BTreeMap<[u8; 32], Vec<u8>>;

/// The root by the words of the specification: no sharing, no batches, no nodes.
fn naive_root(entries: &[([u8; 32], Vec<u8>)], depth: usize) -> [u8; 32] {
    match entries {
        [] => [0; 32],
        [(key, value)] => {
            let value: [u8; 32] = Sha256::digest(value).into();
            Sha256::digest([&[0][..], key, &value].concat()).into()
        }
        more => {
            let set = |key: &[u8; 32]| key[depth / 8] & (0x80 >> (depth % 8)) != 0;
            let (ones, zeros): (Vec<_>, Vec<_>) = more.iter().cloned().partition(|(k, _)| set(k));
            let (zero, one) = (naive_root(&zeros, depth + 1), naive_root(&ones, depth + 1));
            Sha256::digest([&[1][..], &zero, &one].concat()).into()
        }
    }
}

fn naive(entries: &Entries) -> Hash {
    let entries: Vec<_> = entries.clone().into_iter().collect();
    Hash::from_bytes(naive_root(&entries, 0))
}

fn key(bytes: [u8; 32]) -> Hash {
    Hash::from_bytes(bytes)
}

/// Keys that meet: some alike in all but the last bits, some in none.
fn keys() -> impl Strategy<Value = [u8; 32]> {
    let near = (0..8_u8).prop_map(|last| {
        let mut key = [0xa5; 32];
        key[31] = last;
        key
    });
    let mid = (0..16_u8).prop_map(|nibble| {
        let mut key = [0; 32];
        key[1] = nibble << 3;
        key
    });
    prop_oneof![2 => near, 2 => mid, 1 => any::<[u8; 32]>()]
}

fn changes() -> impl Strategy<Value = Vec<([u8; 32], Option<Vec<u8>>)>> {
    let change = (keys(), option::weighted(0.6, vec(any::<u8>(), 0..3)));
    vec(change, 0..24)
}

fn apply(entries: &mut Entries, changes: &[([u8; 32], Option<Vec<u8>>)]) {
    for (key, value) in changes {
        match value {
            Some(value) => entries.insert(*key, value.clone()),
            None => entries.remove(key),
        };
    }
}

fn update(trie: &mut Trie, changes: &[([u8; 32], Option<Vec<u8>>)]) {
    trie.update(changes.iter().map(|(bytes, value)| (key(*bytes), value.clone())));
}

proptest! {
    #[test]
    fn after_every_batch_the_root_is_that_of_a_naive_rebuild(batches in vec(changes(), 1..6)) {
        let (mut trie, mut entries) = (Trie::new(), Entries::new());
        for batch in &batches {
            let (before, root) = (trie.clone(), trie.root());
            update(&mut trie, batch);
            apply(&mut entries, batch);
            prop_assert_eq!(trie.root(), naive(&entries));
            prop_assert_eq!(trie.len(), entries.len());
            prop_assert_eq!(before.root(), root, "a clone stays as it is");
            let found: Entries =
                trie.iter().map(|(key, value)| (*key.as_bytes(), value.to_vec())).collect();
            prop_assert_eq!(&found, &entries);
            prop_assert!(trie.iter().is_sorted_by_key(|(key, _)| *key));
        }
    }

    #[test]
    fn one_batch_is_as_good_as_its_changes_one_by_one(batch in changes()) {
        let (mut at_once, mut step_by_step) = (Trie::new(), Trie::new());
        update(&mut at_once, &batch);
        for change in &batch {
            update(&mut step_by_step, std::slice::from_ref(change));
        }
        prop_assert_eq!(at_once, step_by_step);
    }

    #[test]
    fn every_key_is_proved_present_or_absent_and_nothing_else_is(
        batch in changes(),
        asked in keys(),
        other in vec(any::<u8>(), 0..3),
    ) {
        let (mut trie, mut entries) = (Trie::new(), Entries::new());
        update(&mut trie, &batch);
        apply(&mut entries, &batch);
        let (root, held) = (trie.root(), entries.get(&asked).map(Vec::as_slice));
        prop_assert_eq!(trie.get(&key(asked)), held);
        let proof = trie.prove(&key(asked));
        prop_assert!(proof.verify(&root, &key(asked), held));
        let json = serde_json::to_string(&proof).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Proof>(&json).unwrap(), &proof);
        if held != Some(&other) {
            prop_assert!(!proof.verify(&root, &key(asked), Some(&other)));
        }
        if held.is_some() {
            prop_assert!(!proof.verify(&root, &key(asked), None));
        }
    }

    #[test]
    fn a_proof_that_was_changed_proves_nothing(
        batch in changes(),
        asked in keys(),
        place in any::<Index>(),
        bit in 0..8_u8,
    ) {
        let mut trie = Trie::new();
        update(&mut trie, &batch);
        let (root, held) = (trie.root(), trie.get(&key(asked)));
        let proof = trie.prove(&key(asked));
        let flipped = |hash: &Hash| {
            let mut bytes = *hash.as_bytes();
            bytes[place.index(32)] ^= 1 << bit;
            Hash::from_bytes(bytes)
        };
        prop_assert!(!proof.verify(&flipped(&root), &key(asked), held));
        if let Some(leaf) = proof.leaf {
            let mut other = proof.clone();
            other.leaf = Some(domain::trie::Leaf { key: flipped(&leaf.key), ..leaf });
            prop_assert!(!other.verify(&root, &key(asked), held));
            other.leaf = Some(domain::trie::Leaf { value_hash: flipped(&leaf.value_hash), ..leaf });
            prop_assert!(!other.verify(&root, &key(asked), held));
            other.leaf = None;
            prop_assert!(!other.verify(&root, &key(asked), None));
        }
        if !proof.siblings.is_empty() {
            let mut other = proof.clone();
            let sibling = place.get_mut(&mut other.siblings);
            *sibling = flipped(sibling);
            prop_assert!(!other.verify(&root, &key(asked), held));
            let mut shorter = proof.clone();
            shorter.siblings.pop();
            prop_assert!(!shorter.verify(&root, &key(asked), held));
        }
    }
}

#[test]
fn a_leaf_on_another_way_proves_no_absence() {
    let (here, there) = (key([0; 32]), key([0xff; 32]));
    let mut trie = Trie::new();
    trie.update([(here, Some(vec![1])), (there, Some(vec![2]))]);
    // The way to `there` ends at its own leaf; shown with the leaf that lies on the way of `here`.
    let mut proof = trie.prove(&here);
    assert!(!proof.verify(&trie.root(), &there, None));
    proof.siblings = trie.prove(&there).siblings;
    assert!(!proof.verify(&trie.root(), &there, None));
}

#[test]
fn a_way_longer_than_a_key_proves_nothing() {
    let key = key([7; 32]);
    let proof = Proof { leaf: None, siblings: vec![Hash::of(b"x"); 257] };
    assert!(!proof.verify(&Hash::of(b"y"), &key, None));
}

#[test]
fn the_smallest_maps_have_the_roots_of_the_specification() {
    let mut trie = Trie::new();
    assert_eq!(trie.root().to_string(), "0".repeat(64));
    assert!(trie.is_empty());
    trie.update([(key([1; 32]), Some(b"one".to_vec()))]);
    let leaf = [&[0][..], &[1; 32], &Sha256::digest(b"one")].concat();
    assert_eq!(trie.root(), Hash::of(&leaf));
    trie.update([(key([0x81; 32]), Some(b"two".to_vec()))]);
    let other = [&[0][..], &[0x81; 32], &Sha256::digest(b"two")].concat();
    let branch = [&[1][..], Hash::of(&leaf).as_bytes(), Hash::of(&other).as_bytes()].concat();
    assert_eq!(trie.root(), Hash::of(&branch));
    trie.update([(key([1; 32]), None)]);
    assert_eq!(trie.root(), Hash::of(&other), "what is alone moves up again");
    trie.update([(key([0x81; 32]), None)]);
    assert_eq!(trie, Trie::new());
}
