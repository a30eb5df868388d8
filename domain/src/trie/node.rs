//! The nodes of a trie: shared, never changed, hashed when they are made.
//!
//! Does not know proofs.

use std::sync::Arc;

use sha2::{Digest as _, Sha256};

use crate::values::Hash;

/// The hash of no entries.
pub(super) const EMPTY: Hash = Hash::from_bytes([0; 32]);
/// Begins what is hashed for a leaf.
const LEAF_PREFIX: u8 = 0;
/// Begins what is hashed for a branch, so that no leaf can pass for one.
const BRANCH_PREFIX: u8 = 1;

/// A change to one key: the entry it gets, or none.
pub(super) type Change = (Hash, Option<Arc<Entry>>);

/// The bit of a key that is read after `depth` others.
pub(super) fn bit(key: &Hash, depth: usize) -> bool {
    key.as_bytes()[depth / 8] >> (7 - depth % 8) & 1 == 1
}

/// The hash of a leaf.
pub(super) fn leaf_hash(key: &Hash, value_hash: &Hash) -> Hash {
    prefixed(LEAF_PREFIX, key, value_hash)
}

/// The hash of a branch.
pub(super) fn branch_hash(zero: &Hash, one: &Hash) -> Hash {
    prefixed(BRANCH_PREFIX, zero, one)
}

fn prefixed(prefix: u8, first: &Hash, second: &Hash) -> Hash {
    let mut hasher = Sha256::new();
    hasher.update([prefix]);
    hasher.update(first.as_bytes());
    hasher.update(second.as_bytes());
    Hash::from_bytes(hasher.finalize().into())
}

/// The entries whose keys share the bits that were read.
#[derive(Clone, Default)]
pub(super) enum Node {
    /// None.
    #[default]
    Empty,
    /// One.
    Leaf(Arc<Entry>),
    /// More than one.
    Branch(Arc<Branch>),
}

/// A key and its value.
pub(super) struct Entry {
    hash: Hash,
    key: Hash,
    value: Box<[u8]>,
}

impl Entry {
    /// Hashes a key with its value.
    pub fn new(key: Hash, value: Vec<u8>) -> Entry {
        Entry { hash: leaf_hash(&key, &Hash::of(&value)), key, value: value.into() }
    }

    /// The key.
    pub fn key(&self) -> &Hash {
        &self.key
    }

    /// The value.
    pub fn value(&self) -> &[u8] {
        &self.value
    }
}

/// Two nodes with more than one entry between them.
pub(super) struct Branch {
    hash: Hash,
    len: usize,
    zero: Node,
    one: Node,
}

impl Branch {
    /// Those whose next bit is 0, then the others.
    pub fn children(&self) -> [&Node; 2] {
        [&self.zero, &self.one]
    }
}

impl Node {
    /// Its hash.
    pub fn hash(&self) -> Hash {
        match self {
            Node::Empty => EMPTY,
            Node::Leaf(entry) => entry.hash,
            Node::Branch(branch) => branch.hash,
        }
    }

    /// How many entries it holds.
    pub fn len(&self) -> usize {
        match self {
            Node::Empty => 0,
            Node::Leaf(_) => 1,
            Node::Branch(branch) => branch.len,
        }
    }

    /// Follows a key from this root to the entry at its end, if there is one (it may be another
    /// key's), and shows the nodes that the way does not take.
    pub fn descend<'n>(
        &'n self,
        key: &Hash,
        mut passed: impl FnMut(&'n Node),
    ) -> Option<&'n Entry> {
        let mut node = self;
        let mut depth = 0;
        loop {
            match node {
                Node::Empty => return None,
                Node::Leaf(entry) => return Some(entry),
                Node::Branch(branch) => {
                    let (next, other) = if bit(key, depth) {
                        (&branch.one, &branch.zero)
                    } else {
                        (&branch.zero, &branch.one)
                    };
                    passed(other);
                    node = next;
                    depth += 1;
                }
            }
        }
    }

    /// This node after `changes`, which are in the order of their keys, one for each key, and share
    /// the first `depth` bits with it.
    pub fn changed(&self, changes: &[Change], depth: usize) -> Node {
        if changes.is_empty() {
            return self.clone();
        }
        match self {
            Node::Empty => {
                let entries: Vec<_> = changes.iter().filter_map(|(_, new)| new.clone()).collect();
                grown(&entries, depth)
            }
            Node::Leaf(entry) => {
                let place = changes.binary_search_by_key(entry.key(), |(key, _)| *key);
                let kept = place.is_err().then(|| Arc::clone(entry));
                let (before, after) = changes.split_at(place.unwrap_or_else(|place| place));
                let set = |(_, new): &Change| new.clone();
                let before = before.iter().filter_map(set);
                let entries: Vec<_> =
                    before.chain(kept).chain(after.iter().filter_map(set)).collect();
                grown(&entries, depth)
            }
            Node::Branch(branch) => {
                let (zeros, ones) = split(changes, depth, |(key, _)| key);
                let zero = branch.zero.changed(zeros, depth + 1);
                let one = branch.one.changed(ones, depth + 1);
                if zero.hash() == branch.zero.hash() && one.hash() == branch.one.hash() {
                    return self.clone();
                }
                joined(zero, one)
            }
        }
    }
}

/// The node of entries that are in the order of their keys and share the first `depth` bits.
fn grown(entries: &[Arc<Entry>], depth: usize) -> Node {
    match entries {
        [] => Node::Empty,
        [entry] => Node::Leaf(Arc::clone(entry)),
        more => {
            let (zeros, ones) = split(more, depth, |entry| entry.key());
            joined(grown(zeros, depth + 1), grown(ones, depth + 1))
        }
    }
}

/// Those whose next bit is 0, and the others.
fn split<T>(sorted: &[T], depth: usize, key: impl Fn(&T) -> &Hash) -> (&[T], &[T]) {
    sorted.split_at(sorted.partition_point(|item| !bit(key(item), depth)))
}

/// The node of both: a leaf moves up as far as it is alone.
fn joined(zero: Node, one: Node) -> Node {
    match (&zero, &one) {
        (Node::Empty, Node::Empty | Node::Leaf(_)) => one,
        (Node::Leaf(_), Node::Empty) => zero,
        (Node::Branch(_), _) | (_, Node::Branch(_)) | (Node::Leaf(_), Node::Leaf(_)) => {
            let hash = branch_hash(&zero.hash(), &one.hash());
            let len = zero.len() + one.len();
            Node::Branch(Arc::new(Branch { hash, len, zero, one }))
        }
    }
}
