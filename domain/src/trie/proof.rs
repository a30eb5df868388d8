//! Proofs of what a trie holds under a key, or that it holds nothing there.
//!
//! Does not know the trie: a root is all it takes.

use serde::{Deserialize, Serialize};

use super::node::{EMPTY, bit, branch_hash, leaf_hash};
use crate::values::Hash;

/// The most branches on a way: one for each bit of a key.
const SIBLINGS_MAX: usize = 256;

/// A key and the hash of its value.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = TrieLeaf))]
pub struct Leaf {
    /// The key.
    pub key: Hash,
    /// SHA-256 of the value.
    pub value_hash: Hash,
}

/// Where the way of a key ends, and what the way does not take. The same form proves presence (the
/// leaf at the end is the key's) and absence (there is none, or it is another key's).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[cfg_attr(feature = "schema", derive(utoipa::ToSchema), schema(as = TrieProof))]
pub struct Proof {
    /// The leaf at the end; none when the way ends in an empty node.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leaf: Option<Leaf>,
    /// The hashes of the nodes that the way does not take, the root's child first.
    pub siblings: Vec<Hash>,
}

impl Proof {
    /// Whether the trie with this root holds exactly `value` under `key`; with none, nothing.
    pub fn verify(&self, root: &Hash, key: &Hash, value: Option<&[u8]>) -> bool {
        let depth = self.siblings.len();
        if depth > SIBLINGS_MAX {
            return false;
        }
        let said = match (&self.leaf, value) {
            (Some(leaf), Some(value)) => leaf.key == *key && leaf.value_hash == Hash::of(value),
            (Some(leaf), None) => leaf.key != *key && shares_way(&leaf.key, key, depth),
            (None, None) => true,
            (None, Some(_)) => false,
        };
        said && self.root_of(key) == *root
    }

    /// The root that the way of `key` leads up to.
    fn root_of(&self, key: &Hash) -> Hash {
        let end = self.leaf.map_or(EMPTY, |leaf| leaf_hash(&leaf.key, &leaf.value_hash));
        let upwards = self.siblings.iter().enumerate().rev();
        upwards.fold(end, |node, (depth, sibling)| {
            if bit(key, depth) { branch_hash(sibling, &node) } else { branch_hash(&node, sibling) }
        })
    }
}

/// Whether two keys share their first `bits` bits.
fn shares_way(first: &Hash, second: &Hash, bits: usize) -> bool {
    (0..bits).all(|depth| bit(first, depth) == bit(second, depth))
}
