//! The Merkle tree of RFC 6962 over a log that only grows, by the few hashes that are needed to go
//! on.
//!
//! Does not keep entries.

use tlog_tiles::{EMPTY_HASH, Hash, node_hash};

use crate::WIDTH;

/// The height of the subtree that a full tile is.
pub(crate) const TILE_HEIGHT: u32 = WIDTH.ilog2();

/// A tree of some entries. It takes as many hashes as its size has bits.
#[derive(Clone, Debug, Default)]
pub struct Tree {
    /// The roots of its full subtrees with their heights, the largest first.
    full: Vec<(u32, Hash)>,
    size: u64,
}

impl Tree {
    /// One of these entries, by their hashes.
    pub fn of(leaves: &[Hash]) -> Tree {
        let mut tree = Tree::default();
        leaves.iter().for_each(|leaf| tree.push(*leaf));
        tree
    }

    /// One whose hashes are given by levels, from the one of this height on: a hash of each stands
    /// for a tile of the one before.
    pub(crate) fn of_levels<'h>(
        height: u32,
        levels: impl DoubleEndedIterator<Item = &'h [Hash]> + ExactSizeIterator,
    ) -> Tree {
        let mut tree = Tree::default();
        for (nth, hashes) in levels.enumerate().rev() {
            let height = height + TILE_HEIGHT * u32::try_from(nth).unwrap_or(u32::MAX);
            hashes.iter().for_each(|hash| tree.push_subtree(height, *hash));
        }
        tree
    }

    /// How many entries it has.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Adds an entry by its hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_subtree(0, leaf);
    }

    /// Adds 2^`height` entries by the root of their subtree, which must be no higher than those
    /// that are there.
    pub fn push_subtree(&mut self, height: u32, root: Hash) {
        self.size += 1 << height;
        let (mut height, mut hash) = (height, root);
        while let Some((_, left)) = self.full.pop_if(|(of, _)| *of == height) {
            hash = node_hash(left, hash);
            height += 1;
        }
        self.full.push((height, hash));
    }

    /// What commits to all of it.
    pub fn root(&self) -> Hash {
        let mut hashes = self.full.iter().rev().map(|(_, hash)| *hash);
        let Some(last) = hashes.next() else { return EMPTY_HASH };
        hashes.fold(last, |right, left| node_hash(left, right))
    }
}
