//! An authenticated map: a binary Merkle trie from 32-byte keys to bytes, whose root commits to
//! every entry and whose proofs of presence and absence need nothing but that root.
//!
//! Does not know what its keys and values mean. It keeps no history either: a clone is another map
//! that shares every node with this one, costs one counter, and stays as it is.
//!
//! The specification. A key is read bit by bit, the most significant bit of its first byte first.
//! The entries whose keys share the bits read so far form a node, whose hash is
//!
//! | entries | node | hash |
//! | --- | --- | --- |
//! | none | empty | 32 bytes of zero |
//! | one | leaf, however few bits were read | SHA-256(`00` ‖ key ‖ SHA-256(value)) |
//! | more | branch | SHA-256(`01` ‖ node of those whose next bit is 0 ‖ node of the others) |
//!
//! and the root is the node of all entries when no bit was read. It follows from the set of entries
//! alone, never from the order of changes. Keys are meant to be hashes: then a path is about as
//! long as the binary logarithm of the number of entries; it never has more than 256 branches.

mod node;
mod proof;

pub use proof::{Leaf, Proof};

use std::{fmt, sync::Arc};

use crate::values::Hash;
use node::{Entry, Node};

/// The map. Cheap to clone; equal when the entries are.
#[derive(Clone, Default)]
pub struct Trie {
    root: Node,
}

impl Trie {
    /// A map without entries.
    pub fn new() -> Trie {
        Trie::default()
    }

    /// What commits to all entries.
    pub fn root(&self) -> Hash {
        self.root.hash()
    }

    /// How many entries there are.
    pub fn len(&self) -> usize {
        self.root.len()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// The value of a key.
    pub fn get(&self, key: &Hash) -> Option<&[u8]> {
        let entry = self.root.descend(key, |_| {})?;
        (entry.key() == key).then(|| entry.value())
    }

    /// Sets and (with none) removes the values of many keys at once; of several changes to one key
    /// the last counts. Each node on the way is hashed once, however many changes lie below it.
    pub fn update(&mut self, changes: impl IntoIterator<Item = (Hash, Option<Vec<u8>>)>) {
        let mut changes: Vec<_> = changes
            .into_iter()
            .map(|(key, value)| (key, value.map(|value| Arc::new(Entry::new(key, value)))))
            .collect();
        // A stable sort of the reversed list puts the last change to a key first.
        changes.reverse();
        changes.sort_by_key(|(key, _)| *key);
        changes.dedup_by_key(|(key, _)| *key);
        self.root = self.root.changed(&changes, 0);
    }

    /// The proof of what the map holds under a key, or that it holds nothing.
    pub fn prove(&self, key: &Hash) -> Proof {
        let mut siblings = Vec::new();
        let entry = self.root.descend(key, |sibling| siblings.push(sibling.hash()));
        let leaf = entry.map(|e| Leaf { key: *e.key(), value_hash: Hash::of(e.value()) });
        Proof { leaf, siblings }
    }

    /// All entries in the order of their keys.
    pub fn iter(&self) -> impl Iterator<Item = (&Hash, &[u8])> {
        let mut waiting = vec![&self.root];
        std::iter::from_fn(move || {
            loop {
                match waiting.pop()? {
                    Node::Empty => {}
                    Node::Leaf(entry) => return Some((entry.key(), entry.value())),
                    Node::Branch(branch) => waiting.extend(branch.children().into_iter().rev()),
                }
            }
        })
    }
}

impl PartialEq for Trie {
    fn eq(&self, other: &Trie) -> bool {
        self.root() == other.root()
    }
}

impl Eq for Trie {}

impl fmt::Debug for Trie {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Trie").field("root", &self.root()).field("len", &self.len()).finish()
    }
}
